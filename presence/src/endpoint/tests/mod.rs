//! The life of an endpoint, by sentence.

mod legacy;
mod registration;

use super::*;
use crate::EndedBy;
use crate::test_clock::start;

struct Rig {
    start: Instant,
    machine: EndpointLifecycle,
}

fn rig() -> Rig {
    let start = start();
    Rig { start, machine: EndpointLifecycle::new(start, EndpointPolicy::default()) }
}

fn failure(detail: &str) -> Failure {
    Failure::new(FailureKind::Endpoint, EndedBy::Network, detail)
}

impl Rig {
    fn at(&self, seconds: f64) -> Instant {
        self.start + Duration::from_secs_f64(seconds)
    }

    /// What the input makes it do, without the lines for the log.
    fn feed(&mut self, seconds: f64, input: EndpointInput) -> Vec<EndpointEffect> {
        self.machine.handle(self.at(seconds), input);
        self.drain()
    }

    fn tick(&mut self, seconds: f64) -> Vec<EndpointEffect> {
        self.machine.handle_timeout(self.at(seconds));
        self.drain()
    }

    fn drain(&mut self) -> Vec<EndpointEffect> {
        std::iter::from_fn(|| self.machine.poll_effect())
            .filter(|effect| !matches!(effect, EndpointEffect::StateChanged { .. }))
            .collect()
    }

    /// The changes of the state that the input makes, with UCMA's reasons.
    fn changes(&mut self, seconds: f64, input: EndpointInput) -> Vec<(EndpointState, TransitionReason)> {
        self.machine.handle(self.at(seconds), input);
        std::iter::from_fn(|| self.machine.poll_effect())
            .filter_map(|effect| match effect {
                EndpointEffect::StateChanged { to, reason, .. } => Some((to, reason)),
                _ => None,
            })
            .collect()
    }

    fn due(&self) -> Option<(f64, EndpointDeadline)> {
        self.machine.poll_timeout().map(|(at, why)| ((at - self.start).as_secs_f64(), why))
    }

    fn established(mut self) -> Self {
        assert_eq!(self.feed(0.0, EndpointInput::Start), [EndpointEffect::Connect { attempt: 1 }]);
        assert_eq!(self.feed(0.0, EndpointInput::Connected { attempt: 1 }), [EndpointEffect::Probe]);
        assert_eq!(self.feed(0.0, EndpointInput::ProbeAnswered), [EndpointEffect::Up]);
        assert_eq!(self.machine.state(), EndpointState::Established);
        self
    }
}

#[test]
fn it_is_up_when_the_pool_has_answered_the_probe_and_says_why() {
    let mut rig = rig();
    for input in [EndpointInput::Start, EndpointInput::Connected { attempt: 1 }, EndpointInput::ProbeAnswered] {
        assert!(!rig.machine.is_up());
        rig.machine.handle(rig.start, input);
    }
    assert!(rig.machine.is_up());
    let changes: Vec<_> = std::iter::from_fn(|| rig.machine.poll_effect())
        .filter_map(|effect| match effect {
            EndpointEffect::StateChanged { from, to, .. } => Some((from, to)),
            _ => None,
        })
        .collect();
    assert_eq!(
        changes,
        [(EndpointState::Idle, EndpointState::Establishing), (EndpointState::Establishing, EndpointState::Established)]
    );
}

#[test]
fn it_reconnects_at_once_after_a_loss_and_then_once_per_probe_interval_for_ever() {
    let mut rig = rig().established();
    let lost = rig.feed(100.0, EndpointInput::ConnectionLost { failure: failure("reset") });
    assert_eq!(lost, [EndpointEffect::Lost(failure("reset")), EndpointEffect::Connect { attempt: 2 }]);
    for attempt in 2..1_000_u32 {
        let tried = 100.0 + f64::from(attempt - 2) * 5.0;
        let refused = EndpointInput::ConnectFailed { attempt, failure: failure("refused") };
        assert_eq!(rig.feed(tried + 0.1, refused), []);
        assert_eq!(rig.machine.state(), EndpointState::Reestablishing);
        assert_eq!(rig.tick(tried + 4.9), []);
        assert_eq!(rig.tick(tried + 5.0), [EndpointEffect::Connect { attempt: attempt + 1 }]);
    }
}

#[test]
fn a_connection_that_flaps_is_made_at_the_pace_of_the_probes() {
    let mut rig = rig().established();
    rig.feed(100.0, EndpointInput::ConnectionLost { failure: failure("reset") });
    rig.feed(100.0, EndpointInput::Connected { attempt: 2 });
    assert_eq!(rig.feed(100.0, EndpointInput::ProbeAnswered), [EndpointEffect::Up]);
    let lost = rig.feed(100.1, EndpointInput::ConnectionLost { failure: failure("reset") });
    assert_eq!(lost, [EndpointEffect::Lost(failure("reset"))]);
    assert_eq!(rig.due(), Some((105.0, EndpointDeadline::Attempt)));
}

#[test]
fn an_attempt_that_takes_too_long_is_given_up_and_its_late_answer_dropped() {
    let mut rig = rig();
    rig.feed(0.0, EndpointInput::Start);
    assert_eq!(rig.due(), Some((10.0, EndpointDeadline::Connect)));
    assert_eq!(rig.tick(10.0), [EndpointEffect::Disconnect]);
    assert_eq!(rig.tick(10.0), [EndpointEffect::Connect { attempt: 2 }]);
    assert_eq!(rig.feed(10.1, EndpointInput::Connected { attempt: 1 }), []);
    let late = EndpointInput::ConnectFailed { attempt: 1, failure: failure("late") };
    assert_eq!(rig.feed(10.1, late), []);
    assert_eq!(rig.feed(10.2, EndpointInput::Connected { attempt: 2 }), [EndpointEffect::Probe]);
}

