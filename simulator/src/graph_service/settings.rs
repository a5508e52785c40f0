//! What a simulated Microsoft Graph is made with.

use std::time::Duration;

/// Everything that a [`GraphService`](super::GraphService) starts with.
#[derive(Clone, Debug)]
pub struct GraphServiceSettings {
    /// The seed of the dice.
    pub seed: u64,
    /// Scheme, host and port that `@odata.nextLink` begins with, such as `http://127.0.0.1:8443`.
    pub origin: String,
    /// The tenants.
    pub tenants: Vec<ServiceTenant>,
    /// How long a user stays in a presence on average; `None`: nothing changes by itself.
    pub change_interval: Option<Duration>,
    /// How long an access token lives (`expires_in`).
    pub token_lifetime: Duration,
    /// How long an answer takes.
    pub latency: Duration,
    /// How long after a change its notification leaves; changes within that time share a notification.
    pub notification_latency: Duration,
    /// One application may make so many requests to one tenant within [`Self::throttle_window`]; 0: as many as it likes.
    pub throttle: u32,
    /// See [`Self::throttle`].
    pub throttle_window: Duration,
    /// How `Retry-After` is written.
    pub retry_after: RetryAfterForm,
    /// What ids that nobody has do to a request for presence.
    pub strangers: Strangers,
}

/// How the service writes `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfterForm {
    /// `3`
    Seconds,
    /// `2.128`
    Fraction,
    /// `Sun, 06 Nov 1994 08:49:37 GMT`
    Date,
    /// Not at all.
    Absent,
}

/// What an id that no user of the tenant has does to getPresencesByUserId (Microsoft does not say which).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strangers {
    /// It is left out of the answer.
    DropOut,
    /// The whole request is refused with 400.
    Fail,
}

/// A tenant with everything that is in it.
#[derive(Clone, Debug)]
pub struct ServiceTenant {
    /// Its GUID.
    pub id: String,
    /// Its domains; any of them names it as well as the GUID does.
    pub domains: Vec<String>,
    /// Who may ask.
    pub accounts: Vec<ServiceAccount>,
    /// Its users.
    pub users: Vec<ServiceUser>,
}

/// One who may ask: an application, or a user signed in with one.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    /// Its name in commands and counters.
    pub name: String,
    /// The application (client) id.
    pub client_id: String,
    /// How it proves itself.
    pub credential: ServiceCredential,
}

/// How an account proves itself.
#[derive(Clone, Debug)]
pub enum ServiceCredential {
    /// By this client secret.
    Secret(String),
    /// By assertions signed with the key of this certificate (DER).
    Certificate(Vec<u8>),
    /// A signed-in user, by this refresh token at first; `None`: not yet signed in (device code).
    User(Option<String>),
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceUser {
    /// Object id: a GUID in lower case.
    pub id: String,
    /// userPrincipalName.
    pub upn: String,
    /// mail.
    pub mail: Option<String>,
    /// imAddresses, such as `sip:agent1@demo.example`.
    pub im_addresses: Vec<String>,
    /// proxyAddresses, such as `SMTP:agent1@demo.example`.
    pub proxy_addresses: Vec<String>,
}

impl ServiceUser {
    /// The user with this number: `agent{number}@{domain}`, found by every address, with an id that follows from tenant
    /// and number.
    #[must_use]
    pub fn numbered(tenant: usize, number: u32, domain: &str) -> Self {
        let address = format!("agent{number}@{domain}");
        Self {
            id: format!("{:08x}-0000-4000-8000-{number:012x}", 0xa9e0_0000_usize + tenant),
            mail: Some(address.clone()),
            im_addresses: vec![format!("sip:{address}")],
            proxy_addresses: vec![format!("SMTP:{address}"), format!("SIP:{address}")],
            upn: address,
        }
    }
}

impl GraphServiceSettings {
    /// The tenant id of [`Self::with_users`].
    pub const TENANT: &'static str = "4119dd4d-e455-4535-9d45-b3535f584cad";
    /// The client id of [`Self::with_users`].
    pub const CLIENT: &'static str = "7a1c5bd0-95f9-4d7b-a3a1-1f0f5a3d9c11";
    /// The client secret of [`Self::with_users`].
    pub const SECRET: &'static str = "simulated~secret.of.account-1";

    /// One tenant with this domain, the users `agent1@..` to `agent{count}@..`, and one application account `account1`
    /// ([`Self::CLIENT`], [`Self::SECRET`]); Microsoft's limits; nothing changes by itself, nothing takes time.
    #[must_use]
    pub fn with_users(count: u32, domain: &str) -> Self {
        let account = ServiceAccount {
            name: "account1".to_owned(),
            client_id: Self::CLIENT.to_owned(),
            credential: ServiceCredential::Secret(Self::SECRET.to_owned()),
        };
        Self {
            seed: 1,
            origin: "http://127.0.0.1".to_owned(),
            tenants: vec![ServiceTenant {
                id: Self::TENANT.to_owned(),
                domains: vec![domain.to_owned()],
                accounts: vec![account],
                users: (1..=count).map(|number| ServiceUser::numbered(0, number, domain)).collect(),
            }],
            change_interval: None,
            token_lifetime: Duration::from_secs(3_600),
            latency: Duration::ZERO,
            notification_latency: Duration::from_secs(2),
            throttle: 1_500,
            throttle_window: Duration::from_secs(30),
            retry_after: RetryAfterForm::Fraction,
            strangers: Strangers::DropOut,
        }
    }

    /// The same with a signed-in user's account in the first tenant, with this refresh token.
    #[must_use]
    pub fn and_user(mut self, name: &str, refresh_token: &str) -> Self {
        if let Some(tenant) = self.tenants.first_mut() {
            tenant.accounts.push(ServiceAccount {
                name: name.to_owned(),
                client_id: Self::CLIENT.to_owned(),
                credential: ServiceCredential::User(Some(refresh_token.to_owned())),
            });
        }
        self
    }
}
