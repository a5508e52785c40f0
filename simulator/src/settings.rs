//! What a simulated server is started with.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use presence_core::{AgentUri, AgentUriError};

use crate::DigestSettings;

/// Over what the simulated server can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// TCP and UDP on the same port.
    #[default]
    Both,
}

/// What a simulated server is started with.
#[derive(Clone, Debug)]
pub struct SimulatorSettings {
    /// The seed of the dice; the same seed moves the agents in the same way.
    pub seed: u64,
    /// The agents that exist; SUBSCRIBEs to others are answered 404.
    pub agents: Vec<String>,
    /// How long an agent stays in a state, on average; `None`: nothing changes by itself.
    pub change_interval: Option<Duration>,
    /// TCP, UDP or both.
    pub reach: Reach,
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Digest authentication of every SUBSCRIBE and OPTIONS; `None`: everyone is welcome.
    pub digest: Option<DigestSettings>,
}

impl SimulatorSettings {
    /// Agents `sip:agent1@domain` to `sip:agentN@domain`; everything else as by default.
    #[must_use]
    pub fn with_agents(count: usize, domain: &str) -> Self {
        let agents = (1..=count).map(|number| format!("sip:agent{number}@{domain}")).collect();
        Self { agents, ..Self::default() }
    }
}

impl Default for SimulatorSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            agents: Vec::new(),
            change_interval: None,
            reach: Reach::Both,
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            digest: None,
        }
    }
}

/// What the pure machine is made with.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The seed of the dice.
    pub seed: u64,
    /// The agents that exist.
    pub agents: Vec<AgentUri>,
    /// How long an agent stays in a state, on average; `None`: nothing changes by itself.
    pub change_interval: Option<Duration>,
    /// The address that the server names as its own in Contact, Via and Record-Route.
    pub address: SocketAddr,
    /// Digest authentication; `None`: everyone is welcome.
    pub digest: Option<DigestSettings>,
}

/// Why a simulated server did not start. The text fits after "failed to start the simulated presence server: ".
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An agent's URI is none.
    #[error("the agent `{uri}` is no agent: {why}")]
    Agent {
        /// As it was written.
        uri: String,
        /// What is wrong with it.
        why: AgentUriError,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {why}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        why: std::io::Error,
    },
}
