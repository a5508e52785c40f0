//! Messages that cross each other.

use super::*;

fn notify(attempt: u32, expires: Option<u64>) -> SubscriptionInput {
    let status = Some(Status::of(Availability::BUSY));
    SubscriptionInput::Notified { attempt: Attempt(attempt), status, expires: expires.map(Duration::from_secs) }
}

#[test]
fn a_notify_may_overtake_the_answer() {
    let mut rig = Rig::with(3, &[A]);
    rig.up(0, A);
    rig.subscribing(0, A);
    assert_eq!(rig.feed(1, notify(1, None)), [Publish(6_500, Freshness::Fresh)]);
    assert_eq!((rig.state(), rig.due()), (SubscriptionState::Active, Some((100, Deadline::Answer))));
    assert_eq!(rig.accepted(2, 1, 3_600), []);
    assert_eq!(rig.due(), Some((3_242, Deadline::Refresh)));
}

#[test]
fn a_notify_that_overtakes_the_answer_may_bring_the_end_with_it() {
    let mut rig = Rig::with(3, &[A]);
    rig.up(0, A);
    rig.subscribing(0, A);
    rig.feed(1, notify(1, Some(60)));
    assert_eq!(rig.due(), Some((61, Deadline::Expiry)));
    rig.accepted(2, 1, 3_600);
    assert_eq!(rig.due(), Some((3_242, Deadline::Refresh)), "the answer's word is the later one");
}

#[test]
fn a_notify_before_the_answer_of_an_unwanted_attempt_lets_it_be_ended() {
    let mut rig = Rig::with(3, &[A]);
    rig.up(0, A);
    rig.subscribing(0, A);
    rig.unwanted(1);
    assert_eq!(rig.feed(2, notify(1, None)), [Take(2, Release), Publish(6_500, Freshness::Fresh)]);
    assert_eq!(rig.accepted(3, 1, 3_600), []);
    assert_eq!(rig.granted(4, 2), [Unsubscribe(A, 1), Publish(6_500, Freshness::Stale)]);
}

#[test]
fn answers_with_another_number_are_dropped_in_every_state() {
    let reach: [fn() -> Rig; 6] = [
        || Rig::with(3, &[A]),
        || {
            let mut rig = Rig::new();
            rig.wanted(0);
            rig
        },
        || {
            let mut rig = Rig::new();
            rig.up(0, A);
            rig.wanted(0);
            rig
        },
        Rig::active,
        || {
            let mut rig = Rig::active();
            rig.unwanted(0);
            rig
        },
        || {
            let mut rig = Rig::active();
            rig.unwanted(0);
            rig.granted(0, 2);
            rig
        },
    ];
    for make in reach {
        let mut rig = make();
        let before = (rig.state(), rig.due());
        let kinds = [FailureKind::Transient, FailureKind::Dialog, FailureKind::Endpoint, FailureKind::Forbidden];
        for stale in [0, 7, u32::MAX] {
            let mut effects = rig.accepted(1, stale, 3_600);
            effects.extend(rig.notified(1, stale, 3_500));
            effects.extend(rig.ended(1, stale));
            effects.extend(rig.granted(1, stale.wrapping_add(50)));
            for kind in kinds {
                effects.extend(rig.failed(1, stale, kind));
            }
            assert_eq!(effects, [], "{before:?}");
        }
        assert_eq!((rig.state(), rig.due()), before);
    }
}

#[test]
fn a_failure_that_comes_after_the_loss_of_its_endpoint_is_dropped() {
    let mut rig = Rig::active_with_both();
    rig.lost(5, A);
    assert_eq!(rig.failed(5, 1, FailureKind::Endpoint), []);
    assert_eq!(rig.state(), SubscriptionState::AwaitingToken);
    assert_eq!(rig.failed(5, 1, FailureKind::Dialog), [], "and now the endpoint holds nothing any more");
    assert_eq!(rig.up(6, A), []);
    assert_eq!(rig.granted(6, 2), [Subscribe(U, 2)]);
    assert_eq!(rig.up(7, A), []);
}

#[test]
fn the_loss_of_an_endpoint_that_comes_after_a_failed_refresh_makes_it_stale() {
    let mut rig = Rig::active();
    assert_eq!(rig.failed(5, 1, FailureKind::Endpoint), []);
    assert_eq!(rig.lost(5, A), [Publish(15_500, Freshness::Stale)]);
    assert_eq!((rig.state(), rig.due()), (SubscriptionState::WaitingForEndpoint, None));
    assert_eq!(rig.up(6, A), [Take(2, New)]);
}

