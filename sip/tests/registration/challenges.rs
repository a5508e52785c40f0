//! 401 and 407.

use presence_core::{Again, TransitionReason};
use presence_sip::RegistrationEffect;

use crate::scene::{Scene, config};

const DIGEST: &str = "Digest realm=\"domain.com\", nonce=\"n1\", qop=\"auth\", algorithm=MD5";

fn refused(scene: &Scene) -> String {
    match &scene.told[..] {
        [RegistrationEffect::Deregistered { failure, reason, again }] => {
            assert_eq!((*reason, *again), (TransitionReason::OwnerDisabledOrRemoved, Again::Seldom));
            failure.to_string()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pool_that_wants_a_password_of_a_trusted_application_is_told_as_a_matter_of_the_certificate() {
    let schemes = ["NTLM", "Kerberos", "TLS-DSK"].map(|scheme| {
        format!("{scheme} realm=\"SIP Communications Service\", targetname=\"fe.domain.com\", version=4")
    });
    let headers = schemes.each_ref().map(|value| ("WWW-Authenticate", value.as_str()));
    for mut scene in [Scene::new(config()), Scene::with_password()] {
        scene.register();
        scene.answer(401, &headers);
        let text = refused(&scene);
        assert!(text.starts_with("401 "), "{text}");
        for word in ["trusted application", "FQDN", "New-CsTrustedApplication", "Enable-CsTopology"] {
            assert!(text.contains(word), "{text}");
        }
        assert_eq!(scene.registers(), 1, "there is nothing to answer");
    }
    let mut digest = Scene::new(config());
    digest.register();
    digest.answer(401, &[("WWW-Authenticate", DIGEST)]);
    assert!(refused(&digest).contains("trusted application"), "we have no password");
}

#[test]
fn a_digest_challenge_is_answered_and_the_nonce_serves_the_refreshes() {
    let mut scene = Scene::with_password();
    assert!(scene.last().header("Authorization").is_none());
    scene.answer(401, &[("WWW-Authenticate", DIGEST)]);
    assert_eq!(scene.registers(), 2);
    let answer = scene.header("Authorization");
    assert!(answer.contains("username=\"app\"") && answer.contains("uri=\"sip:domain.com\""), "{answer}");
    assert!(answer.contains("nc=00000001") && !answer.contains("secret"), "{answer}");
    scene.accept(&[]);
    scene.seconds(6900);
    assert!(scene.header("Authorization").contains("nc=00000002"));
    scene.answer(401, &[("WWW-Authenticate", &DIGEST.replace("n1", "n2"))]);
    assert!(scene.header("Authorization").contains("nonce=\"n2\""));
    assert!(scene.registration.is_registered());
    scene.accept(&[]);
    scene.unregister();
    assert!(scene.header("Authorization").contains("nonce=\"n2\""));
}

#[test]
fn the_same_nonce_again_means_a_wrong_password() {
    let mut scene = Scene::with_password();
    scene.answer(401, &[("WWW-Authenticate", DIGEST)]);
    scene.answer(401, &[("WWW-Authenticate", DIGEST)]);
    let text = refused(&scene);
    assert!(text.contains("user name or the password"), "{text}");
    assert_eq!(scene.registers(), 2);
}

#[test]
fn a_pool_that_invents_nonces_is_not_answered_for_ever() {
    for stale in ["", ", stale=true"] {
        let mut scene = Scene::with_password();
        for number in 0..10 {
            if scene.told.is_empty() {
                scene.answer(
                    401,
                    &[("WWW-Authenticate", &format!("{}{stale}", DIGEST.replace("n1", &format!("n{number}"))))],
                );
            }
        }
        refused(&scene);
        assert_eq!(scene.registers(), if stale.is_empty() { 2 } else { 4 }, "{stale}");
    }
}

#[test]
fn a_proxy_and_a_server_are_answered_both() {
    let mut scene = Scene::with_password();
    scene.answer(407, &[("Proxy-Authenticate", DIGEST)]);
    assert!(scene.header("Proxy-Authorization").contains("nonce=\"n1\""));
    scene.answer(401, &[("WWW-Authenticate", &DIGEST.replace("n1", "s1"))]);
    assert!(scene.header("Proxy-Authorization").contains("nonce=\"n1\""));
    assert!(scene.header("Authorization").contains("nonce=\"s1\""));
    scene.accept(&[]);
    assert!(scene.registration.is_registered());
}

#[test]
fn another_connection_begins_without_the_nonces_of_the_last() {
    let mut scene = Scene::with_password();
    scene.answer(401, &[("WWW-Authenticate", DIGEST)]);
    scene.accept(&[]);
    scene.lose_connection();
    scene.register();
    assert!(scene.last().header("Authorization").is_none());
}

#[test]
fn going_answers_a_challenge_and_then_does_not_insist() {
    let mut scene = Scene::with_password();
    scene.accept(&[]);
    scene.forget();
    scene.unregister();
    scene.answer(401, &[("WWW-Authenticate", DIGEST)]);
    assert_eq!((scene.registers(), scene.header("Expires")), (2, "0".into()));
    scene.answer(401, &[("WWW-Authenticate", DIGEST)]);
    assert_eq!(scene.told, [RegistrationEffect::Unregistered]);
}
