//! What a [`crate::Graph`] is made from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use presence_core::AgentUri;
use secrecy::SecretString;

use crate::ObjectId;

/// Everything that the configuration says about Microsoft Graph, without secrets.
#[derive(Clone, Debug)]
pub struct GraphSettings {
    /// The tenants in the order of the file, each once.
    pub tenants: Vec<TenantSettings>,
    /// Agents that the file maps to users; they are not looked up.
    pub users: BTreeMap<AgentUri, ObjectId>,
    /// How long a sweep over all agents takes: an agent's change is seen at most this late.
    pub sweep: Duration,
    /// The same for agents whose changes are notified and whose notifications are known to work.
    pub slow_sweep: Duration,
    /// How many requests one account makes at most in any second.
    pub requests_per_second: NonZeroU32,
    /// How long an agent that no tenant knows is remembered as such (FailedPresenceSubscriptionsResubscribeDelay).
    pub forget_unknown_after: Duration,
    /// True when an agent that no tenant knows is to be declined (another source serves it then) instead of failed.
    pub declines: bool,
    /// Change notifications, where they are wanted.
    pub notifications: Option<NotificationSettings>,
}

/// One tenant.
#[derive(Clone, Debug)]
pub struct TenantSettings {
    /// TenantId as it is configured: a GUID or a domain.
    pub id: Arc<str>,
    /// The domains whose agents are users of this tenant, lower case; empty: any may be.
    pub domains: BTreeSet<String>,
    /// Its accounts in the order of the file.
    pub accounts: Vec<AccountSettings>,
}

/// One account: an application's or a signed-in user's right to ask.
#[derive(Clone, Debug)]
pub struct AccountSettings {
    /// `Id` of the Account: its name.
    pub name: Arc<str>,
    /// What kind its credential is.
    pub kind: AccountKind,
}

/// Whose right it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountKind {
    /// The application's own (client secret or certificate): polls.
    Application,
    /// A signed-in user's (device code, refresh token): polls, and may have change notifications.
    Delegated,
}

/// Where change notifications go. `Debug` does not show the key.
#[derive(Clone, PartialEq, Eq)]
pub struct NotificationSettings {
    /// `notificationUrl` and `lifecycleNotificationUrl`: ours as Microsoft reaches it, https.
    pub url: String,
    /// What `clientState` is derived with; random, new for each process.
    pub key: [u8; 32],
}

impl fmt::Debug for NotificationSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotificationSettings").field("url", &self.url).finish_non_exhaustive()
    }
}

/// What an account proves itself with. `Debug` never shows it.
#[derive(Clone, Debug)]
pub enum Secret {
    /// A client secret.
    #[expect(clippy::enum_variant_names, reason = "that is what Microsoft calls it")]
    ClientSecret {
        /// Application (client) id.
        client_id: String,
        /// The secret.
        secret: SecretString,
    },
    /// A certificate.
    Certificate {
        /// Application (client) id.
        client_id: String,
        /// The certificate, PEM.
        certificate: String,
        /// Its key, PEM.
        private_key: SecretString,
    },
    /// What a signed-in user left.
    RefreshToken {
        /// Application (client) id.
        client_id: String,
        /// The token; each use gives a new one.
        token: SecretString,
    },
}