#[test]
fn an_endpoint_lost_before_the_grant_takes_the_request_back() {
    let mut rig = Rig::new();
    rig.up(0, A);
    rig.wanted(0);
    assert_eq!(rig.lost(1, A), [Cancel(1)]);
    assert_eq!(rig.granted(1, 1), []);
    assert_eq!(rig.up(2, U), [Take(2, New)]);
    assert_eq!(rig.lost(3, A), [], "the other one does not matter");
}

#[test]
fn an_endpoint_lost_while_subscribing_leaves_the_attempt_behind() {
    let mut rig = Rig::new();
    rig.up(0, A);
    rig.up(0, U);
    rig.subscribing(0, A);
    assert_eq!(rig.lost(1, A), [Take(2, New)]);
    assert_eq!(rig.accepted(1, 1, 3_600), [], "too late");
    rig.granted(2, 2);
    rig.accepted(2, 2, 3_600);
    assert_eq!(rig.up(9, A), [Take(3, Release)], "its SUBSCRIBE may have reached the pool");
    assert_eq!(rig.lost(10, A), [Cancel(3)]);
    assert_eq!(rig.up(11, A), [Take(4, Release)]);
    assert_eq!(rig.ended(11, 1), [Cancel(4)], "the endpoint says that there is nothing");
}

#[test]
fn an_endpoint_lost_during_a_refresh_takes_the_request_back_and_moves() {
    let mut rig = Rig::active_with_both();
    assert_eq!(rig.tick(3_240), [Take(2, ForRefresh)]);
    assert_eq!(rig.lost(3_241, A), [Cancel(2), Publish(15_500, Freshness::Stale), Take(3, New)]);
    assert_eq!(rig.granted(3_242, 2), [], "the grant of the refresh comes too late");
    assert_eq!(rig.granted(3_242, 3), [Subscribe(U, 2)]);
}

#[test]
fn both_endpoints_lost_one_after_the_other_leave_it_waiting_for_either() {
    let mut rig = Rig::active_with_both();
    rig.lost(5, A);
    assert_eq!(rig.lost(5, U), [Cancel(2)]);
    assert_eq!((rig.state(), rig.due()), (SubscriptionState::WaitingForEndpoint, None));
    assert_eq!(rig.up(6, U), [Take(3, New)]);
    assert_eq!(rig.up(6, A), [Take(4, Release)], "the old dialog must not live beside the new one");
    assert_eq!(rig.granted(6, 4), [Unsubscribe(A, 1)]);
    assert_eq!(rig.granted(6, 3), [Subscribe(U, 2)]);
}

#[test]
fn an_end_that_nobody_asked_for_is_a_failed_dialog() {
    let mut rig = Rig::active();
    assert_eq!(rig.ended(5, 1), [Failed(0, None), Publish(15_500, Freshness::Stale), Take(2, New)]);
}

#[test]
fn a_machine_made_anew_goes_on_where_the_old_one_died() {
    let mut old = Rig::active();
    old.notified(5, 1, 3_500);
    let memory = old.machine.memory(old.at(5));
    let uri = "sip:user1@domain.com".parse().expect("valid");
    let machine = Subscription::new(old.at(6), uri, policy(3, &[A, U]), Some(memory));
    let mut rig = Rig { start: old.start, machine };
    assert_eq!(rig.drain(), [Publish(3_500, Freshness::Stale)]);
    assert_eq!(rig.machine.sequence(), 3);
    assert_eq!(rig.up(6, A), [Take(1_002, Release)], "nobody wants it yet, and the old dialog may stand");
    assert_eq!(rig.wanted(6), [Take(1_003, New), Cancel(1_002)]);
    assert_eq!(rig.granted(6, 1_003), [Subscribe(A, 1_002)]);
    assert_eq!(rig.accepted(7, 1, 3_600), [], "an answer to the old one is dropped");
}

#[test]
fn an_abandoned_agent_stays_abandoned_in_its_next_life() {
    let mut old = Rig::active();
    old.failed(5, 1, FailureKind::Forbidden);
    let uri = "sip:user1@domain.com".parse().expect("valid");
    let machine = Subscription::new(old.at(6), uri, policy(3, &[A]), Some(old.machine.memory(old.at(6))));
    let mut rig = Rig { start: old.start, machine };
    rig.up(6, A);
    assert_eq!(rig.wanted(6), []);
    assert_eq!(rig.state(), SubscriptionState::Abandoned);
    assert_eq!(rig.feed(7, SubscriptionInput::Revive).len(), 2);
}
