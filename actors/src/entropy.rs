//! Random bytes for Call-IDs, tags and branches.

use std::sync::{Arc, Mutex, PoisonError};

/// Where an endpoint's random bytes come from: the operating system, or a seed where a story must come out the same again.
#[derive(Clone, Debug, Default)]
pub struct RandomBytes(Option<Arc<Mutex<u64>>>);

impl RandomBytes {
    /// For tests: bytes that follow from `seed`, and that anybody can guess. Clones draw from the same stream, so that an
    /// endpoint that is created again does not repeat what it said before.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Some(Arc::new(Mutex::new(seed))))
    }

    /// Fills the bytes.
    ///
    /// # Panics
    /// When the operating system has no source of random bytes: nothing that speaks SIP can run there.
    pub(crate) fn fill(&self, bytes: &mut [u8]) {
        let Some(stream) = &self.0 else {
            getrandom::fill(bytes).expect("the operating system has a source of random bytes");
            return;
        };
        let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
        for word in bytes.chunks_mut(8) {
            word.copy_from_slice(&next(&mut stream).to_le_bytes()[..word.len()]);
        }
    }

    /// The same for the machines of `presence-sip`.
    pub(crate) fn for_sip(&self) -> presence_sip::Entropy {
        let random = self.clone();
        Box::new(move |bytes| random.fill(bytes))
    }
}

/// splitmix64.
const fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn twenty(random: &RandomBytes) -> [u8; 20] {
        let mut bytes = [0; 20];
        random.fill(&mut bytes);
        bytes
    }

    #[test]
    fn a_seed_gives_the_same_bytes_again_and_its_clones_go_on_where_it_was() {
        let (one, same, other) = (RandomBytes::seeded(7), RandomBytes::seeded(7), RandomBytes::seeded(8));
        let first = twenty(&one);
        assert_eq!(first, twenty(&same));
        assert_ne!(first, twenty(&other));
        assert_ne!(first, twenty(&one.clone()));
        assert_ne!(twenty(&one), twenty(&same));
    }

    #[test]
    fn the_operating_system_gives_other_bytes_each_time() {
        let system = RandomBytes::default();
        assert_ne!(twenty(&system), twenty(&system));
    }
}
