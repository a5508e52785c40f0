//! The metrics of Microsoft Graph. Tenants and accounts are labels: there are as many as the configuration has.

use std::time::Instant;

use presence_actors::SourceView;
use presence_graph::{AccountState, AccountView, GraphCounters, GraphView, PushState, PushView, TenantView};

use super::super::model::{GraphPushState, GraphTenant};
use super::collect::{truth, written};
use super::exposition::{Exposition, Labels, labelled, plain};

const PUSH_STATES: [PushState; 6] = [
    PushState::Idle,
    PushState::Subscribing,
    PushState::Listening,
    PushState::Deaf,
    PushState::BackingOff,
    PushState::Contested,
];

/// The value of a label, and what is counted under it.
type Counted = (&'static str, fn(&GraphCounters) -> u64);

/// Everything of Microsoft Graph. Without that source the names are there and have no rows.
pub(super) fn seen(answer: &mut Exposition, now: Instant, sources: &[SourceView], told: &[GraphTenant]) {
    let view = sources.iter().find_map(|source| source.graph.as_ref());
    tenants(answer, now, view);
    accounts(answer, now, view, told);
    push(answer, now, view);
    counted(answer, view.map(|view| &view.counters));
}

fn of(tenant: &TenantView) -> Labels {
    labelled("tenant", tenant.id.to_string())
}

fn left(now: Instant, until: Option<Instant>) -> f64 {
    until.map_or(0.0, |until| until.saturating_duration_since(now).as_secs_f64())
}

fn tenants(answer: &mut Exposition, now: Instant, view: Option<&GraphView>) {
    let mut each = |name: &str, help: &str, value: &dyn Fn(&TenantView) -> f64| {
        let tenants = view.into_iter().flat_map(|view| &view.tenants);
        answer.gauge(name, help, tenants.map(|tenant| (of(tenant), value(tenant))));
    };
    each(
        "presence_graph_tenant_up",
        "1 when the presence of the tenant's agents is asked for and answered",
        &|tenant| truth(tenant.up),
    );
    each("presence_graph_agents", "Agents that are asked for", &|tenant| tenant.agents as f64);
    each("presence_graph_looking_up", "Agents whose users are being looked up", &|tenant| tenant.looking_up as f64);
    each("presence_graph_batches", "Requests that one sweep takes", &|tenant| tenant.batches as f64);
    each("presence_graph_sweep_seconds", "How long a sweep over all agents takes at present", &|tenant| {
        tenant.sweep.as_secs_f64()
    });
    each("presence_graph_swept_age_seconds", "How long ago all agents had last been answered; 0 before", &|tenant| {
        tenant.swept_at.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64())
    });
    each("presence_graph_retry_seconds", "In how many seconds a tenant that is down is tried again", &|tenant| {
        left(now, tenant.retry_at.filter(|_| !tenant.up))
    });
}

/// Each account with its tenant.
fn each_account(view: Option<&GraphView>) -> impl Iterator<Item = (&TenantView, &AccountView)> {
    let tenants = view.into_iter().flat_map(|view| &view.tenants);
    tenants.flat_map(|tenant| tenant.accounts.iter().map(move |account| (tenant, account)))
}

fn by(tenant: &TenantView, account: &AccountView) -> Labels {
    vec![("tenant", tenant.id.to_string().into()), ("account", account.name.to_string().into())]
}

