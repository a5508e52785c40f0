//! The other side, for demos and tests: a simulated presence server (RFC 3856) and a simulated Skype for Business front
//! end, with agents that move by seeded dice and with faults on request. Never for production: it keeps no secrets and
//! believes every peer on loopback.
//!
//! Two layers, as everywhere in this project:
//! - [`PresenceServer`] is the pure machine: messages and time in, messages and one deadline out;
//! - [`Simulator`] puts it on real sockets, TCP and UDP on one port of loopback, and gives a [`SimulatorHandle`]
//!   whose methods play the story: who changes, what breaks, what was counted;
//! - [`FrontEnd`] and [`FrontEndServer`] are the same two for the dialect of Skype for Business: a forest of pools that
//!   verifies the ten rules of the published protocol, answers as they do, and takes [`Command`]s;
//! - [`FaultProxy`] is the network between: it delays, drops, duplicates, reorders, resets and more, by message;
//! - [`GraphService`] and [`GraphServer`] are the same two for Microsoft Graph: tokens, presence, users, subscriptions.
//!
//! The presence server speaks to directly connected subscribers; there is no proxy between them, and Record-Route of requests is not
//! followed. Of presence-sip it uses the message, the framer and the answers, and none of the subscriber's machines: a
//! mistake in those must not be hidden by the same mistake here.
//!
//! ```no_run
//! use presence_simulator::{Activity, AgentState, Simulator, SimulatorSettings, Termination};
//! # async fn story() -> Result<(), presence_simulator::StartError> {
//! let server = Simulator::start(SimulatorSettings::with_agents(20, "demo.example")).await?;
//! println!("a presence server at {}", server.address());
//! server.set_presence("sip:agent1@demo.example", AgentState::of(Activity::OnThePhone));
//! server.terminate("sip:agent1@demo.example", &Termination::because("deactivated"));
//! server.drop_connections();
//! println!("{} subscriptions", server.counters().active_subscriptions);
//! # Ok(())
//! # }
//! ```

mod agent_state;
mod control_port;
mod counters;
mod dice;
mod digest;
mod document;
mod fault_proxy;
mod faults;
mod front_end;
mod front_end_serve;
mod graph_service;
mod serve;
mod server;
mod settings;

pub use agent_state::{Activity, AgentState};
pub use counters::Counters;
pub use dice::Dice;
pub use digest::{DigestAlgorithm, DigestSettings};
pub use document::{PIDF_TYPE, pidf};
pub use fault_proxy::{
    Door, FaultProxy, FaultProxyHandle, FaultProxySettings, FaultRule, NetworkFault, ProxyCounters, Way,
};
pub use faults::{Body, Faults, Reaction, Refusal, Scope};
pub use front_end::{
    Command, CommandError, EndpointEvent, FIRST_DIALLED, FrontEnd, FrontEndCounters, FrontEndEffect, FrontEndSettings,
    Homed, PoolSettings, RefuseRule, Switches,
};
pub use front_end_serve::{
    Exchange, FrontEndEvent, FrontEndHandle, FrontEndServer, FrontEndServerSettings, FrontEndStartError, FrontEndTls,
    Pem,
};
pub use graph_service::{
    GraphCounters, GraphServer, GraphServerHandle, GraphService, GraphServiceSettings, PostAnswer, RetryAfterForm,
    ServiceAccount, ServiceAnswer, ServiceCredential, ServiceEffect, ServiceHost, ServiceReply, ServiceRequest,
    ServiceTenant, ServiceUser, Strangers,
};
pub use serve::{Blast, Simulator, SimulatorHandle};
pub use server::{ConnectionId, Deadline, Effect, PresenceServer, Termination, Wire};
pub use settings::{Reach, ServerSettings, SimulatorSettings, StartError};
