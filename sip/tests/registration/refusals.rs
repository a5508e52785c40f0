//! Every answer to a REGISTER that refuses it, and what follows (the product's failure table).

use std::time::Duration;

use presence_core::{Again, FailureKind, TransitionReason};
use presence_sip::RegistrationEffect;

use crate::scene::{Scene, config};

/// What the first REGISTER leads to when it is answered like this.
fn answered(status: u16, extra: &[(&str, &str)]) -> Scene {
    let mut scene = Scene::new(config());
    scene.register();
    scene.answer(status, extra);
    assert!(!scene.registration.is_registered(), "{status}");
    scene
}

fn one(scene: &Scene) -> &RegistrationEffect {
    match &scene.told[..] {
        [one] => one,
        other => panic!("{other:?}"),
    }
}

fn is_deregistered(scene: &Scene, expected: TransitionReason, when: Again) -> String {
    match one(scene) {
        RegistrationEffect::Deregistered { failure, reason, again } => {
            assert_eq!((*reason, *again), (expected, when), "{failure}");
            assert_eq!(failure.kind, FailureKind::Endpoint, "no agent is to blame");
            failure.to_string()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn not_enabled_or_not_known_is_seldom_tried_again_and_says_what_to_look_at() {
    for (status, diagnosis) in
        [(403, ""), (404, ""), (403, "4003"), (403, "4004"), (404, "4005"), (480, "4006"), (500, "4007"), (400, "1003")]
    {
        let diagnostics = format!("{diagnosis};reason=\"Not here\";source=\"fe.domain.com\"");
        let extra = [("ms-diagnostics", diagnostics.as_str())];
        let scene = answered(status, if diagnosis.is_empty() { &[] } else { &extra });
        let text = is_deregistered(&scene, TransitionReason::OwnerDisabledOrRemoved, Again::Seldom);
        assert!(text.starts_with(&status.to_string()) && text.contains("New-CsTrustedApplicationEndpoint"), "{text}");
        assert!(diagnosis.is_empty() || text.contains("Not here") && text.contains(diagnosis), "{text}");
    }
}

#[test]
fn a_pool_that_cannot_serve_now_is_a_failure_with_its_retry_after() {
    for status in [408, 480, 486, 491, 500, 502, 504] {
        let scene = answered(status, &[("Retry-After", "30")]);
        match one(&scene) {
            RegistrationEffect::Failed(why) => {
                assert_eq!((why.kind, why.code), (FailureKind::Endpoint, Some(status)));
                assert_eq!(why.retry_after, Some(Duration::from_secs(30)));
            }
            other => panic!("{status}: {other:?}"),
        }
    }
}

#[test]
fn no_way_to_the_home_server_is_a_failure_whatever_the_status() {
    for (status, diagnosis) in [(480, 1007), (504, 1008), (403, 1010), (404, 1014)] {
        let scene = answered(status, &[("ms-diagnostics", &format!("{diagnosis};reason=\"x\""))]);
        assert!(matches!(one(&scene), RegistrationEffect::Failed(_)), "{diagnosis}: {:?}", scene.told);
    }
}

#[test]
fn an_overloaded_pool_says_how_long_it_wants_to_be_left_alone() {
    let scene = answered(503, &[("Retry-After", "120")]);
    assert_eq!(*one(&scene), RegistrationEffect::Overloaded { retry_after: Some(Duration::from_secs(120)) });
    assert_eq!(*one(&answered(503, &[])), RegistrationEffect::Overloaded { retry_after: None });
}

#[test]
fn overloaded_at_a_refresh_the_registration_stands_and_the_refresh_waits() {
    let mut scene = Scene::registered();
    scene.seconds(6900);
    scene.answer(503, &[("Retry-After", "100")]);
    assert_eq!(*one(&scene), RegistrationEffect::Overloaded { retry_after: Some(Duration::from_secs(100)) });
    assert!(scene.registration.is_registered());
    scene.seconds(99);
    assert_eq!(scene.registers(), 1);
    scene.seconds(1);
    assert_eq!(scene.registers(), 2);
}

#[test]
fn too_brief_is_asked_for_longer_once_and_from_then_on() {
    let mut scene = Scene::new(config());
    scene.register();
    scene.answer(423, &[("Min-Expires", "9000")]);
    assert_eq!((scene.registers(), scene.header("Expires")), (2, "9000".into()));
    scene.answer(423, &[("Min-Expires", "10000")]);
    is_deregistered(&scene, TransitionReason::None, Again::Seldom);
    scene.register();
    assert_eq!(scene.header("Expires"), "9000", "the pool need not say it again");
    for senseless in [&[][..], &[("Min-Expires", "60")], &[("Min-Expires", "4000000000")]] {
        is_deregistered(&answered(423, senseless), TransitionReason::None, Again::Seldom);
    }
}

#[test]
fn bad_extension_is_tried_once_without_option_tags() {
    for status in [420, 421] {
        let mut scene = Scene::new(config());
        scene.register();
        scene.answer(status, &[("Unsupported", "gruu-10")]);
        assert_eq!(scene.registers(), 2);
        assert!(scene.last().header("Supported").is_none() && scene.last().header("Event").is_none());
        assert!(scene.header("Contact").contains("+sip.instance"));
        scene.answer(status, &[]);
        is_deregistered(&scene, TransitionReason::None, Again::Seldom);
    }
}

#[test]
fn what_is_refused_for_its_own_sake_is_seldom_tried_again_with_the_words_of_the_pool() {
    for (status, diagnosis) in
        [(400, 4001), (400, 4002), (405, 0), (413, 4008), (488, 2165), (489, 0), (501, 0), (505, 0)]
    {
        let diagnostics = format!("{diagnosis};reason=\"Because of it\"");
        let scene = answered(status, &[("ms-diagnostics", &diagnostics)]);
        let text = is_deregistered(&scene, TransitionReason::None, Again::Seldom);
        assert!(text.contains("Because of it"), "{text}");
    }
}

#[test]
fn diagnoses_of_the_end_of_a_registration_count_in_answers_too() {
    let scene = answered(403, &[("ms-diagnostics", "4140;reason=\"too many\"")]);
    is_deregistered(&scene, TransitionReason::TooManyActiveEndpoints, Again::AfterBackOff);
    let scene = answered(480, &[("ms-diagnostics", "4141;reason=\"disabled\"")]);
    is_deregistered(&scene, TransitionReason::OwnerDisabledOrRemoved, Again::Seldom);
    let scene = answered(403, &[("ms-diagnostics", "4165;reason=\"user services\"")]);
    assert!(matches!(one(&scene), RegistrationEffect::Failed(_)));
}

#[test]
fn a_refresh_that_is_refused_for_good_ends_the_registration_at_once() {
    for (status, reason) in
        [(403, TransitionReason::OwnerDisabledOrRemoved), (400, TransitionReason::RegistrationRefreshFailed)]
    {
        let mut scene = Scene::registered();
        scene.seconds(6900);
        scene.answer(status, &[]);
        is_deregistered(&scene, reason, Again::Seldom);
        assert!(!scene.registration.is_registered());
        assert_eq!(scene.registration.poll_timeout(), None);
    }
}
