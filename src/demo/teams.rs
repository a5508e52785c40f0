//! The Teams agents of the demo: a simulated Microsoft Graph on loopback, and what is asked of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use presence_actors::{GraphNetwork, GraphSetup, Provider, SecretStore};
use presence_config::GraphAccount;
use presence_core::{AgentUri, Freshness, GraphRules, SourceKind};
use presence_graph::{AccountKind, AccountSettings, GraphSettings, Secret, TenantSettings};
use presence_simulator::{GraphServer, GraphServerHandle, GraphServiceSettings};
use secrecy::SecretString;

use super::Demo;
use super::stage::CHANGE_INTERVAL;

/// The domain of the Teams agents; reserved for examples (RFC 2606).
pub(super) const TEAMS: &str = "teams.demo.example";
/// How long a sweep over all Teams agents takes in the demo: shorter than usual, so that something is seen to happen.
pub(super) const SWEEP: Duration = Duration::from_secs(1);
/// The most agents that one request asks for.
const BATCH: usize = 650;
/// What Microsoft asks for in the demo; a fraction, as Microsoft's own examples have it.
pub(super) const RETRY_AFTER: &str = "2.128";
/// The account.
const ACCOUNT: &str = "account1";

/// The simulated Microsoft Graph.
#[derive(Debug)]
pub(super) struct Teams {
    server: GraphServerHandle,
    agents: usize,
}

/// What it has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TeamsFigures {
    /// Requests for presence.
    pub(super) presence_requests: u64,
    /// The most requests to Graph in any second.
    pub(super) most_in_a_second: usize,
    /// Requests that were answered with 429.
    pub(super) too_many: u64,
}

impl Teams {
    /// Starts it; none when the demo has no Teams agents.
    pub(super) async fn start(demo: &Demo) -> anyhow::Result<Option<Self>> {
        if demo.teams == 0 {
            return Ok(None);
        }
        let mut settings = GraphServiceSettings::with_users(u32::try_from(demo.teams)?, TEAMS);
        settings.seed = demo.seed;
        settings.change_interval = Some(CHANGE_INTERVAL);
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Ok(Some(Self { server: GraphServer::start(settings, anywhere).await?, agents: demo.teams }))
    }

    /// Its agents.
    pub(super) fn agents(count: usize) -> impl Iterator<Item = AgentUri> {
        (1..=count).filter_map(|agent| AgentUri::parse(&format!("sip:agent{agent}@{TEAMS}")).ok())
    }

    /// How many requests a second the sweeps should take.
    pub(super) fn arithmetic(agents: usize) -> f64 {
        agents.div_ceil(BATCH) as f64 / SWEEP.as_secs_f64()
    }

    /// Where it listens.
    pub(super) fn url(&self) -> String {
        self.server.url()
    }

    /// Which agents are its own.
    pub(super) fn rules() -> GraphRules {
        GraphRules { domains: [TEAMS.to_owned()].into(), ..GraphRules::default() }
    }

    /// What the provider's source is started with.
    pub(super) fn setup(&self) -> GraphSetup {
        let account = AccountSettings { name: ACCOUNT.into(), kind: AccountKind::Application };
        let tenant = TenantSettings {
            id: GraphServiceSettings::TENANT.into(),
            domains: [TEAMS.to_owned()].into(),
            accounts: vec![account],
        };
        GraphSetup {
            settings: GraphSettings {
                tenants: vec![tenant],
                users: std::collections::BTreeMap::new(),
                sweep: SWEEP,
                slow_sweep: SWEEP,
                requests_per_second: presence_config::GraphSettings::DEFAULT_REQUESTS_PER_SECOND,
                forget_unknown_after: Duration::from_secs(900),
                declines: false,
                notifications: None,
            },
            agents_per_second: presence_config::GraphSettings::DEFAULT_AGENTS_PER_SECOND,
            login_url: self.url(),
            graph_url: self.url(),
            secrets: Arc::new(DemoSecrets),
            network: GraphNetwork::Http { proxy: None, trusted_certificates: None },
            seed: None,
        }
    }

    /// What a Config.xml would say of it.
    pub(super) fn settings(&self) -> presence_config::GraphSettings {
        presence_config::GraphSettings {
            accounts: vec![GraphAccount {
                id: ACCOUNT.to_owned(),
                tenant_id: GraphServiceSettings::TENANT.to_owned(),
                domains: vec![TEAMS.to_owned()],
            }],
            login_url: Some(self.url()),
            graph_url: Some(self.url()),
            sweep: SWEEP,
            ..presence_config::GraphSettings::default()
        }
    }

    /// Microsoft asks for less, once.
    pub(super) fn ask_for_less(&self) {
        // The command is one of the service's own.
        let _said = self.server.command(&format!("throttle {RETRY_AFTER} times 1 on presence"));
    }

    /// What was counted.
    pub(super) fn figures(&self) -> TeamsFigures {
        let counted = self.server.counters();
        TeamsFigures {
            presence_requests: counted.of_kind("presences"),
            most_in_a_second: counted.most_in_a_second,
            too_many: counted.by_status.get(&429).copied().unwrap_or(0),
        }
    }

    /// True when every Teams agent is fresh.
    pub(super) async fn all_fresh(&self, provider: &Provider) -> bool {
        match provider.observe().await {
            Ok(view) => {
                let teams = view.sources.iter().filter(|source| source.kind == SourceKind::MsGraph);
                let fresh = teams.flat_map(|source| &source.agents);
                fresh.filter(|agent| agent.presence.freshness == Freshness::Fresh).count() >= self.agents
            }
            Err(_) => false,
        }
    }

    /// Ends it.
    pub(super) async fn stop(&self) {
        self.server.stop().await;
    }
}

/// The secret of the demo, which is none: the simulated service is the only one that takes it.
#[derive(Debug)]
struct DemoSecrets;

impl SecretStore for DemoSecrets {
    fn load(&self, _: &str) -> Result<Secret, String> {
        Ok(Secret::ClientSecret {
            client_id: GraphServiceSettings::CLIENT.to_owned(),
            secret: SecretString::from(GraphServiceSettings::SECRET),
        })
    }

    fn store(&self, _: &str, _: &SecretString) -> Result<(), String> {
        Ok(())
    }
}
