//! Resource lists: how the parts of a batch stand (RFC 4662 section 5; MS-PRES for what Microsoft adds).

use quick_xml::events::BytesStart;

use super::xml::{Attribute, Piece, Pull, kept};
use super::{DocumentError, DocumentLimits};

/// How many instances of one resource are kept. One is normal; without an end they would take twenty times their bytes.
const INSTANCES: usize = 64;

/// A list of resources and the state of each.
///
/// Servers of this dialect leave `version` at 0 and may leave out resources that have data: neither says anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceList {
    /// The URI of the list: the subscriber's own.
    pub uri: Box<str>,
    /// The version (RFC 4662); 0 when it is absent or unreadable.
    pub version: u32,
    /// Whether resources that are not in the list are gone.
    pub full_state: bool,
    /// The resources in the order of the document.
    pub resources: Vec<ListedResource>,
}

/// One resource of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedResource {
    /// Whose, as written.
    pub uri: Box<str>,
    /// How it stands; normally one, none when nothing is known yet.
    pub instances: Vec<Instance>,
}

/// The state of one resource's virtual subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The name of the instance within its resource.
    pub id: Box<str>,
    /// How it stands.
    pub state: InstanceState,
    /// The Content-ID of the part that holds its value, without brackets.
    pub cid: Option<Box<str>>,
    /// Why it is terminated, such as `quotaExceeded`.
    pub reason: Option<Box<str>>,
    /// The SIP status that a subscription of its own would have got (`statusCode`).
    pub status_code: Option<u16>,
    /// The ms-diagnostics number that belongs to it (`msDiagCode`).
    pub diagnostics: Option<u32>,
    /// Where to subscribe instead (`poolFqdn`): a full URI of a home server.
    pub pool_fqdn: Option<Box<str>>,
}

/// How an instance stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// It has a value.
    Active,
    /// It is over.
    Terminated,
    /// It must be subscribed alone, or at [`Instance::pool_fqdn`].
    Resubscribe,
    /// A decision is still to come.
    Pending,
    /// Another word, as written; empty when there is none.
    Other(Box<str>),
}

/// Reads an `application/rlmi+xml` document. Elements and attributes that are not known are passed over.
///
/// # Errors
/// Says why the document cannot be read. Nothing of a refused document is used.
pub fn read_rlmi(body: &[u8], limits: &DocumentLimits) -> Result<ResourceList, DocumentError> {
    let mut pull = Pull::new(body, limits)?;
    let mut list = ResourceList::default();
    // How many elements are open, and how many of them, counted from the root, stand where they belong.
    let (mut depth, mut known) = (0_usize, 0_usize);
    loop {
        match pull.next(|namespace| namespace == Some("urn:ietf:params:xml:ns:rlmi"))? {
            Piece::Start(rlmi, start) => {
                let belongs = rlmi && depth == known && list.begin(depth, &pull, &start, limits)?;
                if depth == 0 && !belongs {
                    return Err(DocumentError::NotList);
                }
                known += usize::from(belongs);
                depth += 1;
            }
            Piece::Text(_) => {}
            Piece::End => {
                depth = depth.saturating_sub(1);
                known = known.min(depth);
            }
            Piece::Over => {
                list.resources.retain(|resource| !resource.uri.is_empty());
                return Ok(list);
            }
        }
    }
}

impl ResourceList {
    /// Takes an element of the list's own namespace whose parents all belong. False: it does not belong there.
    fn begin(
        &mut self,
        depth: usize,
        pull: &Pull<'_>,
        start: &BytesStart<'_>,
        limits: &DocumentLimits,
    ) -> Result<bool, DocumentError> {
        match (depth, start.local_name().as_ref()) {
            (0, "list") => pull.attributes(start, |name, value| match name {
                Attribute::Plain("uri") => self.uri = kept(&value, limits.text).unwrap_or_default(),
                Attribute::Plain("version") => self.version = value.trim().parse().unwrap_or_default(),
                Attribute::Plain("fullState") => self.full_state = matches!(value.trim(), "true" | "1"),
                _ => {}
            })?,
            (1, "resource") => {
                let mut uri = None;
                pull.attributes(start, |name, value| {
                    if name == Attribute::Plain("uri") {
                        uri = kept(&value, limits.text);
                    }
                })?;
                self.resources.push(ListedResource { uri: uri.unwrap_or_default(), instances: Vec::new() });
            }
            (2, "instance") => {
                let instance = Instance::read(pull, start, limits)?;
                if let Some(resource) =
                    self.resources.last_mut().filter(|resource| resource.instances.len() < INSTANCES)
                {
                    // Nearly always the only one; room for each by itself would be made for all of them again and again.
                    if resource.instances.is_empty() {
                        resource.instances.reserve_exact(1);
                    }
                    resource.instances.push(instance);
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Instance {
    fn read(pull: &Pull<'_>, start: &BytesStart<'_>, limits: &DocumentLimits) -> Result<Self, DocumentError> {
        let mut instance = Self {
            id: Box::default(),
            state: InstanceState::Other(Box::default()),
            cid: None,
            reason: None,
            status_code: None,
            diagnostics: None,
            pool_fqdn: None,
        };
        pull.attributes(start, |name, value| {
            let Attribute::Plain(name) = name else { return };
            match name {
                "id" => instance.id = kept(&value, limits.text).unwrap_or_default(),
                "state" => instance.state = InstanceState::named(kept(&value, limits.text).unwrap_or_default()),
                "cid" => instance.cid = kept(content_id(&value), limits.text),
                "reason" => instance.reason = kept(&value, limits.text),
                "statusCode" => instance.status_code = value.trim().parse().ok(),
                "msDiagCode" => instance.diagnostics = value.trim().parse().ok(),
                "poolFqdn" => instance.pool_fqdn = kept(&value, limits.text),
                _ => {}
            }
        })?;
        Ok(instance)
    }
}

impl InstanceState {
    fn named(word: Box<str>) -> Self {
        match &*word {
            "active" => Self::Active,
            "terminated" => Self::Terminated,
            "resubscribe" => Self::Resubscribe,
            "pending" => Self::Pending,
            _ => Self::Other(word),
        }
    }
}

/// The name of a part without what some writers put around it: angle brackets, or `cid:` in front.
pub(super) fn content_id(text: &str) -> &str {
    let text = text.trim();
    let text = text.strip_prefix('<').and_then(|inside| inside.strip_suffix('>')).unwrap_or(text).trim();
    text.strip_prefix("cid:").unwrap_or(text)
}
