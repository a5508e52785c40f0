//! The life of an account's access token.

mod types;

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

use presence_core::{EndedBy, Failure, FailureKind};
use secrecy::{ExposeSecret, SecretString};

pub use self::types::{CredentialEffect, CredentialFailure, CredentialState};
use crate::dice::Dice;
use crate::wire::{Grant, Token, TokenError, TokenErrorKind, parse_token, token_request};
use crate::{Answer, Request, Secret, Trouble, sign_assertion};

/// The first and the longest wait while the login host cannot answer.
const TRANSIENT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// The first and the longest wait while only a person can mend it.
const PERMANENT: (Duration, Duration) = (Duration::from_secs(900), Duration::from_secs(3_600));

/// A new token that is refused within this time was never good; one that is refused later has been revoked.
const PROBATION: Duration = Duration::from_secs(300);

/// What was asked for and has not come after this will not come.
const LOST: Duration = Duration::from_secs(60);

/// How far clocks may be apart before assertions are refused.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// AADSTS700024: the assertion is not good yet, or no more.
const ASSERTION_OUT_OF_TIME: u32 = 700_024;

/// Keeps one account's access token: one request at a time, renewed at 80 % of its life, back-off by the kind of failure.
///
/// ```text
///           want             SecretLoaded             2xx
///  None ----------> Loading ---------------> Fetching -----> Ready --(80 % of its life)--> Loading
///                      ^                        |              |
///                      |      back-off over     | refused      | rejected (a 401), once
///                      +--------- Failed <------+              +-----------> Loading
/// ```
///
/// Once wanted it goes on by itself. A token stays good until it runs out while a new one cannot be had; [`Credential::trouble`]
/// tells of it, and [`CredentialEffect::Failed`] comes when it has run out.
#[derive(Debug)]
pub struct Credential {
    tenant: String,
    graph_host: String,
    login_host: String,
    /// A moment and its time of day.
    wall: (Instant, SystemTime),
    dice: Dice,
    state: State,
    token: Option<Held>,
    /// What a refresh token was exchanged for last, should the file still say the old one.
    exchanged: Option<Exchanged>,
    /// The next token comes because one was refused.
    instead: bool,
    /// Waits since the last success, by kind.
    transient: u32,
    permanent: u32,
    effects: VecDeque<CredentialEffect>,
}

#[derive(Debug)]
enum State {
    /// Nobody has wanted a token, or there is one and nothing is to be done yet.
    Resting,
    /// The secret is being read.
    Loading { lost_at: Instant },
    /// The login host is being asked.
    Fetching { sent_at: Instant, asked: Asked },
    /// Waiting to try again.
    BackingOff(CredentialFailure),
}

/// What the login host was asked with.
#[derive(Debug)]
enum Asked {
    /// A client secret, which must not come back in a message.
    Secret(SecretString),
    Certificate,
    /// The token of the file, and the one that was sent (normally the same).
    RefreshToken {
        file: SecretString,
        sent: SecretString,
    },
}

#[derive(Debug)]
struct Held {
    access: SecretString,
    came_at: Instant,
    renew_at: Instant,
    until: Instant,
    /// It came because the one before was refused.
    instead: bool,
}

#[derive(Debug)]
struct Exchanged {
    file: SecretString,
    newest: SecretString,
}

impl Credential {
    /// The credential of one account of this tenant (TenantId). The hosts are without scheme; `seed` is for jitter and request
    /// ids; `wall` is the time of day at `now`.
    #[must_use]
    pub fn new(now: Instant, wall: SystemTime, tenant: &str, graph_host: &str, login_host: &str, seed: u64) -> Self {
        Self {
            tenant: tenant.to_owned(),
            graph_host: graph_host.to_owned(),
            login_host: login_host.to_owned(),
            wall: (now, wall),
            dice: Dice::new(seed),
            state: State::Resting,
            token: None,
            exchanged: None,
            instead: false,
            transient: 0,
            permanent: 0,
            effects: VecDeque::new(),
        }
    }

    /// A token that can be used now.
    #[must_use]
    pub fn bearer(&self, now: Instant) -> Option<SecretString> {
        self.token.as_ref().filter(|token| now < token.until).map(|token| token.access.clone())
    }

    /// Somebody needs a token: fetches one unless there is one, one is on its way, or the back-off lasts.
    pub fn want(&mut self, now: Instant) {
        self.handle_timeout(now);
        match &self.state {
            State::Resting if self.token.is_none() => self.load(now, "wanted"),
            State::Resting | State::Loading { .. } | State::Fetching { .. } | State::BackingOff(_) => {}
        }
    }

