//! What an earlier process has left.

use super::*;

/// A machine that goes on `later` seconds after the end of another one, in a process of its own.
fn after(rig: &Rig, ended: u64, later: u64, change: impl FnOnce(&mut SubscriptionMemory)) -> Rig {
    let mut memory = rig.machine.memory(rig.at(ended));
    memory.dialogs = [None; 2];
    change(&mut memory);
    let uri = "sip:user1@domain.com".parse().expect("valid");
    let machine = Subscription::new(rig.at(later), uri, policy(3, &[A, U]), Some(memory));
    Rig { start: rig.start, machine }
}

/// Both endpoints have refused it once; the next attempt is due at 10 s.
fn backing_off() -> Rig {
    let mut rig = Rig::new();
    rig.up(0, A);
    rig.up(0, U);
    rig.subscribing(0, A);
    rig.failed(0, 1, FailureKind::NotFound);
    rig.granted(0, 2);
    rig.failed(0, 2, FailureKind::NotFound);
    assert_eq!(rig.machine.view().next_retry, Some(rig.at(10)));
    rig
}

#[test]
fn whoever_waited_waits_on_until_the_time_that_was_remembered_and_nothing_but_a_revival_cuts_it_short() {
    let mut rig = after(&backing_off(), 1, 4, |_| {});
    assert_eq!(rig.machine.view().failures, 1);
    assert_eq!(rig.wanted(4), []);
    assert_eq!((rig.machine.view().state, rig.due()), (SubscriptionState::BackingOff, Some((10, Deadline::Retry))));
    assert_eq!((rig.up(5, A), rig.up(6, U)), (vec![], vec![]));
    assert_eq!(rig.feed(7, SubscriptionInput::EndpointLost(A)), []);
    assert_eq!(rig.up(8, A), []);
    assert_eq!(rig.tick(9), []);
    let [Take(_, Retry)] = rig.tick(10)[..] else { panic!("it is a retry") };

    let mut rig = after(&backing_off(), 1, 4, |_| {});
    rig.up(4, A);
    rig.wanted(4);
    let [Seen::Revived, Take(_, New)] = rig.feed(5, SubscriptionInput::Revive)[..] else { panic!("it is tried now") };
}

#[test]
fn a_time_that_has_passed_meanwhile_is_waited_for_no_more() {
    let mut rig = after(&backing_off(), 1, 10, |_| {});
    rig.up(10, A);
    let [Take(_, Retry)] = rig.wanted(10)[..] else { panic!("its time has come") };
}

#[test]
fn a_wait_that_nobody_has_asked_for_yet_is_remembered_on() {
    let rig = after(&backing_off(), 1, 4, |_| {});
    assert_eq!(rig.machine.memory(rig.at(4)).retry_at, Some(rig.at(10)));
    assert_eq!(rig.machine.memory(rig.at(4)).failures, 1);
}

#[test]
fn a_stale_value_stays_stale_until_it_is_confirmed_and_is_no_change_before() {
    let mut rig = after(&Rig::active(), 60, 90, |memory| {
        assert_eq!(memory.confirmed, Some(memory.presence.since + Duration::from_secs(60)));
        memory.presence = Arc::new(Presence { freshness: Freshness::Stale, ..(*memory.presence).clone() });
    });
    assert_eq!(rig.drain(), []);
    assert_eq!(rig.machine.last_known(rig.at(90)), Some((Availability::AWAY, rig.at(60))));
    rig.up(90, A);
    let [Take(ticket, New)] = rig.wanted(90)[..] else { panic!("it is asked for") };
    let [Subscribe(A, attempt)] = rig.granted(90, ticket)[..] else { panic!("it is put on the wire") };
    assert_eq!(rig.notified(91, attempt, 15_500), [Publish(15_500, Freshness::Fresh)]);
    assert_eq!(rig.machine.presence().since, rig.start);
}

#[test]
fn a_value_that_is_too_old_is_not_served_and_still_known() {
    let mut rig = after(&Rig::active(), 60, 2_000, |memory| {
        memory.presence = Arc::new(Presence { freshness: Freshness::Unknown, ..(*memory.presence).clone() });
    });
    let presence = rig.machine.presence();
    assert_eq!((presence.freshness, presence.status.availability), (Freshness::Unknown, Availability::UNKNOWN));
    let known = Some((Availability::AWAY, rig.at(60)));
    assert_eq!(rig.machine.last_known(rig.at(2_000)), known);
    let memory = rig.machine.memory(rig.at(2_000));
    assert_eq!((memory.presence.status.availability, memory.confirmed), (Availability::AWAY, Some(rig.at(60))));
    rig.wanted(2_000);
    rig.feed(2_001, SubscriptionInput::Unwanted);
    assert_eq!(rig.machine.last_known(rig.at(2_001)), None, "whoever is let go is forgotten");
}
