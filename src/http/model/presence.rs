//! A presence as the API writes it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A number on the availability scale and the name of its range. Unknown (-1) is not Offline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Availability {
    /// Unknown, None, Online, IdleOnline, Busy, IdleBusy, DoNotDisturb, BeRightBack, Away or Offline.
    #[schema(example = "Away")]
    pub name: String,
    /// The number; smaller is more available; -1 when unknown.
    #[schema(example = 15500)]
    pub value: i32,
}

/// Whether a modality can be used. Unknown is not disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// The source does not say.
    Unknown,
    /// At least one of the agent's devices can.
    Enabled,
    /// None can.
    Disabled,
}

/// The modalities that a queue hunts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Capabilities {
    /// Voice.
    pub audio: Capability,
    /// Video.
    pub video: Capability,
    /// Instant messages.
    pub text: Capability,
}

/// How far a presence can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Freshness {
    /// The source stands behind it.
    Fresh,
    /// The last value, its source being down.
    Stale,
    /// Nothing has been learned, or what was learned has run out.
    Unknown,
}

/// A source, by its element of Config.xml.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub enum SourceName {
    /// Third parties push.
    #[serde(rename = "AttendantServiceSource")]
    Attendant,
    /// In a call of this service or not.
    #[serde(rename = "PstnPresenceSource")]
    Pstn,
    /// Microsoft Graph.
    #[serde(rename = "MsGraphPresenceSource")]
    MsGraph,
    /// SIP towards a pool.
    #[serde(rename = "UcmaPresenceSource")]
    Ucma,
}

/// A local endpoint of UcmaPresenceSource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointName {
    /// The application endpoint.
    Application,
    /// The user endpoint.
    User,
}

/// What is known of one agent at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Presence {
    /// How available.
    pub availability: Availability,
    /// The activity token, such as `on-the-phone`; null is normal.
    #[schema(example = "on-the-phone")]
    pub activity: Option<String>,
    /// Where the agent says to be.
    pub location: Option<String>,
    /// Undefined, Computer, DeskPhone, Mobile, Web or Custom.
    #[schema(example = "Computer")]
    pub device: String,
    /// None, PublicCloud, Federated, SameEnterprise or Everyone.
    #[schema(example = "SameEnterprise")]
    pub network: String,
    /// What can be used to reach the agent.
    pub capabilities: Capabilities,
    /// Since when this holds; a repeat and a change of freshness leave it alone.
    #[schema(example = "2026-11-22T14:05:49.222Z")]
    pub since: String,
    /// Which source says it.
    pub source: SourceName,
    /// How far it can be trusted.
    pub freshness: Freshness,
}
