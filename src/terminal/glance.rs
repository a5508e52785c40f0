//! `presence-provider status`: is everything well, in one glance.

use std::fmt::Write;

use jiff::Timestamp;
use presence_core::log_text::Safe;

use super::arguments::StatusArguments;
use super::screen::{Screen, Tone, after, age, counted, shortened, source_word, span, taken, wire_name, wrapped};
use super::{asked, follow};
use crate::answer::{Answer, json};
use crate::exit::Exit;
use crate::http::model::{AgentCounts, Endpoint, FailureDetail, Recovery, Status, Throttle, Verdict};

/// Where the second column begins.
const INDENT: usize = 12;
/// The parts of a progress bar.
const BAR: usize = 30;

/// Answers `presence-provider status`.
#[must_use]
pub fn status(arguments: &StatusArguments) -> Answer {
    asked(&arguments.api, |api| {
        let mut status: Status = api.get("/api/v1/status")?;
        if arguments.follow && status.recovery.is_some() {
            status = follow::to_the_end(api, status)?;
        }
        let stdout = if arguments.json { json(&status) } else { text(&status, &Screen::standard()) };
        Ok(Answer { exit: exit(status.verdict), ..Answer::ok(stdout) })
    })
}

/// Well, or on its own way to be: 0. Someone must look: 1.
const fn exit(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Well | Verdict::Recovering => Exit::Ok,
        Verdict::Degraded | Verdict::Down => Exit::No,
    }
}

const fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Well => Tone::Good,
        Verdict::Recovering | Verdict::Degraded => Tone::Doubtful,
        Verdict::Down => Tone::Bad,
    }
}

/// The glance for people.
fn text(status: &Status, screen: &Screen) -> String {
    let now = taken(&status.taken);
    let verdict = wire_name(&status.verdict).to_uppercase();
    let gap = verdict.chars().count() + 2;
    let headline = wrapped(&Safe(&status.headline).to_string(), screen.width, gap);
    let mut glance = Glance { screen, text: format!("{}  {headline}\n", screen.paint(tone(status.verdict), &verdict)) };
    if let Some(recovery) = &status.recovery {
        glance.recovery(recovery, now);
    }
    glance.text.push('\n');
    glance.agents(&status.agents);
    glance.endpoints(&status.endpoints);
    for (at, source) in status.sources.iter().enumerate() {
        let word = source_word(source.source);
        let mut line = format!("{word:<11}  {:<15}  {:>7} agents", "", source.agents.total);
        let (ready, tone) = if source.ready { ("ready", Tone::Good) } else { ("not ready", Tone::Bad) };
        line = line.replacen(&" ".repeat(15), &screen.paint(tone, &format!("{ready:<15}")), 1);
        if source.restarts > 0 {
            let _ = write!(line, "  {}", counted(source.restarts as usize, "restart"));
        }
        glance.line(if at == 0 { "Sources" } else { "" }, &line);
        if let Some(why) = source.why.as_deref().filter(|_| !source.ready) {
            glance.sentence(why);
        }
    }
    glance.throttle(&status.throttle, now);
    let calls = if status.calls > 0 { format!(", {} under way", counted(status.calls, "call")) } else { String::new() };
    glance.line("Queues", &format!("{}{calls}", status.uccs));
    let (changes, messages) = (status.changes_per_second, status.messages_per_second);
    glance.line("Traffic", &format!("{changes:.1} changes and {messages:.1} SIP messages per second"));
    let version = Safe(&status.version);
    let started = screen.clock(&status.started, now);
    glance.line("Provider", &format!("{version}, up {} (since {started})", age(&status.started, now)));
    glance.text
}

struct Glance<'a> {
    screen: &'a Screen,
    text: String,
}

