//! Answers to our REGISTERs.

use std::time::{Duration, Instant};

use presence_core::{Again, EndedBy, Failure, FailureKind};

use super::contact::{granted, redirected};
use super::state::{Repairs, State};
use super::timeouts::{keep_alive_after, refresh_after};
use super::verdict::Verdict;
use super::{REDIRECTIONS, Registration, RegistrationEffect};
use crate::classify::classify;
use crate::error::DigestError;
use crate::message::Message;
use crate::subscriber::WireEvent;
use crate::transaction::Answer;

/// How often one REGISTER answers a challenge of the same party: the first, and those that say `stale`.
const CHALLENGE_LIMIT: u8 = 3;

/// Beyond a day it is not a lifetime but a mistake.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What an operator does about a pool that wants a password of a trusted application.
const NOT_TRUSTED: &str = "the pool does not treat us as a trusted application: the subject of our certificate must be \
    the FQDN of the trusted application pool, and New-CsTrustedApplication must have been run for it and for our port, \
    then Enable-CsTopology";

/// What an operator does about an endpoint that the pool does not know.
const NOT_WELCOME: &str = "is the endpoint there (New-CsTrustedApplicationEndpoint, or Enable-CsUser for a user), \
    enabled, and homed on this pool?";

impl Registration {
    /// Takes an answer; true when it is one to a REGISTER of ours, and nobody else needs to look at it.
    pub fn receive_response(&mut self, now: Instant, response: &Message) -> bool {
        let Some(status) = response.status() else { return false };
        if !self.identity.call_id.is(response.call_id()) {
            return false;
        }
        let (timers, reliable) = (self.config.timers, self.config.transport.reliable());
        let exchange = self.state.exchange_mut().filter(|exchange| exchange.transaction.matches(response));
        let Some(exchange) = exchange else {
            self.effects.push_back(RegistrationEffect::Count(WireEvent::StrayResponse));
            return true;
        };
        match exchange.transaction.receive(now, status, reliable, &timers) {
            Answer::Provisional | Answer::Repeated => {}
            Answer::Final => {
                let (asked, repairs) = (exchange.expires, exchange.repairs);
                match status {
                    200..=299 => self.accepted(now, response, asked),
                    _ => self.refused(now, response, status, repairs),
                }
            }
        }
        true
    }

    fn accepted(&mut self, now: Instant, response: &Message, asked: Duration) {
        self.redirections = 0;
        if matches!(self.state, State::Unregistering { .. }) {
            return self.unregistered("2xx");
        }
        let granted = granted(response, self.config.epid.instance());
        // A pool may only shorten what was asked for (RFC 3261 section 10.3).
        let expires = granted.expires.unwrap_or(asked).min(asked);
        if expires.is_zero() {
            let why = "the pool registered us for no time at all";
            return self.later(now, Failure::new(FailureKind::Endpoint, EndedBy::Peer, why));
        }
        self.gruu = granted.gruu;
        self.keep_alive = granted.keep_alive.filter(|_| self.config.transport.reliable()).map(keep_alive_after);
        self.sent_at.get_or_insert(now);
        let (until, refresh_at) = (now + expires, now + refresh_after(expires));
        self.enter(State::Registered { until, refresh_at }, "2xx");
        self.effects.push_back(RegistrationEffect::Registered { expires });
    }

