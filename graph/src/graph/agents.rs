//! The agents: in which tenant each is a user.

use std::time::Instant;

use presence_core::{AgentUri, Attempt, EndedBy, Failure, FailureKind, SubscriptionInput};

use super::{Graph, GraphEffect};
use crate::ObjectId;

/// Of so many agents it is remembered in which tenant they were found.
const MOST_HOMES: usize = 100_000;

/// One agent.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) attempt: Attempt,
    pub(super) tenant: u16,
    pub(super) place: Place,
}

/// Where an agent is in its life.
#[derive(Debug)]
pub(super) enum Place {
    /// Its user is looked up in its tenant; those have none.
    LookingUp { unknown_in: Box<[u16]> },
    /// Its user is polled.
    Member(ObjectId),
}

impl Graph {
    pub(super) fn register(&mut self, now: Instant, uri: AgentUri, attempt: Attempt) {
        self.effects.push_back(GraphEffect::Feed { uri: uri.clone(), input: SubscriptionInput::Joined { attempt } });
        if let Some(agent) = self.agents.get_mut(&uri) {
            agent.attempt = attempt;
            if let Place::Member(user) = agent.place {
                let status = self.tenants[usize::from(agent.tenant)].present(user);
                let notified = |status| SubscriptionInput::Notified { attempt, status: Some(status), expires: None };
                self.effects.extend(status.map(notified).map(|input| GraphEffect::Feed { uri, input }));
            }
            return;
        }
        let place = Place::LookingUp { unknown_in: Box::default() };
        self.agents.insert(uri.clone(), Agent { attempt, tenant: 0, place });
        let detail = "no tenant is configured for its domain";
        self.look_up(now, &uri, Box::default(), Failure::new(FailureKind::NotFound, EndedBy::Us, detail));
    }

    pub(super) fn unregister(&mut self, now: Instant, uri: &AgentUri, attempt: Attempt) {
        if self.agents.get(uri).is_none_or(|agent| agent.attempt != attempt) {
            return;
        }
        let input = SubscriptionInput::Ended { attempt };
        self.effects.push_back(GraphEffect::Feed { uri: uri.clone(), input });
        let Some(agent) = self.remove(uri) else { return };
        let index = usize::from(agent.tenant);
        if let Some(tenant) = self.tenants.get_mut(index) {
            match agent.place {
                Place::LookingUp { .. } => tenant.forget(uri),
                Place::Member(user) => tenant.leave(now, user, uri),
            }
            self.busy.insert(index);
        }
    }

    fn remove(&mut self, uri: &AgentUri) -> Option<Agent> {
        self.absent_from.remove(uri);
        self.agents.remove(uri)
    }

    /// The tenants whose user the agent may be: where it was found before, those that have its domain, else those that say
    /// nothing of domains, in the order of the file.
    fn candidates(&self, uri: &AgentUri) -> Vec<u16> {
        let tenants = || self.settings.tenants.iter().zip(0_u16..);
        let of_domain = |host| tenants().filter(move |(tenant, _)| tenant.domains.contains(host));
        let mut candidates: Vec<u16> = uri.host().into_iter().flat_map(of_domain).map(|(_, index)| index).collect();
        if candidates.is_empty() {
            candidates.extend(tenants().filter(|(tenant, _)| tenant.domains.is_empty()).map(|(_, index)| index));
        }
        if candidates.is_empty() {
            // A pattern or the map sent it here, and its domain is nobody's: any tenant may have it.
            candidates.extend(tenants().map(|(_, index)| index));
        }
        if let Some(at) = self.homes.get(uri).and_then(|home| candidates.iter().position(|index| index == home)) {
            candidates[..=at].rotate_right(1);
        }
        candidates
    }

    /// Looks the agent's user up in the next tenant, one that is not down if there is one. When none is left, the agent has failed
    /// for this reason.
    fn look_up(&mut self, now: Instant, uri: &AgentUri, unknown_in: Box<[u16]>, failure: Failure) {
        let candidates = self.candidates(uri);
        let mut left = candidates.iter().copied().filter(|index| !unknown_in.contains(index)).peekable();
        let first = left.peek().copied();
        let next = left.find(|index| !self.tenants[usize::from(*index)].is_down()).or(first);
        let Some(tenant) = next else {
            self.fail(uri, failure);
            return;
        };
        let Some(agent) = self.agents.get_mut(uri) else { return };
        agent.tenant = tenant;
        agent.place = Place::LookingUp { unknown_in };
        let index = usize::from(tenant);
        match self.settings.users.get(uri).copied() {
            Some(user) => self.found(now, index, uri, Ok(user)),
            None => {
                self.tenants[index].look_up(now, uri);
                self.busy.insert(index);
            }
        }
    }

