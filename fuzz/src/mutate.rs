//! Seeded mutations of a corpus, and the words of a dictionary.

use crate::dice::Dice;

/// What breaks readers of anything: ends, separators, cut characters, numbers beyond their types.
const MORSELS: [&[u8]; 26] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"=",
    b"\"",
    b"\\",
    b"<",
    b">",
    b"&",
    b"{",
    b"[",
    b"\0",
    b"\xff",
    b"\xc3",
    b"\xe2\x80",
    "\u{202e}".as_bytes(),
    b"-1",
    b"4294967296",
    b"18446744073709551616",
    b"%s%n",
];

/// The longest input that a mutation makes, in bytes.
const LONGEST: usize = 64 * 1024;

/// One of `seeds`, changed in one to four places. `words` are put in as they are.
#[must_use]
pub fn mutate(dice: &mut Dice, seed: &[u8], others: &[Vec<u8>], words: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        let until = (at + dice.below(24)).min(bytes.len());
        let word = if !words.is_empty() && dice.below(2) == 0 {
            words[dice.below(words.len())].as_slice()
        } else {
            MORSELS[dice.below(MORSELS.len())]
        };
        match dice.below(9) {
            0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = dice.byte()),
            1 => drop(bytes.drain(at..until)),
            2 => drop(bytes.splice(at..at, word.iter().copied())),
            3 => drop(bytes.splice(at..until, word.iter().copied())),
            4 => {
                let copy = bytes[at..until].to_vec();
                drop(bytes.splice(at..at, copy));
            }
            5 => bytes.truncate(at),
            6 if !others.is_empty() => {
                let other = &others[dice.below(others.len())];
                let from = dice.below(other.len());
                let end = (from + dice.below(80)).min(other.len());
                drop(bytes.splice(at..at, other[from..end].iter().copied()));
            }
            7 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << dice.below(8)),
            _ => {
                let run = word.repeat(1 + dice.below(40));
                drop(bytes.splice(at..at, run));
            }
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

/// Reads a dictionary of libFuzzer: one word between quotes in each line, with `\"`, `\\` and `\xNN`; `#` begins a remark.
///
/// # Panics
/// Where a line is none of that: a dictionary is ours.
#[must_use]
pub fn read_dictionary(text: &str) -> Vec<Vec<u8>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| word(line).unwrap_or_else(|| panic!("no word of a dictionary: {line}"))).collect()
}

fn word(line: &str) -> Option<Vec<u8>> {
    let (_, quoted) = line.split_once('"')?;
    let mut rest = quoted.strip_suffix('"')?.bytes();
    let mut word = Vec::new();
    while let Some(byte) = rest.next() {
        word.push(match byte {
            b'\\' => match rest.next()? {
                b'x' => {
                    let digits = [rest.next()?, rest.next()?];
                    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                }
                escaped => escaped,
            },
            other => other,
        });
    }
    Some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_is_read_with_its_escapes() {
        let words = read_dictionary("# remark\n\n\"a\\\"b\"\nname=\"\\x0d\\x0a\\\\\"\n");
        assert_eq!(words, [b"a\"b".to_vec(), b"\r\n\\".to_vec()]);
    }

    #[test]
    fn the_same_seed_makes_the_same_mutations_and_they_differ_from_the_seed() {
        let words = [b"WORD".to_vec()];
        let made = |seed| {
            let mut dice = Dice::new(seed);
            (0..200).map(|_| mutate(&mut dice, b"some text", &[], &words)).collect::<Vec<_>>()
        };
        assert_eq!(made(7), made(7));
        assert_ne!(made(7), made(8));
        assert!(made(7).iter().filter(|bytes| bytes.as_slice() != b"some text").count() > 150);
    }
}
