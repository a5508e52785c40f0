//! What the pool tells of a registration by itself (table of MS-SIPREGE 2.2.1.13).

use presence_core::{Again, TransitionReason};
use presence_sip::{RegistrationEffect, WireEvent};

use crate::scene::{OWNER, Scene, config, read};

struct Notice<'a> {
    method: &'a str,
    from: &'a str,
    to: &'a str,
    headers: &'a str,
    body: &'a str,
}

const NOTICE: Notice<'_> =
    Notice { method: "NOTIFY", from: "<sip:app@domain.com>;tag=88", to: "<sip:app@domain.com>", headers: "", body: "" };

impl Notice<'_> {
    fn text(&self) -> String {
        let Self { method, from, to, headers, body } = self;
        format!(
            "{method} sip:192.0.2.1:6120;transport=tls;ms-opaque=1;ms-received-cid=2A00 SIP/2.0\r\n\
             Via: SIP/2.0/TLS 192.0.2.9:5061;branch=z9hG4bK1.2;branched=FALSE\r\nFrom: {from}\r\nTo: {to}\r\n\
             Call-ID: e1\r\nCSeq: 1 {method}\r\nEvent: registration-notify\r\n\
             subscription-state: terminated;expires=0\r\nContent-Type: text/registration-event\r\n{headers}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

fn told(notice: &Notice<'_>) -> Scene {
    let mut scene = Scene::registered();
    assert_eq!(scene.event(&notice.text()), Some(200));
    scene
}

fn is_deregistered(scene: &Scene, expected: TransitionReason, when: Again) -> String {
    assert!(!scene.registration.is_registered());
    match &scene.told[..] {
        [RegistrationEffect::Deregistered { failure, reason, again }] => {
            assert_eq!((*reason, *again), (expected, when));
            failure.to_string()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn unregistered_means_too_many_endpoints_and_is_tried_again_after_a_back_off() {
    let body = "deregistered;event=unregistered\r\n";
    let scene = told(&Notice { headers: "ms-diagnostics: 4140;reason=\"Kicked\"\r\n", body, ..NOTICE });
    let text = is_deregistered(&scene, TransitionReason::TooManyActiveEndpoints, Again::AfterBackOff);
    assert_eq!(text, "Kicked (ms-diagnostics 4140)");
}

#[test]
fn rejected_means_that_the_owner_was_disabled_and_is_seldom_tried_again() {
    let scene = told(&Notice { body: "deregistered;event=rejected", ..NOTICE });
    is_deregistered(&scene, TransitionReason::OwnerDisabledOrRemoved, Again::Seldom);
}

#[test]
fn deactivated_means_that_the_owner_was_moved_and_is_tried_again_at_once() {
    let scene = told(&Notice { body: "deregistered;event=deactivated", ..NOTICE });
    is_deregistered(&scene, TransitionReason::None, Again::AtOnce);
}

#[test]
fn userservices_unavailable_ends_presence_and_not_the_registration() {
    let mut scene = told(&Notice { body: "deregistered;event=userservices-unavailable", ..NOTICE });
    assert!(matches!(&scene.told[..], [RegistrationEffect::PresenceUnavailable(_)]), "{:?}", scene.told);
    assert!(scene.registration.is_registered());
    scene.forget();
    for body in ["registered;event=userservices-available", "registered;event=userservices-connected"] {
        scene.event(&Notice { body, ..NOTICE }.text());
    }
    assert_eq!(scene.told, [RegistrationEffect::PresenceAvailable, RegistrationEffect::PresenceAvailable]);
    assert!(scene.registration.is_registered());
}

#[test]
fn preferred_registrar_change_leads_to_the_pool_that_it_names() {
    for (value, host, port) in [
        ("<sip:pool2.domain.com:5061;transport=tls>", "pool2.domain.com", Some(5061)),
        ("sip:pool2.domain.com;transport=tls", "pool2.domain.com", None),
        ("pool2.domain.com", "pool2.domain.com", None),
        ("pool2.domain.com:5063", "pool2.domain.com", Some(5063)),
    ] {
        let headers = format!("P-Preferred-Registrar: {value}\r\n");
        let scene =
            told(&Notice { headers: &headers, body: "deregistered;event=preferred-registrar-change", ..NOTICE });
        assert_eq!(scene.told, [RegistrationEffect::Redirected { host: host.into(), port }], "{value}");
        assert!(!scene.registration.is_registered());
    }
}

#[test]
fn preferred_registrar_change_without_a_name_looks_the_pool_up_anew() {
    for headers in ["", "P-Preferred-Registrar: \r\n", "P-Preferred-Registrar: <tel:1>\r\n"] {
        let scene = told(&Notice { headers, body: "deregistered;event=preferred-registrar-change", ..NOTICE });
        is_deregistered(&scene, TransitionReason::None, Again::AtOnce);
    }
}

#[test]
fn the_diagnosis_decides_where_the_body_is_missing_or_unknown() {
    for body in ["", "deregistered;event=something-new"] {
        for (id, reason, again) in [
            (4140, TransitionReason::TooManyActiveEndpoints, Again::AfterBackOff),
            (4141, TransitionReason::OwnerDisabledOrRemoved, Again::Seldom),
            (4142, TransitionReason::None, Again::AtOnce),
            (4166, TransitionReason::None, Again::AtOnce),
            (4167, TransitionReason::None, Again::AtOnce),
        ] {
            let headers = format!("ms-diagnostics: {id};source=\"fe\";reason=\"x\"\r\n");
            is_deregistered(&told(&Notice { headers: &headers, body, ..NOTICE }), reason, again);
        }
        let scene = told(&Notice { headers: "ms-diagnostics: 4165;reason=\"x\"\r\n", body, ..NOTICE });
        assert!(matches!(&scene.told[..], [RegistrationEffect::PresenceUnavailable(_)]));
    }
}

#[test]
fn an_end_for_a_reason_that_nobody_knows_is_tried_again_after_a_back_off() {
    let scene = told(&Notice { body: "deregistered;event=shutdown", ..NOTICE });
    let text = is_deregistered(&scene, TransitionReason::None, Again::AfterBackOff);
    assert_eq!(text, "deregistered;event=shutdown");
}

#[test]
fn an_event_that_says_nothing_is_counted_and_changes_nothing() {
    for body in ["", "registered;event=x", "\u{1}\u{2}"] {
        let scene = told(&Notice { body, ..NOTICE });
        assert_eq!(scene.told, [RegistrationEffect::Count(WireEvent::UnparsableBody)], "{body:?}");
        assert!(scene.registration.is_registered());
    }
}

#[test]
fn a_benotify_has_the_same_effect_and_is_never_answered() {
    let mut scene = Scene::registered();
    let notice = Notice { method: "BENOTIFY", body: "deregistered;event=rejected", ..NOTICE };
    assert_eq!(scene.event(&notice.text()), None);
    is_deregistered(&scene, TransitionReason::OwnerDisabledOrRemoved, Again::Seldom);
    let mut other = Scene::registered();
    assert_eq!(other.event(&Notice { to: "<sip:someone@domain.com>", ..notice }.text()), None);
    assert!(other.counted(WireEvent::UnmatchedBenotify) && other.registration.is_registered());
}

#[test]
fn an_event_about_somebody_else_is_481_and_changes_nothing() {
    for (from, to) in [
        ("<sip:app@domain.com>;tag=1", "<sip:other@domain.com>"),
        ("<sip:mallory@evil.example>;tag=1", "<sip:app@domain.com>"),
        ("<sip:mallory@domain.com>;tag=1", "<sip:app@domain.com>"),
        ("<sip:evil.example>;tag=1", "<sip:app@domain.com>"),
        ("<sip:evildomain.com>;tag=1", "<sip:app@domain.com>"),
        ("<sip:app@domain.com>;tag=1", "<sip:app@domain.com>;tag=notours"),
        ("<sip:app@domain.com>;tag=1", "<sip:app@domain.com>;epid=0badf00d"),
    ] {
        let mut scene = Scene::registered();
        let notice = Notice { from, to, body: "deregistered;event=rejected", ..NOTICE };
        assert_eq!(scene.event(&notice.text()), Some(481), "{from} {to}");
        assert_eq!(scene.told, [RegistrationEffect::Count(WireEvent::Unmatched)]);
        assert!(scene.registration.is_registered());
    }
}

#[test]
fn an_event_is_ours_by_our_uri_our_tag_and_our_epid_in_any_spelling() {
    let mut scene = Scene::new(config());
    scene.register();
    let tag = scene.last().from().unwrap().tag().unwrap().to_owned();
    scene.accept(&[]);
    let to = format!("\"App\" <SIP:App@Domain.com>;tag={tag};epid=01010101");
    for from in [
        format!("<{OWNER}>;tag=9"),
        "<sip:domain.com>;tag=9".into(),
        "<sip:fe1.domain.com:5061;transport=tls>;tag=9".into(),
    ] {
        scene.told.clear();
        let notice = Notice { from: &from, to: &to, body: "deregistered;event=userservices-unavailable", ..NOTICE };
        assert_eq!(scene.event(&notice.text()), Some(200));
        assert!(matches!(&scene.told[..], [RegistrationEffect::PresenceUnavailable(_)]), "{from}");
    }
}

#[test]
fn events_of_other_packages_and_other_methods_are_not_taken() {
    let mut scene = Scene::registered();
    let text = NOTICE.text();
    for other in [
        text.replace("registration-notify", "presence"),
        text.replace("Event: registration-notify\r\n", ""),
        text.replace("NOTIFY", "MESSAGE"),
    ] {
        assert!(!scene.registration.receive_event(scene.now, crate::scene::THEIRS, &read(other)));
    }
    scene.drain();
    assert!(scene.sent.is_empty() && scene.told.is_empty());
    assert_eq!(scene.event(&text.replace("registration-notify", "Registration")), Some(200));
}

#[test]
fn an_event_that_overtakes_the_answer_is_about_the_registration_before_it() {
    let mut scene = Scene::new(config());
    scene.register();
    let register = scene.last();
    assert_eq!(scene.event(&Notice { body: "deregistered;event=unregistered", ..NOTICE }.text()), Some(200));
    assert_eq!(scene.told, []);
    let answer = read(presence_sip::respond(&register, 200, None, "pool", &[], None));
    assert!(scene.registration.receive_response(scene.now, &answer));
    assert!(scene.registration.is_registered());
}

#[test]
fn an_event_for_an_endpoint_that_is_not_registered_is_481() {
    let mut scene = Scene::new(config());
    assert_eq!(scene.event(&Notice { body: "deregistered;event=rejected", ..NOTICE }.text()), Some(481));
}

#[test]
fn the_pool_may_be_faster_than_our_farewell() {
    let mut scene = Scene::registered();
    scene.unregister();
    assert_eq!(scene.event(&Notice { body: "deregistered;event=unregistered", ..NOTICE }.text()), Some(200));
    assert_eq!(scene.told, [RegistrationEffect::Unregistered]);
}

#[test]
fn over_udp_a_copy_of_an_event_is_answered_and_does_nothing() {
    let mut scene = Scene::over_udp();
    scene.register();
    scene.accept(&[]);
    scene.forget();
    let notice = Notice { body: "deregistered;event=userservices-unavailable", ..NOTICE }.text();
    assert_eq!((scene.event(&notice), scene.told.len()), (Some(200), 1));
    assert_eq!(scene.event(&notice), Some(200));
    assert_eq!((scene.told.len(), scene.counted(WireEvent::Duplicate)), (2, true));
}
