//! Who pushed what, and for how long it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use presence_core::{AgentUri, Status};

use super::said::Said;

/// So many agents are held at most.
pub(super) const MAX_AGENTS: usize = 100_000;
/// So many pushers are known at most; who holds no agent is forgotten.
pub(super) const MAX_PUSHERS: usize = 1_000;

/// For how long a push holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// For so long.
    TimeToLive(Duration),
    /// As long as its pusher is heard of at least so often.
    Heartbeat(Duration),
}

impl Hold {
    /// How long the provider is told to hold it, counted from when the pusher was last heard of.
    pub(super) fn span(self) -> Duration {
        match self {
            Self::TimeToLive(time) => time,
            Self::Heartbeat(every) => every + grace(every),
        }
    }
}

/// How much later than it said a heartbeat may come: a tenth of it, at least 250 ms and at most 5 s.
pub(super) fn grace(heartbeat: Duration) -> Duration {
    (heartbeat / 10).clamp(Duration::from_millis(250), Duration::from_secs(5))
}

/// What is held of one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// Who pushed it.
    pub(super) pusher: Arc<str>,
    /// What it said.
    pub(super) said: Said,
    /// When it was pushed.
    pub(super) pushed_at: Instant,
    /// When the agent becomes unknown, unless its pusher is heard of.
    pub(super) until: Instant,
}

/// A push that has to be given to the provider again, because its pusher was heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Repeat {
    pub(super) uri: AgentUri,
    pub(super) status: Status,
    pub(super) time_to_live: Duration,
}

/// Why something is not entered into the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    #[error("{MAX_AGENTS} agents are pushed already, which is the limit; withdraw those that are no longer needed")]
    Agents,
    #[error("{MAX_PUSHERS} pushers hold agents already, which is the limit")]
    Pushers,
}

/// Whose an agent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The pusher that asks.
    Asking,
    /// Another pusher.
    Another,
    /// Nobody, or no longer.
    Nobody,
}

/// Who pushed what, and for how long it holds.
///
/// ```text
///            pushed                      pushed (the last pusher owns the agent)
///  (nobody) --------> Held { until } ----+
///     ^                |   ^             |   heard, before `until`: `until` moves
///     |                |   +-------------+
///     +----------------+
///      `until` is over, withdrawn
/// ```
///
/// The provider is told a time to live with every push, so that an agent becomes unknown even when this book dies. To be
/// heard of costs nothing but the entry of a moment. Only when the provider's time to live is about to run out for an agent
/// ([`PusherBook::poll_timeout`]), and its pusher has been heard of since, is the push given again ([`PusherBook::due`]): at
/// most once per heartbeat and agent, however often the pusher is heard of. Pure: it takes the time and keeps no clock.
#[derive(Debug, Default)]
pub(super) struct PusherBook {
    agents: BTreeMap<AgentUri, Entry>,
    pushers: BTreeMap<Arc<str>, Pusher>,
    /// When each agent has to be looked at next.
    wakes: BTreeSet<(Instant, AgentUri)>,
}

#[derive(Debug)]
struct Entry {
    pusher: Arc<str>,
    said: Said,
    pushed_at: Instant,
    /// When what the provider was told runs out.
    told_until: Instant,
    wake: Instant,
}

#[derive(Debug)]
struct Pusher {
    heard: Instant,
    agents: usize,
    /// Its agents that hold by a heartbeat, by that heartbeat.
    beats: BTreeMap<Duration, BTreeSet<AgentUri>>,
    /// Those of them whose heartbeat is late: they are about to run out.
    late: BTreeSet<AgentUri>,
}

impl PusherBook {
    /// Whether there is room for this push, when so many new agents are about to be entered already.
    pub(super) fn room(&mut self, now: Instant, pusher: &str, uri: &AgentUri, coming: usize) -> Result<(), Full> {
        if self.is_full(pusher, uri, coming).is_some() {
            self.lapse(now);
        }
        self.is_full(pusher, uri, coming).map_or(Ok(()), Err)
    }

    fn is_full(&self, pusher: &str, uri: &AgentUri, coming: usize) -> Option<Full> {
        if self.agents.len() + coming >= MAX_AGENTS && !self.agents.contains_key(uri) {
            return Some(Full::Agents);
        }
        (self.pushers.len() >= MAX_PUSHERS && !self.pushers.contains_key(pusher)).then_some(Full::Pushers)
    }

    /// The provider has taken a push: it is this pusher's now, whosever it was.
    pub(super) fn pushed(&mut self, now: Instant, pusher: &Arc<str>, uri: &AgentUri, said: Said) {
        self.heard(now, pusher);
        self.forget(uri);
        let hold = said.hold;
        let told_until = now + hold.span();
        let wake = match hold {
            Hold::TimeToLive(_) => told_until,
            Hold::Heartbeat(every) => told_until - grace(every),
        };
        let known = self.pushers.entry(Arc::clone(pusher));
        let known =
            known.or_insert_with(|| Pusher { heard: now, agents: 0, beats: BTreeMap::new(), late: BTreeSet::new() });
        known.agents += 1;
        if let Hold::Heartbeat(every) = hold {
            known.beats.entry(every).or_default().insert(uri.clone());
        }
        self.wakes.insert((wake, uri.clone()));
        let entry = Entry { pusher: Arc::clone(pusher), said, pushed_at: now, told_until, wake };
        self.agents.insert(uri.clone(), entry);
    }

