//! A pull reader of XML from strangers: namespaces resolved, entities decoded, every cost capped.

use std::borrow::Cow;

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::{NsReader, XmlVersion};

use super::{DocumentError, DocumentLimits};

/// One step through a document. `N` is what the caller makes of namespaces.
pub(super) enum Piece<'i, N> {
    /// An element begins; every one ends with [`Piece::End`].
    Start(N, BytesStart<'i>),
    /// A part of a text; a text may come in several parts.
    Text(Cow<'i, str>),
    /// The innermost element ends.
    End,
    /// The document is over, and was well-formed.
    Over,
}

/// The name of an attribute that may mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attribute<'a> {
    /// Without a prefix: it belongs to its element.
    Plain(&'a str),
    /// In the namespace of XML Schema instances, such as `xsi:type`.
    Instance(&'a str),
}

const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// How many marks an element may have on average: its tags, its attributes, its entities.
const MARKS: usize = 5;

/// How many tags, remarks, attributes and entities begin in a text at most: what reading it costs. Counting is cheap.
pub(crate) fn marks(body: &[u8]) -> usize {
    body.iter().filter(|byte| matches!(byte, b'<' | b'&' | b'=')).count()
}

/// The text without the blanks around it, if there is any and it is not longer than `room`.
pub(super) fn kept(text: &str, room: usize) -> Option<Box<str>> {
    let text = text.trim();
    (!text.is_empty() && text.len() <= room).then(|| text.into())
}

/// The reader. It refuses document types, unknown entities and whatever exceeds the limits.
pub(super) struct Pull<'i> {
    reader: NsReader<&'i [u8]>,
    limits: DocumentLimits,
    depth: usize,
    elements: usize,
}

impl<'i> Pull<'i> {
    pub(super) fn new(body: &'i [u8], limits: &DocumentLimits) -> Result<Self, DocumentError> {
        if body.len() > limits.bytes {
            return Err(DocumentError::TooLong(body.len()));
        }
        if marks(body) > MARKS.saturating_mul(limits.elements) {
            return Err(DocumentError::Elements);
        }
        let text = std::str::from_utf8(body).map_err(|_| DocumentError::Encoding)?;
        let mut reader = NsReader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
        reader.config_mut().expand_empty_elements = true;
        Ok(Self { reader, limits: *limits, depth: 0, elements: 0 })
    }

    /// The next step. `read` turns the name of a namespace into what the caller knows; `None` is no namespace.
    pub(super) fn next<N>(&mut self, read: impl Fn(Option<&str>) -> N) -> Result<Piece<'i, N>, DocumentError> {
        loop {
            let (namespace, event) = match self.reader.read_resolved_event() {
                Ok((ResolveResult::Bound(Namespace(name)), event)) => (read(Some(name)), event),
                Ok((ResolveResult::Unbound | ResolveResult::Unknown(_), event)) => (read(None), event),
                Err(_) => return Err(self.malformed()),
            };
            match event {
                Event::Start(start) => {
                    self.open(&start)?;
                    return Ok(Piece::Start(namespace, start));
                }
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Piece::End);
                }
                Event::Text(text) => return Ok(Piece::Text(text.into_inner())),
                Event::CData(text) => return Ok(Piece::Text(text.into_inner())),
                Event::GeneralRef(reference) => return Ok(Piece::Text(Cow::Owned(decode(&reference)?))),
                Event::DocType(_) => return Err(DocumentError::Doctype),
                Event::Eof if self.depth == 0 && self.elements > 0 => return Ok(Piece::Over),
                Event::Eof => return Err(self.malformed()),
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), DocumentError> {
        if self.depth == 0 && self.elements > 0 {
            return Err(self.malformed());
        }
        self.depth += 1;
        self.elements += 1;
        if self.depth > self.limits.depth {
            return Err(DocumentError::Depth);
        }
        if self.elements > self.limits.elements {
            return Err(DocumentError::Elements);
        }
        if start.attributes_raw().trim_ascii().is_empty() {
            return Ok(());
        }
        for (index, attribute) in start.attributes().with_checks(false).enumerate() {
            if index >= self.limits.attributes {
                return Err(DocumentError::Attributes);
            }
            attribute.map_err(|_| self.malformed())?;
        }
        Ok(())
    }

    /// Hands every attribute of `start`, the element just begun, to `take`, with its value unescaped.
    pub(super) fn attributes(
        &self,
        start: &BytesStart<'_>,
        mut take: impl FnMut(Attribute<'_>, Cow<'_, str>),
    ) -> Result<(), DocumentError> {
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute.map_err(|_| self.malformed())?;
            let (name, prefix) = attribute.key.decompose();
            let name = match prefix {
                None if name.as_ref() == "xmlns" => continue,
                None => Attribute::Plain(name.into_inner()),
                Some(prefix) if prefix.is_xmlns() => continue,
                Some(_) => match self.reader.resolver().resolve_attribute(attribute.key) {
                    (ResolveResult::Bound(Namespace(SCHEMA_INSTANCE)), _) => Attribute::Instance(name.into_inner()),
                    _ => continue,
                },
            };
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| DocumentError::Entity)?;
            take(name, value);
        }
        Ok(())
    }

    fn malformed(&self) -> DocumentError {
        DocumentError::Malformed(self.reader.error_position())
    }
}

fn decode(reference: &BytesRef<'_>) -> Result<String, DocumentError> {
    match reference.resolve_char_ref() {
        Ok(Some(character)) => Ok(character.into()),
        Ok(None) => resolve_predefined_entity(reference).map(str::to_owned).ok_or(DocumentError::Entity),
        Err(_) => Err(DocumentError::Entity),
    }
}
