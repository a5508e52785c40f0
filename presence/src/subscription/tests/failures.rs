//! What failures cost.

use super::*;

/// Grants the next ticket and has the attempt refused; what that led to.
fn refuse(rig: &mut Rig, seconds: u64, number: u32, kind: FailureKind) -> Vec<Seen> {
    assert_eq!(rig.granted(seconds, number).len(), 1);
    rig.failed(seconds, number, kind)
}

#[test]
fn retries_double_and_the_fourth_consecutive_failure_abandons() {
    let mut rig = Rig::with(3, &[A]);
    rig.up(0, A);
    rig.wanted(0);
    assert_eq!(refuse(&mut rig, 0, 1, FailureKind::Transient), [Failed(1, Some(10))]);
    assert_eq!(rig.tick(10), [Take(2, Retry)]);
    assert_eq!(refuse(&mut rig, 10, 2, FailureKind::Transient), [Failed(2, Some(20))]);
    assert_eq!(rig.tick(29), []);
    assert_eq!(rig.tick(30), [Take(3, Retry)]);
    assert_eq!(refuse(&mut rig, 30, 3, FailureKind::NotFound), [Failed(3, Some(40))]);
    assert_eq!(rig.tick(70), [Take(4, Retry)]);
    assert_eq!(refuse(&mut rig, 70, 4, FailureKind::Transient), [Failed(4, None), Seen::Abandoned]);
    assert_eq!((rig.state(), rig.due()), (SubscriptionState::Abandoned, None));
    assert_eq!(rig.up(80, A), []);
    assert_eq!(rig.wanted(80), []);
}

#[test]
fn a_limit_of_zero_never_abandons_and_the_delay_stays_at_the_longest() {
    let mut rig = Rig::with(0, &[A]);
    rig.up(0, A);
    rig.wanted(0);
    let mut now = 0;
    for number in 1..200 {
        let delay = [10, 20, 40, 80].get(number as usize - 1).copied().unwrap_or(100);
        assert_eq!(refuse(&mut rig, now, number, FailureKind::Transient), [Failed(number, Some(delay))]);
        now += delay;
        assert_eq!(rig.tick(now), [Take(number + 1, Retry)]);
    }
}

#[test]
fn a_success_resets_the_count() {
    let mut rig = Rig::with(3, &[A]);
    rig.up(0, A);
    rig.wanted(0);
    for number in 1..=3 {
        refuse(&mut rig, u64::from(number) * 1_000, number, FailureKind::Transient);
        rig.tick(u64::from(number) * 1_000 + 999);
    }
    rig.granted(4_000, 4);
    rig.accepted(4_000, 4, 3_600);
    assert_eq!(rig.machine.view().failures, 0);
    assert_eq!(rig.failed(4_100, 4, FailureKind::Transient), [Failed(1, Some(10))]);
}

#[test]
fn the_other_endpoint_is_tried_at_once_and_only_both_together_are_one_failure() {
    let mut rig = Rig::new();
    rig.up(0, A);
    rig.up(0, U);
    rig.subscribing(0, A);
    assert_eq!(rig.failed(1, 1, FailureKind::NotFound), [Failed(0, None), Take(2, New)]);
    assert_eq!(rig.granted(1, 2), [Subscribe(U, 2)]);
    assert_eq!(rig.failed(2, 2, FailureKind::NotFound), [Failed(1, Some(10))]);
    assert_eq!(rig.tick(12), [Take(3, Retry)]);
    assert_eq!(rig.granted(12, 3), [Subscribe(A, 3)]);
    assert_eq!(rig.failed(12, 3, FailureKind::Transient), [Failed(1, None), Take(4, Retry)]);
    assert_eq!(rig.granted(12, 4), [Subscribe(U, 4)]);
    rig.accepted(12, 4, 3_600);
    assert_eq!(rig.machine.view().failures, 0);
}

