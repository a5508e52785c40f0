//! Chance that can be repeated: the same seed gives the same story.

use std::time::Duration;

/// What keeps the moments to come within what an `Instant` holds.
const LONGEST_MEAN: Duration = Duration::from_secs(365 * 86_400);

/// A seeded generator of chance, for stories that must come out the same again. Not for secrets.
///
/// The state is xoshiro256++ (Blackman and Vigna), filled by splitmix64 from one number.
#[derive(Clone, Debug)]
pub struct Dice {
    state: [u64; 4],
}

impl Dice {
    /// Dice that fall the same way whenever the seed is the same.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut stream = seed;
        let mut word = || {
            stream = stream.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (stream ^ (stream >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        };
        Self { state: [word(), word(), word(), word()] }
    }

    /// The next 64 bits.
    pub fn throw(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// A number from 0 to `sides` - 1; 0 when there are no sides.
    pub fn below(&mut self, sides: u64) -> u64 {
        let wide = u128::from(self.throw()) * u128::from(sides);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// True `part` times in `whole`.
    pub fn chance(&mut self, part: u64, whole: u64) -> bool {
        self.below(whole) < part
    }

    /// A waiting time of a process without memory (exponential), with this mean (a year, if it is longer) and at most
    /// ten times the mean.
    pub fn wait(&mut self, mean: Duration) -> Duration {
        // 53 bits are what an f64 holds; the half keeps the logarithm finite.
        #[allow(clippy::cast_precision_loss)]
        let uniform = ((self.throw() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        mean.min(LONGEST_MEAN).mul_f64((-uniform.ln()).clamp(0.0, 10.0))
    }

    /// A fresh word of sixteen hexadecimal digits, for tags and nonces.
    pub fn word(&mut self) -> String {
        format!("{:016x}", self.throw())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_throws_the_same_numbers() {
        let throws = |seed| {
            let mut dice = Dice::new(seed);
            (0..50).map(|_| dice.throw()).collect::<Vec<_>>()
        };
        assert_eq!(throws(7), throws(7));
        assert_ne!(throws(7), throws(8));
    }

    #[test]
    fn every_side_comes_up_about_equally_often() {
        let mut dice = Dice::new(1);
        let mut seen = [0_u32; 6];
        for _ in 0..60_000 {
            let side = dice.below(6);
            seen[usize::try_from(side).unwrap_or(usize::MAX)] += 1;
        }
        assert!(seen.iter().all(|count| (9_500..10_500).contains(count)), "{seen:?}");
        assert_eq!(dice.below(0), 0);
    }

    #[test]
    fn waits_have_the_mean_and_a_cap() {
        let mut dice = Dice::new(2);
        let mean = Duration::from_secs(3);
        let waits: Vec<_> = (0..20_000).map(|_| dice.wait(mean)).collect();
        let average = waits.iter().sum::<Duration>() / 20_000;
        assert!((Duration::from_millis(2_900)..Duration::from_millis(3_100)).contains(&average), "{average:?}");
        assert!(waits.iter().all(|wait| *wait <= mean * 10));
    }
}
