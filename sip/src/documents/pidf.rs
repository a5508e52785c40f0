//! Presence documents: PIDF (RFC 3863) with the data model (RFC 4479), RPID (RFC 4480) and capabilities (RFC 5196).

use presence_core::{DeviceType, Status};

use super::scale::{Activity, Kind, Part, Parts};
use super::timestamp::read_timestamp;
use super::xml::{Piece, Pull};
use super::{DocumentError, DocumentLimits};

/// Reads a presence document as a status on the availability scale.
///
/// Only elements of the namespaces of RFC 3863, 4479, 4480, 5196 and 4589, and Cisco's `dnd`, mean anything; all others
/// are passed over. How the parts are weighed stands in facts D.3 of the design: no open tuple is offline; do not
/// disturb beats busy, then be right back, away, idle, online; a person beats the tuples; of equals the newest wins.
/// The network is [`presence_core::SourceNetwork::SameEnterprise`], as this dialect has no other.
///
/// # Errors
/// Says why the document cannot be read. Nothing of a refused document is used.
pub fn read_pidf(body: &[u8], limits: &DocumentLimits) -> Result<Status, DocumentError> {
    let mut pull = Pull::new(body, limits)?;
    let mut reader =
        Reader { open: Vec::with_capacity(8), parts: Parts::default(), text: String::new(), room: limits.text };
    loop {
        match pull.next(Vocabulary::read)? {
            Piece::Start(vocabulary, start) => reader.start(vocabulary, start.local_name().as_ref())?,
            Piece::Text(text) => reader.text(&text),
            Piece::End => reader.end(),
            Piece::Over => return Ok(reader.parts.into_status()),
        }
    }
}

/// The namespaces that mean something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Vocabulary {
    Pidf,
    DataModel,
    Rpid,
    Capabilities,
    Location,
    Cisco,
    Foreign,
}

impl Vocabulary {
    fn read(name: Option<&str>) -> Self {
        match name {
            Some("urn:ietf:params:xml:ns:pidf") => Self::Pidf,
            Some("urn:ietf:params:xml:ns:pidf:data-model") => Self::DataModel,
            Some("urn:ietf:params:xml:ns:pidf:rpid") => Self::Rpid,
            Some("urn:ietf:params:xml:ns:pidf:caps") => Self::Capabilities,
            Some("urn:ietf:params:xml:ns:location-type") => Self::Location,
            Some("urn:cisco:params:xml:ns:pidf:rpid") => Self::Cisco,
            _ => Self::Foreign,
        }
    }
}

/// An element that is open, by what it means where it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Element {
    Presence,
    /// A tuple, a person or a device: what is inside belongs to the last part.
    Part,
    Status,
    Activities,
    PlaceType,
    Capabilities,
    Mobility,
    Supported,
    /// An element whose text counts.
    Text(Meaning),
    /// Anything else, with all that is inside.
    Foreign,
}

/// What the text of an element says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Basic,
    Note,
    Timestamp,
    UserInput,
    Class,
    OtherActivity,
    OtherPlace,
    Audio,
    Video,
    Message,
}

struct Reader {
    open: Vec<Element>,
    parts: Parts,
    text: String,
    room: usize,
}

impl Reader {
    fn start(&mut self, vocabulary: Vocabulary, name: &str) -> Result<(), DocumentError> {
        let element = match self.open.last() {
            None if (vocabulary, name) == (Vocabulary::Pidf, "presence") => Element::Presence,
            None => return Err(DocumentError::NotPidf),
            Some(&parent) => self.inside(parent, vocabulary, name),
        };
        if matches!(element, Element::Text(_)) {
            self.text.clear();
        }
        self.open.push(element);
        Ok(())
    }

