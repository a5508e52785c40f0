//! What a 200 grants: the GRUU and the lifetime.

use std::time::Duration;

use presence_sip::{RegistrationEffect, WireEvent};

use crate::scene::{GRUU, Scene, URN, config};

fn granted(headers: &[(&str, &str)]) -> Scene {
    let mut scene = Scene::new(config());
    scene.register();
    scene.answer(200, headers);
    scene
}

fn lifetime(scene: &Scene) -> u64 {
    match &scene.told[..] {
        [RegistrationEffect::Registered { expires }] => expires.as_secs(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_gruu_is_that_of_the_contact_with_our_instance_in_any_spelling() {
    let upper = URN.to_uppercase();
    let odd = "sip:app@domain.com;gruu;opaque=user:epid:qIIWS2j5AVeD_HxnQdxmlwAA";
    let foreign = "<sip:a@192.0.2.9>;+sip.instance=\"<urn:uuid:00000000-0000-5000-8000-000000000001>\";gruu=\"sip:other@domain.com;gruu\"";
    let cases = [
        (format!("<sip:a@192.0.2.1>;expires=7200;+sip.instance=\"<{URN}>\";gruu=\"{GRUU}\""), GRUU),
        (format!("<sip:a@192.0.2.1>;gruu=\"{GRUU}\";+sip.instance=\"<{upper}>\";expires=7200"), GRUU),
        (format!("<sip:a@192.0.2.1>;GRUU=\"{odd}\";+SIP.Instance=\"<{URN}>\""), odd),
        (format!("{foreign}, <sip:a@192.0.2.1>;+sip.instance=\"<{URN}>\";gruu=\"{GRUU}\""), GRUU),
        (format!("<sip:a@192.0.2.1>;+sip.instance=\"<{URN}>\";pub-gruu=\"{GRUU}\""), GRUU),
    ];
    for (contact, gruu) in cases {
        let scene = granted(&[("Contact", &contact)]);
        assert_eq!(scene.registration.gruu(), Some(gruu), "{contact}");
        assert_eq!(lifetime(&scene), 7200);
    }
}

#[test]
fn a_gruu_of_another_instance_or_one_that_is_no_uri_is_not_ours() {
    let foreign =
        format!("<sip:a@b>;+sip.instance=\"<urn:uuid:00000000-0000-5000-8000-000000000001>\";gruu=\"{GRUU}\"");
    let none = format!("<sip:a@b>;+sip.instance=\"<{URN}>\"");
    let bad = format!("<sip:a@b>;+sip.instance=\"<{URN}>\";gruu=\"not a uri\"");
    for contact in [foreign, none, bad] {
        let scene = granted(&[("Contact", &contact)]);
        assert_eq!(scene.registration.gruu(), None, "{contact}");
        assert!(scene.registration.is_registered());
    }
}

#[test]
fn the_lifetime_is_that_of_our_contact_then_of_expires_then_what_was_asked_for() {
    let ours = format!("<sip:a@b>;expires=1800;+sip.instance=\"<{URN}>\"");
    let silent = format!("<sip:a@b>;+sip.instance=\"<{URN}>\"");
    assert_eq!(lifetime(&granted(&[("Contact", &ours), ("Expires", "3600")])), 1800);
    assert_eq!(lifetime(&granted(&[("Contact", &silent), ("Expires", "3600")])), 3600);
    assert_eq!(lifetime(&granted(&[("Contact", "<sip:a@b>;expires=60"), ("Expires", "3600")])), 3600);
    assert_eq!(lifetime(&granted(&[])), 7200);
    assert_eq!(lifetime(&granted(&[("Expires", "99999999999")])), 7200, "a pool may only shorten it");
}

#[test]
fn registered_for_no_time_at_all_is_a_failure() {
    let scene = granted(&[("Expires", "0")]);
    assert!(matches!(&scene.told[..], [RegistrationEffect::Failed(_)]), "{:?}", scene.told);
    assert!(!scene.registration.is_registered());
}

#[test]
fn the_gruu_outlives_a_lost_connection() {
    let mut scene = Scene::registered();
    scene.lose_connection();
    assert_eq!(scene.told, []);
    assert_eq!(scene.registration.gruu(), Some(GRUU));
    assert!(!scene.registration.is_registered());
    assert_eq!(scene.registration.poll_timeout(), None);
}

#[test]
fn an_answer_that_comes_twice_or_late_changes_nothing() {
    let mut scene = Scene::registered();
    scene.seconds(1);
    let mut other = Scene::new(config());
    other.register();
    other.answer(200, &[]);
    other.told.clear();
    other.answer(403, &[]);
    assert_eq!(other.told, [RegistrationEffect::Count(WireEvent::StrayResponse)]);
    assert!(other.registration.is_registered());
    let foreign = crate::scene::read("SIP/2.0 403 Forbidden\r\nCall-ID: x\r\nCSeq: 1 SUBSCRIBE\r\n\r\n");
    assert!(!scene.registration.receive_response(scene.now, &foreign), "the answer to somebody else");
}

#[test]
fn a_provisional_answer_only_asks_for_patience() {
    let mut scene = Scene::new(config());
    scene.register();
    scene.answer(100, &[]);
    assert_eq!(scene.told, []);
    scene.wait(Duration::from_secs(1));
    scene.accept(&[]);
    assert_eq!(lifetime(&scene), 7200);
}
