//! `presence-provider run` as a service manager sees it: its log, its signals, its end.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use std::collections::BTreeSet;

use presence_simulator::{Activity, AgentState, Faults, Reaction, Scope};
use process::{Config, Ended, pool, queue, server, taken_apart};

/// Two queues that share agent 2 of three.
fn two_queues() -> String {
    queue("ucc_app01", &[1, 2]) + &queue("ucc_app02", &[2, 3])
}

/// A run in which nothing goes wrong: no error, no warning, every line in the seed's form.
fn assert_quiet(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    for line in &ended.lines {
        let (_, level, _) = taken_apart(line);
        assert!(!["ERROR", "WARN"].contains(&level), "{line}");
    }
}

fn serves_and_ends(transport: &str) {
    let server = server(3);
    server.set_presence("sip:agent1@demo.example", AgentState::of(Activity::Away));
    let config = Config::new(&pool(server.address(), transport), &two_queues());
    let service = config.run(&["--log-level", "debug"]);
    service.until("every agent is subscribed", || server.active_subscriptions() == 3);
    service.says("ucc_app01 Presence change: 'sip:agent1@demo.example' Away");
    server.set_presence("sip:agent2@demo.example", AgentState::of(Activity::OnThePhone));
    for queue in ["ucc_app01", "ucc_app02"] {
        service.says(&format!("{queue} Presence change: 'sip:agent2@demo.example' Busy : 6500 : on-the-phone :"));
    }
    let ended = service.terminate();
    assert_quiet(&ended);
    assert_eq!(server.active_subscriptions(), 0, "everything is taken back:\n{}", ended.all());
    let counters = server.counters();
    assert_eq!((counters.subscribes, counters.unsubscribes, counters.most_for_one_agent), (3, 3, 1), "{counters:?}");
    let last = ended.lines.last().unwrap();
    assert!(last.ends_with("every subscription is ended; goodbye"), "{last}");
}

#[test]
fn over_tcp_queues_share_one_subscription_per_agent_and_a_signal_takes_all_back() {
    serves_and_ends("tcp");
}

#[test]
fn over_an_ipv6_address_too() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no IPv6 loopback");
        return;
    }
    let mut settings = presence_simulator::SimulatorSettings::with_agents(3, process::DOMAIN);
    settings.listen = "[::1]:0".parse().unwrap();
    let server = process::server_with(settings);
    let config = Config::new(&pool(server.address(), "tcp"), &two_queues());
    let service = config.run(&[]);
    service.until("every agent is subscribed", || server.active_subscriptions() == 3);
    assert_quiet(&service.terminate());
    assert_eq!(server.active_subscriptions(), 0);
}

#[test]
fn over_udp_too() {
    serves_and_ends("udp");
}

#[test]
fn the_four_documented_log_lines_appear_character_for_character() {
    let server = server(1);
    server.set_presence("sip:agent1@demo.example", AgentState::of(Activity::Away));
    let config = Config::new(&pool(server.address(), "tcp"), &queue("ucc_app01", &[1]));
    let service = config.run(&["--log-level", "debug"]);
    service.says("PresenceChangedEventArgs");
    service.says("Presence change");
    let ended = service.terminate();
    assert_quiet(&ended);
    let lines: BTreeSet<_> = ended.lines.iter().map(|line| taken_apart(line)).collect();
    for line in [
        (
            "UccStarter",
            "INFO",
            "PresenceProviderConfiguration:: MaxFailedPresenceSubscriptionsPerUri: 3, FailedPresenceSubscriptionsResubscribeDelay: 60MaxPresenceSubscriptionsPerSecond 15, ApplicationId: urn:application:ucc_app14_1, ApplicationEndpoints:[sip:ucc_app01@demo.example] UserEndpoints:[]",
        ),
        ("ucc_app01", "INFO", "PresenceProviderClient::Subscribe sipUrisip:agent1@demo.example"),
        (
            "ucc_app01",
            "DEBUG",
            "ucc_app01 Presence change: 'sip:agent1@demo.example' Away : 15500 : : Computer : SameEnterprise Formal:False, Active:True. WspModalityCapabilities: (audio: True, video: True, text: True)",
        ),
        (
            "ucc_app01",
            "INFO",
            "PresenceProviderClient::event PresenceChangedEventArgs: PreviousPresence: [], NewPresence: [PresenceNotificationEventArgs:: SipUri: sip:agent1@demo.example WspModalityCapabilities: (audio: True, video: True, text: True), WspDeviceType: Computer, WspSourceNetwork: SameEnterprise, WspPresenceAvailability: Away, WspPresenceAvailabilityValue: 15500, ActivityToken: ]",
        ),
    ] {
        assert!(lines.contains(&line), "missing: {line:?}\n{}", ended.all());
    }
}

