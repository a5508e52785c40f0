//! Endpoints that come and go: nothing of that counts against the agent.

use super::*;

#[test]
fn without_an_endpoint_it_waits_and_begins_when_one_is_up() {
    let mut rig = Rig::new();
    assert_eq!(rig.wanted(0), []);
    assert_eq!((rig.state(), rig.due()), (SubscriptionState::WaitingForEndpoint, None));
    assert_eq!(rig.up(5, U), [Take(1, New)]);
    assert_eq!(rig.granted(5, 1), [Subscribe(U, 1)]);
}

#[test]
fn an_endpoint_that_is_not_configured_is_none() {
    let mut rig = Rig::with(3, &[A]);
    rig.wanted(0);
    assert_eq!(rig.up(0, U), []);
    assert_eq!(rig.lost(0, U), []);
    assert_eq!(rig.state(), SubscriptionState::WaitingForEndpoint);
}

#[test]
fn an_active_agent_moves_to_the_other_endpoint_at_once() {
    let mut rig = Rig::active_with_both();
    assert_eq!(rig.lost(5, A), [Publish(15_500, Freshness::Stale), Take(2, New)]);
    assert_eq!(rig.granted(5, 2), [Subscribe(U, 2)]);
    rig.accepted(5, 2, 3_600);
    assert_eq!(rig.notified(5, 2, 15_500), [Publish(15_500, Freshness::Fresh)]);
    assert_eq!(rig.up(60, A), [Take(3, Release)], "what the lost endpoint may still hold is ended, not kept twice");
    assert_eq!(rig.granted(60, 3), [Unsubscribe(A, 1)]);
    assert_eq!(rig.state(), SubscriptionState::Active, "it stays where it is served");
}

#[test]
fn without_another_endpoint_it_goes_stale_and_comes_back_through_the_throttle() {
    let mut rig = Rig::active();
    assert_eq!(rig.lost(5, A), [Publish(15_500, Freshness::Stale)]);
    assert_eq!((rig.state(), rig.due()), (SubscriptionState::WaitingForEndpoint, None));
    assert_eq!(rig.up(600, A), [Take(2, New)]);
    assert_eq!(rig.granted(600, 2), [Subscribe(A, 2)], "and the endpoint takes its old dialog over");
    rig.accepted(600, 2, 3_600);
    assert_eq!(rig.notified(600, 2, 15_500), [Publish(15_500, Freshness::Fresh)]);
    assert_eq!(rig.machine.presence().since, rig.at(0));
}

#[test]
fn a_paused_endpoint_keeps_what_stands_and_begins_nothing_new() {
    let mut rig = Rig::active();
    assert_eq!(rig.paused(5, A), []);
    assert_eq!(rig.notified(6, 1, 3_500), [Publish(3_500, Freshness::Fresh)], "its dialog goes on");
    assert_eq!(rig.up(60, A), []);

    let mut waiting = Rig::with(3, &[A]);
    waiting.up(0, A);
    assert_eq!(waiting.wanted(0), [Take(1, New)]);
    assert_eq!(waiting.paused(1, A), [Cancel(1)]);
    assert_eq!(waiting.state(), SubscriptionState::WaitingForEndpoint);
    assert_eq!(waiting.up(60, A), [Take(2, New)]);
}

#[test]
fn a_refresh_that_is_due_waits_for_the_end_of_the_pause() {
    let mut rig = Rig::active();
    rig.paused(5, A);
    let seconds = rig.due().expect("a refresh is scheduled").0;
    assert_eq!(rig.tick(seconds), []);
    assert_eq!(rig.state(), SubscriptionState::Active);
    assert_eq!(rig.up(seconds + 3, A), []);
    assert_eq!(rig.tick(seconds + 5), [Take(2, ForRefresh)]);
    assert_eq!(rig.paused(seconds + 6, A), [Cancel(2)], "paused again, before the grant");
    rig.up(seconds + 7, A);
    assert_eq!(rig.tick(seconds + 11), [Take(3, ForRefresh)]);
    assert_eq!(rig.granted(seconds + 11, 3), [Refresh(A, 1)]);
}

#[test]
fn a_document_that_cannot_be_read_is_asked_for_again_once() {
    let mut rig = Rig::active();
    let wanted = SubscriptionInput::RefreshWanted { attempt: Attempt(1) };
    assert_eq!(rig.feed(5, wanted.clone()), [Take(2, ForRefresh)]);
    assert_eq!(rig.feed(6, wanted), [], "one refresh is asked for already");
    assert_eq!(rig.granted(7, 2), [Refresh(A, 1)]);
}

#[test]
fn losing_endpoints_for_ever_never_counts() {
    let mut rig = Rig::active();
    let (mut ticket, mut attempt) = (1, 1);
    for round in 1..200_u64 {
        rig.lost(round * 10, A);
        rig.failed(round * 10, attempt, FailureKind::Endpoint);
        rig.up(round * 10 + 1, A);
        (ticket, attempt) = (ticket + 1, attempt + 1);
        assert_eq!(rig.granted(round * 10 + 1, ticket), [Subscribe(A, attempt)]);
        if round % 2 == 0 {
            rig.accepted(round * 10 + 1, attempt, 3_600);
        }
        assert_eq!(rig.machine.view().failures, 0);
    }
}