#[test]
fn a_silent_connection_is_probed_and_any_message_puts_it_off() {
    let mut rig = rig().established();
    assert_eq!(rig.due(), Some((30.0, EndpointDeadline::KeepAlive)));
    rig.feed(20.0, EndpointInput::Heard);
    assert_eq!(rig.tick(30.0), []);
    assert_eq!(rig.tick(50.0), [EndpointEffect::Probe]);
    assert_eq!(rig.feed(51.0, EndpointInput::ProbeAnswered), []);
    assert_eq!(rig.due(), Some((81.0, EndpointDeadline::KeepAlive)));
    assert_eq!(rig.tick(81.0), [EndpointEffect::Probe]);
    let dead = rig.feed(113.0, EndpointInput::ProbeFailed { failure: failure("silent") });
    assert_eq!(
        dead,
        [EndpointEffect::Disconnect, EndpointEffect::Lost(failure("silent")), EndpointEffect::Connect { attempt: 2 }]
    );
}

#[test]
fn a_probe_that_is_never_answered_at_all_fails_too() {
    let mut rig = rig();
    rig.feed(0.0, EndpointInput::Start);
    rig.feed(0.0, EndpointInput::Connected { attempt: 1 });
    assert_eq!(rig.due(), Some((40.0, EndpointDeadline::Answer)));
    assert_eq!(rig.tick(40.0), [EndpointEffect::Disconnect]);
    assert_eq!(rig.tick(40.0), [EndpointEffect::Connect { attempt: 2 }]);
    assert_eq!(rig.machine.state(), EndpointState::Establishing);
}

#[test]
fn an_overloaded_pool_keeps_its_connection_and_is_probed_when_it_asked_to_be() {
    let mut rig = rig().established();
    let lost = rig.feed(10.0, EndpointInput::Overloaded { retry_after: Some(Duration::from_secs(60)) });
    assert!(matches!(&lost[..], [EndpointEffect::Paused(failure)] if failure.code == Some(503)));
    assert_eq!(rig.feed(11.0, EndpointInput::Overloaded { retry_after: None }), []);
    assert_eq!(rig.due(), Some((70.0, EndpointDeadline::Attempt)), "a later 503 does not shorten the pause");
    assert_eq!(rig.tick(70.0), [EndpointEffect::Probe]);
    assert_eq!(rig.feed(70.1, EndpointInput::Overloaded { retry_after: Some(Duration::ZERO) }), []);
    assert_eq!(rig.tick(75.1), [EndpointEffect::Probe]);
    assert_eq!(rig.feed(75.2, EndpointInput::ProbeAnswered), [EndpointEffect::Up]);
}

#[test]
fn a_connection_lost_during_the_pause_is_made_anew_after_it() {
    let mut rig = rig().established();
    rig.feed(10.0, EndpointInput::Overloaded { retry_after: Some(Duration::from_secs(60)) });
    assert_eq!(
        rig.feed(20.0, EndpointInput::ConnectionLost { failure: failure("reset") }),
        [EndpointEffect::Lost(failure("reset"))]
    );
    assert_eq!(rig.tick(20.0), []);
    assert_eq!(rig.tick(70.0), [EndpointEffect::Connect { attempt: 2 }]);
}

#[test]
fn a_pool_that_does_not_support_presence_raises_an_alarm_and_is_left_alone_for_a_minute() {
    let mut rig = rig().established();
    let bad_event = Failure::answered(FailureKind::Endpoint, 489, "Bad Event");
    let effects = rig.feed(1.0, EndpointInput::Unsupported { failure: bad_event.clone() });
    assert_eq!(effects, [EndpointEffect::Alarm(bad_event.clone()), EndpointEffect::Paused(bad_event)]);
    assert_eq!(rig.due(), Some((61.0, EndpointDeadline::Attempt)));
}

#[test]
fn it_drains_closes_and_is_over() {
    let mut rig = rig().established();
    assert_eq!(rig.feed(1.0, EndpointInput::Drained), []);
    assert_eq!(rig.feed(1.0, EndpointInput::Drain), []);
    assert_eq!(rig.machine.state(), EndpointState::Draining);
    assert_eq!(rig.feed(2.0, EndpointInput::Drained), [EndpointEffect::Disconnect]);
    assert_eq!(rig.machine.state(), EndpointState::Terminating);
    let closed = rig.feed(2.1, EndpointInput::ConnectionLost { failure: failure("closed") });
    assert_eq!(closed, [EndpointEffect::Terminated]);
    assert_eq!(rig.feed(3.0, EndpointInput::Start), []);
    assert_eq!((rig.machine.state(), rig.due()), (EndpointState::Terminated, None));
}

#[test]
fn it_can_be_drained_before_it_was_ever_up() {
    let mut idle = rig();
    assert_eq!(idle.feed(0.0, EndpointInput::Drain), [EndpointEffect::Terminated]);
    let mut connecting = rig();
    connecting.feed(0.0, EndpointInput::Start);
    assert_eq!(connecting.feed(1.0, EndpointInput::Drain), [EndpointEffect::Disconnect]);
    assert_eq!(connecting.tick(2.9), []);
    assert_eq!(connecting.tick(3.0), [EndpointEffect::Terminated]);
}
