//! A simulated Skype for Business front end: strict about what it is sent, as varied in what it sends as a real one.

mod command;
mod command_text;
mod counters;
mod settings;

use std::time::Instant;

use bytes::Bytes;
use presence_core::AgentUri;
use presence_sip::Message;

use crate::{AgentState, ConnectionId};

pub use command::{Command, CommandError, EndpointEvent, RefuseRule};
pub use counters::FrontEndCounters;
pub use settings::{FrontEndSettings, Homed, PoolSettings, Switches};

/// Connections with this number and above are dialled by the front end; the shell numbers those it accepts below.
pub const FIRST_DIALLED: u64 = 1 << 48;

/// What the front end wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrontEndEffect {
    /// Send these bytes, one whole message, over this connection.
    Transmit {
        /// The connection.
        connection: ConnectionId,
        /// One whole message.
        bytes: Bytes,
    },
    /// Close this connection, after what was transmitted before. No [`FrontEnd::connection_lost`] is needed.
    Close {
        /// The connection.
        connection: ConnectionId,
    },
    /// Connect to a client's listener and say how it went with [`FrontEnd::dialled`].
    Dial {
        /// The number that the connection has from now on; [`FIRST_DIALLED`] or above.
        connection: ConnectionId,
        /// Host and port of the client's Contact.
        target: String,
    },
    /// Accept connections for this pool from now on, or refuse them.
    Listen {
        /// The pool.
        pool: usize,
        /// Accept.
        open: bool,
    },
}

/// A simulated front end.
#[derive(Debug)]
pub struct FrontEnd {
    _settings: FrontEndSettings,
}

#[allow(unused_variables, missing_docs, clippy::missing_const_for_fn, clippy::must_use_candidate)]
impl FrontEnd {
    pub fn new(now: Instant, settings: FrontEndSettings) -> Self {
        Self { _settings: settings }
    }
    pub fn connected(&mut self, connection: ConnectionId, pool: usize) {
        todo!()
    }
    pub fn dialled(&mut self, now: Instant, connection: ConnectionId, ok: bool) {
        todo!()
    }
    pub fn connection_lost(&mut self, now: Instant, connection: ConnectionId) {
        todo!()
    }
    pub fn receive(&mut self, now: Instant, connection: ConnectionId, message: &Message) {
        todo!()
    }
    pub fn malformed(&mut self) {
        todo!()
    }
    pub fn handle_timeout(&mut self, now: Instant) {
        todo!()
    }
    pub fn poll_effect(&mut self) -> Option<FrontEndEffect> {
        todo!()
    }
    pub fn poll_timeout(&self) -> Option<Instant> {
        todo!()
    }
    pub fn set_presence(&mut self, now: Instant, uri: &AgentUri, state: AgentState) -> bool {
        todo!()
    }
    pub fn presence(&self, uri: &AgentUri) -> Option<AgentState> {
        todo!()
    }
    pub fn apply(&mut self, now: Instant, command: &Command) -> Result<String, CommandError> {
        todo!()
    }
    pub fn counters(&self) -> FrontEndCounters {
        todo!()
    }
    pub fn live_subscriptions(&self) -> usize {
        todo!()
    }
    pub fn subscriptions_of(&self, uri: &AgentUri) -> Vec<(AgentUri, usize)> {
        todo!()
    }
}