#[test]
fn json_lines_are_json_and_say_the_same() {
    let server = server(2);
    let config = Config::new(&pool(server.address(), "tcp"), &queue("ucc_app01", &[1, 2]));
    let service = config.run(&["--log-format", "json", "--log-level", "debug"]);
    service.until("both are subscribed", || server.active_subscriptions() == 2);
    service.says("Presence change: 'sip:agent2@demo.example'");
    let ended = service.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    let lines: Vec<serde_json::Value> = ended.lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["timestamp"].is_string() && line["logger"].is_string()), "{lines:#?}");
    let text = "PresenceProviderClient::Subscribe sipUrisip:agent1@demo.example";
    assert!(lines.iter().any(|line| line["message"] == text && line["logger"] == "ucc_app01"), "{lines:#?}");
}

#[test]
fn a_changed_file_takes_effect_at_a_restart_and_not_before() {
    let server = server(2);
    let pool = pool(server.address(), "tcp");
    let config = Config::new(&pool, &queue("ucc_app01", &[1]));
    let service = config.run(&[]);
    service.until("agent 1 is subscribed", || server.active_subscriptions() == 1);
    config.write(&Config::text(r#"maxPresenceSubscriptionsPerSecond="7""#, "", &pool, &queue("ucc_app02", &[2])));
    service.signal("HUP");
    service.says("a changed Config.xml takes effect at a restart");
    assert!(server.counters().by_agent.contains_key("sip:agent1@demo.example"));
    assert_eq!(service.terminate().code, Some(0));

    let service = config.run(&[]);
    service.until("agent 2 is subscribed", || server.active_subscriptions() == 1);
    assert!(server.counters().by_agent.contains_key("sip:agent2@demo.example"));
    let ended = service.terminate();
    assert_quiet(&ended);
    assert!(ended.with("MaxPresenceSubscriptionsPerSecond 7,").next().is_some(), "{}", ended.all());
    assert!(ended.with("agent1").next().is_none(), "{}", ended.all());
}

/// Five agents at one per second: the orderly end takes four seconds and more.
fn slow_to_end(server: &presence_simulator::SimulatorHandle) -> Config {
    let rate = r#"maxPresenceSubscriptionsPerSecond="1""#;
    Config::of(&Config::text(rate, "", &pool(server.address(), "tcp"), &queue("ucc_app01", &[1, 2, 3, 4, 5])))
}

#[test]
fn a_second_signal_does_not_wait_for_the_orderly_end() {
    let server = server(5);
    let config = slow_to_end(&server);
    let service = config.run(&["--grace", "1m"]);
    service.until("all are subscribed", || server.active_subscriptions() == 5);
    service.signal("TERM");
    service.says("SIGTERM: ending the subscriptions, for at most 60 s");
    service.signal("INT");
    let ended = service.end();
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(ended.with("WARN - a second signal; ending at once").next().is_some(), "{}", ended.all());
    assert!(server.active_subscriptions() >= 3, "it did not wait: {}", server.active_subscriptions());
}

#[test]
fn the_grace_period_ends_the_waiting() {
    let server = server(3);
    let config = Config::new(&pool(server.address(), "tcp"), &queue("ucc_app01", &[1, 2, 3]));
    let service = config.run(&["--grace", "1s"]);
    service.until("all are subscribed", || server.active_subscriptions() == 3);
    server.faults(&Scope::Everyone, Faults { subscribe: Reaction::Ignore, ..Faults::default() });
    let ended = service.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(ended.with("WARN - the grace period is over").next().is_some(), "{}", ended.all());
}
