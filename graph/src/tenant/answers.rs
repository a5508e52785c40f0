//! What comes of the requests.

use std::time::{Duration, Instant, SystemTime};

use presence_core::{EndedBy, Failure, FailureKind};
use secrecy::ExposeSecret;

use crate::wire::{PresenceList, Ruling, parse_presences, rule};
use crate::{Answer, ObjectId, Trouble};

use super::bisect::Verdict;
use super::exchanges::{Asked, Exchange, Purpose, Why};
use super::{Tenant, TenantEffect};

/// An answer that holds nobody of so many users or more says something of the tenant, not of each of them.
const MANY: usize = 20;
/// The first repetition of a batch that was asked for in vain comes so much later.
const RETRY: Duration = Duration::from_secs(1);

impl Tenant {
    pub(super) fn take_answer(
        &mut self,
        now: Instant,
        wall: SystemTime,
        number: u64,
        exchange: Exchange,
        result: &Result<Answer, Trouble>,
    ) {
        let Exchange { account, purpose, pass, token, .. } = exchange;
        if let Purpose::Token = purpose {
            self.counters.failures += u64::from(!matches!(result, Ok(answer) if (200..300).contains(&answer.status)));
            self.accounts[account].credential.answered(now, result.clone());
            return;
        }
        let mut ruling = rule(result, wall);
        if let Some(token) = &token {
            ruling = ruling.without(token.expose_secret());
        }
        let mut list = None;
        if let (Purpose::Presence(asked), Ruling::Done, Ok(answer)) = (&purpose, &ruling, result) {
            match read(&answer.body, asked) {
                Ok(read) => list = Some(read),
                Err(failure) => ruling = Ruling::Unavailable { failure },
            }
        }
        if let Purpose::Lookup(id) = &purpose {
            match (&ruling, result) {
                (Ruling::Done | Ruling::BadRequest(_) | Ruling::NotFound(_), Ok(answer)) => {
                    if let Err(failure) = self.directory.answered(now, *id, answer) {
                        ruling = Ruling::Unavailable { failure };
                    }
                }
                _ => self.directory.postponed(*id),
            }
        }
        if let (Purpose::Presence(_), Ruling::NotFound(failure) | Ruling::Conflict(failure)) = (&purpose, &ruling) {
            ruling = Ruling::Unavailable { failure: failure.clone() };
        }
        // No question about users conflicts with anything: it would be asked again at once, for ever.
        if let (Purpose::Lookup(_), Ruling::Conflict(failure)) = (&purpose, &ruling) {
            ruling = Ruling::Unavailable { failure: failure.clone() };
        }
        let is_polling = matches!(purpose, Purpose::Presence(_));
        self.count(&ruling, &purpose);
        let can_repeat = match (&ruling, &token) {
            (Ruling::Unauthorized(failure), Some(token)) => {
                self.accounts[account].credential.rejected(now, token, failure)
            }
            _ => false,
        };
        let report = self.accounts[account].ruled(now, pass, &ruling, is_polling);
        self.effects.extend(report.map(TenantEffect::Report));
        match purpose {
            Purpose::Token => {}
            Purpose::Presence(asked) => self.presence_ruled(now, number, asked, &ruling, list),
            Purpose::Lookup(_) => {
                let report = match &ruling {
                    Ruling::Forbidden(failure) => self.accounts[account].lookups_refused(now, failure),
                    Ruling::Done | Ruling::NotFound(_) => self.accounts[account].lookups_answered(),
                    _ => None,
                };
                self.effects.extend(report.map(TenantEffect::Report));
            }
            Purpose::Push => {
                if let Some(push) = &mut self.accounts[account].push {
                    if can_repeat { push.postponed(now) } else { push.answered(now, wall, result, &ruling) }
                }
            }
        }
    }

    fn count(&mut self, ruling: &Ruling, purpose: &Purpose) {
        match ruling {
            Ruling::Done => {}
            Ruling::NotFound(_) if matches!(purpose, Purpose::Lookup(_)) => {}
            Ruling::Throttled { .. } => {
                self.counters.throttled += 1;
                self.counters.failures += 1;
            }
            _ => self.counters.failures += 1,
        }
    }

    fn presence_ruled(&mut self, now: Instant, number: u64, asked: Asked, ruling: &Ruling, list: Option<PresenceList>) {
        let why = asked.why;
        match (ruling, list) {
            (_, Some(list)) => {
                self.hear(now, number, &asked, &list);
                match why {
                    Why::Turn(batch) => {
                        if let Some(batch) = self.roster.batches_mut().get_mut(batch) {
                            (batch.in_flight, batch.failures, batch.answered_at) = (false, 0, Some(now));
                        }
                    }
                    Why::Part(id) => {
                        let verdict = self.bisects.answered(id, &asked.users, true);
                        self.conclude(now, verdict);
                    }
                    Why::Fresh | Why::Hint => {}
                }
            }
            (Ruling::BadRequest(failure), None) => {
                let verdict = match why {
                    Why::Part(id) => self.bisects.answered(id, &asked.users, false),
                    _ => self.bisects.begin(&asked.users, why, failure.clone()),
                };
                self.conclude(now, verdict);
            }
            (ruling, None) => {
                let is_patient = matches!(ruling, Ruling::Unavailable { .. });
                match why {
                    Why::Part(id) => {
                        let verdict = self.bisects.abandon(id);
                        self.conclude(now, verdict);
                    }
                    _ => self.again(now, why, asked.users, is_patient),
                }
            }
        }
    }

