//! What the pool says of the registration and of its presence service.

use super::*;
use EndpointEffect::{Alarm, Connect, Disconnect, Lost, Probe, Up};
use EndpointState::{Establishing, Reestablishing, Terminated};
use TransitionReason::{
    OwnerDisabledOrRemoved, RegistrationRefreshFailed, RegistrationRefreshSucceeded, ServerDiscoveryFailed,
    TooManyActiveEndpoints,
};

fn deregistered(reason: TransitionReason, again: Again) -> EndpointInput {
    EndpointInput::Deregistered { failure: failure("deregistered"), reason, again }
}

fn asking(seconds: u64) -> Failure {
    failure("asks for a wait").with_retry_after(Some(Duration::from_secs(seconds)))
}

fn no_presence() -> EndpointInput {
    EndpointInput::PresenceUnavailable { failure: failure("no presence") }
}

impl Rig {
    /// The next attempt succeeds at once.
    fn comes_up(&mut self, seconds: f64) {
        let attempt = self.machine.attempts;
        assert_eq!(self.feed(seconds, EndpointInput::Connected { attempt }), [Probe]);
        assert_eq!(self.feed(seconds, EndpointInput::ProbeAnswered), [Up]);
    }
}

#[test]
fn a_registration_that_was_ended_terminates_the_endpoint_which_begins_anew_after_its_rest() {
    let mut rig = rig().established();
    let ended = rig.feed(100.0, deregistered(TransitionReason::None, Again::AfterBackOff));
    assert_eq!(ended, [Disconnect, Lost(failure("deregistered"))]);
    assert_eq!(rig.machine.state(), Terminated);
    assert!(!rig.machine.is_over(), "it begins anew by itself");
    assert_eq!(rig.due(), Some((105.0, EndpointDeadline::Attempt)));
    assert_eq!(rig.machine.view().next_attempt, Some(rig.at(105.0)));
    assert_eq!(rig.tick(105.0), [Connect { attempt: 2 }]);
    assert_eq!(rig.machine.state(), Establishing);
    rig.comes_up(105.0);
}

#[test]
fn the_reason_of_an_end_is_told_and_shown() {
    let mut rig = rig().established();
    let changes = rig.changes(100.0, deregistered(OwnerDisabledOrRemoved, Again::Seldom));
    assert_eq!(changes, [(Terminated, OwnerDisabledOrRemoved)]);
    assert_eq!(rig.machine.view().reason, OwnerDisabledOrRemoved);
    rig.tick(160.0);
    assert_eq!((rig.machine.state(), rig.machine.view().reason), (Establishing, TransitionReason::None));
}

#[test]
fn a_registration_is_made_anew_at_once_and_the_second_time_within_the_probe_interval_after_it() {
    let mut rig = rig().established();
    let moved = || deregistered(TransitionReason::None, Again::AtOnce);
    assert_eq!(
        rig.feed(100.0, moved()),
        [Disconnect, Lost(failure("deregistered")), Connect { attempt: 2 }],
        "through Terminated to Establishing"
    );
    assert_eq!(rig.machine.state(), Establishing);
    rig.comes_up(101.0);
    assert_eq!(rig.feed(102.0, moved()), [Disconnect, Lost(failure("deregistered"))]);
    assert_eq!(rig.due(), Some((107.0, EndpointDeadline::Attempt)));
    rig.tick(107.0);
    rig.comes_up(107.0);
    assert_eq!(rig.feed(108.0, moved()).last(), Some(&Connect { attempt: 4 }));
}

#[test]
fn a_loss_and_an_end_within_the_probe_interval_are_not_both_answered_at_once() {
    let mut rig = rig().established();
    let lost = rig.feed(100.0, EndpointInput::ConnectionLost { failure: failure("reset") });
    assert_eq!(lost.last(), Some(&Connect { attempt: 2 }));
    rig.comes_up(100.5);
    rig.feed(101.0, deregistered(TransitionReason::None, Again::AtOnce));
    assert_eq!(rig.due(), Some((106.0, EndpointDeadline::Attempt)));
}