    /// Graph answered 401 to a request with this token. The first time of a token it is fetched anew at once; true then, and the
    /// request may be sent again with the new one. False when the new token was refused too: the account has failed.
    pub fn rejected(&mut self, now: Instant, token: &SecretString, failure: &Failure) -> bool {
        self.handle_timeout(now);
        let held = self.token.as_ref().filter(|held| held.access.expose_secret() == token.expose_secret());
        let Some(held) = held else {
            // The token before: another one is there, or on its way, or cannot be had.
            return self.token.is_some() || matches!(self.state, State::Loading { .. } | State::Fetching { .. });
        };
        let on_probation = now.saturating_duration_since(held.came_at) < PROBATION;
        let hopeless = on_probation && held.instead;
        self.token = None;
        self.instead = true;
        if !on_probation {
            self.permanent = 0;
        }
        if matches!(self.state, State::Loading { .. } | State::Fetching { .. }) {
            return true;
        }
        if hopeless {
            self.fail(now, failure.clone(), true, false);
            return false;
        }
        if let State::BackingOff(failure) = &self.state {
            // It could not be renewed a moment ago either.
            self.effects.push_back(CredentialEffect::Failed(failure.clone()));
            return false;
        }
        self.load(now, "rejected");
        true
    }

    /// The secret that was asked for, or why it cannot be read (never with its content).
    pub fn secret_loaded(&mut self, now: Instant, secret: Result<Secret, String>) {
        if !matches!(self.state, State::Loading { .. }) {
            // It came too late: it has been asked for again, or given up.
            return;
        }
        let request = secret.and_then(|secret| self.request(now, secret));
        match request {
            Ok((request, asked)) => {
                self.effects.push_back(CredentialEffect::Send(request));
                self.enter(State::Fetching { sent_at: now, asked }, "the secret is there");
            }
            Err(text) => self.fail(now, own(text), true, false),
        }
    }

    /// What the login host said.
    pub fn answered(&mut self, now: Instant, answer: Result<Answer, Trouble>) {
        if !matches!(self.state, State::Fetching { .. }) {
            // It came too late.
            return;
        }
        let State::Fetching { sent_at, asked } = std::mem::replace(&mut self.state, State::Resting) else { return };
        let answer = match answer {
            Ok(answer) => answer,
            Err(trouble) => {
                let text = format!("no answer from the login host: {trouble}");
                return self.fail(now, Failure::new(FailureKind::Endpoint, EndedBy::Network, text), false, true);
            }
        };
        let clock_was_wrong = self.set_clock(now, &answer);
        match parse_token(&answer, self.wall(now)) {
            Ok(token) => self.take(now, sent_at, asked, token),
            Err(error) => {
                let mended = clock_was_wrong && error.aadsts == Some(ASSERTION_OUT_OF_TIME);
                let needs_a_person = error.kind == TokenErrorKind::NeedsAPerson && !mended;
                self.fail(now, refused(error, &asked), needs_a_person, !needs_a_person);
            }
        }
    }

    /// A person says that it can be had now: ends the back-off.
    pub fn retry(&mut self, now: Instant) {
        if matches!(self.state, State::BackingOff(_)) {
            (self.transient, self.permanent) = (0, 0);
            self.load(now, "a person wants it tried");
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let ran_out = self.token.as_ref().is_some_and(|token| now >= token.until);
        if ran_out {
            self.token = None;
        }
        match &self.state {
            State::Resting if ran_out => self.load(now, "ran out"),
            State::Resting if self.token.as_ref().is_some_and(|token| now >= token.renew_at) => {
                self.load(now, "renewed")
            }
            State::BackingOff(failure) if now >= failure.retry_at => self.load(now, "tried again"),
            State::BackingOff(failure) if ran_out => {
                self.effects.push_back(CredentialEffect::Failed(failure.clone()));
            }
            State::Loading { lost_at } if now >= *lost_at => {
                self.fail(now, own("the secret was not read in time".to_owned()), false, false);
            }
            State::Fetching { sent_at, .. } if now >= *sent_at + LOST => {
                let text = "the login host has not answered";
                self.fail(now, Failure::new(FailureKind::Endpoint, EndedBy::Network, text), false, true);
            }
            State::Resting | State::Loading { .. } | State::Fetching { .. } | State::BackingOff(_) => {}
        }
    }

    /// The next thing to do.
    pub fn poll_effect(&mut self) -> Option<CredentialEffect> {
        self.effects.pop_front()
    }

    /// When to call [`Credential::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let until = self.token.as_ref().map(|token| token.until);
        let due = match &self.state {
            State::Resting => self.token.as_ref().map(|token| token.renew_at),
            State::Loading { lost_at } => Some(*lost_at),
            State::Fetching { sent_at, .. } => Some(*sent_at + LOST),
            State::BackingOff(failure) => Some(failure.retry_at),
        };
        due.into_iter().chain(until).min()
    }

    /// How it is.
    #[must_use]
    pub fn state(&self) -> CredentialState {
        match (&self.token, &self.state) {
            (_, State::Loading { .. } | State::Fetching { .. }) => CredentialState::Fetching,
            (Some(token), State::Resting | State::BackingOff(_)) => CredentialState::Ready { until: token.until },
            (None, State::BackingOff(failure)) => CredentialState::Failed(failure.clone()),
            (None, State::Resting) => CredentialState::Idle,
        }
    }

