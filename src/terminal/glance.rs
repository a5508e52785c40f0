//! `presence-provider status`: is everything well, in one glance.

use std::fmt::Write;

use jiff::Timestamp;
use presence_core::log_text::Safe;

use super::arguments::StatusArguments;
use super::screen::{Screen, Tone, age, counted, shortened, source_word, span, taken, wire_name, wrapped};
use super::{asked, follow};
use crate::answer::{Answer, json};
use crate::exit::Exit;
use crate::http::model::{
    AgentCounts, Endpoint, FailureDetail, GraphAccountState, GraphPushState, GraphTenant, Recovery, RestartState,
    Source, Status, Throttle, Verdict,
};

/// Where the second column begins.
const INDENT: usize = 12;
/// What stands in front of a URI: 12 + 11 + 2 + 14 + 2 + 13 + 2.
const BEFORE: usize = 56;
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
    // The verdict stands before it already.
    let headline = status.headline.strip_prefix("Recovering: ").unwrap_or(&status.headline);
    let headline = wrapped(&Safe(headline).to_string(), screen.width, gap);
    let mut glance = Glance { screen, text: format!("{}  {headline}\n", screen.paint(tone(status.verdict), &verdict)) };
    if let Some(recovery) = &status.recovery {
        glance.recovery(recovery, now);
    }
    glance.text.push('\n');
    glance.agents(&status.agents);
    glance.endpoints(&status.endpoints, now);
    glance.graph(&status.graph);
    glance.sources(&status.sources);
    glance.throttle(&status.throttle, now);
    let calls = if status.calls > 0 { format!(", {} under way", counted(status.calls, "call")) } else { String::new() };
    glance.line("Queues", &format!("{}{calls}", status.uccs));
    let (changes, messages) = (status.changes_per_second, status.messages_per_second);
    glance.line("Traffic", &format!("{changes:.1} changes and {messages:.1} SIP messages per second"));
    if let Some(state) = &status.state {
        glance.state_for_the_next_start(state, now);
    }
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
            Some(seconds) => format!(", {} to go", span(seconds)),
            None => String::new(),
        };
        self.line("Recovery", &format!("{progress}  {} of {}{rest}", recovery.done, recovery.total));
        let since = self.screen.clock(&recovery.since, now);
        let until = match &recovery.predicted_end {
            Some(end) => format!("until {}", self.screen.clock(end, now)),
            None => "no end in sight while no endpoint is up".to_owned(),
        };
        self.sentence(&format!("since {since}, {until}: {}", recovery.cause));
        if !recovery.order.is_empty() {
            self.sentence(&recovery.order);
        }
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
        let under_way = [
            (agents.pending, "on their way to the wire", Tone::Plain),
            (agents.backing_off, "waiting after a failure", Tone::Doubtful),
        ];
        let given_up = [(agents.abandoned, "abandoned", Tone::Bad), (agents.quarantined, "in quarantine", Tone::Bad)];
        for troubles in [under_way, given_up] {
            let troubles: Vec<String> = troubles
                .into_iter()
                .filter(|(count, ..)| *count > 0)
                .map(|(count, name, tone)| part(count, name, tone))
                .collect();
            if !troubles.is_empty() {
                self.line("", &troubles.join(", "));
            }
        }
        if agents.abandoned > 0 {
            self.sentence(
                "see `presence-provider agents --state abandoned`; `presence-provider revive --all` tries them again",
            );
        }
    }

    fn endpoints(&mut self, endpoints: &[Endpoint], now: Timestamp) {
        for (at, endpoint) in endpoints.iter().enumerate() {
            let (name, agents) = (wire_name(&endpoint.endpoint), counted(endpoint.agents, "agent"));
            let title = if at == 0 { "Endpoints" } else { "" };
            self.row(title, &name, (endpoint.up, &Safe(&endpoint.state).to_string()), &agents, &endpoint.uri);
            if let Some(failure) = endpoint.last_failure.as_ref().filter(|_| !endpoint.up) {
                let text = failure_text(failure);
                self.sentence(&format!("lost{}{text}", if text.starts_with("by ") { " " } else { " by " }));
            }
            if let Some(last) = &endpoint.last_silent_loss {
                let losses = usize::try_from(endpoint.silent_losses).unwrap_or(usize::MAX);
                let (losses, last) = (counted_losses(losses), self.screen.clock(last, now));
                self.sentence(&format!("{losses} found by samples, the last at {last}"));
            }
        }
    }

    /// Microsoft Graph: a row per tenant, account and subscription; sentences only where something is amiss.
    fn graph(&mut self, tenants: &[GraphTenant]) {
        let mut name = "Graph";
        for tenant in tenants {
            let state = if tenant.up { "up" } else { "down" };
            self.row(name, "tenant", (tenant.up, state), &counted(tenant.agents, "agent"), &tenant.tenant);
            name = "";
            if tenant.looking_up > 0 {
                self.sentence(&format!("{} being looked up", tenant.looking_up));
            }
            if !tenant.up {
                self.sentence(&tenant.says);
            }
            for account in &tenant.accounts {
                let works = account.state != GraphAccountState::Failed;
                let requests = counted(account.batches, "request");
                self.row(name, "account", (works, &wire_name(&account.state)), &requests, &account.account);
                // What the tenant has said already need not be said again.
                if !works && (tenant.up || account.needs_a_person) {
                    self.sentence(&account.says);
                }
                let Some(push) = &account.push else { continue };
                let hears = matches!(
                    push.state,
                    GraphPushState::Idle | GraphPushState::Subscribing | GraphPushState::Listening
                );
                let state = wire_name(&push.state).replace('_', " ");
                self.row(name, "push", (hears, &state), &counted(push.users, "user"), "");
                if !hears {
                    self.sentence(&push.says);
                }
            }
        }
    }

    /// What it is, its state, how many, and who.
    fn row(&mut self, name: &str, what: &str, (good, state): (bool, &str), count: &str, who: &str) {
        let who = Safe(who).to_string();
        let who = self.screen.width.map_or_else(|| who.clone(), |width| shortened(&who, width.saturating_sub(BEFORE)));
        let state = self.state(good, state);
        self.line(name, &format!("{what:<11}  {state}  {count:>13}  {who}"));
    }

    fn sources(&mut self, sources: &[Source]) {
        for (at, source) in sources.iter().enumerate() {
            let name = source_word(source.source);
            let state = self.state(source.ready, if source.ready { "ready" } else { "not ready" });
            let agents = counted(source.agents.total, "agent");
            let restarts = match source.restarts {
                0 => String::new(),
                restarts => format!("  {}", counted(restarts as usize, "restart")),
            };
            self.line(if at == 0 { "Sources" } else { "" }, &format!("{name:<11}  {state}  {agents:>13}{restarts}"));
            if let Some(why) = source.why.as_deref().filter(|_| !source.ready) {
                self.sentence(why);
            }
        }
    }

    /// The column of states.
    fn state(&self, good: bool, state: &str) -> String {
        self.screen.paint(if good { Tone::Good } else { Tone::Bad }, &format!("{state:<14}"))
    }

    fn state_for_the_next_start(&mut self, state: &RestartState, now: Timestamp) {
        let written = match &state.written {
            Some(at) => format!("written at {}, {}", self.screen.clock(at, now), size(state.bytes)),
            None => "not written yet".to_owned(),
        };
        if state.kept {
            self.line("State", &written);
            return;
        }
        let since = state.since.as_ref().map(|at| format!(" since {}", self.screen.clock(at, now))).unwrap_or_default();
        self.line("State", &self.screen.paint(Tone::Bad, &format!("not written{since}")));
        self.sentence(&format!("{}; {written}", state.why.as_deref().unwrap_or("it does not say why")));
    }

    fn throttle(&mut self, throttle: &Throttle, now: Timestamp) {
        let rate = if (throttle.rate - f64::from(throttle.configured_rate)).abs() < 0.05 {
            format!("{} per second", throttle.configured_rate)
        } else {
            format!("{:.1} per second, lowered from {}", throttle.rate, throttle.configured_rate)
        };
        let waiting = match (throttle.waiting, &throttle.predicted_end) {
            (0, _) => "nobody waits".to_owned(),
            (count, Some(end)) => format!("{count} waiting, the last until {}", self.screen.clock(end, now)),
            (count, None) => format!("{count} waiting"),
        };
        let text = format!("{waiting}; {rate}, {} granted", throttle.granted);
        self.line("Throttle", &wrapped(&text, self.screen.width, INDENT));
    }
}

