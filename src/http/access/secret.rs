//! The text of a token: `pp_NAME_` and 64 hexadecimal digits, 256 random bits.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// How every token begins, so that a person and a search for leaked secrets know it.
const PREFIX: &str = "pp_";
/// The random part, in bytes.
const RANDOM: usize = 32;
/// The longest text that is looked at, in bytes: `pp_`, a name of 64, `_`, 64 digits.
const LONGEST: usize = 3 + 64 + 1 + 2 * RANDOM;

/// A new token for this name, never to be kept or logged.
///
/// # Errors
/// When the system gives no random bits.
pub(crate) fn new_token(name: &str) -> Result<String, getrandom::Error> {
    let mut random = [0; RANDOM];
    getrandom::fill(&mut random)?;
    Ok(format!("{PREFIX}{name}_{}", hexadecimal(&random)))
}

/// The name in a token, which says whose fingerprint to compare with. Nothing for a text that cannot be a token.
pub(super) fn name_in(token: &str) -> Option<&str> {
    let rest = token.strip_prefix(PREFIX).filter(|_| token.len() <= LONGEST)?;
    rest.rsplit_once('_').map(|(name, _)| name)
}

/// SHA-256 of a whole token. A token has 256 random bits, so that nothing slower is needed to keep it from being guessed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

/// Without what it is: it belongs in no log.
impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint")
    }
}

impl Fingerprint {
    /// What no token has.
    pub(super) const OF_NOBODY: Self = Self([0; 32]);

    /// Of this token. What is too long to be one counts as empty.
    pub(crate) fn of(token: &str) -> Self {
        let token = if token.len() <= LONGEST { token } else { "" };
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// From 64 hexadecimal digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        let mut bytes = [0; 32];
        if digits.len() != 2 * bytes.len() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            *byte = digit(0)? << 4 | digit(1)?;
        }
        Some(Self(bytes))
    }

    /// As 64 hexadecimal digits.
    pub(super) fn to_text(self) -> String {
        hexadecimal(&self.0)
    }

    /// Takes as long for any two.
    pub(super) fn same(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_its_name_and_256_random_bits() {
        let token = new_token("sales_2.x-y").expect("random bits");
        assert_eq!(name_in(&token), Some("sales_2.x-y"));
        let (_, random) = token.rsplit_once('_').expect("two parts");
        assert_eq!(random.len(), 64);
        assert!(random.bytes().all(|digit| digit.is_ascii_hexdigit()), "{token}");
        assert_ne!(token, new_token("sales_2.x-y").expect("random bits"));
        assert_eq!(new_token(&"n".repeat(64)).expect("random bits").len(), LONGEST);
    }

    #[test]
    fn a_fingerprint_is_the_sha256_that_anyone_can_compute() {
        // printf %s pp_a_b | sha256sum
        let text = "01e3a1b9bbeba94c940a2ed6505c5ff88105393a88e1a539963d2d14bf6f3e0f";
        assert_eq!(Fingerprint::of("pp_a_b").to_text(), text);
        assert_eq!(
            Fingerprint::parse(&Fingerprint::of("pp_a_b").to_text()).map(Fingerprint::to_text).as_deref(),
            Some(text)
        );
        for bad in ["", "00", &"g".repeat(64), &"é".repeat(32), &"0".repeat(66)] {
            assert!(Fingerprint::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn what_is_too_long_is_no_token() {
        let long = format!("pp_a_{}", "0".repeat(10_000_000));
        assert_eq!(name_in(&long), None);
        assert!(bool::from(Fingerprint::of(&long).same(&Fingerprint::of(""))));
    }
}
