//! What is put where something else should be.

use super::Group;

/// One of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Mutation {
    /// The bytes that are put in.
    pub bytes: Vec<u8>,
}

/// The beginning, as there are long ones.
impl std::fmt::Debug for Mutation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let begin = self.bytes.get(..40).unwrap_or(&self.bytes);
        write!(f, "{:?} ({} bytes)", String::from_utf8_lossy(begin), self.bytes.len())
    }
}

/// How often something is repeated: around the sizes of buffers and around our own caps.
const LENGTHS: [usize; 13] = [1, 2, 16, 63, 127, 255, 256, 511, 1_024, 4_060, 4_096, 16_384, 65_536];
/// What is repeated.
const REPEATED: [&str; 16] = ["a", " ", "\t", "%s", "%n", "%x", ";", ":", ",", "/", "\\", "\"", "<", ">", "=", "../"];
const TEXTS: [&[u8]; 34] = [
    b"",
    b"(null)",
    b"%n%n%n%n%n%n",
    b"%08x.%08x.%08x",
    b"'; DROP TABLE x; --",
    b"$(x)`x`",
    b"\0",
    b"a\0b",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\r\n ",
    b"\r\nVia: SIP/2.0/TCP h",
    b"\r\nContent-Length: 9999",
    b"\r\nCall-ID: twice",
    b"\x80",
    b"\xff\xfe",
    b"\xc0\x80",
    b"\xe2\x80",
    b"\xf4\x90\x80\x80",
    "\u{202e}".as_bytes(),
    "\u{e9}".as_bytes(),
    "\u{1f600}".as_bytes(),
    b"\x1b[2J",
    b"<<<<",
    b">>>>",
    b"<\"",
    b"\"\\\"",
    b"\"open",
    b"sip:a@b",
    b"<sip:a@b",
    b"sip:[::1",
    b"sip:%00@%",
];
const NUMBERS: [&str; 33] = [
    "0",
    "1",
    "9",
    "70",
    "255",
    "256",
    "257",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999999999",
    "-1",
    "-0",
    "-2147483648",
    "-2147483649",
    "-9999999999999999999999",
    "+1",
    "1.0",
    "1e3",
    "0x10",
    "010",
    "1 2",
    "1,2",
    "1;2",
    "NaN",
    "\u{661}",
    "1a",
];

/// All mutations of a group; numbers only where a number should be.
#[must_use]
pub fn mutations(group: &Group) -> Vec<Mutation> {
    let long = REPEATED.iter().flat_map(|part| LENGTHS.map(|length| part.repeat(length).into_bytes()));
    let texts = TEXTS.iter().map(|text| text.to_vec());
    let numbers = NUMBERS.iter().filter(|_| group.numeric).map(|text| text.as_bytes().to_vec());
    let digits = LENGTHS.iter().filter(|_| group.numeric).map(|length| b"9".repeat(*length));
    numbers.chain(digits).chain(texts).chain(long).map(|bytes| Mutation { bytes }).collect()
}
