//! What the body of an answer or a notification holds.

use std::collections::BTreeMap;

use presence_core::{AgentUri, SourceNetwork};

use crate::documents::{
    CATEGORIES, Category, DocumentLimits, MULTIPART_RELATED, Part, RLMI, ResourceList, is_media_type, marks,
    read_categories, read_categories_uri, read_rlmi, split_multipart,
};
use crate::message::Message;

/// The most tags, attributes and entities in one body: forty for each of 10,000 agents.
const MARKS: usize = 400_000;

/// The limits for the document of one agent and for a list of them.
#[derive(Debug)]
pub(super) struct BodyLimits {
    pub(super) one: DocumentLimits,
    pub(super) list: DocumentLimits,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { one: DocumentLimits::default(), list: DocumentLimits::list() }
    }
}

/// What was read of a body.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) lists: Vec<ResourceList>,
    /// Whose categories, and which; `None` where no agent's URI can be told.
    pub(super) documents: Vec<(Option<AgentUri>, Vec<Category>)>,
    /// Parts that cannot be read, with whose they are where that can be told.
    pub(super) unreadable: Vec<Option<AgentUri>>,
    /// A list of resources cannot be read.
    pub(super) listless: bool,
    /// Nothing of it can be read.
    pub(super) broken: bool,
}

impl Reading {
    /// Reads the body of a message; `None` when there is none.
    pub(super) fn of(message: &Message, limits: &BodyLimits) -> Option<Self> {
        let body = message.body();
        if body.is_empty() {
            return None;
        }
        let mut reading = Self::default();
        // All parts together: each is within its own limits, and there may be thousands.
        if marks(body) > MARKS {
            tracing::trace!(bytes = body.len(), "a body with too many elements");
            reading.broken = true;
            return Some(reading);
        }
        let content_type = message.content_type().unwrap_or_default();
        if is_media_type(content_type, MULTIPART_RELATED) {
            match split_multipart(content_type, body, &limits.list) {
                Ok(parts) => reading.take_parts(&parts, limits),
                Err(error) => {
                    tracing::trace!(%error, "unreadable multipart");
                    reading.broken = true;
                }
            }
            return Some(reading);
        }
        let part = Part { content_id: None, content_type: content_type.into(), body: body.clone() };
        reading.take_parts(std::slice::from_ref(&part), limits);
        // Of a damaged document it may still be known whose it is.
        reading.broken =
            reading.lists.is_empty() && reading.documents.is_empty() && !reading.unreadable.iter().any(Option::is_some);
        if reading.broken {
            reading.unreadable.clear();
        }
        Some(reading)
    }

    fn take_parts(&mut self, parts: &[Part], limits: &BodyLimits) {
        for part in parts.iter().filter(|part| is_media_type(&part.content_type, RLMI)) {
            match read_rlmi(&part.body, &limits.list) {
                Ok(list) => self.lists.push(list),
                Err(error) => {
                    tracing::trace!(%error, "unreadable resource list");
                    self.unreadable.push(None);
                    self.listless = true;
                }
            }
        }
        let mut named = None;
        for part in parts.iter().filter(|part| !is_media_type(&part.content_type, RLMI)) {
            let (read, damaged);
            if is_media_type(&part.content_type, CATEGORIES) {
                read = read_categories(&part.body, &limits.one).map_err(|error| error.to_string());
                // Damaged behind its first element, it still says whose it is.
                damaged = read.is_err().then(|| read_categories_uri(&part.body, &limits.one)).flatten();
            } else {
                (read, damaged) = (Err("its media type was not asked for".to_owned()), None);
            }
            let written = read.as_ref().ok().and_then(|document| document.uri.as_deref()).or(damaged.as_deref());
            let uri = written.and_then(|uri| AgentUri::parse(uri).ok());
            let uri = uri.or_else(|| whose(part, named.get_or_insert_with(|| self.names())));
            match read {
                Ok(document) => self.documents.push((uri, document.categories)),
                Err(why) => {
                    tracing::trace!(why, "unreadable document");
                    self.unreadable.push(uri);
                }
            }
        }
    }

    /// Which part the lists say is whose.
    fn names(&self) -> BTreeMap<Box<str>, Box<str>> {
        let resources = self.lists.iter().flat_map(|list| &list.resources);
        let parts = resources.flat_map(|resource| {
            let cids = resource.instances.iter().filter_map(|instance| instance.cid.clone());
            cids.map(|cid| (cid, resource.uri.clone()))
        });
        parts.collect()
    }
}

/// Whose part this is by its Content-ID: as the list says, or as the name `user@domain` itself says.
fn whose(part: &Part, named: &BTreeMap<Box<str>, Box<str>>) -> Option<AgentUri> {
    let cid = part.content_id.as_deref()?;
    match named.get(cid) {
        Some(uri) => AgentUri::parse(uri).ok(),
        None => AgentUri::parse(&format!("sip:{cid}")).ok(),
    }
}

/// Where the agents of a message are, as the edge server says (facts C.6); it says nothing of our own enterprise.
pub(super) fn network(message: &Message) -> SourceNetwork {
    let Some(trust) = message.header("ms-edge-proxy-message-trust") else { return SourceNetwork::SameEnterprise };
    let says = trust.split(';').filter_map(|param| param.split_once('='));
    let network = says.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("ms-source-network"));
    match network.map(|(_, value)| value.trim().trim_matches('"')) {
        Some(value) if value.eq_ignore_ascii_case("publiccloud") => SourceNetwork::PublicCloud,
        // Whatever came through the edge is not of our own enterprise.
        Some(_) | None => SourceNetwork::Federated,
    }
}
