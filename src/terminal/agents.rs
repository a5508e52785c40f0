//! `presence-provider agents`: the agents that match, in a table.

use jiff::Timestamp;
use presence_core::log_text::Safe;

use super::address::query;
use super::api::Api;
use super::arguments::AgentsArguments;
use super::asked;
use super::screen::{Screen, Tone, age, counted, presence_tone, presence_word, source_word, span, taken, wire_name};
use super::table::{Cell, Column, Table, record};
use super::unanswered::Unanswered;
use crate::answer::{Answer, json};
use crate::http::model::{Agent, AgentPage, AgentState, SourceName};

/// The most agents that one request may ask for.
const PAGE: usize = 1000;

/// Answers `presence-provider agents`.
#[must_use]
pub fn agents(arguments: &AgentsArguments) -> Answer {
    asked(&arguments.api, |api| {
        let limit = if arguments.all { usize::MAX } else { arguments.limit.get() };
        let list = collect(api, &filter(arguments), limit)?;
        Ok(Answer::ok(if arguments.json { json(&list) } else { text(&list, &Screen::standard()) }))
    })
}

fn filter(arguments: &AgentsArguments) -> Vec<(&'static str, String)> {
    let source = arguments.source.map(|source| wire_name(&SourceName::from(source)));
    let fields = [
        ("q", arguments.query.clone()),
        ("state", (!arguments.state.is_empty()).then(|| arguments.state.join(","))),
        ("freshness", arguments.freshness.clone()),
        ("source", source),
        ("endpoint", arguments.endpoint.clone()),
        ("ucc", arguments.ucc.clone()),
        ("sort", Some(arguments.sort.clone())),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Page after page, as one list.
fn collect(api: &Api, filter: &[(&'static str, String)], limit: usize) -> Result<AgentPage, Unanswered> {
    let page = |offset: usize, limit: usize| -> Result<AgentPage, Unanswered> {
        let place = [("offset", offset.to_string()), ("limit", limit.min(PAGE).to_string())];
        api.get(&format!("/api/v1/agents{}", query(&[filter, &place].concat())))
    };
    let mut list = page(0, limit)?;
    // The total of the first page is the bound: what has come since is seen the next time.
    let wanted = limit.min(list.total);
    while list.agents.len() < wanted {
        let next = page(list.agents.len(), wanted - list.agents.len())?;
        if next.agents.is_empty() {
            break;
        }
        list.agents.extend(next.agents);
    }
    list.agents.truncate(limit);
    Ok(list)
}

fn text(list: &AgentPage, screen: &Screen) -> String {
    let Some(width) = screen.width else { return list.agents.iter().map(piped).collect() };
    if list.agents.is_empty() {
        return if list.total == 0 { "No agent matches.\n".to_owned() } else { "No more agents.\n".to_owned() };
    }
    let column = |name, rank, longest| Column { name, rank, longest };
    let columns = vec![
        column("AGENT", 0, usize::MAX),
        column("PRESENCE", 0, 24),
        column("ACTIVITY", 4, 24),
        column("SINCE", 0, 12),
        column("STATE", 1, 20),
        column("RETRY", 2, 20),
        column("SOURCE", 6, 9),
        column("VIA", 5, 11),
        column("QUEUES", 3, 24),
    ];
    let now = taken(&list.taken);
    let rows = list.agents.iter().map(|agent| row(agent, now)).collect();
    let mut text = Table { columns, rows }.text(width, screen);
    if list.agents.len() < list.total {
        let shown = list.agents.len();
        let more = format!("{shown} of {}; --limit N or --all shows more\n", counted(list.total, "agent"));
        text.push_str(&screen.paint(Tone::Faint, &more));
    }
    text
}

/// The tone of a state.
pub(super) const fn state_tone(state: AgentState) -> Tone {
    match state {
        AgentState::Served | AgentState::Active => Tone::Plain,
        AgentState::Abandoned | AgentState::Quarantined => Tone::Bad,
        AgentState::BackingOff | AgentState::WaitingForEndpoint => Tone::Doubtful,
        AgentState::Idle
        | AgentState::AwaitingToken
        | AgentState::Subscribing
        | AgentState::Withdrawing
        | AgentState::Releasing
        | AgentState::Unsubscribing => Tone::Faint,
    }
}

fn row(agent: &Agent, now: Timestamp) -> Vec<Cell> {
    let presence = &agent.presence;
    let retry = match &agent.next_retry {
        Some(at) => until(at, now),
        None if agent.failures > 0 => counted(agent.failures as usize, "failure"),
        None => String::new(),
    };
    // Nothing has held since any time that is worth a word.
    let since = if agent.sequence == 0 { String::new() } else { age(&presence.since, now) };
    vec![
        Cell::new(&agent.uri),
        Cell::toned(presence_word(presence), presence_tone(presence)),
        Cell::new(presence.activity.as_deref().unwrap_or_default()),
        Cell::new(since),
        Cell::toned(wire_name(&agent.state).replace('_', " "), state_tone(agent.state)),
        Cell::new(retry),
        Cell::new(source_word(presence.source)),
        Cell::new(via(agent)),
        Cell::new(agent.uccs.join(", ")),
    ]
}

/// By what its presence comes: the endpoint of the pool, or the account of Microsoft Graph.
fn via(agent: &Agent) -> String {
    let endpoint = agent.endpoint.map(|endpoint| wire_name(&endpoint));
    endpoint.or_else(|| agent.account.clone()).unwrap_or_default()
}

/// `in 12s`.
fn until(moment: &str, now: Timestamp) -> String {
    match moment.parse::<Timestamp>() {
        Ok(at) => format!("in {}", span(at.duration_since(now).as_secs_f64())),
        Err(_) => Safe(moment).to_string(),
    }
}

fn piped(agent: &Agent) -> String {
    let presence = &agent.presence;
    record([
        agent.uri.as_str(),
        &presence.availability.name,
        &presence.availability.value.to_string(),
        presence.activity.as_deref().unwrap_or_default(),
        &presence.since,
        &wire_name(&presence.freshness),
        &wire_name(&agent.state),
        source_word(presence.source),
        &via(agent),
        &agent.failures.to_string(),
        agent.next_retry.as_deref().unwrap_or_default(),
        &agent.uccs.join(","),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn the_table_fits_a_narrow_and_a_wide_terminal() {
        insta::assert_snapshot!(text(&samples::page(), &samples::terminal(80)));
        insta::assert_snapshot!(text(&samples::page(), &samples::terminal(120)));
    }

    #[test]
    fn a_pipe_gets_every_field_of_every_agent() {
        insta::assert_snapshot!(text(&samples::page(), &samples::pipe()));
    }

    #[test]
    fn nobody_is_said_and_a_pipe_gets_nothing() {
        let none = AgentPage { agents: Vec::new(), total: 0, offset: 0, taken: samples::TAKEN.into() };
        assert_eq!(text(&none, &samples::terminal(80)), "No agent matches.\n");
        assert_eq!(text(&none, &samples::pipe()), "");
    }
}