    /// Agents whose user is looked up in a tenant that is down are looked up in another one that comes into question.
    pub(super) fn look_elsewhere(&mut self, now: Instant) {
        if self.tenants.len() < 2 {
            return;
        }
        let waits = |(uri, agent): (&AgentUri, &Agent)| match &agent.place {
            Place::LookingUp { unknown_in } if self.tenants[usize::from(agent.tenant)].is_down() => {
                let candidates = self.candidates(uri);
                let is_better =
                    |index: &u16| !unknown_in.contains(index) && !self.tenants[usize::from(*index)].is_down();
                candidates.iter().any(is_better).then(|| (uri.clone(), usize::from(agent.tenant), unknown_in.clone()))
            }
            Place::LookingUp { .. } | Place::Member(_) => None,
        };
        let waiting: Vec<_> = self.agents.iter().filter_map(waits).collect();
        for (uri, index, unknown_in) in waiting {
            self.tenants[index].forget(&uri);
            let failure = Failure::new(FailureKind::NotFound, EndedBy::Peer, "no tenant has such a user");
            self.look_up(now, &uri, unknown_in, failure);
        }
    }

    /// What a tenant's directory says of an agent.
    pub(super) fn found(&mut self, now: Instant, index: usize, uri: &AgentUri, outcome: Result<ObjectId, Failure>) {
        let Some(agent) = self.agents.get_mut(uri) else { return };
        let Place::LookingUp { unknown_in } = &agent.place else { return };
        if usize::from(agent.tenant) != index {
            return;
        }
        match outcome {
            Ok(user) => {
                let (tenant, is_another) = (agent.tenant, !unknown_in.is_empty());
                agent.place = Place::Member(user);
                if !is_another {
                    self.homes.remove(uri);
                } else if self.homes.len() < MOST_HOMES {
                    self.homes.insert(uri.clone(), tenant);
                }
                let status = self.tenants[index].join(now, user, uri);
                self.busy.insert(index);
                if let Some(status) = status {
                    self.feed(uri, |attempt| SubscriptionInput::Notified {
                        attempt,
                        status: Some(status),
                        expires: None,
                    });
                }
            }
            Err(failure) if failure.kind == FailureKind::NotFound => {
                let unknown_in = unknown_in.iter().copied().chain([agent.tenant]).collect();
                self.look_up(now, uri, unknown_in, failure);
            }
            Err(failure) => self.fail(uri, failure),
        }
    }

    /// A tenant says that the agent itself has failed; it polls it no more.
    pub(super) fn lost(&mut self, now: Instant, index: usize, uri: &AgentUri, failure: Failure, was_heard: bool) {
        let Some(agent) = self.agents.get(uri).filter(|agent| usize::from(agent.tenant) == index) else { return };
        let is_by_id =
            self.settings.users.contains_key(uri) || uri.user().is_some_and(|user| user.parse::<ObjectId>().is_ok());
        if !is_by_id || was_heard {
            self.fail(uri, failure);
            return;
        }
        let absent_from = self.absent_from.entry(uri.clone()).or_default();
        absent_from.push(agent.tenant);
        let unknown_in = absent_from.clone().into_boxed_slice();
        self.look_up(now, uri, unknown_in, failure);
    }

    /// The agent has failed, or no tenant has it: it is registered no more.
    fn fail(&mut self, uri: &AgentUri, failure: Failure) {
        let Some(agent) = self.remove(uri) else { return };
        let (uri, attempt) = (uri.clone(), agent.attempt);
        self.effects.push_back(if failure.kind == FailureKind::NotFound && self.settings.declines {
            GraphEffect::Decline { uri, attempt }
        } else {
            GraphEffect::Feed { uri, input: SubscriptionInput::Failed { attempt, failure } }
        });
    }

    /// Tells an agent's subscription.
    pub(super) fn feed(&mut self, uri: &AgentUri, input: impl FnOnce(Attempt) -> SubscriptionInput) {
        if let Some(agent) = self.agents.get(uri) {
            self.effects.push_back(GraphEffect::Feed { uri: uri.clone(), input: input(agent.attempt) });
        }
    }
}
