//! One account of a tenant: its token, its pace, its change notifications.

mod secret_watch;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use presence_core::{AccountMemory, EndedBy, Failure, FailureKind};
use secrecy::SecretString;

use self::secret_watch::{Loaded, SecretWatch};
use crate::dice::Dice;
use crate::governor::{Cause, Gate, Governor, Pass};
use crate::push::Push;
use crate::wire::Ruling;
use crate::{
    AccountKind, AccountSettings, AccountState, AccountView, Credential, CredentialEffect, CredentialFailure,
    CredentialState, GraphSettings, Report, Secret,
};

/// A held account is taken for one that cannot ask when that lasts longer, beyond three sweeps.
const PATIENCE: Duration = Duration::from_secs(10);
/// Before users may be looked up again after a 403: doubled each time.
const LOOKUPS: (Duration, Duration) = (Duration::from_secs(15 * 60), Duration::from_secs(8 * 60 * 60));

/// Whether an account can take a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// Now.
    Ready,
    /// Then, because of its rate.
    At(Instant),
    /// One, now, to see whether it can again.
    Probe,
    /// It cannot; perhaps then.
    Unable(Option<Instant>),
}

/// Whether a tenant can count on an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ability {
    /// It has not shown it yet.
    Unknown,
    /// It can ask, or will within moments.
    Able,
    /// It cannot.
    Unable,
}

/// One account.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) name: Arc<str>,
    kind: AccountKind,
    pub(crate) credential: Credential,
    pub(crate) governor: Governor,
    pub(crate) push: Option<Push>,
    /// Why there is no (new) token, since the last one came.
    token_failure: Option<CredentialFailure>,
    watch: SecretWatch,
    /// The tenant, Graph's host, the login host.
    names: [String; 3],
    wall: (Instant, SystemTime),
    dice: Dice,
    token_until: Option<Instant>,
    has_worked: bool,
    /// What was wrong last with its requests.
    failure: Option<Failure>,
    /// What was reported of it, while it is failed.
    reported: Option<Failure>,
    /// Since when its requests are not answered.
    trouble_since: Option<Instant>,
    /// That lasts longer than answers are vouched for.
    trouble_lasts: bool,
    throttling_reported: bool,
    lookups_until: Option<Instant>,
    lookups_refused: u32,
    patience: Duration,
    requests: u64,
    throttled: u64,
}

impl Account {
    pub(crate) fn new(
        (now, wall): (Instant, SystemTime),
        tenant: &Arc<str>,
        settings: &AccountSettings,
        graph: &GraphSettings,
        (login_host, graph_host): (&str, &str),
        dice: &mut Dice,
    ) -> Self {
        let notifications = graph.notifications.clone().filter(|_| settings.kind == AccountKind::Delegated);
        let mut push =
            |notifications| Push::new(now, tenant.clone(), settings.name.clone(), notifications, dice.throw());
        let push = notifications.map(&mut push);
        let mut credential = Credential::new(now, wall, tenant, graph_host, login_host, dice.throw());
        credential.want(now);
        Self {
            name: settings.name.clone(),
            kind: settings.kind,
            credential,
            governor: Governor::new(graph.requests_per_second, dice.throw()),
            push,
            token_failure: None,
            watch: SecretWatch::default(),
            names: [tenant.to_string(), graph_host.to_owned(), login_host.to_owned()],
            wall: (now, wall),
            dice: Dice::new(dice.throw()),
            token_until: None,
            has_worked: false,
            failure: None,
            reported: None,
            trouble_since: None,
            trouble_lasts: false,
            throttling_reported: false,
            lookups_until: None,
            lookups_refused: 0,
            patience: graph.sweep * 3 + PATIENCE,
            requests: 0,
            throttled: 0,
        }
    }

    /// Why the next run is not to use it at once, if that is so. What only a person can mend is tried after a restart.
    pub(crate) fn memory(&self, now: Instant) -> Option<AccountMemory> {
        let asked = match self.governor.cause()? {
            Cause::Throttled => true,
            Cause::Unavailable => false,
            Cause::Forbidden => return None,
        };
        let held_until = self.governor.retry_at(now)?;
        Some(AccountMemory { id: Arc::clone(&self.name), held_until, asked, opened: self.governor.opened() })
    }

    /// Leaves it alone as an earlier run was to.
    pub(crate) fn resume(&mut self, now: Instant, memory: &AccountMemory) {
        let cause = if memory.asked { Cause::Throttled } else { Cause::Unavailable };
        self.governor.resume(now, memory.held_until, cause, memory.opened);
        if self.governor.cause().is_some() {
            let detail = if memory.asked { "an earlier run was asked to wait" } else { "an earlier run had no answer" };
            self.in_trouble(now, &Failure::new(FailureKind::Endpoint, EndedBy::Network, detail));
        }
    }

