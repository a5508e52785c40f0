//! A provider whose agents are Teams users.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use presence_actors::{AgentView, GraphNetwork, GraphSetup, Provider, SecretStore, Setup};
use presence_core::{Availability, Freshness, GraphRules, Presence, SourceRules};
use presence_graph::{
    AccountKind, AccountSettings, GraphSettings, GraphView, NotificationSettings, Secret, TenantSettings,
};
use presence_simulator::GraphServiceSettings;
use secrecy::{ExposeSecret, SecretString};

use super::microsoft::Microsoft;
use crate::support::{Recorder, Ucc, agent, pass, seconds};

/// The account of [`GraphServiceSettings::with_users`].
pub(crate) const ACCOUNT: &str = "account1";

/// Secrets in memory.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    known: Mutex<BTreeMap<String, Secret>>,
    /// The refresh tokens that were kept, in their order.
    stored: Mutex<Vec<(String, String)>>,
    /// Nothing can be kept.
    full: AtomicBool,
}

impl Secrets {
    pub(crate) fn set(&self, account: &str, secret: Option<Secret>) {
        let mut known = self.known.lock().unwrap();
        match secret {
            Some(secret) => known.insert(account.to_owned(), secret),
            None => known.remove(account),
        };
    }

    pub(crate) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    pub(crate) fn stored(&self) -> Vec<(String, String)> {
        self.stored.lock().unwrap().clone()
    }
}

impl SecretStore for Secrets {
    fn load(&self, account: &str) -> Result<Secret, String> {
        let known = self.known.lock().unwrap();
        known.get(account).cloned().ok_or_else(|| format!("there is no credential `{account}`"))
    }

    fn store(&self, account: &str, token: &SecretString) -> Result<(), String> {
        if self.full.load(Ordering::SeqCst) {
            return Err("no space left on device".to_owned());
        }
        let token = token.expose_secret().to_owned();
        let client_id = GraphServiceSettings::CLIENT.to_owned();
        self.stored.lock().unwrap().push((account.to_owned(), token.clone()));
        self.set(account, Some(Secret::RefreshToken { client_id, token: token.into() }));
        Ok(())
    }
}

pub(crate) fn client_secret(secret: &str) -> Secret {
    Secret::ClientSecret { client_id: GraphServiceSettings::CLIENT.to_owned(), secret: secret.to_owned().into() }
}

pub(crate) fn refresh_token(token: &str) -> Secret {
    Secret::RefreshToken { client_id: GraphServiceSettings::CLIENT.to_owned(), token: token.to_owned().into() }
}

/// Everything of one test.
pub(crate) struct World {
    pub(crate) provider: Provider,
    pub(crate) microsoft: Microsoft,
    pub(crate) secrets: Arc<Secrets>,
}

pub(crate) fn account(name: &str, kind: AccountKind) -> AccountSettings {
    AccountSettings { name: name.into(), kind }
}

pub(crate) fn tenant(id: &str, accounts: Vec<AccountSettings>) -> TenantSettings {
    TenantSettings { id: id.into(), domains: [].into(), accounts }
}

/// Change notifications to us.
pub(crate) fn notifications() -> Option<NotificationSettings> {
    Some(NotificationSettings { url: "https://presence.example.test/graph/notifications".to_owned(), key: [7; 32] })
}

/// A sweep of 5 s over the users of one tenant with one application account.
pub(crate) fn settings() -> GraphSettings {
    GraphSettings {
        tenants: vec![tenant(GraphServiceSettings::TENANT, vec![account(ACCOUNT, AccountKind::Application)])],
        users: BTreeMap::new(),
        sweep: seconds(5),
        slow_sweep: seconds(60),
        requests_per_second: NonZeroU32::new(30).unwrap(),
        forget_unknown_after: seconds(900),
        declines: false,
        notifications: None,
    }
}

impl World {
    /// This many users, known as `agent1@example.test` and so on.
    pub(crate) fn of(users: u32) -> Self {
        Self::with(GraphServiceSettings::with_users(users, "example.test"), settings(), |_| {})
    }

    pub(crate) fn with(
        service: GraphServiceSettings,
        settings: GraphSettings,
        change: impl FnOnce(&mut Setup),
    ) -> Self {
        let microsoft = Microsoft::start(service);
        let secrets = Arc::new(Secrets::default());
        secrets.set(ACCOUNT, Some(client_secret(GraphServiceSettings::SECRET)));
        let graph = Some(GraphRules::default());
        let rules = SourceRules { attendant: None, pstn: false, graph, ucma: false };
        let mut setup = Setup::new(rules, Vec::new());
        setup.graph = Some(GraphSetup {
            settings,
            agents_per_second: NonZeroU32::new(650).unwrap(),
            login_url: "https://login.microsoftonline.com".to_owned(),
            graph_url: "https://graph.microsoft.com".to_owned(),
            secrets: Arc::<Secrets>::clone(&secrets),
            network: GraphNetwork::Memory(Arc::new(microsoft.clone())),
            seed: None,
        });
        change(&mut setup);
        let provider = Provider::start(setup);
        microsoft.knock_at(provider.graph_door());
        Self { provider, microsoft, secrets }
    }

    pub(crate) fn ucc(&self, numbers: impl IntoIterator<Item = usize>) -> Ucc {
        let ucc = Recorder::start(&self.provider, "ucc");
        ucc.subscribe_to(numbers);
        ucc
    }

    pub(crate) async fn agent(&self, number: usize) -> AgentView {
        self.provider.observe_agent(&agent(number)).await.unwrap()
    }

    pub(crate) async fn graph(&self) -> GraphView {
        let view = self.provider.observe().await.unwrap();
        view.sources.into_iter().find_map(|source| source.graph).unwrap()
    }
}

impl World {
    /// Waits until the first tenant answers again, at most so long. The back-off has dice in it.
    pub(crate) async fn until_up(&self, at_most: Duration) {
        let until = tokio::time::Instant::now() + at_most;
        while !self.graph().await.tenants[0].up {
            assert!(tokio::time::Instant::now() < until, "it is not tried again");
            pass(seconds(1)).await;
        }
    }
}

/// What is known of an agent, short.
pub(crate) fn known(presence: &Presence) -> (Freshness, Option<Availability>) {
    (presence.freshness, (presence.freshness != Freshness::Unknown).then_some(presence.status.availability))
}
