//! One event of the live stream as one line.

use jiff::Timestamp;
use presence_core::log_text::Safe;

use super::screen::{Screen, Tone, cut, presence_tone, presence_word, shortened, source_word, wire_name};
use super::table::record;
use crate::http::model::{Event, Freshness, Presence, SourceName};

/// From this width on there is room for milliseconds and long states.
const WIDE: usize = 100;

/// Writes lines whose columns stand below each other. On a terminal each has its width; a longer one moves its line only.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    screen: Screen,
    uri: usize,
    change: usize,
}

impl Lines {
    /// For these agents, or for all when there are none.
    pub(crate) fn new<'a>(screen: Screen, only: impl Iterator<Item = &'a str>) -> Self {
        let width = screen.width.unwrap_or(WIDE);
        // What the other columns need: the time, a usual change, the source, a short activity, and what is between them.
        let (change, others) = if width >= WIDE { (28, 76) } else { (20, 52) };
        let room = width.saturating_sub(others).max(20);
        let uri = only.map(|uri| uri.chars().count()).max().map_or(room, |longest| longest.min(room));
        Self { screen, uri, change }
    }

    /// An event that was received at `now`, with its line end.
    pub(crate) fn line(&self, event: &Event, now: Timestamp) -> String {
        match self.screen.width {
            Some(width) => self.shown(event, now, width) + "\n",
            None => piped(event, now),
        }
    }

    fn shown(&self, event: &Event, now: Timestamp, width: usize) -> String {
        let time = self.screen.time_of_day(moment(event, now), width >= WIDE);
        let time = self.screen.paint(Tone::Faint, &time);
        let paint = |tone, text: &str| self.screen.paint(tone, text);
        let about = match event {
            Event::Changed { uri, previous, presence, .. } => {
                return self.change(&time, uri, previous.as_ref(), presence, width);
            }
            Event::Current { uri, presence, .. } => return self.change(&time, uri, Some(presence), presence, width),
            Event::Pending { uri } => {
                let uri = self.uri_column(uri);
                format!("{uri}  {}", self.screen.paint(Tone::Faint, "pending"))
            }
            Event::Unserved { uri, why } => {
                let uri = self.uri_column(uri);
                format!("{uri}  {}", self.screen.paint(Tone::Doubtful, &format!("no source: {}", Safe(why))))
            }
            Event::Released { uri } => {
                let uri = self.uri_column(uri);
                format!("{uri}  {}", self.screen.paint(Tone::Faint, "released"))
            }
            Event::Lagged { missed } => {
                let missed = missed.map_or_else(|| "some".to_owned(), |count| count.to_string());
                paint(Tone::Doubtful, &format!("{missed} changes are missing here; `agents` shows what holds now"))
            }
            Event::Endpoint { endpoint, state, up, why, .. } => {
                let state = paint(if *up { Tone::Good } else { Tone::Bad }, &Safe(state).to_string());
                let why = why.as_deref().map(|why| format!(": {}", Safe(why))).unwrap_or_default();
                format!("the {} endpoint is {state}{why}", wire_name(endpoint))
            }
            Event::SilentLoss { uri, endpoint, held, said, .. } => {
                let (held, said) = (with_activity(held), with_activity(said));
                let told =
                    format!("silent loss at the {} endpoint: {held} was held, it is {said}", wire_name(endpoint));
                format!("{}  {}", self.uri_column(uri), paint(Tone::Doubtful, &Safe(&told).to_string()))
            }
            Event::Graph { good, text, .. } => {
                paint(if *good { Tone::Good } else { Tone::Doubtful }, &Safe(text).to_string())
            }
            Event::Goodbye => paint(Tone::Doubtful, "the provider ends"),
        };
        format!("{time}  {about}")
    }

    fn uri_column(&self, uri: &str) -> String {
        format!("{:<width$}", shortened(&Safe(uri).to_string(), self.uri), width = self.uri)
    }

    fn change(&self, time: &str, uri: &str, previous: Option<&Presence>, new: &Presence, width: usize) -> String {
        let uri = self.uri_column(uri);
        let (before, after, behind) = transition(previous, new);
        let long = before.chars().count() + after.chars().count() + behind.chars().count();
        let padding = " ".repeat(self.change.saturating_sub(long));
        let source = source_word(new.source);
        let screen = &self.screen;
        let time_width = if width >= WIDE { 12 } else { 8 };
        let used = time_width + 2 + uri.chars().count() + 2 + self.change.max(long) + 2 + source.len() + 2;
        // A piece of a word says nothing.
        let room = Some(width.saturating_sub(used)).filter(|room| *room >= 5).unwrap_or(0);
        let beside = if room == 0 { String::new() } else { cut(&beside(previous, new), room) };
        let [before, behind, source] = [&before, &behind, source].map(|text| screen.paint(Tone::Faint, text));
        let after = screen.paint(presence_tone(new), &after);
        format!("{time}  {uri}  {before}{after}{behind}{padding}  {source}  {beside}").trim_end().to_owned()
    }
}