    /// Can it take a request?
    pub(crate) fn readiness(&self, now: Instant) -> Readiness {
        if self.credential.bearer(now).is_none() {
            return Readiness::Unable(None);
        }
        match self.governor.gate(now) {
            Gate::Open => Readiness::Ready,
            Gate::At(then) => Readiness::At(then),
            Gate::Probe => Readiness::Probe,
            Gate::Shut(until) => Readiness::Unable(Some(until)),
            Gate::Probing => Readiness::Unable(None),
        }
    }

    /// Can it take a question about users? `is_idle`: nobody is polled, so nothing else shows whether it can ask again.
    pub(crate) fn readiness_for_lookups(&self, now: Instant, is_idle: bool) -> Readiness {
        match self.lookups_until {
            Some(until) if until > now => Readiness::Unable(Some(until)),
            _ => match self.readiness(now) {
                Readiness::Probe if !is_idle && self.governor.cause() == Some(Cause::Forbidden) => {
                    Readiness::Unable(None)
                }
                readiness => readiness,
            },
        }
    }

    /// Can the tenant count on it?
    pub(crate) fn ability(&self, now: Instant) -> Ability {
        if self.token_failure.is_some() && self.credential.bearer(now).is_none() {
            return Ability::Unable;
        }
        let can = match self.governor.cause() {
            None => !self.trouble_lasts,
            Some(Cause::Forbidden) => false,
            Some(Cause::Unavailable) => self.governor.opened() < 2,
            Some(Cause::Throttled) => {
                let since = self.trouble_since.unwrap_or(now);
                self.governor.retry_at(now).is_none_or(|at| at.duration_since(since) <= self.patience)
            }
        };
        match can {
            true if self.has_worked => Ability::Able,
            true => Ability::Unknown,
            false => Ability::Unable,
        }
    }

    /// A request leaves now; its token.
    pub(crate) fn send(&mut self, now: Instant) -> (Pass, Option<SecretString>) {
        self.requests += 1;
        (self.governor.sent(now), self.credential.bearer(now))
    }

    /// A person says that it can be used again: nothing is waited for but what Microsoft asked for.
    pub(crate) fn retry(&mut self, now: Instant) {
        self.credential.retry(now);
        self.governor.retry(now);
        (self.lookups_until, self.lookups_refused) = (None, 0);
        if let Some(push) = &mut self.push {
            push.retry(now);
        }
    }

    /// The next thing that its credential wants done, and what is to be reported.
    pub(crate) fn poll_credential(&mut self, now: Instant) -> Option<(CredentialEffect, Option<Report>)> {
        let effect = self.credential.poll_effect()?;
        let report = match &effect {
            CredentialEffect::Ready => {
                self.token_failure = None;
                self.watch.stop();
                if let CredentialState::Ready { until } = self.credential.state() {
                    self.token_until = Some(until);
                }
                let is_first = !std::mem::replace(&mut self.has_worked, true);
                let can_ask = self.governor.cause() != Some(Cause::Forbidden);
                (is_first || can_ask && self.reported.is_some()).then(|| self.up())
            }
            CredentialEffect::Failed(failure) => {
                self.token_failure = Some(failure.clone());
                if !failure.is_network {
                    let ran_out = self.token_until.take().is_some_and(|until| until <= now);
                    self.watch.start(now, ran_out);
                }
                (!failure.is_network).then(|| self.failed(failure)).flatten()
            }
            CredentialEffect::LoadSecret => {
                self.watch.asked();
                None
            }
            CredentialEffect::StoreToken(token) => {
                self.watch.stored(token);
                None
            }
            CredentialEffect::Send(_) => None,
        };
        Some((effect, report))
    }

    /// The secret that was asked for. A new one cuts the back-off of the one that was refused short.
    pub(crate) fn secret_loaded(&mut self, now: Instant, secret: Result<Secret, String>) {
        match self.watch.loaded(&secret) {
            Loaded::Awaited => self.credential.secret_loaded(now, secret),
            Loaded::Same => {}
            Loaded::New => {
                let wall = self.wall.1 + now.saturating_duration_since(self.wall.0);
                let [tenant, graph_host, login_host] = &self.names;
                self.credential = Credential::new(now, wall, tenant, graph_host, login_host, self.dice.throw());
                self.credential.want(now);
                while self.credential.poll_effect().is_some() {}
                self.credential.secret_loaded(now, secret);
            }
        }
    }

