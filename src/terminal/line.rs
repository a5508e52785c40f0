//! One event of the live stream as one line.

use jiff::Timestamp;
use presence_core::log_text::Safe;

use super::screen::{Screen, Tone, cut, presence_tone, presence_word, shortened, source_word, wire_name};
use super::table::record;
use crate::http::model::{Event, Presence};

/// From this width on there is room for milliseconds and long states.
const WIDE: usize = 100;

/// Writes lines whose columns stand below each other. On a terminal the column of the URIs grows with what has been seen,
/// as far as there is room.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    screen: Screen,
    uri: usize,
    change: usize,
}

impl Lines {
    pub(crate) const fn new(screen: Screen) -> Self {
        Self { screen, uri: 20, change: 14 }
    }

    /// An event that was received at `now`, with its line end.
    pub(crate) fn line(&mut self, event: &Event, now: Timestamp) -> String {
        match self.screen.width {
            Some(width) => self.shown(event, now, width) + "\n",
            None => piped(event, now),
        }
    }

    fn shown(&mut self, event: &Event, now: Timestamp, width: usize) -> String {
        let time = self.screen.time_of_day(moment(event, now), width >= WIDE);
        let time = self.screen.paint(Tone::Faint, &time);
        let paint = |tone, text: &str| self.screen.paint(tone, text);
        let about = match event {
            Event::Changed { uri, previous, presence, .. } => {
                return self.change(&time, uri, previous.as_ref(), presence, width);
            }
            Event::Current { uri, presence, .. } => return self.change(&time, uri, Some(presence), presence, width),
            Event::Pending { uri } => {
                let uri = self.uri_column(uri, width);
                format!("{uri}  {}", self.screen.paint(Tone::Faint, "pending"))
            }
            Event::Unserved { uri, why } => {
                let uri = self.uri_column(uri, width);
                format!("{uri}  {}", self.screen.paint(Tone::Doubtful, &format!("no source: {}", Safe(why))))
            }
            Event::Released { uri } => {
                let uri = self.uri_column(uri, width);
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
            Event::Goodbye => paint(Tone::Doubtful, "the provider ends"),
        };
        format!("{time}  {about}")
    }

    fn uri_column(&mut self, uri: &str, width: usize) -> String {
        // What the other columns need at least.
        let others = if width >= WIDE { 62 } else { 48 };
        let uri = shortened(&Safe(uri).to_string(), width.saturating_sub(others).max(20));
        self.uri = self.uri.max(uri.chars().count());
        format!("{uri:<width$}", width = self.uri)
    }

    fn change(&mut self, time: &str, uri: &str, previous: Option<&Presence>, new: &Presence, width: usize) -> String {
        let uri = self.uri_column(uri, width);
        let same = previous == Some(new);
        let before = match previous {
            _ if same => "is".to_owned(),
            Some(previous) => format!("{} →", presence_word(previous)),
            None => "- →".to_owned(),
        };
        let after = presence_word(new);
        let long = before.chars().count() + 1 + after.chars().count();
        self.change = self.change.max(long);
        let padding = " ".repeat(self.change - long);
        let source = source_word(new.source);
        let screen = &self.screen;
        let used = if width >= WIDE { 12 } else { 8 } + 2 + self.uri + 2 + self.change + 2 + source.len() + 2;
        let beside = cut(&beside(previous, new), width.saturating_sub(used).max(1));
        let after = screen.paint(presence_tone(new), &after);
        let source = screen.paint(Tone::Faint, source);
        format!("{time}  {uri}  {} {after}{padding}  {source}  {beside}", screen.paint(Tone::Faint, &before))
            .trim_end()
            .to_owned()
    }
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
        Event::Changed { previous, presence, .. } => {
            // A change of freshness alone leaves it alone.
            Some(&presence.since).filter(|since| previous.as_ref().is_none_or(|previous| &previous.since != *since))
        }
        Event::Endpoint { at, .. } => Some(at),
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
        Event::Goodbye => "goodbye",
    };
    let at = format!("{:.3}", moment(event, received));
    let fields: [String; 8] = [at, kind.to_owned(), subject, previous, new, activity, source, why];
    record(fields)
}
