//! What third parties push.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::{Capabilities, Refusal};

/// A state of the availability scale, by its name or its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum State {
    /// Such as 6500: from 3000 (Online) to 18500 (Offline).
    Number(i32),
    /// Such as `Busy`: Online, IdleOnline, Busy, IdleBusy, DoNotDisturb, BeRightBack, Away, Offline (any case).
    Name(String),
}

/// What a state looks like, for those who wrote something else.
const STATE_IS: &str = "a state: one of the names Online, IdleOnline, Busy, IdleBusy, DoNotDisturb, BeRightBack, Away \
                        and Offline, or a whole number from 3000 to 18500";

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = State;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(STATE_IS)
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<State, E> {
                Ok(State::Number(i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX })))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<State, E> {
                Ok(State::Number(i32::try_from(number).unwrap_or(i32::MAX)))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<State, E> {
                Ok(State::Name(name.to_owned()))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// How an agent is. One of `time_to_live` and `heartbeat` must be given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pushed {
    /// The state.
    pub state: State,
    /// The activity token, such as `on-the-phone`. At most 256 bytes.
    #[serde(default)]
    #[schema(max_length = 256)]
    pub activity: Option<String>,
    /// Where the agent says to be. At most 256 bytes.
    #[serde(default)]
    #[schema(max_length = 256)]
    pub location: Option<String>,
    /// Computer, DeskPhone, Mobile, Web or Custom (any case).
    #[serde(default)]
    pub device: Option<String>,
    /// What can be used to reach the agent.
    #[serde(default)]
    pub capabilities: Option<Capabilities>,
    /// For how many seconds it holds; then the agent is unknown. At most 86400.
    #[serde(default)]
    #[schema(example = 90, exclusive_minimum = 0, maximum = 86400)]
    pub time_to_live: Option<f64>,
    /// It holds as long as the pusher sends a heartbeat at least every so many seconds. From 1 to 3600.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3600)]
    pub heartbeat: Option<f64>,
}

/// One of many pushes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PushItem {
    /// The agent.
    pub uri: String,
    /// How it is.
    pub presence: Pushed,
}

/// Many pushes at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkPush {
    /// The pushes, in order; at most 10000.
    #[schema(max_items = 10000)]
    pub presences: Vec<PushItem>,
}

/// One push that was not taken.
pub type PushRefusal = Refusal;

/// What became of a [`BulkPush`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BulkPushed {
    /// How many were taken.
    pub taken: usize,
    /// Those that were not, and why.
    pub refused: Vec<PushRefusal>,
}

/// The answer to a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Heartbeat {
    /// How many agents of this pusher it has kept.
    pub agents: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_a_name_or_a_number_and_anything_else_is_told_what_a_state_is() {
        let read = |text: &str| serde_json::from_str::<State>(text);
        assert_eq!(read("6500").unwrap(), State::Number(6_500));
        assert_eq!(read("\"busy\"").unwrap(), State::Name("busy".to_owned()));
        assert_eq!(read("99999999999999999999").map_err(|error| error.to_string()).ok(), None);
        assert_eq!(read("-99999999999").unwrap(), State::Number(i32::MIN));
        for wrong in ["true", "null", "6500.5", "[]", "{\"name\": \"Busy\"}"] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.contains("IdleOnline") && error.contains("18500"), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_state_is_written_as_it_was_said() {
        assert_eq!(serde_json::to_string(&State::Number(6_500)).unwrap(), "6500");
        assert_eq!(serde_json::to_string(&State::Name("Busy".to_owned())).unwrap(), "\"Busy\"");
    }
}
