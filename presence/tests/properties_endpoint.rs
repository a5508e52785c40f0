//! What holds for an endpoint whatever happens, in whatever order.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test that fails must say so at once")]

use std::time::{Duration, Instant};

use presence_core::{
    Again, EndedBy, EndpointDeadline, EndpointEffect, EndpointInput, EndpointLifecycle, EndpointPolicy, EndpointState,
    Failure, FailureKind, TransitionReason,
};
use proptest::prelude::*;

const POLICY: EndpointPolicy = EndpointPolicy {
    probe_interval: Duration::from_secs(5),
    keep_alive: Duration::from_secs(30),
    connect_timeout: Duration::from_secs(10),
    recovery_interval: Duration::from_secs(60),
    registers: true,
};

/// The longest rest that anything can ask for, and the longest wait for an answer.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

#[derive(Clone, Debug)]
enum Event {
    /// The present attempt, or one that was given up.
    Connected(bool),
    ConnectFailed(bool, Option<u64>),
    PoolNotFound,
    ConnectionLost,
    ProbeAnswered,
    ProbeFailed(Option<u64>),
    Heard,
    Overloaded(Option<u64>),
    Unsupported,
    Deregistered(TransitionReason, Again, Option<u64>),
    PresenceUnavailable(Option<u64>),
    PresenceAvailable,
    Redirected,
    Wait(u64),
    WaitForDeadline,
}

fn event() -> impl Strategy<Value = Event> {
    let asked = || prop::option::of(prop_oneof![0..90_u64, Just(1_000_000)]);
    let again = prop_oneof![Just(Again::AtOnce), Just(Again::AfterBackOff), Just(Again::Seldom)];
    let reason = prop_oneof![
        Just(TransitionReason::None),
        Just(TransitionReason::TooManyActiveEndpoints),
        Just(TransitionReason::OwnerDisabledOrRemoved),
        Just(TransitionReason::RegistrationRefreshFailed),
    ];
    let is_present = || prop::bool::weighted(0.9);
    prop_oneof![
        8 => is_present().prop_map(Event::Connected),
        1 => (is_present(), asked()).prop_map(|(present, asked)| Event::ConnectFailed(present, asked)),
        1 => Just(Event::PoolNotFound),
        3 => Just(Event::ConnectionLost),
        8 => Just(Event::ProbeAnswered),
        2 => asked().prop_map(Event::ProbeFailed),
        2 => Just(Event::Heard),
        2 => asked().prop_map(Event::Overloaded),
        1 => Just(Event::Unsupported),
        3 => (reason, again, asked()).prop_map(|(reason, again, asked)| Event::Deregistered(reason, again, asked)),
        3 => asked().prop_map(Event::PresenceUnavailable),
        3 => Just(Event::PresenceAvailable),
        3 => Just(Event::Redirected),
        4 => (0..9_000_u64).prop_map(Event::Wait),
        1 => (0..200_000_u64).prop_map(Event::Wait),
        4 => Just(Event::WaitForDeadline),
    ]
}

/// What makes a connection: each has its own bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The pace of the attempts.
    Pace,
    /// A loss, or an end of the registration that is to be answered at once.
    Loss,
    Redirection,
}

/// What surrounds the machine, and what it remembers in order to judge.
struct World {
    machine: EndpointLifecycle,
    now: Instant,
    attempts: u32,
    /// The moments of all connections.
    connects: Vec<(Instant, Cause)>,
    /// What the agents were told last.
    told: Option<EndpointEffect>,
    /// The endpoint is connected as far as the network knows.
    is_connected: bool,
    is_answered: bool,
    up_since: Option<Instant>,
    redirections: u32,
}

#[allow(clippy::disallowed_methods, reason = "an instant to count from; the tests only add to it")]
fn start() -> Instant {
    Instant::now()
}

fn failure(asked: Option<u64>) -> Failure {
    Failure::new(FailureKind::Endpoint, EndedBy::Peer, "test").with_retry_after(asked.map(Duration::from_secs))
}

impl World {
    fn new() -> Self {
        let now = start();
        let mut world = Self {
            machine: EndpointLifecycle::new(now, POLICY),
            now,
            attempts: 0,
            connects: Vec::new(),
            told: None,
            is_connected: false,
            is_answered: false,
            up_since: None,
            redirections: 0,
        };
        world.feed(EndpointInput::Start, Cause::Pace);
        world
    }