    /// What an element means inside `parent`. Elements that speak by their mere presence are noted here.
    fn inside(&mut self, parent: Element, vocabulary: Vocabulary, name: &str) -> Element {
        use Vocabulary as V;
        match (parent, vocabulary, name) {
            (Element::Presence, V::Pidf, "tuple") => self.begin(Kind::Tuple),
            (Element::Presence, V::DataModel, "person") => self.begin(Kind::Person),
            (Element::Presence, V::DataModel, "device") => self.begin(Kind::Device),
            (Element::Part, V::Pidf | V::DataModel, "status") => Element::Status,
            (Element::Status, V::Pidf, "basic") => Element::Text(Meaning::Basic),
            (Element::Part, V::Pidf | V::DataModel, "note") | (Element::Activities, V::Rpid, "note") => {
                Element::Text(Meaning::Note)
            }
            (Element::Part, V::Pidf | V::DataModel, "timestamp") => Element::Text(Meaning::Timestamp),
            (Element::Part | Element::Status, V::Rpid, "activities") => Element::Activities,
            (Element::Part | Element::Status, V::Rpid, "user-input") => Element::Text(Meaning::UserInput),
            (Element::Part, V::Rpid, "class") => Element::Text(Meaning::Class),
            (Element::Part, V::Rpid, "place-type") => Element::PlaceType,
            (Element::Part, V::Capabilities, "servcaps" | "devcaps") => Element::Capabilities,
            (Element::Activities, V::Rpid, "other") => Element::Text(Meaning::OtherActivity),
            (Element::Activities, V::Rpid, activity) => self.note_activity(Activity::named(activity)),
            (Element::Activities, V::Cisco, "dnd") => self.note_activity(Some(Activity::do_not_disturb())),
            (Element::PlaceType, V::Rpid, "other") => Element::Text(Meaning::OtherPlace),
            (Element::PlaceType, V::Rpid | V::Location, place) => {
                self.parts.last().place = Some(place.into());
                Element::Foreign
            }
            (Element::Capabilities, V::Capabilities, "audio") => Element::Text(Meaning::Audio),
            (Element::Capabilities, V::Capabilities, "video") => Element::Text(Meaning::Video),
            (Element::Capabilities, V::Capabilities, "message") => Element::Text(Meaning::Message),
            (Element::Capabilities, V::Capabilities, "mobility") => Element::Mobility,
            (Element::Mobility, V::Capabilities, "supported") => Element::Supported,
            (Element::Supported, V::Capabilities, "mobile") => self.note_mobility(DeviceType::Mobile),
            (Element::Supported, V::Capabilities, "fixed") => self.note_mobility(DeviceType::DeskPhone),
            _ => Element::Foreign,
        }
    }

    fn begin(&mut self, kind: Kind) -> Element {
        self.parts.begin(kind);
        Element::Part
    }

    fn note_activity(&mut self, activity: Option<Activity>) -> Element {
        if let Some(activity) = activity {
            self.parts.last().add_activity(activity);
        }
        Element::Foreign
    }

    fn note_mobility(&mut self, device: DeviceType) -> Element {
        self.parts.last().mobility.get_or_insert(device);
        Element::Foreign
    }

    fn text(&mut self, text: &str) {
        if matches!(self.open.last(), Some(Element::Text(_))) && self.text.len() + text.len() <= self.room {
            self.text.push_str(text);
        }
    }

    fn end(&mut self) {
        let Some(Element::Text(meaning)) = self.open.pop() else { return };
        let text = self.text.trim();
        let part: &mut Part = self.parts.last();
        match meaning {
            Meaning::Basic if text.eq_ignore_ascii_case("closed") => part.close(),
            Meaning::Basic => {}
            Meaning::Note | Meaning::OtherActivity if says_do_not_disturb(text) => {
                part.add_activity(Activity::do_not_disturb());
            }
            Meaning::Note | Meaning::OtherActivity => {}
            Meaning::Timestamp => part.timestamp = read_timestamp(text),
            Meaning::UserInput => part.idle = Some(text.eq_ignore_ascii_case("idle")),
            Meaning::Class => part.class = device_class(text).or(part.class),
            Meaning::OtherPlace if !text.is_empty() => part.place = Some(text.into()),
            Meaning::OtherPlace => {}
            Meaning::Audio => part.audio = boolean(text).or(part.audio),
            Meaning::Video => part.video = boolean(text).or(part.video),
            Meaning::Message => part.message = boolean(text).or(part.message),
        }
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// True for the ways in which clients write do not disturb in a free text.
fn says_do_not_disturb(text: &str) -> bool {
    if text.len() > 32 {
        return false;
    }
    let plain: String = text.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect();
    matches!(plain.as_str(), "dnd" | "donotdisturb")
}

/// The device that a class (RFC 4480 section 3.3: a free text) names; most classes name none.
fn device_class(text: &str) -> Option<DeviceType> {
    match text.to_ascii_lowercase().as_str() {
        "computer" | "pc" | "desktop" | "laptop" | "notebook" => Some(DeviceType::Computer),
        "deskphone" | "desk-phone" | "phone" | "hardphone" => Some(DeviceType::DeskPhone),
        "mobile" | "cell" | "cellphone" | "smartphone" | "tablet" => Some(DeviceType::Mobile),
        "web" | "browser" => Some(DeviceType::Web),
        "custom" => Some(DeviceType::Custom),
        _ => None,
    }
}