    /// Does what is due. True when the secret is to be read, to see whether it is another one.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        self.credential.handle_timeout(now);
        if let Some(push) = &mut self.push {
            push.handle_timeout(now);
        }
        self.watch.is_due(now)
    }

    /// When [`Account::handle_timeout`] is to be called.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let push = self.push.as_ref().and_then(Push::poll_timeout);
        [self.credential.poll_timeout(), self.watch.due(), push].into_iter().flatten().min()
    }

    fn up(&mut self) -> Report {
        self.reported = None;
        Report::AccountUp { account: self.name.clone() }
    }

    fn failed(&mut self, failed: &CredentialFailure) -> Option<Report> {
        let CredentialFailure { failure, needs_a_person, retry_at, .. } = failed.clone();
        let is_new = self.reported.as_ref().is_none_or(|known| gist(known) != gist(&failure));
        self.reported = Some(failure.clone());
        is_new.then(|| Report::AccountFailed { account: self.name.clone(), failure, needs_a_person, retry_at })
    }

    /// What came of a request for the account as a whole. `is_polling`: it was about presence, and a 403 means that the account
    /// may not ask for it.
    pub(crate) fn ruled(&mut self, now: Instant, pass: Pass, ruling: &Ruling, is_polling: bool) -> Option<Report> {
        match ruling {
            Ruling::Done | Ruling::BadRequest(_) | Ruling::NotFound(_) | Ruling::Conflict(_) => self.answered(pass),
            Ruling::Forbidden(failure) if is_polling => {
                self.governor.forbidden(now, pass);
                self.in_trouble(now, failure);
                let retry_at = self.governor.retry_at(now).unwrap_or(now);
                self.failed(&CredentialFailure {
                    failure: failure.clone(),
                    needs_a_person: true,
                    is_network: false,
                    retry_at,
                })
            }
            Ruling::Forbidden(_) => self.answered(pass),
            Ruling::Unauthorized(_) => {
                self.governor.undecided(now, pass);
                None
            }
            Ruling::Throttled { failure } => {
                self.throttled += 1;
                self.governor.throttled(now, pass, failure.retry_after);
                self.in_trouble(now, failure);
                let is_new = !std::mem::replace(&mut self.throttling_reported, true);
                let until = self.governor.retry_at(now).unwrap_or(now);
                is_new.then(|| Report::Throttled { account: self.name.clone(), until })
            }
            Ruling::Unavailable { failure } => {
                self.governor.failed(now, pass, failure.retry_after);
                self.in_trouble(now, failure);
                None
            }
        }
    }

    fn in_trouble(&mut self, now: Instant, failure: &Failure) {
        self.failure = Some(failure.clone());
        let since = *self.trouble_since.get_or_insert(now);
        self.trouble_lasts = now.duration_since(since) > self.patience;
    }

    fn answered(&mut self, pass: Pass) -> Option<Report> {
        let recovered = self.governor.succeeded(pass);
        if self.governor.cause().is_none() {
            self.trouble_since = None;
            self.trouble_lasts = false;
            self.throttling_reported = false;
        }
        (recovered && self.reported.is_some()).then(|| self.up())
    }

    /// 403 to a question about users: they are looked up with other accounts, or later.
    pub(crate) fn lookups_refused(&mut self, now: Instant, failure: &Failure) -> Option<Report> {
        if self.lookups_until.is_some_and(|until| until > now) {
            return None;
        }
        let wait = LOOKUPS.0.saturating_mul(1 << self.lookups_refused.min(10)).min(LOOKUPS.1);
        self.lookups_refused += 1;
        self.lookups_until = Some(now + wait);
        self.failure = Some(failure.clone());
        let (account, failure) = (self.name.clone(), failure.clone());
        Some(Report::AccountFailed { account, failure, needs_a_person: true, retry_at: now + wait })
    }

    /// A question about users was answered. Something is reported when they could not be looked up before.
    pub(crate) fn lookups_answered(&mut self) -> Option<Report> {
        self.lookups_refused = 0;
        self.lookups_until.take().map(|_| Report::AccountUp { account: self.name.clone() })
    }

    /// Why it cannot ask, and when it is tried again.
    pub(crate) fn trouble(&self, now: Instant) -> Option<(Failure, Instant)> {
        if let Some(failed) = self.token_failure.as_ref().filter(|_| self.credential.bearer(now).is_none()) {
            return Some((failed.failure.clone(), failed.retry_at));
        }
        let at = self.governor.retry_at(now).or(self.trouble_lasts.then_some(now))?;
        Some((self.failure.clone()?, at))
    }

    /// How it looks to an operator.
    pub(crate) fn view(&self, now: Instant, batches: usize) -> AccountView {
        let lookups = || Some((self.failure.clone()?, self.lookups_until.filter(|until| *until > now)?));
        let state = match self.trouble(now).or_else(lookups) {
            Some((failure, retry_at)) => AccountState::Failed { failure, retry_at },
            None if self.has_worked => AccountState::Working,
            None => AccountState::Starting,
        };
        AccountView {
            name: self.name.clone(),
            kind: self.kind,
            state,
            token_until: self.token_until.filter(|_| self.credential.bearer(now).is_some()),
            batches,
            requests: self.requests,
            throttled: self.throttled,
            push: self.push.as_ref().map(Push::view),
        }
    }
}

/// What a failure is about, without the numbers that Microsoft gives to each answer.
fn gist(failure: &Failure) -> (Option<u16>, &str) {
    let detail = failure.detail.split_once(" Trace ID").map_or(&*failure.detail, |(gist, _)| gist);
    (failure.code, detail)
}
