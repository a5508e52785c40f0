//! What people are shown of a [`crate::Graph`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use presence_core::Failure;

use crate::{AccountKind, ObjectId};

/// The whole at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GraphView {
    /// The tenants in the order of the file.
    pub tenants: Vec<TenantView>,
    /// What was counted since the start.
    pub counters: GraphCounters,
    /// How often something happened or was due since the start.
    pub wakes: u64,
    /// How many entries are kept at present of what is no agent's: requests under way, questions, names and tenants remembered.
    pub kept: usize,
}

/// One tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct TenantView {
    /// TenantId.
    pub id: Arc<str>,
    /// True when its agents' presence is asked for and answered.
    pub up: bool,
    /// Why not, or what went wrong last.
    pub last_failure: Option<Failure>,
    /// When it is tried again, while it is down.
    pub retry_at: Option<Instant>,
    /// How many agents are polled.
    pub agents: usize,
    /// How many agents' users are being looked up.
    pub looking_up: usize,
    /// How many requests one sweep takes.
    pub batches: usize,
    /// How long one sweep takes at present.
    pub sweep: Duration,
    /// When every batch had last been answered, if ever.
    pub swept_at: Option<Instant>,
    /// Its accounts in the order of the file.
    pub accounts: Vec<AccountView>,
}

/// One account.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountView {
    /// Its `Id`.
    pub name: Arc<str>,
    /// What kind its credential is.
    pub kind: AccountKind,
    /// How it is.
    pub state: AccountState,
    /// When its access token runs out.
    pub token_until: Option<Instant>,
    /// How many batches it polls.
    pub batches: usize,
    /// Requests that it has sent since the start.
    pub requests: u64,
    /// How many of them were answered 429.
    pub throttled: u64,
    /// Its change notifications, where it has them.
    pub push: Option<PushView>,
}

/// How an account is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// It has no token yet.
    Starting,
    /// It can ask.
    Working,
    /// It cannot, and tries again then.
    Failed {
        /// Why.
        failure: Failure,
        /// When it is tried again.
        retry_at: Instant,
    },
}

/// The change notifications of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushView {
    /// How they are.
    pub state: PushState,
    /// How many users they are about.
    pub users: usize,
    /// When the subscription runs out.
    pub expires_at: Option<Instant>,
    /// How many notifications came since the start.
    pub notices: u64,
    /// How many changes the sweep found that no notification told of, since the start.
    pub missed: u64,
}

/// How change notifications are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PushState {
    /// Nobody is to be notified of, or the account does not work.
    Idle,
    /// The subscription is being made.
    Subscribing,
    /// It stands, and is believed to work.
    Listening,
    /// It stands, and the sweep finds changes that it does not tell.
    Deaf,
    /// It cannot be had for now.
    BackingOff,
    /// Another process uses this account: no notifications until it is gone.
    Contested,
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GraphCounters {
    /// Requests for presence.
    pub presence_requests: u64,
    /// Requests that look users up.
    pub directory_requests: u64,
    /// Requests for tokens.
    pub token_requests: u64,
    /// Requests about change notifications.
    pub subscription_requests: u64,
    /// Requests that failed, whatever the reason.
    pub failures: u64,
    /// Answers 429.
    pub throttled: u64,
    /// Presences that were read.
    pub presences: u64,
    /// Changes that were found by the sweep.
    pub changes_polled: u64,
    /// Changes that were found because a notification told of them.
    pub changes_notified: u64,
    /// Notifications that came.
    pub notices: u64,
    /// Notifications that were dropped: of no subscription of ours, a wrong clientState, a user who is not ours.
    pub notices_dropped: u64,
    /// Presences of users whom nobody asked for.
    pub unasked: u64,
    /// Items that could not be read.
    pub unreadable: u64,
    /// Values of availability and activity that are not known.
    pub unknown_values: u64,
    /// News that were older than what was held.
    pub overtaken: u64,
}

impl GraphCounters {
    /// The sum of both.
    pub(crate) const fn plus(self, other: &Self) -> Self {
        Self {
            presence_requests: self.presence_requests + other.presence_requests,
            directory_requests: self.directory_requests + other.directory_requests,
            token_requests: self.token_requests + other.token_requests,
            subscription_requests: self.subscription_requests + other.subscription_requests,
            failures: self.failures + other.failures,
            throttled: self.throttled + other.throttled,
            presences: self.presences + other.presences,
            changes_polled: self.changes_polled + other.changes_polled,
            changes_notified: self.changes_notified + other.changes_notified,
            notices: self.notices + other.notices,
            notices_dropped: self.notices_dropped + other.notices_dropped,
            unasked: self.unasked + other.unasked,
            unreadable: self.unreadable + other.unreadable,
            unknown_values: self.unknown_values + other.unknown_values,
            overtaken: self.overtaken + other.overtaken,
        }
    }
}

/// What Graph knows of one agent beside its subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphAgentView {
    /// The tenant whose user it is, once that is known.
    pub tenant: Option<Arc<str>>,
    /// The user.
    pub object_id: Option<ObjectId>,
    /// The account that polls it.
    pub account: Option<Arc<str>>,
    /// True when its changes are notified.
    pub notified: bool,
    /// When its presence was last heard.
    pub heard_at: Option<Instant>,
}
