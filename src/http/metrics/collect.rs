//! Every metric, from what the parts of the process say of themselves. docs/operations.md has the table.

use std::collections::BTreeMap;
use std::time::{Instant, UNIX_EPOCH};

use jiff::Timestamp;
use presence_actors::transport::Refusal;
use presence_actors::{EndpointView, HistogramReading, MeterReadings, SourceView, time_of_day};
use presence_core::{EndpointState, FailureKind, Freshness, SourceKind};

use presence_sip::WireEvent;

use super::super::convert::state_of;
use super::super::model::{AgentState, FailureOwner, SourceName};
use super::super::{HttpMeters, Snapshot};
use super::Stream;
use super::exposition::{Exposition, Labels, Reading, labelled, plain};
use super::http_meters::REQUEST_BOUNDS;
use super::process::Process;
use crate::renewal::{CertificateReading, Use};

const ENDPOINT_STATES: [EndpointState; 7] = [
    EndpointState::Idle,
    EndpointState::Establishing,
    EndpointState::Established,
    EndpointState::Reestablishing,
    EndpointState::Draining,
    EndpointState::Terminating,
    EndpointState::Terminated,
];

const AGENT_STATES: [AgentState; 12] = [
    AgentState::Served,
    AgentState::Idle,
    AgentState::WaitingForEndpoint,
    AgentState::AwaitingToken,
    AgentState::Subscribing,
    AgentState::Active,
    AgentState::BackingOff,
    AgentState::Abandoned,
    AgentState::Withdrawing,
    AgentState::Releasing,
    AgentState::Unsubscribing,
    AgentState::Quarantined,
];

const FRESHNESS: [Freshness; 3] = [Freshness::Fresh, Freshness::Stale, Freshness::Unknown];

/// A value of the API as it is written there, for a label.
pub(super) fn written(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| Some(value.as_str()?.to_owned())).unwrap_or_default()
}

