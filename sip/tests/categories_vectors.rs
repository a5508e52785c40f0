//! The 25 published documents about categories, each read to exact values or recognised for what else it is.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and a skipped one says why")]

use std::collections::BTreeMap;

use presence_core::{Availability, DeviceType, Modalities, Modality, SourceNetwork};
use presence_sip::documents::{
    Activity, AgentCategories, Category, CategoryName, CategoryValue, ServicesCategory, StateCategory, StateKind,
    read_categories, read_category_value,
};
use presence_sip::{DocumentError, DocumentLimits};
use quick_xml::NsReader;
use quick_xml::events::Event;
use quick_xml::name::{Namespace, ResolveResult};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors/categories");
const SERVICE: &str = "http://schemas.microsoft.com/2006/09/sip/service";

/// What a file is.
enum Expected {
    /// A bare category.
    Value(CategoryValue),
    /// A part of a `services` element: its root is a `service`.
    Service(Modalities),
    /// Another root, in this namespace, with these states somewhere inside.
    Other(&'static str, Option<&'static str>, Vec<StateCategory>),
}

fn state(kind: StateKind, availability: i32) -> StateCategory {
    StateCategory { kind, availability: Some(Availability::new(availability)), ..StateCategory::default() }
}

fn doing(state: StateCategory, token: &str, min: Option<i32>, max: Option<i32>) -> StateCategory {
    StateCategory { activity: Some(Activity { token: token.into(), min, max, custom: Vec::new() }), ..state }
}

fn saying(state: StateCategory, token: &str, custom: &str) -> StateCategory {
    let custom = vec![(1033, custom.into())];
    StateCategory { activity: Some(Activity { token: token.into(), min: None, max: None, custom }), ..state }
}

fn on_a_computer(state: StateCategory) -> StateCategory {
    StateCategory { device: DeviceType::Computer, ..state }
}

fn in_the_east_wing(state: StateCategory) -> StateCategory {
    on_a_computer(StateCategory { location: Some("31/East Wing Redmond".into()), ..state })
}

fn usable(audio: Modality, video: Modality, text: Modality) -> Modalities {
    Modalities { audio, video, text }
}

fn expectations() -> BTreeMap<&'static str, Expected> {
    use Modality::{Enabled, Unknown};
    use StateKind::{Aggregate, AggregateMachine, Calendar, Machine, Phone, User};
    let value = |state| Expected::Value(CategoryValue::State(state));
    let services = |modalities| Expected::Value(CategoryValue::Services(ServicesCategory { modalities }));
    let fragment = |modalities| Expected::Service(modalities);
    let none = usable(Unknown, Unknown, Unknown);
    let offline = || vec![state(Aggregate, 18500)];
    let reset = StateCategory { kind: User, ..StateCategory::default() };
    let calendar = StateCategory { kind: Calendar, ..StateCategory::default() };
    let since = StateCategory { last_active: Some("2012-07-12T13:58:54".into()), ..state(Aggregate, 18000) };
    let machine = || on_a_computer(state(Machine, 5000));
    BTreeMap::from([
        ("aggregation-containers-01.xml", value(state(User, 3500))),
        ("aggregation-containers-03.xml", value(in_the_east_wing(state(Machine, 3500)))),
        ("aggregation-containers-05.xml", value(doing(state(Phone, 6500), "on-the-phone", Some(6500), Some(8999)))),
        ("aggregation-containers-07.xml", value(reset)),
        ("aggregation-containers-09.xml", value(in_the_east_wing(state(Aggregate, 3500)))),
        (
            "aggregation-containers-11.xml",
            value(doing(state(User, 6900), "urgent-interruptions-only", Some(6900), Some(8999))),
        ),
        ("aggregation-containers-13.xml", value(doing(calendar, "out-of-office", Some(12000), None))),
        (
            "application-extension-of-enhanced-presence-categories-01.xml",
            value(saying(state(User, 9500), "in-a-meeting", "Some activity")),
        ),
        ("categorydata-element-01.xml", Expected::Other("publicationRule", None, offline())),
        ("categorypublicationmanifest-element-02.xml", Expected::Other("publicationRule", None, offline())),
        ("colleagues-container-03.xml", services(usable(Enabled, Enabled, Enabled))),
        (
            "enhanced-presence-category-instances-03.xml",
            Expected::Other(
                "publish",
                Some("http://schemas.microsoft.com/2006/09/sip/rich-presence"),
                vec![machine(), machine()],
            ),
        ),
        ("how-to-enable-custom-privacy-settings-02.xml", value(since)),
        ("receiving-presence-category-instances-01.xml", value(on_a_computer(state(Aggregate, 3500)))),
        ("services-category-instance-value-element-01.xml", services(usable(Unknown, Unknown, Enabled))),
        ("services-service-capabilities-breakthrough-element-01.xml", fragment(none)),
        ("services-service-capabilities-cccp-element-01.xml", fragment(none)),
        ("services-service-capabilities-contentpowerpoint-element-01.xml", fragment(none)),
        ("services-service-capabilities-isfink-element-01.xml", fragment(none)),
        ("services-service-capabilities-text-element-01.xml", fragment(usable(Unknown, Unknown, Enabled))),
        ("services-service-capabilities-video-element-01.xml", fragment(usable(Unknown, Enabled, Unknown))),
        ("state-activity-element-01.xml", value(saying(state(User, 15500), "", "Away at an off-site"))),
        ("state-element_1-01.xml", value(doing(state(Phone, 7000), "in-a-conference", Some(7000), Some(8999)))),
        ("state-element_3-01.xml", value(doing(state(Calendar, 6500), "in-a-meeting", Some(6500), Some(8999)))),
        ("state-element_5-01.xml", value(state(AggregateMachine, 3500))),
    ])
}

