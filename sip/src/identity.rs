//! Names that nobody can guess: Call-IDs, tags and branches.

use std::fmt;

/// A source of bytes that cannot be predicted (a CSPRNG of the process; a seeded one in tests). It fills the slice.
pub type Entropy = Box<dyn FnMut(&mut [u8]) + Send>;

/// A number of 128 random bits; printed as 32 lower-case hexadecimal digits it is a Call-ID, a tag or a branch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Identifier(u128);

impl Identifier {
    pub(crate) fn fresh(entropy: &mut Entropy) -> Self {
        let mut bytes = [0; 16];
        entropy(&mut bytes);
        Self(u128::from_be_bytes(bytes))
    }

    /// Reads what [`fmt::Display`] printed; everything else is not one of ours.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let ours = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if ours { u128::from_str_radix(text, 16).ok().map(Self) } else { None }
    }

    /// True when `text` is this identifier.
    pub(crate) fn is(self, text: &str) -> bool {
        Self::read(text) == Some(self)
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_read_back_and_nothing_else_is() {
        let mut next = 0_u8;
        let mut entropy: Entropy = Box::new(move |bytes| {
            for byte in bytes {
                *byte = next;
                next = next.wrapping_add(17);
            }
        });
        let one = Identifier::fresh(&mut entropy);
        let text = one.to_string();
        assert_eq!(text, "00112233445566778899aabbccddeeff");
        assert!(one.is(&text));
        assert_eq!(Identifier::read(&text.to_uppercase()), None);
        assert_eq!(Identifier::read("+0112233445566778899aabbccddeeff"), None);
        assert_eq!(Identifier::read("00112233"), None);
        assert_ne!(Identifier::fresh(&mut entropy), one);
    }
}
