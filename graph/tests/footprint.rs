//! What an agent weighs here, beside the agent itself.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;
use std::num::NonZeroU32;
use std::time::{Duration, Instant, SystemTime};

use presence_core::{AgentUri, Attempt};
use presence_graph::{
    AccountKind, AccountSettings, Answer, Body, ExchangeId, Graph, GraphEffect, GraphInput, GraphSettings, Host,
    Request, Secret, TenantSettings,
};

/// Bytes of an agent: its place by its URI, its user, its last value, its batch.
const MOST: u64 = 600;
/// Bytes with what the directory remembers of it for a day.
const MOST_WITH_NAME: u64 = 720;

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}

fn answer(request: &Request) -> Answer {
    let mut body = String::from(r#"{"value":["#);
    match (&request.body, request.host) {
        (_, Host::Login) => body = r#"{"token_type":"Bearer","expires_in":86399,"access_token":"t"}"#.to_owned(),
        (Body::Json(ids), Host::Graph) => {
            let ids: serde_json::Value = serde_json::from_slice(ids).unwrap();
            for id in ids["ids"].as_array().unwrap() {
                write!(
                    body,
                    r#"{{"id":{id},"availability":"Busy","activity":"InACall","sequenceNumber":"A0129311063"}},"#
                )
                .unwrap();
            }
        }
        (_, Host::Graph) => {
            let path = percent_encoding::percent_decode_str(&request.path).decode_utf8().unwrap().into_owned();
            for upn in path.split('\'').filter(|part| part.contains('@')) {
                let number: u64 = upn.trim_start_matches("agent").split('@').next().unwrap().parse().unwrap();
                let id = format!("a9e00000-0000-4000-8000-{number:012x}");
                write!(body, r#"{{"id":"{id}","userPrincipalName":"{upn}"}},"#).unwrap();
            }
        }
    }
    if request.host == Host::Graph {
        body.truncate(body.trim_end_matches(',').len());
        body.push_str("]}");
    }
    Answer { status: 200, retry_after: None, date: None, request_id: None, body: body.into() }
}

/// Takes what the machine wants; requests stay open.
fn pump(graph: &mut Graph, now: Instant, open: &mut VecDeque<(ExchangeId, Request)>, fresh: &mut BTreeSet<AgentUri>) {
    while let Some(effect) = graph.poll_effect() {
        match effect {
            GraphEffect::Send { exchange, request, .. } => open.push_back((exchange, request)),
            GraphEffect::LoadSecret { account } => {
                let secret = Secret::ClientSecret { client_id: "id".to_owned(), secret: "s".to_owned().into() };
                graph.handle(now, GraphInput::SecretLoaded { account, secret: Ok(secret) });
            }
            GraphEffect::Feed { uri, input: presence_core::SubscriptionInput::Notified { .. } } => {
                fresh.insert(uri);
            }
            _ => {}
        }
    }
}

/// Lets the machine run until nobody waits for a first value.
fn run(
    graph: &mut Graph,
    now: &mut Instant,
    open: &mut VecDeque<(ExchangeId, Request)>,
    fresh: &mut BTreeSet<AgentUri>,
    wanted: usize,
) {
    let until = *now + Duration::from_secs(3_600);
    while fresh.len() < wanted {
        assert!(*now < until, "{:#?}", graph.view(*now));
        pump(graph, *now, open, fresh);
        match open.pop_front() {
            Some((exchange, request)) => {
                graph.handle(*now, GraphInput::Answered { exchange, result: Ok(answer(&request)) });
            }
            None => {
                *now = graph.poll_timeout().unwrap().max(*now);
                graph.handle_timeout(*now);
            }
        }
    }
}

/// Bytes per agent, and the machine, which is to live on.
fn weigh(uri: fn(u32) -> AgentUri) -> (u64, Graph) {
    let account = AccountSettings { name: "one".into(), kind: AccountKind::Application };
    let settings = GraphSettings {
        tenants: vec![TenantSettings { id: "tenant".into(), domains: BTreeSet::new(), accounts: vec![account] }],
        users: BTreeMap::new(),
        sweep: Duration::from_secs(5),
        slow_sweep: Duration::from_secs(60),
        requests_per_second: NonZeroU32::new(10_000).unwrap(),
        forget_unknown_after: Duration::from_secs(900),
        declines: false,
        notifications: None,
    };
    let mut now = Instant::now();
    let mut graph = Graph::new(now, SystemTime::now(), settings, "login.example", "graph.example", 1);
    // The URIs are the agents' own, and so is what the test remembers of them.
    let uris: Vec<AgentUri> = (1..=55_000).map(uri).collect();
    let mut fresh: BTreeSet<AgentUri> = uris.iter().cloned().collect();
    let (warm, measured) = uris.split_at(5_000);
    let mut before = 0;
    let mut open = VecDeque::new();
    for (part, wanted) in [(warm, 5_000), (measured, 55_000)] {
        before = resident();
        part.iter().for_each(|uri| _ = fresh.remove(uri));
        let known = fresh.len();
        for agent in part {
            graph.handle(now, GraphInput::Register { uri: agent.clone(), attempt: Attempt(1) });
            pump(&mut graph, now, &mut open, &mut fresh);
        }
        assert_eq!(known + part.len(), 55_000, "{wanted}");
        run(&mut graph, &mut now, &mut open, &mut fresh, 55_000);
    }
    let weight = resident().saturating_sub(before) / measured.len() as u64;
    (weight, graph)
}

#[test]
fn an_agent_weighs_less_than_600_bytes_beside_itself_and_little_more_with_its_name() {
    let by_id = |number| format!("sip:a9e00000-0000-4000-8000-{number:012x}@demo.example").parse().unwrap();
    let by_name = |number| format!("sip:agent{number}@demo.example").parse().unwrap();
    let (bare, _alive) = weigh(by_id);
    let (named, _alive) = weigh(by_name);
    assert!((100..MOST).contains(&bare), "{bare} bytes");
    assert!((100..MOST_WITH_NAME).contains(&named), "{named} bytes");
}
