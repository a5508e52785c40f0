//! The effective configuration, without secrets.

use presence_config::Settings;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::readiness;

/// One effective setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct Setting {
    /// Its name: an attribute of `PresenceProvider`, or `Element/@Attribute`.
    #[schema(example = "MaxPresenceSubscriptionsPerSecond")]
    name: String,
    /// Its value with its unit; words such as `disabled` where there is no value. Of files only the name.
    #[schema(example = "15 per second")]
    value: String,
    /// True when the file does not say it.
    default: bool,
}

/// The effective configuration, as `presence-provider check --json` tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct Configuration {
    /// The settings in the order of the documentation.
    settings: Vec<Setting>,
    /// What the service runs with and its operator will not be happy with, a sentence each.
    doubts: Vec<String>,
}

impl Configuration {
    /// What these settings mean. They hold names of files, and nothing of what is in them.
    #[must_use]
    pub(super) fn of(settings: &Settings) -> Self {
        let rows = settings.report().into_iter();
        Self {
            settings: rows.map(|row| Setting { name: row.name, value: row.value, default: row.default }).collect(),
            doubts: readiness::doubts(settings),
        }
    }
}
