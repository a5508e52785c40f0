//! What a running front end tells whoever wants to follow it.

use std::net::SocketAddr;
use std::time::Duration;

/// Something that a person who tests against the front end wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrontEndEvent {
    /// A peer connected; over TLS when the handshake was done.
    Connected {
        /// To which pool.
        pool: usize,
        /// From where.
        peer: SocketAddr,
    },
    /// A peer's TLS handshake failed.
    Refused {
        /// With which pool.
        pool: usize,
        /// From where.
        peer: SocketAddr,
        /// Why.
        why: String,
    },
    /// A connection ended.
    Closed {
        /// Its peer.
        peer: SocketAddr,
    },
    /// We connected to the listener of an application.
    Dialled {
        /// `host:port`.
        target: String,
    },
    /// The listener of an application cannot be reached.
    NotDialled {
        /// `host:port`.
        target: String,
        /// Why.
        why: String,
    },
    /// A request was answered.
    Answered(Exchange),
    /// A line on the control port was obeyed, or not.
    Command {
        /// The line.
        line: String,
        /// Its answer: `ok ...` or `error ...`.
        answer: String,
    },
}

/// A request and its final answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// The method.
    pub method: String,
    /// The URI in From.
    pub from: String,
    /// The event package; empty when there is none.
    pub event: String,
    /// The request was inside a dialog.
    pub in_dialog: bool,
    /// Expires of the request.
    pub expires: Option<Duration>,
    /// How many agents it asks for.
    pub subscribe: usize,
    /// How many agents it gives back.
    pub unsubscribe: usize,
    /// The status of the answer.
    pub status: u16,
    /// Its reason phrase.
    pub reason: String,
    /// ms-diagnostics of the answer, as written.
    pub diagnostics: Option<String>,
    /// Expires of the answer.
    pub lifetime: Option<Duration>,
}
