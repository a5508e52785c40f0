//! Answers of an API, to be shown in tests.

use jiff::tz::TimeZone;

use super::screen::Screen;
use crate::explain::{Consideration, Explanation, Outcome};
use crate::http::model::{
    Agent, AgentCounts, AgentDetail, AgentPage, AgentState, Availability, Capabilities, Capability, ChangeRecord,
    Coverage, Endpoint, EndpointName, EndpointWire, FailureDetail, FailureOwner, Freshness, GraphAccount,
    GraphAccountKind, GraphAccountState, GraphAgent, GraphPush, GraphPushState, GraphTenant, Presence, Recovery,
    Source, SourceName, Status, SubscriptionDetail, Throttle, Verdict,
};

pub(crate) const TAKEN: &str = "2026-11-22T14:05:49.222Z";

/// A terminal without colours.
pub(crate) fn terminal(width: usize) -> Screen {
    Screen { width: Some(width), color: false, zone: TimeZone::UTC }
}

/// A pipe.
pub(crate) fn pipe() -> Screen {
    Screen { width: None, color: false, zone: TimeZone::UTC }
}

pub(crate) fn presence(name: &str, value: i32, freshness: Freshness, since: &str) -> Presence {
    let unknown = Capability::Unknown;
    Presence {
        availability: Availability { name: name.into(), value },
        activity: (name == "Busy").then(|| "on-the-phone".into()),
        location: None,
        device: "Computer".into(),
        network: "SameEnterprise".into(),
        capabilities: Capabilities { audio: Capability::Enabled, video: unknown, text: unknown },
        since: since.into(),
        source: SourceName::Ucma,
        freshness,
    }
}

pub(crate) fn agent(uri: &str, presence: Presence, state: AgentState) -> Agent {
    Agent {
        uri: uri.into(),
        presence,
        sequence: 12,
        state,
        endpoint: Some(EndpointName::Application),
        account: None,
        uccs: vec!["sales".into(), "support".into()],
        failures: 0,
        next_retry: None,
    }
}

pub(crate) fn page() -> AgentPage {
    let busy = presence("Busy", 6500, Freshness::Fresh, "2026-11-22T13:53:46.000Z");
    let away = presence("Away", 15500, Freshness::Stale, "2026-11-22T09:00:00.000Z");
    let unknown = presence("Unknown", -1, Freshness::Unknown, "2026-11-20T09:00:00.000Z");
    let retried = Agent {
        failures: 2,
        next_retry: Some("2026-11-22T14:06:29.222Z".into()),
        ..agent("sip:\u{1b}[31mred@domain.com", unknown, AgentState::BackingOff)
    };
    let long = "sip:a.colleague.with.a.very.long.name@contactcentre.example.com";
    let teams = Presence { source: SourceName::MsGraph, device: "Undefined".into(), ..busy.clone() };
    let teams = Agent {
        endpoint: None,
        account: Some("contoso-poll".into()),
        ..agent("sip:anna@contoso.com", teams, AgentState::Active)
    };
    let agents = vec![
        teams,
        agent("sip:user1@domain.com", busy, AgentState::Active),
        agent(long, away, AgentState::Active),
        retried,
    ];
    AgentPage { agents, total: 6, offset: 0, taken: TAKEN.into() }
}

pub(crate) fn failure() -> FailureDetail {
    FailureDetail {
        owner: FailureOwner::Endpoint,
        by: "peer".into(),
        code: Some(503),
        ms_diagnostics: Some(4005),
        detail: "Service Unavailable".into(),
        retry_after: Some(60.0),
    }
}

