//! Is everything well? In one word and in words.

use std::time::{Duration, Instant};

use super::graph::GraphMemory;
use super::graph::verdict::{Reach, reach, troubles as graph_troubles};
use super::recovery::{Cause, Recovering};
use super::standing;
use super::tally::Tally;
use super::words::{counted, spoken, thousands};
use crate::http::model::Verdict;
use crate::state::KeepingReading;

use presence_core::EndpointKind;

/// The pool is given so long to answer for the first time.
const PATIENCE: Duration = Duration::from_secs(10);

/// One endpoint, as far as it matters to the verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// Which.
    pub(super) kind: EndpointKind,
    /// It can serve agents.
    pub(super) is_up: bool,
    /// It has been up before.
    pub(super) was_up: bool,
    /// Since when it is up, or down.
    pub(super) since: Instant,
    /// What it lost its pool by, the last time.
    pub(super) why: Option<String>,
}

/// What is judged.
pub(super) struct Scene<'a> {
    /// Now.
    pub(super) now: Instant,
    /// All agents.
    pub(super) tally: &'a Tally,
    /// The endpoints; empty when UcmaPresenceSource is switched off.
    pub(super) endpoints: &'a [Standing],
    /// What is remembered of Microsoft Graph; nothing when that source is switched off.
    pub(super) graph: &'a GraphMemory,
    /// The recovery that is under way.
    pub(super) recovery: Option<&'a Recovering>,
    /// Whether the state of the next start is written; nothing where none is to be.
    pub(super) keeping: Option<&'a KeepingReading>,
    /// How a moment is told.
    pub(super) clock: &'a dyn Fn(Instant) -> String,
}

/// The verdict, and a sentence or more for the person on duty.
#[must_use]
pub(super) fn judge(scene: &Scene<'_>) -> (Verdict, String) {
    let mut troubles = troubles(scene);
    let (pool, graph) = (pool(scene), reach(scene.graph, scene.now, scene.clock));
    let reaches = [pool, graph];
    let down: Vec<_> = reaches
        .iter()
        .filter_map(|reach| if let Reach::None(why) = reach { Some(why) } else { None })
        .cloned()
        .collect();
    if !down.is_empty() {
        return (Verdict::Down, [down, troubles].concat().join(" "));
    }
    match reaches {
        [Reach::NotYet, _] => return (Verdict::Recovering, "Starting: the pool is being connected to.".to_owned()),
        [_, Reach::NotYet] if scene.recovery.is_none() => {
            return (Verdict::Recovering, "Starting: Microsoft Graph is being asked for the first time.".to_owned());
        }
        _ => {}
    }
    if let Some(recovery) = scene.recovery {
        troubles.insert(0, progress(recovery, scene.now));
        return (Verdict::Recovering, troubles.join(" "));
    }
    if troubles.is_empty() { (Verdict::Well, well(scene.tally)) } else { (Verdict::Degraded, troubles.join(" ")) }
}

/// `Recovering: 812 of 1,000 agents are back, the rest in about 13 s.`
fn progress(recovery: &Recovering, now: Instant) -> String {
    let (word, done) = match recovery.cause {
        Cause::Start => ("Starting", "known"),
        Cause::NewAgents => ("Subscribing", "known"),
        Cause::Loss { .. } | Cause::Ended => ("Recovering", "back"),
    };
    let are = if recovery.total == 1 { "is" } else { "are" };
    let total = counted(recovery.total, "agent");
    let left = recovery.predicted_end.map(|end| end.saturating_duration_since(now));
    let rest = match left {
        None => "the rest wait for an endpoint".to_owned(),
        Some(left) if left < Duration::from_secs(1) => "the rest in a moment".to_owned(),
        Some(left) => format!("the rest in about {}", spoken(left)),
    };
    format!("{word}: {} of {total} {are} {done}, {rest}.", thousands(recovery.done))
}

/// How far the pool is from serving.
fn pool(scene: &Scene<'_>) -> Reach {
    if scene.endpoints.is_empty() || scene.endpoints.iter().any(|endpoint| endpoint.is_up) {
        return Reach::Some;
    }
    let is_new = |endpoint: &Standing| !endpoint.was_up && scene.now < endpoint.since + PATIENCE;
    if scene.endpoints.iter().all(is_new) { Reach::NotYet } else { Reach::None(down(scene)) }
}