#[test]
fn the_endpoint_that_served_last_is_tried_first() {
    let mut rig = Rig::new();
    rig.up(0, A);
    rig.up(0, U);
    rig.subscribing(0, A);
    rig.failed(0, 1, FailureKind::NotFound);
    rig.granted(0, 2);
    rig.accepted(0, 2, 3_600);
    assert_eq!(rig.failed(1_000, 2, FailureKind::Dialog), [Failed(0, None), Take(3, New)]);
    assert_eq!(rig.granted(1_000, 3), [Subscribe(U, 3)]);
}

#[test]
fn while_the_other_endpoint_is_down_a_refusal_waits_without_being_counted() {
    let mut rig = Rig::new();
    rig.up(0, A);
    rig.subscribing(0, A);
    assert_eq!(rig.failed(0, 1, FailureKind::NotFound), [Failed(0, Some(10))]);
    assert_eq!(rig.tick(10), [Take(2, Retry)]);
    rig.granted(10, 2);
    assert_eq!(rig.failed(10, 2, FailureKind::NotFound), [Failed(0, Some(20))], "longer, and still not counted");
    assert_eq!(rig.up(15, U), [Take(3, Retry)], "as soon as the other one is up");
    assert_eq!(rig.granted(15, 3), [Subscribe(U, 3)]);
    assert_eq!(rig.failed(15, 3, FailureKind::NotFound), [Failed(1, Some(10))]);
    assert_eq!(rig.lost(16, U), []);
    assert_eq!(rig.up(17, U), [], "a counted back-off is not cut short");
}

#[test]
fn a_peer_that_asks_for_a_longer_wait_gets_it_within_reason() {
    for (asked, waited) in [(5, 10), (60, 60), (1_000_000_000, 86_400)] {
        let mut rig = Rig::with(3, &[A]);
        rig.up(0, A);
        rig.subscribing(0, A);
        let refused = rig.failed_asking(0, 1, FailureKind::Transient, Some(asked));
        assert_eq!(refused, [Failed(1, Some(waited))], "asked for {asked}");
    }
}

#[test]
fn what_all_endpoints_forbid_is_abandoned_at_once() {
    let mut rig = Rig::new();
    rig.up(0, A);
    rig.up(0, U);
    rig.subscribing(0, A);
    assert_eq!(rig.failed(0, 1, FailureKind::Forbidden), [Failed(0, None), Take(2, New)]);
    rig.granted(0, 2);
    assert_eq!(rig.failed(0, 2, FailureKind::Forbidden), [Failed(1, None), Seen::Abandoned]);
}

#[test]
fn what_only_one_endpoint_forbids_is_an_ordinary_failure() {
    let mut rig = Rig::new();
    rig.up(0, A);
    rig.up(0, U);
    rig.subscribing(0, A);
    rig.failed(0, 1, FailureKind::Forbidden);
    rig.granted(0, 2);
    assert_eq!(rig.failed(0, 2, FailureKind::Transient), [Failed(1, Some(10))]);
}

#[test]
fn without_a_limit_what_is_forbidden_is_retried_at_the_longest_delay() {
    let mut rig = Rig::with(0, &[A]);
    rig.up(0, A);
    rig.subscribing(0, A);
    assert_eq!(rig.failed(0, 1, FailureKind::Forbidden), [Failed(1, Some(100))]);
}

#[test]
fn a_dialog_that_ends_is_replaced_at_once_and_a_second_one_within_a_minute_backs_off() {
    let mut rig = Rig::active();
    let first = rig.failed(1_000, 1, FailureKind::Dialog);
    assert_eq!(first, [Failed(0, None), Publish(15_500, Freshness::Stale), Take(2, New)]);
    rig.granted(1_000, 2);
    rig.accepted(1_001, 2, 3_600);
    assert_eq!(rig.failed(1_002, 2, FailureKind::Dialog), [Failed(1, Some(10))]);
    rig.tick(1_012);
    rig.granted(1_012, 3);
    rig.accepted(1_012, 3, 3_600);
    assert_eq!(rig.failed(1_013, 3, FailureKind::Dialog), [Failed(1, Some(20))], "a loop waits longer each time");
    rig.tick(1_033);
    rig.granted(1_033, 4);
    rig.accepted(1_033, 4, 3_600);
    assert_eq!(rig.failed(1_093, 4, FailureKind::Dialog), [Failed(0, None), Take(5, New)], "a minute has passed");
}