    fn step(&mut self, event: Event) {
        let number = |present: bool| self.attempts.wrapping_sub(u32::from(!present));
        match event {
            Event::Connected(present) => {
                let attempt = number(present);
                let was_connecting = self.is_waiting_for(EndpointDeadline::Connect);
                self.is_connected |= present && was_connecting;
                self.feed(EndpointInput::Connected { attempt }, Cause::Pace);
            }
            Event::ConnectFailed(present, asked) => {
                let attempt = number(present);
                self.feed(EndpointInput::ConnectFailed { attempt, failure: failure(asked) }, Cause::Pace);
            }
            Event::PoolNotFound => {
                let attempt = number(true);
                self.feed(EndpointInput::PoolNotFound { attempt, failure: failure(None) }, Cause::Pace);
            }
            Event::ConnectionLost => {
                self.is_connected = false;
                self.is_answered = false;
                self.feed(EndpointInput::ConnectionLost { failure: failure(None) }, Cause::Loss);
            }
            Event::ProbeAnswered => {
                self.is_answered |= self.is_connected && self.is_waiting_for(EndpointDeadline::Answer);
                self.feed(EndpointInput::ProbeAnswered, Cause::Pace);
            }
            Event::ProbeFailed(asked) => {
                self.feed(EndpointInput::ProbeFailed { failure: failure(asked) }, Cause::Loss);
            }
            Event::Heard => self.feed(EndpointInput::Heard, Cause::Pace),
            Event::Overloaded(asked) => {
                let retry_after = asked.map(Duration::from_secs);
                self.feed(EndpointInput::Overloaded { retry_after }, Cause::Pace);
            }
            Event::Unsupported => self.feed(EndpointInput::Unsupported { failure: failure(None) }, Cause::Pace),
            Event::Deregistered(reason, again, asked) => {
                self.feed(EndpointInput::Deregistered { failure: failure(asked), reason, again }, Cause::Loss);
            }
            Event::PresenceUnavailable(asked) => {
                self.feed(EndpointInput::PresenceUnavailable { failure: failure(asked) }, Cause::Pace);
            }
            Event::PresenceAvailable => self.feed(EndpointInput::PresenceAvailable, Cause::Pace),
            Event::Redirected => {
                self.feed(EndpointInput::Redirected, Cause::Redirection);
            }
            Event::Wait(milliseconds) => self.wait_until(self.now + Duration::from_millis(milliseconds)),
            Event::WaitForDeadline => {
                if let Some((due, _)) = self.machine.poll_timeout() {
                    self.wait_until(due.max(self.now));
                }
            }
        }
    }

    fn is_waiting_for(&self, why: EndpointDeadline) -> bool {
        self.machine.poll_timeout().is_some_and(|(_, waits_for)| waits_for == why)
    }

    fn wait_until(&mut self, then: Instant) {
        for _ in 0..10_000 {
            let Some((due, why)) = self.machine.poll_timeout().filter(|&(due, _)| due <= then) else {
                self.now = then;
                return;
            };
            self.now = due.max(self.now);
            // A probe that nobody answers is a loss.
            let cause = if why == EndpointDeadline::Answer { Cause::Loss } else { Cause::Pace };
            self.machine.handle_timeout(self.now);
            self.perform(cause);
            let next = self.machine.poll_timeout();
            assert!(next != Some((due, why)), "it would be woken for ever: {next:?}");
        }
        panic!("it never comes to rest");
    }

    fn feed(&mut self, input: EndpointInput, cause: Cause) {
        self.machine.handle(self.now, input);
        self.perform(cause);
    }

