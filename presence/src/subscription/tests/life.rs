//! An agent that nothing bad happens to.

use super::*;

#[test]
fn nothing_is_sent_before_a_token_is_granted() {
    let mut rig = Rig::with(3, &[A]);
    assert_eq!(rig.up(0, A), []);
    assert_eq!(rig.wanted(0), [Take(1, New)]);
    assert_eq!((rig.state(), rig.due()), (SubscriptionState::AwaitingToken, None));
    assert_eq!(rig.granted(7, 1), [Subscribe(A, 1)]);
    assert_eq!((rig.state(), rig.due()), (SubscriptionState::Subscribing, Some((107, Deadline::Answer))));
    assert_eq!(rig.accepted(8, 1, 3_600), []);
    assert_eq!((rig.state(), rig.due()), (SubscriptionState::Active, Some((3_248, Deadline::Refresh))));
    assert_eq!(rig.machine.presence().freshness, Freshness::Unknown, "accepted is not yet known");
    assert_eq!(rig.notified(9, 1, 3_500), [Publish(3_500, Freshness::Fresh)]);
}

#[test]
fn wanted_twice_and_unwanted_twice_do_nothing_more() {
    let mut rig = Rig::active();
    assert_eq!(rig.wanted(1), []);
    assert_eq!(rig.unwanted(2), [Take(2, Release)]);
    assert_eq!(rig.unwanted(3), []);
}

#[test]
fn a_change_is_published_and_a_repeat_is_not() {
    let mut rig = Rig::active();
    assert_eq!(rig.notified(5, 1, 15_500), []);
    assert_eq!(rig.notified(6, 1, 3_500), [Publish(3_500, Freshness::Fresh)]);
    assert_eq!(rig.machine.presence().since, rig.at(6));
    assert_eq!(rig.machine.sequence(), 2);
}

#[test]
fn a_notify_without_a_readable_status_keeps_the_old_value() {
    let mut rig = Rig::active();
    let empty = SubscriptionInput::Notified { attempt: Attempt(1), status: None, expires: None };
    assert_eq!(rig.feed(5, empty), []);
    assert_eq!(rig.machine.presence().status.availability, Availability::AWAY);
}

#[test]
fn a_refresh_keeps_its_dialogs_number_and_moves_the_end() {
    let mut rig = Rig::active();
    assert_eq!(rig.tick(3_239), []);
    assert_eq!(rig.tick(3_240), [Take(2, ForRefresh)]);
    assert_eq!(rig.tick(3_241), [], "one request is enough");
    assert_eq!(rig.due(), Some((3_600, Deadline::Expiry)));
    assert_eq!(rig.granted(3_250, 2), [Refresh(A, 1)]);
    assert_eq!(rig.due(), Some((3_350, Deadline::Answer)));
    assert_eq!(rig.accepted(3_251, 1, 600), []);
    assert_eq!(rig.due(), Some((3_251 + 540, Deadline::Refresh)));
    assert_eq!(rig.machine.view().expires_at, Some(rig.at(3_851)));
}

#[test]
fn a_notify_shortens_the_dialog_and_brings_the_refresh_forward() {
    let mut rig = Rig::active();
    let expires = Some(Duration::from_secs(60));
    rig.feed(10, SubscriptionInput::Notified { attempt: Attempt(1), status: None, expires });
    assert_eq!(rig.due(), Some((40, Deadline::Refresh)));
    assert_eq!(rig.tick(40), [Take(2, ForRefresh)]);
}

#[test]
fn a_dialog_that_could_not_be_refreshed_in_time_is_replaced_at_once() {
    let mut rig = Rig::active();
    rig.tick(3_240);
    let expired = rig.tick(3_600);
    assert_eq!(expired, [Cancel(2), Failed(0, None), Publish(15_500, Freshness::Stale), Take(3, New)]);
    assert_eq!(rig.granted(3_601, 3), [Subscribe(A, 2)], "the endpoint takes the old dialog over, if it has it");
    rig.accepted(3_602, 2, 3_600);
    assert_eq!(rig.notified(3_602, 2, 15_500), [Publish(15_500, Freshness::Fresh)]);
    assert_eq!(rig.machine.presence().since, rig.at(0), "the status itself has not changed");
}

#[test]
fn timeouts_that_are_not_due_change_nothing_in_any_state() {
    let mut rig = Rig::with(3, &[A]);
    assert_eq!(rig.tick(1_000_000), []);
    rig.wanted(0);
    assert_eq!(rig.tick(1_000_000), [], "waiting for an endpoint has no end");
    rig.up(0, A);
    assert_eq!(rig.tick(1_000_000), [], "waiting for a token has no end");
    rig.granted(0, 1);
    assert_eq!(rig.tick(99), []);
    rig.failed(0, 1, FailureKind::Transient);
    assert_eq!(rig.tick(9), []);
    assert_eq!(rig.tick(10), [Take(2, Retry)]);
}

#[test]
fn a_view_tells_an_operator_where_it_is() {
    let mut rig = Rig::with(3, &[A]);
    rig.up(0, A);
    rig.subscribing(0, A);
    rig.failed(5, 1, FailureKind::NotFound);
    let view = rig.machine.view();
    assert_eq!((view.state, view.via, view.failures), (SubscriptionState::BackingOff, None, 1));
    assert_eq!(view.next_retry, Some(rig.at(15)));
    assert_eq!(view.last_failure.map(|failure| failure.kind), Some(FailureKind::NotFound));
    assert_eq!(view.state.to_string(), "backing off");
}
