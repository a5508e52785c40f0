//! The order, by sentence.

use super::*;
use crate::{Availability, Freshness};

type Agents = RecoveryOrder<(&'static str, u8)>;

/// When an agent's source last stood behind it, and what it said.
const fn stale(available: bool, confirmed: Instant) -> LastKnown {
    LastKnown::Stale { available, confirmed }
}

const AVAILABLE: LastKnown = LastKnown::Fresh { available: true };
const BUSY: LastKnown = LastKnown::Fresh { available: false };

fn stand(order: &mut Agents, now: Instant, agent: &'static str, uccs: &[u32], known: LastKnown) {
    order.stand(now, &agent, Standing { source: SourceKind::Ucma, uccs: uccs.into(), known });
}

/// These ask for a token, one after the other.
fn ask(order: &mut Agents, now: Instant, agents: &[&'static str]) {
    for (number, agent) in agents.iter().enumerate() {
        order.put(now, TokenClass::New, number as u64, (agent, 0));
    }
}

fn next(order: &mut Agents, now: Instant) -> Option<&'static str> {
    order.next(now).map(|(agent, _)| agent)
}

fn all(order: &mut Agents, now: Instant) -> Vec<&'static str> {
    std::iter::from_fn(|| next(order, now)).collect()
}

#[test]
fn available_are_the_two_kinds_of_online_and_a_value_that_nobody_stands_behind_confirms_nothing() {
    let now = crate::test_clock::start();
    for (number, available) in
        [(2_999, false), (3_000, true), (4_500, true), (5_999, true), (6_000, false), (18_500, false)]
    {
        let availability = Availability::new(number);
        assert_eq!(is_available(availability), available, "{number}");
        assert_eq!(LastKnown::of(availability, Freshness::Fresh, None), LastKnown::Fresh { available });
        assert_eq!(LastKnown::of(availability, Freshness::Stale, Some(now)), stale(available, now));
        assert_eq!(LastKnown::of(availability, Freshness::Stale, None), LastKnown::Unknown);
    }
    assert_eq!(LastKnown::of(Availability::UNKNOWN, Freshness::Stale, Some(now)), LastKnown::Unknown);
    assert_eq!(LastKnown::of(Availability::UNKNOWN, Freshness::Fresh, Some(now)), BUSY, "asking again finds nobody");
}

#[test]
fn who_was_available_fades_to_the_mean_and_so_does_who_was_not() {
    let start = crate::test_clock::start();
    let likelihood = |known: LastKnown, minutes: u64| {
        let likelihood = Vintage::of(known, start).likelihood(Duration::from_secs(60 * minutes));
        (likelihood * 1_000.0).round()
    };
    assert_eq!([0, 30, 600].map(|minutes| likelihood(stale(true, start), minutes)), [1_000.0, 549.0, 280.0]);
    assert_eq!([0, 30, 600].map(|minutes| likelihood(stale(false, start), minutes)), [1.0, 175.0, 280.0]);
    assert_eq!([0, 600].map(|minutes| likelihood(LastKnown::Unknown, minutes)), [280.0, 280.0]);
    assert_eq!([0, 600].map(|minutes| likelihood(AVAILABLE, minutes)), [1_000.0, 1_000.0]);
    // What an earlier process knew is as old as it is.
    let earlier = start.checked_sub(Duration::from_secs(30 * 60)).expect("the clock runs for long");
    assert_eq!(likelihood(stale(true, earlier), 0), 540.0);
}

#[test]
fn an_agent_for_a_ucc_that_has_nobody_comes_before_one_for_more_uccs_that_have_somebody() {
    let now = crate::test_clock::start();
    let mut order = Agents::new(now);
    stand(&mut order, now, "there", &[1, 2, 3], AVAILABLE);
    stand(&mut order, now, "many", &[1, 2, 3], stale(true, now));
    stand(&mut order, now, "few", &[4], stale(true, now));
    ask(&mut order, now, &["many", "few"]);
    assert_eq!(all(&mut order, now), ["few", "many"]);
}

#[test]
fn the_likeliest_for_most_uccs_come_next_and_the_oldest_of_those_that_are_alike() {
    let now = crate::test_clock::start();
    let mut order = Agents::new(now);
    stand(&mut order, now, "there", &[1, 2, 3], AVAILABLE);
    for (agent, uccs, known) in [
        ("busy", &[1, 2, 3][..], stale(false, now)),
        ("one", &[1], stale(true, now)),
        ("unknown", &[1, 2, 3], LastKnown::Unknown),
        ("two", &[1, 2], stale(true, now)),
        ("younger", &[2, 3], stale(true, now)),
    ] {
        stand(&mut order, now, agent, uccs, known);
    }
    ask(&mut order, now, &["busy", "one", "unknown", "two", "nobody's", "younger"]);
    assert_eq!(all(&mut order, now), ["two", "younger", "one", "unknown", "nobody's", "busy"]);
}

