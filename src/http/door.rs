//! What the API reads of strangers, for the fuzzer (`fuzz/`). Nothing else may come in here.

use std::str::FromStr;

use super::access::{Scope, Tokens};
use super::agents::Filter;
use super::feed::EventId;
use super::model::{BulkPush, CallStart, Interest, Pushed};
use super::{attendant, uccs};

/// A push, read and written again.
///
/// # Errors
/// What the pusher is told.
pub fn push(body: &[u8]) -> Result<Pushed, String> {
    attendant::understood(&serde_json::from_slice(body).map_err(|error| error.to_string())?)
}

/// How many pushes of many can be taken.
///
/// # Errors
/// What the pusher is told.
pub fn pushes(body: &[u8]) -> Result<usize, String> {
    let bulk: BulkPush = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    Ok(bulk.presences.iter().filter(|item| attendant::understood(&item.presence).is_ok()).count())
}

/// How many URIs a queue says, and how many of them are none.
///
/// # Errors
/// What the queue is told.
pub fn interest(body: &[u8]) -> Result<(usize, usize), String> {
    let interest: Interest = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if interest.subscribe.len() + interest.unsubscribe.len() > uccs::MAX_URIS {
        return Err(format!("more than {} URIs", uccs::MAX_URIS));
    }
    let mut refused = Vec::new();
    let read = uccs::read_uris(&interest.subscribe, &mut refused).len()
        + uccs::read_uris(&interest.unsubscribe, &mut refused).len();
    Ok((read, refused.len()))
}

/// The line of a call.
///
/// # Errors
/// What the queue is told.
pub fn call(body: &[u8]) -> Result<String, String> {
    serde_json::from_slice::<CallStart>(body).map(|start| start.line).map_err(|error| error.to_string())
}

/// What a list is asked for, shown.
///
/// # Errors
/// What the caller is told.
pub fn filter(query: &str) -> Result<String, String> {
    Filter::read(query).map(|filter| format!("{filter:?}")).map_err(|problem| problem.detail)
}

/// The id of an event, read and written again.
#[must_use]
pub fn event_id(text: &str) -> Option<String> {
    EventId::from_str(text).ok().map(|id| id.to_string())
}

/// A scope, read and written again.
///
/// # Errors
/// What is wrong with it.
pub fn scope(text: &str) -> Result<String, String> {
    Scope::from_str(text).map(|scope| scope.to_string()).map_err(|error| error.to_string())
}

/// The file of tokens, read and written again.
///
/// # Errors
/// What is wrong with it.
pub fn tokens(text: &str) -> Result<String, String> {
    Tokens::parse(text).map(|tokens| tokens.to_text())
}