/// Two endpoints of which one is lost, in the middle of a recovery.
pub(crate) fn status() -> Status {
    let agents = AgentCounts {
        total: 10_000,
        fresh: 4_521,
        stale: 5_477,
        unknown: 2,
        abandoned: 3,
        quarantined: 0,
        pending: 5_470,
        backing_off: 7,
    };
    let endpoint = |endpoint, uri: &str, up, agents| Endpoint {
        endpoint,
        uri: uri.into(),
        state: if up { "Established" } else { "Reestablishing" }.into(),
        up,
        since: None,
        last_failure: (!up).then(failure),
        agents,
        silent_losses: 0,
        last_silent_loss: None,
        wire: EndpointWire::default(),
    };
    let source = |source, why: Option<&str>, total| Source {
        source,
        ready: why.is_none(),
        why: why.map(str::to_owned),
        agents: AgentCounts { total, ..AgentCounts::default() },
        restarts: 0,
    };
    Status {
        verdict: Verdict::Recovering,
        headline: "Recovering: 4521 of 10000 agents are back; the last one is expected at 14:11:54.".into(),
        version: "0.1.0".into(),
        started: "2026-11-22T10:00:00.000Z".into(),
        taken: TAKEN.into(),
        agents,
        endpoints: vec![
            endpoint(EndpointName::Application, "sip:ucc_presenceprovider01@sipdomain.com", true, 10_000),
            endpoint(EndpointName::User, "sip:demo_user@sipdomain.com", false, 0),
        ],
        graph: Vec::new(),
        sources: vec![source(SourceName::Ucma, None, 9_990), source(SourceName::Pstn, None, 10)],
        throttle: Throttle {
            waiting: 5_470,
            granted: 14_521,
            rate: 15.0,
            configured_rate: 15,
            predicted_end: Some("2026-11-22T14:11:54.000Z".into()),
            predicted_end_in: Some(364.7),
            coverage: Coverage { queues: 200, covered: 143, seeking: 57, ..Coverage::default() },
        },
        recovery: Some(Recovery {
            cause: "the application endpoint lost its pool: the connection was reset by the other side".into(),
            since: "2026-11-22T14:00:40.000Z".into(),
            order: "one available agent for every queue first: 143 of 200 queues have one; then the likeliest for most queues".into(),
            total: 10_000,
            done: 4_521,
            failed: 0,
            predicted_end: Some("2026-11-22T14:11:54.000Z".into()),
            predicted_end_in: Some(364.7),
        }),
        state: None,
        uccs: 12,
        calls: 1,
        changes_per_second: 15.0,
        messages_per_second: 45.33,
    }
}

/// Two tenants of which one is lost, with notifications that do not work.
pub(crate) fn graph() -> Vec<GraphTenant> {
    let account = |account: &str, state, says: &str, push: Option<GraphPush>| GraphAccount {
        account: account.into(),
        kind: if push.is_some() { GraphAccountKind::Delegated } else { GraphAccountKind::Application },
        state,
        says: says.into(),
        needs_a_person: state == GraphAccountState::Failed,
        failure: None,
        retry_at: None,
        retry_in: None,
        token_until: None,
        batches: 1,
        requests: 5_120,
        throttled: 2,
        push,
    };
    let push = |state, says: &str| GraphPush {
        state,
        says: says.into(),
        users: 600,
        expires: None,
        notices: 4_711,
        missed: 3,
    };
    let tenant = |tenant: &str, up, agents, says: &str, accounts| GraphTenant {
        tenant: tenant.into(),
        up,
        since: None,
        says: says.into(),
        last_failure: None,
        retry_at: None,
        retry_in: None,
        agents,
        looking_up: if up { 3 } else { 0 },
        batches: 2,
        sweep: 5.0,
        swept_at: None,
        accounts,
    };
    let (working, failed) = (GraphAccountState::Working, GraphAccountState::Failed);
    let deaf = "The subscription stands, but changes are found that it does not tell.";
    let expired = "Cannot be used: 401 AADSTS7000222: the client secret has expired. Only a person can mend that. \
                   Next attempt in 15 min at 14:20:49.";
    vec![
        tenant(
            "contoso.onmicrosoft.com",
            true,
            1_200,
            "1,200 agents are asked for every 5 s in 2 requests.",
            vec![
                account("contoso-1", working, "It works.", Some(push(GraphPushState::Listening, "Fine."))),
                account("contoso-2", working, "It works.", Some(push(GraphPushState::Deaf, deaf))),
            ],
        ),
        tenant(
            "66825e03-7ef5-42da-9069-724602c31f6b",
            false,
            1,
            "Cannot be asked since 14:05:40: 401 AADSTS7000222: the \
            client secret has expired; its agent keeps its last presence as stale.",
            vec![account("fabrikam", failed, expired, None)],
        ),
    ]
}

