//! `presence-provider check`: what a configuration means, and what is wrong with it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use presence_config::{Diagnostic, LoadError, Loaded, SettingRow, Settings};
use presence_core::{SourceKind, Throttle};
use serde::Serialize;

use crate::answer::{Answer, json};
use crate::args::CheckArguments;
use crate::configuration::{complaint, rendered, verdict};
use crate::exit::Exit;
use crate::pools::{self, PoolFound};
use crate::readiness;

/// What `check` finds. The fields are the JSON form of the answer.
#[derive(Clone, Debug, Serialize)]
pub struct Findings<'a> {
    /// The file.
    pub file: String,
    /// True when the file holds no error.
    pub usable: bool,
    /// True when `run` has everything that it needs: `usable`, and nothing is `missing`.
    pub startable: bool,
    /// Why the file could not be read at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// Errors, warnings and hints in the order of the file.
    pub diagnostics: &'a [Diagnostic],
    /// What a start of the service will lack although the file is valid, a sentence each.
    pub missing: Vec<String>,
    /// What the service can start with and its operator will not be happy with, a sentence each.
    pub doubts: Vec<String>,
    /// What the name servers say about the pools that have names.
    pub pools: Vec<PoolFound>,
    /// The effective settings; empty when there are errors.
    pub settings: Vec<SettingRow>,
    /// How a full start goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<FullStart>,
}

/// How a start goes at which every agent is subscribed to for the first time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FullStart {
    /// How many different agents the queues of the file have.
    pub agents: usize,
    /// How many of them each source serves, by its element; a source without agents is absent.
    pub by_source: BTreeMap<&'static str, usize>,
    /// The agents that no source serves.
    pub unserved: Vec<String>,
    /// How many agents are subscribed to at a server, one token of the throttle each.
    pub subscriptions: usize,
    /// The configured rate.
    pub subscriptions_per_second: u32,
    /// The time from the first subscription to the last, in seconds.
    pub seconds: f64,
    /// What the agents of Microsoft Graph cost, when the source is enabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graph: Option<GraphLoad>,
}

/// What polling the agents of Microsoft Graph costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GraphLoad {
    /// How many agents are asked for there.
    pub agents: usize,
    /// How many of them go to another source if no tenant knows them.
    pub tentative: usize,
    /// The requests of one sweep over all of them.
    pub requests_per_sweep: usize,
    /// How long a sweep takes, in seconds.
    pub sweep_seconds: f64,
    /// How many requests that makes in a second.
    pub requests_per_second: f64,
    /// How many requests look up at a start which users the agents are, when all are found by their names.
    pub lookups: usize,
    /// How long a start takes until every one of them is asked for, about, in seconds.
    pub start_seconds: f64,
}

impl GraphLoad {
    /// What these settings cost.
    fn of(settings: &Settings) -> Option<Self> {
        let graph = settings.graph.as_ref()?;
        let sweep_seconds = graph.sweep.as_secs_f64();
        let rules = settings.source_rules();
        let selections: Vec<_> = settings.agents().iter().map(|uri| rules.select(uri)).collect();
        let at_graph = || selections.iter().filter(|one| one.source == Some(SourceKind::MsGraph));
        let agents = at_graph().count();
        let tentative = at_graph().filter(|one| one.otherwise.is_some()).count();
        let requests_per_sweep = agents.div_ceil(presence_graph::wire::MAX_PRESENCE_IDS);
        let requests_per_second = requests_per_sweep as f64 / sweep_seconds;
        let lookups = agents.saturating_sub(graph.users.len()).div_ceil(presence_graph::wire::MAX_NAMES);
        // Sweeps and look-ups share what the accounts may ask.
        let allowed = f64::from(graph.requests_per_second.get()) * graph.accounts.len() as f64;
        let for_lookups = (allowed - requests_per_second).max(1.0);
        let start_seconds =
            (lookups as f64 / for_lookups).max(agents as f64 / f64::from(graph.agents_per_second.get()));
        Some(Self { agents, tentative, requests_per_sweep, sweep_seconds, requests_per_second, lookups, start_seconds })
    }
}

impl FullStart {
    /// How the start with these settings goes.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let rules = settings.source_rules();
        let agents = settings.agents();
        let mut by_source = BTreeMap::new();
        let mut unserved = Vec::new();
        for uri in &agents {
            match rules.select(uri).source {
                Some(source) => *by_source.entry(source.element()).or_insert(0) += 1,
                None => unserved.push(uri.as_str().to_owned()),
            }
        }
        let subscriptions = by_source.get(SourceKind::Ucma.element()).copied().unwrap_or(0);
        let subscriptions_per_second = settings.max_presence_subscriptions_per_second.get();
        let seconds = time_for(settings, subscriptions).as_secs_f64();
        let graph = GraphLoad::of(settings);
        Self { agents: agents.len(), by_source, unserved, subscriptions, subscriptions_per_second, seconds, graph }
    }
}

/// How long so many subscriptions take from the first to the last, by the throttle itself.
fn time_for(settings: &Settings, subscriptions: usize) -> Duration {
    Throttle::<()>::new(settings.max_presence_subscriptions_per_second).time_for(subscriptions)
}