    /// A pusher was heard of; says how many of its agents hold because of that. What has lapsed does not come back. Ask
    /// [`PusherBook::poll_timeout`] again.
    pub(super) fn heard(&mut self, now: Instant, pusher: &str) -> usize {
        self.lapse_of(now, pusher);
        let Some(known) = self.pushers.get_mut(pusher) else { return 0 };
        known.heard = known.heard.max(now);
        let kept = known.beats.values().map(BTreeSet::len).sum();
        // What was about to run out is given again at once.
        for uri in std::mem::take(&mut known.late) {
            if let Some(entry) = self.agents.get_mut(&uri) {
                self.wakes.remove(&(entry.wake, uri.clone()));
                entry.wake = now;
                self.wakes.insert((now, uri));
            }
        }
        kept
    }

    /// How many agents are held, and how many pushers hold them.
    pub(super) fn counts(&mut self, now: Instant) -> (usize, usize) {
        self.lapse(now);
        (self.agents.len(), self.pushers.len())
    }

    /// Whose an agent is, seen from a pusher.
    pub(super) fn owner(&self, now: Instant, pusher: &str, uri: &AgentUri) -> Owner {
        match self.held(now, uri) {
            Some(held) if held.pusher.as_ref() == pusher => Owner::Asking,
            Some(_) => Owner::Another,
            None => Owner::Nobody,
        }
    }

    /// What is held of an agent.
    pub(super) fn held(&self, now: Instant, uri: &AgentUri) -> Option<Held> {
        let entry = self.agents.get(uri)?;
        let until = self.until(entry);
        (until > now).then(|| Held {
            pusher: Arc::clone(&entry.pusher),
            said: entry.said.clone(),
            pushed_at: entry.pushed_at,
            until,
        })
    }

    /// Strikes an agent out, because it was withdrawn.
    pub(super) fn forget(&mut self, uri: &AgentUri) {
        let Some(entry) = self.agents.remove(uri) else { return };
        self.wakes.remove(&(entry.wake, uri.clone()));
        let Some(pusher) = self.pushers.get_mut(&entry.pusher) else { return };
        pusher.agents -= 1;
        pusher.late.remove(uri);
        if let Hold::Heartbeat(every) = entry.said.hold
            && let Some(agents) = pusher.beats.get_mut(&every)
        {
            agents.remove(uri);
            if agents.is_empty() {
                pusher.beats.remove(&every);
            }
        }
        if pusher.agents == 0 {
            self.pushers.remove(&entry.pusher);
        }
    }

    /// Strikes out what has run out, and says what has to be given to the provider again: at most `most` of it; ask again
    /// until there is nothing. It counts as given.
    pub(super) fn due(&mut self, now: Instant, most: usize) -> Vec<Repeat> {
        let mut repeats = Vec::new();
        while repeats.len() < most {
            let Some((wake, uri)) = self.wakes.first().cloned().filter(|(wake, _)| *wake <= now) else { break };
            let Some(until) = self.agents.get(&uri).map(|entry| self.until(entry)) else {
                self.wakes.pop_first();
                continue;
            };
            if until <= now {
                self.forget(&uri);
                continue;
            }
            let Some(entry) = self.agents.get_mut(&uri) else { continue };
            self.wakes.remove(&(wake, uri.clone()));
            if until > entry.told_until {
                repeats.push(Repeat {
                    uri: uri.clone(),
                    status: entry.said.status.clone(),
                    time_to_live: until.saturating_duration_since(now),
                });
                entry.told_until = until;
                let grace = if let Hold::Heartbeat(every) = entry.said.hold { grace(every) } else { Duration::ZERO };
                entry.wake = (until - grace).max(now + Duration::from_millis(1));
            } else {
                // Not heard of for so long: it runs out, unless its pusher is heard of yet.
                entry.wake = until;
                if let Some(pusher) = self.pushers.get_mut(&entry.pusher) {
                    pusher.late.insert(uri.clone());
                }
            }
            self.wakes.insert((entry.wake, uri));
        }
        repeats
    }

    /// When [`PusherBook::due`] has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.wakes.first().map(|(wake, _)| *wake)
    }

    /// When an agent becomes unknown, unless its pusher is heard of.
    fn until(&self, entry: &Entry) -> Instant {
        match (entry.said.hold, self.pushers.get(&entry.pusher)) {
            (Hold::Heartbeat(_), Some(pusher)) => pusher.heard + entry.said.hold.span(),
            (Hold::TimeToLive(_), _) | (Hold::Heartbeat(_), None) => entry.told_until,
        }
    }

    /// Strikes out whatever has run out.
    fn lapse(&mut self, now: Instant) {
        let over: Vec<AgentUri> =
            self.wakes.iter().take_while(|(wake, _)| *wake <= now).map(|(_, uri)| uri.clone()).collect();
        for uri in over {
            if self.agents.get(&uri).is_some_and(|entry| self.until(entry) <= now) {
                self.forget(&uri);
            }
        }
    }

    /// Strikes out what a pusher has let run out, before it is heard of again.
    fn lapse_of(&mut self, now: Instant, pusher: &str) {
        let Some(known) = self.pushers.get(pusher) else { return };
        let over = known.beats.iter().take_while(|(every, _)| known.heard + Hold::Heartbeat(**every).span() <= now);
        let over: Vec<AgentUri> = over.flat_map(|(_, agents)| agents.iter().cloned()).collect();
        for uri in &over {
            self.forget(uri);
        }
    }
}

#[cfg(test)]
mod tests;
