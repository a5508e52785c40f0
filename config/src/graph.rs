//! `MsGraphPresenceSource`: accounts, hosts, patterns, users, notifications.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use presence_core::{AgentUri, MatchRules, Scheme};

use crate::diagnostic::{Severity, shown};
use crate::document::Element;
use crate::fields::{Context, given};
use crate::settings::{GraphAccount, GraphCloud, GraphNotifications, GraphSettings, Settings};
use crate::shape::{GRAPH, HTTP};
use crate::values::{self, Wrong};
use crate::{attendant, names, url};

/// A sweep may take so long.
const SHORTEST_SWEEP: Duration = Duration::from_secs(1);
const LONGEST_SWEEP: Duration = Duration::from_secs(600);
/// What Microsoft documents at most: 10,000 requests in 30 s.
const MOST_REQUESTS: u32 = 333;
/// What the pages of the calls themselves say: 1,500 requests in 30 s.
const SAFE_REQUESTS: u32 = 50;
const MOST_AGENTS: u32 = 100_000;

const TENANT: &str = "4119dd4d-e455-4535-9d45-b3535f584cad";
const OBJECT: &str = "2d5a6e1f-4d3b-4f4e-9c1a-0b8a3f6f1c11";

/// What is at its default in a file that says nothing of it.
const NOTED: [(&str, &str); 3] = [
    ("Credentials", "MsGraphPresenceSource/@Credentials"),
    ("StateDirectory", "MsGraphPresenceSource/@StateDirectory"),
    ("Proxy", "MsGraphPresenceSource/@Proxy"),
];

/// What the element says; complaints go to the context's findings.
pub(crate) fn read(source: &Element<'_>, enabled: bool, context: &mut Context<'_>) -> GraphSettings {
    for (name, key) in NOTED {
        if given(source, name).is_none() {
            context.defaulted.insert(key);
        }
    }
    let cloud = context.value_or(source, "Cloud", "MsGraphPresenceSource/@Cloud", GraphCloud::default(), cloud);
    let number = |most: u32| move |text: &str| values::count_within(text, 1..=most);
    let per_second = |read: u32, default: NonZeroU32| NonZeroU32::new(read).unwrap_or(default);
    let requests = context.value_or(
        source,
        "RequestsPerSecond",
        "MsGraphPresenceSource/@RequestsPerSecond",
        GraphSettings::DEFAULT_REQUESTS_PER_SECOND.get(),
        number(MOST_REQUESTS),
    );
    if requests > SAFE_REQUESTS
        && enabled
        && let Some(place) = given(source, "RequestsPerSecond")
    {
        let message = format!(
            "{}: Microsoft documents {SAFE_REQUESTS} presence requests per second in one place and {MOST_REQUESTS} in another",
            shown(place.name)
        );
        let help = format!("write at most {SAFE_REQUESTS} unless you have seen more being served");
        context.findings.add(Severity::Hint, place.place(), message, help);
    }
    let agents = context.value_or(
        source,
        "AgentsPerSecond",
        "MsGraphPresenceSource/@AgentsPerSecond",
        GraphSettings::DEFAULT_AGENTS_PER_SECOND.get(),
        number(MOST_AGENTS),
    );
    let sweep = context.value_or(
        source,
        "SweepInterval",
        "MsGraphPresenceSource/@SweepInterval",
        GraphSettings::DEFAULT_SWEEP,
        |text| values::duration_within(text, SHORTEST_SWEEP..=LONGEST_SWEEP, "5"),
    );
    GraphSettings {
        accounts: accounts(source, context),
        cloud,
        login_url: context.value(source, "LoginUrl", |text| url::base(text, "https://login.microsoftonline.com")),
        graph_url: context.value(source, "GraphUrl", |text| url::base(text, "https://graph.microsoft.com")),
        patterns: patterns(source, enabled, context),
        users: users(source, context),
        sweep,
        requests_per_second: per_second(requests, GraphSettings::DEFAULT_REQUESTS_PER_SECOND),
        agents_per_second: per_second(agents, GraphSettings::DEFAULT_AGENTS_PER_SECOND),
        credentials: names::file(source, "Credentials", context),
        state_directory: names::file(source, "StateDirectory", context),
        proxy: context.value(source, "Proxy", url::proxy),
        trusted_certificates: names::file(source, "TrustedCertificates", context),
        notifications: notifications(source, cloud, sweep, context),
    }
}

