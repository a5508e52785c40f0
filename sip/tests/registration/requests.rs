//! What a REGISTER looks like.

use presence_sip::{FlowId, RegistrationEffect};

use crate::scene::{OWNER, Scene, URN};

#[test]
fn a_register_has_every_header_that_skype_for_business_wants() {
    let mut scene = Scene::new(crate::scene::config());
    scene.register();
    assert_eq!(scene.sent.len(), 1);
    assert_eq!(scene.sent[0].0, FlowId::PRIMARY);
    let register = scene.last();
    assert_eq!(register.check(), Ok(()));
    assert_eq!(register.method().unwrap().as_str(), "REGISTER");
    assert_eq!(register.request_uri(), Some("sip:domain.com"));
    let from = register.from().unwrap();
    assert_eq!((from.uri, from.param("epid")), (OWNER, Some("01010101")));
    let tag = from.tag().unwrap().to_owned();
    let contact = register.contact().unwrap();
    let opaque = contact.uri_param("ms-opaque").unwrap();
    assert!(opaque.len() == 10 && opaque.bytes().all(|b| b.is_ascii_hexdigit()), "{opaque}");
    let branch = register.top_via().unwrap().branch().unwrap().to_owned();
    let expected = [
        ("Via", format!("SIP/2.0/TLS 192.0.2.1:40000;branch={branch}")),
        ("Max-Forwards", "70".into()),
        ("From", format!("<{OWNER}>;tag={tag};epid=01010101")),
        ("To", format!("<{OWNER}>")),
        ("Call-ID", register.call_id().to_owned()),
        ("CSeq", "1 REGISTER".into()),
        (
            "Contact",
            format!(
                "<sip:192.0.2.1:6120;transport=tls;ms-opaque={opaque}>;methods=\"INVITE, MESSAGE, INFO, SUBSCRIBE, \
                 OPTIONS, BYE, CANCEL, NOTIFY, ACK, REFER, BENOTIFY\";proxy=replace;+sip.instance=\"<{URN}>\""
            ),
        ),
        ("User-Agent", concat!("presence-provider/", env!("CARGO_PKG_VERSION")).into()),
        ("Expires", "7200".into()),
        ("Supported", "gruu-10, adhoclist, msrtc-event-categories".into()),
        ("ms-keep-alive", "UAC;hop-hop=yes".into()),
        ("Event", "registration".into()),
        ("Allow-Events", "presence".into()),
        ("Content-Length", "0".into()),
    ];
    let found: Vec<_> = register.headers().map(|(name, value)| (name, value.to_owned())).collect();
    assert_eq!(found, expected);
}

#[test]
fn one_call_id_one_tag_and_a_rising_cseq_serve_the_whole_life() {
    let mut scene = Scene::new(crate::scene::config());
    scene.register();
    scene.accept(&[]);
    scene.seconds(6900);
    scene.answer(500, &[]);
    scene.seconds(5);
    scene.accept(&[]);
    scene.lose_connection();
    scene.registration.set_local("sip:192.0.2.1:6120;transport=tls", "192.0.2.1:40001");
    scene.register();
    scene.accept(&[]);
    scene.unregister();
    let ids: Vec<_> =
        scene.sent.iter().map(|(_, m)| (m.call_id(), m.from().unwrap().tag(), m.cseq().unwrap().0)).collect();
    let (call_id, tag, _) = ids[0];
    assert_eq!(ids, [1, 2, 3, 4, 5].map(|number| (call_id, tag, number)));
    let branches: std::collections::BTreeSet<_> =
        scene.sent.iter().map(|(_, m)| m.top_via().unwrap().branch().unwrap().to_owned()).collect();
    assert_eq!(branches.len(), 5, "every request has a branch of its own");
}

#[test]
fn unregistering_takes_the_same_contact_back() {
    let mut scene = Scene::new(crate::scene::config());
    scene.register();
    let contact = scene.header("Contact");
    scene.accept(&[]);
    scene.told.clear();
    scene.unregister();
    assert_eq!((scene.header("Contact"), scene.header("Expires")), (contact, "0".into()));
    scene.answer(200, &[]);
    assert_eq!(scene.told, [RegistrationEffect::Unregistered]);
    assert!(!scene.registration.is_registered());
}

#[test]
fn a_value_that_would_forge_a_header_is_not_sent() {
    let mut scene = Scene::new(crate::scene::config());
    scene.registration.set_local("sip:192.0.2.1>\r\nRoute: <sip:evil.example", "192.0.2.1:40000");
    scene.register();
    assert_eq!(scene.sent.len(), 0);
    assert!(matches!(&scene.told[..], [RegistrationEffect::Failed(_)]), "{:?}", scene.told);
}

#[test]
fn an_opaque_mark_of_the_contact_is_not_doubled() {
    let mut scene = Scene::new(crate::scene::config());
    scene.registration.set_local("sip:192.0.2.1:6120;transport=tls;ms-opaque=0123456789", "192.0.2.1:40000");
    scene.register();
    assert_eq!(scene.header("Contact").matches("ms-opaque").count(), 1);
}

#[test]
fn over_udp_the_register_is_repeated_until_it_is_answered() {
    let mut scene = Scene::over_udp();
    scene.register();
    scene.wait(std::time::Duration::from_millis(3600));
    assert_eq!(scene.registers(), 4, "at once and after 0.5, 1.5 and 3.5 s");
    assert!(scene.header("Via").ends_with(";rport"));
    let copies: std::collections::BTreeSet<_> = scene.sent.iter().map(|(_, m)| m.cseq().unwrap().0).collect();
    assert_eq!(copies.len(), 1);
    scene.accept(&[("ms-keep-alive", "UAS; hop-hop=yes; timeout=300")]);
    scene.seconds(4000);
    assert_eq!((scene.registers(), scene.pings.len()), (4, 0), "no more copies, and no keep-alive on UDP");
}
