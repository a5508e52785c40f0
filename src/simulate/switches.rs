//! `[switches]` of a script: each may be given, and replaces the default.

use std::time::Duration;

use presence_simulator::Switches;
use serde::Deserialize;

use super::script::{OrNever, Status, Time};

/// What a switch is set to by a value in a script.
trait Value {
    /// The type of the switch.
    type Switch;

    /// What is meant.
    fn value(&self) -> Self::Switch;
}

macro_rules! as_it_is {
    ($($kind:ty),*) => {
        $(impl Value for $kind {
            type Switch = Self;

            fn value(&self) -> Self {
                *self
            }
        })*
    };
}

as_it_is!(bool, usize);

impl Value for Time {
    type Switch = Duration;

    fn value(&self) -> Duration {
        self.0
    }
}

impl Value for Status {
    type Switch = u16;

    fn value(&self) -> u16 {
        self.0
    }
}

impl Value for OrNever {
    type Switch = Option<Duration>;

    fn value(&self) -> Option<Duration> {
        self.0
    }
}

/// Declares the table and how it is laid over the defaults, so that neither can forget a switch of the other.
macro_rules! switches {
    ($($name:ident: $kind:ty),* $(,)?) => {
        /// `[switches]`, with the names of [`Switches`].
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct SwitchesTable {
            $(pub(super) $name: Option<$kind>,)*
        }

        impl SwitchesTable {
            /// These switches, and the others as they are.
            pub(super) fn over(&self, mut switches: Switches) -> Switches {
                $(if let Some(value) = &self.$name {
                    switches.$name = value.value();
                })*
                switches
            }
        }
    };
}

switches! {
    strict: bool,
    piggyback: bool,
    notify_before_answer: bool,
    benotify: bool,
    own_connections: bool,
    bodiless_refresh_keeps: bool,
    unregistered_status: Status,
    services_off_status: Status,
    invite_status: Status,
    longest_list: usize,
    longest_body: usize,
    expires: Time,
    shortest_expires: OrNever,
    registration_expires: Time,
    keep_alive: Time,
    endpoint_limit: usize,
    quota: usize,
    rlmi_omits_active: bool,
    multipart_updates: bool,
    bursts: bool,
    sequence_gaps: bool,
    header_variants: bool,
    signed_routes: bool,
    extensions: bool,
    contacts_by_address: bool,
}