#[test]
fn rests_double_to_the_recovery_interval_until_it_was_up_for_longer_than_that() {
    let mut rig = rig().established();
    let mut now = 0.0;
    for rest in [5.0, 10.0, 20.0, 40.0, 60.0, 60.0] {
        now += 60.0;
        rig.feed(now, deregistered(TransitionReason::None, Again::AfterBackOff));
        assert_eq!(rig.due(), Some((now + rest, EndpointDeadline::Attempt)));
        now += rest;
        rig.tick(now);
        rig.comes_up(now);
    }
    now += 60.1;
    rig.feed(now, deregistered(TransitionReason::None, Again::AfterBackOff));
    assert_eq!(rig.due().map(|(due, _)| (due - now).round()), Some(5.0));
}

#[test]
fn registrations_that_are_refused_before_it_is_up_back_off_too_and_nobody_is_told() {
    let mut rig = rig();
    rig.feed(0.0, EndpointInput::Start);
    let mut now = 0.0;
    for (attempt, rest) in (1..).zip([5.0, 10.0, 20.0, 40.0, 60.0, 60.0]) {
        assert_eq!(rig.feed(now, EndpointInput::Connected { attempt }), [Probe]);
        assert_eq!(rig.feed(now, deregistered(TransitionReason::None, Again::AfterBackOff)), [Disconnect]);
        now += rest;
        assert_eq!(rig.due(), Some((now, EndpointDeadline::Attempt)));
        assert_eq!(rig.tick(now), [Connect { attempt: attempt + 1 }]);
    }
}

#[test]
fn what_an_operator_must_mend_is_tried_seldom_and_raises_one_alarm_until_it_is_up_again() {
    for reason in [TooManyActiveEndpoints, OwnerDisabledOrRemoved] {
        let mut rig = rig().established();
        let disabled = || deregistered(reason, Again::Seldom);
        assert_eq!(
            rig.feed(100.0, disabled()),
            [Alarm(failure("deregistered")), Disconnect, Lost(failure("deregistered"))]
        );
        assert_eq!(rig.due(), Some((160.0, EndpointDeadline::Attempt)));
        rig.tick(160.0);
        rig.feed(160.0, EndpointInput::Connected { attempt: 2 });
        assert_eq!(rig.feed(160.0, disabled()), [Disconnect], "said once");
        rig.tick(220.0);
        rig.comes_up(220.0);
        assert_eq!(rig.feed(230.0, disabled()).first(), Some(&Alarm(failure("deregistered"))));
    }
}

#[test]
fn a_retry_after_lengthens_the_rest_up_to_an_hour() {
    let ended = |again, seconds| EndpointInput::Deregistered {
        failure: asking(seconds),
        reason: TransitionReason::None,
        again,
    };
    for (again, asked, rest) in [
        (Again::AtOnce, 20, 20.0),
        (Again::AfterBackOff, 3, 5.0),
        (Again::AfterBackOff, 30, 30.0),
        (Again::Seldom, 90, 90.0),
        (Again::Seldom, 1_000_000, 3_600.0),
    ] {
        let mut rig = rig().established();
        rig.feed(100.0, ended(again, asked));
        assert_eq!(rig.due(), Some((100.0 + rest, EndpointDeadline::Attempt)), "{again:?}");
    }
}

#[test]
fn the_end_of_a_registration_that_is_not_there_any_more_changes_nothing() {
    let mut rig = rig();
    let ended = || deregistered(TransitionReason::None, Again::Seldom);
    assert_eq!(rig.feed(0.0, ended()), []);
    rig.feed(0.0, EndpointInput::Start);
    assert_eq!(rig.feed(0.1, ended()), []);
    assert_eq!(rig.due(), Some((10.0, EndpointDeadline::Connect)));
}

#[test]
fn it_can_be_drained_while_it_rests_after_an_end_and_is_over_then() {
    let mut rig = rig().established();
    rig.feed(100.0, deregistered(TransitionReason::None, Again::Seldom));
    assert_eq!(rig.feed(101.0, EndpointInput::Drain), [EndpointEffect::Terminated]);
    assert!(rig.machine.is_over());
    assert_eq!((rig.due(), rig.tick(1_000.0)), (None, vec![]));
}

