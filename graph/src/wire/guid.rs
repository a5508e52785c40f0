//! Object ids in documents: many at a time, without allocations.

use crate::ObjectId;

/// Where the hyphens stand.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// The same as [`ObjectId`]'s `from_str`.
pub(super) fn read_guid(text: &str) -> Option<ObjectId> {
    let text: &[u8; 36] = text.as_bytes().try_into().ok()?;
    if HYPHENS.iter().any(|&hyphen| text[hyphen] != b'-') {
        return None;
    }
    let mut bytes = [0_u8; 16];
    let mut digits = text.iter().enumerate().filter(|(index, _)| !HYPHENS.contains(index)).map(|(_, digit)| *digit);
    for byte in &mut bytes {
        *byte = (value(digits.next()?)? << 4) | value(digits.next()?)?;
    }
    Some(ObjectId::new(bytes))
}

const fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The same as [`ObjectId`]'s `Display`.
pub(super) fn push_guid(text: &mut String, id: ObjectId) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (index, byte) in id.bytes().into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn guids_are_written_and_read_as_the_object_id_does(bytes: [u8; 16], text in "[0-9a-fA-Fg\u{e9}+-]{34,37}") {
            let id = ObjectId::new(bytes);
            let mut written = String::new();
            push_guid(&mut written, id);
            prop_assert_eq!(&written, &id.to_string());
            prop_assert_eq!(read_guid(&written), Some(id));
            prop_assert_eq!(read_guid(&written.to_uppercase()), Some(id));
            prop_assert_eq!(read_guid(&text), text.parse().ok());
            let mut spoilt = written.into_bytes();
            spoilt[usize::from(bytes[0]) % 36] = bytes[1] & 0x7f;
            let spoilt = String::from_utf8(spoilt).unwrap();
            prop_assert_eq!(read_guid(&spoilt), spoilt.parse().ok());
        }
    }
}
