//! How the values of this crate are written in a snapshot.

use serde::{Deserialize, Serialize};

use crate::{DeviceType, EndedBy, EndpointKind, FailureKind, Modality, SourceKind, SourceNetwork};

#[derive(Serialize, Deserialize)]
#[serde(remote = "SourceKind", rename_all = "snake_case")]
pub(super) enum Source {
    Attendant,
    Pstn,
    MsGraph,
    Ucma,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "EndpointKind", rename_all = "snake_case")]
pub(super) enum Endpoint {
    Application,
    User,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "DeviceType", rename_all = "snake_case")]
pub(super) enum Device {
    Undefined,
    Computer,
    DeskPhone,
    Mobile,
    Web,
    Custom,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "SourceNetwork", rename_all = "snake_case")]
pub(super) enum Network {
    None,
    PublicCloud,
    Federated,
    SameEnterprise,
    Everyone,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Modality", rename_all = "snake_case")]
pub(super) enum Support {
    Unknown,
    Enabled,
    Disabled,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "FailureKind", rename_all = "snake_case")]
pub(super) enum Kind {
    Transient,
    NotFound,
    Forbidden,
    Dialog,
    Invariant,
    Endpoint,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "EndedBy", rename_all = "snake_case")]
pub(super) enum By {
    Us,
    Peer,
    Network,
}
