//! What the demo shows at its end.

use std::fmt::Write;
use std::time::Duration;

use super::Demo;
use super::stage::Figures;
use super::teams::{SWEEP, Teams, TeamsFigures};
use crate::shutdown::Ending;

/// The figures of the end.
#[derive(Clone, Debug)]
pub(super) struct Summary<'a> {
    /// What was played.
    pub(super) demo: &'a Demo,
    /// How many pairs of a queue and an agent there are.
    pub(super) pairs: usize,
    /// Counted before the orderly end.
    pub(super) during: &'a Figures,
    /// Counted behind it.
    pub(super) after: &'a Figures,
    /// What was asked of Microsoft Graph before the orderly end, and in how much time; none without Teams agents.
    pub(super) asked: Option<(TeamsFigures, Duration)>,
    /// True when the provider was connected to the server before the end.
    pub(super) connected: bool,
    /// How the orderly end went.
    pub(super) ending: Ending,
    /// How long the orderly end was waited for at most.
    pub(super) grace: Duration,
}

impl Summary<'_> {
    /// The summary as it is printed.
    pub(super) fn text(&self) -> String {
        let (demo, during, after) = (self.demo, self.during, self.after);
        let messages = during.messages;
        let separate = messages.saturating_mul(number(self.pairs)) / number(demo.agents).max(1);
        let mut rows = vec![
            ("agents", demo.agents.to_string(), self.beside()),
            ("queues", demo.uccs.to_string(), String::new()),
            ("agents wanted, summed over the queues", self.pairs.to_string(), String::new()),
            ("subscriptions on the wire", during.subscriptions.to_string(), self.why_fewer().to_owned()),
            (
                "most subscriptions that one agent ever had at once",
                during.most_for_one_agent.to_string(),
                String::new(),
            ),
            ("presence notifications received", during.notifications.to_string(), String::new()),
            ("SIP messages for them, both directions", messages.to_string(), String::new()),
            ("the same if every queue subscribed by itself, about", separate.to_string(), String::new()),
            ("SUBSCRIBE messages", during.subscribes.to_string(), String::new()),
            ("most agents asked for in any second", after.busiest_second.to_string(), format!("(limit {})", demo.rate)),
            ("subscriptions left there after the end", after.subscriptions.to_string(), self.why_left()),
        ];
        rows.extend(self.teams());
        let mut text = String::from("\n== Summary\n");
        for (name, value, note) in rows {
            let line = format!("   {name:<52}{value:>8}  {note}");
            // Writing into a String does not fail.
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }

    fn beside(&self) -> String {
        if self.asked.is_some() { "(of the pool)".to_owned() } else { String::new() }
    }

    /// What Microsoft Graph took, against what it should take.
    fn teams(&self) -> Vec<(&'static str, String, String)> {
        let Some((figures, time)) = &self.asked else { return Vec::new() };
        let rate = figures.presence_requests as f64 / time.as_secs_f64().max(0.001);
        let should = Teams::arithmetic(self.demo.teams);
        let times = |count: u64| if count == 1 { "once".to_owned() } else { format!("{count} times") };
        let told = match figures.too_many {
            0 => String::new(),
            count => format!("(told {} to ask less)", times(count)),
        };
        vec![
            (
                "Teams agents",
                self.demo.teams.to_string(),
                format!("(each asked for every {})", humantime::format_duration(SWEEP)),
            ),
            (
                "requests to Microsoft Graph for their presence",
                figures.presence_requests.to_string(),
                format!("({rate:.2} per second; arithmetic {should:.2})"),
            ),
            ("most requests to it in any second", figures.most_in_a_second.to_string(), told),
        ]
    }

    /// Why there are fewer subscriptions than agents.
    fn why_fewer(&self) -> &'static str {
        if self.during.subscriptions >= self.demo.agents {
            ""
        } else if self.connected {
            "(the end came before all were subscribed)"
        } else {
            "(the end came while the server was away)"
        }
    }

    /// Why subscriptions are left behind.
    fn why_left(&self) -> String {
        if self.after.subscriptions == 0 {
            return String::new();
        }
        match self.ending {
            Ending::Hurried => "(a second Ctrl-C did not wait)".to_owned(),
            Ending::OutOfTime => {
                format!("(at {} per second it takes longer than {} s)", self.demo.rate, self.grace.as_secs())
            }
            Ending::Orderly => "(the server had not answered yet)".to_owned(),
        }
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::demo::DemoDialect;

    fn summary(live: usize, left: usize, connected: bool, ending: Ending) -> String {
        let demo = Demo {
            agents: 20,
            teams: 8,
            uccs: 3,
            duration: None,
            seed: 1,
            rate: NonZeroU32::new(15).expect("not zero"),
            dialect: DemoDialect::Simple,
            listen: None,
        };
        let during = Figures {
            subscribes: 20,
            notifications: 30,
            messages: 100,
            subscriptions: live,
            most_for_one_agent: 1,
            ..Figures::default()
        };
        let after = Figures { subscriptions: left, ..Figures::default() };
        let grace = Duration::from_secs(10);
        Summary { demo: &demo, pairs: 40, during: &during, after: &after, asked: None, connected, ending, grace }.text()
    }

    #[test]
    fn what_microsoft_graph_took_stands_beside_the_arithmetic() {
        let figures = TeamsFigures { presence_requests: 15, most_in_a_second: 3, too_many: 1 };
        let demo = Demo {
            agents: 20,
            teams: 8,
            uccs: 3,
            duration: None,
            seed: 1,
            rate: NonZeroU32::MIN,
            dialect: DemoDialect::Skype,
            listen: None,
        };
        let none = Figures { subscriptions: 20, ..Figures::default() };
        let asked = Some((figures, Duration::from_secs(20)));
        let grace = Duration::from_secs(10);
        let ending = Ending::Orderly;
        let summary =
            Summary { demo: &demo, pairs: 40, during: &none, after: &none, asked, connected: true, ending, grace };
        let text = summary.text();
        assert!(text.contains("15  (0.75 per second; arithmetic 1.00)\n"), "{text}");
        assert!(text.contains("3  (told once to ask less)\n"), "{text}");
        assert!(text.contains("subscriptions left there after the end                    20  "), "{text}");
    }

    #[test]
    fn a_good_end_needs_no_explanation() {
        let text = summary(20, 0, true, Ending::Orderly);
        assert!(!text.contains("(the") && !text.contains("(at"), "{text}");
        assert!(text.contains("both directions                   100\n"), "{text}");
        assert!(text.contains("by itself, about      200\n"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 100), "{text}");
    }

    #[test]
    fn what_is_not_as_expected_says_why() {
        assert!(summary(0, 0, false, Ending::Orderly).contains("0  (the end came while the server was away)\n"));
        assert!(summary(7, 0, true, Ending::Orderly).contains("7  (the end came before all were subscribed)\n"));
        assert!(summary(20, 5, true, Ending::OutOfTime).contains("5  (at 15 per second it takes longer than 10 s)\n"));
        assert!(summary(20, 5, true, Ending::Hurried).contains("5  (a second Ctrl-C did not wait)\n"));
    }
}
