//! What holds for a subscription whatever happens, in whatever order.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test that fails must say so at once")]

mod world;

use presence_core::FailureKind;
use proptest::prelude::*;
use world::{Event, World, event};

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Judged at every step by the world: no message without a token of its own, never a second live subscription,
    /// delays within the policy, changes numbered without gaps and only when something differs, unknown never anything
    /// else, fresh only while a dialog stands. And when all is well again, exactly what is wanted is there.
    #[test]
    fn whatever_happens_the_invariants_hold_and_in_the_end_there_is_what_is_wanted(
        max_failures in 0..4_u32,
        keeps in any::<bool>(),
        events in prop::collection::vec(event(), 1..120),
    ) {
        let mut world = World::new(max_failures, keeps);
        for event in events {
            world.step(event);
        }
        world.settle();
    }

    /// Endpoints may fail as often as they like: no agent pays for it.
    #[test]
    fn failures_of_endpoints_never_count(
        keeps in any::<bool>(),
        events in prop::collection::vec(event(), 1..120),
    ) {
        let mut world = World::new(1, keeps);
        for event in events {
            let event = match event {
                Event::Fail(which, _, retry_after) => Event::Fail(which, FailureKind::Endpoint, retry_after),
                // Ending at once is a failure of the dialog, which is not what this is about.
                Event::Accept(which, _) => Event::Accept(which, 3_600),
                Event::Notify(which, availability, _) => Event::Notify(which, availability, None),
                // So is an end that nobody asked for.
                Event::EndByEndpoint(which) | Event::Stall(which, _) => Event::Fail(which, FailureKind::Endpoint, None),
                Event::WantRefresh(_) | Event::Wait(_) | Event::Wanted | Event::Unwanted | Event::Up(_) | Event::Paused(_) | Event::Lost(_) | Event::Grant(_)
                | Event::GrantCancelled(_) | Event::EndUnsubscribed(_) | Event::StaleAnswer(_)
                | Event::Sample | Event::Queried(..) | Event::WaitForDeadline | Event::Revive => event,
            };
            world.step(event);
            prop_assert!(!world.was_abandoned);
        }
        world.settle();
    }
}
