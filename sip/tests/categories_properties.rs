//! Documents from strangers: no bytes can panic or hang a reader, and what does not concern an agent's state leaves it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bytes::Bytes;
use presence_core::{Availability, Modalities, Modality, SourceNetwork};
use presence_sip::documents::{
    AgentCategories, Category, CategoryName, CategoryValue, ServicesCategory, StateCategory, StateKind,
    read_categories, read_category_value, read_registration_event, read_rlmi, split_multipart,
};
use presence_sip::{DocumentError, DocumentLimits};
use proptest::prelude::*;

const CATEGORIES: &str = r#"<?xml version="1.0"?><categories xmlns="http://schemas.microsoft.com/2006/09/sip/categories"
 uri="sip:a@d.com"><category name="state" instance="1"><state xmlns="http://schemas.microsoft.com/2006/09/sip/state"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="aggregateState" lastActive="2026-11-22T09:00:00">
 <availability>6500</availability><activity token="on-the-phone" minAvailability="6500" maxAvailability="8999">
 <custom LCID="1033">in &amp; &#x41; call</custom></activity><endpointLocation><![CDATA[office]]></endpointLocation>
 <delimiter xmlns="http://schemas.microsoft.com/2006/09/sip/commontypes"/><device>computer</device></state></category>
 <category name="services" instance="0"><services xmlns="http://schemas.microsoft.com/2006/09/sip/service">
 <service uri="sip:a@d.com"><capabilities><text render="true"/><voice capture="1"/></capabilities></service></services>
 </category><category name="note"/></categories>"#;
const LIST: &str = r#"<list xmlns="urn:ietf:params:xml:ns:rlmi" uri="sip:me@d.com" version="0" fullState="false">
 <resource uri="sip:a@d.com"><instance id="0" state="active" cid="a@d.com"/></resource><resource uri="sip:b@d.com">
 <instance id="0" state="terminated" statusCode="413" msDiagCode="2012"/></resource></list>"#;
const MULTIPART: &str = "--b\r\nContent-ID: <x>\r\nContent-Type: multipart/mixed;\r\n boundary=\"c\"\r\n\r\n--c\r\n\r\n1\r\n\
 --c--\r\n--b\r\nContent-Transfer-Encoding: binary\r\n\r\n2\r\n--b--";
const TYPE: &str = "multipart/related;boundary=b";

/// Feeds the bytes to every reader.
fn read_all(bytes: &[u8]) {
    let limits = DocumentLimits::default();
    let _ = read_categories(bytes, &limits);
    let _ = read_category_value(bytes, &limits);
    let _ = read_rlmi(bytes, &DocumentLimits::list());
    let _ = read_registration_event(bytes);
    let whole = Bytes::copy_from_slice(bytes);
    let _ = split_multipart(TYPE, &whole, &limits);
    let _ = split_multipart(&String::from_utf8_lossy(bytes), &whole, &limits);
}

/// A document and what happens to it: bytes replaced, cut out and copied elsewhere.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let texts = prop::sample::select(vec![CATEGORIES, LIST, MULTIPART]);
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8, 1..40_usize), 1..8);
    (texts, changes).prop_map(|(text, changes)| {
        let mut bytes = text.as_bytes().to_vec();
        for (place, byte, how, length) in changes {
            let at = place.index(bytes.len().max(1)).min(bytes.len());
            let end = (at + length).min(bytes.len());
            match how {
                0 if at < bytes.len() => bytes[at] = byte,
                1 => drop(bytes.drain(at..end)),
                _ => {
                    let copy = bytes[at..end].to_vec();
                    let to = (at * usize::from(byte)) % (bytes.len() + 1);
                    bytes.splice(to..to, copy);
                }
            }
        }
        bytes
    })
}

fn state() -> impl Strategy<Value = Category> {
    let kinds = prop::sample::select(vec![
        StateKind::Aggregate,
        StateKind::User,
        StateKind::Machine,
        StateKind::Phone,
        StateKind::Other,
    ]);
    (0..4_u64, kinds, prop::option::of(-1..20_000), any::<bool>()).prop_map(|(instance, kind, number, removed)| {
        let state = StateCategory { kind, availability: number.map(Availability::new), ..StateCategory::default() };
        let value = (!removed).then_some(CategoryValue::State(state));
        Category { name: CategoryName::State, instance: Some(instance), value }
    })
}

fn services() -> impl Strategy<Value = Category> {
    let modality = || prop::sample::select(vec![Modality::Unknown, Modality::Enabled, Modality::Disabled]);
    (0..4_u64, modality(), modality(), modality(), any::<bool>()).prop_map(|(instance, audio, video, text, removed)| {
        let value = CategoryValue::Services(ServicesCategory { modalities: Modalities { audio, video, text } });
        Category { name: CategoryName::Services, instance: Some(instance), value: (!removed).then_some(value) }
    })
}

/// A category that is not read, or that holds what its name does not promise.
fn unrelated() -> impl Strategy<Value = Category> {
    let names = vec![CategoryName::Other("note".into()), CategoryName::Other("contactCard".into())];
    let other = (prop::sample::select(names), prop::option::of(Just(CategoryValue::Other)));
    let odd =
        (prop::sample::select(vec![CategoryName::State, CategoryName::Services]), Just(Some(CategoryValue::Other)));
    (0..4_u64, prop_oneof![other, odd]).prop_map(|(instance, (name, value))| Category {
        name,
        instance: Some(instance),
        value,
    })
}

