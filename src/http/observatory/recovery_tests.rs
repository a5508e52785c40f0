use std::time::{Duration, Instant};

use presence_core::EndpointKind;

use super::*;
use crate::http::model::AgentCounts;

const SECOND: Duration = Duration::from_secs(1);

/// A house of so many agents at a pool that one endpoint serves, at 100 per second, looked at once a second.
struct House {
    tracker: RecoveryTracker,
    now: Instant,
    total: usize,
    is_up: bool,
    tally: Tally,
}

impl House {
    fn of(total: usize) -> Self {
        let tally = Tally { counts: AgentCounts { total, ..AgentCounts::default() }, ..Tally::default() };
        Self { tracker: RecoveryTracker::default(), now: presence_actors::now(), total, is_up: true, tally }
    }

    /// So many agents are missing; those that had a presence are stale.
    fn missing(mut self, missing: usize, lost: usize) -> Self {
        (self.tally.missing, self.tally.lost) = (missing, lost);
        self
    }

    /// A second later.
    fn look(&mut self) -> Option<Recovering> {
        self.now += SECOND;
        let endpoints =
            [EndpointNow { kind: EndpointKind::Application, is_up: self.is_up, why: Some("reset".to_owned()) }];
        let (tally, rate) = (self.tally, 100.0);
        let waiting = if self.is_up { tally.missing - tally.unqueued } else { 0 };
        let queue_end = (waiting > 0).then(|| self.now + Duration::from_secs_f64(waiting as f64 / rate));
        self.tracker.look(
            self.now,
            &Look { tally: &tally, endpoints: &endpoints, waiting, queue_end, rate, coverage: Coverage::default() },
        )
    }

    /// How far it is: of how many, how many are back, and for how many seconds more.
    fn progress(&mut self) -> Option<(usize, usize, Option<u64>)> {
        let recovering = self.look()?;
        let left = recovering.predicted_end.map(|end| end.saturating_duration_since(self.now).as_secs());
        Some((recovering.total, recovering.done, left))
    }

    /// Everything is as it should be for a minute.
    fn at_rest(total: usize) -> Self {
        let mut house = Self::of(total);
        for _ in 0..60 {
            assert_eq!(house.look(), None);
        }
        house
    }

    fn lose_the_pool(&mut self) {
        self.is_up = false;
        (self.tally.missing, self.tally.lost, self.tally.unqueued) = (self.total, self.total, self.total);
    }

    fn regain_the_pool(&mut self) {
        self.is_up = true;
        self.tally.unqueued = 0;
    }
}

#[test]
fn a_start_is_a_recovery_that_ends_when_the_pool_has_told_the_presence_of_all() {
    let mut house = House::of(1_000).missing(1_000, 0);
    assert_eq!(house.look().map(|recovering| recovering.cause), Some(Cause::Start));
    house.tally.missing = 400;
    house.tally.silent = 50;
    assert_eq!(house.progress(), Some((1_000, 550, Some(4))));
    house.tally.missing = 0;
    assert_eq!(house.progress(), Some((1_000, 950, Some(0))));
    house.tally.silent = 0;
    assert_eq!(house.progress(), None);
}

#[test]
fn a_pool_that_never_tells_a_presence_does_not_keep_a_recovery_open() {
    let mut house = House::of(100).missing(100, 0);
    assert!(house.look().is_some());
    (house.tally.missing, house.tally.silent) = (0, 1);
    let looks = (1..=60).take_while(|_| house.look().is_some()).count();
    assert_eq!(looks, 10);
}

#[test]
fn queues_that_come_after_the_start_make_a_recovery_only_when_they_want_many_agents() {
    let mut house = House::at_rest(2_000);
    for (missing, expected) in [(9, None), (19, None), (20, Some(Cause::NewAgents))] {
        house.tally.missing = missing;
        assert_eq!(house.look().map(|recovering| recovering.cause), expected, "{missing}");
    }
}

