//! The script of a simulated Microsoft Graph: TOML.

use std::time::Duration;

use presence_simulator::{GraphService, GraphServiceSettings};
use serde::Deserialize;
use toml::Spanned;

use crate::simulate::mistake::Mistake;
use crate::simulate::schedule::Step;
use crate::simulate::script::{OrNever, Time};

/// An order comes again after this at the earliest.
const SHORTEST_EVERY: Duration = Duration::from_millis(100);

/// What a script orders.
#[derive(Clone, Debug, Default)]
pub(super) struct Script {
    /// When what happens.
    pub(super) steps: Vec<Step<String>>,
}

/// A script as it is written; everything may be left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    seed: Option<u64>,
    change_every: Option<OrNever>,
    token_lifetime: Option<Time>,
    latency: Option<Time>,
    notification_latency: Option<Time>,
    #[serde(default)]
    at: Vec<WrittenStep>,
}

/// `[[at]]`: one order at a time, once or again and again.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStep {
    time: Time,
    #[serde(rename = "do")]
    order: Spanned<String>,
    every: Option<Spanned<Time>>,
}

impl Script {
    /// Reads a script; what it says of the settings is put there. Every order is tried on a service of its own.
    pub(super) fn read(text: &str, settings: &mut GraphServiceSettings) -> Result<Self, Mistake> {
        let written: Written = toml::from_str(text)?;
        settings.seed = written.seed.unwrap_or(settings.seed);
        if let Some(every) = written.change_every {
            settings.change_interval = every.0;
        }
        for (place, value) in [
            (&mut settings.token_lifetime, written.token_lifetime),
            (&mut settings.latency, written.latency),
            (&mut settings.notification_latency, written.notification_latency),
        ] {
            *place = value.map_or(*place, |time| time.0);
        }
        let now = presence_actors::now();
        let mut tried = GraphService::new(now, std::time::SystemTime::UNIX_EPOCH, settings.clone());
        let mut steps = Vec::new();
        for WrittenStep { time, order, every } in written.at {
            tried.command(now, order.get_ref()).map_err(|why| Mistake::at(order.span(), why))?;
            if let Some(every) = every.as_ref().filter(|every| every.get_ref().0 < SHORTEST_EVERY) {
                let message = "an order comes again after 100ms at the earliest; write \"100ms\" or more";
                return Err(Mistake::at(every.span(), message));
            }
            let every = every.map(|every| every.into_inner().0);
            steps.push(Step { after: time.0, every, command: order.into_inner() });
        }
        Ok(Self { steps })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Script, GraphServiceSettings), Mistake> {
        let mut settings = GraphServiceSettings::with_users(3, "demo.example");
        Script::read(text, &mut settings).map(|script| (script, settings))
    }

    #[test]
    fn a_script_sets_and_orders() {
        let text = "seed = 7\nchange_every = \"never\"\ntoken_lifetime = \"5m\"\n[[at]]\ntime = \"10s\"\n\
                    do = \"outage 503 for 20s\"\nevery = \"1m\"\n";
        let (script, settings) = read(text).expect("a script");
        assert_eq!((settings.seed, settings.change_interval), (7, None));
        assert_eq!(settings.token_lifetime, Duration::from_secs(300));
        assert_eq!(script.steps.len(), 1);
        assert_eq!(script.steps[0].command, "outage 503 for 20s");
    }

    #[test]
    fn a_mistake_is_shown_in_its_place() {
        let text = "[[at]]\ntime = \"10s\"\ndo = \"outage often\"\n";
        let shown = read(text).expect_err("a mistake").shown("graph.toml", text);
        assert!(shown.contains("graph.toml:3:6") && shown.contains("does not know the kind `often`"), "{shown}");
        assert!(read("pool = 1").is_err());
        assert!(read("[[at]]\ntime = \"1s\"\ndo = \"heal\"\nevery = \"1ms\"\n").is_err());
    }
}
