//! `presence-provider demo` tells its story, in order, and its figures are right.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use process::{Ended, Service, program};

fn demo(arguments: &[&str]) -> Service {
    let mut command = program();
    command.arg("demo").args(arguments);
    Service::start(command)
}

/// The value of a row of the summary.
fn figure(ended: &Ended, row: &str) -> u64 {
    let rows = ended.lines.iter().filter_map(|line| line.strip_prefix("   "));
    let mut values = rows.filter_map(|line| line.strip_prefix(row)).filter(|rest| rest.starts_with("  "));
    let value = values.next().unwrap_or_else(|| panic!("no row {row:?}:\n{}", ended.all()));
    value.split_whitespace().next().unwrap().parse().unwrap_or_else(|_| panic!("{row}{value}"))
}

/// The story is told in this order.
fn assert_story(ended: &Ended, parts: &[&str]) {
    let mut rest = ended.lines.iter();
    for part in parts {
        assert!(rest.any(|line| line.contains(part)), "{part:?} is not there, or not in its place:\n{}", ended.all());
    }
}

fn assert_good_end(ended: &Ended, agents: u64, queues: u64, limit: u64) {
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(ended.with(" ERROR - ").next().is_none(), "{}", ended.all());
    assert_eq!(figure(ended, "agents"), agents);
    assert_eq!(figure(ended, "queues"), queues);
    assert_eq!(figure(ended, "subscriptions on the wire"), agents, "{}", ended.all());
    assert_eq!(figure(ended, "most subscriptions that one agent ever had at once"), 1);
    assert_eq!(figure(ended, "subscriptions left there after the end"), 0);
    assert!(figure(ended, "most agents asked for in any second") <= limit, "{}", ended.all());
    let pairs = figure(ended, "agents wanted, summed over the queues");
    let messages = figure(ended, "SIP messages for them, both directions");
    assert_eq!(figure(ended, "the same if every queue subscribed by itself, about"), messages * pairs / agents);
    let story = ended.lines.iter().filter(|line| !line.contains(" - "));
    assert!(story.clone().all(|line| line.chars().count() <= 100), "{:#?}", story.collect::<Vec<_>>());
}

#[test]
fn the_whole_story_is_told_in_seventeen_seconds() {
    let ended = demo(&["--for", "17s"]).end();
    assert_story(
        &ended,
        &[
            "== A simulated Skype for Business pool with 20 agents listens on 127.0.0.1:",
            "== A simulated Microsoft Graph with 8 Teams agents answers at http://127.0.0.1:",
            "== 3 queues share them",
            "Log lines to look for",
            "PresenceProviderClient::Subscribe sipUrisip:agent",
            "Idle -> Establishing",
            "== All 20 agents are subscribed after ",
            "== The pool ends the registration of the application endpoint",
            "its agents keep their last value as stale",
            "== All 20 agents are known again after",
            "== The pool drops the connection",
            "Reestablishing -> Established",
            "== All 20 agents are fresh again",
            "== Every subscription is ended",
            "== Summary",
        ],
    );
    assert_good_end(&ended, 20, 3, 15);
    assert_eq!(figure(&ended, "agents wanted, summed over the queues"), 40);
    let messages = figure(&ended, "SUBSCRIBE messages");
    assert!(messages <= 16, "lists, not agents: {messages} for three times 20 agents");
}

#[test]
fn twenty_seconds_hold_the_scene_in_which_microsoft_asks_for_less() {
    let ended = demo(&["--for", "20s"]).end();
    assert_story(
        &ended,
        &[
            "MsGraphPresenceSource INFO - the account works account=account1",
            "== All 20 agents are subscribed after ",
            "== The 8 Teams agents are known too: Microsoft Graph is asked for all of them with 1 request every",
            "== All 20 agents are known again after",
            "== Microsoft Graph answers 429, too many requests, with Retry-After: 2.128.",
            "MsGraphPresenceSource WARN - Microsoft asks for fewer requests; the account waits account=account1",
            "== It was asked again ",
            "== The pool drops the connection",
            "== All 20 agents are fresh again",
            "== Summary",
        ],
    );
    assert_good_end(&ended, 20, 3, 15);
    assert_eq!(figure(&ended, "Teams agents"), 8);
    let requests = figure(&ended, "requests to Microsoft Graph for their presence");
    // One a second, and one when it goes on; a pause of 2 to 3.2 s.
    assert!((14..=21).contains(&requests), "{}", ended.all());
    assert!(ended.with("arithmetic 1.00)").next().is_some() && ended.with("(told once to ask less)").next().is_some());
    let again = ended.with("== It was asked again ").next().unwrap();
    let after: f64 = again.split_whitespace().nth(5).unwrap().parse().unwrap();
    assert!((2.1..=4.0).contains(&after), "{again}");
    assert!(!ended.all().contains("simulated~secret"), "a secret is told");
}

