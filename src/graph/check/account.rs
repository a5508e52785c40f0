//! The steps of one account.

use std::time::Instant;

use presence_actors::SecretStore as _;
use presence_config::GraphAccount;
use presence_core::{AgentUri, Failure};
use presence_graph::wire::{Ruling, parse_presences, presence_request, rule};
use presence_graph::{AccountKind, Answer, Credential as TokenMachine, CredentialEffect, ObjectId, Trouble, remedy};
use secrecy::{ExposeSecret, SecretString};

use super::questions::{address, lookups, users};
use crate::doctor::report::{Outcome, Step};
use crate::graph::claims::Claims;
use crate::graph::line::{Line, get, random};
use crate::graph::{Credential, FileSecretStore, Proof};

/// More effects than any way to a token has.
const MOST_EFFECTS: usize = 32;
const CONSENT: &str = "in the Entra admin center give the application the permission, then grant admin consent";

/// What an account is examined with.
pub(super) struct Examination<'a> {
    pub(super) line: &'a Line,
    pub(super) secrets: &'a FileSecretStore,
    pub(super) account: &'a GraphAccount,
    /// Who is looked up.
    pub(super) agent: Option<AgentUri>,
    /// Who that is, where the file says so.
    pub(super) mapped: Option<ObjectId>,
}

