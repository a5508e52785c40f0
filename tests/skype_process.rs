//! `presence-provider run` against a simulated Skype for Business pool: what its operator sees, and what the pool sees.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use std::net::{SocketAddr, TcpListener};

use presence_simulator::{Activity, AgentState, FrontEndHandle};
use process::skype::{Authority, config, for_tcp, plain, with_a_home_pool};
use process::{Config, DOMAIN, Ended, Service, eventually};

const USER: &str = "<UserEndpoint UserUri=\"sip:demo_user@demo.example\" />";

fn agent(number: usize) -> String {
    format!("sip:agent{number}@{DOMAIN}")
}

/// Nobody is subscribed or registered any more, and nothing was against the rules.
#[track_caller]
fn nothing_is_left(server: &FrontEndHandle, ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(ended.lines.last().unwrap().ends_with("every subscription is ended; goodbye"), "{}", ended.all());
    let gone = || server.counters().registered_now == 0 && server.counters().dialogs_now == 0;
    assert!(eventually(gone), "{:?}\n{}", server.counters(), ended.all());
    assert_eq!(server.counters().violations, Vec::<String>::new());
}

/// The warnings and errors about the pool, without those about the file.
fn complaints(lines: &[String]) -> Vec<&String> {
    let loud = |line: &&String| line.contains(" WARN - ") || line.contains(" ERROR - ");
    lines.iter().filter(loud).filter(|line| !line.contains("Config.xml:")).collect()
}

#[test]
fn both_endpoints_register_changes_come_over_the_pools_own_connection_and_a_signal_takes_all_back() {
    let authority = Authority::new();
    let server = authority.front_end(authority.pool(), 3, |settings| settings.switches.own_connections = true);
    let own = authority.application();
    let config = config(&server.address(0).to_string(), "", USER, 3, &own, &authority.pem());
    let service = config.run(&["--log-level", "debug"]);
    service.until("all are subscribed", || server.live_subscriptions() == 3);
    server.set_presence(&agent(2), AgentState::of(Activity::OnThePhone));
    service.says("Presence change: 'sip:agent2@demo.example' Busy : 6500 : on-the-phone : ");
    let counters = server.counters();
    assert_eq!((counters.registered_now, counters.dialogs_now, counters.subscribes_initial), (2, 1, 1));
    assert!(counters.dialled >= 1, "the pool connects to our listener: {counters:?}");
    let ended = service.terminate();
    nothing_is_left(&server, &ended);
    assert_eq!(complaints(&ended.lines), Vec::<&String>::new());
    assert!(ended.all().contains(
        "MaxPresenceSubscriptionsPerSecond 200, ApplicationId: urn:application:ucc_app14_1, \
         ApplicationEndpoints:[sip:ucc_app01@demo.example] UserEndpoints:[sip:demo_user@demo.example]\n"
    ));
    let counters = server.counters();
    // One for all three agents, one that ends it; each endpoint registers and takes that back.
    assert_eq!((counters.subscribes_initial, counters.subscribes_in_dialog, counters.registers), (1, 1, 4));
}

#[test]
fn a_run_that_was_killed_leaves_nothing_that_the_next_one_does_not_replace() {
    let authority = Authority::new();
    let server = authority.front_end(authority.pool(), 3, |_| {});
    let own = authority.application();
    // The application endpoint looks a name up, so that the user endpoint would be up before it.
    let user = format!(
        "<UserEndpoint UserUri=\"sip:demo_user@{DOMAIN}\" PoolFqdn=\"127.0.0.1:{}\" />",
        server.address(0).port()
    );
    let config = config(&format!("localhost:{}", server.address(0).port()), "", &user, 3, &own, &authority.pem());
    let killed = config.run(&[]);
    killed.until("all are subscribed", || server.live_subscriptions() == 3);
    drop(killed);
    let service = config.run(&[]);
    service.until("it has begun its own dialog", || server.counters().subscribes_initial == 2);
    service.until("all are subscribed", || server.live_subscriptions() == 3);
    let counters = server.counters();
    assert_eq!((counters.registered_now, counters.dialogs_now), (2, 1), "{counters:?}");
    for number in 1..=3 {
        let subscribed: Vec<_> =
            server.subscriptions_of(&agent(number)).into_iter().map(|(by, _)| by.to_string()).collect();
        assert_eq!(subscribed, ["sip:ucc_app01@demo.example"], "agents are the application endpoint's first");
    }
    nothing_is_left(&server, &service.terminate());
}

