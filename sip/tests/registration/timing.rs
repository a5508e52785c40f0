//! When it refreshes, repeats, keeps alive and gives up.

use std::time::Duration;

use presence_core::FailureKind;
use presence_sip::RegistrationEffect;

use crate::scene::{Scene, config};

const KEEP_ALIVE: (&str, &str) = ("ms-keep-alive", "UAS; tcp=no; hop-hop=yes; end-end=no; timeout=300");

#[test]
fn a_refresh_comes_five_minutes_before_the_end_or_at_half_of_a_short_lifetime() {
    for (granted, refreshed) in [(7200, 6900), (1200, 900), (601, 301), (600, 300), (60, 30)] {
        let mut scene = Scene::new(config());
        scene.register();
        scene.answer(200, &[("Expires", &format!("{granted}"))]);
        scene.seconds(refreshed - 1);
        assert_eq!(scene.registers(), 1, "{granted}");
        scene.seconds(1);
        assert_eq!(scene.registers(), 2, "{granted}");
        assert!(scene.registration.is_registered());
        scene.accept(&[]);
        assert!(matches!(scene.told.last(), Some(RegistrationEffect::Registered { .. })));
    }
}

#[test]
fn registered_for_a_day_it_refreshes_every_115_minutes() {
    let mut scene = Scene::registered();
    let mut refreshes = 0;
    for _ in 0..24 * 60 {
        let before = scene.registers();
        scene.seconds(60);
        if scene.registers() > before {
            refreshes += 1;
            scene.accept(&[]);
        }
    }
    assert_eq!(refreshes, 12);
    assert!(scene.told.iter().all(|effect| matches!(effect, RegistrationEffect::Registered { .. })));
}

#[test]
fn a_refresh_that_fails_is_tried_again_after_5_10_20_seconds_until_the_registration_ends() {
    let mut scene = Scene::registered();
    scene.seconds(6900);
    for wait in [5, 10, 20, 40, 80] {
        scene.answer(504, &[]);
        assert!(scene.registration.is_registered());
        let before = scene.registers();
        scene.seconds(wait - 1);
        assert_eq!(scene.registers(), before);
        scene.seconds(1);
        assert_eq!(scene.registers(), before + 1, "after {wait} s");
    }
    scene.answer(504, &[]);
    assert_eq!(scene.told, []);
    scene.seconds(145);
    assert!(matches!(&scene.told[..], [RegistrationEffect::Failed(why)] if why.code == Some(504)), "{:?}", scene.told);
    assert!(!scene.registration.is_registered());
}

#[test]
fn a_refresh_that_succeeds_in_the_end_says_so_and_forgets_its_failures() {
    let mut scene = Scene::registered();
    scene.seconds(6900);
    scene.answer(480, &[("Retry-After", "60")]);
    scene.seconds(59);
    assert_eq!(scene.registers(), 1, "Retry-After is longer than 5 s");
    scene.seconds(1);
    scene.accept(&[]);
    assert_eq!(scene.told, [RegistrationEffect::Registered { expires: Duration::from_secs(7200) }]);
    scene.seconds(6900);
    scene.answer(480, &[]);
    scene.seconds(5);
    assert_eq!(scene.registers(), 4, "5 s again");
}

#[test]
fn a_register_without_an_answer_fails_after_timer_f() {
    let mut scene = Scene::new(config());
    scene.register();
    scene.seconds(31);
    assert_eq!(scene.told, []);
    scene.seconds(1);
    assert!(matches!(&scene.told[..], [RegistrationEffect::Failed(why)] if why.kind == FailureKind::Endpoint));
    assert_eq!(scene.registration.poll_timeout(), None);
}

#[test]
fn an_answer_that_comes_after_the_end_of_the_registration_is_too_late() {
    let mut scene = Scene::new(config());
    scene.register();
    scene.answer(200, &[("Expires", "20")]);
    scene.told.clear();
    scene.seconds(10);
    scene.seconds(10);
    assert!(matches!(&scene.told[..], [RegistrationEffect::Failed(_)]), "{:?}", scene.told);
}

#[test]
fn a_machine_that_slept_through_the_end_knows_that_it_is_not_registered() {
    let mut scene = Scene::registered();
    scene.now += Duration::from_secs(8000);
    scene.registration.handle_timeout(scene.now);
    scene.drain();
    assert_eq!(scene.registers(), 0);
    assert!(matches!(&scene.told[..], [RegistrationEffect::Failed(_)]));
}

