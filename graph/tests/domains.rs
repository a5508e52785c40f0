//! Which tenant an agent is asked for in.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::{Duration, Instant, SystemTime};

use presence_core::Attempt;
use presence_graph::{
    AccountKind, AccountSettings, Answer, ExchangeId, Graph, GraphEffect, GraphInput, GraphSettings, Request, Secret,
    TenantSettings,
};

fn tenant(id: &str, domain: &str) -> TenantSettings {
    TenantSettings {
        id: id.into(),
        domains: BTreeSet::from([domain.to_owned()]),
        accounts: vec![AccountSettings { name: format!("of-{id}").into(), kind: AccountKind::Application }],
    }
}

fn answer(status: u16, body: &str) -> Answer {
    let body = body.to_owned().into();
    Answer { status, retry_after: None, date: None, request_id: None, body }
}

/// Answers every token, and no lookup; says as which accounts lookups were sent.
fn asked(uri: &str) -> Vec<String> {
    #[expect(clippy::disallowed_methods, reason = "a moment to count from")]
    let (mut now, wall) = (Instant::now(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    let settings = GraphSettings {
        tenants: vec![tenant("one", "one.example"), tenant("two", "two.example")],
        users: BTreeMap::new(),
        sweep: Duration::from_secs(5),
        slow_sweep: Duration::from_secs(60),
        requests_per_second: NonZeroU32::new(30).unwrap(),
        forget_unknown_after: Duration::from_secs(900),
        declines: false,
        notifications: None,
    };
    let mut graph = Graph::new(now, wall, settings, "login.example", "graph.example", 1);
    graph.handle(now, GraphInput::Register { uri: uri.parse().unwrap(), attempt: Attempt(1) });
    let mut lookups = Vec::new();
    for _ in 0..20 {
        let effects: Vec<GraphEffect> = std::iter::from_fn(|| graph.poll_effect()).collect();
        for effect in effects {
            match effect {
                GraphEffect::LoadSecret { account } => {
                    let secret =
                        Secret::ClientSecret { client_id: "client".into(), secret: "secret".to_owned().into() };
                    graph.handle(now, GraphInput::SecretLoaded { account, secret: Ok(secret) });
                }
                GraphEffect::Send { exchange, account, request } => {
                    lookups.extend(lookup(&request).then(|| account.to_string()));
                    graph.handle(now, GraphInput::Answered { exchange, result: Ok(reply(exchange, &request)) });
                }
                _ => {}
            }
        }
        now = graph.poll_timeout().unwrap_or(now + Duration::from_millis(100)).min(now + Duration::from_millis(100));
        graph.handle_timeout(now);
    }
    lookups.dedup();
    lookups
}

fn lookup(request: &Request) -> bool {
    request.path.starts_with("/v1.0/users")
}

fn reply(_: ExchangeId, request: &Request) -> Answer {
    if lookup(request) {
        answer(200, r#"{"value":[]}"#)
    } else {
        answer(200, r#"{"token_type":"Bearer","expires_in":3600,"access_token":"token"}"#)
    }
}

#[test]
fn an_agent_is_asked_for_in_the_tenant_that_names_its_domain() {
    assert_eq!(asked("sip:agent@two.example"), ["of-two"]);
}

#[test]
fn an_agent_whose_domain_no_tenant_names_is_asked_for_in_all_of_them() {
    assert_eq!(asked("sip:agent@elsewhere.example"), ["of-one", "of-two"]);
}