#[test]
fn without_teams_agents_nothing_is_said_of_microsoft() {
    let ended = demo(&["--for", "4s", "--teams-agents", "0"]).end();
    assert_good_end(&ended, 20, 3, 15);
    for word in ["Teams", "Microsoft", "429"] {
        let said =
            ended.lines.iter().filter(|line| !line.contains("Log lines") && !line.contains("what Microsoft Graph"));
        let said: Vec<_> = said.filter(|line| line.contains(word)).collect();
        assert!(said.is_empty(), "{said:?}");
    }
}

#[test]
fn the_story_of_the_other_dialect_is_told_in_twelve_seconds() {
    let ended = demo(&["--dialect", "simple", "--for", "12s"]).end();
    assert_story(
        &ended,
        &[
            "== A simulated presence server with 20 agents listens on 127.0.0.1:",
            "== 3 queues share them",
            "Log lines to look for",
            "PresenceProviderClient::Subscribe sipUrisip:agent",
            "Idle -> Establishing",
            "== All 20 agents are subscribed after 1.",
            "== The server ends the subscription of sip:agent1@demo.example",
            "== sip:agent1@demo.example is subscribed again after",
            "== The server drops the connection",
            "its agents keep their last value as stale",
            "Reestablishing -> Established",
            "== All 20 agents are fresh again",
            "== Every subscription is ended",
            "== Summary",
        ],
    );
    assert_good_end(&ended, 20, 3, 15);
    assert_eq!(figure(&ended, "agents wanted, summed over the queues"), 40);
}

#[test]
fn six_seconds_leave_out_the_scene_that_does_not_fit_and_say_so() {
    let ended = demo(&["--dialect", "simple", "--for", "6s", "--log-level", "warn"]).end();
    assert_story(
        &ended,
        &["== All 20 agents are subscribed", "is subscribed again after", "The time is too short", "== Summary"],
    );
    assert!(ended.with("drops the connection").next().is_none(), "{}", ended.all());
    assert_good_end(&ended, 20, 3, 15);
}

#[test]
fn one_agent_and_one_queue_are_spoken_of_in_the_singular() {
    let ended = demo(&["--for", "3s", "--agents", "1", "--teams-agents", "0", "--uccs", "1"]).end();
    assert_story(&ended, &["with 1 agent listens", "== One queue watches it", "== The agent is subscribed"]);
    assert_good_end(&ended, 1, 1, 15);
}

#[test]
fn many_agents_keep_to_the_rate() {
    let ended =
        demo(&["--for", "20s", "--agents", "200", "--uccs", "10", "--rate", "100", "--log-level", "warn"]).end();
    assert_story(
        &ended,
        &["== With so many queues", "== All 200 agents are subscribed", "== All 200 agents are fresh again"],
    );
    assert_good_end(&ended, 200, 10, 100);
}

#[test]
fn control_c_ends_it_with_the_summary() {
    let service = demo(&["--log-level", "warn"]);
    service.says("All 20 agents are subscribed");
    service.signal("INT");
    let ended = service.end();
    assert_story(&ended, &["== Ctrl-C: the demo ends.", "== Every subscription is ended", "== Summary"]);
    assert_good_end(&ended, 20, 3, 15);
}

#[test]
fn an_end_before_everything_is_subscribed_says_so() {
    let ended = demo(&["--for", "1s", "--rate", "5", "--log-level", "warn"]).end();
    assert_eq!(ended.code, Some(0));
    assert_story(&ended, &["== At this rate it takes 5 s until all are subscribed.", "== Every subscription is ended"]);
    assert!(figure(&ended, "subscriptions on the wire") < 20);
    assert!(ended.with("(the end came before all were subscribed)").next().is_some(), "{}", ended.all());
}
