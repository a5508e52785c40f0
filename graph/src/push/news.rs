//! What Microsoft tells, and what the sweep finds.

use std::time::Instant;

use presence_core::{EndedBy, Failure, FailureKind};

use super::requests::Asked;
use super::state::{Ear, State};
use super::{Push, PushEffect};
use crate::ObjectId;
use crate::wire::{Lifecycle, Notice};

impl Push {
    /// A notification came. True: it was for this account, and is proven to be Microsoft's.
    pub(crate) fn noticed(&mut self, now: Instant, notice: &Notice) -> bool {
        if !self.is_ours(notice) {
            return false;
        }
        match (notice.lifecycle, notice.user) {
            (Some(event), _) => {
                self.notices += 1;
                self.lifecycle(now, event);
            }
            (None, Some(user)) => {
                if !self.users.contains(&user) {
                    return false;
                }
                self.notices += 1;
                if let State::Standing(standing) = &mut self.state {
                    standing.hearing.heard(now, user);
                }
                self.effects.push_back(PushEffect::Fetch(user));
                self.hear_again(now);
            }
            (None, None) => return false,
        }
        true
    }

    /// A change of this user was found: by the sweep (`told` is false), or by asking after a notification (true).
    pub(crate) fn found(&mut self, now: Instant, user: ObjectId, told: bool) {
        if let State::Standing(standing) = &mut self.state
            && standing.users.contains(&user)
            && self.users.contains(&user)
        {
            standing.hearing.found(now, user, told);
            self.hear_again(now);
        }
    }

    /// True when it is of the subscription that stands, or of the one that is being made: its first notification may be faster
    /// than the answer with its id.
    fn is_ours(&self, notice: &Notice) -> bool {
        let generation = match (&self.state, &self.outstanding) {
            (State::Standing(standing) | State::Deleting(standing), _) => {
                if !standing.id.eq_ignore_ascii_case(&notice.subscription) {
                    return false;
                }
                standing.generation
            }
            (State::Creating { .. }, Some(Asked::Create { generation, .. })) => *generation,
            _ => return false,
        };
        self.client_states.is_of(generation, notice.client_state.as_deref()) && self.is_our_tenant(notice)
    }

    /// A tenant that is configured by its domain cannot be compared with the GUID of a notification.
    fn is_our_tenant(&self, notice: &Notice) -> bool {
        let ours = self.client_states.tenant().parse::<ObjectId>();
        match (ours, notice.tenant.as_deref()) {
            (Ok(ours), Some(theirs)) => theirs.parse() == Ok(ours),
            (Ok(_), None) | (Err(_), _) => true,
        }
    }

    fn lifecycle(&mut self, now: Instant, event: Lifecycle) {
        // While it is being made or deleted there is nothing to renew or to make anew.
        let State::Standing(standing) = &mut self.state else { return };
        let failure = match event {
            Lifecycle::ReauthorizationRequired => {
                standing.reauthorize(now);
                None
            }
            Lifecycle::SubscriptionRemoved => {
                self.poll_users();
                let detail = "Microsoft has removed the subscription (subscriptionRemoved)";
                let failure = Failure::new(FailureKind::Endpoint, EndedBy::Peer, detail);
                Some(self.vanished(now, failure))
            }
            Lifecycle::Missed => {
                self.poll_users();
                None
            }
        };
        self.conclude(now, failure);
    }

    /// What was deaf and tells again, listens again; what tells for long is trusted again.
    fn hear_again(&mut self, now: Instant) {
        let State::Standing(standing) = &mut self.state else { return };
        if standing.hearing.is_proven() {
            self.deaf.reset();
            self.deaf_before = false;
        }
        if standing.hearing.hears_again() && matches!(standing.ear, Ear::Deaf { .. }) {
            standing.ear = Ear::Listening;
        }
        self.conclude(now, None);
    }
}
