//! The presence of an agent on an ordinary telephone line.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::{
    AgentUri, Availability, Deadline, Modalities, Modality, Presence, Publication, SourceEffect, SourceKind, Status,
};

/// What happens to a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineInput {
    /// At least one UCC wants the agent.
    Wanted,
    /// No UCC wants the agent any more.
    Unwanted,
    /// This many calls of this service are on the line now ([`crate::Calls::in_call`]).
    InCalls(u32),
}

/// The presence of a PSTN agent: busy while this service has a call on the line, available otherwise.
///
/// ```text
///              Wanted, no call                InCalls(1..)
///  Unwatched ------------------> Available -----------------> Busy (6500, on-the-phone)
///     ^  |     Wanted, in call       ^  |       InCalls(0)      |  ^
///     |  +---------------------------|--|-----------------------|--+
///     +------------- Unwanted -------+--+-----------------------+
/// ```
///
/// The number of calls is known whether anybody watches or not. The same four methods as every machine: after
/// [`Line::handle`] drain [`Line::poll_effect`]; there is never a deadline.
#[derive(Clone, Debug)]
pub struct Line {
    state: State,
    publication: Publication,
    effects: VecDeque<SourceEffect>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unwatched { calls: u32 },
    Available,
    Busy { calls: u32 },
}

impl State {
    const fn watched(calls: u32) -> Self {
        if calls == 0 { Self::Available } else { Self::Busy { calls } }
    }
}

impl Line {
    /// A line without calls that nobody watches.
    #[must_use]
    pub fn new(now: Instant, uri: AgentUri) -> Self {
        Self {
            state: State::Unwatched { calls: 0 },
            publication: Publication::new(now, uri, SourceKind::Pstn),
            effects: VecDeque::new(),
        }
    }

    /// Takes an input.
    pub fn handle(&mut self, now: Instant, input: LineInput) {
        match (self.state, input) {
            (State::Unwatched { calls }, LineInput::Wanted) => self.enter(now, State::watched(calls), "wanted"),
            (State::Unwatched { .. }, LineInput::InCalls(calls)) => {
                self.enter(now, State::Unwatched { calls }, "calls counted unwatched");
            }
            (State::Available | State::Busy { .. }, LineInput::InCalls(calls)) => {
                self.enter(now, State::watched(calls), "calls counted");
            }
            (State::Available, LineInput::Unwanted) => self.enter(now, State::Unwatched { calls: 0 }, "unwanted"),
            (State::Busy { calls }, LineInput::Unwanted) => self.enter(now, State::Unwatched { calls }, "unwanted"),
            // Said again: nothing is new.
            (State::Unwatched { .. }, LineInput::Unwanted)
            | (State::Available | State::Busy { .. }, LineInput::Wanted) => {}
        }
    }

    /// A line has no deadline; a spurious call changes nothing.
    pub const fn handle_timeout(&mut self, _now: Instant) {}

    /// The next thing to do.
    pub fn poll_effect(&mut self) -> Option<SourceEffect> {
        self.effects.pop_front()
    }

    /// Never: a line changes only when a call begins or ends.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<(Instant, Deadline)> {
        None
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

    fn enter(&mut self, now: Instant, next: State, why: &'static str) {
        tracing::trace!(uri = %self.publication.uri(), from = ?self.state, to = ?next, why);
        self.state = next;
        let change = match next {
            State::Unwatched { .. } => self.publication.forget(now),
            State::Available => self.publication.observe(now, status(Availability::ONLINE, "")),
            State::Busy { .. } => self.publication.observe(now, status(Availability::BUSY, "on-the-phone")),
        };
        self.effects.extend(change.map(SourceEffect::Publish));
    }
}

/// A telephone carries voice and nothing else.
fn status(availability: Availability, activity: &str) -> Status {
    let modalities = Modalities { audio: Modality::Enabled, video: Modality::Disabled, text: Modality::Disabled };
    Status { modalities, ..Status::of(availability) }.with_activity(activity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DeviceType, Freshness};

    type Published = (i32, Option<String>);

    fn published(line: &mut Line) -> Vec<Published> {
        std::iter::from_fn(|| line.poll_effect())
            .map(|SourceEffect::Publish(change)| {
                let status = &change.new.status;
                (status.availability.value(), status.activity.as_deref().map(str::to_owned))
            })
            .collect()
    }

    fn line() -> (Instant, Line) {
        let now = crate::test_clock::start();
        (now, Line::new(now, "tel:+31612345678".parse().expect("valid")))
    }

    #[test]
    fn a_line_is_busy_while_any_call_is_on_it() {
        let (now, mut line) = line();
        let busy = (6500, Some("on-the-phone".to_owned()));
        let steps: [(LineInput, &[Published]); 6] = [
            (LineInput::Wanted, &[(3500, None)]),
            (LineInput::Wanted, &[]),
            (LineInput::InCalls(1), &[busy]),
            (LineInput::InCalls(2), &[]),
            (LineInput::InCalls(1), &[]),
            (LineInput::InCalls(0), &[(3500, None)]),
        ];
        for (input, expected) in steps {
            line.handle(now, input);
            assert_eq!(published(&mut line), expected, "{input:?}");
        }
        let status = &line.presence().status;
        assert_eq!(status.modalities.audio, Modality::Enabled);
        assert_eq!((status.modalities.video, status.modalities.text), (Modality::Disabled, Modality::Disabled));
        assert_eq!((status.device, line.sequence()), (DeviceType::Undefined, 3));
        assert_eq!(line.poll_timeout(), None);
    }

    #[test]
    fn calls_that_began_unwatched_count_when_the_agent_is_wanted() {
        let (now, mut line) = line();
        line.handle(now, LineInput::InCalls(1));
        assert_eq!(published(&mut line), []);
        assert_eq!(line.presence().freshness, Freshness::Unknown);
        line.handle(now, LineInput::Wanted);
        assert_eq!(published(&mut line), [(6500, Some("on-the-phone".to_owned()))]);
        line.handle(now, LineInput::Unwanted);
        assert_eq!(published(&mut line), [(-1, None)]);
        line.handle(now, LineInput::Wanted);
        assert_eq!(published(&mut line), [(6500, Some("on-the-phone".to_owned()))]);
    }
}
