//! Agents that nobody wants any more, and those that are wanted again.

use super::*;

#[test]
fn an_unwanted_dialog_is_ended_with_a_token_of_its_own() {
    let mut rig = Rig::active();
    assert_eq!(rig.unwanted(5), [Take(2, Release)]);
    assert!(!rig.machine.is_settled());
    assert_eq!(rig.granted(6, 2), [Unsubscribe(A, 1), Publish(15_500, Freshness::Stale)]);
    assert_eq!((rig.state(), rig.due()), (SubscriptionState::Unsubscribing, Some((106, Deadline::Answer))));
    assert_eq!(rig.notified(6, 1, 3_500), [], "the last words of an ending dialog");
    assert_eq!(rig.ended(7, 1), [Publish(-1, Freshness::Unknown)]);
    assert!(rig.machine.is_settled());
}

#[test]
fn wanted_again_before_the_grant_needs_no_sip_at_all() {
    let mut rig = Rig::active();
    rig.unwanted(5);
    assert_eq!(rig.notified(6, 1, 3_500), [Publish(3_500, Freshness::Fresh)], "the value is kept current meanwhile");
    assert_eq!(rig.wanted(7), [Cancel(2)]);
    assert_eq!((rig.state(), rig.due()), (SubscriptionState::Active, Some((3_240, Deadline::Refresh))));
    assert_eq!(rig.granted(8, 2), [], "a grant that was on its way is dropped");
}

#[test]
fn wanted_again_while_it_is_being_ended_waits_for_the_end() {
    let mut rig = Rig::active();
    rig.unwanted(5);
    rig.granted(5, 2);
    assert_eq!(rig.wanted(6), []);
    assert_eq!(rig.unwanted(6), []);
    assert_eq!(rig.wanted(6), []);
    assert_eq!(rig.ended(7, 1), [Take(3, New)]);
    assert_eq!(rig.granted(7, 3), [Subscribe(A, 2)]);
}

#[test]
fn an_end_that_is_never_answered_is_over_all_the_same() {
    let mut rig = Rig::active();
    rig.unwanted(5);
    rig.granted(5, 2);
    assert_eq!(rig.tick(104), []);
    assert_eq!(rig.tick(105), [Publish(-1, Freshness::Unknown)]);
    assert!(rig.machine.is_settled());
}

#[test]
fn a_dialog_that_fails_while_it_waits_to_be_ended_is_over() {
    let mut rig = Rig::active();
    rig.unwanted(5);
    assert_eq!(rig.failed(6, 1, FailureKind::Dialog), [Cancel(2), Publish(-1, Freshness::Unknown)]);
    assert!(rig.machine.is_settled());
}

#[test]
fn a_dialog_that_runs_out_while_it_waits_to_be_ended_is_ended_all_the_same() {
    let mut rig = Rig::active();
    rig.unwanted(5);
    assert_eq!(rig.due(), None);
    assert_eq!(rig.tick(3_600), []);
    assert_eq!(rig.granted(3_601, 2), [Unsubscribe(A, 1), Publish(15_500, Freshness::Stale)]);
}

#[test]
fn a_dialog_that_ran_out_meanwhile_is_replaced_when_it_is_wanted_again() {
    let mut rig = Rig::active();
    rig.unwanted(5);
    assert_eq!(rig.wanted(3_601), [Cancel(2)]);
    assert_eq!(rig.tick(3_601), [Failed(0, None), Publish(15_500, Freshness::Stale), Take(3, New)]);
}

#[test]
fn an_unwanted_refresh_is_taken_back() {
    let mut rig = Rig::active();
    rig.tick(3_240);
    assert_eq!(rig.unwanted(3_241), [Cancel(2), Take(3, Release)]);
    assert_eq!(rig.wanted(3_242), [Cancel(3)]);
    assert_eq!(rig.tick(3_242), [Take(4, ForRefresh)], "it is due at once");
}

#[test]
fn unwanted_before_the_grant_takes_the_request_back() {
    let mut rig = Rig::with(3, &[A]);
    rig.up(0, A);
    rig.wanted(0);
    assert_eq!(rig.unwanted(1), [Cancel(1)]);
    assert_eq!(rig.granted(2, 1), []);
    assert!(rig.machine.is_settled());
}

#[test]
fn unwanted_while_subscribing_ends_the_dialog_once_it_stands() {
    let mut rig = Rig::with(3, &[A]);
    rig.up(0, A);
    rig.subscribing(0, A);
    assert_eq!(rig.unwanted(1), []);
    assert_eq!(rig.state(), SubscriptionState::Withdrawing);
    assert_eq!(rig.accepted(2, 1, 3_600), [Take(2, Release)]);
    assert_eq!(rig.granted(2, 2), [Unsubscribe(A, 1)]);
}

#[test]
fn unwanted_while_subscribing_and_wanted_again_is_as_if_nothing_had_been() {
    let mut rig = Rig::with(3, &[A]);
    rig.up(0, A);
    rig.subscribing(0, A);
    rig.unwanted(1);
    assert_eq!(rig.wanted(2), []);
    assert_eq!((rig.state(), rig.due()), (SubscriptionState::Subscribing, Some((100, Deadline::Answer))));
}

#[test]
fn an_unwanted_attempt_that_fails_is_over_and_counts_nothing() {
    for kind in [FailureKind::Transient, FailureKind::Forbidden, FailureKind::Dialog] {
        let mut rig = Rig::with(3, &[A]);
        rig.up(0, A);
        rig.subscribing(0, A);
        rig.unwanted(1);
        assert_eq!(rig.failed(2, 1, kind), []);
        assert!(rig.machine.is_settled());
        assert_eq!(rig.wanted(3), [Take(2, New)]);
    }
}

#[test]
fn unwanted_in_a_back_off_or_abandoned_forgets_everything() {
    let mut rig = Rig::with(3, &[A]);
    rig.up(0, A);
    rig.subscribing(0, A);
    rig.failed(0, 1, FailureKind::Transient);
    assert_eq!(rig.unwanted(1), []);
    assert_eq!((rig.state(), rig.due(), rig.machine.view().failures), (SubscriptionState::Idle, None, 0));
    assert_eq!(rig.wanted(2), [Take(2, New)]);
    rig.granted(2, 2);
    assert_eq!(rig.failed(2, 2, FailureKind::Forbidden), [Failed(1, None), Seen::Abandoned]);
    assert_eq!(rig.unwanted(3), []);
    assert_eq!(rig.wanted(4), [Take(3, New)], "a new demand is a new life");
}

#[test]
fn a_dialog_on_a_lost_endpoint_that_nobody_wants_is_ended_when_the_endpoint_is_back() {
    let mut rig = Rig::active();
    rig.unwanted(5);
    assert_eq!(rig.lost(6, A), [Cancel(2), Publish(-1, Freshness::Unknown)]);
    assert!(rig.machine.is_settled());
    assert_eq!(rig.up(60, A), [Take(3, Release)]);
    assert!(!rig.machine.is_settled());
    assert_eq!(rig.wanted(61), [Take(4, New), Cancel(3)], "wanted again, it is taken over instead");
    assert_eq!(rig.granted(61, 3), []);
    assert_eq!(rig.granted(61, 4), [Subscribe(A, 2)]);
}