fn cloud(text: &str) -> Result<GraphCloud, Wrong> {
    let word = text.to_ascii_lowercase();
    if ["china", "21vianet", "mooncake"].iter().any(|china| word.contains(china)) {
        let message = format!("{}: Microsoft's cloud in China has no presence", shown(text));
        return Err((message, "disable the source with `enabled=\"false\"`".to_owned()));
    }
    values::word(text, &["global", "usgov", "usgovdod"])
}

fn patterns(source: &Element<'_>, enabled: bool, context: &mut Context<'_>) -> Option<MatchRules> {
    source.children_named("Match").next()?;
    attendant::patterns(source, enabled, context)
}

/// The name of an account is the name of its credential: part of a file's name.
fn account_id(text: &str) -> Result<String, Wrong> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let help = "write 1 to 64 letters, digits, `.`, `_` and `-`, such as `my-presence-account1`: it is the name of the \
                account's credential file";
    if let Some(odd) = text.chars().find(|c| !plain(*c)) {
        return Err((
            format!("the name {} has the character {}", shown(text), shown(&odd.to_string())),
            help.to_owned(),
        ));
    }
    if text.len() > 64 || text.bytes().all(|byte| byte == b'.') {
        return Err((format!("{} is too long, or dots alone", shown(text)), help.to_owned()));
    }
    Ok(text.to_owned())
}

fn accounts(source: &Element<'_>, context: &mut Context<'_>) -> Vec<GraphAccount> {
    let mut accounts: Vec<GraphAccount> = Vec::new();
    // Whose domain it is, and the line that says so.
    let mut domains: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for element in source.children_named("Accounts").flat_map(|accounts| accounts.children_named("Account")) {
        let id = context
            .required(element, "Id", "my-presence-account1")
            .and_then(|place| Some((place, context.value(element, "Id", account_id)?)));
        let tenant = context
            .required(element, "TenantId", TENANT)
            .and_then(|_| context.value(element, "TenantId", values::tenant));
        let own =
            names::hosts(element, "Domains", "write the domains of this tenant's agents, separated by commas", context);
        let (Some((place, id)), Some(tenant_id)) = (id, tenant) else { continue };
        if accounts.iter().any(|other| other.id.eq_ignore_ascii_case(&id)) {
            let message = format!("a second account {}", shown(&id));
            context.complain(place.place(), message, "give every account an `Id` of its own");
            continue;
        }
        for domain in &own {
            let Some(at) = given(element, "Domains") else { continue };
            let line = context.findings.line(at.name_span.start);
            let (other, first) = domains.entry(domain.clone()).or_insert_with(|| (tenant_id.clone(), line));
            if *other != tenant_id {
                let message =
                    format!("the domain {} is one of another tenant's already, in line {first}", shown(domain));
                context.complain(
                    at.place(),
                    message,
                    "a domain belongs to one tenant: remove it from one of the accounts",
                );
            }
        }
        accounts.push(GraphAccount { id, tenant_id, domains: own });
    }
    if source.children_named("Accounts").all(|accounts| accounts.children_named("Account").next().is_none()) {
        let help = "write `<Accounts><Account Id=\"...\" TenantId=\"...\" /></Accounts>` inside it";
        context.missing(source, format!("{} has no `Account`", shown(source.name)), help);
    }
    accounts
}

