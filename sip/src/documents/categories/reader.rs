//! From XML to categories.

use presence_core::{Availability, DeviceType, Modality};
use quick_xml::events::BytesStart;

use super::{
    Activity, CategoriesDocument, Category, CategoryName, CategoryValue, ServicesCategory, StateCategory, StateKind,
};
use crate::documents::xml::{Attribute, Piece, Pull, kept};
use crate::documents::{DocumentError, DocumentLimits};

/// How many texts of one activity are kept.
const CUSTOM_TEXTS: usize = 16;

/// Reads a `categories` document, bare or as a part of a multipart.
///
/// Only elements in their own namespaces mean anything; extensions and whatever else stands between are passed over.
///
/// # Errors
/// Says why the document cannot be read. Nothing of a refused document is used.
pub fn read_categories(body: &[u8], limits: &DocumentLimits) -> Result<CategoriesDocument, DocumentError> {
    read(body, limits, Root::Categories)
}

/// Reads what one instance of a category holds: a document whose root is `state` or `services`.
///
/// # Errors
/// As [`read_categories`]; [`DocumentError::NotCategories`] for another root.
pub fn read_category_value(body: &[u8], limits: &DocumentLimits) -> Result<CategoryValue, DocumentError> {
    let mut document = read(body, limits, Root::Value)?;
    document.categories.pop().and_then(|category| category.value).ok_or(DocumentError::NotCategories)
}

/// Whose a document is that is damaged somewhere behind its first element; `None` where even that cannot be told.
#[must_use]
pub fn read_categories_uri(body: &[u8], limits: &DocumentLimits) -> Option<String> {
    let mut reader = Reader::new(body, limits).ok()?;
    loop {
        match reader.pull.next(Vocabulary::read).ok()? {
            Piece::Start(vocabulary, start) => {
                reader.root(Root::Categories, vocabulary, &start).ok()?;
                return reader.document.uri;
            }
            // What may stand before the first element.
            Piece::Text(_) => {}
            Piece::End | Piece::Over => return None,
        }
    }
}

fn read(body: &[u8], limits: &DocumentLimits, root: Root) -> Result<CategoriesDocument, DocumentError> {
    let mut reader = Reader::new(body, limits)?;
    loop {
        match reader.pull.next(Vocabulary::read)? {
            Piece::Start(vocabulary, start) => {
                let element = match reader.open.last() {
                    None => reader.root(root, vocabulary, &start)?,
                    Some(&parent) => reader.inside(parent, vocabulary, &start)?,
                };
                if matches!(element, Element::Text(_)) {
                    reader.text.clear();
                    reader.overlong = false;
                }
                reader.open.push(element);
            }
            Piece::Text(text) => reader.text(&text),
            Piece::End => reader.end(),
            Piece::Over => return Ok(reader.document),
        }
    }
}

/// What the root may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Root {
    Categories,
    /// What stands inside a category.
    Value,
}

/// The namespaces that mean something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Vocabulary {
    Categories,
    State,
    Service,
    Foreign,
}

impl Vocabulary {
    fn read(name: Option<&str>) -> Self {
        match name.and_then(|name| name.strip_prefix("http://schemas.microsoft.com/2006/09/sip/")) {
            Some("categories") => Self::Categories,
            Some("state") => Self::State,
            Some("service") => Self::Service,
            _ => Self::Foreign,
        }
    }
}

/// An element that is open, by what it means where it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Element {
    Categories,
    Category,
    State,
    Activity,
    Services,
    Service,
    Capabilities,
    /// An element whose text counts.
    Text(Meaning),
    /// Anything else, with all that is inside.
    Foreign,
}

/// What the text of an element says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Availability,
    Location,
    Device,
    Custom,
}

/// What is being read belongs to the last category of `document`.
struct Reader<'i> {
    pull: Pull<'i>,
    open: Vec<Element>,
    document: CategoriesDocument,
    text: String,
    /// The text has more than `room` bytes and says nothing.
    overlong: bool,
    room: usize,
}

