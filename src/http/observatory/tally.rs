//! How many agents stand how.

use presence_actors::AgentView;
use presence_core::{EndpointKind, Freshness, SourceKind};

use crate::http::convert::state_of;
use crate::http::model::{AgentCounts, AgentState};

/// How many agents stand how, in more detail than the API tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// As the API tells it.
    pub(super) counts: AgentCounts,
    /// On their way to the wire without having failed, and without fresh presence.
    pub(super) missing: usize,
    /// Of those that are `missing`, the ones that had a presence: it is stale now.
    pub(super) lost: usize,
    /// Of those that are `missing`, the ones that are not in the throttle's queue: they wait for an endpoint.
    pub(super) unqueued: usize,
    /// The subscription stands, and the pool has not told a presence yet.
    pub(super) silent: usize,
    /// Microsoft Graph has them, and stands behind no value of theirs: not answered yet, or its tenant cannot be asked.
    pub(super) unheard: usize,
    /// Without fresh presence because of a failure of their own: they back off or are tried again, were given up, or are
    /// in quarantine.
    pub(super) aside: usize,
    /// Pushed agents of which nothing is known, since nobody pushes.
    pub(super) unpushed: usize,
    /// Pushed agents with a value from before the restart, which nobody has pushed again.
    pub(super) not_pushed_again: usize,
    /// Subscriptions that stand, of the application endpoint and of the user endpoint.
    pub(super) served: [usize; 2],
}

impl Tally {
    /// Counts the agents of one source.
    #[must_use]
    pub(super) fn of<'a>(source: SourceKind, agents: impl IntoIterator<Item = &'a AgentView>) -> Self {
        let mut tally = Self::default();
        for agent in agents {
            tally.add(source, agent);
        }
        tally
    }

    fn add(&mut self, source: SourceKind, agent: &AgentView) {
        let counts = &mut self.counts;
        counts.total += 1;
        match agent.presence.freshness {
            Freshness::Fresh => counts.fresh += 1,
            Freshness::Stale => counts.stale += 1,
            Freshness::Unknown => counts.unknown += 1,
        }
        let is_fresh = agent.presence.freshness == Freshness::Fresh;
        match state_of(agent) {
            AgentState::Served => {
                if source == SourceKind::Attendant {
                    self.unpushed += usize::from(agent.presence.freshness == Freshness::Unknown);
                    self.not_pushed_again += usize::from(agent.presence.freshness == Freshness::Stale);
                }
            }
            state @ (AgentState::WaitingForEndpoint | AgentState::AwaitingToken | AgentState::Subscribing) => {
                counts.pending += 1;
                let has_failed = agent.subscription.as_ref().is_some_and(|subscription| subscription.failures > 0);
                if has_failed {
                    self.aside += usize::from(!is_fresh);
                } else if !is_fresh {
                    self.missing += 1;
                    self.lost += usize::from(agent.presence.freshness == Freshness::Stale);
                    self.unqueued += usize::from(state == AgentState::WaitingForEndpoint);
                }
            }
            AgentState::Active => {
                if source == SourceKind::MsGraph {
                    self.unheard += usize::from(!is_fresh);
                    return;
                }
                self.silent += usize::from(!is_fresh);
                match agent.subscription.as_ref().and_then(|subscription| subscription.via) {
                    Some(EndpointKind::Application) => self.served[0] += 1,
                    Some(EndpointKind::User) => self.served[1] += 1,
                    None => {}
                }
            }
            AgentState::BackingOff => {
                counts.backing_off += 1;
                self.aside += usize::from(!is_fresh);
            }
            AgentState::Abandoned => {
                counts.abandoned += 1;
                self.aside += usize::from(!is_fresh);
            }
            AgentState::Quarantined => {
                counts.quarantined += 1;
                self.aside += usize::from(!is_fresh);
            }
            AgentState::Idle | AgentState::Withdrawing | AgentState::Releasing | AgentState::Unsubscribing => {}
        }
    }

    /// How many agents an endpoint serves.
    #[must_use]
    pub(super) const fn served_by(&self, kind: EndpointKind) -> usize {
        match kind {
            EndpointKind::Application => self.served[0],
            EndpointKind::User => self.served[1],
        }
    }

    /// Both together.
    #[must_use]
    pub(super) const fn and(self, other: Self) -> Self {
        let (a, b) = (self.counts, other.counts);
        Self {
            counts: AgentCounts {
                total: a.total + b.total,
                fresh: a.fresh + b.fresh,
                stale: a.stale + b.stale,
                unknown: a.unknown + b.unknown,
                abandoned: a.abandoned + b.abandoned,
                quarantined: a.quarantined + b.quarantined,
                pending: a.pending + b.pending,
                backing_off: a.backing_off + b.backing_off,
            },
            missing: self.missing + other.missing,
            lost: self.lost + other.lost,
            unqueued: self.unqueued + other.unqueued,
            silent: self.silent + other.silent,
            unheard: self.unheard + other.unheard,
            aside: self.aside + other.aside,
            unpushed: self.unpushed + other.unpushed,
            not_pushed_again: self.not_pushed_again + other.not_pushed_again,
            served: [self.served[0] + other.served[0], self.served[1] + other.served[1]],
        }
    }
}
