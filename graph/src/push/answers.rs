//! What is made of the answers.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

use presence_core::{EndedBy, Failure, FailureKind};

use super::requests::Asked;
use super::state::{LIFE, Listing, Standing, State};
use super::{HANDSHAKE, Push, VANISHES_EVERY};
use crate::wire::{Ruling, parse_subscription, parse_subscriptions};
use crate::{Answer, ObjectId, Trouble};

/// So many pages of a list are read.
const MOST_PAGES: u32 = 10;
/// So many subscriptions that an earlier process left are deleted at once.
const MOST_LEFT: usize = 100;

impl Push {
    /// What came of the outstanding request; `wall` is the time of day.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        wall: SystemTime,
        result: &Result<Answer, Trouble>,
        ruling: &Ruling,
    ) {
        let Some(asked) = self.outstanding.take() else { return };
        let answer = result.as_ref().ok();
        let date = answer.and_then(|answer| answer.date.as_deref());
        self.set_clock(now, date, wall);
        let body = answer.map_or(&b""[..], |answer| &answer.body);
        let failure = match asked {
            Asked::List => self.listed(now, body, ruling),
            Asked::Delete(id) => self.deleted(now, &id, ruling),
            Asked::Create { generation, users } => self.created(now, generation, users, body, ruling),
            Asked::Renew(id) => self.renewed(now, &id, body, ruling),
        };
        self.conclude(now, failure);
    }

    /// What there is at Microsoft.
    fn listed(&mut self, now: Instant, body: &[u8], ruling: &Ruling) -> Option<Failure> {
        let State::Listing(Listing { after_conflict, ours, pages, .. }) = &mut self.state else { return None };
        let after_conflict = *after_conflict;
        if *ruling != Ruling::Done {
            return self.setback(now, ruling);
        }
        let Some(list) = parse_subscriptions(body) else {
            return self.setback(now, &unreadable());
        };
        let is_ours = |url: &str| {
            url.strip_prefix(&self.url).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
        };
        let mut ours = std::mem::take(ours);
        ours.extend(list.items.into_iter().filter(|one| one.url.as_deref().is_some_and(is_ours)).map(|one| one.id));
        ours.truncate(MOST_LEFT);
        let pages = *pages + 1;
        let next = match list.next {
            Some(page) if pages < MOST_PAGES => {
                State::Listing(Listing { after_conflict, ours, page: Some(page), pages })
            }
            _ => {
                self.is_listed = true;
                if ours.is_empty() {
                    State::Creating { after_conflict }
                } else {
                    State::Clearing { left: ours, after_conflict }
                }
            }
        };
        self.enter(next, "the subscriptions are known");
        None
    }

    /// One is deleted: one that an earlier process left, or ours.
    fn deleted(&mut self, now: Instant, id: &str, ruling: &Ruling) -> Option<Failure> {
        match &mut self.state {
            State::Clearing { left, after_conflict } => {
                let after_conflict = *after_conflict;
                match ruling {
                    // One that we may not delete is in the way, or not: the creation tells.
                    Ruling::Done | Ruling::NotFound(_) | Ruling::Forbidden(_) | Ruling::BadRequest(_) => {
                        left.retain(|one| one != id);
                        if left.is_empty() {
                            self.enter(State::Creating { after_conflict }, "nothing of ours is left");
                        }
                        None
                    }
                    Ruling::Unauthorized(_)
                    | Ruling::Conflict(_)
                    | Ruling::Throttled { .. }
                    | Ruling::Unavailable { .. } => self.setback(now, ruling),
                }
            }
            State::Deleting(standing) if standing.id == id => self.parted(now, ruling),
            _ => None,
        }
    }

    /// The subscription that stood is deleted.
    fn parted(&mut self, now: Instant, ruling: &Ruling) -> Option<Failure> {
        if self.stop_at.is_some() {
            self.enter(State::Stopped, "the end");
            return failure_of(ruling).filter(|_| !matches!(ruling, Ruling::NotFound(_))).cloned();
        }
        match ruling {
            Ruling::Done | Ruling::NotFound(_) => {
                self.quick.reset();
                self.begin(false, "deleted");
                None
            }
            Ruling::Throttled { failure } | Ruling::Unavailable { failure } | Ruling::Unauthorized(failure) => {
                let wait = self.quick.wait(&mut self.dice, failure.retry_after);
                self.not_before = Some(now + wait);
                Some(failure.clone())
            }
            Ruling::BadRequest(failure) | Ruling::Forbidden(failure) | Ruling::Conflict(failure) => {
                // Whether it is still there is found out first.
                self.is_listed = false;
                self.begin(false, "it may not be deleted");
                Some(failure.clone())
            }
        }
    }

    /// A subscription was made, or not.
    fn created(
        &mut self,
        now: Instant,
        generation: u64,
        users: BTreeSet<ObjectId>,
        body: &[u8],
        ruling: &Ruling,
    ) -> Option<Failure> {
        let State::Creating { after_conflict } = self.state else { return None };
        self.handshake_until = Some(now + HANDSHAKE);
        match ruling {
            Ruling::Done => {
                let Some(made) = parse_subscription(body) else {
                    self.is_listed = false;
                    return self.setback(now, &unreadable());
                };
                let life = self.life(now, made.until);
                let standing = Standing::new(now, made.id, generation, users, life, &mut self.dice);
                for pace in [&mut self.quick, &mut self.refused, &mut self.slow] {
                    pace.reset();
                }
                if standing.users != self.users && self.gathered_at.is_none() {
                    self.gathered_at = Some(now + super::GATHER);
                }
                self.enter(State::Standing(standing), "made");
                // What changed before it was made was not told.
                self.poll_users();
                None
            }
            Ruling::Conflict(failure) => {
                self.is_listed = false;
                if after_conflict {
                    let wait = self.slow.wait(&mut self.dice, failure.retry_after);
                    self.enter(State::Contested { until: now + wait }, "another process makes them");
                    return Some(failure.clone());
                }
                self.enter(State::Listing(Listing { after_conflict: true, ..Listing::default() }), "there is one");
                None
            }
            Ruling::BadRequest(_)
            | Ruling::Unauthorized(_)
            | Ruling::Forbidden(_)
            | Ruling::NotFound(_)
            | Ruling::Throttled { .. } => self.setback(now, ruling),
            Ruling::Unavailable { .. } => {
                // It may have been made all the same.
                self.is_listed = false;
                self.setback(now, ruling)
            }
        }
    }

    /// The subscription was renewed, or not.
    fn renewed(&mut self, now: Instant, id: &str, body: &[u8], ruling: &Ruling) -> Option<Failure> {
        let life = parse_subscription(body).map_or(LIFE, |renewed| self.life(now, renewed.until));
        let State::Standing(standing) = &mut self.state else { return None };
        if standing.id != id {
            return None;
        }
        match ruling {
            Ruling::Done => {
                standing.renewed(now, life, &mut self.dice);
                None
            }
            Ruling::NotFound(failure) => Some(self.vanished(now, failure.clone())),
            Ruling::BadRequest(failure)
            | Ruling::Unauthorized(failure)
            | Ruling::Forbidden(failure)
            | Ruling::Conflict(failure)
            | Ruling::Throttled { failure }
            | Ruling::Unavailable { failure } => {
                standing.retry_renewal(now, failure.retry_after);
                Some(failure.clone())
            }
        }
    }

    /// The subscription is gone, and not by us: it is made anew, unless that happens too often.
    pub(super) fn vanished(&mut self, now: Instant, failure: Failure) -> Failure {
        let last = self.vanished_at.replace(now);
        if last.is_some_and(|at| now.duration_since(at) < VANISHES_EVERY) {
            self.is_listed = false;
            let wait = self.slow.wait(&mut self.dice, None);
            self.enter(State::BackingOff { until: now + wait }, "it vanishes again and again");
        } else {
            self.begin(false, "it is gone");
        }
        failure
    }

    /// It cannot be had for now.
    fn setback(&mut self, now: Instant, ruling: &Ruling) -> Option<Failure> {
        let failure = failure_of(ruling)?.clone();
        let pace = match ruling {
            Ruling::Forbidden(_) => &mut self.slow,
            Ruling::BadRequest(_) | Ruling::NotFound(_) | Ruling::Conflict(_) => &mut self.refused,
            Ruling::Done | Ruling::Unauthorized(_) | Ruling::Throttled { .. } | Ruling::Unavailable { .. } => {
                &mut self.quick
            }
        };
        let wait = pace.wait(&mut self.dice, failure.retry_after);
        // What an earlier process left is not deleted yet.
        self.is_listed &= !matches!(self.state, State::Clearing { .. });
        self.enter(State::BackingOff { until: now + wait }, "it cannot be had");
        Some(failure)
    }

    /// How long a subscription lasts that ends then, by Microsoft's clock.
    fn life(&self, now: Instant, until: Option<jiff::Timestamp>) -> Duration {
        let Some((at, wall)) = self.clock else { return LIFE };
        let Some(until) = until.map(SystemTime::from) else { return LIFE };
        until.duration_since(wall + now.duration_since(at)).unwrap_or_default()
    }
}

/// Microsoft says that it worked, and what it says besides cannot be read.
fn unreadable() -> Ruling {
    let detail = "the answer about the subscription cannot be read";
    Ruling::Unavailable { failure: Failure::new(FailureKind::Endpoint, EndedBy::Peer, detail) }
}

fn failure_of(ruling: &Ruling) -> Option<&Failure> {
    match ruling {
        Ruling::Done => None,
        Ruling::BadRequest(failure)
        | Ruling::Unauthorized(failure)
        | Ruling::Forbidden(failure)
        | Ruling::NotFound(failure)
        | Ruling::Conflict(failure)
        | Ruling::Throttled { failure }
        | Ruling::Unavailable { failure } => Some(failure),
    }
}
