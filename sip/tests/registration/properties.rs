//! Whatever comes, in whatever order: no panic, no flood, and what was promised.

use presence_sip::{RegistrationEffect, respond};
use proptest::prelude::*;

use crate::scene::{Scene, THEIRS, config, read};

#[derive(Clone, Debug)]
enum Step {
    Register,
    Unregister,
    Lose,
    Wait(u64),
    Answer(u16, Vec<(usize, usize)>),
    Event(bool, usize, usize),
    Garbage(String),
}

const HEADERS: [&str; 9] = [
    "Contact",
    "Expires",
    "Min-Expires",
    "Retry-After",
    "ms-keep-alive",
    "ms-diagnostics",
    "WWW-Authenticate",
    "Proxy-Authenticate",
    "P-Preferred-Registrar",
];

const VALUES: [&str; 16] = [
    "",
    "0",
    "1",
    "60",
    "4294967295",
    "99999999999999999999",
    "<sip:pool2.domain.com:5061>",
    "<sip:[::1>",
    "sip:é@ü;x",
    "UAS; hop-hop=yes; timeout=1",
    "UAS;hop-hop=yes;timeout=99999999999",
    "Digest realm=\"r\", nonce=\"n\", stale=true",
    "NTLM realm=\"x\"",
    "4140;reason=\"x\"",
    "<sip:a@b>;+sip.instance=\"<urn:uuid:é>\";expires=5;gruu=\"sip:é\"",
    "<sip:a@b>;+sip.instance=\"<urn:uuid:4b1682a8-f968-5701-83fc-7c6741dc6697>\";expires=30;gruu=\"sip:a@b;gruu\"",
];

const BODIES: [&str; 7] = [
    "deregistered;event=unregistered",
    "deregistered;event=deactivated",
    "deregistered;event=userservices-unavailable",
    "registered;event=userservices-available",
    "deregistered;event=preferred-registrar-change",
    "deregistered;;;=",
    "é",
];

fn step() -> impl Strategy<Value = Step> {
    let status = prop_oneof![3 => Just(200_u16), 1 => Just(401), 1 => Just(423), 1 => Just(301), 3 => 100_u16..700];
    let headers = prop::collection::vec((0..HEADERS.len(), 0..VALUES.len()), 0..4);
    prop_oneof![
        3 => Just(Step::Register),
        1 => Just(Step::Unregister),
        1 => Just(Step::Lose),
        3 => (0_u64..9000).prop_map(Step::Wait),
        6 => (status, headers).prop_map(|(status, headers)| Step::Answer(status, headers)),
        2 => (any::<bool>(), 0..BODIES.len(), 0..VALUES.len()).prop_map(|(notify, body, value)| Step::Event(notify, body, value)),
        1 => ".{0,80}".prop_map(Step::Garbage),
    ]
}

fn perform(scene: &mut Scene, step: Step) {
    match step {
        Step::Register => scene.register(),
        Step::Unregister => scene.unregister(),
        Step::Lose => scene.lose_connection(),
        Step::Wait(seconds) => scene.seconds(seconds),
        Step::Answer(status, headers) => {
            let extra: Vec<_> = headers.into_iter().map(|(name, value)| (HEADERS[name], VALUES[value])).collect();
            let Some((_, request)) = scene.sent.iter().rev().find(|(_, message)| message.status().is_none()) else {
                return;
            };
            let answer = read(respond(request, status, None, "pool", &extra, None));
            assert!(scene.registration.receive_response(scene.now, &answer));
            scene.drain();
        }
        Step::Event(notify, body, value) => {
            let (method, body) = (if notify { "NOTIFY" } else { "BENOTIFY" }, BODIES[body]);
            let text = format!(
                "{method} sip:x SIP/2.0\r\nFrom: <sip:app@domain.com>\r\nTo: <sip:app@domain.com>\r\nCSeq: 1 {method}\r\n\
                 Event: registration\r\nP-Preferred-Registrar: {}\r\n\r\n{body}",
                VALUES[value]
            );
            let before = scene.sent.len();
            scene.registration.receive_event(scene.now, THEIRS, &read(text));
            scene.drain();
            assert_eq!(scene.sent.len() - before, usize::from(notify), "a NOTIFY is answered once, a BENOTIFY never");
        }
        Step::Garbage(text) => {
            let text = format!("SIP/2.0 200 OK\r\nCall-ID: {text}\r\nContact: {text}\r\nVia: {text}\r\n\r\n");
            if let Ok(message) = presence_sip::Message::parse(text.into(), &presence_sip::Limits::default()) {
                let _ours = scene.registration.receive_response(scene.now, &message);
                let _event = scene.registration.receive_event(scene.now, THEIRS, &message);
                scene.drain();
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_a_registration_neither_panics_nor_floods_nor_forgets_to_answer(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        let mut scene = Scene::new(config());
        for step in steps {
            let (was, before) = (scene.registration.is_registered(), scene.told.len());
            let begins = scene.registration.poll_timeout().is_none() && matches!(step, Step::Register);
            let silent = matches!(step, Step::Lose | Step::Unregister);
            perform(&mut scene, step);
            if begins {
                prop_assert!(scene.registration.poll_timeout().is_some(), "a REGISTER is watched");
            }
            let lost = was && !scene.registration.is_registered() && !silent;
            let why = scene.told[before..].iter().any(|effect| {
                let loss = matches!(effect, RegistrationEffect::Failed(_) | RegistrationEffect::Redirected { .. });
                loss || matches!(effect, RegistrationEffect::Deregistered { .. })
            });
            prop_assert!(!lost || why, "whoever loses a registration is told why");
            prop_assert!(!scene.registration.is_registered() || scene.registration.poll_timeout().is_some());
        }
        // Left alone it comes to rest, and can be had anew.
        scene.unregister();
        scene.seconds(3);
        prop_assert_eq!(scene.told.last(), Some(&RegistrationEffect::Unregistered));
        prop_assert_eq!(scene.registration.poll_timeout(), None);
        let cseqs: Vec<_> = scene.sent.iter().filter(|(_, m)| m.status().is_none()).map(|(_, m)| m.cseq().unwrap().0).collect();
        prop_assert!(cseqs.windows(2).all(|pair| pair[0] < pair[1]), "the CSeq rises");
        scene.register();
        scene.accept(&[]);
        prop_assert!(scene.registration.is_registered());
    }
}
