//! Who is asked next whether the server still tells.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use adopted::Adopted;

use crate::{AgentUri, Attempt, EndpointKind, EndpointSet, SampleOutcome};

mod adopted;
#[cfg(test)]
mod tests;

/// How many samples are under way at most.
const MOST_UNDER_WAY: usize = 64;

/// A sample of which nothing was heard for so long will not be heard of: two queries and what they wait for take less.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(300);

/// From one sample to the next after the first loss.
const ALARMED: Duration = Duration::from_secs(1);

/// So many samples in a row that found nothing lower the rate to its half.
const CALMING: u32 = 20;

/// Samples take at most this part of the rate at which agents are put on the wire.
const SHARE: u32 = 4;

/// Whom a [`Sampler`] may choose: agents with a fresh value in a standing dialog, in a fixed order.
pub trait Sampleable {
    /// How many agents there are, whatever their state.
    fn len(&self) -> usize;

    /// True when there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The agent at this place of the order, whatever its state.
    fn at(&self, place: usize) -> Option<AgentUri>;

    /// The first one behind this agent that can be sampled through one of these endpoints; from the beginning for `None`.
    fn next(&self, behind: Option<&AgentUri>, through: EndpointSet) -> Option<AgentUri>;
}

/// Whose turn it is, and what is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pick {
    /// Compare what is held of this agent with what the server says ([`crate::SubscriptionInput::Sample`]).
    Compare(AgentUri),
    /// Refresh the dialog of this attempt ([`crate::SubscriptionInput::RefreshWanted`]): only the dialog itself tells whether
    /// the server still has it, as a value that has not changed says nothing.
    Refresh(AgentUri, Attempt),
}

/// Picks the agents whose held value is compared with what the server says, at a low rate.
///
/// ```text
///                                loss                       loss: twice the rate, up to a quarter of the configured one
///   calm: one per interval ---------------> alarmed: one per second more, through the endpoints with losses --+
///     ^      (goes on)                         |  ^                                                           |
///     |                                        |  +-----------------------------------------------------------+
///     +---- 20 clean samples at the lowest ----+---- 20 clean samples: half the rate
/// ```
/// In each of the two lanes agents follow each other in their order, from a random one on, so that everybody's turn comes
/// within as many intervals as there are agents. Nobody is sampled twice at a time, and 64 samples are under way at most.
///
/// A dialog that was adopted after a loss of the connection may be ended by the server without a word, because a NOTIFY was cut
/// with the connection. From 35 s after the adoption on the turns of the calm lane are such dialogs' first, the oldest before the
/// others, until all of them were asked about; 4,096 are remembered.
///
/// When [`Sampler::poll_timeout`] has come, take [`Sampler::pick`] until it is `None`, and tell every
/// [`crate::SubscriptionEffect::Sampled`] to [`Sampler::sampled`].
#[derive(Clone, Debug)]
pub struct Sampler {
    interval: Duration,
    /// The shortest time between two samples of an alarm.
    shortest: Duration,
    random: u64,
    calm: Lane,
    alarm: Option<Alarm>,
    under_way: BTreeMap<AgentUri, Instant>,
    adopted: Adopted,
}

#[derive(Clone, Debug)]
struct Lane {
    due: Instant,
    /// Who was picked last.
    last: Option<AgentUri>,
}

#[derive(Clone, Debug)]
struct Alarm {
    lane: Lane,
    through: EndpointSet,
    gap: Duration,
    /// Samples in a row that found nothing.
    clean: u32,
}

impl Lane {
    /// The next one in this lane. Its next turn is a gap later, whether there was somebody or not.
    fn pick(
        &mut self,
        now: Instant,
        gap: Duration,
        agents: &impl Sampleable,
        through: EndpointSet,
    ) -> Option<AgentUri> {
        self.due = now + gap;
        let next = agents.next(self.last.as_ref(), through).or_else(|| agents.next(None, through))?;
        self.last = Some(next.clone());
        Some(next)
    }
}

