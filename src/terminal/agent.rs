//! `presence-provider agent`: one agent with the whole why of its presence.

use std::fmt::Write;

use jiff::Timestamp;
use presence_core::log_text::Safe;

use super::address::segment;
use super::agents::state_tone;
use super::arguments::AgentArguments;
use super::asked;
use super::glance::failure_text;
use super::screen::{Screen, Tone, age, presence_tone, presence_word, span, wire_name, wrapped};
use crate::answer::{Answer, json};
use crate::http::model::{AgentDetail, AgentState, ChangeRecord, GraphAgent, Presence, SubscriptionDetail};

/// Where the second column begins.
const INDENT: usize = 16;

/// Answers `presence-provider agent`.
#[must_use]
pub fn agent(arguments: &AgentArguments) -> Answer {
    asked(&arguments.api, |api| {
        let detail: AgentDetail = api.get(&format!("/api/v1/agents/{}", segment(arguments.uri.as_str())))?;
        let text = || text(&detail, &Screen::standard(), Timestamp::now());
        Ok(Answer::ok(if arguments.json { json(&detail) } else { text() }))
    })
}

fn text(detail: &AgentDetail, screen: &Screen, now: Timestamp) -> String {
    let (agent, presence) = (&detail.agent, &detail.agent.presence);
    let uri = Safe(&agent.uri).to_string();
    let mut page = Page { screen, text: format!("{}\n", screen.paint(Tone::Strong, &uri)) };
    let word = screen.paint(presence_tone(presence), &Safe(&presence.availability.name).to_string());
    page.line("Presence", &format!("{word}{}", details(presence)));
    page.line("Freshness", &wire_name(&detail.freshness));
    if agent.sequence > 0 {
        page.line("Since", &format!("{} ({})", screen.clock(&presence.since, now), age(&presence.since, now)));
    }
    page.sentence("Why", &detail.why);
    page.line("Source", &wire_name(&detail.source));
    let state = screen.paint(state_tone(agent.state), &wire_name(&agent.state).replace('_', " "));
    let via = agent.endpoint.map(|via| format!(" at the {} endpoint", wire_name(&via))).unwrap_or_default();
    page.line("State", &format!("{state}{via}"));
    // A Teams agent that is asked for has nothing that runs out or is tried again.
    let asked = detail.graph.is_some() && agent.state == AgentState::Active;
    if let Some(subscription) = detail.subscription.as_ref().filter(|_| !asked) {
        page.subscription(subscription, now);
    }
    if let Some(graph) = &detail.graph {
        page.graph(graph, now);
    }
    let can = detail.capabilities;
    let can = [("audio", can.audio), ("video", can.video), ("text", can.text)];
    let can = can.map(|(name, capability)| format!("{name} {}", wire_name(&capability)));
    page.line("Capabilities", &can.join(", "));
    let queues = if agent.uccs.is_empty() { "nobody".to_owned() } else { agent.uccs.join(", ") };
    page.sentence("Watched by", &queues);

    page.title("Rules");
    // The first line is the agent again.
    for line in detail.rules.text().lines().skip(1) {
        let _ = writeln!(page.text, "{}", in_width(line, screen.width));
    }
    page.title("Changes, the newest first");
    if detail.changes.is_empty() {
        page.text.push_str("  none yet\n");
    }
    for change in &detail.changes {
        page.change(change, now);
    }
    page.text
}

/// A line of the rules; on a terminal that is narrower, what stands in its last column is broken.
fn in_width(line: &str, width: Option<usize>) -> String {
    /// Where that column begins.
    const COLUMN: usize = 31;
    let long = width.is_some_and(|width| line.chars().count() > width && width > COLUMN);
    match line.char_indices().nth(COLUMN) {
        Some((at, _)) if long && line.starts_with("  ") => {
            format!("{}{}", &line[..at], wrapped(&line[at..], width, COLUMN))
        }
        _ => line.to_owned(),
    }
}