#[test]
fn the_home_pool_is_found_by_the_address_that_another_pool_names() {
    let (server, config) = plain(3, "", |settings| {
        with_a_home_pool(settings, "home.demo.example", SocketAddr::from(([127, 0, 0, 1], 0)));
    });
    let service = config.run(&[]);
    service.until("all are subscribed", || server.live_subscriptions() == 3);
    let told = service.says("the pool sends the application endpoint elsewhere");
    assert!(told.contains(&format!("to={}", server.address(1))), "{told}");
    let ended = service.terminate();
    nothing_is_left(&server, &ended);
    assert_eq!(complaints(&ended.lines), Vec::<&String>::new());
}

#[test]
fn pools_that_send_us_from_one_to_the_other_are_one_warning_and_not_one_per_attempt() {
    // `localhost` is another address for each of them: the first's is the second's.
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ports = [free(), free()];
    let at = |host: u8, port: u16| SocketAddr::from(([127, 0, 0, host], port));
    let servers = [(ports[0], ports[1]), (ports[1], ports[0])].map(|(own, other)| {
        plain(1, "", |settings| {
            settings.listen[0] = at(1, own);
            settings.settings.pools[0].address = at(1, own);
            with_a_home_pool(settings, "localhost", at(2, other));
            settings.settings.switches.contacts_by_address = false;
        })
    });
    let service = servers[0].1.run(&[]);
    let told = service.says("is not served by its pool");
    assert!(told.contains("the pools send us from one to the other"), "{told}");
    service
        .until("another attempt", || servers.iter().map(|(server, _)| server.counters().registers).sum::<u64>() >= 5);
    let lines = service.lines();
    assert_eq!(complaints(&lines).len(), 1, "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line.contains("elsewhere to=")).count(), 2, "{lines:#?}");
    drop(service);
}

#[test]
fn an_outage_of_the_pool_is_a_few_lines_however_many_agents_there_are() {
    let (server, config) = plain(200, "", |_| {});
    let service = config.run(&[]);
    service.until("all are subscribed", || server.live_subscriptions() == 200);
    let before = service.lines().len();
    server.command("outage 0 1s forget").unwrap();
    service.says("the application endpoint is lost; its agents keep their last value as stale");
    service.says("Reestablishing -> Established");
    service.until("all are back", || server.live_subscriptions() == 200);
    let ended = service.terminate();
    assert!(ended.with("abandoned").next().is_none(), "{}", ended.all());
    let outage = &ended.lines[before..];
    let story = outage.iter().filter(|line| !line.contains("PresenceProviderClient")).count();
    // A busy machine tells once or twice more how far the recovery is.
    assert!(story <= 16, "{outage:#?}");
    nothing_is_left(&server, &ended);
}

#[test]
fn a_pool_without_presence_is_told_once_for_all_agents() {
    let (server, config) = plain(100, "", |_| {});
    server.command("user-services off").unwrap();
    let service = config.run(&[]);
    let told = service.says("the application endpoint cannot subscribe its agents; none is given up for it");
    assert!(told.contains("480") && told.contains("agents="), "{told}");
    server.command("user-services on").unwrap();
    service.until("all are subscribed", || server.live_subscriptions() == 100);
    let ended = service.terminate();
    assert!(complaints(&ended.lines).len() <= 2, "{:#?}", complaints(&ended.lines));
    nothing_is_left(&server, &ended);
}

#[test]
fn an_endpoint_that_does_not_register_is_told_why_a_pool_gives_it_nothing() {
    let (server, config) = plain(2, "UseRegistration=\"false\"", |_| {});
    let service = config.run(&[]);
    let told = service.says("the application endpoint cannot subscribe its agents");
    assert!(told.contains("480") && told.contains("remove UseRegistration"), "{told}");
    let counters = server.counters();
    assert_eq!(counters.registers, 0);
    assert!(counters.messages.get("OPTIONS").is_some_and(|options| *options > 0), "{counters:?}");
    // The same pool, when it does not insist.
    let (server, config) = plain(2, "UseRegistration=\"false\"", |settings| settings.settings.switches.strict = false);
    let service = config.run(&[]);
    service.until("all are subscribed", || server.live_subscriptions() == 2);
    nothing_is_left(&server, &service.terminate());
}

#[test]
fn a_registration_that_is_refused_for_now_is_told_with_the_pools_words() {
    for (refusal, words) in [
        ("refuse REGISTER 480", "480 "),
        ("refuse REGISTER 503 retry-after 30s", "503 the pool is overloaded"),
        ("refuse REGISTER 301", "the pool sends us elsewhere and does not say where"),
    ] {
        let (server, config) = plain(1, "", |_| {});
        server.command(refusal).unwrap();
        let service = config.run(&[]);
        let told = service.says("the application endpoint is not served by its pool; it keeps trying");
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn a_pool_that_takes_neither_our_certificate_nor_tls_is_told_in_words_and_once() {
    let (authority, renewed, stranger) = (Authority::new(), Authority::new(), Authority::named("Stranger"));
    let long_ago = |params: &mut rcgen::CertificateParams| {
        params.not_before = rcgen::date_time_ymd(2019, 1, 1);
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    };
    let local = ["pool.demo.example", "127.0.0.1"];
    let wrong_name = authority.front_end(authority.issue(&["fe07.demo.example"], |_| {}), 1, |_| {});
    let expired = authority.front_end(authority.issue(&local, long_ago), 1, |_| {});
    let good = authority.front_end(authority.pool(), 1, |_| {});
    let (plain, _) = plain(1, "", |_| {});
    let own = authority.application();
    let cases = [
        (wrong_name.address(0), &own, authority.pem(), "is not valid for 127.0.0.1; it names fe07.demo.example"),
        (expired.address(0), &own, authority.pem(), "the certificate of 127.0.0.1 expired at 2020-01-01"),
        (good.address(0), &own, renewed.pem(), "another key, as after a renewal of the authority"),
        (good.address(0), &own, stranger.pem(), "was not issued by an authority in TrustedCertificates"),
        (
            good.address(0),
            &stranger.application(),
            authority.pem(),
            "it does not know the authority that issued our certificate",
        ),
        (
            good.address(0),
            &authority.issue(&["trust.demo.example"], long_ago),
            authority.pem(),
            "our certificate has expired",
        ),
        (plain.address(0), &own, authority.pem(), "perhaps it does not speak TLS on port"),
    ];
    let running: Vec<(Service, Config, &str)> = cases
        .iter()
        .map(|(address, own, trusted, words)| (config(&address.to_string(), "", "", 1, own, trusted), *words))
        .map(|(config, words)| (config.run(&[]), config, words))
        .collect();
    for (service, _, words) in &running {
        service.says(words);
    }
    for (service, _config, words) in running {
        let lines = service.lines();
        assert_eq!(complaints(&lines).len(), 1, "{words}: {lines:#?}");
    }
}

#[test]
fn a_tls_port_that_is_spoken_to_in_plain_tcp_is_told() {
    let authority = Authority::new();
    let server = authority.front_end(authority.pool(), 1, |_| {});
    let config = for_tcp(server.address(0), "", 1);
    let service = config.run(&[]);
    let told = service.says("the application endpoint is not served by its pool");
    assert!(told.contains("closed the connection"), "{told}");
}