fn files() -> Option<BTreeMap<String, String>> {
    let Ok(folder) = std::fs::read_dir(FOLDER) else {
        println!("skipped: the published documents are not here");
        return None;
    };
    let paths = folder.map(|entry| entry.unwrap().path());
    let name = |path: &std::path::Path| path.file_name().unwrap().to_string_lossy().into_owned();
    Some(paths.map(|path| (name(&path), std::fs::read_to_string(&path).unwrap())).collect())
}

fn root(text: &str) -> (String, Option<String>) {
    let mut reader = NsReader::from_str(text);
    loop {
        match reader.read_resolved_event().unwrap() {
            (namespace, Event::Start(start)) => {
                let namespace = match namespace {
                    ResolveResult::Bound(Namespace(name)) => Some(name.to_owned()),
                    _ => None,
                };
                return (start.local_name().as_ref().to_owned(), namespace);
            }
            (_, Event::Eof) => panic!("no root in {text}"),
            _ => {}
        }
    }
}

fn value(text: &str) -> Result<CategoryValue, DocumentError> {
    read_category_value(text.as_bytes(), &DocumentLimits::default())
}

/// The `state` elements in a text that declares their namespaces on themselves.
fn states_inside(text: &str) -> Vec<StateCategory> {
    let mut found = Vec::new();
    for part in text.split("<state").skip(1) {
        let end = part.find("</state>").unwrap() + "</state>".len();
        match value(&format!("<state{}", &part[..end])).unwrap() {
            CategoryValue::State(state) => found.push(state),
            other => panic!("{other:?}"),
        }
    }
    found
}

#[test]
fn every_published_document_is_read_to_its_exact_values() {
    let Some(files) = files() else { return };
    let expectations = expectations();
    let known: Vec<&str> = expectations.keys().copied().collect();
    assert_eq!(files.keys().map(String::as_str).collect::<Vec<_>>(), known);
    for (name, text) in &files {
        match &expectations[name.as_str()] {
            Expected::Value(expected) => assert_eq!(value(text).as_ref(), Ok(expected), "{name}"),
            Expected::Service(modalities) => {
                assert_eq!(root(text), ("service".into(), Some(SERVICE.into())), "{name}");
                assert_eq!(value(text), Err(DocumentError::NotCategories), "{name}");
                let declaration = text.find("?>").map_or(0, |end| end + 2);
                let whole = format!("<services xmlns=\"{SERVICE}\">{}</services>", &text[declaration..]);
                let expected = CategoryValue::Services(ServicesCategory { modalities: *modalities });
                assert_eq!(value(&whole), Ok(expected), "{name}");
            }
            Expected::Other(element, namespace, states) => {
                assert_eq!(root(text), ((*element).into(), namespace.map(Into::into)), "{name}");
                assert_eq!(value(text), Err(DocumentError::NotCategories), "{name}");
                assert_eq!(&states_inside(text), states, "{name}");
            }
        }
        let none = read_categories(text.as_bytes(), &DocumentLimits::default());
        assert_eq!(none, Err(DocumentError::NotCategories), "none is a notification: {name}");
    }
}

/// A notification holds them inside `<category>`; there they mean the same.
#[test]
fn every_published_value_means_the_same_inside_a_notification() {
    let Some(files) = files() else { return };
    let mut read = 0;
    for (name, expected) in expectations() {
        let Expected::Value(expected) = expected else { continue };
        let (word, category) = match &expected {
            CategoryValue::State(_) => ("state", CategoryName::State),
            _ => ("services", CategoryName::Services),
        };
        let text = format!(
            "<categories xmlns=\"http://schemas.microsoft.com/2006/09/sip/categories\" uri=\"sip:a@contoso.com\">\
             <category name=\"{word}\" instance=\"1\" publishTime=\"2008-01-22T23:41:05.450\">{}</category></categories>",
            files[name]
        );
        let document = read_categories(text.as_bytes(), &DocumentLimits::default()).unwrap();
        assert_eq!(document.uri.as_deref(), Some("sip:a@contoso.com"));
        assert_eq!(
            document.categories,
            [Category { name: category, instance: Some(1), value: Some(expected) }],
            "{name}"
        );
        read += 1;
    }
    assert_eq!(read, 16);
}

#[test]
fn the_seeds_line_follows_from_the_published_documents() {
    let Some(files) = files() else { return };
    let mut agent = AgentCategories::default();
    for (word, file) in
        [("state", "receiving-presence-category-instances-01.xml"), ("services", "colleagues-container-03.xml")]
    {
        let text = format!(
            "<categories xmlns=\"http://schemas.microsoft.com/2006/09/sip/categories\"><category name=\"{word}\" \
             instance=\"0\">{}</category></categories>",
            files[file]
        );
        agent.apply(&read_categories(text.as_bytes(), &DocumentLimits::default()).unwrap().categories);
    }
    let status = agent.status(SourceNetwork::SameEnterprise);
    assert_eq!((status.availability, status.device), (Availability::ONLINE, DeviceType::Computer));
    assert_eq!((status.activity, status.location, status.network), (None, None, SourceNetwork::SameEnterprise));
    assert_eq!(status.modalities, usable(Modality::Enabled, Modality::Enabled, Modality::Enabled));
}
