//! The bodies around a batch: what asks for it, the list that answers, and what is said of the registration.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and a skipped one says why")]

use presence_core::AgentUri;
use presence_sip::documents::{
    BatchAction, BatchActionName, InstanceState, RegistrationEvent, ResourceList, read_registration_event, read_rlmi,
    write_batch_subscribe,
};
use presence_sip::{DocumentError, DocumentLimits};
use quick_xml::events::Event;
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::{NsReader, XmlVersion};

const EXAMPLE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors/ms-pres-2.2.2.4.1-subscribe-batch.sip");

fn uri(text: &str) -> AgentUri {
    AgentUri::parse(text).unwrap()
}

/// Depth, namespace, name, attributes.
type Element = (usize, String, String, Vec<(String, String)>);

/// Every element as its depth, namespace, name and attributes in order; texts must be blank.
fn elements(text: &str) -> Vec<Element> {
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let (mut depth, mut found) = (0, Vec::new());
    loop {
        match reader.read_resolved_event().unwrap() {
            (namespace, Event::Start(start)) => {
                let ResolveResult::Bound(Namespace(namespace)) = namespace else { panic!("no namespace") };
                let attributes = start.attributes().map(Result::unwrap).filter(|a| a.key.as_ref() != "xmlns");
                let attributes = attributes
                    .map(|a| (a.key.as_ref().to_owned(), a.normalized_value(XmlVersion::Implicit1_0).unwrap().into()));
                let name = start.local_name().as_ref().to_owned();
                found.push((depth, namespace.to_owned(), name, attributes.collect()));
                depth += 1;
            }
            (_, Event::End(_)) => depth -= 1,
            (_, Event::Text(text)) => assert!(text.trim().is_empty(), "{text:?}"),
            (_, Event::Eof) => return found,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_batch_agrees_with_the_published_one_element_by_element() {
    let Ok(example) = std::fs::read_to_string(EXAMPLE) else {
        println!("skipped: the published batch is not here");
        return;
    };
    let published = &example[example.find("<batchSub").unwrap()..];
    let mut context = None;
    let expected: Vec<_> = elements(published)
        .into_iter()
        // Without the subscription context, and of the categories only ours.
        .filter(|(depth, _, name, attributes)| {
            if name == "context" {
                context = Some(*depth);
            } else if context.is_some_and(|context| *depth <= context) {
                context = None;
            }
            let asked = attributes.first().is_none_or(|(_, value)| matches!(&**value, "state" | "services"));
            context.is_none() && (name != "category" || asked)
        })
        .collect();
    let resources = [uri("sip:alice@contoso.com"), uri("sip:john@contoso.com")];
    let action = BatchAction { name: BatchActionName::Subscribe, id: 63_792_024, resources: &resources };
    let ours = write_batch_subscribe(&uri("sip:bob@contoso.com"), &[action]);
    assert_eq!(elements(std::str::from_utf8(&ours).unwrap()), expected);
    assert_eq!(expected.len(), 8);
}

#[test]
fn a_batch_asks_for_services_and_state_and_sends_no_context() {
    let action = BatchAction { name: BatchActionName::Subscribe, id: 7, resources: &[uri("sip:a@d.com")] };
    let expected = "<batchSub xmlns=\"http://schemas.microsoft.com/2006/01/sip/batch-subscribe\" uri=\"sip:app@d.com\" \
        name=\"\"><action name=\"subscribe\" id=\"7\"><adhocList><resource uri=\"sip:a@d.com\"/></adhocList>\
        <categoryList xmlns=\"http://schemas.microsoft.com/2006/09/sip/categorylist\"><category name=\"services\"/>\
        <category name=\"state\"/></categoryList></action></batchSub>";
    let body = write_batch_subscribe(&uri("sip:app@d.com"), &[action]);
    assert_eq!(std::str::from_utf8(&body), Ok(expected));
}

#[test]
fn a_batch_adds_and_removes_in_one_body_and_leaves_out_empty_actions() {
    let (come, go) = ([uri("sip:a@d.com")], [uri("sip:b@d.com"), uri("tel:+31612345678")]);
    let body = write_batch_subscribe(
        &uri("sip:app@d.com"),
        &[
            BatchAction { name: BatchActionName::Subscribe, id: 1, resources: &come },
            BatchAction { name: BatchActionName::Subscribe, id: 2, resources: &[] },
            BatchAction { name: BatchActionName::Unsubscribe, id: u32::MAX, resources: &go },
        ],
    );
    let found: Vec<_> = elements(std::str::from_utf8(&body).unwrap())
        .into_iter()
        .filter(|(_, _, name, _)| matches!(&**name, "action" | "resource"))
        .map(|(_, _, _, attributes)| attributes.into_iter().map(|(_, value)| value).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(found, ["subscribe 1", "sip:a@d.com", "unsubscribe 4294967295", "sip:b@d.com", "tel:+31612345678"]);
}

#[test]
fn uris_are_escaped() {
    let own = uri("sip:o'neil&co@d.com");
    let body = write_batch_subscribe(
        &own,
        &[BatchAction { name: BatchActionName::Subscribe, id: 1, resources: std::slice::from_ref(&own) }],
    );
    let text = std::str::from_utf8(&body).unwrap();
    assert!(text.contains("o&apos;neil&amp;co@d.com\"/>"), "{text}");
    assert_eq!(elements(text)[3].3, [("uri".into(), "sip:o'neil&co@d.com".into())]);
}

#[test]
fn a_batch_of_500_is_about_25_kilobytes() {
    let agents: Vec<AgentUri> = (0..500).map(|number| uri(&format!("sip:user{number}@domain.com"))).collect();
    let action = BatchAction { name: BatchActionName::Subscribe, id: 1, resources: &agents };
    let length = write_batch_subscribe(&uri("sip:app@domain.com"), &[action]).len();
    assert!((15_000..30_000).contains(&length), "{length} bytes");
}

const LIST: &str = r#"<list xmlns="urn:ietf:params:xml:ns:rlmi" xmlns:f="urn:example:foreign" uri="sip:me@d.com"
    version="0" fullState="false" f:version="9" novelty="x">
  <name>mine</name>
  <resource uri="sip:a@d.com"><instance id="0" state="active" cid="a@d.com"/></resource>
  <resource uri="sip:b@d.com"><name>B</name><f:instance id="7" state="active"/>
    <instance id="0" state="terminated" reason="quotaExceeded" statusCode="413" msDiagCode="2012" extra="x"/></resource>
  <resource uri="sip:c@d.com"><instance id="0" state="resubscribe"
    poolFqdn="sip:pool2.d.com@d.com;gruu;opaque=srvr:HomeServer:x&amp;y"/></resource>
  <resource uri="sip:d@d.com"><instance id="0" state="resubscribe"/><instance id="1" state="pending"/></resource>
  <resource uri="sip:e@d.com"><instance id="0" state="poll" statusCode="many"/><instance/></resource>
  <resource uri="sip:f@d.com"/>
  <resource><instance id="0" state="active"/></resource>
  <f:resource uri="sip:x@d.com"><instance id="0" state="active"/></f:resource>
  <f:group><resource uri="sip:y@d.com"><instance id="0" state="active"/></resource></f:group>
</list>"#;

fn list(text: &str) -> Result<ResourceList, DocumentError> {
    read_rlmi(text.as_bytes(), &DocumentLimits::list())
}

#[test]
fn a_resource_list_says_how_each_agent_stands() {
    let list = list(LIST).unwrap();
    assert_eq!((&*list.uri, list.version, list.full_state), ("sip:me@d.com", 0, false));
    let uris: Vec<&str> = list.resources.iter().map(|resource| &*resource.uri).collect();
    assert_eq!(uris, ["sip:a@d.com", "sip:b@d.com", "sip:c@d.com", "sip:d@d.com", "sip:e@d.com", "sip:f@d.com"]);
    let at = |resource: usize, instance: usize| &list.resources[resource].instances[instance];
    assert_eq!((&at(0, 0).state, at(0, 0).cid.as_deref()), (&InstanceState::Active, Some("a@d.com")));
    let quota = at(1, 0);
    assert_eq!((&quota.state, quota.reason.as_deref()), (&InstanceState::Terminated, Some("quotaExceeded")));
    assert_eq!((quota.status_code, quota.diagnostics, list.resources[1].instances.len()), (Some(413), Some(2012), 1));
    assert_eq!(at(2, 0).pool_fqdn.as_deref(), Some("sip:pool2.d.com@d.com;gruu;opaque=srvr:HomeServer:x&y"));
    assert_eq!((&at(3, 0).state, at(3, 0).pool_fqdn.as_deref()), (&InstanceState::Resubscribe, None));
    assert_eq!((&at(3, 1).state, &*at(3, 1).id), (&InstanceState::Pending, "1"));
    assert_eq!((&at(4, 0).state, at(4, 0).status_code), (&InstanceState::Other("poll".into()), None));
    assert_eq!(at(4, 1).state, InstanceState::Other("".into()));
    assert!(list.resources[5].instances.is_empty());
}

#[test]
fn the_name_of_a_part_is_bare_however_it_is_written() {
    for cid in ["a@d.com", "&lt;a@d.com&gt;", "cid:a@d.com", " &lt;a@d.com> "] {
        let text = format!(
            r#"<l:list xmlns:l="urn:ietf:params:xml:ns:rlmi" fullState="1" version="7"><l:resource uri="u"><l:instance
               id="0" state="active" cid="{cid}"/></l:resource></l:list>"#
        );
        let list = list(&text).unwrap();
        assert_eq!(list.resources[0].instances[0].cid.as_deref(), Some("a@d.com"), "{cid}");
        assert_eq!((list.version, list.full_state), (7, true));
    }
}

#[test]
fn what_is_no_resource_list_is_refused() {
    for (text, expected) in [
        (r#"<list xmlns="urn:example:foreign"/>"#, DocumentError::NotList),
        (r#"<lists xmlns="urn:ietf:params:xml:ns:rlmi"/>"#, DocumentError::NotList),
        ("<!DOCTYPE list><list/>", DocumentError::Doctype),
        (r#"<list xmlns="urn:ietf:params:xml:ns:rlmi" uri="&bomb;"/>"#, DocumentError::Entity),
    ] {
        assert_eq!(list(text), Err(expected), "{text}");
    }
    for text in ["", " ", "<list", &LIST[..LIST.len() - 3], &format!("{LIST}{LIST}")] {
        assert!(matches!(list(text), Err(DocumentError::Malformed(_))), "{text}");
    }
}

#[test]
fn each_registration_event_is_known() {
    use RegistrationEvent as E;
    let other = |text: &str| Some(E::Other(text.into()));
    for (text, expected) in [
        ("deregistered;event=unregistered", Some(E::Unregistered)),
        ("deregistered;event=rejected\r\n", Some(E::Rejected)),
        ("\r\n deregistered ; event = deactivated \r\nmore", Some(E::Deactivated)),
        ("Deregistered;Event=UserServices-Unavailable", Some(E::UserServicesUnavailable)),
        ("deregistered;x=y;event=\"preferred-registrar-change\"", Some(E::PreferredRegistrarChange)),
        ("\u{feff}registered;event=userservices-available", Some(E::UserServicesAvailable)),
        ("registered;event=userservices-", Some(E::UserServicesAvailable)),
        ("registered;event=unregistered", other("registered;event=unregistered")),
        ("deregistered;event=abducted", other("deregistered;event=abducted")),
        ("deregistered", other("deregistered")),
        ("", None),
        (" \r\n\t\n", None),
        (&"x".repeat(257), None),
    ] {
        assert_eq!(read_registration_event(text.as_bytes()), expected, "{text:?}");
    }
    assert_eq!(read_registration_event(b"deregistered;event=\xff"), None);
}

/// Found by a bomb: room was made for one more each time, so that many took minutes, and they took twenty times their bytes.
#[test]
fn a_resource_keeps_no_more_instances_than_anybody_has() {
    let many = "<instance/>".repeat(50_000);
    let text = format!(
        "<list xmlns=\"urn:ietf:params:xml:ns:rlmi\" uri=\"sip:a@b.c\"><resource uri=\"a\">{many}</resource></list>"
    );
    let list = read_rlmi(text.as_bytes(), &DocumentLimits::list()).unwrap();
    assert_eq!((list.resources.len(), list.resources[0].instances.len()), (1, 64));
}