fn held(categories: &[Category]) -> AgentCategories {
    let mut agent = AgentCategories::default();
    agent.apply(categories);
    agent
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_all(&bytes);
    }

    #[test]
    fn no_damaged_document_panics(bytes in mutated()) {
        read_all(&bytes);
    }

    #[test]
    fn unrelated_categories_change_nothing(
        updates in prop::collection::vec(prop_oneof![state(), services()], 0..12),
        noise in prop::collection::vec((any::<prop::sample::Index>(), unrelated()), 0..12),
    ) {
        let mut noisy = updates.clone();
        for (place, category) in noise {
            noisy.insert(place.index(noisy.len() + 1), category);
        }
        prop_assert_eq!(held(&noisy), held(&updates));
    }

    #[test]
    fn states_and_services_do_not_know_of_each_other(
        updates in prop::collection::vec(prop_oneof![state(), services()], 0..16),
    ) {
        let (states, services): (Vec<_>, Vec<_>) = updates.iter().cloned().partition(|c| c.name == CategoryName::State);
        let all = held(&updates).status(SourceNetwork::SameEnterprise);
        let mut expected = held(&states).status(SourceNetwork::SameEnterprise);
        expected.modalities = held(&services).status(SourceNetwork::SameEnterprise).modalities;
        prop_assert_eq!(all, expected);
    }

    #[test]
    fn one_document_with_all_is_as_many_with_one(
        updates in prop::collection::vec(prop_oneof![state(), services(), unrelated()], 0..16),
    ) {
        let mut agent = AgentCategories::default();
        for update in &updates {
            agent.apply(std::slice::from_ref(update));
        }
        prop_assert_eq!(agent, held(&updates));
    }
}

#[test]
fn what_is_held_of_an_agent_has_a_bound() {
    let state = |instance: u64| Category {
        name: CategoryName::State,
        instance: Some(instance),
        value: Some(CategoryValue::State(StateCategory {
            kind: StateKind::Machine,
            availability: Some(Availability::new(20_000 - i32::try_from(instance).unwrap())),
            ..StateCategory::default()
        })),
    };
    let all: Vec<Category> = (0..10_000).map(state).collect();
    assert_eq!(held(&all), held(&all[10_000 - 32..]), "the newest 32 instances are held");
}

fn refused(text: &str) -> DocumentError {
    read_categories(text.as_bytes(), &DocumentLimits::list()).unwrap_err()
}

/// Each takes milliseconds or, if it does not, minutes.
#[test]
fn bombs_are_refused_at_once() {
    const ROOT: &str = "<categories xmlns=\"http://schemas.microsoft.com/2006/09/sip/categories\"";
    let laughs = format!("<!DOCTYPE x [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]>{ROOT}>&b;</categories>");
    assert_eq!(refused(&laughs), DocumentError::Doctype);
    assert_eq!(refused(&format!("{ROOT} uri=\"&b;\"/>")), DocumentError::Entity);
    assert_eq!(refused(&format!("{ROOT}>&b;</categories>")), DocumentError::Entity);
    assert_eq!(refused(&format!("{ROOT}>{}", "<a>".repeat(100_000))), DocumentError::Depth);
    assert_eq!(refused(&format!("{ROOT}>{}", "<a/>".repeat(1_000_000))), DocumentError::Elements);
    assert_eq!(refused(&format!("{ROOT}{}/>", " a=\"\"".repeat(100_000))), DocumentError::Attributes);
    assert_eq!(refused(&"x".repeat(4 * 1024 * 1024 + 1)), DocumentError::TooLong(4 * 1024 * 1024 + 1));
    let declared: String = (0..200_000).map(|number| format!(" xmlns:n{number}=\"u\"")).collect();
    let declared = refused(&format!("{ROOT}{declared}/>"));
    assert!(matches!(declared, DocumentError::Malformed(_) | DocumentError::Attributes), "{declared:?}");
    let open = format!("{ROOT} uri=\"{}", "x".repeat(4_000_000));
    assert!(matches!(refused(&open), DocumentError::Malformed(_)));
}

/// Many declarations in scope make every lookup of a prefix long; the caps together keep that in bounds.
#[test]
fn prefixes_declared_at_every_depth_cost_a_moment() {
    let declarations: String = (0..30).map(|number| format!(" xmlns:n{number}=\"u\"")).collect();
    let deep = format!("<a{declarations}>").repeat(14);
    let text = format!(
        "<list xmlns=\"urn:ietf:params:xml:ns:rlmi\">{deep}{}{}</list>",
        "<zz:a/>".repeat(150_000),
        "</a>".repeat(14)
    );
    let _ = read_rlmi(text.as_bytes(), &DocumentLimits::list());
}

#[test]
fn a_huge_value_is_not_kept() {
    let huge = "x".repeat(2000);
    let text = CATEGORIES
        .replace("sip:a@d.com", &huge)
        .replace("on-the-phone", &huge)
        .replace("office", &huge)
        .replace("in &amp;", &huge)
        .replace("\"note\"", &format!("\"{huge}\""));
    let document = read_categories(text.as_bytes(), &DocumentLimits::default()).unwrap();
    assert_eq!(document.uri, None);
    let Some(CategoryValue::State(state)) = &document.categories[0].value else { panic!() };
    assert_eq!((state.token(), &state.location, state.availability), (None, &None, Some(Availability::BUSY)));
    assert_eq!(state.activity.as_ref().unwrap().custom, [(1033, "".into())]);
    assert_eq!(document.categories[2].name, CategoryName::Other("".into()));
}
