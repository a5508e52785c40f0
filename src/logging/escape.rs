//! Text that someone else chose, made safe to stand in one line of a log.

use presence_core::log_text::is_plain;
pub use presence_core::log_text::is_treacherous;

/// Appends the text with an escape such as `\n` or `\u{1b}` for every treacherous character.
///
/// What is already escaped is appended unchanged, so escaping twice is escaping once.
pub fn push_escaped(line: &mut String, text: &str) {
    if is_plain(text) {
        line.push_str(text);
        return;
    }
    let mut rest = text;
    while let Some((at, c)) = rest.char_indices().find(|&(_, c)| is_treacherous(c)) {
        line.push_str(&rest[..at]);
        line.extend(c.escape_default());
        rest = &rest[at + c.len_utf8()..];
    }
    line.push_str(rest);
}

/// Appends a value so that it cannot be taken for two: in quotes when it is empty or holds a blank, a quote or an
/// equals sign. What `{:?}` has quoted already stays as it is.
pub fn push_value(line: &mut String, value: &str) {
    let plain = !value.is_empty() && !value.chars().any(|c| c.is_whitespace() || matches!(c, '"' | '='));
    if plain || is_quoted(value) {
        return push_escaped(line, value);
    }
    line.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            c if is_treacherous(c) => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
    line.push('"');
}

/// JSON with `\uXXXX` for every treacherous character: those can only stand inside its strings, where that means the
/// same. Line ends between its values stay.
#[must_use]
pub fn escape_json(json: String) -> String {
    if !json.chars().any(|c| c != '\n' && is_treacherous(c)) {
        return json;
    }
    let mut safe = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if c != '\n' && is_treacherous(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            safe.push(c);
        }
    }
    safe
}

/// True for a text in quotes without a bare quote inside.
fn is_quoted(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return false };
    let mut escaped = false;
    for c in inner.chars() {
        match c {
            '"' if !escaped => return false,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    !escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut line = String::new();
        push_escaped(&mut line, text);
        line
    }

    fn value(text: &str) -> String {
        let mut line = String::new();
        push_value(&mut line, text);
        line
    }

    #[test]
    fn what_ends_a_line_or_moves_a_cursor_is_escaped_and_nothing_else() {
        assert_eq!(escaped("a\r\nb\tc\0d\u{1b}[2Je\u{85}f\u{7f}"), r"a\r\nb\tc\u{0}d\u{1b}[2Je\u{85}f\u{7f}");
        assert_eq!(escaped("x\u{202e}y\u{2028}z\u{2069}\u{feff}"), r"x\u{202e}y\u{2028}z\u{2069}\u{feff}");
        for text in ["", r"C:\ProgramData\n", "J\u{fc}rgen \u{5c71}\u{7530} \u{1f600} 'a' \"b\" = []"] {
            assert_eq!(escaped(text), text);
        }
        assert_eq!(escaped(&escaped("a\nb")), escaped("a\nb"));
    }

    #[test]
    fn a_value_cannot_be_taken_for_two() {
        assert_eq!(value("sip:a@b.example"), "sip:a@b.example");
        assert_eq!(value(r"C:\logs"), r"C:\logs");
        assert_eq!(value(""), "\"\"");
        assert_eq!(value("480 Temporarily"), "\"480 Temporarily\"");
        assert_eq!(value("x code=200"), "\"x code=200\"");
        assert_eq!(value("a\" b=\"c"), r#""a\" b=\"c""#);
        assert_eq!(value("ends \\"), r#""ends \\""#);
        assert_eq!(value("a\u{a0}b"), "\"a\u{a0}b\"");
    }

    #[test]
    fn a_value_that_is_quoted_already_is_not_quoted_again() {
        assert_eq!(value(&format!("{:?}", "a \"b\"\n")), r#""a \"b\"\n""#);
        assert_eq!(value("\"a\" b=\"c\""), r#""\"a\" b=\"c\"""#);
        assert_eq!(value("\""), r#""\"""#);
        assert_eq!(value("\"\\\""), r#""\"\\\"""#);
    }
}