impl Examination<'_> {
    /// Makes the steps; what cannot be tried any more is told as skipped.
    pub(super) async fn run(&self, tell: &mut impl FnMut(Step)) {
        let mut tell = |step: Step| tell(step.of(&self.account.id));
        let skip = |steps: &[&'static str], why: &str, tell: &mut dyn FnMut(Step)| {
            steps.iter().for_each(|step| tell(Step::skipped(step, why)));
        };
        let (step, credential) = self.credential();
        tell(step);
        let Some(credential) = credential else {
            return skip(&["token", "permissions", "user", "presence"], "its credential cannot be used", &mut tell);
        };
        let (step, token) = self.token().await;
        tell(step);
        let Some(token) = token else {
            return skip(&["permissions", "user", "presence"], "there is no token", &mut tell);
        };
        let claims = Claims::read(&token);
        tell(self.permissions(credential.kind(), claims.as_ref()));
        let (step, user) = self.user(&token).await;
        tell(step);
        // A signed-in user may ask for himself at least.
        let own = claims.and_then(|claims| claims.object).filter(|_| credential.kind() == AccountKind::Delegated);
        tell(self.presence(&token, user.or(own)).await);
    }

    fn credential(&self) -> (Step, Option<Credential>) {
        let usable = self.secrets.credential(&self.account.id).and_then(|credential| {
            self.secrets.usable(&credential)?;
            Ok(credential)
        });
        match usable {
            Err(why) => (Step::fail("credential", why, "docs/configuration.md says what belongs there"), None),
            Ok(credential) => {
                let proof = match credential.proof {
                    Proof::ClientSecret(_) => "a client secret",
                    Proof::Certificate { .. } => "a certificate",
                    Proof::RefreshToken => "the sign-in of a person",
                };
                (Step::ok("credential", format!("{proof}, from {}", credential.place)), Some(credential))
            }
        }
    }

    /// The token, by the machine that the running provider has.
    async fn token(&self) -> (Step, Option<SecretString>) {
        let now = presence_actors::now();
        let (tenant, line) = (&self.account.tenant_id, self.line);
        let wall = presence_actors::time_of_day(now);
        let seed = u64::from_le_bytes(random());
        let mut machine = TokenMachine::new(now, wall, tenant, &line.graph_host, &line.login_host, seed);
        machine.want(now);
        let mut kept = None;
        for _ in 0..MOST_EFFECTS {
            let Some(effect) = machine.poll_effect() else { break };
            match effect {
                CredentialEffect::LoadSecret => {
                    machine.secret_loaded(presence_actors::now(), self.secrets.load(&self.account.id));
                }
                CredentialEffect::Send(request) => {
                    let answer = line.ask(request).await;
                    machine.answered(presence_actors::now(), answer);
                }
                CredentialEffect::StoreToken(token) => kept = Some(self.secrets.store(&self.account.id, &token)),
                CredentialEffect::Ready => break,
                CredentialEffect::Failed(failure) => {
                    let advice = if failure.is_network {
                        "the way there: name servers, firewall, `Proxy`, `TrustedCertificates`, `LoginUrl`"
                    } else if failure.failure.code.is_none() {
                        "docs/configuration.md says what belongs there"
                    } else {
                        remedy(&failure.failure).unwrap_or(
                            "look at client_id, TenantId and the proof; Microsoft's number (AADSTS...) says which of them",
                        )
                    };
                    return (Step::fail("token", text(&failure.failure), advice), None);
                }
            }
        }
        let now = presence_actors::now();
        let Some(token) = machine.bearer(now) else {
            return (Step::fail("token", "there is none, and nothing says why", "run it again"), None);
        };
        let life = machine_life(&machine, now);
        let step = match kept {
            None => Step::ok("token", format!("{} gives one{life}", line.login_host)),
            Some(Ok(())) => {
                Step::ok("token", format!("{} gives one{life}; the refresh token is renewed", line.login_host))
            }
            Some(Err(why)) => Step::fail(
                "token",
                format!("the new refresh token could not be kept: {why}"),
                "mend the state directory",
            ),
        };
        (step, Some(token))
    }

    fn permissions(&self, kind: AccountKind, claims: Option<&Claims>) -> Step {
        let Some(claims) = claims else {
            return Step::skipped("permissions", "the token does not say which it has");
        };
        let (granted, what, finds): (_, _, &[&str]) = match kind {
            AccountKind::Application => {
                (&claims.roles, "application", &["User.Read.All", "User.ReadBasic.All", "Directory.Read.All"])
            }
            AccountKind::Delegated => {
                (&claims.scopes, "delegated", &["User.ReadBasic.All", "User.Read.All", "Directory.Read.All"])
            }
        };
        let mut step = if granted.is_empty() {
            Step::ok("permissions", "the token has none")
        } else {
            Step::ok("permissions", granted.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
        };
        if !granted.contains("Presence.Read.All") {
            let advice = format!("{CONSENT}: Microsoft Graph, {what} permission Presence.Read.All");
            step.worsen(Outcome::Fail, "Presence.Read.All is missing", advice);
        }
        if !finds.iter().any(|name| granted.contains(*name)) {
            let wanted = finds.first().copied().unwrap_or_default();
            let advice =
                format!("{CONSENT}: Microsoft Graph, {what} permission {wanted}; or map every agent in `Users`");
            step.worsen(Outcome::Warn, format!("{wanted} is missing: agents cannot be looked up"), advice);
        }
        if !claims.is_of(&self.account.tenant_id) {
            let found = format!("the token is of the tenant {}", claims.tenant.as_deref().unwrap_or_default());
            step.worsen(Outcome::Fail, found, "correct TenantId, or sign in as a user of that tenant");
        }
        match &claims.user {
            Some(user) if kind == AccountKind::Delegated => step.detail(format!("signed in: {user}")),
            Some(_) | None => step,
        }
    }

    /// Who the agent is.
    async fn user(&self, token: &SecretString) -> (Step, Option<ObjectId>) {
        let Some(agent) = &self.agent else {
            let why = "the queues have no agent that Microsoft Graph serves; name one with --agent";
            return (Step::skipped("user", why), None);
        };
        if let Some(id) = self.mapped {
            return (Step::ok("user", format!("{agent} is mapped to {id}")), Some(id));
        }
        for path in lookups(address(agent)) {
            let answer = self.line.ask(get(path, token)).await;
            match (ruled(&answer, token), &answer) {
                (Ruling::Done, Ok(answer)) => match users(answer).as_slice() {
                    [] => {}
                    [id] => return (Step::ok("user", format!("{agent} is {id}")), Some(*id)),
                    [_, _, ..] => {
                        let found = format!("{agent} is the address of more than one user");
                        return (Step::fail("user", found, "map the agent in `Users`"), None);
                    }
                },
                // Not by this property, then by the next.
                (Ruling::NotFound(_) | Ruling::BadRequest(_), _) => {}
                (Ruling::Forbidden(failure), _) => {
                    let advice = format!("{CONSENT} (User.Read.All, for a signed-in user User.ReadBasic.All)");
                    return (Step::fail("user", text(&failure), advice), None);
                }
                (ruling, _) => return (Step::fail("user", told(&ruling), way(&ruling)), None),
            }
        }
        let found = format!("no user of the tenant {} has the address {}", self.account.tenant_id, address(agent));
        (Step::warn("user", found, "name another agent with --agent, or map this one in `Users`"), None)
    }

    async fn presence(&self, token: &SecretString, user: Option<ObjectId>) -> Step {
        let id = user.unwrap_or(ObjectId::new([0; 16]));
        let mut request = presence_request(&[id]);
        request.bearer = Some(token.clone());
        let answer = self.line.ask(request).await;
        match (ruled(&answer, token), &answer) {
            (Ruling::Done, Ok(answer)) => match parse_presences(&answer.body) {
                Err(why) => Step::fail("presence", why, "is GraphUrl the address of Microsoft Graph?"),
                Ok(_) if user.is_none() => Step::ok("presence", "it is answered, though nobody was asked for"),
                Ok(list) => match list.items.iter().find(|item| item.id == id) {
                    None => {
                        Step::warn("presence", format!("the answer has nothing about {id}"), "is it a user with Teams?")
                    }
                    Some(item) => {
                        let status = item.reading.status.as_ref();
                        let words = status.map_or("unknown to Microsoft".to_owned(), |status| {
                            format!("{} ({})", status.availability.name(), status.availability.value())
                        });
                        Step::ok("presence", format!("{id} is {words}"))
                    }
                },
            },
            (Ruling::Forbidden(failure), _) => {
                Step::fail("presence", text(&failure), format!("{CONSENT} (Presence.Read.All)"))
            }
            // Nobody has that id, and the question was allowed.
            (Ruling::BadRequest(_) | Ruling::NotFound(_), _) if user.is_none() => {
                Step::ok("presence", "the question is allowed, though nobody was asked for")
            }
            (ruling, _) => Step::fail("presence", told(&ruling), way(&ruling)),
        }
    }
}

