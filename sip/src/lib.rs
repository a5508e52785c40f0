//! What is on the SIP wire: pure parsing, printing, transactions and subscription dialogs.

mod auth;
mod classify;
pub mod discovery;
pub mod documents;
mod error;
mod flow;
mod framing;
mod identity;
mod limits;
mod message;
mod request;
mod response;
mod subscriber;
mod timers;
mod transaction;
pub mod typed;

pub use auth::{Credentials, DigestClient};
pub use classify::classify;
pub use documents::{DocumentError, DocumentLimits, read_pidf};
pub use error::{BuildError, DigestError, FramingLost, ParseError, Refusal};
pub use flow::{FlowId, TransportKind};
pub use framing::{Frame, Framer};
pub use identity::Entropy;
pub use limits::Limits;
pub use message::{
    EventHeader, Message, Method, MsDiagnostics, NameAddr, Params, SubscriptionPhase, SubscriptionState, Values, Via,
    uri_param,
};
pub use request::Request;
pub use response::{reason_phrase, respond};
pub use subscriber::{Subscriber, SubscriberConfig, SubscriberEffect, SubscriberStats, WireEvent};
pub use timers::Timers;