impl Glance<'_> {
    /// One line. What comes from the other side must be [`Safe`] by then.
    fn line(&mut self, name: &str, what: &str) {
        let name = self.screen.paint(Tone::Strong, &format!("{name:<INDENT$}"));
        // Writing into a String does not fail.
        let _ = writeln!(self.text, "{name}{}", what.trim_end());
    }

    fn sentence(&mut self, what: &str) {
        let what = wrapped(&Safe(what).to_string(), self.screen.width, INDENT);
        self.line("", &what);
    }

    fn recovery(&mut self, recovery: &Recovery, now: Timestamp) {
        self.text.push('\n');
        let progress = progress(recovery.done, recovery.total);
        let rest = match recovery.predicted_end_in {
            Some(seconds) => {
                let end = self.screen.time_of_day(after(now, seconds), false);
                format!("{} to go (until {end})", span(seconds))
            }
            None => "no end in sight while no endpoint is up".to_owned(),
        };
        self.line("Recovery", &format!("{progress}  {} of {}", recovery.done, recovery.total));
        self.sentence(&rest);
        self.sentence(&format!("since {}: {}", self.screen.clock(&recovery.since, now), recovery.cause));
    }

    fn agents(&mut self, agents: &AgentCounts) {
        let screen = self.screen;
        let part = |count: usize, name: &str, tone: Tone| {
            let tone = if count == 0 { Tone::Faint } else { tone };
            screen.paint(tone, &format!("{count} {name}"))
        };
        let known = [
            part(agents.fresh, "fresh", Tone::Good),
            part(agents.stale, "stale", Tone::Doubtful),
            part(agents.unknown, "unknown", Tone::Doubtful),
        ];
        self.line("Agents", &format!("{}: {}", agents.total, known.join(", ")));
        let troubles = [
            (agents.pending, "on their way to the wire", Tone::Plain),
            (agents.backing_off, "waiting after a failure", Tone::Doubtful),
            (agents.abandoned, "abandoned", Tone::Bad),
            (agents.quarantined, "in quarantine", Tone::Bad),
        ];
        let troubles: Vec<String> = troubles
            .into_iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, name, tone)| part(count, name, tone))
            .collect();
        if !troubles.is_empty() {
            self.line("", &troubles.join(", "));
        }
        if agents.abandoned > 0 {
            self.sentence(
                "see `presence-provider agents --state abandoned`; `presence-provider revive --all` tries them again",
            );
        }
    }

    fn endpoints(&mut self, endpoints: &[Endpoint]) {
        // What stands in front of the URI: 12 + 11 + 2 + 15 + 2 + 14 + 2.
        const BEFORE: usize = 58;
        for (at, endpoint) in endpoints.iter().enumerate() {
            let uri = Safe(&endpoint.uri).to_string();
            let uri =
                self.screen.width.map_or_else(|| uri.clone(), |width| shortened(&uri, width.saturating_sub(BEFORE)));
            let state = format!("{:<15}", Safe(&endpoint.state).to_string());
            let state = self.screen.paint(if endpoint.up { Tone::Good } else { Tone::Bad }, &state);
            let name = wire_name(&endpoint.endpoint);
            self.line(
                if at == 0 { "Endpoints" } else { "" },
                &format!("{name:<11}  {state}  {:>7} agents  {uri}", endpoint.agents),
            );
            if let Some(failure) = endpoint.last_failure.as_ref().filter(|_| !endpoint.up) {
                self.sentence(&format!("lost by {}", failure_text(failure)));
            }
        }
    }

    fn throttle(&mut self, throttle: &Throttle, now: Timestamp) {
        let rate = if (throttle.rate - f64::from(throttle.configured_rate)).abs() < 0.05 {
            format!("{} per second", throttle.configured_rate)
        } else {
            format!("{:.1} per second, lowered from {}", throttle.rate, throttle.configured_rate)
        };
        let waiting = match (throttle.waiting, throttle.predicted_end_in) {
            (0, _) => "nobody waits".to_owned(),
            (count, Some(seconds)) => {
                let end = self.screen.time_of_day(after(now, seconds), false);
                format!("{count} waiting, the last until {end} ({})", span(seconds))
            }
            (count, None) => format!("{count} waiting"),
        };
        self.line("Throttle", &format!("{waiting}; {rate}, {} granted", throttle.granted));
    }
}

/// A failure in a sentence: `503 (ms-diagnostics 4005), peer: Service Unavailable`.
pub(super) fn failure_text(failure: &FailureDetail) -> String {
    let mut text = String::new();
    if let Some(code) = failure.code {
        let _ = write!(text, "{code}");
    }
    if let Some(number) = failure.ms_diagnostics {
        let _ = write!(text, "{}ms-diagnostics {number}", if text.is_empty() { "" } else { ", " });
    }
    let gap = if text.is_empty() { "" } else { ", " };
    let by = match failure.by.as_str() {
        "us" => "ended by us",
        "peer" => "by the other side",
        "network" => "by the network",
        other => other,
    };
    let _ = write!(text, "{gap}{by}: {}", failure.detail);
    text
}

/// `██████░░░░  45 %`; never 100 % before everything is done.
fn progress(done: usize, total: usize) -> String {
    let (done, total) = (done.min(total), total.max(1));
    let filled = done * BAR / total;
    format!("{}{} {:>3} %", "█".repeat(filled), "░".repeat(BAR - filled), done * 100 / total)
}
