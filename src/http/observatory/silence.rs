//! Losses that samples found, by the endpoint whose pool had stopped notifying without a sign.

use std::collections::BTreeMap;
use std::time::Instant;

use presence_core::EndpointKind;

/// What was found since the start.
#[derive(Debug, Default)]
pub(super) struct Silence {
    found: BTreeMap<EndpointKind, (u64, Instant)>,
}

impl Silence {
    /// A sample found one.
    pub(super) fn found(&mut self, at: Instant, via: EndpointKind) {
        let (count, last) = self.found.entry(via).or_insert((0, at));
        (*count, *last) = (*count + 1, at.max(*last));
    }

    /// How many there were, and when the last one was found.
    pub(super) fn of(&self, via: EndpointKind) -> (u64, Option<Instant>) {
        self.found.get(&via).map_or((0, None), |(count, last)| (*count, Some(*last)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_endpoint_has_its_own_count_and_the_time_of_its_last() {
        let (now, later) = (presence_actors::now(), presence_actors::now() + Duration::from_secs(5));
        let mut silence = Silence::default();
        for at in [now, later, now] {
            silence.found(at, EndpointKind::User);
        }
        assert_eq!(silence.of(EndpointKind::User), (3, Some(later)));
        assert_eq!(silence.of(EndpointKind::Application), (0, None));
    }
}