/// Answers `presence-provider check`. `color` is for the diagnostics.
#[must_use]
pub fn check(arguments: &CheckArguments, color: bool) -> Answer {
    let path = &arguments.file.config;
    let file = path.display().to_string();
    match presence_config::load(path) {
        Ok(loaded) => checked(arguments, file, &loaded, color),
        Err(error) if arguments.json => {
            let unreadable = matches!(error, LoadError::Unreadable { .. }).then(|| error.to_string());
            let diagnostics = if let LoadError::Invalid(diagnostics) = error { diagnostics } else { Vec::new() };
            let findings = Findings {
                file,
                usable: false,
                startable: false,
                unreadable,
                diagnostics: &diagnostics,
                missing: Vec::new(),
                doubts: Vec::new(),
                pools: Vec::new(),
                settings: Vec::new(),
                start: None,
            };
            Answer { exit: Exit::Config, ..Answer::ok(json(&findings)) }
        }
        Err(error) => Answer::failed(Exit::Config, complaint(&error, color)),
    }
}

/// The answer about a file without errors.
fn checked(arguments: &CheckArguments, file: String, loaded: &Loaded, color: bool) -> Answer {
    let Loaded { settings, warnings } = loaded;
    let pools = if arguments.no_lookup { Vec::new() } else { pools::look_up(settings) };
    let mut missing = readiness::obstacles(settings);
    missing.extend(pools.iter().filter_map(|pool| pool.problem.clone()));
    let exit = if arguments.strict && !missing.is_empty() { Exit::Config } else { Exit::Ok };
    let (doubts, start) = (readiness::doubts(settings), FullStart::of(settings));
    if arguments.json {
        let findings = Findings {
            file,
            usable: true,
            startable: missing.is_empty(),
            unreadable: None,
            diagnostics: warnings,
            missing,
            doubts,
            pools,
            settings: settings.report(),
            start: Some(start),
        };
        return Answer { exit, ..Answer::ok(json(&findings)) };
    }
    let mut stderr = rendered(warnings, color);
    for doubt in &doubts {
        stderr.push_str(&format!("warning: {doubt}\n\n"));
    }
    if !missing.is_empty() {
        stderr.push_str("missing: `presence-provider run` needs more than this file has\n");
        stderr.extend(missing.iter().map(|sentence| format!("  - {sentence}\n")));
        stderr.push('\n');
    }
    let stdout = format!(
        "{file} can be used: {}\n\n{}{}\n{}",
        verdict(warnings),
        table(settings),
        pools_text(&pools),
        start_text(settings, &start)
    );
    Answer { stdout, stderr, exit }
}

fn pools_text(pools: &[PoolFound]) -> String {
    let found: Vec<_> = pools.iter().filter(|pool| pool.problem.is_none()).collect();
    let Some(width) = found.iter().map(|pool| pool.name.chars().count()).max() else { return String::new() };
    found.iter().fold("\nServers of the pool, in the order in which they are dialled\n".to_owned(), |text, pool| {
        format!("{text}  {:<width$}  {}\n", pool.name, pool.servers.join(", "))
    })
}

fn table(settings: &Settings) -> String {
    let rows = settings.report();
    let width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let mut text = "Settings (* the default, because the file does not say it)\n".to_owned();
    for row in rows {
        let mark = if row.default { " *" } else { "" };
        // Writing into a String does not fail.
        let _ = writeln!(text, "  {:<width$}  {}{mark}", row.name, row.value);
    }
    text
}

fn start_text(settings: &Settings, start: &FullStart) -> String {
    let mut text = "Full start\n".to_owned();
    let rate = start.subscriptions_per_second;
    if start.agents == 0 {
        text.push_str("  The file names no agents; UCCs bring theirs. ");
        let times = [100, 1_000, 10_000].map(|n| format!("{n} agents take {}", spoken(time_for(settings, n))));
        let _ = writeln!(text, "At {rate} per second {}.", times.join(", "));
        return text;
    }
    for (source, agents) in &start.by_source {
        let _ = writeln!(text, "  {source:<22}  {}", counted(*agents, "agent"));
    }
    if !start.unserved.is_empty() {
        const SHOWN: usize = 10;
        let shown = start.unserved.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if start.unserved.len() > SHOWN { ", ..." } else { "" };
        let count = counted(start.unserved.len(), "agent");
        let _ = writeln!(text, "  {:<22}  {count}, whose presence stays unknown: {shown}{more}", "no source");
    }
    if let Some(graph) = start.graph.as_ref().filter(|graph| graph.agents > 0) {
        let requests = counted(graph.requests_per_sweep, "request");
        let _ = writeln!(
            text,
            "  {requests} to Microsoft Graph every {} s for all of its agents: {:.1} per second",
            graph.sweep_seconds, graph.requests_per_second
        );
        if graph.start_seconds >= 1.0 {
            let lookups = counted(graph.lookups, "look-up");
            let time = spoken(Duration::from_secs_f64(graph.start_seconds));
            let _ = writeln!(
                text,
                "  {lookups} before that, of up to 15 agents each: all are asked for after about {time}"
            );
        }
        if graph.tentative > 0 {
            let _ = writeln!(text, "  {} go to the pool if no tenant knows them", counted(graph.tentative, "agent"));
        }
    }
    if start.subscriptions == 0 {
        return text;
    }
    let subscriptions = counted(start.subscriptions, "subscription");
    let time = spoken(time_for(settings, start.subscriptions));
    let _ = writeln!(text, "  {subscriptions} at {rate} per second: the last one is sent {time} after the first");
    text
}

fn counted(count: usize, name: &str) -> String {
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

/// `6.7 s` below a minute, then `1m 8s`.
fn spoken(time: Duration) -> String {
    if time < Duration::from_secs(60) {
        return format!("{:.1} s", time.as_secs_f64());
    }
    humantime::format_duration(Duration::from_secs(time.as_secs_f64().round() as u64)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spoken_as_people_say_them() {
        for (time, text) in [(0, "0.0 s"), (1_320, "1.3 s"), (59_900, "59.9 s"), (672_660, "11m 13s")] {
            assert_eq!(spoken(Duration::from_millis(time)), text);
        }
    }
}
