//! Object ids in the documents that we write: many at a time.

use crate::ObjectId;

/// The same as [`ObjectId`]'s `Display`, for hundreds of them.
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

    /// Another way to read one: group by group.
    fn by_groups(text: &str) -> Option<ObjectId> {
        let groups: Vec<&str> = text.split('-').collect();
        let are_digits = groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if !are_digits || groups.iter().map(|group| group.len()).ne([8, 4, 4, 4, 12]) {
            return None;
        }
        u128::from_str_radix(&groups.concat(), 16).ok().map(|number| ObjectId::new(number.to_be_bytes()))
    }

    proptest! {
        #[test]
        fn guids_are_written_and_read_as_the_object_id_does(bytes: [u8; 16], text in "[0-9a-fA-Fg\u{e9}+-]{34,37}") {
            let id = ObjectId::new(bytes);
            let mut written = String::new();
            push_guid(&mut written, id);
            prop_assert_eq!(&written, &id.to_string());
            prop_assert_eq!(written.parse().ok(), Some(id));
            prop_assert_eq!(written.to_uppercase().parse().ok(), Some(id));
            prop_assert_eq!(text.parse().ok(), by_groups(&text));
            let mut spoilt = written.into_bytes();
            spoilt[usize::from(bytes[0]) % 36] = bytes[1] & 0x7f;
            let spoilt = String::from_utf8(spoilt).unwrap();
            prop_assert_eq!(spoilt.parse().ok(), by_groups(&spoilt));
        }
    }
}
