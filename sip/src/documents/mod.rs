//! What documents say: presence in the bodies of NOTIFY requests and of their answers, and the body that asks for it.

mod batch_subscribe;
mod categories;
mod multipart;
mod pidf;
mod registration_event;
mod rlmi;
mod scale;
mod timestamp;
mod xml;

pub use batch_subscribe::{BatchAction, BatchActionName, write_batch_subscribe};
pub use categories::{
    Activity, AgentCategories, CategoriesDocument, Category, CategoryName, CategoryValue, ServicesCategory,
    StateCategory, StateKind, read_categories, read_categories_uri, read_category_value,
};
pub use multipart::{Part, is_media_type, split_multipart};
pub use pidf::read_pidf;
pub use registration_event::{RegistrationEvent, read_registration_event};
pub use rlmi::{Instance, InstanceState, ListedResource, ResourceList, read_rlmi};
pub(crate) use xml::marks;

/// The media type of a presence document (RFC 3863).
pub const PIDF: &str = "application/pidf+xml";
/// The media type of the presence categories of one agent (MS-PRES).
pub const CATEGORIES: &str = "application/msrtc-event-categories+xml";
/// The media type of a list of resources (RFC 4662).
pub const RLMI: &str = "application/rlmi+xml";
/// The media type of a batch of subscriptions to categories (MS-PRES).
pub const BATCH_SUBSCRIBE: &str = "application/msrtc-adrl-categorylist+xml";
/// The media type of what a server says of a registration (MS-SIPREGE).
pub const REGISTRATION_EVENT: &str = "text/registration-event";
/// The media type of a body in parts that belong together (RFC 2387).
pub const MULTIPART_RELATED: &str = "multipart/related";

/// What a document may cost. A document beyond one of these is refused whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DocumentLimits {
    /// Bytes of the document; 256 KiB.
    pub bytes: usize,
    /// Elements inside one another; 32.
    pub depth: usize,
    /// Attributes of one element, namespace declarations among them; 64.
    pub attributes: usize,
    /// Elements of the document; 20,000, and 60,000 in a list. Five times as many marks (`<`, `&`, `=`) are read, whatever they begin.
    pub elements: usize,
    /// Bytes of a text that is kept; 1 KiB. What a longer one says is ignored.
    pub text: usize,
}

impl Default for DocumentLimits {
    fn default() -> Self {
        Self { bytes: 256 * 1024, depth: 32, attributes: 64, elements: 20_000, text: 1024 }
    }
}

impl DocumentLimits {
    /// What a list of many agents, or the multipart that holds their documents, may cost: 4 MiB, but flat, with few
    /// attributes each: a list of 10,000 agents has 20,001 elements.
    #[must_use]
    pub const fn list() -> Self {
        Self { bytes: 4 * 1024 * 1024, depth: 16, attributes: 32, elements: 60_000, text: 1024 }
    }
}

/// Why a document is not read. The text fits after "failed to read the presence document: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// More bytes than [`DocumentLimits::bytes`].
    #[error("it has {0} bytes, more than are accepted")]
    TooLong(usize),
    /// Another encoding, or damaged.
    #[error("it is not UTF-8")]
    Encoding,
    /// A document type declaration, which presence documents never need and attackers do.
    #[error("it has a document type declaration")]
    Doctype,
    /// An entity other than the five of XML itself.
    #[error("it uses an entity that it does not define")]
    Entity,
    /// Elements nested deeper than [`DocumentLimits::depth`].
    #[error("its elements are nested too deeply")]
    Depth,
    /// An element with more than [`DocumentLimits::attributes`].
    #[error("an element has too many attributes")]
    Attributes,
    /// More elements than [`DocumentLimits::elements`].
    #[error("it has too many elements")]
    Elements,
    /// Not well-formed XML.
    #[error("it is not well-formed at byte {0}")]
    Malformed(u64),
    /// Well-formed, but its root is not the `presence` of RFC 3863.
    #[error("its root is not a PIDF presence element")]
    NotPidf,
    /// Well-formed, but its root is not the `categories` of MS-PRES.
    #[error("its root is not a categories element")]
    NotCategories,
    /// Well-formed, but its root is not the `list` of RFC 4662.
    #[error("its root is not the list element of a resource list")]
    NotList,
    /// A body that should come in parts and cannot be parted: another media type, no boundary, or one that is not there.
    #[error("it is not a multipart with the boundary that its type announces")]
    NotMultipart,
    /// More parts than are accepted, or parts nested too deeply.
    #[error("it has too many parts, or parts nested too deeply")]
    Parts,
    /// The headers of a part are too long or not UTF-8.
    #[error("the headers of a part are too long or not UTF-8")]
    PartHeaders,
    /// A part that is encoded for transfer, which SIP never needs.
    #[error("a part is encoded for transfer in a way that is not read")]
    TransferEncoding,
}