#[test]
fn the_loss_of_a_pool_is_a_recovery_without_an_end_until_an_endpoint_is_up() {
    let mut house = House::at_rest(1_000);
    house.lose_the_pool();
    for _ in 0..600 {
        assert_eq!(house.progress(), Some((1_000, 0, None)));
    }
    house.regain_the_pool();
    assert_eq!(house.progress(), Some((1_000, 0, Some(10))));
    house.tally.missing = 300;
    let recovering = house.look().expect("it is not over");
    assert_eq!((recovering.total, recovering.done), (1_000, 700));
    assert_eq!(recovering.cause.to_string(), "the application endpoint was lost: reset");
    assert_eq!(house.now - recovering.since, 601 * SECOND);
    house.tally.missing = 0;
    assert_eq!(house.look(), None);
}

#[test]
fn a_second_loss_during_a_recovery_goes_on_with_it_and_is_its_cause_from_then_on() {
    let mut house = House::of(1_000).missing(1_000, 0);
    assert!(house.look().is_some());
    house.tally.missing = 200;
    assert_eq!(house.progress(), Some((1_000, 800, Some(2))));
    house.lose_the_pool();
    let recovering = house.look().expect("it goes on");
    assert_eq!(recovering.cause.to_string(), "the application endpoint was lost: reset");
    assert_eq!((recovering.total, recovering.done, recovering.predicted_end), (1_000, 0, None));
    house.regain_the_pool();
    house.tally.missing = 0;
    assert_eq!(house.look(), None);
}

#[test]
fn a_loss_that_is_over_before_the_next_look_is_known_all_the_same() {
    let mut house = House::at_rest(5);
    let now = house.now;
    house.tracker.lost(now, EndpointKind::User, None);
    (house.tally.missing, house.tally.lost) = (2, 2);
    assert_eq!(
        house.look().map(|recovering| recovering.cause.to_string()).as_deref(),
        Some("the user endpoint was lost")
    );
}

#[test]
fn a_loss_that_no_agent_feels_is_forgotten() {
    let mut house = House::at_rest(500);
    let now = house.now;
    house.tracker.lost(now, EndpointKind::User, None);
    for _ in 0..11 {
        assert_eq!(house.look(), None);
    }
    house.tally.missing = 1;
    assert_eq!(house.look(), None, "one new agent, long afterwards");
}

#[test]
fn subscriptions_that_end_by_themselves_are_a_recovery_of_their_own() {
    let mut house = House::at_rest(1_000).missing(500, 500);
    assert_eq!(house.look().map(|recovering| recovering.cause), Some(Cause::Ended));
}

#[test]
fn agents_that_back_off_are_neither_back_nor_waited_for() {
    let mut house = House::at_rest(1_000);
    house.tally.aside = 7;
    house.lose_the_pool();
    assert!(house.look().is_some());
    house.regain_the_pool();
    (house.tally.missing, house.tally.aside) = (90, 17);
    assert_eq!(house.progress(), Some((1_000, 900, Some(0))), "ten have failed since");
    (house.tally.missing, house.tally.aside) = (0, 107);
    assert_eq!(house.look(), None);
}

#[test]
fn agents_that_make_no_progress_do_not_keep_a_recovery_open_for_ever() {
    let mut house = House::of(100).missing(100, 0);
    assert!(house.look().is_some());
    // Nobody is in the throttle's queue, and one agent is refused again and again without being counted.
    (house.tally.missing, house.tally.unqueued) = (1, 1);
    let looks = (1..=600).take_while(|_| house.look().is_some()).count();
    assert_eq!(looks, 30);
}

#[test]
fn agents_that_nobody_wants_any_more_do_not_count() {
    let mut house = House::of(1_000).missing(1_000, 0);
    assert!(house.look().is_some());
    house.tally.counts.total = 100;
    house.tally.missing = 60;
    assert_eq!(house.progress(), Some((100, 40, Some(0))));
}

#[test]
fn the_loss_of_both_endpoints_is_one_cause_with_the_first_reason() {
    let mut house = House::at_rest(5);
    let now = house.now;
    house.tracker.lost(now, EndpointKind::User, Some("reset by the peer".to_owned()));
    house.lose_the_pool();
    let cause = |house: &mut House| house.look().map(|recovering| recovering.cause.to_string());
    assert_eq!(cause(&mut house).as_deref(), Some("both endpoints were lost: reset by the peer"));
    let now = house.now;
    house.regain_the_pool();
    house.tally.missing = 3;
    assert!(house.look().is_some());
    house.tracker.lost(now, EndpointKind::User, Some("once more".to_owned()));
    assert_eq!(cause(&mut house).as_deref(), Some("the user endpoint was lost: once more"));
}
