//! The pool sends us elsewhere.

use presence_sip::RegistrationEffect;

use crate::scene::{Scene, config};

fn to(host: &str, port: Option<u16>) -> RegistrationEffect {
    RegistrationEffect::Redirected { host: host.into(), port }
}

#[test]
fn a_redirection_leads_to_the_host_and_port_of_its_contact() {
    for status in [301, 302, 305] {
        for (contact, place) in [
            ("<sip:pool2.domain.com:5061;transport=tls>", to("pool2.domain.com", Some(5061))),
            ("<sip:pool2.domain.com;transport=TLS>;q=0.7", to("pool2.domain.com", None)),
            ("\"Home\" <sips:app@Pool2.Domain.com.:5063>", to("pool2.domain.com", Some(5063))),
            ("sip:192.0.2.5", to("192.0.2.5", None)),
            ("<sip:[2001:db8::5]:5061>", to("2001:db8::5", Some(5061))),
            ("<tel:+31612345678>, <sip:pool3.domain.com>", to("pool3.domain.com", None)),
        ] {
            let mut scene = Scene::new(config());
            scene.register();
            scene.answer(status, &[("Contact", contact)]);
            assert_eq!(scene.told, [place], "{status} {contact}");
            assert!(!scene.registration.is_registered());
        }
    }
}

#[test]
fn a_redirection_to_nowhere_is_a_failure() {
    for contact in ["", "<tel:+31612345678>", "<sip:pool2:0>", "<sip:pool2:99999>", "nonsense", "<sip:>"] {
        let mut scene = Scene::new(config());
        scene.register();
        let extra = [("Contact", contact)];
        scene.answer(301, if contact.is_empty() { &[] } else { &extra });
        assert!(matches!(&scene.told[..], [RegistrationEffect::Failed(_)]), "{contact}: {:?}", scene.told);
    }
}

#[test]
fn three_redirections_in_a_row_are_followed_and_the_fourth_is_not() {
    let mut scene = Scene::new(config());
    let redirect = |scene: &mut Scene| {
        scene.told.clear();
        scene.register();
        scene.answer(301, &[("Contact", "<sip:pool2.domain.com>")]);
        scene.lose_connection();
        matches!(&scene.told[..], [RegistrationEffect::Redirected { .. }])
    };
    assert!(redirect(&mut scene) && redirect(&mut scene) && redirect(&mut scene));
    assert!(!redirect(&mut scene));
    assert!(matches!(&scene.told[..], [RegistrationEffect::Failed(_)]), "{:?}", scene.told);
    assert!(redirect(&mut scene) && redirect(&mut scene), "later it counts anew");
    scene.register();
    scene.accept(&[]);
    scene.lose_connection();
    assert!(redirect(&mut scene) && redirect(&mut scene) && redirect(&mut scene), "and after a success too");
    assert!(!redirect(&mut scene));
}

#[test]
fn a_refresh_can_be_redirected() {
    let mut scene = Scene::registered();
    scene.seconds(6900);
    scene.answer(301, &[("Contact", "<sip:pool2.domain.com:5061>")]);
    assert_eq!(scene.told, [to("pool2.domain.com", Some(5061))]);
    assert!(!scene.registration.is_registered());
}
