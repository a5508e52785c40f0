//! What an agent tells the throttle of how it stands, and when.

use presence_core::{Freshness, LastKnown, Presence, Standing};

use super::{Agent, Life};
use crate::clock;
use crate::messages::Stand;

/// What was told last, to say it only when it is not so any more: who watches, by the version of the list, and what is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing, or that nobody watches.
    #[default]
    Nobody,
    /// That somebody does.
    Somebody { watchers: u32, known: Known },
}

/// [`LastKnown`] without its time, which does not change by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Nothing,
    Stale { available: bool },
    Fresh { available: bool },
}

impl Agent {
    /// Tells the throttle how the agent stands, when that has changed.
    pub(super) fn tell_standing(&mut self) {
        let (presence, _) = self.life.presence();
        let told = match known(presence) {
            _ if self.watchers.is_empty() => Told::Nobody,
            known => Told::Somebody { watchers: self.watchers.version(), known },
        };
        if std::mem::replace(&mut self.told, told) != told {
            self.stand();
        }
    }

    /// The agent's actor ends: nobody stands behind what it said.
    pub(super) fn take_back_standing(&mut self) {
        if std::mem::take(&mut self.told) != Told::Nobody {
            self.watchers = crate::watchers::Watchers::default();
            self.stand();
        }
    }

    fn stand(&self) {
        let (presence, _) = self.life.presence();
        let now = clock::now();
        let last_known = match &self.life {
            Life::Subscribed(machine) => machine.last_known(now),
            // What stands behind these is in this process.
            Life::Line(_) | Life::Pushed(_) => Some((presence.status.availability, now)),
        };
        let known = match (presence.freshness, last_known) {
            // Too old to be served after a restart, and still better than nothing.
            (Freshness::Unknown, Some((availability, confirmed))) => {
                LastKnown::of(availability, Freshness::Stale, Some(confirmed))
            }
            (freshness, known) => {
                LastKnown::of(presence.status.availability, freshness, known.map(|(_, confirmed)| confirmed))
            }
        };
        let standing = Standing { source: self.shared.source, uccs: self.watchers.numbers(), known };
        self.shared.order.do_send(Stand { uri: self.uri.clone(), standing });
    }
}

fn known(presence: &Presence) -> Known {
    let now = presence.since;
    match LastKnown::of(presence.status.availability, presence.freshness, Some(now)) {
        LastKnown::Unknown => Known::Nothing,
        LastKnown::Stale { available, .. } => Known::Stale { available },
        LastKnown::Fresh { available } => Known::Fresh { available },
    }
}