/// No endpoint is up.
fn down(scene: &Scene<'_>) -> String {
    let endpoints = scene.endpoints;
    let since = endpoints.iter().map(|endpoint| endpoint.since).max().unwrap_or(scene.now);
    let why = endpoints.iter().find_map(|endpoint| endpoint.why.as_deref());
    let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
    let since = (scene.clock)(since);
    let what = match endpoints {
        [only] if only.was_up => format!("The {} is down since {since}{why}", only.kind),
        [only] => format!("The {} has not come up since the start at {since}{why}", only.kind),
        _ if endpoints.iter().any(|endpoint| endpoint.was_up) => format!("No endpoint is up since {since}{why}"),
        _ => format!("No endpoint has come up since the start at {since}{why}"),
    };
    let counts = &scene.tally.counts;
    let mut agents = Vec::new();
    match counts.stale {
        0 => {}
        1 => agents.push("1 agent keeps its last presence as stale".to_owned()),
        stale => agents.push(format!("{} keep their last presence as stale", counted(stale, "agent"))),
    }
    match counts.unknown.saturating_sub(scene.tally.unpushed) {
        0 => {}
        1 => agents.push("1 agent is unknown".to_owned()),
        unknown => agents.push(format!("{} are unknown", counted(unknown, "agent"))),
    }
    if agents.is_empty() { format!("{what}.") } else { format!("{what}: {}.", agents.join(", ")) }
}

/// What needs a look, a sentence each.
fn troubles(scene: &Scene<'_>) -> Vec<String> {
    let (tally, counts) = (scene.tally, &scene.tally.counts);
    let mut troubles = Vec::new();
    if let Some(up) = scene.endpoints.iter().find(|endpoint| endpoint.is_up) {
        // At the start the second endpoint may come up a little later.
        let is_down =
            |endpoint: &&Standing| !endpoint.is_up && (endpoint.was_up || scene.now >= endpoint.since + PATIENCE);
        troubles.extend(scene.endpoints.iter().filter(is_down).map(|down| {
            let since = (scene.clock)(down.since);
            format!("The {} is down since {since}; its agents are served by the {}.", down.kind, up.kind)
        }));
    }
    troubles.extend(graph_troubles(scene.graph, scene.now, scene.clock));
    match counts.abandoned {
        0 => {}
        1 => troubles.push("1 agent is abandoned: it is not tried again until revived.".to_owned()),
        many => {
            troubles.push(format!("{} are abandoned: they are not tried again until revived.", counted(many, "agent")));
        }
    }
    if counts.quarantined > 0 {
        let are = if counts.quarantined == 1 { "is" } else { "are" };
        troubles.push(format!(
            "{} {are} left alone for an hour because of a bug of this program; its log says more.",
            counted(counts.quarantined, "agent")
        ));
    }
    let of = thousands(counts.total);
    let failing = failing(tally);
    if failing * 20 > counts.total {
        troubles.push(format!(
            "{} of {of} agents could not be subscribed; they are tried again by themselves.",
            thousands(failing)
        ));
    }
    if scene.recovery.is_none() && tally.silent * 20 > counts.total {
        troubles.push(format!(
            "{} of {of} agents are subscribed, and the pool does not tell their presence.",
            thousands(tally.silent)
        ));
    }
    let all_asked = scene.graph.tenants().iter().all(|tenant| tenant.is_up);
    if all_asked && scene.graph.is_silent(scene.now) && tally.unheard * 20 > counts.total {
        troubles.push(format!(
            "{} of {of} agents are asked for, and Microsoft Graph does not tell their presence.",
            thousands(tally.unheard)
        ));
    }
    troubles.extend(standing::trouble(scene.keeping, scene.clock));
    troubles
}

/// Agents that failed on their own and are tried again.
const fn failing(tally: &Tally) -> usize {
    tally.aside.saturating_sub(tally.counts.abandoned + tally.counts.quarantined)
}

/// Nothing needs a look.
fn well(tally: &Tally) -> String {
    let counts = &tally.counts;
    match (counts.total, counts.fresh) {
        (0, _) => return "All is well; no queue asks for an agent.".to_owned(),
        (1, 1) => return "The only agent is fresh.".to_owned(),
        (total, fresh) if total == fresh => return format!("All {} are fresh.", counted(total, "agent")),
        (_, _) => {}
    }
    let categories = [
        (failing(tally), "could not be subscribed, and will be tried again"),
        (tally.unpushed, "unknown because no third party has pushed a state"),
        (tally.not_pushed_again, "as third parties had pushed them before the restart, until they push again"),
        (tally.missing, "being subscribed"),
        (tally.silent, "subscribed, with nothing told by the pool yet"),
        (tally.unheard, "not answered by Microsoft Graph yet"),
    ];
    let told: usize = categories.iter().map(|(count, _)| count).sum();
    let rest = (counts.total - counts.fresh).saturating_sub(told);
    let mut text = format!("{} of {} agents are fresh", thousands(counts.fresh), thousands(counts.total));
    for (count, words) in categories.into_iter().chain([(rest, "without a present value")]) {
        if count > 0 {
            text.push_str(&format!("; {} {words}", thousands(count)));
        }
    }
    text.push('.');
    text
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