#[test]
fn who_is_on_the_way_counts_until_it_turns_out_not_to_be_available() {
    let now = crate::test_clock::start();
    let mut order = Agents::new(now);
    for (agent, ucc) in [("a", 1), ("b", 1), ("c", 2), ("d", 2)] {
        stand(&mut order, now, agent, &[ucc], stale(true, now));
    }
    ask(&mut order, now, &["a", "b", "c", "d"]);
    assert_eq!(next(&mut order, now), Some("a"));
    assert_eq!(next(&mut order, now), Some("c"), "the first UCC will have somebody");
    stand(&mut order, now, "c", &[2], BUSY);
    assert_eq!(next(&mut order, now), Some("d"), "the second UCC has nobody after all");
    assert_eq!(next(&mut order, now), Some("b"));

    let mut order = Agents::with_foresight(now, false);
    for (agent, ucc) in [("a", 1), ("b", 1), ("c", 2)] {
        stand(&mut order, now, agent, &[ucc], stale(true, now));
    }
    ask(&mut order, now, &["a", "b", "c"]);
    assert_eq!(all(&mut order, now), ["a", "b", "c"]);
}

#[test]
fn who_says_nothing_for_three_seconds_or_asks_again_or_gives_its_token_back_counts_no_more() {
    let now = crate::test_clock::start();
    let later = now + Duration::from_secs(3);
    let ready = || {
        let mut order = Agents::new(now);
        for (agent, uccs) in [("a", &[1][..]), ("b", &[1]), ("c", &[2, 3])] {
            stand(&mut order, now, agent, uccs, stale(true, now));
        }
        stand(&mut order, now, "there", &[2, 3], AVAILABLE);
        ask(&mut order, now, &["a", "b", "c"]);
        assert_eq!(next(&mut order, now), Some("a"));
        order
    };
    assert_eq!(next(&mut ready(), later - Duration::from_millis(1)), Some("c"));
    assert_eq!(next(&mut ready(), later), Some("b"));
    let mut again = ready();
    again.put(now, TokenClass::Retry, 9, ("a", 1));
    assert_eq!(next(&mut again, now), Some("b"));
    let mut returned = ready();
    returned.returned(now, &("a", 0));
    assert_eq!(next(&mut returned, now), Some("b"));
}

#[test]
fn the_classes_keep_their_order_and_only_those_that_come_back_are_sorted() {
    let now = crate::test_clock::start();
    let mut order = Agents::new(now);
    stand(&mut order, now, "best", &[1, 2], stale(true, now));
    let classes = [
        ("sampled", TokenClass::Sample),
        ("failed", TokenClass::Retry),
        ("new", TokenClass::New),
        ("best", TokenClass::Retry),
        ("released", TokenClass::Release),
        ("refreshed", TokenClass::Refresh),
    ];
    for (number, (agent, class)) in classes.into_iter().enumerate() {
        order.put(now, class, number as u64, (agent, 0));
    }
    assert_eq!(TokenClass::ALL.map(|class| order.len_in(class)), [1, 1, 1, 2, 1]);
    assert_eq!((order.len(), order.is_empty()), (6, false));
    assert_eq!(all(&mut order, now), ["refreshed", "released", "new", "best", "failed", "sampled"]);
}

#[test]
fn worths_are_reckoned_anew_as_time_passes() {
    let now = crate::test_clock::start();
    let mut order = Agents::new(now);
    stand(&mut order, now, "there", &[1, 2, 3, 4, 5], AVAILABLE);
    stand(&mut order, now, "was available", &[1], stale(true, now));
    stand(&mut order, now, "was busy", &[1, 2, 3, 4, 5], stale(false, now));
    ask(&mut order, now, &["was busy", "was available"]);
    let mut at_once = order.clone();
    assert_eq!(next(&mut at_once, now), Some("was available"));
    assert_eq!(
        next(&mut order, now + Duration::from_secs(1_800)),
        Some("was busy"),
        "five times 0.18 is more than 0.55"
    );
}

