//! Microsoft Graph: tenants, accounts, change notifications, and what is known of one agent.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::FailureDetail;

/// MsGraphPresenceSource: whom it asks, how that goes, and what was counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Graph {
    /// The tenants in the order of the file; none when the source is switched off.
    pub tenants: Vec<GraphTenant>,
    /// What was counted since the start.
    pub counters: GraphCounters,
    /// When this was taken.
    pub taken: String,
}

/// One tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GraphTenant {
    /// TenantId as it is configured.
    #[schema(example = "contoso.onmicrosoft.com")]
    pub tenant: String,
    /// True when its agents' presence is asked for and answered.
    pub up: bool,
    /// Since when it is, or is not.
    #[serde(default)]
    pub since: Option<String>,
    /// How it is, in a sentence for a person.
    #[schema(example = "8 agents are asked for every 5 s in 1 request.")]
    pub says: String,
    /// Why it is not up, or what went wrong last.
    pub last_failure: Option<FailureDetail>,
    /// When it is tried again, while it is down.
    pub retry_at: Option<String>,
    /// In how many seconds.
    pub retry_in: Option<f64>,
    /// How many agents are asked for.
    pub agents: usize,
    /// How many agents' users are being looked up.
    pub looking_up: usize,
    /// How many requests one sweep over its agents takes.
    pub batches: usize,
    /// How many seconds a sweep takes at present: a change is seen at most this late.
    pub sweep: f64,
    /// When all of them had last been answered.
    pub swept_at: Option<String>,
    /// Its accounts in the order of the file.
    pub accounts: Vec<GraphAccount>,
}

/// Whose right an account uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GraphAccountKind {
    /// The application's own: a client secret or a certificate.
    Application,
    /// A signed-in user's; only these have change notifications.
    Delegated,
}

/// How an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GraphAccountState {
    /// It has no token yet.
    Starting,
    /// It can ask.
    Working,
    /// It cannot.
    Failed,
}

/// One account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GraphAccount {
    /// Its `Id`.
    #[schema(example = "contoso-poll")]
    pub account: String,
    /// Whose right it uses.
    pub kind: GraphAccountKind,
    /// How it is.
    pub state: GraphAccountState,
    /// How it is, in a sentence for a person.
    pub says: String,
    /// True when only a person can mend it: a secret that has expired, a consent that is missing.
    pub needs_a_person: bool,
    /// Why it has failed.
    pub failure: Option<FailureDetail>,
    /// When it is tried again, while it has failed.
    pub retry_at: Option<String>,
    /// In how many seconds.
    pub retry_in: Option<f64>,
    /// When its access token runs out; it is renewed before.
    pub token_until: Option<String>,
    /// How many requests of each sweep are its own.
    pub batches: usize,
    /// Requests that it has made since the start.
    pub requests: u64,
    /// How many of them Microsoft answered with 429: too many requests.
    pub throttled: u64,
    /// Its change notifications, where it has them.
    pub push: Option<GraphPush>,
}

/// How change notifications are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GraphPushState {
    /// There is nobody to be notified of, or the account does not work.
    Idle,
    /// The subscription is being made.
    Subscribing,
    /// The subscription stands, and is believed to work.
    Listening,
    /// The subscription stands, and changes are found that it does not tell.
    Deaf,
    /// It cannot be had for now.
    BackingOff,
    /// Another process uses this account: there are none until it is gone.
    Contested,
}

/// The change notifications of one account. Without them its agents are asked for all the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GraphPush {
    /// How they are.
    pub state: GraphPushState,
    /// How they are, in a sentence for a person.
    pub says: String,
    /// How many users they are about.
    pub users: usize,
    /// When the subscription runs out; it is renewed before.
    pub expires: Option<String>,
    /// Notifications that came since the start.
    pub notices: u64,
    /// Changes that were found without a notification having told of them, since the start.
    pub missed: u64,
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
    /// Requests that were answered with 429: too many requests.
    pub throttled: u64,
    /// Presences that were read.
    pub presences: u64,
    /// Changes that asking found.
    pub changes_polled: u64,
    /// Changes that were found because a notification told of them.
    pub changes_notified: u64,
    /// Notifications that came.
    pub notices: u64,
    /// Notifications that were dropped: of no subscription of ours, not genuine, of a user who is not ours.
    pub notices_dropped: u64,
    /// Presences of users whom nobody asked for.
    pub unasked: u64,
    /// Presences that could not be read.
    pub unreadable: u64,
    /// Values of availability and activity that are not known.
    pub unknown_values: u64,
    /// Presences that were older than what was held, and were dropped.
    pub overtaken: u64,
}

/// What Microsoft Graph knows of one agent, beside its presence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GraphAgent {
    /// The tenant whose user it is; null until that is known.
    pub tenant: Option<String>,
    /// The object id of the user; null until it is known.
    #[schema(example = "66825e03-7ef5-42da-9069-724602c31f6b")]
    pub object_id: Option<String>,
    /// The account that asks for it.
    pub account: Option<String>,
    /// True when its changes are notified, and it is asked for only now and then.
    pub notified: bool,
    /// When its presence was last heard, changed or not.
    pub heard_at: Option<String>,
}

/// What a [`super::Event::Graph`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GraphNews {
    /// A tenant is asked and answers (again).
    TenantUp,
    /// A tenant cannot be asked; its agents keep their last value as stale.
    TenantDown,
    /// An account works (again).
    AccountUp,
    /// An account cannot be used.
    AccountFailed,
    /// Microsoft asks for fewer requests.
    Throttled,
    /// Microsoft uses a word that is not known.
    UnknownValue,
    /// The change notifications of an account are in another state.
    Push,
    /// There are more agents than the accounts' change notifications can carry.
    PushTooSmall,
    /// Our clock and Microsoft's are far apart.
    ClockSkew,
}
