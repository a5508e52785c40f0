//! Dialogs that have failed and that the server still has.

use super::*;

impl Rig {
    fn stalled(&mut self, seconds: u64, attempt: u32, again: bool) -> Vec<Seen> {
        let failure = Failure::new(FailureKind::Transient, EndedBy::Network, "no NOTIFY followed");
        self.feed(seconds, SubscriptionInput::Stalled { attempt: Attempt(attempt), failure, again })
    }

    fn notified_for(&mut self, seconds: u64, attempt: u32, expires: u64) -> Vec<Seen> {
        let status = Some(Status::of(Availability::new(3_500)));
        let expires = Some(Duration::from_secs(expires));
        self.feed(seconds, SubscriptionInput::Notified { attempt: Attempt(attempt), status, expires })
    }

    /// The only endpoint has accepted, nothing was notified, and the first wait is under way.
    fn backing_off() -> Self {
        let mut rig = Self::with(3, &[A]);
        rig.up(0, A);
        rig.subscribing(0, A);
        rig.accepted(0, 1, 3_600);
        assert_eq!(rig.stalled(32, 1, false), [Failed(1, Some(10))]);
        assert_eq!((rig.state(), rig.due()), (SubscriptionState::BackingOff, Some((42, Deadline::Retry))));
        rig
    }
}

#[test]
fn a_dialog_that_stalled_waits_for_the_retry_and_is_taken_over_by_it() {
    let mut rig = Rig::backing_off();
    assert!(!rig.machine.holds_nothing());
    assert_eq!(rig.tick(42), [Take(2, Retry)]);
    assert_eq!(rig.granted(43, 2), [Subscribe(A, 2)]);
    assert_eq!(rig.accepted(43, 2, 3_600), []);
    assert_eq!(rig.notified(43, 2, 3_500), [Publish(3_500, Freshness::Fresh)]);
    assert_eq!(rig.machine.view().failures, 0);
}

#[test]
fn a_late_notify_makes_the_stalled_dialog_the_present_one() {
    for seconds in [35, 42] {
        let mut rig = Rig::backing_off();
        let waits: &[Seen] = if seconds == 42 { &[Take(2, Retry)] } else { &[] };
        assert_eq!(rig.tick(seconds), waits);
        let seen = rig.notified_for(seconds, 1, 3_000);
        let cancelled: &[Seen] = if seconds == 42 { &[Cancel(2)] } else { &[] };
        assert_eq!(seen, [cancelled, &[Publish(3_500, Freshness::Fresh)]].concat());
        assert_eq!((rig.state(), rig.machine.view().failures), (SubscriptionState::Active, 0));
        assert_eq!(rig.due(), Some((seconds + 2_700, Deadline::Refresh)));
        assert_eq!(rig.unwanted(100).len(), 1);
        assert_eq!(rig.granted(101, if seconds == 42 { 3 } else { 2 })[0], Unsubscribe(A, 1));
    }
}

#[test]
fn a_late_notify_that_does_not_say_how_long_it_lasts_is_followed_by_a_refresh() {
    let mut rig = Rig::backing_off();
    assert_eq!(rig.notified(35, 1, 3_500), [Publish(3_500, Freshness::Fresh)]);
    assert_eq!(rig.tick(35), [Take(2, ForRefresh)]);
    assert_eq!(rig.granted(35, 2), [Refresh(A, 1)]);
}

#[test]
fn a_dialog_that_stalled_twice_is_ended_while_the_agent_backs_off() {
    let mut rig = Rig::backing_off();
    rig.tick(42);
    rig.granted(42, 2);
    rig.accepted(42, 2, 3_600);
    // A 2xx forgives what was before.
    assert_eq!(rig.stalled(74, 2, true), [Failed(1, Some(10)), Take(3, Release)]);
    assert_eq!(rig.granted(75, 3), [Unsubscribe(A, 2)]);
    assert_eq!(rig.notified(76, 2, 3_500), [], "its last words");
    assert_eq!(rig.tick(84), [Take(4, Retry)]);
}

#[test]
fn a_stalled_dialog_is_ended_when_nobody_wants_the_agent_any_more() {
    let mut rig = Rig::backing_off();
    assert_eq!(rig.unwanted(35), [Take(2, Release)]);
    assert!(!rig.machine.is_settled());
    assert_eq!(rig.notified(36, 1, 3_500), [], "nobody wants to know");
    assert_eq!(rig.granted(37, 2), [Unsubscribe(A, 1)]);
    assert!(rig.machine.holds_nothing());
}

#[test]
fn a_stalled_dialog_is_ended_when_the_agent_is_given_up() {
    let mut rig = Rig::with(1, &[A]);
    rig.up(0, A);
    rig.subscribing(0, A);
    rig.stalled(32, 1, false);
    rig.tick(42);
    rig.granted(42, 2);
    assert_eq!(rig.stalled(74, 2, false), [Failed(2, None), Seen::Abandoned, Take(3, Release)]);
}

#[test]
fn a_stalled_dialog_is_ended_when_the_other_endpoint_is_tried() {
    let mut rig = Rig::active_with_both();
    let seen = rig.stalled(50, 1, false);
    assert_eq!(seen, [Failed(0, None), Publish(15_500, Freshness::Stale), Take(2, New), Take(3, Release)]);
    assert_eq!(rig.notified(51, 1, 3_500), [], "its end is asked for");
    assert_eq!(rig.granted(52, 3), [Unsubscribe(A, 1)]);
    assert_eq!(rig.granted(53, 2), [Subscribe(U, 2)]);
}

#[test]
fn a_stalled_dialog_that_is_over_is_nothing_to_end() {
    let mut rig = Rig::backing_off();
    assert_eq!(rig.ended(35, 1), []);
    assert!(rig.machine.leftovers == [Leftover::None; 2]);
    assert_eq!(rig.notified(36, 1, 3_500), []);
    assert_eq!(rig.unwanted(37), []);
}

#[test]
fn a_stalled_dialog_outlives_the_loss_of_its_endpoint() {
    let mut rig = Rig::backing_off();
    assert_eq!(rig.lost(33, A), []);
    assert_eq!(rig.notified(34, 1, 3_500), [], "nobody stands behind it");
    assert_eq!(rig.up(36, A), []);
    assert_eq!(rig.tick(42), [Take(2, Retry)]);
    assert_eq!(rig.granted(43, 2), [Subscribe(A, 2)]);
}

#[test]
fn a_server_that_does_not_know_the_stalled_dialog_any_more_is_asked_again_at_once() {
    let mut rig = Rig::active();
    // A dialog has ended a moment ago: the next one that does counts.
    assert_eq!(
        rig.failed(10, 1, FailureKind::Dialog),
        [Failed(0, None), Publish(15_500, Freshness::Stale), Take(2, New)]
    );
    rig.granted(10, 2);
    rig.accepted(10, 2, 3_600);
    assert_eq!(rig.stalled(42, 2, false), [Failed(1, Some(10))]);
    rig.tick(52);
    rig.granted(52, 3);
    assert_eq!(rig.failed(53, 3, FailureKind::Dialog), [Failed(1, None), Take(4, Retry)], "no second failure");
}

#[test]
fn a_dialog_that_stalls_while_it_waits_to_be_ended_is_ended() {
    let mut rig = Rig::active();
    assert_eq!(rig.unwanted(5), [Take(2, Release)]);
    assert_eq!(rig.stalled(6, 1, false), [Cancel(2), Publish(-1, Freshness::Unknown), Take(3, Release)]);
    assert_eq!(rig.granted(7, 3), [Unsubscribe(A, 1)]);
    assert!(rig.machine.holds_nothing());
}
