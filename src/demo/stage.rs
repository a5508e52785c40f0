//! The other side of the demo: a simulated Skype for Business pool, or a simulated presence server after RFC 3856.

use std::net::SocketAddr;
use std::time::Duration;

use presence_actors::{DialectSetup, EndpointSetup, Pool, Provider};
use presence_config::{Dialect, PoolAddress, PoolSettings, Transport, UcmaSettings, UserEndpoint};
use presence_core::{AgentUri, EndpointKind, Freshness, SourceKind};
use presence_simulator::{
    FrontEndHandle, FrontEndServer, FrontEndServerSettings, FrontEndSettings, Simulator, SimulatorHandle,
    SimulatorSettings, Termination,
};
use presence_sip::TransportKind;

use super::timeline::PROBE;
use super::{DOMAIN, Demo, DemoDialect};

/// How long an agent stays in a state, on average.
pub(super) const CHANGE_INTERVAL: Duration = Duration::from_secs(8);

/// The identity of an endpoint in the demo.
pub(super) fn identity(kind: EndpointKind) -> String {
    match kind {
        EndpointKind::Application => format!("sip:presence-provider@{DOMAIN}"),
        EndpointKind::User => format!("sip:presence-user@{DOMAIN}"),
    }
}

/// What the demo plays against.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// One dialog per agent.
    Simple(SimulatorHandle),
    /// One dialog for all agents, two endpoints.
    Skype(FrontEndHandle),
}

/// What the other side has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    /// Subscriptions that exist.
    pub(super) subscriptions: usize,
    /// The most that one agent ever had at once.
    pub(super) most_for_one_agent: usize,
    /// NOTIFYs and BENOTIFYs.
    pub(super) notifications: u64,
    /// SUBSCRIBE messages.
    pub(super) subscribes: u64,
    /// All messages, in both directions.
    pub(super) messages: u64,
    /// The most agents put on the wire in any second.
    pub(super) busiest_second: usize,
}

impl Stage {
    /// Starts the other side.
    pub(super) async fn start(demo: &Demo) -> anyhow::Result<Self> {
        Ok(match demo.dialect {
            DemoDialect::Simple => {
                let mut settings = SimulatorSettings::with_agents(demo.agents, DOMAIN);
                settings.seed = demo.seed;
                settings.change_interval = Some(CHANGE_INTERVAL);
                Self::Simple(Simulator::start(settings).await?)
            }
            DemoDialect::Skype => {
                let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
                let mut settings = FrontEndSettings::one_pool(&format!("pool.{DOMAIN}"), anywhere, demo.agents, DOMAIN);
                settings.seed = demo.seed;
                settings.change_interval = Some(CHANGE_INTERVAL);
                settings.switches.contacts_by_address = true;
                Self::Skype(FrontEndServer::start(FrontEndServerSettings::on_loopback(settings)).await?)
            }
        })
    }

