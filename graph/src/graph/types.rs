//! What a [`crate::Graph`] is told, and what it wants done.

use std::sync::Arc;
use std::time::Instant;

use presence_core::{AgentUri, Attempt, Failure, SubscriptionInput};
use secrecy::SecretString;

use crate::wire::Notice;
use crate::{Answer, ExchangeId, Request, Secret, Trouble};

/// What happens to it.
#[derive(Debug)]
pub enum GraphInput {
    /// An agent is wanted, under this number.
    Register {
        /// The agent.
        uri: AgentUri,
        /// Its number; an earlier one of the same agent is replaced.
        attempt: Attempt,
    },
    /// An agent is not wanted any more.
    Unregister {
        /// The agent.
        uri: AgentUri,
        /// Its number; another one changes nothing.
        attempt: Attempt,
    },
    /// What came of a [`GraphEffect::Send`].
    Answered {
        /// Which.
        exchange: ExchangeId,
        /// The answer, or why there is none.
        result: Result<Answer, Trouble>,
    },
    /// What came of a [`GraphEffect::LoadSecret`].
    SecretLoaded {
        /// The account's `Id`.
        account: Arc<str>,
        /// The secret, or why it cannot be read; the text never holds a part of it.
        secret: Result<Secret, String>,
    },
    /// Microsoft notified us.
    Noticed(Vec<Notice>),
    /// A person wants every account that waits tried again now.
    Retry,
    /// Everything ends: what we have at Microsoft is deleted.
    Stop,
}

/// What it wants done.
#[derive(Debug)]
pub enum GraphEffect {
    /// Send a request.
    Send {
        /// Comes back in [`GraphInput::Answered`].
        exchange: ExchangeId,
        /// As whom, for the log.
        account: Arc<str>,
        /// The request.
        request: Request,
    },
    /// Tell an agent's subscription.
    Feed {
        /// The agent.
        uri: AgentUri,
        /// What.
        input: SubscriptionInput,
    },
    /// No tenant knows this agent: another source is to serve it. Only with [`crate::GraphSettings::declines`]; it is unregistered.
    Decline {
        /// The agent.
        uri: AgentUri,
        /// Its number.
        attempt: Attempt,
    },
    /// Read an account's secret, now.
    LoadSecret {
        /// The account's `Id`.
        account: Arc<str>,
    },
    /// Keep an account's refresh token, atomically.
    StoreToken {
        /// The account's `Id`.
        account: Arc<str>,
        /// The token.
        token: SecretString,
    },
    /// Something that the log and the operator should know, told once per occurrence.
    Report(Report),
}

/// What an operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A tenant's presence is asked for and answered (again).
    TenantUp {
        /// TenantId.
        tenant: Arc<str>,
        /// How many agents it has.
        agents: usize,
    },
    /// A tenant cannot be asked; its agents keep their last value as stale.
    TenantDown {
        /// TenantId.
        tenant: Arc<str>,
        /// How many agents it has.
        agents: usize,
        /// Why.
        failure: Failure,
        /// When it is tried again.
        retry_at: Instant,
    },
    /// An account works (again).
    AccountUp {
        /// Its `Id`.
        account: Arc<str>,
    },
    /// An account cannot be used.
    AccountFailed {
        /// Its `Id`.
        account: Arc<str>,
        /// Why.
        failure: Failure,
        /// Only a person can mend it.
        needs_a_person: bool,
        /// When it is tried again.
        retry_at: Instant,
    },
    /// Microsoft asks for less.
    Throttled {
        /// The account's `Id`.
        account: Arc<str>,
        /// When it is asked again.
        until: Instant,
    },
    /// A word of Microsoft's that is not known: once for each, at most 64.
    UnknownValue {
        /// `availability` or `activity`.
        property: &'static str,
        /// The word, at most 64 characters.
        value: String,
    },
    /// The change notifications of an account are in another state.
    Push {
        /// The account's `Id`.
        account: Arc<str>,
        /// The state.
        state: crate::PushState,
        /// Why, where there is a reason.
        failure: Option<Failure>,
    },
    /// There are more agents than the accounts' change notifications can carry: the others are polled.
    PushTooSmall {
        /// TenantId.
        tenant: Arc<str>,
        /// How many agents are polled only.
        polled_only: usize,
        /// How many more accounts would carry them.
        accounts_wanted: usize,
    },
    /// Our clock and Microsoft's are apart by more than five minutes.
    ClockSkew {
        /// In seconds; positive when Microsoft's is ahead.
        seconds: i64,
    },
}
