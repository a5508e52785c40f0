//! What is on Microsoft Graph's wire, and the machines that keep the presence of Teams users. Pure: time and answers go in,
//! requests and news come out; it knows no runtime, no clock and no socket.
//!
//! ```text
//!  Register, Unregister        +-----------------------------------------------------------+
//!  ---------------------------> Graph                                                       |
//!  Answered(exchange)           |  Tenant (one per TenantId)                                 |--> Feed (Joined, Notified,
//!  ---------------------------> |   Directory   agent URI -> object id, with lifetimes        |     Doubted, Failed)
//!  Noticed (a change            |   Roster      who is polled, what was seen last, batches    |--> Decline
//!  notification)                |   Wheel       which batch is due when                       |--> Send(Request)
//!  ---------------------------> |   Account     Credential (token), Governor (rate, breaker), |--> LoadSecret, StoreToken
//!  SecretLoaded                 |               Push (change notifications, optional)         |--> Report
//!                               +-----------------------------------------------------------+
//! ```
//!
//! Every machine has the shape of `presence-core`'s: feed it, drain its effects, arm one timer.

mod account;
mod assertion;
mod credential;
mod dice;
mod directory;
mod exchange;
mod governor;
mod graph;
mod object_id;
mod push;
mod remedy;
mod retry_after;
mod roster;
mod settings;
mod status;
mod tenant;
mod view;
pub mod wire;

pub use assertion::sign_assertion;
pub use credential::{Credential, CredentialEffect, CredentialFailure, CredentialState};
pub use exchange::{Answer, Body, ExchangeId, Host, Method, Request, Trouble};
pub use graph::{Graph, GraphEffect, GraphInput, Report};
pub use object_id::{ObjectId, ObjectIdError};
pub use remedy::remedy;
pub use settings::{AccountKind, AccountSettings, GraphSettings, NotificationSettings, Secret, TenantSettings};
pub use status::{Reading, read_status};
pub use view::{AccountState, AccountView, GraphAgentView, GraphCounters, GraphView, PushState, PushView, TenantView};
