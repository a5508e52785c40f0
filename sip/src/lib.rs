//! What is on the SIP wire: pure parsing, printing, transactions and subscription dialogs.
//!
//! Nothing here opens a socket, reads a clock or rolls dice: bytes, instants and entropy go in, messages and effects
//! come out.
//!
//! ```text
//!  bytes --Framer / Frame::from_datagram--> Message --check()--> sane --Subscriber--> effects, answers
//!                |                              |                              |
//!                | Malformed: 400 or nothing    | Refusal: its status          | Request --to_bytes()--> bytes
//!                v                              v                              v
//!          the one message is lost, or (FramingLost) the one connection; never the process
//! ```
//!
//! * [`Framer`], [`Frame`], [`Limits`]: from streams and datagrams to messages, with caps before memory is taken.
//! * [`Message`]: the headers, unfolded, compact names in full, every URI verbatim; [`NameAddr`], [`Via`] and the other
//!   typed readings are made when asked for.
//! * [`Request`], [`respond`]: what we send. [`Request`] holds rsip's headers; the printer and the guard are ours.
//! * [`Dialect`]: what a local endpoint can do, filled by [`Subscriber`] (`simple`, RFC 6665) and [`SkypeSubscriber`]
//!   (`skype`: a [`Registration`], agents in batches, MS-PRES).
//! * [`typed::lift`]: rsip's typed headers, only where they say what the text says.
//! * [`Registration`]: keeps an endpoint registered at a pool of Skype for Business.
//! * [`DigestClient`]: challenges answered. [`classify`]: what a refusal means, to who owns it.
//!
//! A NOTIFY comes in two pieces, is read, checked and answered:
//!
//! ```
//! use presence_sip::{Frame, Framer, Limits, respond};
//!
//! let mut framer = Framer::new(Limits::default());
//! framer.push(b"NOTIFY sip:app@192.0.2.1:6120;transport=tcp SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bK7\r\n");
//! assert!(framer.next_frame()?.is_none());
//! framer.push(
//!     b"From: <sip:user1@domain.com>;tag=88\r\nTo: <sip:app@domain.com>;tag=17\r\nCall-ID: a84b4c76\r\n\
//!       CSeq: 3 NOTIFY\r\nEvent: presence\r\nSubscription-State: active;expires=3599\r\nContent-Length: 0\r\n\r\n",
//! );
//! let Some(Frame::Message(notify)) = framer.next_frame()? else { panic!("the message is complete") };
//! let answer = match notify.check() {
//!     Ok(()) => respond(&notify, 200, None, "", &[], None),
//!     Err(refusal) => respond(&notify, refusal.status, Some(refusal.reason), "", &[], None),
//! };
//! assert!(answer.starts_with(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bK7\r\n"));
//! # Ok::<(), presence_sip::FramingLost>(())
//! ```
#![warn(clippy::string_slice)]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests start at a real instant"))]

mod auth;
mod classify;
mod dialect;
pub mod discovery;
pub mod documents;
mod epid;
mod error;
mod flow;
mod framing;
mod identity;
mod limits;
mod message;
mod peer;
mod registration;
mod request;
mod response;
mod skype;
mod subscriber;
mod timers;
mod transaction;
pub mod typed;

pub use auth::{Credentials, DigestClient};
pub use classify::classify;
pub use dialect::Dialect;
pub use documents::{DocumentError, DocumentLimits, read_pidf};
pub use epid::{Epid, Instance};
pub use error::{BuildError, DigestError, FramingLost, ParseError, Refusal};
pub use flow::{FlowId, TransportKind};
pub use framing::{Frame, Framer};
pub use identity::Entropy;
pub use limits::Limits;
pub use message::{
    EventHeader, Message, Method, MsDiagnostics, NameAddr, Params, SubscriptionPhase, SubscriptionState, Values, Via,
    uri_param,
};
pub use registration::{Registration, RegistrationConfig, RegistrationEffect};
pub use request::Request;
pub use response::{reason_phrase, respond};
pub use skype::{Gather, SkypeConfig, SkypeSubscriber};
pub use subscriber::{Subscriber, SubscriberConfig, SubscriberEffect, SubscriberStats, WireEvent};
pub use timers::Timers;
