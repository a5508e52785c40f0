//! The presence of an agent that a third party pushes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::{AgentUri, Deadline, Freshness, Presence, Publication, PushedMemory, SourceEffect, SourceKind, Status};

/// The longest time that one push can be good for; a longer one is shortened to it.
pub const MAX_TIME_TO_LIVE: Duration = Duration::from_secs(24 * 60 * 60);

/// What happens to a pushed presence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushedInput {
    /// The third party says this, good for this long.
    Push {
        /// The status.
        status: Status,
        /// How long it is good for, at most [`MAX_TIME_TO_LIVE`].
        time_to_live: Duration,
    },
    /// The third party takes its word back.
    Withdraw,
}

/// The presence of an agent of the attendant source: what was pushed last, until it runs out.
///
/// ```text
///            Push                        Push (expiry moves)
///  Unknown --------> Known { expires_at } ----+
///     ^                  |   ^                |
///     |                  |   +----------------+
///     +------------------+
///      expiry, Withdraw
/// ```
///
/// A push counts whether anybody watches or not. After [`Pushed::handle`] and [`Pushed::handle_timeout`] drain
/// [`Pushed::poll_effect`], then arm one timer at [`Pushed::poll_timeout`].
#[derive(Clone, Debug)]
pub struct Pushed {
    state: State,
    publication: Publication,
    effects: VecDeque<SourceEffect>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unknown,
    Known { expires_at: Instant },
}

impl Pushed {
    /// An agent of whom nothing was pushed yet.
    #[must_use]
    pub fn new(now: Instant, uri: AgentUri) -> Self {
        Self {
            state: State::Unknown,
            publication: Publication::new(now, uri, SourceKind::Attendant),
            effects: VecDeque::new(),
        }
    }

    /// Goes on with what an earlier process was told: stale until it is pushed again or its time to live is over.
    #[must_use]
    pub fn resume(now: Instant, uri: AgentUri, memory: PushedMemory) -> Self {
        let PushedMemory { presence, sequence, expires_at } = memory;
        if expires_at <= now {
            return Self::new(now, uri);
        }
        let expires_at = expires_at.min(now + MAX_TIME_TO_LIVE);
        let presence = Arc::new(Presence { freshness: Freshness::Stale, ..(*presence).clone() });
        Self {
            state: State::Known { expires_at },
            publication: Publication::resume(uri, presence, sequence, None),
            effects: VecDeque::new(),
        }
    }

    /// What the next process should know; none when nothing holds.
    #[must_use]
    pub fn memory(&self) -> Option<PushedMemory> {
        match self.state {
            State::Unknown => None,
            State::Known { expires_at } => {
                Some(PushedMemory { presence: Arc::clone(self.presence()), sequence: self.sequence(), expires_at })
            }
        }
    }

    /// Takes an input.
    pub fn handle(&mut self, now: Instant, input: PushedInput) {
        match (self.state, input) {
            (State::Unknown | State::Known { .. }, PushedInput::Push { status, time_to_live }) => {
                self.enter(State::Known { expires_at: now + time_to_live.min(MAX_TIME_TO_LIVE) }, "pushed");
                let change = self.publication.observe(now, status);
                self.effects.extend(change.map(SourceEffect::Publish));
            }
            (State::Known { .. }, PushedInput::Withdraw) => self.forget(now, "withdrawn"),
            // There is nothing to take back.
            (State::Unknown, PushedInput::Withdraw) => {}
        }
    }

    /// Forgets what has run out.
    pub fn handle_timeout(&mut self, now: Instant) {
        match self.state {
            State::Known { expires_at } if expires_at <= now => self.forget(now, "time to live is over"),
            State::Known { .. } | State::Unknown => {}
        }
    }

    /// The next thing to do.
    pub fn poll_effect(&mut self) -> Option<SourceEffect> {
        self.effects.pop_front()
    }

