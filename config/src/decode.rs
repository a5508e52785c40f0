//! From the bytes of the file to its text: byte order marks, UTF-16, and what is no text at all.

use std::borrow::Cow;

/// The largest file that is read, in bytes: 32 MiB, some 400,000 agents.
pub const MAX_FILE_BYTES: usize = 32 * 1024 * 1024;

/// Why bytes are no text.
#[derive(Debug)]
pub(crate) struct Undecodable<'a> {
    /// The text with every unreadable part replaced, to show the line.
    pub(crate) text: Cow<'a, str>,
    /// Where in that text the first unreadable part is.
    pub(crate) offset: usize,
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

/// The text without its byte order mark.
pub(crate) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Undecodable<'_>> {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [b'<', 0, ..] => utf16(bytes, u16::from_le_bytes),
        [0, b'<', ..] => utf16(bytes, u16::from_be_bytes),
        _ => utf8(bytes),
    }
}

fn utf8(bytes: &[u8]) -> Result<Cow<'_, str>, Undecodable<'_>> {
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return Ok(Cow::Borrowed(text)),
        Err(error) => error,
    };
    let byte = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
    let message = format!("the byte {byte:#04x} is not UTF-8");
    let help =
        "save the file as UTF-8 (in Notepad: Save as, Encoding: UTF-8); it looks like an older Windows code page";
    Err(Undecodable { text: String::from_utf8_lossy(bytes), offset: error.valid_up_to(), message, help })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'_, str>, Undecodable<'_>> {
    let pairs = bytes.chunks_exact(2);
    let odd = !pairs.remainder().is_empty();
    let units = pairs.map(|pair| unit([pair[0], pair[1]]));
    let mut text = String::with_capacity(bytes.len() / 2);
    let mut broken = None;
    for decoded in char::decode_utf16(units) {
        let c = decoded.unwrap_or_else(|_| {
            broken.get_or_insert(text.len());
            char::REPLACEMENT_CHARACTER
        });
        text.push(c);
    }
    if odd {
        broken.get_or_insert(text.len());
    }
    match broken {
        None => Ok(Cow::Owned(text)),
        Some(offset) => Err(Undecodable {
            text: Cow::Owned(text),
            offset,
            message: "the file is UTF-16, but broken here".to_owned(),
            help: "save the file again, best as UTF-8",
        }),
    }
}

/// The first character that XML does not allow, and where it is.
pub(crate) fn forbidden_character(text: &str) -> Option<(usize, char)> {
    text.char_indices().find(|&(_, c)| {
        (c.is_ascii_control() && !matches!(c, '\t' | '\n' | '\r') && c != '\u{7f}')
            || matches!(c, '\u{fffe}' | '\u{ffff}')
    })
}
