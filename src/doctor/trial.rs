//! The last steps, made by the provider itself: each endpoint at its pool, one subscription, and the end of everything.

use std::time::Duration;

use actix::{Actor, Context, Handler};
use presence_actors::{AgentView, EndpointView, PresenceEvent, Provider, ProviderView, Setup};
use presence_config::{Dialect, PoolSettings};
use presence_core::{
    AgentUri, EndpointKind, EndpointState, Failure, FailureKind, Freshness, Status, SubscriptionState,
};

use super::heard::Heard;
use super::report::{Outcome, Step};

/// For the endpoints, and again for the subscription.
const PATIENCE: Duration = Duration::from_secs(20);
/// So many lines of an endpoint's log are told when it fails.
const MOST_SAID: usize = 6;
/// How often the provider is looked at.
const GLANCE: Duration = Duration::from_millis(50);
/// For the end of the subscription and the registrations.
const FAREWELL: Duration = Duration::from_secs(10);
/// The advice about an endpoint or agent that a Skype for Business pool refuses.
const PROVISIONED: &str = "check that the trusted application, its endpoint and the names in our certificate are as `presence-provider provision` prints them";

/// The agent of the test subscription, or why there is none.
pub(super) type Chosen = Result<AgentUri, String>;

/// Makes the steps; each is told as soon as it is made.
pub(super) async fn trial(setup: Setup, pool: &PoolSettings, agent: Chosen, heard: &Heard, mut tell: impl FnMut(Step)) {
    let kinds: Vec<EndpointKind> = setup.endpoints.iter().map(|endpoint| endpoint.kind).collect();
    let provider = Provider::start(setup);
    let endpoints = settled(&provider, &kinds, pool, heard, &mut tell).await;
    match agent {
        Err(why) => tell(Step::skipped("subscription", why)),
        Ok(_) if !endpoints => tell(Step::skipped("subscription", "no endpoint can be used")),
        Ok(agent) => tell(subscription(&provider, &agent, pool).await),
    }
    tell(if provider.shutdown(FAREWELL).await {
        Step::ok("end", "everything that was begun is ended at the pool")
    } else {
        Step::warn(
            "end",
            "the pool did not confirm the end in time",
            "nothing: what is left runs out at the pool by itself",
        )
    });
}

/// Why nothing of this was tried.
pub(super) fn untried(why: &str) -> [Step; 2] {
    [Step::skipped("endpoint", why), Step::skipped("subscription", why)]
}

/// Waits until each endpoint is established or has failed; true when one can be used.
async fn settled(
    provider: &Provider,
    kinds: &[EndpointKind],
    pool: &PoolSettings,
    heard: &Heard,
    tell: &mut impl FnMut(Step),
) -> bool {
    let failure = |endpoint: &EndpointView| {
        let own = endpoint.last_failure.as_ref().map(ToString::to_string);
        own.or_else(|| heard.failure_of(endpoint.uri.as_str()))
    };
    let decided = |endpoint: &EndpointView| endpoint.state == EndpointState::Established || failure(endpoint).is_some();
    let view = glances(provider, |view| kinds.iter().all(|kind| view.endpoint(*kind).is_some_and(decided))).await;
    let mut usable = false;
    for endpoint in kinds.iter().filter_map(|kind| view.endpoint(*kind)) {
        usable |= endpoint.state == EndpointState::Established;
        let mut step = endpoint_step(endpoint, failure(endpoint), pool);
        if step.result == Outcome::Fail {
            step.details = heard.said_by(endpoint.uri.as_str());
            step.details.truncate(MOST_SAID);
        }
        tell(step);
    }
    usable
}

/// Looks at the provider until it is as wanted, or patience ends; what was seen last.
async fn glances(provider: &Provider, wanted: impl Fn(&ProviderView) -> bool) -> ProviderView {
    let mut last = ProviderView::default();
    let mut clock = tokio::time::interval(GLANCE);
    let glances = async {
        loop {
            clock.tick().await;
            if let Ok(view) = provider.observe().await {
                last = view;
                if wanted(&last) {
                    return;
                }
            }
        }
    };
    // What was seen last says how far it came.
    let _ = tokio::time::timeout(PATIENCE, glances).await;
    last
}

fn endpoint_step(endpoint: &EndpointView, failure: Option<String>, pool: &PoolSettings) -> Step {
    const STEP: &str = "endpoint";
    let who = format!("the {} {}", endpoint.kind, endpoint.uri);
    let registers = pool.dialect == Dialect::Skype && pool.use_registration;
    if endpoint.state == EndpointState::Established {
        return Step::ok(
            STEP,
            match (pool.dialect, registers) {
                (_, true) => format!("{who} is registered (REGISTER)"),
                (Dialect::Skype, false) => format!("{who} is answered (OPTIONS); UseRegistration is off"),
                (Dialect::Simple, _) => format!("{who} is answered (OPTIONS); this dialect registers nobody"),
            },
        );
    }
    let done = if registers { "registered" } else { "answered" };
    match failure {
        None => Step::fail(
            STEP,
            format!("{who} is not {done} within {} s", PATIENCE.as_secs()),
            "check that it is a SIP server that is asked, and its own log",
        ),
        Some(failure) => {
            Step::fail(STEP, format!("{who} is not {done}: {failure}"), endpoint_advice(endpoint.kind, &failure, pool))
        }
    }
}