/// ` for 60 minutes`.
fn machine_life(machine: &TokenMachine, now: Instant) -> String {
    match machine.state() {
        presence_graph::CredentialState::Ready { until } => {
            format!(" for {} minutes", until.saturating_duration_since(now).as_secs().div_ceil(60))
        }
        _ => String::new(),
    }
}

fn ruled(answer: &Result<Answer, Trouble>, token: &SecretString) -> Ruling {
    rule(answer, presence_actors::time_of_day(presence_actors::now())).without(token.expose_secret())
}

fn told(ruling: &Ruling) -> String {
    match ruling {
        Ruling::Done => "it is answered".to_owned(),
        Ruling::BadRequest(failure)
        | Ruling::Unauthorized(failure)
        | Ruling::Forbidden(failure)
        | Ruling::NotFound(failure)
        | Ruling::Conflict(failure)
        | Ruling::Throttled { failure }
        | Ruling::Unavailable { failure } => text(failure),
    }
}

const fn way(ruling: &Ruling) -> &'static str {
    match ruling {
        Ruling::Unavailable { .. } => {
            "the way there: name servers, firewall, `Proxy`, `TrustedCertificates`, `GraphUrl`"
        }
        Ruling::Throttled { .. } => "wait a minute; is another program using the same application?",
        Ruling::Unauthorized(_) => "is the cloud (`Cloud`) the one of this tenant?",
        Ruling::Done | Ruling::BadRequest(_) | Ruling::Forbidden(_) | Ruling::NotFound(_) | Ruling::Conflict(_) => {
            "Microsoft's support finds the request by its request-id"
        }
    }
}

/// What a failure says of itself.
fn text(failure: &Failure) -> String {
    failure.to_string()
}
