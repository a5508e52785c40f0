//! Where a registration stands.

use std::time::{Duration, Instant};

use presence_core::Failure;

use crate::transaction::ClientTransaction;

/// The state of a registration; drawn at [`super::Registration`].
#[derive(Debug)]
pub(super) enum State {
    /// The pool does not know us, as far as we know.
    Unregistered,
    /// The first REGISTER is on its way.
    Registering(Exchange),
    /// Registered, and nothing to do until the refresh.
    Registered { until: Instant, refresh_at: Instant },
    /// A refresh is on its way; `failures` of it have failed before.
    Refreshing { exchange: Exchange, until: Instant, failures: u32 },
    /// The last refresh failed; the next one comes at `again_at`, if that is before the end.
    Waiting { until: Instant, again_at: Instant, failures: u32, failure: Failure },
    /// The last REGISTER is on its way; nobody waits for its answer longer than this.
    Unregistering { exchange: Exchange, until: Instant },
}

impl State {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Unregistered => "unregistered",
            Self::Registering(_) => "registering",
            Self::Registered { .. } => "registered",
            Self::Refreshing { .. } => "refreshing",
            Self::Waiting { .. } => "waiting",
            Self::Unregistering { .. } => "unregistering",
        }
    }

    /// When something falls due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Unregistered => None,
            Self::Registering(exchange) => exchange.transaction.poll_timeout(),
            Self::Registered { until, refresh_at } => Some(*refresh_at.min(until)),
            Self::Refreshing { exchange, until, .. } | Self::Unregistering { exchange, until } => {
                Some(exchange.transaction.poll_timeout().map_or(*until, |at| at.min(*until)))
            }
            Self::Waiting { until, again_at, .. } => Some(*again_at.min(until)),
        }
    }

    pub(super) const fn exchange_mut(&mut self) -> Option<&mut Exchange> {
        match self {
            Self::Registering(exchange) | Self::Refreshing { exchange, .. } | Self::Unregistering { exchange, .. } => {
                Some(exchange)
            }
            Self::Unregistered | Self::Registered { .. } | Self::Waiting { .. } => None,
        }
    }
}

/// A REGISTER on its way.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) transaction: ClientTransaction,
    /// What it asked for.
    pub(super) expires: Duration,
    pub(super) repairs: Repairs,
}

/// What has been done to one REGISTER to make the pool take it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Repairs {
    /// Challenges of the server that were answered.
    pub(super) server_challenges: u8,
    /// Challenges of a proxy that were answered.
    pub(super) proxy_challenges: u8,
    /// It asks for longer, after a 423.
    pub(super) lengthened: bool,
    /// It carries no option tags, after a 420 or 421.
    pub(super) plain: bool,
}