fn endpoint_advice(kind: EndpointKind, failure: &str, pool: &PoolSettings) -> &'static str {
    // A failure that an answer told of begins with the answer's status code.
    let code = failure.split(' ').next().and_then(|word| word.parse::<u16>().ok());
    match (code, pool.dialect, kind) {
        (Some(401 | 407), _, _) if pool.user_name.is_some() => "check UserName and the first line of PasswordFile",
        (Some(401 | 407), Dialect::Simple, _) => "write UserName and PasswordFile into <Pool>",
        (Some(403 | 404), Dialect::Skype, EndpointKind::User) => {
            "check that the user exists and is enabled: Get-CsUser"
        }
        (Some(301 | 302 | 305), Dialect::Skype, _) => {
            "write the pool at which the endpoint is at home into Address of <Pool> (the user's into PoolFqdn)"
        }
        (Some(408 | 480 | 504), Dialect::Skype, _) => {
            "the pool cannot serve the endpoint for the moment: check the services of the front ends, and try again later"
        }
        (Some(503), _, _) => "the server is overloaded or its service is stopped: check it, and try again later",
        (Some(_), Dialect::Skype, _) => PROVISIONED,
        (Some(_), Dialect::Simple, _) => "check that the address is that of a presence server, and its own log",
        (None, Dialect::Skype, _) if failure.starts_with("the pools send us") => {
            "the pools disagree about where the endpoint is at home: have its administrator move it again, and wait until all of them know"
        }
        (None, _, _) => "see the steps above; the server may have closed the connection: check its own log",
    }
}

async fn subscription(provider: &Provider, agent: &AgentUri, pool: &PoolSettings) -> Step {
    const STEP: &str = "subscription";
    let client = provider.client("doctor", Deaf.start().recipient());
    client.subscribe(agent.clone());
    let find = |view: &ProviderView| view.agents().find(|one| one.uri == *agent).cloned();
    let over = |one: &AgentView| {
        let subscription = one.subscription.as_ref();
        let state = subscription.map(|subscription| subscription.state);
        // The pool's refusal of everybody does not count against the agent; it is an answer all the same.
        let refused = subscription.and_then(|subscription| subscription.last_failure.as_ref());
        one.presence.freshness == Freshness::Fresh
            || matches!(state, Some(SubscriptionState::BackingOff | SubscriptionState::Abandoned))
            || refused.is_some_and(|failure| failure.kind == FailureKind::Endpoint && failure.code.is_some())
    };
    let view = glances(provider, |view| find(view).is_some_and(|one| over(&one))).await;
    let Some(seen) = find(&view) else {
        return Step::fail(
            STEP,
            format!("{agent} was not taken on"),
            "this is a fault of presence-provider; please report it",
        );
    };
    let via = seen.subscription.as_ref().and_then(|subscription| subscription.via);
    let via = via.map_or(String::new(), |via| format!(", by the {via}"));
    if seen.presence.freshness == Freshness::Fresh {
        let status = words(&seen.presence.status);
        return Step::ok(STEP, format!("{agent} is subscribed to{via}")).detail(format!("presence: {status}"));
    }
    let subscription = seen.subscription.as_ref();
    if let Some(failure) = subscription.and_then(|subscription| subscription.last_failure.as_ref()) {
        return Step::fail(STEP, format!("{agent} cannot be subscribed to: {failure}"), agent_advice(failure, pool));
    }
    match subscription.map(|subscription| subscription.state) {
        Some(SubscriptionState::Active) => Step::new(
            STEP,
            Outcome::Warn,
            format!("{agent} is subscribed to{via}, and no presence came within {} s", PATIENCE.as_secs()),
        )
        .advise("the pool reaches us by connections of its own: check the listener, the firewall, and the trusted application's port"),
        state => Step::fail(
            STEP,
            format!(
                "{agent} is not subscribed to within {} s; it is {}",
                PATIENCE.as_secs(),
                state.map_or_else(|| "without a subscription".to_owned(), |state| state.to_string())
            ),
            "check the log of the server",
        ),
    }
}

fn agent_advice(failure: &Failure, pool: &PoolSettings) -> &'static str {
    match (failure.kind, pool.dialect) {
        (FailureKind::Endpoint, Dialect::Skype) if !pool.use_registration => {
            "remove UseRegistration from <Pool>: a pool gives presence to registered endpoints only"
        }
        (FailureKind::Endpoint, Dialect::Skype) if matches!(failure.code, Some(403 | 404)) => PROVISIONED,
        (FailureKind::Endpoint, _) if matches!(failure.code, Some(408 | 480 | 500..=599)) => {
            "the pool's presence service does not serve anybody now: check the services of its servers, and try again later"
        }
        (FailureKind::NotFound, Dialect::Skype) => {
            "the pool does not know this agent: check its URI with Get-CsUser, or name another one with --agent"
        }
        (FailureKind::NotFound, Dialect::Simple) => {
            "the server does not know this agent: check its URI, or name another one with --agent"
        }
        (FailureKind::Forbidden, Dialect::Skype) => PROVISIONED,
        (FailureKind::Forbidden, Dialect::Simple) => {
            "the server does not let us see this agent: check its rules, or name another one with --agent"
        }
        (FailureKind::Transient, _) => {
            "the server cannot serve this agent now: try again later, or name another one with --agent"
        }
        (FailureKind::Dialog | FailureKind::Invariant | FailureKind::Endpoint, _) => "check the log of the server",
    }
}

/// What came, in a line.
fn words(status: &Status) -> String {
    let mut text = format!("{} ({})", status.availability.name(), status.availability.value());
    if let Some(activity) = &status.activity {
        text.push_str(&format!(", activity {activity}"));
    }
    format!("{text}, device {}, network {}", status.device, status.network)
}

/// Stands for the queue; what it is told is seen from outside.
struct Deaf;

impl Actor for Deaf {
    type Context = Context<Self>;
}

impl Handler<PresenceEvent> for Deaf {
    type Result = ();

    fn handle(&mut self, _: PresenceEvent, _: &mut Self::Context) {}
}