impl<'i> Reader<'i> {
    fn new(body: &'i [u8], limits: &DocumentLimits) -> Result<Self, DocumentError> {
        Ok(Self {
            pull: Pull::new(body, limits)?,
            open: Vec::with_capacity(8),
            document: CategoriesDocument::default(),
            text: String::new(),
            overlong: false,
            room: limits.text,
        })
    }
}

impl Reader<'_> {
    fn root(&mut self, root: Root, vocabulary: Vocabulary, start: &BytesStart<'_>) -> Result<Element, DocumentError> {
        let name = match (root, vocabulary, start.local_name().as_ref()) {
            (Root::Categories, Vocabulary::Categories, "categories") => {
                let (uri, room) = (&mut self.document.uri, self.room);
                self.pull.attributes(start, |name, value| {
                    if name == Attribute::Plain("uri") {
                        *uri = kept(&value, room).map(String::from);
                    }
                })?;
                return Ok(Element::Categories);
            }
            (Root::Value, Vocabulary::State, "state") => CategoryName::State,
            (Root::Value, Vocabulary::Service, "services") => CategoryName::Services,
            _ => return Err(DocumentError::NotCategories),
        };
        self.document.categories.push(Category { name, instance: None, value: None });
        self.value(vocabulary, start)
    }

    /// What an element means inside `parent`. Attributes are read here.
    fn inside(
        &mut self,
        parent: Element,
        vocabulary: Vocabulary,
        start: &BytesStart<'_>,
    ) -> Result<Element, DocumentError> {
        use Vocabulary as V;
        Ok(match (parent, vocabulary, start.local_name().as_ref()) {
            (Element::Categories, V::Categories, "category") => self.category(start)?,
            (Element::Category, ..) => self.value(vocabulary, start)?,
            (Element::State, V::State, "availability") => Element::Text(Meaning::Availability),
            (Element::State, V::State, "endpointLocation") => Element::Text(Meaning::Location),
            (Element::State, V::State, "device") => Element::Text(Meaning::Device),
            (Element::State, V::State, "activity") => self.activity(start)?,
            (Element::Activity, V::State, "custom") => self.custom(start)?,
            (Element::Services, V::Service, "service") => Element::Service,
            (Element::Service, V::Service, "capabilities") => Element::Capabilities,
            (Element::Capabilities, V::Service, name @ ("voice" | "video" | "text")) => self.capability(name, start)?,
            _ => Element::Foreign,
        })
    }

    fn category(&mut self, start: &BytesStart<'_>) -> Result<Element, DocumentError> {
        let mut category = Category { name: CategoryName::Other(Box::default()), instance: None, value: None };
        self.pull.attributes(start, |name, value| match name {
            Attribute::Plain("name") => category.name = CategoryName::named(&value, self.room),
            Attribute::Plain("instance") => category.instance = read_instance(value.trim()),
            _ => {}
        })?;
        self.document.categories.push(category);
        Ok(Element::Category)
    }

    /// The first element inside a category that is what its name promises is its value.
    fn value(&mut self, vocabulary: Vocabulary, start: &BytesStart<'_>) -> Result<Element, DocumentError> {
        let Some(category) = self.document.categories.last_mut() else { return Ok(Element::Foreign) };
        let value = category.value.get_or_insert(CategoryValue::Other);
        let free = *value == CategoryValue::Other;
        match (&category.name, vocabulary, start.local_name().as_ref()) {
            (CategoryName::State, Vocabulary::State, "state") if free => {
                let mut state = StateCategory::default();
                self.pull.attributes(start, |name, value| match name {
                    Attribute::Instance("type") => state.kind = StateKind::named(&value),
                    Attribute::Plain("lastActive") => state.last_active = kept(&value, self.room),
                    _ => {}
                })?;
                *value = CategoryValue::State(state);
                Ok(Element::State)
            }
            (CategoryName::Services, Vocabulary::Service, "services") if free => {
                *value = CategoryValue::Services(ServicesCategory::default());
                Ok(Element::Services)
            }
            _ => Ok(Element::Foreign),
        }
    }

    /// Of several activities the first stays.
    fn activity(&mut self, start: &BytesStart<'_>) -> Result<Element, DocumentError> {
        let mut activity = Activity::default();
        self.pull.attributes(start, |name, value| match name {
            Attribute::Plain("token") => activity.token = kept(&value, self.room).unwrap_or_default(),
            Attribute::Plain("minAvailability") => activity.min = value.trim().parse().ok(),
            Attribute::Plain("maxAvailability") => activity.max = value.trim().parse().ok(),
            _ => {}
        })?;
        match self.state() {
            Some(state) if state.activity.is_none() => {
                state.activity = Some(activity);
                Ok(Element::Activity)
            }
            _ => Ok(Element::Foreign),
        }
    }

    fn custom(&mut self, start: &BytesStart<'_>) -> Result<Element, DocumentError> {
        let mut language = 0;
        self.pull.attributes(start, |name, value| {
            if name == Attribute::Plain("LCID") {
                language = value.trim().parse().unwrap_or_default();
            }
        })?;
        match self.state().and_then(|state| state.activity.as_mut()) {
            Some(activity) if activity.custom.len() < CUSTOM_TEXTS => {
                activity.custom.push((language, Box::default()));
                Ok(Element::Text(Meaning::Custom))
            }
            _ => Ok(Element::Foreign),
        }
    }

    fn capability(&mut self, name: &str, start: &BytesStart<'_>) -> Result<Element, DocumentError> {
        let mut usable = false;
        self.pull.attributes(start, |name, value| {
            if matches!(name, Attribute::Plain("render" | "capture")) {
                usable |= matches!(value.trim(), "true" | "1");
            }
        })?;
        if let Some(Category { value: Some(CategoryValue::Services(services)), .. }) =
            self.document.categories.last_mut()
        {
            let modality = match name {
                "voice" => &mut services.modalities.audio,
                "video" => &mut services.modalities.video,
                _ => &mut services.modalities.text,
            };
            if usable {
                *modality = Modality::Enabled;
            } else if *modality == Modality::Unknown {
                *modality = Modality::Disabled;
            }
        }
        Ok(Element::Foreign)
    }

    fn text(&mut self, text: &str) {
        if matches!(self.open.last(), Some(Element::Text(_))) {
            self.overlong |= self.text.len() + text.len() > self.room;
            if !self.overlong {
                self.text.push_str(text);
            }
        }
    }

    fn end(&mut self) {
        let Some(Element::Text(meaning)) = self.open.pop() else { return };
        let text = std::mem::take(&mut self.text);
        let said = if self.overlong { "" } else { text.trim() };
        if let Some(state) = self.state() {
            match meaning {
                Meaning::Availability => state.availability = Some(read_availability(said)),
                Meaning::Location => state.location = kept(said, usize::MAX),
                Meaning::Device => state.device = read_device(said),
                Meaning::Custom => {
                    if let Some((_, custom)) = state.activity.as_mut().and_then(|activity| activity.custom.last_mut()) {
                        *custom = said.into();
                    }
                }
            }
        }
        self.text = text;
    }

    fn state(&mut self) -> Option<&mut StateCategory> {
        match self.document.categories.last_mut()?.value.as_mut()? {
            CategoryValue::State(state) => Some(state),
            CategoryValue::Services(_) | CategoryValue::Other => None,
        }
    }
}

impl CategoryName {
    /// A name that is too long to keep is empty: it is that of no category we read.
    fn named(name: &str, room: usize) -> Self {
        match name.trim() {
            "state" => Self::State,
            "services" => Self::Services,
            other => Self::Other(kept(other, room).unwrap_or_default()),
        }
    }
}

/// Instances are numbers of 32 bits (MS-PRES), with a sign or without.
fn read_instance(text: &str) -> Option<u64> {
    text.parse().ok().or_else(|| text.parse().ok().map(i64::cast_unsigned))
}

fn read_availability(text: &str) -> Availability {
    text.parse().map_or(Availability::UNKNOWN, Availability::new)
}

/// The devices of MS-PRES; the set is open.
fn read_device(text: &str) -> DeviceType {
    match text.to_ascii_lowercase().as_str() {
        "" => DeviceType::Undefined,
        "computer" => DeviceType::Computer,
        "deskphone" => DeviceType::DeskPhone,
        "mobile" => DeviceType::Mobile,
        "web" => DeviceType::Web,
        _ => DeviceType::Custom,
    }
}