#[test]
fn dialogs_that_a_restarted_pool_has_forgotten_are_no_loop() {
    let mut rig = Rig::active();
    let (mut ticket, mut attempt) = (1, 1);
    for round in 1..20_u64 {
        rig.lost(round * 10, A);
        assert_eq!(rig.up(round * 10 + 1, A), [Take(ticket + 1, New)]);
        rig.granted(round * 10 + 1, ticket + 1);
        let forgotten = rig.failed(round * 10 + 1, attempt + 1, FailureKind::Dialog);
        assert_eq!(forgotten, [Failed(0, None), Take(ticket + 2, New)], "at once, uncounted");
        rig.granted(round * 10 + 2, ticket + 2);
        rig.accepted(round * 10 + 2, attempt + 2, 3_600);
        (ticket, attempt) = (ticket + 2, attempt + 2);
    }
}

#[test]
fn an_endpoint_that_fails_although_it_is_up_is_left_alone_for_a_moment() {
    let mut rig = Rig::with(3, &[A]);
    rig.up(0, A);
    rig.subscribing(0, A);
    assert_eq!(rig.failed(1, 1, FailureKind::Endpoint), [Failed(0, Some(5))]);
    assert_eq!(rig.due(), Some((6, Deadline::Retry)));
    assert_eq!(rig.tick(6), [Take(2, New)]);
    rig.granted(6, 2);
    rig.failed(6, 2, FailureKind::Endpoint);
    assert_eq!(rig.up(7, A), [Take(3, New)], "said to be up again, it is tried at once");
    rig.granted(7, 3);
    rig.failed(7, 3, FailureKind::Endpoint);
    assert_eq!(rig.lost(8, A), []);
    assert_eq!(rig.due(), None, "now it is known to be down");
}

#[test]
fn when_an_endpoint_fails_the_other_one_is_tried_at_once() {
    let mut rig = Rig::new();
    rig.up(0, A);
    rig.up(0, U);
    rig.subscribing(0, A);
    assert_eq!(rig.failed(5, 1, FailureKind::Endpoint), [Failed(0, None), Take(2, New), Take(3, Release)]);
    assert_eq!(rig.granted(5, 3), [Unsubscribe(A, 1)]);
    assert_eq!(rig.granted(5, 2), [Subscribe(U, 2)]);
    assert_eq!(rig.failed(6, 2, FailureKind::Endpoint), [Failed(0, Some(5))]);
    assert_eq!(rig.tick(11), [Take(4, New), Take(5, Release)], "back again, and the second is not left behind");
    assert_eq!(rig.granted(11, 5), [Unsubscribe(U, 2)]);
    assert_eq!(rig.granted(11, 4), [Subscribe(A, 3)]);
}

#[test]
fn a_refresh_that_the_endpoint_could_not_do_leaves_the_dialog_standing() {
    let mut rig = Rig::active_with_both();
    assert_eq!(rig.failed(5, 1, FailureKind::Endpoint), []);
    assert_eq!((rig.state(), rig.due().map(|(at, _)| at)), (SubscriptionState::Active, Some(10)));
    assert_eq!(rig.notified(6, 1, 3_500), [Publish(3_500, Freshness::Fresh)]);
    assert_eq!(rig.tick(10), [Take(2, ForRefresh)], "it is tried again");
}

#[test]
fn a_refusal_and_an_endpoint_that_fails_are_no_counted_failure() {
    let mut rig = Rig::new();
    rig.up(0, A);
    rig.up(0, U);
    rig.subscribing(0, A);
    rig.failed(0, 1, FailureKind::NotFound);
    rig.granted(0, 2);
    assert_eq!(rig.failed(0, 2, FailureKind::Endpoint), [Failed(0, Some(10)), Take(3, Release)]);
    assert_eq!(rig.lost(1, U), [Cancel(3)]);
    assert_eq!(rig.up(2, U), [Take(4, Retry)]);
    assert_eq!(rig.granted(2, 4), [Subscribe(U, 3)]);
}

#[test]
fn an_answer_that_never_comes_is_the_endpoints_failure() {
    let mut rig = Rig::with(1, &[A]);
    rig.up(0, A);
    rig.subscribing(0, A);
    assert_eq!(rig.tick(99), []);
    assert_eq!(rig.tick(100), [Failed(0, Some(5))]);
    assert_eq!(rig.accepted(101, 1, 3_600), [], "too late");
    assert_eq!(rig.tick(105), [Take(2, New)]);
    assert_eq!(rig.granted(105, 2), [Subscribe(A, 2)], "taken over, so there are not two");
}

#[test]
fn a_refresh_that_is_never_answered_is_the_endpoints_failure() {
    let mut rig = Rig::active();
    rig.tick(3_240);
    rig.granted(3_241, 2);
    assert_eq!(rig.tick(3_341), [Failed(0, Some(5)), Publish(15_500, Freshness::Stale)]);
}

#[test]
fn a_back_off_that_ends_without_an_endpoint_waits_for_one() {
    let mut rig = Rig::with(3, &[A]);
    rig.up(0, A);
    rig.subscribing(0, A);
    rig.failed(0, 1, FailureKind::Transient);
    assert_eq!(rig.lost(5, A), []);
    assert_eq!(rig.tick(10), []);
    assert_eq!(rig.state(), SubscriptionState::WaitingForEndpoint);
    assert_eq!(rig.up(50, A), [Take(2, Retry)]);
    assert_eq!(rig.machine.view().failures, 1, "what was counted stays");
}
