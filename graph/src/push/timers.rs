//! What becomes due.

use std::time::Instant;

use presence_core::{EndedBy, Failure, FailureKind};

use super::requests::Asked;
use super::state::{Ear, State};
use super::{DEAF_FOR, Push, REMIND};

impl Push {
    /// A person says that they can be had now: ends the back-off.
    pub(crate) fn retry(&mut self, now: Instant) {
        if let State::BackingOff { until } | State::Contested { until } = &mut self.state {
            *until = now;
            self.handle_timeout(now);
        }
    }

    /// Does what is due. A call before the deadline changes nothing.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.handshake_until.is_some_and(|until| until <= now) {
            self.handshake_until = None;
        }
        if self.stop_at.is_some_and(|at| at <= now) && !self.is_stopped() {
            self.outstanding = None;
            self.enter(State::Stopped, "the time for the end is over");
        }
        if self.remind_at <= now {
            self.remind_at = now + REMIND;
        }
        let failure = match &self.state {
            State::Idle => {
                if self.is_usable && self.gathered_at.is_some_and(|at| at <= now) {
                    self.begin(false, "users are gathered");
                }
                None
            }
            State::BackingOff { until } if *until <= now => {
                self.begin(false, "it was waited");
                None
            }
            State::Contested { until } if *until <= now => {
                self.begin(true, "it was waited");
                None
            }
            State::Standing(_) => self.tend(now),
            State::Deleting(standing) if standing.expires_at() <= now && self.outstanding.is_none() => {
                self.begin(false, "it has ended by itself");
                None
            }
            State::BackingOff { .. }
            | State::Contested { .. }
            | State::Listing(_)
            | State::Clearing { .. }
            | State::Creating { .. }
            | State::Deleting(_)
            | State::Stopped => None,
        };
        self.conclude(now, failure);
    }

    /// What is due while a subscription stands.
    fn tend(&mut self, now: Instant) -> Option<Failure> {
        let State::Standing(standing) = &mut self.state else { return None };
        let missed = standing.hearing.missed(now);
        self.missed += u64::from(missed);
        let is_renewing = matches!(self.outstanding, Some(Asked::Renew(_)));
        if standing.expires_at() <= now && !is_renewing {
            // It may be there all the same.
            self.is_listed = false;
            self.begin(false, "it has ended by itself");
            let detail = "the subscription ran out before it could be renewed";
            return Some(Failure::new(FailureKind::Endpoint, EndedBy::Peer, detail));
        }
        if standing.ear == Ear::Listening && standing.hearing.is_deaf() {
            let wait = if self.deaf_before { self.deaf.wait(&mut self.dice, None) } else { DEAF_FOR };
            self.deaf_before = true;
            standing.ear = Ear::Deaf { remake_at: now + wait };
            standing.hearing.listen_again();
        } else if missed > 0 && standing.ear != Ear::Listening {
            standing.hearing.listen_again();
        }
        if !self.is_usable || self.outstanding.is_some() {
            return None;
        }
        let is_useless = matches!(standing.ear, Ear::Deaf { remake_at } if remake_at <= now);
        let is_gathered = self.gathered_at.is_some_and(|at| at <= now);
        if is_gathered {
            self.gathered_at = None;
        }
        if is_useless || (is_gathered && standing.users != self.users) {
            let State::Standing(standing) = std::mem::replace(&mut self.state, State::Idle) else { return None };
            self.enter(State::Deleting(standing), "it is made anew");
        }
        None
    }

    /// When to call [`Push::handle_timeout`]; then ask for [`Push::next_request`], too.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if self.is_stopped() {
            return None;
        }
        let is_free = self.is_usable && self.outstanding.is_none();
        let gathered_at = self.gathered_at.filter(|_| is_free);
        let (state, request): (Option<Instant>, Option<Instant>) = match &self.state {
            State::Idle => (gathered_at, None),
            State::Listing(_) | State::Clearing { .. } | State::Creating { .. } => (None, Some(self.remind_at)),
            State::BackingOff { until } | State::Contested { until } => (Some(*until), None),
            State::Standing(standing) => {
                let remake_at = match standing.ear {
                    Ear::Deaf { remake_at } if is_free => Some(remake_at),
                    Ear::Deaf { .. } | Ear::Listening => None,
                };
                let is_renewing = matches!(self.outstanding, Some(Asked::Renew(_)));
                let end = Some(standing.expires_at()).filter(|_| !is_renewing);
                let due = [remake_at, gathered_at, end, standing.hearing.deadline()].into_iter().flatten().min();
                (due, Some(standing.renew_at.max(self.remind_at)))
            }
            State::Deleting(standing) => (Some(standing.expires_at()).filter(|_| is_free), Some(self.remind_at)),
            State::Stopped => (None, None),
        };
        let request = request.filter(|_| is_free).map(|at| at.max(self.not_before.unwrap_or(at)));
        [state, request, self.handshake_until, self.stop_at].into_iter().flatten().min()
    }
}