#[test]
fn a_pool_without_presence_keeps_its_connection_and_is_probed_after_a_rest() {
    let mut rig = rig().established();
    assert_eq!(rig.feed(100.0, no_presence()), [Lost(failure("no presence"))]);
    assert_eq!(rig.machine.state(), Reestablishing);
    assert_eq!(rig.feed(101.0, no_presence()), [], "it is known");
    assert_eq!(rig.due(), Some((105.0, EndpointDeadline::Attempt)));
    assert_eq!(rig.tick(105.0), [Probe]);
    assert_eq!(rig.feed(105.1, EndpointInput::ProbeAnswered), [Up]);
    assert_eq!(rig.feed(106.0, no_presence()), [Lost(failure("no presence"))]);
    assert_eq!(rig.due(), Some((116.0, EndpointDeadline::Attempt)), "and the next rest is longer");
}

#[test]
fn it_is_up_at_once_when_the_pool_has_presence_again() {
    let mut rig = rig().established();
    assert_eq!(rig.feed(50.0, EndpointInput::PresenceAvailable), []);
    rig.feed(100.0, no_presence());
    assert_eq!(rig.feed(103.0, EndpointInput::PresenceAvailable), [Up]);
    assert!(rig.machine.is_up());
    assert_eq!(rig.due(), Some((133.0, EndpointDeadline::KeepAlive)));
}

#[test]
fn presence_that_comes_and_goes_is_followed_at_the_pace_of_the_probes() {
    let mut rig = rig().established();
    rig.feed(100.0, no_presence());
    assert_eq!(rig.feed(100.1, EndpointInput::PresenceAvailable), [Up]);
    rig.feed(100.2, no_presence());
    assert_eq!(rig.feed(100.3, EndpointInput::PresenceAvailable), []);
    assert_eq!(rig.due().map(|(due, _)| (due * 10.0).round()), Some(1_051.0));
    assert_eq!(rig.tick(105.2), [Probe]);
    assert_eq!(rig.feed(105.3, EndpointInput::ProbeAnswered), [Up]);
}

#[test]
fn a_registration_that_was_never_answered_is_not_up_because_presence_is_there() {
    let mut rig = rig();
    rig.feed(0.0, EndpointInput::Start);
    rig.feed(0.0, EndpointInput::Connected { attempt: 1 });
    assert_eq!(rig.feed(0.1, no_presence()), []);
    assert_eq!(rig.feed(1.0, EndpointInput::PresenceAvailable), [Probe]);
    assert_eq!(rig.machine.state(), Establishing);
    assert_eq!(rig.feed(1.1, EndpointInput::ProbeAnswered), [Up]);
}

#[test]
fn a_pool_without_presence_that_asked_to_be_left_alone_is_left_alone() {
    let mut rig = rig().established();
    rig.feed(100.0, EndpointInput::Overloaded { retry_after: Some(Duration::from_secs(60)) });
    assert_eq!(rig.feed(101.0, no_presence()), [Lost(failure("no presence"))]);
    assert_eq!(rig.feed(102.0, EndpointInput::PresenceAvailable), []);
    assert_eq!(rig.due(), Some((160.0, EndpointDeadline::Attempt)));
    let mut other = super::rig().established();
    other.feed(100.0, EndpointInput::PresenceUnavailable { failure: asking(90) });
    assert_eq!(other.due(), Some((190.0, EndpointDeadline::Attempt)));
}

#[test]
fn a_connection_lost_while_there_is_no_presence_is_made_anew_after_the_rest() {
    let mut rig = rig().established();
    rig.feed(100.0, no_presence());
    assert_eq!(rig.feed(101.0, EndpointInput::ConnectionLost { failure: failure("reset") }), []);
    assert_eq!(rig.feed(102.0, EndpointInput::PresenceAvailable), []);
    assert_eq!(rig.tick(105.0), [Connect { attempt: 2 }]);
}