    /// What it is, for the opening line.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Simple(_) => "A simulated presence server",
            Self::Skype(_) => "A simulated Skype for Business pool",
        }
    }

    /// How it is spoken of afterwards.
    pub(super) const fn short_name(&self) -> &'static str {
        match self {
            Self::Simple(_) => "server",
            Self::Skype(_) => "pool",
        }
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        match self {
            Self::Simple(server) => server.address(),
            Self::Skype(pool) => pool.address(0),
        }
    }

    /// What a Config.xml would say of it.
    pub(super) fn settings(&self) -> anyhow::Result<UcmaSettings> {
        let address = PoolAddress { host: self.address().ip().to_string(), port: Some(self.address().port()) };
        let (dialect, user_endpoint) = match self {
            Self::Simple(_) => (Dialect::Simple, None),
            Self::Skype(_) => {
                (Dialect::Skype, Some(UserEndpoint { uri: identity(EndpointKind::User).parse()?, pool: None }))
            }
        };
        let pool = PoolSettings {
            address: Some(address),
            transport: Transport::Tcp,
            dialect,
            listen: None,
            ..PoolSettings::default()
        };
        Ok(UcmaSettings {
            application_id: "urn:application:demo".to_owned(),
            application_endpoint: identity(EndpointKind::Application).parse()?,
            user_endpoint,
            pool,
        })
    }

    /// The endpoints that subscribe here.
    pub(super) fn endpoints(&self) -> anyhow::Result<Vec<EndpointSetup>> {
        let (kinds, dialect): (&[_], _) = match self {
            Self::Simple(_) => (&[EndpointKind::Application], DialectSetup::Simple),
            Self::Skype(_) => {
                (&[EndpointKind::Application, EndpointKind::User], DialectSetup::Skype { registers: true })
            }
        };
        let address = self.address();
        kinds
            .iter()
            .map(|kind| {
                let owner: AgentUri = identity(*kind).parse()?;
                let pool = Pool::Address { host: address.ip().to_string(), port: Some(address.port()) };
                let mut endpoint = EndpointSetup::new(*kind, owner, pool, TransportKind::Tcp);
                endpoint.dialect = dialect;
                endpoint.policy.probe_interval = PROBE;
                Ok(endpoint)
            })
            .collect()
    }

    /// How many subscriptions there are; cheap.
    pub(super) fn subscriptions(&self) -> usize {
        match self {
            Self::Simple(server) => server.active_subscriptions(),
            Self::Skype(pool) => pool.live_subscriptions(),
        }
    }

    /// What was counted.
    pub(super) fn figures(&self) -> Figures {
        match self {
            Self::Simple(server) => {
                let counted = server.counters();
                let subscribes = counted.subscribes + counted.refreshes + counted.unsubscribes + counted.queries;
                Figures {
                    subscriptions: counted.active_subscriptions,
                    most_for_one_agent: counted.most_for_one_agent,
                    notifications: counted.notifies_sent,
                    subscribes,
                    // Every request has one answer.
                    messages: 2 * (subscribes + counted.notifies_sent),
                    busiest_second: counted.busiest_second(),
                }
            }
            Self::Skype(pool) => {
                let counted = pool.counters();
                let subscribes = counted.subscribes_initial + counted.subscribes_in_dialog;
                let answered = counted.notifies_answered + counted.notifies_rejected;
                Figures {
                    subscriptions: counted.live_now,
                    most_for_one_agent: counted.most_live_for_one_agent,
                    notifications: counted.notifications,
                    subscribes,
                    // A BENOTIFY has no answer.
                    messages: 2 * (subscribes + counted.registers) + counted.notifications + answered,
                    busiest_second: counted.most_resources_in_a_second,
                }
            }
        }
    }

    /// What the second scene is about: says what happens, and makes it happen.
    pub(super) fn interrupt(&self) -> Option<Interruption> {
        match self {
            Self::Simple(server) => {
                let agent = server.agents().first()?.as_str().to_owned();
                server.terminate(&agent, &Termination::because("deactivated"));
                Some(Interruption::Subscription(agent))
            }
            Self::Skype(pool) => {
                let owner = identity(EndpointKind::Application);
                pool.command(&format!("deregister {owner} deactivated")).ok()?;
                Some(Interruption::Registration)
            }
        }
    }

    /// True when what was interrupted is as before.
    pub(super) async fn is_mended(&self, interruption: &Interruption, demo: &Demo, provider: &Provider) -> bool {
        match (self, interruption) {
            (Self::Simple(server), Interruption::Subscription(agent)) => {
                server.counters().by_agent.get(agent).is_some_and(|live| *live > 0)
            }
            _ => self.subscriptions() >= demo.agents && fresh(provider).await >= demo.agents,
        }
    }

    /// The other side dies for a while and remembers nothing.
    pub(super) async fn outage(&self, time: Duration) {
        match self {
            Self::Simple(server) => {
                server.forget_dialogs();
                server.pause_listening(time).await;
                server.drop_connections();
            }
            Self::Skype(pool) => {
                // Pool 0 is always there.
                let _done = pool.command(&format!("outage 0 {}ms forget", time.as_millis()));
            }
        }
    }

    /// Ends it.
    pub(super) async fn stop(&self) {
        match self {
            Self::Simple(server) => server.stop().await,
            Self::Skype(pool) => pool.stop().await,
        }
    }
}

/// What the second scene ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Interruption {
    /// The subscription of this agent.
    Subscription(String),
    /// The registration of the application endpoint.
    Registration,
}

/// How many agents of the pool are known for sure.
pub(super) async fn fresh(provider: &Provider) -> usize {
    match provider.observe().await {
        Ok(view) => {
            let of_the_pool = view.sources.iter().filter(|source| source.kind == SourceKind::Ucma);
            let agents = of_the_pool.flat_map(|source| &source.agents);
            agents.filter(|agent| agent.presence.freshness == Freshness::Fresh).count()
        }
        Err(_) => 0,
    }
}
