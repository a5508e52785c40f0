//! Jitter and request ids from one seed: the same seed throws the same.

use std::fmt::Write;
use std::time::Duration;

/// Numbers that look random (SplitMix64). They keep many from doing the same thing at the same moment; they protect nothing.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The same seed gives the same numbers.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) const fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A time from nothing to `up_to`, every one as likely, in microseconds.
    pub(crate) fn jitter(&mut self, up_to: Duration) -> Duration {
        let microseconds = u64::try_from(up_to.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(match microseconds.checked_add(1) {
            Some(choices) => self.throw() % choices,
            None => self.throw(),
        })
    }

    /// A GUID of version 4, in lower case, such as `client-request-id` wants one.
    pub(crate) fn guid(&mut self) -> String {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.throw().to_be_bytes());
        bytes[8..].copy_from_slice(&self.throw().to_be_bytes());
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let mut text = String::with_capacity(36);
        for (index, byte) in bytes.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            write!(text, "{byte:02x}").expect("writing to a String does not fail");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_its_bound_and_uses_it() {
        let mut dice = Dice::new(7);
        let bound = Duration::from_millis(250);
        let throws: Vec<Duration> = (0..1_000).map(|_| dice.jitter(bound)).collect();
        assert!(throws.iter().all(|throw| *throw <= bound));
        assert!(throws.iter().any(|throw| *throw < bound / 10) && throws.iter().any(|throw| *throw > bound * 9 / 10));
        assert_eq!(dice.jitter(Duration::ZERO), Duration::ZERO);
        dice.jitter(Duration::MAX);
    }

    #[test]
    fn guids_have_the_form_of_version_4_and_differ() {
        let mut dice = Dice::new(0);
        let (one, two) = (dice.guid(), dice.guid());
        assert_ne!(one, two);
        assert_eq!(one.parse::<crate::ObjectId>().map(|id| id.to_string()), Ok(one.clone()));
        assert_eq!((one.as_bytes()[14], one.len()), (b'4', 36));
        assert!(matches!(one.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
    }
}
