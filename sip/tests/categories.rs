//! Presence categories: what they mean, and how the notifications of one agent add up.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use presence_core::{Availability, AvailabilityName, DeviceType, Modalities, Modality, SourceNetwork, Status};
use presence_sip::DocumentLimits;
use presence_sip::documents::{
    AgentCategories, CategoriesDocument, CategoryName, CategoryValue, StateCategory, StateKind, read_categories,
    read_categories_uri,
};

fn document(inside: &str) -> String {
    format!(
        r#"<categories xmlns="http://schemas.microsoft.com/2006/09/sip/categories" uri="sip:user1@domain.com"
           xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:f="urn:example:foreign">{inside}</categories>"#
    )
}

fn read(inside: &str) -> CategoriesDocument {
    read_categories(document(inside).as_bytes(), &DocumentLimits::default()).expect(inside)
}

/// A `state` category of this type.
fn typed(instance: u64, kind: &str, inside: &str) -> String {
    format!(
        r#"<category name="state" instance="{instance}"><state xsi:type="{kind}" lastActive="2026-11-22T09:00:00"
           xmlns="http://schemas.microsoft.com/2006/09/sip/state">{inside}</state></category>"#
    )
}

fn aggregate(inside: &str) -> String {
    typed(1, "aggregateState", inside)
}

fn availability(number: i32) -> String {
    format!("<availability>{number}</availability>")
}

fn services(instance: u64, capabilities: &str) -> String {
    format!(
        r#"<category name="services" instance="{instance}">
           <services xmlns="http://schemas.microsoft.com/2006/09/sip/service"><service uri="sip:user1@domain.com">
           <capabilities>{capabilities}</capabilities></service></services></category>"#
    )
}

fn merged(documents: &[&str]) -> AgentCategories {
    let mut agent = AgentCategories::default();
    for document in documents {
        agent.apply(&read(document).categories);
    }
    agent
}

fn status(documents: &[&str]) -> Status {
    merged(documents).status(SourceNetwork::SameEnterprise)
}

fn only_state(inside: &str) -> StateCategory {
    match read(inside).categories.remove(0).value {
        Some(CategoryValue::State(state)) => state,
        other => panic!("{inside}: {other:?}"),
    }
}

const BUSY: &str = "<availability>6500</availability>";

#[test]
fn availability_is_kept_as_a_number_and_named_by_its_floor() {
    for (number, name) in [
        (0, AvailabilityName::None),
        (2999, AvailabilityName::None),
        (3500, AvailabilityName::Online),
        (6900, AvailabilityName::Busy),
        (15500, AvailabilityName::Away),
        (18000, AvailabilityName::Offline),
    ] {
        let found = status(&[&aggregate(&availability(number))]).availability;
        assert_eq!((found.value(), found.name()), (number, name));
    }
}

#[test]
fn an_availability_that_is_no_number_of_the_scale_is_unknown() {
    for text in ["", "available", "-1", "-3500", "99999999999", "3500.5", "35 00", &"1".repeat(2000)] {
        let state = only_state(&aggregate(&format!("<availability>{text}</availability>")));
        assert_eq!(state.availability, Some(Availability::UNKNOWN), "{text}");
    }
    assert_eq!(only_state(&aggregate("")).availability, None);
    assert_eq!(status(&[&aggregate("")]).availability, Availability::UNKNOWN);
    assert_eq!(only_state(&aggregate("<availability> 3500\n</availability>")).availability, Some(Availability::ONLINE));
}

#[test]
fn every_type_of_state_is_known_and_another_is_other() {
    for (word, kind) in [
        ("aggregateState", StateKind::Aggregate),
        ("aggregateMachineState", StateKind::AggregateMachine),
        ("userState", StateKind::User),
        ("machineState", StateKind::Machine),
        ("phoneState", StateKind::Phone),
        ("s:calendarState", StateKind::Calendar),
        ("martianState", StateKind::Other),
    ] {
        assert_eq!(only_state(&typed(1, word, BUSY)).kind, kind, "{word}");
    }
    let untyped = typed(1, "userState", BUSY).replace("xsi:type", "type");
    assert_eq!(only_state(&untyped).kind, StateKind::Other, "a type without its namespace is none");
    let foreign = typed(1, "userState", BUSY).replace("xsi:type", "f:type");
    assert_eq!(only_state(&foreign).kind, StateKind::Other);
}

