//! Chance from a seed.

/// xorshift64* (Vigna): the same seed is the same sequence.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Any seed; 0 is taken for another one.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(if seed == 0 { 0x9e37_79b9_7f4a_7c15 } else { seed })
    }

    /// The next 64 bits.
    pub const fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// The next byte.
    pub const fn byte(&mut self) -> u8 {
        self.roll().to_be_bytes()[0]
    }

    /// A number below `limit`; 0 when that is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(limit.max(1)).unwrap_or(1)).unwrap_or_default()
    }
}
