//! What holds for publications, retries and match rules whatever is fed to them.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test that fails must say so at once")]

use std::time::{Duration, Instant};

use presence_core::{Availability, Freshness, MatchRules, Publication, RetryPolicy, SourceKind, Status};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Event {
    Observe(i32),
    Freshness(Freshness),
    Forget,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        prop_oneof![Just(-1), Just(3_500), Just(18_500)].prop_map(Event::Observe),
        prop_oneof![Just(Freshness::Unknown), Just(Freshness::Stale), Just(Freshness::Fresh)]
            .prop_map(Event::Freshness),
        Just(Event::Forget),
    ]
}

#[allow(clippy::disallowed_methods, reason = "an instant to count from; the tests only add to it")]
fn start() -> Instant {
    Instant::now()
}

proptest! {
    #[test]
    fn a_change_is_published_only_when_something_differs_and_numbered_without_gaps(
        events in prop::collection::vec(event(), 1..60)
    ) {
        let start = start();
        let mut publication = Publication::new(start, "sip:a@domain.com".parse().unwrap(), SourceKind::Ucma);
        let mut last = None;
        for (second, event) in events.into_iter().enumerate() {
            let now = start + Duration::from_secs(second as u64);
            let (before, sequence) = (publication.current().clone(), publication.sequence());
            let change = match event {
                Event::Observe(value) => publication.observe(now, Status::of(Availability::new(value))),
                Event::Freshness(freshness) => publication.set_freshness(now, freshness),
                Event::Forget => publication.forget(now),
            };
            match change {
                None => {
                    prop_assert_eq!(publication.current(), &before);
                    prop_assert_eq!(publication.sequence(), sequence);
                }
                Some(change) => {
                    prop_assert_eq!(change.sequence, sequence + 1);
                    prop_assert_eq!(&change.previous, &last);
                    prop_assert_ne!(&change.new, &before);
                    let keeps_since = change.new.status == before.status && sequence > 0
                        && before.freshness != Freshness::Unknown;
                    prop_assert!(!keeps_since || change.new.since == before.since);
                    prop_assert!(
                        change.new.freshness != Freshness::Unknown || change.new.status == Status::unknown(),
                        "unknown is nothing else"
                    );
                    last = Some(change.new.clone());
                }
            }
        }
    }

    #[test]
    fn a_delay_never_leaves_its_bounds_and_never_shrinks(
        first in 1..u64::MAX / 2, longer in 0..u64::MAX / 2, failures in any::<u32>()
    ) {
        let (first, max) = (Duration::from_millis(first), Duration::from_millis(first + longer));
        let policy = RetryPolicy::try_new(first, max).unwrap();
        let delay = policy.delay(failures);
        prop_assert!(first <= delay && delay <= max);
        prop_assert!(policy.delay(failures.saturating_add(1)) >= delay);
    }

    #[test]
    fn the_first_pattern_that_occurs_in_the_uri_wins(
        patterns in prop::collection::vec("[a-c]{1,3}", 1..8), user in "[a-c]{1,8}"
    ) {
        let references: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let rules = MatchRules::compile(&references).unwrap();
        let uri = format!("sip:{user}@x").parse().unwrap();
        let expected = patterns.iter().position(|pattern| format!("sip:{user}@x").contains(pattern.as_str()));
        prop_assert_eq!(rules.first_match(&uri), expected);
    }

    #[test]
    fn no_pattern_makes_the_linter_panic(pattern in r"[\[\]\\(){}?*+.^$|&~<>a-c0-9:,'PpUuxk#=!-]{0,24}|\PC{0,12}") {
        if let Err(errors) = MatchRules::compile(&[&pattern]) {
            prop_assert_eq!(errors.len(), 1);
            prop_assert!(!errors[0].reason.is_empty());
        }
    }
}