#[test]
fn a_token_applies_only_between_its_availabilities() {
    for (attributes, number, expected) in [
        ("", 6500, true),
        (r#"minAvailability="6500" maxAvailability="8999""#, 6500, true),
        (r#"minAvailability="6500" maxAvailability="8999""#, 8999, true),
        (r#"minAvailability="6500" maxAvailability="8999""#, 6499, false),
        (r#"minAvailability="6500" maxAvailability="8999""#, 9000, false),
        (r#"minAvailability="12000""#, 15500, true),
        (r#"minAvailability="12000""#, 9500, false),
        (r#"maxAvailability="8999""#, 3500, true),
        (r#"maxAvailability="8999""#, 9500, false),
        (r#"minAvailability="soon""#, 3500, true),
    ] {
        let inside = format!(r#"{}<activity token="in-a-meeting" {attributes}/>"#, availability(number));
        let expected = expected.then_some("in-a-meeting");
        assert_eq!(status(&[&aggregate(&inside)]).activity.as_deref(), expected, "{attributes} at {number}");
    }
    let unknown = r#"<activity token="out-of-office" minAvailability="12000"/>"#;
    assert_eq!(status(&[&aggregate(unknown)]).activity, None);
}

#[test]
fn a_custom_text_is_kept_and_is_no_token() {
    let custom = r#"<availability>15500</availability><activity><custom LCID="1033">Away at an off-site</custom>
                    <custom LCID="1043">Op pad &amp; weg</custom></activity>"#;
    let activity = only_state(&aggregate(custom)).activity.unwrap();
    assert_eq!(&*activity.token, "");
    assert_eq!(activity.custom, [(1033, "Away at an off-site".into()), (1043, "Op pad & weg".into())]);
    assert_eq!(status(&[&aggregate(custom)]).activity, None);
    let both = custom.replace("<activity>", r#"<activity token="off-work">"#);
    assert_eq!(status(&[&aggregate(&both)]).activity.as_deref(), Some("off-work"));
}

#[test]
fn an_empty_token_is_none_and_any_other_passes() {
    assert_eq!(status(&[&aggregate(&format!(r#"{BUSY}<activity token=""/>"#))]).activity, None);
    let strange = status(&[&aggregate(&format!(r#"{BUSY}<activity token="juggling"/>"#))]);
    assert_eq!(strange.activity.as_deref(), Some("juggling"));
}

#[test]
fn devices_are_an_open_set() {
    for (text, device) in [
        ("computer", DeviceType::Computer),
        ("deskphone", DeviceType::DeskPhone),
        ("mobile", DeviceType::Mobile),
        ("Web", DeviceType::Web),
        ("hologram", DeviceType::Custom),
        ("", DeviceType::Undefined),
    ] {
        let found = status(&[&aggregate(&format!("{BUSY}<device>{text}</device>"))]);
        assert_eq!(found.device, device, "{text}");
    }
    assert_eq!(status(&[&aggregate(BUSY)]).device, DeviceType::Undefined);
}

#[test]
fn the_location_is_a_free_text_and_none_is_none() {
    let location =
        |text: &str| status(&[&aggregate(&format!("{BUSY}<endpointLocation>{text}</endpointLocation>"))]).location;
    assert_eq!(location("office").as_deref(), Some("office"));
    assert_eq!(location(" 31/East <![CDATA[& West]]> ").as_deref(), Some("31/East & West"));
    assert_eq!((location("none"), location(""), location(&"x".repeat(2000))), (None, None, None));
}

#[test]
fn last_active_stays_as_written() {
    let state = only_state(&aggregate(&availability(18500)));
    assert_eq!(state.last_active.as_deref(), Some("2026-11-22T09:00:00"));
}

#[test]
fn extensions_and_strangers_are_passed_over() {
    let inside = r#"<f:availability>9500</f:availability><availability>3500</availability>
        <delimiter xmlns="http://schemas.microsoft.com/2006/09/sip/commontypes"/>
        <timeZoneBias>420</timeZoneBias><meetingSubject>secret</meetingSubject><device>computer</device>
        <end xmlns="http://schemas.microsoft.com/2006/09/sip/commontypes"/>
        <x:extension xmlns:x="http://schemas.microsoft.com/2006/09/sip/commontypes"><device>mobile</device>
          <availability>18500</availability><activity token="hidden"/></x:extension>
        <f:activity token="foreign"/><availability xmlns="urn:example:foreign">12500</availability>"#;
    let found = status(&[&aggregate(inside)]);
    assert_eq!((found.availability, found.device, found.activity), (Availability::ONLINE, DeviceType::Computer, None));
}

#[test]
fn a_value_of_a_foreign_namespace_changes_nothing() {
    let before = aggregate(BUSY);
    for after in [
        r#"<category name="state" instance="1"><f:state><f:availability>3500</f:availability></f:state></category>"#,
        r#"<category name="state" instance="1"><services xmlns="http://schemas.microsoft.com/2006/09/sip/service"/></category>"#,
        r#"<f:category name="state" instance="1"/>"#,
        r#"<category name="note" instance="1"><note xmlns="http://schemas.microsoft.com/2006/09/sip/note"/></category>"#,
    ] {
        assert_eq!(status(&[&before, after]), status(&[&before]), "{after}");
    }
    let note = read(r#"<category name="note" instance="4294967295"><f:note/></category>"#).categories.remove(0);
    assert_eq!((note.name, note.instance), (CategoryName::Other("note".into()), Some(4_294_967_295)));
    assert_eq!(note.value, Some(CategoryValue::Other));
}

#[test]
fn a_modality_is_enabled_by_render_or_capture_of_any_service() {
    use Modality::{Disabled, Enabled, Unknown};
    for (capabilities, audio, video, text) in [
        ("", Unknown, Unknown, Unknown),
        (
            r#"<voice render="true"/><video capture="1"/><text render="false" capture="false"/>"#,
            Enabled,
            Enabled,
            Disabled,
        ),
        (r#"<voice/><video render="no"/><text publish="true"/>"#, Disabled, Disabled, Disabled),
        (r#"<voice render="false"/><voice render="true"/><voice render="false"/>"#, Enabled, Unknown, Unknown),
        (r#"<voice f:render="true"/><f:video render="true"/>"#, Disabled, Unknown, Unknown),
        (r#"<gifInk render="true"/><Voice render="true"/><breakthrough render="true"/>"#, Unknown, Unknown, Unknown),
    ] {
        assert_eq!(
            status(&[&services(0, capabilities)]).modalities,
            Modalities { audio, video, text },
            "{capabilities}"
        );
    }
    let (one, other) =
        (services(0, r#"<voice/><text render="true"/>"#), services(1, r#"<voice render="true"/><text/>"#));
    let sum = Modalities { audio: Enabled, video: Unknown, text: Enabled };
    assert_eq!(status(&[&one, &other]).modalities, sum);
    assert_eq!(status(&[&other, &one]).modalities, sum);
}

#[test]
fn a_services_update_never_erases_the_state_nor_a_state_the_services() {
    let (state, capable) = (aggregate(BUSY), services(0, r#"<voice render="true"/>"#));
    let both = status(&[&state, &capable]);
    assert_eq!((both.availability, both.modalities.audio), (Availability::BUSY, Modality::Enabled));
    assert_eq!(status(&[&capable, &state]), both);
    assert_eq!(status(&[&state, &capable, &aggregate(BUSY)]), both);
    let less = status(&[&state, &capable, &services(0, "<voice/>")]);
    assert_eq!((less.availability, less.modalities.audio), (Availability::BUSY, Modality::Disabled));
}

#[test]
fn a_removed_category_takes_only_its_own_instance() {
    let (state, capable) = (aggregate(BUSY), services(7, r#"<voice render="true"/>"#));
    let gone = status(&[&state, &capable, r#"<category name="state" instance="1"/>"#]);
    assert_eq!((gone.availability, gone.modalities.audio), (Availability::UNKNOWN, Modality::Enabled));
    let other = status(&[&state, &capable, "<category name=\"state\" instance=\"2\">\n </category>"]);
    assert_eq!(other.availability, Availability::BUSY);
    let all = merged(&[&state, &capable, r#"<category name="state"/><category name="services"/>"#]);
    assert!(all.is_empty());
    assert_eq!(all.status(SourceNetwork::Federated).network, SourceNetwork::Federated);
    assert_eq!(all.status(SourceNetwork::None), Status::unknown());
    let third = typed(3, "aggregateState", &availability(3500));
    let back = merged(&[&state, &third, r#"<category name="state" instance="3"/>"#]);
    assert_eq!(back, merged(&[&state]), "one instance that is left is as one that was always alone");
}

#[test]
fn the_aggregate_state_wins_over_all_others() {
    let sum = aggregate(&availability(3500));
    let hand = typed(2, "userState", &availability(9500));
    let call = typed(3, "phoneState", BUSY);
    for order in [[&sum, &hand, &call], [&hand, &call, &sum], [&call, &sum, &hand]] {
        assert_eq!(status(&order.map(String::as_str)).availability, Availability::ONLINE);
    }
    let newer = typed(9, "aggregateState", BUSY);
    assert_eq!(status(&[&sum, &newer]).availability, Availability::BUSY, "of two aggregates the newest counts");
    assert_eq!(status(&[&newer, &sum]).availability, Availability::ONLINE);
}

#[test]
fn without_an_aggregate_the_hand_counts_then_the_least_available() {
    let state = |instance, kind, number| typed(instance, kind, &availability(number));
    let hand = state(1, "userState", 12500);
    let call = state(2, "phoneState", 6500);
    let calendar = state(3, "calendarState", 3500);
    let desk = state(4, "machineState", 15500);
    let laptop = state(5, "machineState", 3500);
    let strange = state(6, "martianState", 9500);
    let number = |documents: &[&str]| status(documents).availability.value();
    assert_eq!(number(&[&call, &hand, &desk, &laptop, &strange]), 12500);
    assert_eq!(number(&[&call, &calendar, &laptop]), 6500);
    assert_eq!(number(&[&calendar, &desk]), 15500);
    assert_eq!(number(&[&laptop, &desk]), 3500, "one machine in use is enough");
    assert_eq!(number(&[&desk, &laptop, &call]), 6500);
    assert_eq!(number(&[&strange]), 9500);
    assert_eq!(number(&[&strange, &laptop]), 3500);
    let reset = typed(1, "userState", "");
    assert_eq!(number(&[&reset, &call]), 6500, "a state without an availability is none");
}

#[test]
fn instances_are_numbers_with_a_sign_or_without_and_else_none() {
    for (text, instance) in
        [("0", Some(0)), ("4294967295", Some(4_294_967_295)), ("-1", Some(u64::MAX)), ("x", None), ("", None)]
    {
        let found = read(&format!(r#"<category name="state" instance="{text}"/>"#));
        assert_eq!(found.categories[0].instance, instance, "{text}");
    }
}

#[test]
fn a_document_may_begin_with_a_mark_and_a_declaration() {
    let plain = document(&aggregate(BUSY));
    for text in [
        format!("\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n{plain}\r\n"),
        format!("\r\n\t {plain}"),
        format!("<!-- a remark -->{plain}<!-- another -->"),
    ] {
        let found = read_categories(text.as_bytes(), &DocumentLimits::default()).unwrap();
        assert_eq!(found, read(&aggregate(BUSY)));
        assert_eq!(found.uri.as_deref(), Some("sip:user1@domain.com"));
    }
}

#[test]
fn what_is_held_of_an_agent_is_small() {
    let size = size_of::<AgentCategories>();
    assert!(size <= 80, "{size} bytes, and 16 and the length of each text");
}

#[test]
fn whose_a_document_is_can_be_told_although_the_rest_of_it_is_damaged() {
    let limits = DocumentLimits::default();
    let head = "<?xml version='1.0'?>\n<categories xmlns=\"http://schemas.microsoft.com/2006/09/sip/categories\" uri=\"sip:a@x\">";
    for rest in ["", "<category", "<category name=\"state\"><state>&bomb;", "</categories>"] {
        let uri = read_categories_uri(format!("{head}{rest}").as_bytes(), &limits);
        assert_eq!(uri.as_deref(), Some("sip:a@x"), "{rest}");
    }
    for lost in ["<categories uri=\"sip:a@x\">", "<categor", "", "<!DOCTYPE a><categories/>"] {
        assert_eq!(read_categories_uri(lost.as_bytes(), &limits), None, "{lost}");
    }
}