/// What leads to the new presence, its name, and what is behind it: `Away → `, `Busy` and nothing; nothing, `Busy` and
/// `, fresh again`.
fn transition(previous: Option<&Presence>, new: &Presence) -> (String, String, String) {
    let word = |presence: &Presence| Safe(&presence.availability.name).to_string();
    let after = word(new);
    let Some(previous) = previous else { return ("- → ".to_owned(), presence_word(new), String::new()) };
    if previous == new {
        return ("is ".to_owned(), presence_word(new), String::new());
    }
    let same = previous.availability == new.availability;
    match (previous.freshness, new.freshness) {
        (Freshness::Stale, Freshness::Fresh) if same => (String::new(), after, ", fresh again".to_owned()),
        (Freshness::Fresh, Freshness::Stale) if same => (String::new(), after, ", now stale".to_owned()),
        _ => (format!("{} → ", word(previous)), presence_word(new), String::new()),
    }
}

/// `Busy (on-the-phone)`.
fn with_activity(presence: &Presence) -> String {
    let activity = presence.activity.as_ref().map(|activity| format!(" ({activity})")).unwrap_or_default();
    presence_word(presence) + &activity
}

/// The activity, and of the rest what has changed.
fn beside(previous: Option<&Presence>, new: &Presence) -> String {
    let mut words = Vec::new();
    words.extend(new.activity.clone());
    if let Some(previous) = previous {
        if previous.location != new.location {
            words.push(new.location.as_ref().map_or_else(|| "no location".to_owned(), |place| format!("at {place}")));
        }
        if previous.device != new.device {
            words.push(new.device.clone());
        }
    }
    Safe(&words.join(", ")).to_string()
}

/// When it was so: when the presence began to hold, and when it was received where that says nothing.
fn moment(event: &Event, received: Timestamp) -> Timestamp {
    let said = match event {
        // A first value may have held for long, and a change of freshness leaves the moment alone.
        Event::Changed { previous: Some(previous), presence, .. } => {
            Some(&presence.since).filter(|since| **since != previous.since)
        }
        Event::Endpoint { at, .. } | Event::SilentLoss { at, .. } | Event::Graph { at, .. } => Some(at),
        _ => None,
    };
    said.and_then(|at| at.parse().ok()).unwrap_or(received)
}