/// In seconds since 1970, as Prometheus has times.
pub(super) fn since_1970(at: Instant) -> f64 {
    time_of_day(at).duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

pub(super) fn truth(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

/// The agents, the endpoints, the sources, the throttle: what was seen a moment ago.
pub(super) fn seen(answer: &mut Exposition, now: Instant, snapshot: &Snapshot) {
    let view = &snapshot.view;
    agents(answer, &view.sources);
    sources(answer, snapshot);
    let endpoints: Vec<&EndpointView> = view.sources.iter().flat_map(|source| &source.endpoints).collect();
    endpoint_states(answer, &endpoints);
    endpoint_wires(answer, &endpoints);

    let throttle = &view.throttle;
    answer.gauge(
        "presence_throttle_waiting",
        "Agents that wait for the right to be put on the wire",
        plain(throttle.waiting as f64),
    );
    answer.counter(
        "presence_throttle_granted",
        "Rights to be put on the wire that were granted",
        plain(throttle.granted as f64),
    );
    answer.gauge(
        "presence_throttle_rate",
        "How many of them are granted per second at most at present",
        plain(throttle.rate),
    );
    answer.gauge(
        "presence_throttle_configured_rate",
        "MaxPresenceSubscriptionsPerSecond",
        plain(f64::from(throttle.configured_rate)),
    );
    let left = throttle.predicted_end.map_or(0.0, |end| end.saturating_duration_since(now).as_secs_f64());
    answer.gauge(
        "presence_throttle_predicted_end_seconds",
        "In how many seconds the last agent that waits will have its right",
        plain(left),
    );

    let recovery = snapshot.status.recovery.as_ref();
    let missing = recovery.map_or(0, |recovery| recovery.total.saturating_sub(recovery.done));
    answer.gauge(
        "presence_recovering",
        "1 while agents are put on the wire after a start or a loss",
        plain(truth(recovery.is_some())),
    );
    answer.gauge(
        "presence_recovery_missing_agents",
        "Agents that this recovery has not brought back yet",
        plain(missing as f64),
    );
    answer.gauge("presence_uccs", "Queues, in this process and outside", plain(view.uccs as f64));
    answer.gauge("presence_calls", "Calls with PSTN agents that are under way", plain(snapshot.status.calls as f64));
    let age = now.saturating_duration_since(snapshot.taken).as_secs_f64();
    answer.gauge(
        "presence_snapshot_age_seconds",
        "How old the values of agents, endpoints, sources and throttle are",
        plain(age),
    );
}

fn agents(answer: &mut Exposition, sources: &[SourceView]) {
    let name = |source: &SourceView| ("source", SourceName::from(source.kind));
    let of = |source, label, value: String| -> Labels {
        let (name, source) = name(source);
        vec![(name, written(&source).into()), (label, value.into())]
    };
    let fresh = sources.iter().flat_map(|source| {
        FRESHNESS.into_iter().map(move |freshness| {
            let count = source.agents.iter().filter(|agent| agent.presence.freshness == freshness).count();
            (of(source, "freshness", freshness.to_string()), count as f64)
        })
    });
    answer.gauge("presence_agents", "Agents, by source and by how far their presence can be trusted", fresh);
    let states = sources.iter().flat_map(|source| {
        let subscribes = matches!(source.kind, SourceKind::Ucma | SourceKind::MsGraph);
        let can_be = move |state: &AgentState| match state {
            AgentState::Served => !subscribes,
            AgentState::Quarantined => true,
            _ => subscribes,
        };
        AGENT_STATES.into_iter().filter(can_be).map(move |state| {
            let count = source.agents.iter().filter(|agent| state_of(agent) == state).count();
            (of(source, "state", written(&state)), count as f64)
        })
    });
    answer.gauge("presence_agents_in_state", "Agents, by source and by how their subscription stands", states);
}

fn sources(answer: &mut Exposition, snapshot: &Snapshot) {
    let ready =
        snapshot.sources().iter().map(|source| (labelled("source", written(&source.source)), truth(source.ready)));
    answer.gauge("presence_source_ready", "1 when the source can serve its agents", ready);
}

fn endpoint(view: &EndpointView) -> Labels {
    labelled("endpoint", word(view.kind))
}

const fn word(kind: presence_core::EndpointKind) -> &'static str {
    match kind {
        presence_core::EndpointKind::Application => "application",
        presence_core::EndpointKind::User => "user",
    }
}

fn endpoint_states(answer: &mut Exposition, endpoints: &[&EndpointView]) {
    let up = endpoints.iter().map(|view| (endpoint(view), truth(view.up)));
    answer.gauge("presence_endpoint_up", "1 when the endpoint can serve agents", up);
    let states = endpoints.iter().flat_map(|view| {
        ENDPOINT_STATES.into_iter().map(|state| {
            let mut labels = endpoint(view);
            labels.push(("state", state.to_string().into()));
            (labels, truth(view.state == state))
        })
    });
    answer.gauge(
        "presence_endpoint_state",
        "1 for the state that the endpoint is in, by UCMA's names, 0 for the others",
        states,
    );
    let dialogs = endpoints.iter().map(|view| (endpoint(view), view.wire.live as f64));
    answer.gauge("presence_endpoint_dialogs", "Dialogs that stand", dialogs);
}

fn endpoint_wires(answer: &mut Exposition, endpoints: &[&EndpointView]) {
    let mut each = |name: &str, help: &str, value: fn(&EndpointView) -> u64| {
        answer.counter(name, help, endpoints.iter().map(|view| (endpoint(view), value(view) as f64)));
    };
    each("presence_sip_subscribes", "SUBSCRIBEs sent, each once however often it was repeated", |view| {
        view.wire.subscribes
    });
    each("presence_notifications", "NOTIFYs and BENOTIFYs that belonged to a dialog", |view| view.wire.notifies);
    each("presence_sip_retransmissions", "Requests sent again for want of an answer (UDP)", |view| {
        view.wire.retransmissions
    });
    each("presence_sip_deviations", "Received and not as it should be, all kinds together", |view| {
        view.deviations.values().sum()
    });
    let refused = endpoints.iter().flat_map(|view| {
        NOTIFY_REFUSALS.into_iter().map(|(reason, events)| {
            let counted = events.iter().filter_map(|event| view.deviations.get(event)).sum::<u64>();
            let count = match reason {
                "wrong_peer" => view.refused.get(&Refusal::StrangersNotify).copied().unwrap_or_default(),
                _ => counted,
            };
            (reasoned(view, reason), count as f64)
        })
    });
    answer.counter(
        "presence_notify_refused",
        "NOTIFYs, BENOTIFYs and documents in them that were not taken, by reason; they change nothing",
        refused,
    );
    let refused = endpoints.iter().flat_map(|view| {
        Refusal::ALL
            .into_iter()
            .map(|why| (reasoned(view, why.word()), view.refused.get(&why).copied().unwrap_or_default() as f64))
    });
    answer.counter(
        "presence_sip_refused",
        "Connections, handshakes and datagrams that were refused, ended or slowed down by a limit, by reason",
        refused,
    );
    let mut each = |name: &str, help: &str, value: fn(&EndpointView) -> u64| {
        answer.counter(name, help, endpoints.iter().map(|view| (endpoint(view), value(view) as f64)));
    };
    each("presence_sip_received_bytes", "Bytes of SIP received", |view| view.bytes_received);
    each("presence_sip_sent_bytes", "Bytes of SIP sent", |view| view.bytes_sent);
    each("presence_sip_connections", "Connections made, by us and by the pool", |view| view.connections);
}

/// What a notification was not taken for, and what that is on the wire.
const NOTIFY_REFUSALS: [(&str, &[WireEvent]); 9] = [
    ("wrong_peer", &[]),
    ("unknown_dialog", &[WireEvent::Unmatched, WireEvent::UnmatchedBenotify]),
    ("wrong_tag", &[WireEvent::WrongTag]),
    ("other_notifier", &[WireEvent::Forked]),
    ("old_cseq", &[WireEvent::StaleCSeq]),
    ("repeated_cseq", &[WireEvent::Duplicate]),
    ("other_event", &[WireEvent::BadEvent]),
    ("no_state", &[WireEvent::MissingState]),
    ("foreign_resource", &[WireEvent::ForeignResource]),
];

fn reasoned(view: &EndpointView, reason: &'static str) -> Labels {
    vec![("endpoint", word(view.kind).into()), ("reason", reason.into())]
}

/// The certificates that we show.
pub(super) fn certificates(answer: &mut Exposition, now: Timestamp, read: &BTreeMap<Use, CertificateReading>) {
    let name = |of: &Use| labelled("use", of.word());
    let left = read.iter().filter_map(|(of, read)| Some((name(of), (read.not_after? - now.as_second()) as f64)));
    answer.gauge(
        "presence_certificate_expiry_seconds",
        "In how many seconds the certificate that we show runs out; below 0 it has",
        left,
    );
    let renewed = read.iter().map(|(of, read)| (name(of), read.renewed as f64));
    answer.counter("presence_certificate_renewals", "Certificates that were renewed without a restart", renewed);
    let refused = read.iter().map(|(of, read)| (name(of), read.refused as f64));
    answer.counter(
        "presence_certificate_refused",
        "Changes of certificate files that could not be used, each time",
        refused,
    );
}

/// What the actors have counted.
pub(super) fn counted(answer: &mut Exposition, read: &MeterReadings) {
    answer.counter("presence_changes", "Changes of presence of all agents", plain(read.changes as f64));
    let results = read.subscribes.iter().map(|(result, count)| (labelled("result", *result), *count as f64));
    answer.counter("presence_subscribes", "SUBSCRIBEs of agents, new ones and refreshes, by how they ended", results);
    let owner = |kind: &FailureKind| labelled("owner", written(&FailureOwner::from(*kind)));
    let failures = read.failures.iter().map(|(kind, count)| (owner(kind), *count as f64));
    answer.counter("presence_failures", "Subscriptions that failed or ended, by whose fault", failures);
    answer.counter("presence_abandoned", "Agents that were given up, each time", plain(read.abandoned as f64));
    answer.counter(
        "presence_revived",
        "Abandoned agents that an operator had tried again, each time",
        plain(read.revived as f64),
    );
    answer.counter(
        "presence_agents_turned_away",
        "Agents that were not taken because there are as many as there may be, each time",
        plain(read.turned_away as f64),
    );
    let transitions = read.transitions.iter().map(|((kind, state), count)| {
        (vec![("endpoint", word(*kind).into()), ("state", state.to_string().into())], *count as f64)
    });
    answer.counter("presence_endpoint_transitions", "How often an endpoint came into a state", transitions);
    let mut histogram = |name: &str, help: &str, read: &HistogramReading| {
        let reading = Reading { bounds: read.bounds, counts: &read.counts, sum: read.sum };
        answer.histogram(name, help, [(Vec::new(), reading)]);
    };
    histogram(
        "presence_throttle_wait_seconds",
        "How long agents waited for the right to be put on the wire",
        &read.token_wait,
    );
    histogram("presence_delivery_seconds", "From a change of presence to its delivery to a queue", &read.delivery);
    histogram("presence_actors_late_seconds", "How late the thread of the actors ran what was due", &read.late);
    answer.counter("presence_actor_restarts", "Actors that died of a bug, each time", plain(read.restarts as f64));
}

/// What the API has counted about itself.
pub(super) fn api(answer: &mut Exposition, meters: &HttpMeters) {
    let routes = meters.routes();
    let requests = routes.iter().flat_map(|(route, read)| {
        read.answers.iter().map(|(status, count)| {
            let labels = vec![("route", route.clone().into()), ("status", status.to_string().into())];
            (labels, *count as f64)
        })
    });
    answer.counter("presence_http_requests", "Requests, by route and by HTTP status", requests);
    let took = routes.iter().map(|(route, read)| {
        let reading = Reading { bounds: &REQUEST_BOUNDS, counts: &read.counts, sum: read.sum };
        (labelled("route", route.clone()), reading)
    });
    answer.histogram(
        "presence_http_request_seconds",
        "How long requests took to the head of the answer, by route",
        took,
    );
    let refused = meters.refusals();
    let refused = refused.iter().map(|(why, count)| (labelled("why", *why), *count as f64));
    answer.counter("presence_http_refused", "Requests and connections that were refused, by reason", refused);
    let (opened, open) = meters.connections();
    answer.gauge("presence_http_connections", "Connections of clients that are open", plain(open as f64));
    answer.counter("presence_http_connections_opened", "Connections of clients that were opened", plain(opened as f64));
    let streams = Stream::ALL.map(|kind| (labelled("kind", kind.label()), meters.streams(kind).1 as f64));
    answer.gauge("presence_http_streams", "Readers of live events", streams);
    let streams = Stream::ALL.map(|kind| (labelled("kind", kind.label()), meters.streams(kind).0 as f64));
    answer.counter("presence_http_streams_opened", "Readers of live events that came", streams);
    let (events, lagged) = meters.events();
    answer.counter("presence_http_events", "Events written to readers", plain(events as f64));
    answer.counter(
        "presence_http_lagged",
        "Readers that were too slow and got a snapshot, each time",
        plain(lagged as f64),
    );
}

/// What third parties have pushed.
pub(super) fn pushed(answer: &mut Exposition, agents: usize, pushers: usize) {
    answer.gauge("presence_pushed_agents", "Agents of which a pushed presence holds", plain(agents as f64));
    answer.gauge("presence_pushers", "Pushers whose pushes hold", plain(pushers as f64));
}

/// The process itself; `started` in seconds since 1970.
pub(super) fn process(answer: &mut Exposition, started: f64) {
    answer.counter("presence_panics", "Panics: faults of this program", plain(crate::logging::panic::count() as f64));
    answer.info("presence_build_info", "What runs", labelled("version", env!("CARGO_PKG_VERSION")));
    answer.gauge("process_start_time_seconds", "When the process began, in seconds since 1970", plain(started));
    let Some(process) = Process::read() else { return };
    answer.counter("process_cpu_seconds", "Time of all processors that was used", plain(process.cpu));
    answer.gauge("process_resident_memory_bytes", "Memory in RAM", plain(process.resident));
    answer.gauge("process_virtual_memory_bytes", "Memory that was asked for", plain(process.virtual_memory));
    answer.gauge("process_open_fds", "Files and sockets that are open", plain(process.open_files));
    answer.gauge("process_max_fds", "How many may be open", plain(process.max_files));
    answer.gauge("process_threads", "Threads", plain(process.threads));
}