fn accounts(answer: &mut Exposition, now: Instant, view: Option<&GraphView>, told: &[GraphTenant]) {
    let rows = |value: &dyn Fn(&AccountView) -> f64| -> Vec<(Labels, f64)> {
        each_account(view).map(|(tenant, account)| (by(tenant, account), value(account))).collect()
    };
    let up = rows(&|account| truth(account.state == AccountState::Working));
    answer.gauge("presence_graph_account_up", "1 when the account can ask", up);
    let needs = |account: &AccountView| {
        let mut accounts = told.iter().flat_map(|tenant| &tenant.accounts);
        accounts.any(|one| one.account == *account.name && one.needs_a_person)
    };
    let needs = rows(&|account| truth(needs(account)));
    answer.gauge("presence_graph_account_needs_person", "1 when only a person can mend the account", needs);
    let token = rows(&|account| left(now, account.token_until));
    answer.gauge("presence_graph_token_expiry_seconds", "In how many seconds the access token runs out", token);
    let requests = rows(&|account| account.requests as f64);
    answer.counter("presence_graph_account_requests", "Requests that the account has made", requests);
    let throttled = rows(&|account| account.throttled as f64);
    answer.counter("presence_graph_throttled", "Requests that were answered 429: too many requests", throttled);
}

fn push(answer: &mut Exposition, now: Instant, view: Option<&GraphView>) {
    let pushes =
        || each_account(view).filter_map(|(tenant, account)| Some((by(tenant, account), account.push.as_ref()?)));
    let states = pushes().flat_map(|(labels, push)| {
        PUSH_STATES.into_iter().map(move |state| {
            let mut labels = labels.clone();
            labels.push(("state", written(&GraphPushState::from(state)).into()));
            (labels, truth(push.state == state))
        })
    });
    answer.gauge(
        "presence_graph_account_push_state",
        "1 for the state that the account's change notifications are in, 0 for the others",
        states,
    );
    let rows = |value: &dyn Fn(&PushView) -> f64| -> Vec<(Labels, f64)> {
        pushes().map(|(labels, push)| (labels, value(push))).collect()
    };
    answer.gauge("presence_graph_push_users", "Users whose changes are notified", rows(&|push| push.users as f64));
    answer.gauge(
        "presence_graph_push_expiry_seconds",
        "In how many seconds the subscription for notifications runs out",
        rows(&|push| left(now, push.expires_at)),
    );
    answer.counter(
        "presence_graph_push_missed",
        "Changes that were found without a notification having told of them",
        rows(&|push| push.missed as f64),
    );
}