#[test]
fn dialogs_that_are_never_accepted_are_abandoned_like_refusals() {
    let mut rig = Rig::with(1, &[A]);
    rig.up(0, A);
    rig.subscribing(0, A);
    assert_eq!(rig.failed(0, 1, FailureKind::Dialog), [Failed(0, None), Take(2, New)]);
    rig.granted(0, 2);
    assert_eq!(rig.failed(0, 2, FailureKind::Dialog), [Failed(1, Some(10))]);
    assert_eq!(rig.tick(10), [Take(3, Retry)]);
    rig.granted(10, 3);
    assert_eq!(rig.failed(10, 3, FailureKind::Dialog), [Failed(2, None), Seen::Abandoned]);
}

#[test]
fn a_dialog_whose_end_asks_for_a_wait_gets_it_uncounted() {
    let mut rig = Rig::active();
    let ended = rig.failed_asking(1_000, 1, FailureKind::Dialog, Some(30));
    assert_eq!(ended, [Failed(0, Some(30)), Publish(15_500, Freshness::Stale)]);
    assert_eq!(rig.tick(1_030), [Take(2, New)]);
}

#[test]
fn a_presence_that_cannot_change_stays_fresh_and_is_not_counted() {
    let mut rig = Rig::active();
    assert_eq!(rig.failed(5, 1, FailureKind::Invariant), [Failed(0, Some(100))]);
    assert_eq!(rig.machine.presence().freshness, Freshness::Fresh);
    assert_eq!(rig.tick(105), [Take(2, New)]);
}

#[test]
fn an_accepted_subscription_of_no_time_at_all_is_a_failed_dialog() {
    let mut rig = Rig::with(3, &[A]);
    rig.up(0, A);
    rig.subscribing(0, A);
    assert_eq!(rig.accepted(0, 1, 0), [Failed(0, None), Take(2, New)]);
    rig.granted(0, 2);
    let again = rig.accepted(0, 2, 0);
    assert_eq!(again, [Failed(1, Some(10)), Take(3, Release)], "the endpoint may think that it has a dialog");
}

#[test]
fn an_abandoned_agent_is_unknown_until_it_is_revived() {
    let mut rig = Rig::active();
    let forbidden = rig.failed(5, 1, FailureKind::Forbidden);
    assert_eq!(forbidden, [Failed(1, None), Publish(-1, Freshness::Unknown), Seen::Abandoned]);
    assert_eq!(rig.feed(6, SubscriptionInput::Revive), [Seen::Revived, Take(2, New)]);
    assert_eq!((rig.state(), rig.machine.view().failures), (SubscriptionState::AwaitingToken, 0));
    rig.granted(7, 2);
    rig.accepted(7, 2, 3_600);
    assert_eq!(rig.notified(7, 2, 3_500), [Publish(3_500, Freshness::Fresh)]);
}

#[test]
fn a_revival_cuts_a_back_off_short_and_changes_nothing_else() {
    let mut rig = Rig::with(3, &[A]);
    assert_eq!(rig.feed(0, SubscriptionInput::Revive), []);
    rig.up(0, A);
    rig.subscribing(0, A);
    assert_eq!(rig.feed(0, SubscriptionInput::Revive), []);
    rig.failed(0, 1, FailureKind::Transient);
    assert_eq!(rig.feed(1, SubscriptionInput::Revive), [Seen::Revived, Take(2, New)]);
}
