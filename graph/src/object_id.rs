//! The number that Microsoft Entra knows a user by.

use std::fmt;
use std::str::FromStr;

/// Where the hyphens stand in its text.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// The object id of a user: a GUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId([u8; 16]);

/// The text is no GUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a GUID of 32 hexadecimal digits in groups of 8-4-4-4-12")]
pub struct ObjectIdError;

impl ObjectId {
    /// From its bytes in the order in which they are written.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes in the order in which they are written.
    #[must_use]
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }
}

impl FromStr for ObjectId {
    type Err = ObjectIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Hundreds of them are in one answer: nothing is allocated.
        let text: &[u8; 36] = text.as_bytes().try_into().map_err(|_| ObjectIdError)?;
        if HYPHENS.iter().any(|&hyphen| text[hyphen] != b'-') {
            return Err(ObjectIdError);
        }
        let mut bytes = [0_u8; 16];
        let mut digits =
            text.iter().enumerate().filter(|(index, _)| !HYPHENS.contains(index)).map(|(_, digit)| value(*digit));
        let mut digit = || digits.next().flatten().ok_or(ObjectIdError);
        for byte in &mut bytes {
            *byte = (digit()? << 4) | digit()?;
        }
        Ok(Self(bytes))
    }
}

const fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_read_in_either_case_and_written_in_lower_case() {
        let id: ObjectId = "4119DD4D-e455-4535-9d45-b3535f584cad".parse().expect("a GUID");
        assert_eq!(id.to_string(), "4119dd4d-e455-4535-9d45-b3535f584cad");
        assert_eq!(ObjectId::new(id.bytes()), id);
    }

    #[test]
    fn what_is_not_a_guid_is_refused() {
        for text in [
            "",
            "4119dd4d",
            "4119dd4de45545359d45b3535f584cad",
            "+119dd4d-e455-4535-9d45-b3535f584cad",
            "4119dd4d-e455-4535-9d45-b3535f584ca\u{e9}",
            "4119dd4d-e455-4535-9d4-5b3535f584cad",
            "éééé-e455-4535-9d45-b3535f584cad",
        ] {
            assert_eq!(text.parse::<ObjectId>(), Err(ObjectIdError), "{text}");
        }
    }
}