/// What is known beside the availability.
fn details(presence: &Presence) -> String {
    let mut text = format!(" ({})", presence.availability.value);
    let told = |word: &str| !matches!(word, "" | "Undefined" | "None");
    for word in [presence.activity.as_deref(), Some(presence.device.as_str()), Some(presence.network.as_str())]
        .into_iter()
        .flatten()
        .filter(|word| told(word))
    {
        let _ = write!(text, ", {}", Safe(word));
    }
    if let Some(location) = &presence.location {
        let _ = write!(text, ", at {}", Safe(location));
    }
    text
}

struct Page<'a> {
    screen: &'a Screen,
    text: String,
}

impl Page<'_> {
    /// One line. What comes from the other side must be [`Safe`] by then.
    fn line(&mut self, name: &str, what: &str) {
        // Writing into a String does not fail.
        let _ = writeln!(self.text, "  {name:<width$}{what}", width = INDENT - 2);
    }

    fn sentence(&mut self, name: &str, what: &str) {
        self.line(name, &wrapped(&Safe(what).to_string(), self.screen.width, INDENT));
    }

    fn title(&mut self, title: &str) {
        let _ = writeln!(self.text, "{}", self.screen.paint(Tone::Strong, title));
    }

    fn subscription(&mut self, subscription: &SubscriptionDetail, now: Timestamp) {
        let mut words = vec![format!("attempt {}", subscription.attempt)];
        if subscription.failures > 0 {
            words.push(format!("{} failed", subscription.failures));
        }
        if let Some(at) = &subscription.next_retry {
            let wait = subscription.next_retry_in.map(|seconds| format!(" (in {})", span(seconds))).unwrap_or_default();
            words.push(format!("next at {}{wait}", self.screen.clock(at, now)));
        }
        if let Some(at) = &subscription.expires {
            words.push(format!("expires at {}", self.screen.clock(at, now)));
        }
        self.line("Subscription", &words.join(", "));
        if let Some(failure) = &subscription.last_failure {
            let owner = wire_name(&failure.owner).replace('_', " ");
            self.sentence("Last failure", &format!("{} ({owner})", failure_text(failure)));
            if let Some(seconds) = failure.retry_after {
                self.sentence("", &format!("the other side asked to be left alone for {}", span(seconds)));
            }
        }
    }

    /// What Microsoft Graph knows of it.
    fn graph(&mut self, graph: &GraphAgent, now: Timestamp) {
        let known = |text: &Option<String>| {
            text.as_deref().map_or_else(|| "not known yet".into(), |text| Safe(text).to_string())
        };
        self.line("Tenant", &known(&graph.tenant));
        self.line("Object id", &known(&graph.object_id));
        let notified = if graph.notified { "; its changes are notified" } else { "" };
        self.line(
            "Account",
            &graph.account.as_deref().map_or_else(|| "none yet".into(), |name| format!("{}{notified}", Safe(name))),
        );
        if let Some(at) = &graph.heard_at {
            self.line("Last answer", &format!("{} ({} ago)", self.screen.clock(at, now), age(at, now)));
        }
    }

    fn change(&mut self, change: &ChangeRecord, now: Timestamp) {
        let (screen, presence) = (self.screen, &change.presence);
        let previous = change.previous.as_ref().map_or_else(|| "-".to_owned(), presence_word);
        let new = screen.paint(presence_tone(presence), &presence_word(presence));
        let activity = presence.activity.as_deref().map(|word| format!("  {}", Safe(word))).unwrap_or_default();
        let at = screen.clock(&change.at, now);
        let _ = writeln!(self.text, "  {at}  #{:<5} {previous} → {new}{activity}", change.sequence);
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn an_agent_is_told_with_its_whole_why() {
        let now = samples::TAKEN.parse().expect("a moment");
        insta::assert_snapshot!(text(&samples::detail(), &samples::terminal(80), now));
    }

    #[test]
    fn a_teams_agent_is_told_with_its_tenant_and_its_account() {
        let now = samples::TAKEN.parse().expect("a moment");
        insta::assert_snapshot!(text(&samples::teams_detail(), &samples::terminal(80), now));
    }
}