    fn refused(&mut self, now: Instant, response: &Message, status: u16, repairs: Repairs) {
        let failure = Failure { kind: FailureKind::Endpoint, ..classify(status, response) };
        let verdict = Verdict::of(status, response.ms_diagnostics().map(|found| found.id));
        match verdict {
            Verdict::Challenged => self.challenged(now, response, status, repairs, failure),
            // Whatever it says: we go.
            _ if matches!(self.state, State::Unregistering { .. }) => self.unregistered("refused"),
            Verdict::Elsewhere => match redirected(response) {
                Some((host, port)) => self.elsewhere(host, port),
                None => self.later(now, with(failure, "the pool sends us elsewhere and does not say where")),
            },
            Verdict::TooBrief => match response.min_expires() {
                Some(longer) if !repairs.lengthened && longer > self.expires && longer <= LONGEST => {
                    self.expires = longer;
                    self.again(now, Repairs { lengthened: true, ..repairs });
                }
                Some(_) | None => self.deregistered(failure, verdict, Again::Seldom),
            },
            Verdict::BadExtension if !repairs.plain => self.again(now, Repairs { plain: true, ..repairs }),
            Verdict::Overloaded => self.overloaded(now, failure),
            Verdict::Later => self.later(now, failure),
            Verdict::Unwelcome => self.deregistered(with(failure, NOT_WELCOME), verdict, Again::Seldom),
            Verdict::TooMany => self.deregistered(failure, verdict, Again::AfterBackOff),
            Verdict::BadExtension | Verdict::Refused => self.deregistered(failure, verdict, Again::Seldom),
        }
    }

    /// The same REGISTER again, repaired, with a higher CSeq (RFC 3261 section 8.1.3.5).
    fn again(&mut self, now: Instant, repairs: Repairs) {
        let expires = if matches!(self.state, State::Unregistering { .. }) { Duration::ZERO } else { self.expires };
        match self.send(now, expires, repairs) {
            Ok(repaired) => {
                if let Some(exchange) = self.state.exchange_mut() {
                    *exchange = repaired;
                }
            }
            Err(failure) => self.later(now, failure),
        }
    }

    /// A challenge is answered once, and again when it says that only the nonce is stale.
    fn challenged(&mut self, now: Instant, response: &Message, status: u16, mut repairs: Repairs, failure: Failure) {
        let (header, count) = if status == 401 {
            ("WWW-Authenticate", &mut repairs.server_challenges)
        } else {
            ("Proxy-Authenticate", &mut repairs.proxy_challenges)
        };
        let says = |what: &str| response.header_all(header).any(|value| value.to_ascii_lowercase().contains(what));
        let stale = says("stale=true") || says("stale=\"true\"");
        let answered = match &mut self.digest {
            None => Err(with(failure, NOT_TRUSTED)),
            Some(digest) => match digest.challenge(response) {
                Err(DigestError::NoChallenge | DigestError::Unsupported) => Err(with(failure, NOT_TRUSTED)),
                Err(DigestError::Refused) => Err(with(failure, WRONG_PASSWORD)),
                Ok(()) if *count >= CHALLENGE_LIMIT || (*count > 0 && !stale) => Err(with(failure, WRONG_PASSWORD)),
                Ok(()) => Ok(()),
            },
        };
        *count += 1;
        match (answered, &self.state) {
            (Ok(()), _) => self.again(now, repairs),
            (Err(_), State::Unregistering { .. }) => self.unregistered("refused"),
            (Err(failure), _) => self.deregistered(failure, Verdict::Challenged, Again::Seldom),
        }
    }

    /// The pool sends us elsewhere, unless it has done so too often.
    pub(super) fn elsewhere(&mut self, host: String, port: Option<u16>) {
        if self.redirections >= REDIRECTIONS {
            self.redirections = 0;
            let why = format!("the pools send us from one to the other: the last of {REDIRECTIONS} and more to {host}");
            return self.fail(Failure::new(FailureKind::Endpoint, EndedBy::Peer, why), "redirected too often");
        }
        self.redirections += 1;
        self.enter(State::Unregistered, "redirected");
        self.effects.push_back(RegistrationEffect::Redirected { host, port });
    }

    fn deregistered(&mut self, failure: Failure, verdict: Verdict, again: Again) {
        let reason = verdict.reason(self.is_registered());
        self.enter(State::Unregistered, "refused");
        self.effects.push_back(RegistrationEffect::Deregistered { failure, reason, again });
    }
}

const WRONG_PASSWORD: &str = "the pool does not accept the user name or the password";

/// The failure with what else is known of it.
fn with(failure: Failure, text: &str) -> Failure {
    Failure { detail: format!("{}: {text}", failure.detail).into(), ..failure }
}
