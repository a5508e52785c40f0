//! What is asked, and when.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

use super::state::{LIFE, State};
use super::{Push, REMIND};
use crate::wire::{create_subscription, delete_subscription, list_subscriptions, renew_subscription};
use crate::{ObjectId, Request};

/// The request that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Which subscriptions there are.
    List,
    /// To delete the subscription with this id.
    Delete(String),
    /// To make one.
    Create {
        /// Our number of it.
        generation: u64,
        /// For these users.
        users: BTreeSet<ObjectId>,
    },
    /// To renew the subscription with this id.
    Renew(String),
}

impl Push {
    /// True when [`Push::next_request`] would give a request.
    pub(crate) fn has_request(&self, now: Instant) -> bool {
        self.is_due(now) && self.not_before.is_none_or(|at| at <= now)
    }

    /// The next request, without bearer; one outstanding at a time. Hand in what comes of it by [`Push::answered`], or
    /// [`Push::postponed`] if it is not sent.
    pub(crate) fn next_request(&mut self, now: Instant) -> Option<Request> {
        if !self.has_request(now) {
            return None;
        }
        self.not_before = None;
        let (asked, mut request) = match &self.state {
            State::Listing(listing) => (Asked::List, list_subscriptions(listing.page.as_deref())),
            State::Clearing { left, .. } => {
                let id = left.last()?;
                (Asked::Delete(id.clone()), delete_subscription(id))
            }
            State::Creating { .. } => {
                let until = self.time_of_day(now, LIFE)?;
                self.generation += 1;
                let generation = self.generation;
                let users: Vec<ObjectId> = self.users.iter().copied().collect();
                let request = create_subscription(&self.url, &users, until, &self.client_states.of(generation));
                (Asked::Create { generation, users: self.users.clone() }, request)
            }
            State::Standing(standing) => {
                let until = self.time_of_day(now, LIFE)?;
                (Asked::Renew(standing.id.clone()), renew_subscription(&standing.id, until))
            }
            State::Deleting(standing) => (Asked::Delete(standing.id.clone()), delete_subscription(&standing.id)),
            State::Idle | State::BackingOff { .. } | State::Contested { .. } | State::Stopped => return None,
        };
        if matches!(asked, Asked::Create { .. }) {
            // Whoever is added from now on is gathered for the next one.
            self.gathered_at = None;
            self.has_asked = true;
        }
        request.request_id = self.dice.guid();
        self.outstanding = Some(asked);
        Some(request)
    }

    /// The outstanding request was not sent: it is given again, a second later or after the account is usable again.
    pub(crate) fn postponed(&mut self, now: Instant) {
        let Some(asked) = self.outstanding.take() else { return };
        if matches!(asked, Asked::Create { .. }) && self.gathered_at.is_none() && !self.users.is_empty() {
            // Those that were added meanwhile are in the next one anyway.
            self.gathered_at = Some(now);
        }
        let again = now + REMIND;
        self.not_before = Some(again);
        self.remind_at = again;
        self.conclude(now, None);
    }

    /// True when something is to be asked, apart from how soon.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        if self.outstanding.is_some() || !self.is_usable {
            return false;
        }
        match &self.state {
            State::Listing(_) | State::Clearing { .. } | State::Creating { .. } | State::Deleting(_) => true,
            State::Standing(standing) => standing.renew_at <= now,
            State::Idle | State::BackingOff { .. } | State::Contested { .. } | State::Stopped => false,
        }
    }

    /// Microsoft's time of day in this long, as far as it is known.
    fn time_of_day(&self, now: Instant, ahead: Duration) -> Option<Timestamp> {
        let (at, wall) = self.clock?;
        Timestamp::try_from(wall.checked_add(now.duration_since(at))?.checked_add(ahead)?).ok()
    }

    /// Remembers Microsoft's time of day.
    pub(super) fn set_clock(&mut self, now: Instant, date: Option<&str>, wall: SystemTime) {
        let date = date.and_then(|text| httpdate::parse_http_date(text).ok());
        self.clock = Some((now, date.unwrap_or(wall)));
    }
}
