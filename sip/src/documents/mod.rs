//! What documents say: presence information in the bodies of NOTIFY requests.

mod pidf;
mod scale;
mod timestamp;
mod xml;

pub use pidf::read_pidf;

/// The media type of a presence document (RFC 3863).
pub const PIDF: &str = "application/pidf+xml";

/// What a document may cost. A document beyond one of these is refused whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DocumentLimits {
    /// Bytes of the document; 256 KiB.
    pub bytes: usize,
    /// Elements inside one another; 32.
    pub depth: usize,
    /// Attributes of one element, namespace declarations among them; 64.
    pub attributes: usize,
    /// Elements of the document; 20,000.
    pub elements: usize,
    /// Bytes of a text that is kept; 1 KiB. What a longer one says is ignored.
    pub text: usize,
}

impl Default for DocumentLimits {
    fn default() -> Self {
        Self { bytes: 256 * 1024, depth: 32, attributes: 64, elements: 20_000, text: 1024 }
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
}
