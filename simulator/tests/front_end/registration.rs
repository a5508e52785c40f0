//! REGISTER, its refresh and its end, and what endpoints are told of it.

use std::time::Duration;

use presence_simulator::{ConnectionId, Switches};
use presence_sip::documents::{RegistrationEvent, read_registration_event};
use presence_sip::{Epid, Message};

use crate::support::{APP, Ask, Bench, agent, answer, uri};

const USER: &str = "sip:user@sim.example";

#[test]
fn a_register_is_answered_with_the_gruu_and_everything_a_client_waits_for() {
    let mut bench = Bench::bare(Switches::default());
    let granted = bench.ask(&Ask::register(APP));
    let instance = Epid::of(APP).instance();
    let contact = granted.contact().unwrap();
    assert_eq!(contact.uri, "sip:192.0.2.7:6120;transport=tcp;ms-opaque=1a2b3c4d5e");
    assert_eq!(contact.param("expires"), Some("7200"));
    assert_eq!(contact.param("+sip.instance"), Some(&*format!("<{}>", instance.urn())));
    assert_eq!(contact.param("gruu"), Some(&*format!("{APP};opaque=user:epid:{};gruu", instance.gruu_opaque())));
    assert_eq!(granted.expires(), Some(Duration::from_secs(7_200)));
    let state = granted.header("presence-state").unwrap();
    assert!(state.starts_with("register-action=\"added\";"), "{state}");
    let supported: Vec<_> = granted.header_all("Supported").collect();
    assert_eq!(supported, ["adhoclist", "msrtc-event-categories"], "each on a line of its own");
    let events = granted.header("Allow-Events").unwrap();
    assert!(!events.contains(' '), "{events}");
    for package in ["vnd-microsoft-roaming-contacts", "vnd-microsoft-roaming-self", "vnd-microsoft-provisioning-v2"] {
        assert!(events.split(',').any(|event| event == package));
    }
    assert_eq!(granted.header("ms-keep-alive"), Some("UAS; tcp=no; hop-hop=yes; end-end=no; timeout=300"));
    assert_eq!(granted.header("Server"), Some("RTC/6.0"));
    assert_eq!(granted.header("WWW-Authenticate"), None, "a trusted server is not challenged");
    assert_eq!(bench.front.counters().registered_now, 1);
}

#[test]
fn every_answer_says_in_via_where_the_request_came_from() {
    let mut bench = Bench::bare(Switches::default());
    for ask in [Ask::register(APP), Ask::list("sip:nobody@sim.example", &[agent(1)])] {
        let via = bench.ask(&ask).header("Via").unwrap().to_owned();
        assert!(via.starts_with("SIP/2.0/tcp 192.0.2.7:6120;ms-received-port="), "{via}");
        assert!(via.contains(";ms-received-cid="));
    }
}

#[test]
fn a_refresh_keeps_the_registration_and_the_last_one_ends_it_with_its_dialogs() {
    let mut bench = Bench::new();
    bench.listed(2);
    let refresh = Ask { cseq: 2, ..Ask::register(APP) };
    let refreshed = bench.ask(&refresh);
    assert!(refreshed.header("presence-state").unwrap().contains("refreshed"));
    assert_eq!((bench.front.counters().registered_now, bench.front.live_subscriptions()), (1, 2));
    let last = bench.ask(&Ask { cseq: 3, ..refresh }.with("Expires: 0\r\n"));
    assert_eq!((last.status(), last.expires()), (Some(200), Some(Duration::ZERO)));
    let counters = bench.front.counters();
    assert_eq!((counters.registered_now, counters.dialogs_now, counters.live_now), (0, 0, 0));
}

#[test]
fn a_registration_that_is_not_refreshed_runs_out() {
    let mut bench = Bench::bare(Switches::default());
    let granted = bench.ask(&Ask::register(APP).with("Expires: 600\r\n"));
    assert_eq!(granted.expires(), Some(Duration::from_secs(600)));
    bench.listed(1);
    bench.pass(Duration::from_secs(599));
    assert_eq!(bench.front.counters().registered_now, 1);
    assert!(bench.pass(Duration::from_secs(1)).is_empty());
    assert_eq!((bench.front.counters().registered_now, bench.front.live_subscriptions()), (0, 0));
}

#[test]
fn the_same_epid_replaces_the_registration_and_another_one_adds_to_it() {
    let mut bench = Bench::new();
    bench.ask(&Ask::register(APP).call("restarted"));
    assert_eq!(bench.front.counters().registered_now, 1);
    let other =
        Ask { epid: "01010101".into(), headers: "Contact: <sip:192.0.2.8:6120>\r\n".into(), ..Ask::register(APP) };
    bench.ask(&other.call("other"));
    assert_eq!(bench.front.counters().registered_now, 2);
}

#[test]
fn one_endpoint_too_many_tells_the_oldest_that_it_is_unregistered() {
    let mut bench = Bench::with(Switches { endpoint_limit: 2, ..Switches::default() });
    bench.listed(2);
    let endpoint = |epid: &str| {
        let contact = "Contact: <sip:192.0.2.8:6120;transport=tcp>\r\n".into();
        Ask { epid: epid.into(), headers: contact, ..Ask::register(APP) }.call(epid)
    };
    assert_eq!(bench.ask(&endpoint("01")).status(), Some(200));
    let sent = bench.say(endpoint("02").text());
    assert_eq!((sent.len(), sent[0].status()), (2, Some(200)));
    event(&sent[1], RegistrationEvent::Unregistered, 4140);
    assert!(sent[1].header("To").unwrap().contains(Epid::of(APP).as_str()), "the oldest");
    assert_eq!((bench.front.counters().registered_now, bench.front.live_subscriptions()), (2, 0));
}