impl Sampler {
    /// A sampler that begins an interval from now; `random` decides with whom. `per_second` is the rate at which agents are
    /// put on the wire (MaxPresenceSubscriptionsPerSecond).
    #[must_use]
    pub fn new(now: Instant, interval: Duration, per_second: NonZeroU32, random: u64) -> Self {
        let interval = interval.max(Duration::from_millis(1));
        let shortest = (Duration::from_secs(1) * SHARE / per_second.get()).min(interval);
        let calm = Lane { due: now + interval, last: None };
        Self { interval, shortest, random, calm, alarm: None, under_way: BTreeMap::new(), adopted: Adopted::default() }
    }

    /// The next agent to be asked about; `None` when nothing is due, or nobody can be.
    pub fn pick(&mut self, now: Instant, agents: &impl Sampleable) -> Option<Pick> {
        self.under_way.retain(|_, since| *since + FORGOTTEN_AFTER > now);
        if self.calm.due <= now {
            if let Some((uri, attempt)) = self.adopted.take(now) {
                self.calm.due = now + self.interval;
                return Some(Pick::Refresh(uri, attempt));
            }
            self.begin_anywhere(agents);
            let all = EndpointKind::ALL.into_iter().collect();
            let picked = self.calm.pick(now, self.interval, agents, all);
            if let Some(picked) = self.begin(now, picked) {
                return Some(Pick::Compare(picked));
            }
        }
        let alarm = self.alarm.as_mut().filter(|alarm| alarm.lane.due <= now)?;
        let picked = alarm.lane.pick(now, alarm.gap, agents, alarm.through);
        self.begin(now, picked).map(Pick::Compare)
    }

    /// The server has confirmed a dialog of this attempt that outlived a loss of the connection.
    pub fn adopted(&mut self, now: Instant, uri: &AgentUri, attempt: Attempt) {
        self.adopted.add(now, uri, attempt);
    }

    /// What came of a sample.
    pub fn sampled(&mut self, now: Instant, uri: &AgentUri, via: EndpointKind, outcome: SampleOutcome) {
        self.under_way.remove(uri);
        match outcome {
            SampleOutcome::Lost => self.lost(now, uri, via),
            SampleOutcome::Same => self.clean(),
            // They say neither that the server tells nor that it does not.
            SampleOutcome::Void | SampleOutcome::Unanswered | SampleOutcome::Skipped => {}
        }
    }

    /// When [`Sampler::pick`] wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        self.alarm.as_ref().map_or(self.calm.due, |alarm| alarm.lane.due.min(self.calm.due))
    }

    /// True while losses have raised the rate.
    #[must_use]
    pub const fn is_alarmed(&self) -> bool {
        self.alarm.is_some()
    }

    /// From one sample to the next at present.
    #[must_use]
    pub fn gap(&self) -> Duration {
        self.alarm.as_ref().map_or(self.interval, |alarm| alarm.gap)
    }

    fn begin_anywhere(&mut self, agents: &impl Sampleable) {
        if self.calm.last.is_none() && !agents.is_empty() {
            let place = self.random % u64::try_from(agents.len()).unwrap_or(u64::MAX);
            self.calm.last = usize::try_from(place).ok().and_then(|place| agents.at(place));
        }
    }

    fn begin(&mut self, now: Instant, picked: Option<AgentUri>) -> Option<AgentUri> {
        let picked = picked.filter(|uri| self.under_way.len() < MOST_UNDER_WAY && !self.under_way.contains_key(uri))?;
        self.under_way.insert(picked.clone(), now);
        Some(picked)
    }

    fn lost(&mut self, now: Instant, uri: &AgentUri, via: EndpointKind) {
        let first = ALARMED.clamp(self.shortest, self.interval.max(self.shortest));
        match &mut self.alarm {
            Some(alarm) => {
                alarm.through.insert(via);
                alarm.clean = 0;
                alarm.gap = (alarm.gap / 2).max(self.shortest);
                alarm.lane.due = alarm.lane.due.min(now + alarm.gap);
            }
            None => {
                let lane = Lane { due: now + first, last: Some(uri.clone()) };
                let through = [via].into_iter().collect();
                self.alarm = Some(Alarm { lane, through, gap: first, clean: 0 });
            }
        }
    }

    fn clean(&mut self) {
        let Some(alarm) = &mut self.alarm else { return };
        alarm.clean += 1;
        if alarm.clean >= CALMING {
            alarm.clean = 0;
            alarm.gap *= 2;
            if alarm.gap > ALARMED.max(self.shortest) {
                self.alarm = None;
            }
        }
    }
}
