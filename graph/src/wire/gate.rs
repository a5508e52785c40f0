//! A look at a long body before it is read: what would take long to read, or much memory, is not read at all.

/// Shorter bodies are read whatever they hold: nothing in them takes long.
const SMALL: usize = 256 * 1024;
/// The longest number that is read, in characters; beyond 17 digits none says more.
const LONGEST_NUMBER: usize = 64;

/// Refuses a body with more than `most` lists, objects and commas, or with a number without end. What stands in a text does
/// not count: it may be what a user wrote.
///
/// # Errors
/// What is too much; it fits behind "the answer has ".
pub(super) fn admit(body: &[u8], most: usize) -> Result<(), &'static str> {
    if body.len() <= SMALL {
        return Ok(());
    }
    let (mut parts, mut digits) = (0_usize, 0_usize);
    let mut rest = body.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => {
                digits = 0;
                // What follows a backslash is no end; a text without one is refused by whoever reads it.
                while let Some(b'\\') = rest.by_ref().find(|byte| matches!(byte, b'"' | b'\\')) {
                    rest.next();
                }
            }
            b'{' | b'[' | b',' => {
                digits = 0;
                parts += 1;
                if parts > most {
                    return Err("more parts than any answer");
                }
            }
            b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-' => {
                digits += 1;
                if digits > LONGEST_NUMBER {
                    return Err("a number without end");
                }
            }
            _ => digits = 0,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_parts_without_end_are_refused_and_texts_may_hold_anything() {
        let padded = |inside: &str| format!("{{\"x\": [{inside}], \"y\": \"{}\"}}", "a".repeat(SMALL));
        let of = |inside: &str, most| admit(padded(inside).as_bytes(), most);
        assert_eq!(of("1, 2, {}", 6), Ok(()));
        assert_eq!(of("1, 2, {}", 5), Err("more parts than any answer"));
        assert_eq!(of(&"9".repeat(64), 10), Ok(()));
        assert_eq!(of(&"9".repeat(65), 10), Err("a number without end"));
        assert_eq!(of(&format!("-1.{}e+7", "0".repeat(70)), 10), Err("a number without end"));
        assert_eq!(of(&format!("\"{}, [[{{ \\\" , {}\"", "9".repeat(500), "8".repeat(500)), 3), Ok(()));
        assert_eq!(admit("9".repeat(SMALL).as_bytes(), 0), Ok(()), "it is short");
    }
}