#[test]
fn a_register_at_another_pool_than_the_home_is_redirected_there() {
    for (by_address, home) in [(false, "pool1.sim.example:5061"), (true, "192.0.2.2:5061")] {
        let mut bench = Bench::bare(Switches { contacts_by_address: by_address, ..Switches::default() });
        let redirect = bench.ask(&Ask::register("sip:far@sim.example"));
        assert_eq!(redirect.status(), Some(301));
        assert_eq!(redirect.contact().unwrap().uri, format!("sip:{home};transport=tcp"));
        bench.connection = ConnectionId(2);
        bench.front.connected(bench.connection, 1);
        assert_eq!(bench.ask(&Ask::register("sip:far@sim.example").call("there")).status(), Some(200));
    }
}

#[test]
fn unknown_and_disabled_owners_are_refused() {
    let mut bench = Bench::bare(Switches::default());
    assert_eq!(bench.refused(&Ask::register("sip:nobody@sim.example")), (404, 1003));
    bench.ask(&Ask::register(USER));
    let told = bench.order("disable sip:user@sim.example").remove(0);
    event(&told, RegistrationEvent::Rejected, 4141);
    assert_eq!(bench.refused(&Ask::register(USER).call("again")), (403, 4003));
    bench.order("heal");
    assert_eq!(bench.ask(&Ask::register(USER).call("healed")).status(), Some(200));
}

/// This message is the event of a registration, whole.
fn event(message: &Message, expected: RegistrationEvent, diagnostics: u32) {
    assert_eq!(message.method().unwrap().as_str(), "NOTIFY");
    assert_eq!(message.check(), Ok(()));
    assert_eq!(message.event().unwrap().package, "registration-notify");
    assert_eq!(message.content_type(), Some("text/registration-event"));
    assert_eq!(message.header("Subscription-State"), Some("terminated;expires=0"));
    assert_eq!(message.ms_diagnostics().map_or(0, |found| found.id), diagnostics);
    assert_eq!(read_registration_event(message.body()), Some(expected));
}

#[test]
fn each_event_is_told_with_its_body_and_number_and_drops_what_it_must() {
    let ends = [
        ("unregistered", RegistrationEvent::Unregistered, 4140, 0),
        ("rejected", RegistrationEvent::Rejected, 4141, 0),
        ("deactivated", RegistrationEvent::Deactivated, 4142, 0),
        ("userservices-unavailable", RegistrationEvent::UserServicesUnavailable, 4165, 1),
        ("preferred-registrar-change", RegistrationEvent::PreferredRegistrarChange, 4166, 0),
    ];
    for (word, expected, number, left) in ends {
        let mut bench = Bench::new();
        bench.listed(1);
        let told = bench.order(&format!("deregister {APP} {word}")).remove(0);
        event(&told, expected, number);
        assert!(
            told.request_uri()
                .unwrap()
                .starts_with("sip:192.0.2.7:6120;transport=tcp;ms-opaque=1a2b3c4d5e;ms-received-cid=")
        );
        let registrar = told.header("P-Preferred-Registrar");
        assert_eq!(registrar.is_some(), word == "preferred-registrar-change");
        if let Some(registrar) = registrar {
            assert_eq!(registrar, "<sip:pool1.sim.example:5061;transport=tcp>");
            assert_eq!(bench.refused(&Ask::register(APP).call("again")).0, 301);
        }
        assert_eq!((bench.front.counters().registered_now, bench.front.live_subscriptions()), (left, left), "{word}");
        assert!(bench.say(answer(&told, 200)).is_empty());
        assert_eq!(bench.front.counters().notifies_answered, 1);
    }
}

#[test]
fn who_was_deregistered_is_refused_without_blame() {
    let mut bench = Bench::new();
    bench.order(&format!("deregister {APP} deactivated"));
    assert_eq!(bench.refused(&Ask::list(APP, &[agent(1)])).0, 480);
    assert_eq!(bench.violations(), Vec::<String>::new());
}

#[test]
fn user_services_that_go_are_told_to_everyone_and_keep_the_dialogs() {
    let mut bench = Bench::new();
    let ask = bench.listed(1);
    bench.ask(&Ask::register(USER));
    let told = bench.order("user-services off");
    assert_eq!(told.len(), 2);
    told.iter().for_each(|one| event(one, RegistrationEvent::UserServicesUnavailable, 4165));
    assert_eq!(bench.refused(&ask), (480, 4165));
    assert!(bench.order("set sip:agent1@sim.example busy").is_empty());
    assert_eq!(bench.front.live_subscriptions(), 1);
    let told = bench.order("user-services on");
    assert_eq!(told.len(), 2);
    told.iter().for_each(|one| event(one, RegistrationEvent::UserServicesAvailable, 0));
    assert_eq!(bench.ask(&Ask { cseq: 3, ..ask }).status(), Some(200));
    assert_eq!(bench.front.subscriptions_of(&uri(&agent(1))).len(), 1);
}
