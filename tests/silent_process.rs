//! `presence-provider run` against a simulated Skype for Business pool that stops notifying without a sign.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use std::fs;

use presence_simulator::{Activity, AgentState};
use process::http::Client;
use process::skype::plain;
use process::{DOMAIN, program};
use serde_json::json;

#[test]
fn an_operator_reads_what_was_held_and_what_the_pool_says_and_the_agent_is_told_of_again() {
    let (server, config) = plain(4, "SampleInterval=\"1s\"", |_| {});
    let text = fs::read_to_string(config.path()).unwrap();
    config.write(&text.replace(r#"<Http enabled="false" />"#, r#"<Http Listen="127.0.0.1:0" />"#));
    let service = config.run(&["--log-level", "debug"]);
    let said = service.says("the API and the dashboard are at ");
    let url = said.rsplit(' ').next().unwrap().trim_end_matches('/').to_owned();
    let client = Client::new(&url, None);
    let mut events = client.events("/api/v1/events", None);
    service.until("all are subscribed", || server.live_subscriptions() == 4);
    service.until("it was asked for all", || server.counters().queries >= 4);
    assert_eq!(server.command("mute").unwrap(), "4 subscriptions told of no change any more");
    server.set_presence(&format!("sip:agent2@{DOMAIN}"), AgentState::of(Activity::OnThePhone));
    let told = service.says("the server has stopped notifying without a sign");
    assert!(told.contains(" WARN - ") && told.contains("sip:agent2@demo.example"), "{told}");
    assert!(
        told.contains("held=\"Online 3500\" said=\"Busy 6500 (on-the-phone)\" subscribed_anew=\"at once\""),
        "{told}"
    );
    service.says("Presence change: 'sip:agent2@demo.example' Busy : 6500 : on-the-phone : ");
    let told = events.until("silent_loss").data;
    assert_eq!((&told["uri"], &told["endpoint"]), (&json!("sip:agent2@demo.example"), &json!("application")), "{told}");
    let values = (&told["held"]["availability"]["name"], &told["said"]["availability"]["name"]);
    assert_eq!(values, (&json!("Online"), &json!("Busy")), "{told}");
    let endpoint = || client.get("/api/v1/endpoints").json["endpoints"][0].clone();
    service.until("it is seen", || endpoint()["silent_losses"] == 1);
    assert_eq!(endpoint()["last_silent_loss"], told["at"]);
    let glance = program().args(["status", "--url", &url]).output().unwrap();
    let glance = String::from_utf8(glance.stdout).unwrap();
    assert!(glance.contains("1 silent loss found by samples, the last at "), "{glance}");
    server.set_presence(&format!("sip:agent2@{DOMAIN}"), AgentState::of(Activity::Meal));
    service.says("Presence change: 'sip:agent2@demo.example' BeRightBack : 12500 : ");
    // Whether the new subscription began with that or was told of it: from now on it is told.
    server.set_presence(&format!("sip:agent2@{DOMAIN}"), AgentState::of(Activity::Away));
    service.says("Presence change: 'sip:agent2@demo.example' Away : 15500 : ");
    let counters = server.counters();
    assert_eq!((server.live_subscriptions(), counters.most_live_for_one_agent), (4, 1), "{counters:?}");
    assert_eq!(counters.batch_dialogs_now, 1, "{counters:?}");
    let ended = service.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert_eq!(ended.with("stopped notifying").count(), 1, "{}", ended.all());
    assert_eq!(server.counters().violations, Vec::<String>::new());
}
