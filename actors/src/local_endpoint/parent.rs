//! What an endpoint tells the actors above and beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix::{Addr, Recipient};
use presence_core::EndpointKind;

use crate::messages::{Adopted, ChildDown, Congested, EndpointLost, EndpointPaused, EndpointUp, Relieved, TokenSent};
use crate::occurrence::Bulletin;
use crate::throttle::Throttle;
use crate::transport::Traffic;

/// What an endpoint tells its parent.
pub(crate) struct Parent {
    pub(crate) up: Recipient<EndpointUp>,
    pub(crate) paused: Recipient<EndpointPaused>,
    pub(crate) lost: Recipient<EndpointLost>,
    pub(crate) down: Recipient<ChildDown<EndpointKind>>,
    pub(crate) adopted: Recipient<Adopted>,
    pub(crate) throttle: Option<Throttled>,
    /// What has gone through its connections, also those of an actor of it that died.
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) bulletin: Bulletin,
}

/// What the throttle is told.
pub(crate) struct Throttled {
    /// What a token was granted for has reached the wire.
    sent: Recipient<TokenSent>,
    /// The pool cannot keep up.
    congested: Recipient<Congested>,
    /// The pool takes what it is given.
    relieved: Recipient<Relieved>,
    /// Some endpoint's pool could not keep up once; since then the throttle hears of every success.
    was_congested: Arc<AtomicBool>,
}

impl Throttled {
    pub(crate) fn of(throttle: Addr<Throttle>, was_congested: Arc<AtomicBool>) -> Self {
        Self {
            sent: throttle.clone().recipient(),
            congested: throttle.clone().recipient(),
            relieved: throttle.recipient(),
            was_congested,
        }
    }
}

impl Throttled {
    /// What a token was granted for is on the wire, or will not be.
    pub(super) fn sent(&self) {
        self.sent.do_send(TokenSent);
    }

    /// The pool cannot keep up: the rate is lowered.
    pub(super) fn congested(&self) {
        self.was_congested.store(true, Ordering::Relaxed);
        self.congested.do_send(Congested);
    }

    /// What a pool has accepted lets the rate rise again.
    pub(super) fn relieved(&self, agents: u32) {
        if agents > 0 && self.was_congested.load(Ordering::Relaxed) {
            self.relieved.do_send(Relieved { agents });
        }
    }
}
