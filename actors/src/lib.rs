//! Who talks to whom: the actors of the presence provider, and the sockets beside them.
//!
//! ```text
//! System (one arbiter for all actors; sockets and TLS are tokio tasks beside it)
//! +- Router, Throttle                 actix Supervisor
//! +- Source: attendant, pstn,         one actor per source, parent of its agents
//! |          graph, ucma
//! |    +- Agent per URI               dies -> ChildDown -> created again within its budget
//! |    +- graph: GraphEndpoint         dies -> created again; outages are its machine's to bridge
//! |    +- ucma: LocalEndpoint         application, user; actix Supervisor: loss = restart of the same value
//! +- Transport                        tokio tasks with a cancellation token
//!
//! UCC --Subscribe--> Router --rules--> Source --Watch--> Agent
//!                                                        | TakeToken -> Throttle -> Granted
//!                                                        v
//!                                     LocalEndpoint --> Subscriber (pure) --> Transport --> pool
//!                                                        ^                                   |
//!          UCC <--PresenceEvent-- Agent <--Feed----------+<----------- 200, NOTIFY ----------+
//! ```
//!
//! A [`Provider`] is the whole tree behind one handle; a UCC actor gets a [`UccClient`] from it and handles
//! [`PresenceEvent`]. The logic is in the pure crates: an actor here is a machine, its addresses and one timer.

mod agent;
mod clock;
mod entropy;
mod graph_client;
mod graph_door;
mod graph_endpoint;
mod graph_setup;
mod local_endpoint;
mod messages;
mod meters;
mod occurrence;
mod pool_lookup;
mod provider;
mod remember;
mod router;
mod setup;
mod sources;
mod supervise;
mod throttle;
pub mod transport;
mod ucc;
mod views;
mod wanted;
mod watchers;

pub use clock::{now, time_of_day};
pub use entropy::RandomBytes;
pub use graph_client::{GraphClientError, graph_client};
pub use graph_door::{DoorCounters, DoorFull, GraphDoor, GraphDoorway};
pub use graph_setup::{Exchange, Exchanged, GraphNetwork, GraphSetup, SecretStore};
pub use messages::{PresenceEvent, Push, PushRefused, Revive};
pub use meters::{HistogramReading, MeterReadings, Meters};
pub use occurrence::Occurrence;
pub use pool_lookup::find_pool;
pub use provider::Provider;
pub use remember::Collected;
pub use setup::{DialectSetup, EndpointSetup, Pool, Setup};
pub use throttle::ThrottleView;
pub use ucc::{DEFAULT_OUTBOX, UccClient, UccId};
pub use views::{AgentView, CallView, EndpointView, ProviderView, SourceView, UccView};
pub use wanted::DEFAULT_MOST_AGENTS;
