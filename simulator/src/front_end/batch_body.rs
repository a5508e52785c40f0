//! Reading what a SUBSCRIBE asks for (`batchSub`, MS-PRES 6.8). Strict: one mistake refuses the whole body.

use std::collections::BTreeSet;

use presence_core::{AgentUri, Scheme};
use quick_xml::NsReader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};

/// The category `state`.
pub(super) const STATE: u8 = 1;
/// The category `services`.
pub(super) const SERVICES: u8 = 2;
/// One more category; so many of them fit.
const OTHER: u8 = 4;
const OTHERS: u8 = 0xff / OTHER;

const BATCH: &str = "http://schemas.microsoft.com/2006/01/sip/batch-subscribe";
const CATEGORIES: &str = "http://schemas.microsoft.com/2006/09/sip/categorylist";

/// What a SUBSCRIBE asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    /// For whom the body says that it is.
    pub(super) own: Option<AgentUri>,
    /// Whom to subscribe, each once.
    pub(super) subscribe: Vec<AgentUri>,
    /// Whom to take out.
    pub(super) unsubscribe: Vec<AgentUri>,
    /// Which categories: [`STATE`], [`SERVICES`] and the number of others.
    pub(super) categories: u8,
    /// How many watcher contexts and other categories there were.
    pub(super) needless: u64,
    /// How many resources came twice.
    pub(super) doubled: u64,
}

/// How many categories these are.
pub(super) fn category_count(categories: u8) -> u32 {
    u32::from(categories / OTHER) + (categories & (STATE | SERVICES)).count_ones()
}

/// Where in the document the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Batch,
    Action,
    Adhoc,
    Resource,
    List,
    Category,
    /// Inside a resource: a context, whatever it holds.
    Foreign,
}

/// One `action` while it is read.
#[derive(Default)]
struct Action {
    subscribes: bool,
    resources: usize,
    categories: usize,
}

/// Reads a body.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn read_wish(body: &[u8]) -> Result<Wish, &'static str> {
    let text = std::str::from_utf8(body).map_err(|_| "the body is not UTF-8")?;
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let (mut wish, mut action) = (Wish::default(), Action::default());
    let (mut places, mut seen, mut over) = (Vec::new(), BTreeSet::new(), false);
    loop {
        let (namespace, event) = reader.read_resolved_event().map_err(|_| "the body is not well-formed XML")?;
        let namespace = match namespace {
            ResolveResult::Bound(Namespace(name)) => name,
            ResolveResult::Unbound | ResolveResult::Unknown(_) => "",
        };
        match event {
            Event::Start(_) if over || places.len() > 32 => return Err("more than one root, or too deep"),
            Event::Start(start) => {
                let place = enter(places.last().copied(), namespace, &start, &mut wish, &mut action, &mut seen)?;
                places.push(place);
            }
            Event::End(_) => {
                if places.pop() == Some(Place::Action) && (action.resources == 0 || action.categories == 0) {
                    return Err("an action without resources or without categories");
                }
                over = places.is_empty();
            }
            Event::DocType(_) => return Err("a document type"),
            Event::Eof if over => break,
            Event::Eof => return Err("the body ends early"),
            _ => {}
        }
    }
    if wish.subscribe.is_empty() && wish.unsubscribe.is_empty() { Err("no action") } else { Ok(wish) }
}

fn enter(
    parent: Option<Place>,
    namespace: &str,
    start: &BytesStart<'_>,
    wish: &mut Wish,
    action: &mut Action,
    seen: &mut BTreeSet<(bool, AgentUri)>,
) -> Result<Place, &'static str> {
    let name = start.local_name();
    match (parent, namespace, name.as_ref()) {
        (None, BATCH, "batchSub") => {
            let own = attribute(start, "uri")?.ok_or("batchSub without uri")?;
            wish.own = Some(AgentUri::parse(&own).map_err(|_| "the uri of batchSub is none")?);
            Ok(Place::Batch)
        }
        (Some(Place::Batch), BATCH, "action") => {
            let id = attribute(start, "id")?.ok_or("an action without id")?;
            id.parse::<u32>().map_err(|_| "the id of an action is no number")?;
            let subscribes = match attribute(start, "name")?.as_deref() {
                Some("subscribe") => true,
                Some("unsubscribe") => false,
                Some(_) | None => return Err("an action of no known name"),
            };
            *action = Action { subscribes, ..Action::default() };
            Ok(Place::Action)
        }
        (Some(Place::Action), BATCH, "adhocList") => Ok(Place::Adhoc),
        (Some(Place::Adhoc), BATCH, "resource") => {
            let uri = attribute(start, "uri")?.ok_or("a resource without uri")?;
            let uri = AgentUri::parse(&uri).map_err(|_| "the uri of a resource is none")?;
            if uri.scheme() == Scheme::Tel {
                return Err("the uri of a resource is a telephone number");
            }
            action.resources += 1;
            if seen.insert((action.subscribes, uri.clone())) {
                let list = if action.subscribes { &mut wish.subscribe } else { &mut wish.unsubscribe };
                list.push(uri);
            } else {
                wish.doubled += 1;
            }
            Ok(Place::Resource)
        }
        (Some(Place::Action), CATEGORIES, "categoryList") => Ok(Place::List),
        (Some(Place::List), CATEGORIES, "category") => {
            action.categories += 1;
            let category = attribute(start, "name")?.ok_or("a category without name")?;
            match (category.as_str(), action.subscribes) {
                ("state", true) => wish.categories |= STATE,
                ("services", true) => wish.categories |= SERVICES,
                (_, true) if wish.categories / OTHER < OTHERS => {
                    wish.categories += OTHER;
                    wish.needless += 1;
                }
                _ => {}
            }
            Ok(Place::Category)
        }
        (Some(Place::Resource), _, "context") => {
            wish.needless += 1;
            Ok(Place::Foreign)
        }
        (Some(Place::Foreign), ..) => Ok(Place::Foreign),
        _ => Err("an element that has no place in a batch"),
    }
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Result<Option<String>, &'static str> {
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|_| "a malformed attribute")?;
        if attribute.key.as_ref() == name {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| "an unknown entity")?;
            return Ok(Some(value.into_owned()));
        }
    }
    Ok(None)
}