/// A Teams agent.
pub(crate) fn teams_detail() -> AgentDetail {
    let mut detail = detail();
    let busy = Presence { source: SourceName::MsGraph, freshness: Freshness::Fresh, ..detail.agent.presence.clone() };
    detail.agent = Agent {
        endpoint: None,
        account: Some("contoso-1".into()),
        ..agent("sip:anna@contoso.com", busy, AgentState::Active)
    };
    (detail.source, detail.freshness) = (SourceName::MsGraph, Freshness::Fresh);
    detail.why =
        "Microsoft Graph says so since 13:53:46: a user of tenant contoso.onmicrosoft.com. It is asked for every \
                  5 s by account contoso-1. It was last answered 2 s ago at 14:05:47."
            .into();
    detail.subscription = None;
    detail.graph = Some(GraphAgent {
        tenant: Some("contoso.onmicrosoft.com".into()),
        object_id: Some("66825e03-7ef5-42da-9069-724602c31f6b".into()),
        account: Some("contoso-1".into()),
        notified: true,
        heard_at: Some("2026-11-22T14:05:47.000Z".into()),
    });
    detail
}

/// Everything quiet.
pub(crate) fn well() -> Status {
    let mut status = status();
    status.verdict = Verdict::Well;
    status.headline = "All 10000 agents are fresh.".into();
    status.agents = AgentCounts { total: 10_000, fresh: 10_000, ..AgentCounts::default() };
    status.endpoints.truncate(1);
    status.throttle.waiting = 0;
    status.recovery = None;
    status.calls = 0;
    status
}

/// An agent whose subscription failed.
pub(crate) fn detail() -> AgentDetail {
    let busy = presence("Busy", 6500, Freshness::Stale, "2026-11-22T13:53:46.000Z");
    let online = presence("Online", 3500, Freshness::Fresh, "2026-11-22T12:00:00.000Z");
    let considered = |source: &str, verdict, why: &str| Consideration {
        source: source.into(),
        verdict,
        rule: None,
        unmatched: Vec::new(),
        why: why.into(),
    };
    AgentDetail {
        agent: agent("sip:user1@domain.com", busy.clone(), AgentState::BackingOff),
        capabilities: busy.capabilities,
        freshness: Freshness::Stale,
        why: "The value is the last one: the pool refused the subscription with 503, and the next attempt is at 14:06:29."
            .into(),
        rules: Explanation {
            uri: "sip:user1@domain.com".into(),
            original: "sip:user1@domain.com".into(),
            source: Some("UcmaPresenceSource".into()),
            otherwise: None,
            considered: vec![
                considered("PstnPresenceSource", Outcome::Refused, "it is not an E.164 line URI (`tel:+` and digits)"),
                considered("UcmaPresenceSource", Outcome::Taken, "it takes every agent that no earlier source has taken"),
            ],
        },
        source: SourceName::Ucma,
        graph: None,
        subscription: Some(SubscriptionDetail {
            endpoint: Some(EndpointName::Application),
            attempt: 2,
            failures: 1,
            next_retry: Some("2026-11-22T14:06:29.222Z".into()),
            next_retry_in: Some(40.0),
            expires: None,
            last_failure: Some(failure()),
        }),
        changes: vec![
            ChangeRecord { sequence: 2, at: busy.since.clone(), previous: Some(online.clone()), presence: busy },
            ChangeRecord { sequence: 1, at: online.since.clone(), previous: None, presence: online },
        ],
    }
}