#[test]
fn an_idle_connection_gets_a_keep_alive_before_the_agreed_silence_is_over() {
    let mut scene = Scene::new(config());
    scene.register();
    scene.accept(&[KEEP_ALIVE]);
    scene.seconds(1000);
    assert_eq!(scene.pings, [270, 540, 810].map(Duration::from_secs));
    scene.registration.transmitted(scene.now);
    scene.seconds(269);
    assert_eq!(scene.pings.len(), 3, "what is sent counts");
    scene.seconds(1);
    assert_eq!(scene.pings.len(), 4);
    scene.lose_connection();
    scene.seconds(3000);
    assert_eq!(scene.pings.len(), 4, "nothing to keep alive");
}

#[test]
fn a_keep_alive_is_sent_only_where_the_pool_agreed_on_it() {
    for (value, first) in [
        ("UAS; tcp=no; hop-hop=no; end-end=no; timeout=300", None),
        ("UAS; tcp=yes; end-end=yes; timeout=300", None),
        ("UAS;hop-hop=yes;timeout=0", None),
        ("UAS;hop-hop=yes;timeout=x", None),
        ("UAC;hop-hop=yes;timeout=60", None),
        ("uas ; timeout=60 ; Hop-Hop=YES", Some(45)),
        ("UAS;hop-hop=yes", Some(270)),
    ] {
        let mut scene = Scene::new(config());
        scene.register();
        scene.accept(&[("ms-keep-alive", value)]);
        scene.seconds(300);
        assert_eq!(scene.pings.first().copied(), first.map(Duration::from_secs), "{value}");
    }
}

#[test]
fn going_takes_two_seconds_at_most() {
    let mut scene = Scene::registered();
    scene.unregister();
    scene.wait(Duration::from_millis(1999));
    assert_eq!(scene.told, []);
    scene.wait(Duration::from_millis(1));
    assert_eq!(scene.told, [RegistrationEffect::Unregistered]);
    assert_eq!(scene.registration.poll_timeout(), None);
}

#[test]
fn unregistering_what_is_not_registered_is_done_at_once_and_of_what_is_on_its_way_too() {
    let mut scene = Scene::new(config());
    scene.unregister();
    assert_eq!(scene.told, [RegistrationEffect::Unregistered]);
    scene.told.clear();
    scene.register();
    scene.unregister();
    assert_eq!((scene.registers(), scene.header("Expires")), (2, "0".into()));
    scene.unregister();
    assert_eq!(scene.registers(), 2, "once");
    scene.answer(500, &[]);
    assert_eq!(scene.told, [RegistrationEffect::Unregistered], "whatever it says");
}

#[test]
fn a_transport_that_is_lost_in_mid_flight_ends_what_was_waited_for() {
    let mut scene = Scene::new(config());
    scene.register();
    let first = scene.last();
    scene.lose_connection();
    assert!(matches!(&scene.told[..], [RegistrationEffect::Failed(why)] if why.kind == FailureKind::Endpoint));
    let late = crate::scene::read(presence_sip::respond(&first, 200, None, "pool", &[], None));
    assert!(scene.registration.receive_response(scene.now, &late));
    assert!(!scene.registration.is_registered(), "an answer over another connection is not believed");
    scene.drain();
    scene.told.clear();
    scene.register();
    scene.accept(&[]);
    scene.seconds(6900);
    scene.lose_connection();
    assert!(matches!(scene.told.last(), Some(RegistrationEffect::Failed(_))), "a refresh was on its way");
    scene.told.clear();
    scene.register();
    scene.accept(&[]);
    scene.told.clear();
    scene.unregister();
    scene.lose_connection();
    assert_eq!(scene.told, [RegistrationEffect::Unregistered]);
}

#[test]
fn registering_again_refreshes_now_and_only_once_at_a_time() {
    let mut scene = Scene::registered();
    scene.register();
    scene.register();
    assert_eq!(scene.registers(), 1);
    scene.answer(500, &[]);
    scene.register();
    assert_eq!(scene.registers(), 2, "without waiting for the 5 s");
    scene.accept(&[]);
    assert_eq!(scene.told, [RegistrationEffect::Registered { expires: Duration::from_secs(7200) }]);
}