    /// They were asked for in vain, and are asked for again: at once with another account, or a little later.
    fn again(&mut self, now: Instant, why: Why, users: Vec<ObjectId>, is_patient: bool) {
        let wait = |failures: u32| RETRY.saturating_mul(1 << failures.min(6)).min(self.sweep);
        match why {
            Why::Turn(id) => {
                let failures = self.roster.batches().get(id).map_or(0, |batch| batch.failures);
                let wait = wait(failures);
                let later = now + wait / 2 + self.dice.jitter(wait / 2);
                if let Some(batch) = self.roster.batches_mut().get_mut(id) {
                    batch.in_flight = false;
                    batch.failures = batch.failures.saturating_add(1);
                    batch.retry_at = Some(if is_patient { later } else { now });
                }
            }
            Why::Fresh | Why::Hint => {
                let at = if is_patient { now + wait(0) / 2 + self.dice.jitter(wait(0) / 2) } else { now };
                let wanted: Vec<ObjectId> =
                    users.into_iter().filter(|user| self.roster.member(*user).is_some()).collect();
                let gather = if why == Why::Hint { &mut self.hints } else { &mut self.fresh };
                gather.put_back(wanted, at);
            }
            Why::Part(_) => {}
        }
    }

    fn conclude(&mut self, now: Instant, verdict: Option<Verdict>) {
        let Some(Verdict { origin, bad, failure, is_inconclusive }) = verdict else { return };
        if let Why::Turn(id) = origin
            && let Some(batch) = self.roster.batches_mut().get_mut(id)
        {
            batch.in_flight = false;
            if is_inconclusive {
                batch.failures = batch.failures.saturating_add(1);
            } else {
                (batch.failures, batch.answered_at) = (0, Some(now));
            }
        }
        if is_inconclusive {
            self.standing.note(failure.clone());
        }
        for user in bad {
            let failure = Failure { kind: FailureKind::Transient, ..failure.clone() };
            self.lose(now, user, &failure);
        }
    }

    fn hear(&mut self, now: Instant, number: u64, asked: &Asked, list: &PresenceList) {
        let hint = asked.why == Why::Hint;
        self.counters.unreadable += list.unreadable as u64;
        self.standing.answered();
        for item in &list.items {
            if asked.users.binary_search(&item.id).is_err() {
                self.counters.unasked += 1;
                continue;
            }
            if item.reading.unknown.iter().any(Option::is_some) {
                self.counters.unknown_values += item.reading.unknown.iter().flatten().count() as u64;
                self.effects.push_back(TenantEffect::UnknownWords(item.reading.unknown.clone()));
            }
            self.fresh.remove(item.id);
            let Some(hearing) = self.roster.hear(now, number, hint, item) else { continue };
            self.counters.presences += 1;
            self.counters.overtaken += u64::from(hearing.overtaken);
            if hearing.changed {
                let counter =
                    if hint { &mut self.counters.changes_notified } else { &mut self.counters.changes_polled };
                *counter += 1;
            }
            self.heard_with_push(now, item.id, hearing.changed, hint);
            if let (Some(status), Some(member)) = (hearing.tell, self.roster.member(item.id)) {
                let told = member.agents().cloned().map(|uri| TenantEffect::Heard { uri, status: status.clone() });
                self.effects.extend(told);
            }
        }
        let is_absent = |user: &&ObjectId| list.items.binary_search_by(|item| item.id.cmp(user)).is_err();
        let absent: Vec<ObjectId> = asked.users.iter().filter(is_absent).copied().collect();
        for user in absent {
            self.fresh.remove(user);
            if self.roster.miss(user) {
                let detail = "not in the answer of three sweeps in a row";
                self.lose(now, user, &Failure::new(FailureKind::Transient, EndedBy::Peer, detail));
            }
        }
        self.expect_doubt(now);
    }
}

/// Reads an answer; a whole that cannot be read, or that is about nobody, is a failure of the tenant.
fn read(body: &[u8], asked: &Asked) -> Result<PresenceList, Failure> {
    let failure = |detail: String| Failure::answered(FailureKind::Endpoint, 200, detail);
    let list = parse_presences(body).map_err(|error| failure(format!("the answer cannot be read: {error}")))?;
    if asked.users.len() >= MANY && list.items.is_empty() {
        let asked = asked.users.len();
        return Err(failure(format!("the answer holds the presence of none of {asked} users")));
    }
    Ok(list)
}