#[test]
fn an_agent_that_another_source_has_taken_over_is_not_forgotten_by_what_the_first_one_says_late() {
    let now = crate::test_clock::start();
    let mut order = Agents::new(now);
    let mut say = |source, uccs: &[u32], known| {
        order.stand(now, &"moved", Standing { source, uccs: uccs.into(), known });
        (order.agents(), order.coverage(now).covered)
    };
    assert_eq!(say(SourceKind::MsGraph, &[7], BUSY), (1, 0));
    assert_eq!(say(SourceKind::Ucma, &[7], AVAILABLE), (1, 1));
    assert_eq!(say(SourceKind::MsGraph, &[], LastKnown::Unknown), (1, 1));
    assert_eq!(say(SourceKind::Ucma, &[], LastKnown::Unknown), (0, 0));
}

#[test]
fn nothing_is_kept_of_agents_and_uccs_that_are_gone() {
    let now = crate::test_clock::start();
    let mut order = Agents::new(now);
    for round in 0..100_u32 {
        stand(&mut order, now, "a", &[round, round + 1, round], stale(true, now));
        stand(&mut order, now, "b", &[round], AVAILABLE);
        order.put(now, TokenClass::New, 1, ("a", 0));
        order.put(now, TokenClass::New, 2, ("stranger", 0));
        assert!(order.take(now, TokenClass::New, 2, &("stranger", 0)));
        assert!(!order.take(now, TokenClass::New, 2, &("stranger", 0)));
        assert_eq!(next(&mut order, now), Some("a"));
        stand(&mut order, now, "a", &[], LastKnown::Unknown);
        stand(&mut order, now, "b", &[], LastKnown::Unknown);
    }
    assert_eq!((order.agents(), order.slots.len(), order.vacant.len()), (0, 3, 3));
    assert_eq!(order.coverage(now).uccs, 0);
}

#[test]
fn coverage_says_who_has_somebody_who_seeks_and_how_long_it_took() {
    let start = crate::test_clock::start();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut order = Agents::new(start);
    stand(&mut order, start, "a", &[1, 2], stale(true, start));
    stand(&mut order, start, "b", &[2, 3], AVAILABLE);
    stand(&mut order, start, "c", &[4], BUSY);
    let expected = Coverage { uccs: 4, covered: 2, ..Coverage::default() };
    assert_eq!(order.coverage(at(1)), expected, "nobody seeks: nobody waits");
    assert_eq!(order.tokens_to_cover(), 0);
    order.put(at(1), TokenClass::New, 1, ("a", 0));
    order.put(at(1), TokenClass::Refresh, 2, ("b", 0));
    let longest_search = Duration::from_secs(4);
    assert_eq!(order.coverage(at(5)), Coverage { seeking: 1, longest_search, ..expected });
    assert_eq!(order.tokens_to_cover(), 2, "one for the refresh, one for it");
    assert_eq!((next(&mut order, at(6)), next(&mut order, at(6))), (Some("b"), Some("a")));
    assert_eq!(order.coverage(at(6)).seeking, 1, "on its way is not there");
    stand(&mut order, at(8), "a", &[1, 2], AVAILABLE);
    let found_after = Duration::from_secs(7);
    assert_eq!(order.coverage(at(9)), Coverage { covered: 3, found: 1, found_after, ..expected });
}

#[test]
fn when_nobody_is_available_no_ucc_is_sorted_anew_at_every_answer() {
    let now = crate::test_clock::start();
    let mut order = RecoveryOrder::<(u32, u8)>::new(now);
    let standing = |known| Standing { source: SourceKind::Ucma, uccs: [1, 2].into(), known };
    for agent in 0..10 {
        order.stand(now, &agent, standing(stale(true, now)));
        order.put(now, TokenClass::New, agent.into(), (agent, 0));
    }
    // In one queue only, and less worth than two.
    order.stand(now, &99, Standing { uccs: [3].into(), ..standing(stale(true, now)) });
    order.put(now, TokenClass::New, 99, (99, 0));
    for agent in 0..4 {
        assert_eq!(order.next(now), Some((agent, 0)));
        order.stand(now, &agent, standing(BUSY));
    }
    let fifth_and_sixth = [order.next(now), order.next(now)];
    assert_eq!(fifth_and_sixth, [Some((4, 0)), Some((5, 0))], "both, before the answer of the first is there");
    order.stand(now, &4, standing(AVAILABLE));
    assert_eq!(order.next(now), Some((99, 0)));
    order.stand(now, &4, standing(BUSY));
    assert_eq!(order.next(now), Some((6, 0)), "5 is not there, and counts again");
}