fn counted(answer: &mut Exposition, counters: Option<&GraphCounters>) {
    let mut by = |name: &str, help: &str, label: &'static str, values: &[Counted]| {
        let rows = counters.into_iter().flat_map(|counters| {
            values.iter().map(move |(word, value)| (labelled(label, *word), value(counters) as f64))
        });
        answer.counter(name, help, rows);
    };
    by(
        "presence_graph_requests",
        "Requests to Microsoft, by what they are about",
        "kind",
        &[
            ("presence", |counters| counters.presence_requests),
            ("directory", |counters| counters.directory_requests),
            ("token", |counters| counters.token_requests),
            ("subscription", |counters| counters.subscription_requests),
        ],
    );
    by(
        "presence_graph_changes",
        "Changes of presence, by what found them",
        "found",
        &[("sweep", |counters| counters.changes_polled), ("notification", |counters| counters.changes_notified)],
    );
    by(
        "presence_graph_notices",
        "Change notifications that came, by what became of them",
        "outcome",
        &[
            ("taken", |counters| counters.notices.saturating_sub(counters.notices_dropped)),
            ("dropped", |counters| counters.notices_dropped),
        ],
    );
    let mut one = |name: &str, help: &str, value: fn(&GraphCounters) -> u64| {
        answer.counter(name, help, counters.into_iter().flat_map(|counters| plain(value(counters) as f64)));
    };
    one("presence_graph_failures", "Requests to Microsoft that failed, whatever the reason", |counters| {
        counters.failures
    });
    one("presence_graph_presences", "Presences that were read", |counters| counters.presences);
    one("presence_graph_unknown_values", "Values of availability and activity that are not known", |counters| {
        counters.unknown_values
    });
    one("presence_graph_unreadable", "Presences that could not be read", |counters| counters.unreadable);
    one("presence_graph_unasked", "Presences of users whom nobody asked for", |counters| counters.unasked);
    one("presence_graph_overtaken", "Presences that were older than what was held, and were dropped", |counters| {
        counters.overtaken
    });
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use presence_core::{EndedBy, Failure, FailureKind, SourceKind};
    use presence_graph::AccountKind;

    use super::*;

    fn text(source: SourceView) -> String {
        let mut answer = Exposition::default();
        seen(&mut answer, presence_actors::now(), &[source], &[]);
        answer.classic().expect("a text")
    }

    fn source(graph: Option<GraphView>) -> SourceView {
        SourceView { kind: SourceKind::MsGraph, agents: Vec::new(), endpoints: Vec::new(), graph, restarts: 0 }
    }

    #[test]
    fn without_the_source_there_are_names_and_no_rows() {
        let text = text(source(None));
        assert!(text.contains("# TYPE presence_graph_requests_total counter\n"), "{text}");
        let rows: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(rows, Vec::<&str>::new());
    }

    #[test]
    fn every_value_has_its_row() {
        let now = presence_actors::now();
        let failure = Failure::new(FailureKind::Endpoint, EndedBy::Network, "connection refused");
        let push = PushView { state: PushState::Deaf, users: 600, expires_at: Some(now), notices: 12, missed: 3 };
        let account = AccountView {
            name: "contoso-1".into(),
            kind: AccountKind::Delegated,
            state: AccountState::Failed { failure: failure.clone(), retry_at: now },
            token_until: None,
            batches: 2,
            requests: 40,
            throttled: 1,
            push: Some(push),
        };
        let tenant = TenantView {
            id: "contoso".into(),
            up: false,
            last_failure: Some(failure),
            retry_at: Some(now + Duration::from_secs(3_600)),
            agents: 1_200,
            looking_up: 5,
            batches: 2,
            sweep: Duration::from_secs(5),
            swept_at: None,
            accounts: vec![account],
        };
        let counters = GraphCounters {
            presence_requests: 30,
            notices: 12,
            notices_dropped: 2,
            changes_notified: 9,
            unknown_values: 1,
            ..GraphCounters::default()
        };
        let text = text(source(Some(GraphView { tenants: vec![tenant], counters, ..GraphView::default() })));
        let account = "{tenant=\"contoso\",account=\"contoso-1\"}";
        for row in [
            "presence_graph_tenant_up{tenant=\"contoso\"} 0.0".to_owned(),
            "presence_graph_agents{tenant=\"contoso\"} 1200.0".to_owned(),
            "presence_graph_looking_up{tenant=\"contoso\"} 5.0".to_owned(),
            "presence_graph_batches{tenant=\"contoso\"} 2.0".to_owned(),
            "presence_graph_sweep_seconds{tenant=\"contoso\"} 5.0".to_owned(),
            format!("presence_graph_account_up{account} 0.0"),
            format!("presence_graph_account_requests_total{account} 40.0"),
            format!("presence_graph_throttled_total{account} 1.0"),
            "presence_graph_account_push_state{tenant=\"contoso\",account=\"contoso-1\",state=\"deaf\"} 1.0".to_owned(),
            "presence_graph_account_push_state{tenant=\"contoso\",account=\"contoso-1\",state=\"listening\"} 0.0"
                .to_owned(),
            format!("presence_graph_push_users{account} 600.0"),
            format!("presence_graph_push_missed_total{account} 3.0"),
            "presence_graph_requests_total{kind=\"presence\"} 30.0".to_owned(),
            "presence_graph_notices_total{outcome=\"taken\"} 10.0".to_owned(),
            "presence_graph_changes_total{found=\"notification\"} 9.0".to_owned(),
            "presence_graph_unknown_values_total 1.0".to_owned(),
        ] {
            assert!(text.contains(&format!("{row}\n")), "{row}\n{text}");
        }
        assert!(text.contains("presence_graph_retry_seconds{tenant=\"contoso\"} 3599."), "{text}");
    }
}