    /// Why no new token can be had at present, also while the one before is still good.
    #[must_use]
    pub fn trouble(&self) -> Option<&CredentialFailure> {
        match &self.state {
            State::BackingOff(failure) => Some(failure),
            State::Resting | State::Loading { .. } | State::Fetching { .. } => None,
        }
    }

    fn load(&mut self, now: Instant, why: &'static str) {
        self.effects.push_back(CredentialEffect::LoadSecret);
        self.enter(State::Loading { lost_at: now + LOST }, why);
    }

    /// What to send with this secret.
    fn request(&mut self, now: Instant, secret: Secret) -> Result<(Request, Asked), String> {
        let request_id = self.dice.guid();
        let ask = |client_id: &str, grant| token_request(&self.tenant, &self.graph_host, client_id, grant);
        let (request, asked) = match secret {
            Secret::ClientSecret { client_id, secret } => {
                (ask(&client_id, Grant::Secret(&secret)), Asked::Secret(secret))
            }
            Secret::Certificate { client_id, certificate, private_key } => {
                let audience = (self.login_host.as_str(), self.tenant.as_str(), client_id.as_str());
                let assertion = sign_assertion(audience, &certificate, &private_key, self.wall(now), &request_id)?;
                (ask(&client_id, Grant::Assertion(&assertion)), Asked::Certificate)
            }
            Secret::RefreshToken { client_id, token } => {
                let same = |known: &&Exchanged| known.file.expose_secret() == token.expose_secret();
                let sent = self.exchanged.as_ref().filter(same).map_or(&token, |known| &known.newest).clone();
                (ask(&client_id, Grant::RefreshToken(&sent)), Asked::RefreshToken { file: token, sent })
            }
        };
        Ok((Request { request_id, ..request }, asked))
    }

    fn take(&mut self, now: Instant, sent_at: Instant, asked: Asked, token: Token) {
        if let (Asked::RefreshToken { file, .. }, Some(newest)) = (asked, token.refresh) {
            self.effects.push_back(CredentialEffect::StoreToken(newest.clone()));
            self.exchanged = Some(Exchanged { file, newest });
        }
        // From when it was asked for, to be on the safe side; renewed between 75 and 80 % of its life.
        let renew_after = token.life * 4 / 5 - self.dice.jitter(token.life / 20);
        self.token = Some(Held {
            access: token.access,
            came_at: now,
            renew_at: (sent_at + renew_after).max(now + Duration::from_secs(1)),
            until: (sent_at + token.life).max(now + Duration::from_secs(1)),
            instead: self.instead,
        });
        self.transient = 0;
        if !std::mem::take(&mut self.instead) {
            self.permanent = 0;
        }
        self.effects.push_back(CredentialEffect::Ready);
        self.enter(State::Resting, "a token came");
    }

    fn fail(&mut self, now: Instant, failure: Failure, needs_a_person: bool, is_network: bool) {
        let (times, (first, longest)) =
            if needs_a_person { (&mut self.permanent, PERMANENT) } else { (&mut self.transient, TRANSIENT) };
        let step = first.saturating_mul(1 << (*times).min(16)).min(longest);
        *times = times.saturating_add(1);
        let wait = failure.retry_after.unwrap_or_default().max(step);
        let jitter = self.dice.jitter(if needs_a_person { step / 10 } else { step / 4 });
        let failure = CredentialFailure { failure, needs_a_person, is_network, retry_at: now + wait + jitter };
        if self.token.is_none() {
            self.effects.push_back(CredentialEffect::Failed(failure.clone()));
        }
        self.enter(State::BackingOff(failure), "no token");
    }

    /// Takes the time of day from the answer when ours is wrong by more than what Microsoft forgives: assertions carry it.
    fn set_clock(&mut self, now: Instant, answer: &Answer) -> bool {
        let Some(theirs) = answer.date.as_deref().and_then(|date| httpdate::parse_http_date(date).ok()) else {
            return false;
        };
        let ours = self.wall(now);
        let apart = theirs.duration_since(ours).or_else(|_| ours.duration_since(theirs)).unwrap_or_default();
        let wrong = apart > CLOCK_SKEW;
        if wrong {
            self.wall = (now, theirs);
        }
        wrong
    }

    fn wall(&self, now: Instant) -> SystemTime {
        self.wall.1 + now.saturating_duration_since(self.wall.0)
    }

    fn enter(&mut self, next: State, why: &'static str) {
        tracing::trace!(from = ?self.state, to = ?next, why);
        self.state = next;
    }
}

/// Our own trouble.
fn own(text: String) -> Failure {
    Failure::new(FailureKind::Endpoint, EndedBy::Us, text)
}

/// What the login host says, without what it was asked with.
fn refused(error: TokenError, asked: &Asked) -> Failure {
    let error = match asked {
        Asked::Secret(secret) => error.without(secret.expose_secret()),
        Asked::RefreshToken { file, sent } => error.without(file.expose_secret()).without(sent.expose_secret()),
        Asked::Certificate => error,
    };
    let detail = format!("no token: {error}");
    Failure::answered(FailureKind::Endpoint, error.status, detail).with_retry_after(error.retry_after)
}

#[cfg(test)]
mod tests;