fn users(source: &Element<'_>, context: &mut Context<'_>) -> BTreeMap<AgentUri, String> {
    let mut users: BTreeMap<AgentUri, String> = BTreeMap::new();
    let mut lines: BTreeMap<AgentUri, usize> = BTreeMap::new();
    for element in source.children_named("Users").flat_map(|users| users.children_named("User")) {
        let uri = context
            .required(element, "Uri", "sip:user1@example.com")
            .and_then(|place| Some((place, context.uri(place, false)?)));
        let id = context
            .required(element, "ObjectId", OBJECT)
            .and_then(|_| context.value(element, "ObjectId", values::object_id));
        let (Some((place, uri)), Some(id)) = (uri, id) else { continue };
        if uri.scheme() == Scheme::Tel {
            let message = format!("{} is a telephone number, but a user of Teams has a SIP URI", shown(uri.original()));
            context.complain(place.place(), message, "write `sip:user@domain`");
            continue;
        }
        if let Some(&first) = lines.get(&uri) {
            let message = format!(
                "the agent {} has a user already, in line {}",
                shown(uri.as_str()),
                context.findings.line(first)
            );
            context.complain(place.place(), message, "an agent is one user: remove one of them");
            continue;
        }
        lines.insert(uri.clone(), place.name_span.start);
        users.insert(uri, id);
    }
    users
}

fn notifications(
    source: &Element<'_>,
    cloud: GraphCloud,
    sweep: Duration,
    context: &mut Context<'_>,
) -> Option<GraphNotifications> {
    let element = source.children_named("Notifications").next()?;
    let enabled = context.value_or(element, "enabled", "Notifications", true, values::boolean);
    let before = context.severity;
    context.severity = if enabled { before } else { Severity::Warning };
    let url = context
        .required(element, "Url", "https://presence.example.com")
        .and_then(|_| context.value(element, "Url", url::notifications));
    let slow = context.value_or(
        element,
        "SweepInterval",
        "Notifications/@SweepInterval",
        GraphSettings::DEFAULT_SLOW_SWEEP.max(sweep),
        |text| values::duration_within(text, SHORTEST_SWEEP..=LONGEST_SWEEP, "60"),
    );
    if slow < sweep
        && let Some(place) = given(element, "SweepInterval")
    {
        let message = "the sweep beside notifications is shorter than the one without them";
        let help = format!("make it at least as long as `SweepInterval` of {}", shown(GRAPH));
        context.complain(place.place(), message, help);
    }
    if enabled && !cloud.has_notifications() {
        let message = format!("the cloud {} has no change notifications of presence", shown(cloud.as_str()));
        context.complain(element.name_span.clone(), message, "remove `Notifications`: presence is polled");
    }
    context.severity = before;
    url.filter(|_| enabled).map(|url| GraphNotifications { url, sweep: slow })
}

/// With both sources and nothing that says whose an agent is, the tenants decide.
pub(crate) fn beside_ucma(source: &Element<'_>, graph: &GraphSettings, ucma: bool, context: &mut Context<'_>) {
    let is_said = source.children_named("Match").next().is_some()
        || graph.accounts.iter().any(|account| !account.domains.is_empty());
    if !ucma || is_said || graph.accounts.is_empty() || source.damaged {
        return;
    }
    let message =
        "nothing says which agents are users of Teams: those are that a tenant knows, all others are the pool's";
    let help = "while no tenant can be asked, agents wait; write `Domains` at the accounts or `Match` inside, and it is \
                known from the start";
    context.findings.add(Severity::Hint, source.name_span.clone(), message, help);
}

/// Notifications come in over the HTTP API.
pub(crate) fn notified_over_http(provider: &Element<'_>, settings: &Settings, context: &mut Context<'_>) {
    let wanted = settings.graph.as_ref().is_some_and(|graph| graph.notifications.is_some());
    if !wanted || settings.http.is_some() {
        return;
    }
    let Some(source) = provider.children_named(GRAPH).next() else { return };
    let Some(element) = source.children_named("Notifications").next() else { return };
    let message = format!("notifications come in over {}, which is switched off", shown(HTTP));
    context.complain(element.name_span.clone(), message, "enable `Http`, or remove `Notifications`");
}
