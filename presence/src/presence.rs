//! What is known about one agent at one moment, and what a change of it is.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::{AgentUri, Availability};

/// The device that an agent's presence comes from (UCMA `DeviceType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceType {
    /// The source does not say.
    #[default]
    Undefined,
    /// A computer.
    Computer,
    /// A desk phone.
    DeskPhone,
    /// A mobile.
    Mobile,
    /// A browser.
    Web,
    /// Something that the source names otherwise.
    Custom,
}

/// Where the agent is, seen from our enterprise (UCMA `SourceNetwork`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceNetwork {
    /// The source does not say.
    #[default]
    None,
    /// A public cloud.
    PublicCloud,
    /// A federated enterprise.
    Federated,
    /// Our own enterprise.
    SameEnterprise,
    /// Everyone.
    Everyone,
}

/// Whether a modality can be used (UCMA `ServiceCapabilitySupport`). Unknown is not disabled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Modality {
    /// The source does not say.
    #[default]
    Unknown,
    /// At least one of the agent's devices can render or capture it.
    Enabled,
    /// None of the agent's devices can.
    Disabled,
}

/// The three modalities that a UCC hunts by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Modalities {
    /// Voice.
    pub audio: Modality,
    /// Video.
    pub video: Modality,
    /// Instant messages.
    pub text: Modality,
}

/// Where a presence comes from, by the names of Config.xml.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// `AttendantServiceSource`: third parties push.
    Attendant,
    /// `PstnPresenceSource`: in a call of this service or not.
    Pstn,
    /// `MsGraphPresenceSource`: Microsoft Graph.
    MsGraph,
    /// `UcmaPresenceSource`: SIP towards a pool.
    Ucma,
}

/// How far a presence can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Freshness {
    /// Nothing has been learned, or what was learned has run out.
    Unknown,
    /// The last value, its source being down.
    Stale,
    /// The source stands behind it.
    Fresh,
}

/// What a source says about an agent: the part of a presence that a document carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Status {
    /// The number on the availability scale.
    pub availability: Availability,
    /// The activity token, such as `on-the-phone`; none is normal.
    pub activity: Option<Arc<str>>,
    /// Where the agent says to be, such as `office`.
    pub location: Option<Arc<str>>,
    /// The device.
    pub device: DeviceType,
    /// The network.
    pub network: SourceNetwork,
    /// What can be used to reach the agent.
    pub modalities: Modalities,
}

impl Status {
    /// A status of which only the availability is known.
    #[must_use]
    pub const fn of(availability: Availability) -> Self {
        Self {
            availability,
            activity: None,
            location: None,
            device: DeviceType::Undefined,
            network: SourceNetwork::None,
            modalities: Modalities { audio: Modality::Unknown, video: Modality::Unknown, text: Modality::Unknown },
        }
    }

    /// Nothing is known. This is not offline.
    #[must_use]
    pub const fn unknown() -> Self {
        Self::of(Availability::UNKNOWN)
    }

    /// The same with this activity token; an empty one is none.
    #[must_use]
    pub fn with_activity(mut self, token: &str) -> Self {
        self.activity = (!token.is_empty()).then(|| Arc::from(token));
        self
    }
}

/// The presence of one agent at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// What the source says.
    pub status: Status,
    /// When `status` began to hold; a repeat, a refresh and a change of freshness leave it alone.
    pub since: Instant,
    /// Which source said it.
    pub source: SourceKind,
    /// How far it can be trusted.
    pub freshness: Freshness,
}

impl Presence {
    /// The presence of an agent of whom nothing has been learned yet.
    #[must_use]
    pub const fn unknown(since: Instant, source: SourceKind) -> Self {
        Self { status: Status::unknown(), since, source, freshness: Freshness::Unknown }
    }
}

/// One change of an agent's presence, as every watching UCC gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The agent.
    pub uri: AgentUri,
    /// What held before; `None` on the first value ever learned.
    pub previous: Option<Arc<Presence>>,
    /// What holds now.
    pub new: Arc<Presence>,
    /// Counts the changes of this agent from 1, without gaps.
    pub sequence: u64,
}

impl Change {
    /// True when the status itself differs, false when only the freshness does.
    #[must_use]
    pub fn changes_status(&self) -> bool {
        self.previous.as_ref().is_none_or(|previous| previous.status != self.new.status)
    }
}

impl SourceKind {
    /// The element of Config.xml that switches the source on.
    #[must_use]
    pub const fn element(self) -> &'static str {
        match self {
            Self::Attendant => "AttendantServiceSource",
            Self::Pstn => "PstnPresenceSource",
            Self::MsGraph => "MsGraphPresenceSource",
            Self::Ucma => "UcmaPresenceSource",
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.element())
    }
}

impl fmt::Display for Freshness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unknown => "unknown",
            Self::Stale => "stale",
            Self::Fresh => "fresh",
        })
    }
}

impl fmt::Display for DeviceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Undefined => "Undefined",
            Self::Computer => "Computer",
            Self::DeskPhone => "DeskPhone",
            Self::Mobile => "Mobile",
            Self::Web => "Web",
            Self::Custom => "Custom",
        })
    }
}

impl fmt::Display for SourceNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "None",
            Self::PublicCloud => "PublicCloud",
            Self::Federated => "Federated",
            Self::SameEnterprise => "SameEnterprise",
            Self::Everyone => "Everyone",
        })
    }
}