/// `1 silent loss`, `12 silent losses`.
fn counted_losses(losses: usize) -> String {
    if losses == 1 { "1 silent loss".to_owned() } else { format!("{losses} silent losses") }
}

/// `812 bytes`, `12.8 MB`.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
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

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_recovery_is_told_with_its_bar_its_end_and_its_cause() {
        insta::assert_snapshot!(text(&samples::status(), &samples::terminal(80)));
    }

    #[test]
    fn when_all_is_well_there_is_little_to_say() {
        insta::assert_snapshot!(text(&samples::well(), &samples::terminal(80)));
    }

    #[test]
    fn microsoft_graph_is_told_by_tenant_and_account_with_a_sentence_where_something_is_amiss() {
        let mut status = samples::well();
        status.graph = samples::graph();
        insta::assert_snapshot!(text(&status, &samples::terminal(80)));
    }

    #[test]
    fn no_end_is_promised_while_no_endpoint_is_up() {
        let mut status = samples::status();
        status.verdict = Verdict::Down;
        let recovery = status.recovery.as_mut().expect("one");
        (recovery.predicted_end, recovery.predicted_end_in) = (None, None);
        status.throttle.rate = 7.5;
        status.sources[0].ready = false;
        status.sources[0].why = Some("no endpoint is up".into());
        let text = text(&status, &samples::pipe());
        assert!(text.contains("no end in sight while no endpoint is up"), "{text}");
        assert!(text.contains("7.5 per second, lowered from 15"), "{text}");
        assert!(text.contains("not ready"), "{text}");
    }

    #[test]
    fn a_state_that_cannot_be_written_and_silent_losses_are_told() {
        let mut status = samples::well();
        let kept = RestartState {
            kept: true,
            written: Some(samples::TAKEN.into()),
            bytes: 12_800_000,
            ..RestartState::default()
        };
        status.state = Some(kept.clone());
        let (count, last) = (12, Some("2026-11-22T13:55:00.000Z".to_owned()));
        (status.endpoints[0].silent_losses, status.endpoints[0].last_silent_loss) = (count, last);
        let told = text(&status, &samples::terminal(80));
        assert!(told.contains("State       written at 14:05:49, 12.8 MB\n"), "{told}");
        assert!(told.contains("            12 silent losses found by samples, the last at 13:55:00\n"), "{told}");
        let why = Some("No space left on device (os error 28)\u{1b}[2J".to_owned());
        status.state = Some(RestartState { kept: false, why, since: Some("2026-11-22T14:00:00.000Z".into()), ..kept });
        let told = text(&status, &samples::terminal(80));
        let words = "State       not written since 14:00:00\n            No space left on device (os error 28)\\u{1b}[2J; written at";
        assert!(told.contains(words), "{told}");
        assert_eq!([0, 812, 1_234, 999_999].map(size), ["0 bytes", "812 bytes", "1.2 kB", "1000.0 kB"]);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in 79..130 {
            let with_graph = Status { graph: samples::graph(), ..samples::well() };
            for status in [samples::status(), samples::well(), with_graph] {
                let text = text(&status, &samples::terminal(width));
                let wide = text.lines().find(|line| line.chars().count() > width);
                assert_eq!(wide, None, "{width}");
            }
        }
    }

    #[test]
    fn what_needs_a_person_ends_with_1() {
        let exits = [Verdict::Well, Verdict::Recovering, Verdict::Degraded, Verdict::Down].map(exit);
        assert_eq!(exits, [Exit::Ok, Exit::Ok, Exit::No, Exit::No]);
    }

    #[test]
    fn progress_is_full_only_at_the_end() {
        for (done, total, percent) in [(0, 0, "  0 %"), (9_999, 10_000, " 99 %"), (10, 10, "100 %"), (12, 10, "100 %")]
        {
            let text = progress(done, total);
            assert!(text.ends_with(percent), "{text}");
            assert_eq!(text.chars().filter(|c| "█░".contains(*c)).count(), BAR);
            assert_eq!(text.contains('░'), percent != "100 %", "{text}");
        }
    }

    #[test]
    fn colours_do_not_move_the_columns() {
        let mut screen = samples::terminal(100);
        screen.color = true;
        let coloured = text(&samples::status(), &screen);
        let plain = coloured.split('\u{1b}').enumerate().map(|(at, part)| match at {
            0 => part,
            _ => part.split_once('m').map_or("", |(_, rest)| rest),
        });
        assert_eq!(plain.collect::<String>(), text(&samples::status(), &samples::terminal(100)));
        assert!(coloured.contains("\u{1b}[33mRECOVERING\u{1b}[0m"), "{coloured}");
    }
}