    fn perform(&mut self, cause: Cause) {
        while let Some(effect) = self.machine.poll_effect() {
            match &effect {
                EndpointEffect::Connect { attempt } => {
                    assert_eq!(*attempt, self.attempts + 1, "attempts are numbered without gaps");
                    assert!(!self.is_connected, "a second connection");
                    self.attempts = *attempt;
                    self.is_answered = false;
                    self.judge_connect(cause);
                }
                EndpointEffect::Disconnect => {
                    self.is_connected = false;
                    self.is_answered = false;
                }
                EndpointEffect::Probe => assert!(self.is_connected, "a probe without a connection"),
                EndpointEffect::Up => {
                    assert!(self.is_connected && self.is_answered, "up without an answer of this connection");
                    assert!(!matches!(self.told, Some(EndpointEffect::Up)), "up twice");
                    self.up_since = Some(self.now);
                    self.told = Some(effect);
                }
                EndpointEffect::Paused(_) => {
                    assert!(matches!(self.told, Some(EndpointEffect::Up)), "paused after {:?}", self.told);
                    self.forget_if_steady();
                    self.told = Some(effect);
                }
                EndpointEffect::Lost(_) => {
                    let was_up = matches!(self.told, Some(EndpointEffect::Up | EndpointEffect::Paused(_)));
                    assert!(was_up, "lost after {:?}", self.told);
                    self.forget_if_steady();
                    self.told = Some(effect);
                }
                EndpointEffect::StateChanged { from, to, .. } => assert!(from != to),
                EndpointEffect::Alarm(_) => {}
                EndpointEffect::Terminated => panic!("it was not asked to end"),
            }
        }
        let is_established = self.machine.state() == EndpointState::Established;
        assert_eq!(self.machine.is_up(), is_established);
        assert_eq!(matches!(self.told, Some(EndpointEffect::Up)), is_established, "up exactly when established");
        assert!(!is_established || self.is_connected);
        assert!(!self.machine.is_over());
        let (due, _) = self.machine.poll_timeout().expect("it is never stuck");
        assert!(due <= self.now + LONGEST_WAIT, "it waits for ever");
    }

    fn forget_if_steady(&mut self) {
        let was_up = matches!(self.told, Some(EndpointEffect::Up));
        if was_up && self.up_since.is_some_and(|up| self.now > up + POLICY.recovery_interval) {
            self.redirections = 0;
        }
    }

    fn judge_connect(&mut self, cause: Cause) {
        let soon =
            |last: Option<&(Instant, Cause)>| last.is_some_and(|&(last, _)| self.now < last + POLICY.probe_interval);
        match cause {
            Cause::Pace => assert!(!soon(self.connects.last()), "faster than the probes"),
            Cause::Loss => {
                let last = self.connects.iter().rfind(|(_, cause)| *cause == Cause::Loss);
                assert!(!soon(last), "two losses answered at once within the probe interval");
            }
            Cause::Redirection => {
                self.redirections += 1;
                assert!(self.redirections <= 3, "a fourth redirection in a row is followed at once");
            }
        }
        self.connects.push((self.now, cause));
    }

    /// From now on all is well.
    fn settle(&mut self) {
        for _ in 0..10 {
            self.step(Event::Connected(true));
            self.step(Event::ProbeAnswered);
            if self.machine.is_up() {
                return;
            }
            self.step(Event::WaitForDeadline);
        }
        panic!("all is well, and it does not come up: {:?}", self.machine.view());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// Judged at every step by the world: the pace of the connections, one connection at a time, up only when the pool
    /// has answered on it, told once that it is lost, and always something to wait for. When all is well it comes up.
    #[test]
    fn whatever_happens_an_endpoint_keeps_its_pace_and_comes_up_when_it_can(
        events in prop::collection::vec(event(), 1..150),
    ) {
        let mut world = World::new();
        for event in events {
            world.step(event);
        }
        world.settle();
    }

    /// However it was, an endpoint that is asked to end ends for good, within the time that a connection takes to close.
    #[test]
    fn an_endpoint_that_is_asked_to_end_ends_for_good(events in prop::collection::vec(event(), 1..60)) {
        let mut world = World::new();
        for event in events {
            world.step(event);
        }
        let World { mut machine, now, .. } = world;
        machine.handle(now, EndpointInput::Drain);
        machine.handle(now, EndpointInput::Drained);
        if let Some((due, _)) = machine.poll_timeout() {
            prop_assert!(due <= now + Duration::from_secs(2));
            machine.handle_timeout(due);
        }
        let ends = std::iter::from_fn(|| machine.poll_effect()).filter(|it| *it == EndpointEffect::Terminated).count();
        prop_assert_eq!((ends, machine.is_over(), machine.poll_timeout()), (1, true, None));
        for input in [EndpointInput::Start, EndpointInput::Redirected, EndpointInput::PresenceAvailable] {
            machine.handle(now, input);
        }
        prop_assert_eq!(machine.poll_effect(), None);
    }
}