fn piped(event: &Event, received: Timestamp) -> String {
    let (mut subject, mut previous, mut new, mut activity, mut source, mut why) = Default::default();
    let mut of = |presence: &Presence| {
        new = presence_word(presence);
        activity = presence.activity.clone().unwrap_or_default();
        source = source_word(presence.source).to_owned();
    };
    let kind = match event {
        Event::Changed { uri, previous: before, presence, .. } => {
            subject = uri.clone();
            previous = before.as_ref().map(presence_word).unwrap_or_default();
            of(presence);
            "changed"
        }
        Event::Current { uri, presence, .. } => {
            subject = uri.clone();
            of(presence);
            "current"
        }
        Event::Pending { uri } => {
            subject = uri.clone();
            "pending"
        }
        Event::Unserved { uri, why: reason } => {
            subject = uri.clone();
            why = reason.clone();
            "unserved"
        }
        Event::Released { uri } => {
            subject = uri.clone();
            "released"
        }
        Event::Lagged { missed } => {
            why = missed.map(|count| count.to_string()).unwrap_or_default();
            "lagged"
        }
        Event::Endpoint { endpoint, state, why: reason, .. } => {
            subject = wire_name(endpoint);
            new = state.clone();
            why = reason.clone().unwrap_or_default();
            "endpoint"
        }
        Event::SilentLoss { uri, endpoint, held, said, .. } => {
            subject = uri.clone();
            previous = presence_word(held);
            of(said);
            why = wire_name(endpoint);
            "silent_loss"
        }
        Event::Graph { news, tenant, account, text, .. } => {
            subject = account.as_ref().or(tenant.as_ref()).cloned().unwrap_or_default();
            new = wire_name(news);
            source_word(SourceName::MsGraph).clone_into(&mut source);
            why = text.clone();
            "graph"
        }
        Event::Goodbye => "goodbye",
    };
    let at = format!("{:.3}", moment(event, received));
    let fields: [String; 8] = [at, kind.to_owned(), subject, previous, new, activity, source, why];
    record(fields)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{TAKEN, pipe, presence, terminal};
    use super::*;
    use crate::http::model::{EndpointName, GraphNews};

    fn events() -> Vec<Event> {
        let away = presence("Away", 15500, Freshness::Fresh, "2026-11-22T09:00:00.000Z");
        let busy = presence("Busy", 6500, Freshness::Fresh, "2026-11-22T14:05:40.100Z");
        let stale = Presence { freshness: Freshness::Stale, ..busy.clone() };
        let mobile = Presence { device: "Mobile".into(), location: Some("Home\u{1b}[2J".into()), ..busy.clone() };
        let change = |uri: &str, previous: Option<&Presence>, new: &Presence| Event::Changed {
            uri: uri.into(),
            previous: previous.cloned(),
            presence: new.clone(),
            sequence: 3,
        };
        let long = "sip:a.colleague.with.a.very.long.name@contactcentre.example.com";
        let endpoint = |up, state: &str, why: Option<&str>| Event::Endpoint {
            endpoint: EndpointName::Application,
            state: state.into(),
            up,
            why: why.map(str::to_owned),
            at: "2026-11-22T14:05:41.000Z".into(),
        };
        let graph = |news, text: &str| Event::Graph {
            news,
            tenant: (news == GraphNews::TenantDown).then(|| "contoso".into()),
            account: (news == GraphNews::AccountUp).then(|| "contoso-poll".into()),
            good: news == GraphNews::AccountUp,
            text: text.into(),
            retry_at: None,
            at: "2026-11-22T14:05:41.000Z".into(),
        };
        vec![
            change("sip:user1@domain.com", Some(&away), &busy),
            change(long, None, &away),
            change("sip:user2@domain.com", Some(&busy), &stale),
            change("sip:user1@domain.com", Some(&stale), &mobile),
            change("sip:user2@domain.com", Some(&stale), &away),
            change("sip:user1@domain.com", Some(&busy), &mobile),
            Event::Current { uri: "sip:user1@domain.com".into(), presence: busy, sequence: 3 },
            Event::Pending { uri: "sip:user3@domain.com".into() },
            Event::Unserved { uri: "tel:12".into(), why: "no source takes it".into() },
            Event::Released { uri: "sip:user3@domain.com".into() },
            endpoint(false, "Reestablishing", Some("connection reset")),
            endpoint(true, "Established", None),
            graph(
                GraphNews::TenantDown,
                "Tenant contoso cannot be asked: 503 busy\u{1b}[2J; its 8 agents keep their last presence as stale; next attempt in 4 s at 14:05:45.",
            ),
            graph(GraphNews::AccountUp, "Account contoso-poll works."),
            Event::SilentLoss {
                uri: "sip:user2@domain.com".into(),
                endpoint: EndpointName::Application,
                held: away,
                said: mobile,
                at: "2026-11-22T14:05:42.000Z".into(),
            },
            Event::Lagged { missed: Some(12) },
            Event::Lagged { missed: None },
            Event::Goodbye,
        ]
    }

    fn all(screen: Screen) -> String {
        let lines = Lines::new(screen, std::iter::empty());
        let now = TAKEN.parse().expect("a moment");
        events().iter().map(|event| lines.line(event, now)).collect()
    }

    #[test]
    fn changes_stand_below_each_other_on_a_narrow_and_a_wide_terminal() {
        insta::assert_snapshot!(all(terminal(80)));
        insta::assert_snapshot!(all(terminal(120)));
    }

    #[test]
    fn a_pipe_gets_eight_fields_in_every_line() {
        let text = all(pipe());
        assert!(text.lines().all(|line| line.split('\t').count() == 8), "{text}");
        insta::assert_snapshot!(text.replace('\t', " | "));
    }
}
