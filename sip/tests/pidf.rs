//! Presence documents: the table of the design (facts D.3), and documents that are not what they should be.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test may panic")]

use presence_core::{Availability, DeviceType, Modality, SourceNetwork, Status};
use presence_sip::{DocumentError, DocumentLimits, read_pidf};
use proptest::prelude::*;

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"
 xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" xmlns:caps="urn:ietf:params:xml:ns:pidf:caps"
 xmlns:lt="urn:ietf:params:xml:ns:location-type" xmlns:ce="urn:cisco:params:xml:ns:pidf:rpid"
 xmlns:x="urn:example:foreign" entity="pres:user1@domain.com">"#;
const OPEN: &str = r#"<tuple id="t1"><status><basic>open</basic></status></tuple>"#;

fn document(parts: &str) -> String {
    format!("{HEAD}{parts}</presence>")
}

fn read(parts: &str) -> Status {
    read_pidf(document(parts).as_bytes(), &DocumentLimits::default()).expect(parts)
}

fn refused(text: &str) -> DocumentError {
    read_pidf(text.as_bytes(), &DocumentLimits::default()).expect_err(text)
}

fn person(inside: &str) -> String {
    format!(r#"{OPEN}<dm:person id="p1">{inside}</dm:person>"#)
}

fn doing(activity: &str) -> String {
    person(&format!("<rpid:activities>{activity}</rpid:activities>"))
}

const IDLE: &str = "<rpid:user-input>idle</rpid:user-input>";

#[test]
fn every_activity_has_its_place_on_the_scale() {
    let table: [(&str, Availability, Option<&str>); 26] = [
        ("<rpid:busy/>", Availability::BUSY, None),
        ("<rpid:on-the-phone/>", Availability::BUSY, Some("on-the-phone")),
        ("<rpid:meeting/>", Availability::BUSY, Some("in-a-meeting")),
        ("<rpid:appointment/>", Availability::BUSY, Some("in-a-meeting")),
        ("<rpid:presentation/>", Availability::BUSY, Some("in-presentation")),
        ("<rpid:performance/>", Availability::BUSY, Some("performance")),
        ("<rpid:other>Do Not Disturb</rpid:other>", Availability::DO_NOT_DISTURB, None),
        ("<rpid:note>dnd</rpid:note><rpid:busy/>", Availability::DO_NOT_DISTURB, None),
        ("<ce:dnd/>", Availability::DO_NOT_DISTURB, None),
        ("<rpid:meal/>", Availability::BE_RIGHT_BACK, Some("meal")),
        ("<rpid:breakfast/>", Availability::BE_RIGHT_BACK, Some("breakfast")),
        ("<rpid:lunch/>", Availability::BE_RIGHT_BACK, Some("out-to-lunch")),
        ("<rpid:dinner/>", Availability::BE_RIGHT_BACK, Some("dinner")),
        ("<rpid:away/>", Availability::AWAY, None),
        ("<rpid:vacation/>", Availability::AWAY, Some("out-of-office")),
        ("<rpid:holiday/>", Availability::AWAY, Some("out-of-office")),
        ("<rpid:sleeping/>", Availability::AWAY, Some("sleeping")),
        ("<rpid:permanent-absence/>", Availability::AWAY, Some("permanent-absence")),
        ("<rpid:travel/>", Availability::AWAY, Some("travel")),
        ("<rpid:in-transit/>", Availability::AWAY, Some("in-transit")),
        ("<rpid:steering/>", Availability::AWAY, Some("steering")),
        ("<rpid:shopping/>", Availability::AWAY, Some("shopping")),
        ("<rpid:working/>", Availability::ONLINE, Some("working")),
        ("<rpid:unknown/>", Availability::ONLINE, None),
        ("<rpid:other>gardening</rpid:other>", Availability::ONLINE, None),
        ("", Availability::ONLINE, None),
    ];
    for (activity, availability, token) in table {
        let status = read(&doing(activity));
        assert_eq!((status.availability, status.activity.as_deref()), (availability, token), "{activity}");
        assert_eq!(status.network, SourceNetwork::SameEnterprise, "{activity}");
    }
}

#[test]
fn no_open_tuple_is_offline_whatever_the_person_does() {
    let closed = r#"<tuple id="t1"><status><basic>closed</basic></status></tuple>"#;
    for parts in [
        String::new(),
        closed.to_owned(),
        closed.repeat(3),
        format!("{closed}<dm:person id='p'><rpid:activities><rpid:busy/></rpid:activities></dm:person>"),
    ] {
        assert_eq!(read(&parts).availability, Availability::OFFLINE, "{parts}");
    }
    assert_eq!(read(&format!("{closed}{OPEN}{closed}")).availability, Availability::ONLINE);
    assert_eq!(read("<tuple id='t'><status/></tuple>").availability, Availability::ONLINE);
}

#[test]
fn idle_makes_online_and_busy_idle_and_nothing_else() {
    let table = [
        (String::new(), Availability::IDLE_ONLINE),
        ("<rpid:activities><rpid:busy/></rpid:activities>".to_owned(), Availability::IDLE_BUSY),
        ("<rpid:activities><rpid:away/></rpid:activities>".to_owned(), Availability::AWAY),
        ("<rpid:activities><rpid:lunch/></rpid:activities>".to_owned(), Availability::BE_RIGHT_BACK),
        ("<rpid:activities><ce:dnd/></rpid:activities>".to_owned(), Availability::DO_NOT_DISTURB),
    ];
    for (activities, availability) in table {
        assert_eq!(read(&person(&format!("{activities}{IDLE}"))).availability, availability, "{activities}");
    }
    let idle_device = format!("<dm:device id='d'>{IDLE}</dm:device>");
    let used_device = "<dm:device id='e'><rpid:user-input>active</rpid:user-input></dm:device>";
    assert_eq!(read(&format!("{OPEN}{idle_device}")).availability, Availability::IDLE_ONLINE);
    assert_eq!(read(&format!("{OPEN}{idle_device}{used_device}")).availability, Availability::ONLINE);
    let person_says = format!("{idle_device}{}", person("<rpid:user-input>active</rpid:user-input>"));
    assert_eq!(read(&person_says).availability, Availability::ONLINE);
}

#[test]
fn the_weightiest_activity_wins_and_a_person_beats_the_tuples() {
    let order = ["<ce:dnd/>", "<rpid:busy/>", "<rpid:lunch/>", "<rpid:away/>", "<rpid:working/>"];
    let expected = [
        Availability::DO_NOT_DISTURB,
        Availability::BUSY,
        Availability::BE_RIGHT_BACK,
        Availability::AWAY,
        Availability::ONLINE,
    ];
    for (first, one) in order.iter().enumerate() {
        for (second, other) in order.iter().enumerate() {
            let status = read(&doing(&format!("{one}{other}")));
            assert_eq!(status.availability, expected[first.min(second)], "{one}{other}");
        }
    }
    let busy_tuple =
        "<tuple id='b'><status><basic>open</basic></status><rpid:activities><rpid:busy/></rpid:activities></tuple>";
    assert_eq!(read(busy_tuple).availability, Availability::BUSY);
    assert_eq!(read(&format!("{busy_tuple}{}", doing("<rpid:away/>"))).availability, Availability::AWAY);
    let closed_busy = busy_tuple.replace("open", "closed");
    assert_eq!(read(&format!("{closed_busy}{OPEN}")).availability, Availability::ONLINE);
}

#[test]
fn of_equal_activities_the_newest_wins() {
    let part = |activity: &str, stamp: &str| {
        format!(
            "<dm:person id='{activity}'><rpid:activities><rpid:{activity}/></rpid:activities>\
             <dm:timestamp>{stamp}</dm:timestamp></dm:person>"
        )
    };
    let (old, new) = (part("meeting", "2026-11-22T10:00:00Z"), part("on-the-phone", "2026-11-22T11:30:00+01:00"));
    for parts in [format!("{OPEN}{old}{new}"), format!("{OPEN}{new}{old}")] {
        assert_eq!(read(&parts).activity.as_deref(), Some("on-the-phone"), "{parts}");
    }
    let undated = part("presentation", "yesterday");
    assert_eq!(read(&format!("{OPEN}{undated}{old}")).activity.as_deref(), Some("in-a-meeting"));
    assert_eq!(
        read(&format!("{OPEN}{undated}{}", part("performance", ""))).activity.as_deref(),
        Some("in-presentation")
    );
}

#[test]
fn capabilities_become_modalities_and_unknown_is_not_disabled() {
    let caps = |inside: &str| {
        format!("<tuple id='c'><status><basic>open</basic></status><caps:servcaps>{inside}</caps:servcaps></tuple>")
    };
    let all = read(&caps("<caps:audio>true</caps:audio><caps:video>false</caps:video>"));
    let modalities = all.modalities;
    assert_eq!(
        (modalities.audio, modalities.video, modalities.text),
        (Modality::Enabled, Modality::Disabled, Modality::Unknown)
    );
    let two = format!("{}{}", caps("<caps:message>false</caps:message>"), caps("<caps:message>1</caps:message>"));
    assert_eq!(read(&two).modalities.text, Modality::Enabled);
    let closed = caps("<caps:audio>true</caps:audio>").replace("open", "closed");
    assert_eq!(read(&format!("{closed}{OPEN}")).modalities.audio, Modality::Unknown);
}

#[test]
fn the_place_and_the_device_are_found() {
    let place = |inside: &str| read(&person(&format!("<rpid:place-type>{inside}</rpid:place-type>"))).location;
    assert_eq!(place("<lt:office/>").as_deref(), Some("office"));
    assert_eq!(place("<rpid:other>tent &amp; field</rpid:other>").as_deref(), Some("tent & field"));
    assert_eq!(place("<x:moon/>"), None);
    let device = |inside: &str| read(&format!("{OPEN}<dm:device id='d'>{inside}</dm:device>")).device;
    let mobility = |kind: &str| {
        format!(
            "<caps:devcaps><caps:mobility><caps:supported><caps:{kind}/></caps:supported>\
             <caps:notsupported><caps:fixed/></caps:notsupported></caps:mobility></caps:devcaps>"
        )
    };
    assert_eq!(device("<rpid:class>Computer</rpid:class>"), DeviceType::Computer);
    assert_eq!(device("<rpid:class>web</rpid:class>"), DeviceType::Web);
    assert_eq!(device("<rpid:class>biz</rpid:class>"), DeviceType::Undefined);
    assert_eq!(device(&mobility("mobile")), DeviceType::Mobile);
    assert_eq!(device(&mobility("fixed")), DeviceType::DeskPhone);
    assert_eq!(device(&format!("<rpid:class>pc</rpid:class>{}", mobility("mobile"))), DeviceType::Computer);
}

#[test]
fn elements_of_other_namespaces_mean_nothing() {
    let parts = format!(
        "{OPEN}<x:person><rpid:activities><rpid:busy/></rpid:activities></x:person>\
         <dm:person id='p'><x:activities><rpid:busy/></x:activities><rpid:activities><x:busy/></rpid:activities>\
         <rpid:mood><rpid:busy/></rpid:mood></dm:person><x:tuple><status><basic>closed</basic></status></x:tuple>"
    );
    let status = read(&parts);
    assert_eq!((status.availability, status.activity), (Availability::ONLINE, None));
    let plain = r#"<p:presence xmlns:p="urn:ietf:params:xml:ns:pidf"><p:tuple id="t"><p:status><p:basic>open</p:basic>
        </p:status></p:tuple></p:presence>"#;
    let status = read_pidf(plain.as_bytes(), &DocumentLimits::default()).unwrap();
    assert_eq!(status.availability, Availability::ONLINE);
}

#[test]
fn entities_are_decoded_and_texts_in_pieces_are_joined() {
    for (text, availability) in [
        ("d&#110;<![CDATA[d]]>", Availability::DO_NOT_DISTURB),
        ("do<!-- not -->not disturb", Availability::DO_NOT_DISTURB),
        ("d&amp;nd", Availability::DO_NOT_DISTURB),
        ("d&#x6E;dd", Availability::ONLINE),
    ] {
        assert_eq!(read(&person(&format!("<dm:note>{text}</dm:note>"))).availability, availability, "{text}");
    }
    assert_eq!(
        read("<tuple id='t'><status><basic>clo&#115;ed</basic></status></tuple>").availability,
        Availability::OFFLINE
    );
}

#[test]
fn documents_that_attack_are_refused() {
    let doctype = format!("<!DOCTYPE presence [<!ENTITY a \"b\">]>{}", document(OPEN).split_once("?>").unwrap().1);
    assert_eq!(refused(&doctype), DocumentError::Doctype);
    assert_eq!(refused(&document("<note>&a;</note>")), DocumentError::Entity);
    assert_eq!(refused(&document("<note>&#0;</note>")), DocumentError::Entity);
    assert_eq!(refused(&document(&format!("{}{}", "<note>".repeat(40), "</note>".repeat(40)))), DocumentError::Depth);
    assert_eq!(refused(&document(&"<x:y/>".repeat(20_001))), DocumentError::Elements);
    let attributes: String = (0..65).map(|number| format!(" a{number}=''")).collect();
    assert_eq!(refused(&document(&format!("<note{attributes}/>"))), DocumentError::Attributes);
    assert_eq!(refused(&document(&" ".repeat(300 * 1024))), DocumentError::TooLong(HEAD.len() + 300 * 1024 + 11));
    let many: String = (0..10_000).map(|number| format!(" xmlns:n{number}='urn:n'")).collect();
    assert!(matches!(refused(&document(&format!("<note{many}/>"))), DocumentError::Malformed(_)));
}

#[test]
fn documents_that_are_no_documents_are_refused() {
    assert!(matches!(refused(""), DocumentError::Malformed(_)));
    assert!(matches!(refused("hello"), DocumentError::Malformed(_)));
    assert!(matches!(refused(&document("<tuple>")), DocumentError::Malformed(_)));
    assert!(matches!(refused(HEAD), DocumentError::Malformed(_)));
    assert!(matches!(refused(&format!("{}<more/>", document(OPEN))), DocumentError::Malformed(_)));
    assert_eq!(refused("<presence/>"), DocumentError::NotPidf);
    assert_eq!(refused("<x xmlns='urn:ietf:params:xml:ns:pidf'/>"), DocumentError::NotPidf);
    let limits = DocumentLimits::default();
    assert_eq!(read_pidf(b"<presence>\xff</presence>", &limits), Err(DocumentError::Encoding));
    assert_eq!(read_pidf(b"\xfe\xff\0<\0p", &limits), Err(DocumentError::Encoding));
}

#[test]
fn a_byte_order_mark_and_a_long_note_do_no_harm() {
    let marked = format!("\u{feff}{}", document(OPEN));
    assert_eq!(read_pidf(marked.as_bytes(), &DocumentLimits::default()).unwrap().availability, Availability::ONLINE);
    let long =
        person(&format!("<dm:note>{}</dm:note><rpid:activities><rpid:away/></rpid:activities>", "é".repeat(9000)));
    assert_eq!(read(&long).availability, Availability::AWAY);
}

fn pieces() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "<tuple id='a'>",
        "</tuple>",
        "<status>",
        "</status>",
        "<basic>",
        "open",
        "closed",
        "</basic>",
        "<dm:person>",
        "</dm:person>",
        "<rpid:activities>",
        "</rpid:activities>",
        "<rpid:busy/>",
        "&amp;",
        "&x;",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?x?>",
        "é",
        "\"",
        "<rpid:place-type>",
        "</rpid:place-type>",
        "<lt:office/>",
        "</presence>",
        "<",
    ]);
    prop::collection::vec(words, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn no_document_can_panic(parts in pieces(), cut in 0_usize..2000, noise in prop::collection::vec(any::<u8>(), 0..20)) {
        let mut bytes = document(&parts).into_bytes();
        bytes.splice(cut.min(bytes.len()).., noise);
        let _ = read_pidf(&bytes, &DocumentLimits::default());
        let _ = read_pidf(document(&parts).as_bytes(), &DocumentLimits::default());
    }

    #[test]
    fn the_order_of_persons_does_not_change_the_availability(swap in any::<bool>(), first in 0_usize..5, second in 0_usize..5) {
        let kinds = ["<ce:dnd/>", "<rpid:busy/>", "<rpid:lunch/>", "<rpid:away/>", "<rpid:tv/>"];
        let part = |at: usize| format!("<dm:person><rpid:activities>{}</rpid:activities></dm:person>", kinds[at]);
        let (one, other) = if swap { (second, first) } else { (first, second) };
        let status = read(&format!("{OPEN}{}{}", part(one), part(other)));
        prop_assert_eq!(status.availability, read(&format!("{OPEN}{}", part(first.min(second)))).availability);
    }
}

/// Remarks and entities are no elements, and cost as much.
#[test]
fn a_document_of_marks_without_elements_is_refused() {
    for mark in ["&#1;", "<a>", "=="] {
        let text = format!("<presence xmlns=\"urn:ietf:params:xml:ns:pidf\">{}</presence>", mark.repeat(60_000));
        let limits = DocumentLimits { elements: 10_000, ..DocumentLimits::default() };
        assert_eq!(read_pidf(text.as_bytes(), &limits), Err(DocumentError::Elements), "{mark}");
    }
}