#[test]
fn three_redirections_in_a_row_are_followed_at_once_and_the_others_at_the_pace_of_the_attempts() {
    let mut rig = rig().established();
    let told = rig.feed(100.0, EndpointInput::Redirected);
    assert!(matches!(&told[..], [Disconnect, Lost(_), Connect { attempt: 2 }]), "{told:?}");
    assert_eq!(rig.machine.state(), Reestablishing);
    for attempt in [2, 3] {
        rig.feed(100.1, EndpointInput::Connected { attempt });
        assert_eq!(rig.feed(100.2, EndpointInput::Redirected), [Disconnect, Connect { attempt: attempt + 1 }]);
    }
    rig.feed(100.3, EndpointInput::Connected { attempt: 4 });
    assert_eq!(rig.feed(100.4, EndpointInput::Redirected), [Disconnect]);
    assert_eq!(rig.due(), Some((105.2, EndpointDeadline::Attempt)));
    rig.tick(105.2);
    rig.comes_up(105.2);
    rig.feed(106.0, EndpointInput::Redirected);
    assert_eq!(rig.due(), Some((110.2, EndpointDeadline::Attempt)), "coming up does not end the row");
    rig.tick(110.2);
    rig.comes_up(110.2);
    assert_eq!(rig.feed(170.3, EndpointInput::Redirected).last(), Some(&Connect { attempt: 7 }), "staying up does");
}

/// Found by the properties.
#[test]
fn a_connection_that_is_lost_while_a_probe_is_due_is_not_made_again_before_its_time() {
    let mut rig = rig().established();
    rig.feed(100.0, EndpointInput::Redirected);
    rig.comes_up(100.0);
    rig.feed(101.0, EndpointInput::Redirected);
    rig.feed(101.0, EndpointInput::Connected { attempt: 3 });
    rig.feed(101.0, no_presence());
    rig.feed(101.0, EndpointInput::PresenceAvailable);
    rig.feed(101.0, EndpointInput::ConnectionLost { failure: failure("gone") });
    assert_eq!(rig.due(), Some((106.0, EndpointDeadline::Attempt)), "5 s after the last attempt");
}

#[test]
fn a_probe_that_is_refused_with_a_wait_is_not_answered_at_once() {
    let mut rig = rig().established();
    let refused = rig.feed(100.0, EndpointInput::ProbeFailed { failure: asking(20) });
    assert_eq!(refused, [Disconnect, Lost(asking(20))]);
    assert_eq!(rig.due(), Some((120.0, EndpointDeadline::Attempt)));
    rig.tick(120.0);
    rig.feed(120.0, EndpointInput::Connected { attempt: 2 });
    assert_eq!(rig.feed(121.0, EndpointInput::ProbeFailed { failure: asking(1_000_000) }), [Disconnect]);
    assert_eq!(rig.due(), Some((3_721.0, EndpointDeadline::Attempt)), "an hour at most");
}

#[test]
fn a_pool_that_is_not_in_the_dns_is_tried_at_the_usual_pace_and_shown_as_such() {
    let mut rig = rig();
    rig.feed(0.0, EndpointInput::Start);
    let unknown = EndpointInput::PoolNotFound { attempt: 1, failure: failure("no such name") };
    assert_eq!(rig.feed(0.1, unknown), []);
    assert_eq!(rig.due(), Some((5.0, EndpointDeadline::Attempt)));
    assert_eq!(rig.machine.view().reason, ServerDiscoveryFailed);
}

#[test]
fn an_endpoint_that_registers_names_the_registration_when_it_loses_and_regains_its_pool() {
    let lost = || EndpointInput::ConnectionLost { failure: failure("reset") };
    for (registers, lost_for, regained_for) in [
        (true, RegistrationRefreshFailed, RegistrationRefreshSucceeded),
        (false, TransitionReason::None, TransitionReason::None),
    ] {
        let mut rig = rig();
        rig.machine.policy.registers = registers;
        let mut rig = rig.established();
        assert_eq!(rig.changes(100.0, lost()), [(Reestablishing, lost_for)]);
        rig.feed(100.0, EndpointInput::Connected { attempt: 2 });
        let regained = rig.changes(100.0, EndpointInput::ProbeAnswered);
        assert_eq!(regained, [(EndpointState::Established, regained_for)]);
    }
}
