//! What happens when an actor dies.
//!
//! actix restarts an actor that stops, never one that panics. An agent or an endpoint that panics tells its parent from
//! `stopped()`, which actix calls while unwinding, and the parent creates it again within a budget. What nobody can
//! create again (the router, the throttle, a source) ends the process, so that the service manager starts it afresh.

use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// An agent that dies more often than this within [`AGENT_WINDOW`] is left alone for [`QUARANTINE`].
pub(crate) const AGENT_RESTARTS: usize = 3;
/// See [`AGENT_RESTARTS`].
pub(crate) const AGENT_WINDOW: Duration = Duration::from_secs(60);
/// How long an agent whose actor keeps dying is left alone.
pub(crate) const QUARANTINE: Duration = Duration::from_secs(3600);
/// An endpoint that dies more often than this within [`ENDPOINT_WINDOW`] ends the process.
pub(crate) const ENDPOINT_RESTARTS: usize = 5;
/// See [`ENDPOINT_RESTARTS`].
pub(crate) const ENDPOINT_WINDOW: Duration = Duration::from_secs(60);

/// The way up for what no parent can mend.
#[derive(Clone, Debug)]
pub(crate) struct Escalation(UnboundedSender<String>);

impl Escalation {
    pub(crate) fn new() -> (Self, UnboundedReceiver<String>) {
        let (sender, receiver) = unbounded_channel();
        (Self(sender), receiver)
    }

    /// Says that `what` cannot go on. Cannot panic.
    pub(crate) fn escalate(&self, what: &str) {
        let _nobody_listens_in_a_test = self.0.send(what.to_owned());
    }

    /// The same from `stopped()`, but only when a panic is the cause.
    pub(crate) fn escalate_a_panic(&self, actor: &str) {
        if std::thread::panicking() {
            self.escalate(actor);
        }
    }
}