    /// When the pushed value runs out.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<(Instant, Deadline)> {
        match self.state {
            State::Known { expires_at } => Some((expires_at, Deadline::Expiry)),
            State::Unknown => None,
        }
    }

    /// What holds now.
    #[must_use]
    pub const fn presence(&self) -> &Arc<Presence> {
        self.publication.current()
    }

    /// The number of the last change; 0 before the first.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.publication.sequence()
    }

    fn forget(&mut self, now: Instant, why: &'static str) {
        self.enter(State::Unknown, why);
        let change = self.publication.forget(now);
        self.effects.extend(change.map(SourceEffect::Publish));
    }

    fn enter(&mut self, next: State, why: &'static str) {
        tracing::trace!(uri = %self.publication.uri(), from = ?self.state, to = ?next, why);
        self.state = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Availability, Freshness};

    fn pushed() -> (Instant, Pushed) {
        let now = crate::test_clock::start();
        (now, Pushed::new(now, "sip:user1@domain.com".parse().expect("valid")))
    }

    fn push(availability: Availability, seconds: u64) -> PushedInput {
        PushedInput::Push { status: Status::of(availability), time_to_live: Duration::from_secs(seconds) }
    }

    fn published(pushed: &mut Pushed) -> Vec<i32> {
        std::iter::from_fn(|| pushed.poll_effect())
            .map(|SourceEffect::Publish(change)| change.new.status.availability.value())
            .collect()
    }

    #[test]
    fn a_push_holds_until_its_time_to_live_is_over_and_then_the_agent_is_unknown() {
        let (start, mut pushed) = pushed();
        pushed.handle(start, push(Availability::AWAY, 60));
        assert_eq!(published(&mut pushed), [15500]);
        let end = start + Duration::from_secs(60);
        assert_eq!(pushed.poll_timeout(), Some((end, Deadline::Expiry)));
        pushed.handle_timeout(end - Duration::from_nanos(1));
        assert_eq!(published(&mut pushed), [0; 0]);
        pushed.handle_timeout(end);
        assert_eq!(published(&mut pushed), [-1]);
        assert_eq!((pushed.presence().freshness, pushed.poll_timeout()), (Freshness::Unknown, None));
        pushed.handle_timeout(end);
        assert_eq!(published(&mut pushed), [0; 0]);
    }

    #[test]
    fn a_repeat_moves_the_expiry_and_is_no_change() {
        let (start, mut pushed) = pushed();
        pushed.handle(start, push(Availability::AWAY, 60));
        let later = start + Duration::from_secs(50);
        pushed.handle(later, push(Availability::AWAY, 60));
        assert_eq!(published(&mut pushed), [15500]);
        assert_eq!(pushed.poll_timeout(), Some((later + Duration::from_secs(60), Deadline::Expiry)));
        pushed.handle(later, push(Availability::BUSY, u64::MAX));
        assert_eq!(published(&mut pushed), [6500]);
        assert_eq!(pushed.poll_timeout(), Some((later + MAX_TIME_TO_LIVE, Deadline::Expiry)));
    }

    #[test]
    fn what_an_earlier_process_was_told_is_stale_until_it_is_pushed_again_or_has_run_out() {
        let (start, mut before) = pushed();
        assert_eq!(before.memory(), None);
        before.handle(start, push(Availability::AWAY, 60));
        let memory = before.memory().expect("it holds");
        let uri = || "sip:user1@domain.com".parse().expect("valid");
        let later = start + Duration::from_secs(20);
        let mut after = Pushed::resume(later, uri(), memory.clone());
        assert_eq!((after.presence().freshness, after.presence().since), (Freshness::Stale, start));
        assert_eq!(after.poll_timeout(), Some((start + Duration::from_secs(60), Deadline::Expiry)));
        assert_eq!(published(&mut after), [0; 0]);
        after.handle(later, push(Availability::AWAY, 60));
        assert_eq!((published(&mut after), after.presence().freshness), (vec![15500], Freshness::Fresh));
        assert_eq!((after.presence().since, after.sequence()), (start, 2));
        let over = Pushed::resume(start + Duration::from_secs(60), uri(), memory);
        assert_eq!((over.presence().freshness, over.poll_timeout()), (Freshness::Unknown, None));
    }

    #[test]
    fn a_withdrawn_push_is_unknown_at_once() {
        let (start, mut pushed) = pushed();
        pushed.handle(start, PushedInput::Withdraw);
        pushed.handle(start, push(Availability::AWAY, 60));
        pushed.handle(start, PushedInput::Withdraw);
        assert_eq!(published(&mut pushed), [15500, -1]);
        assert_eq!((pushed.sequence(), pushed.poll_timeout()), (2, None));
    }
}
