//! `presence-provider watch`: live changes, over every loss of the provider.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use presence_core::AgentUri;
use serde_json::Value;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::api::{Api, io_text};
use super::arguments::WatchArguments;
use super::backoff::Backoff;
use super::line::Lines;
use super::screen::Screen;
use super::sse::{EventStream, Message};
use super::unanswered::Unanswered;
use crate::answer::Answer;
use crate::exit::Exit;
use crate::http::model::Event;
use crate::logging::escape::escape_json;
use crate::shutdown::Signals;

/// So many pieces of the stream may wait until they are written; then the stream is not read any more, and the provider
/// tells later what is missing.
const WAITING_PIECES: usize = 64;

/// What the thread that reads the stream tells.
#[derive(Debug)]
enum Heard {
    /// The provider answers.
    Opened,
    /// Something came: perhaps only a sign of life.
    Messages(Vec<Message>),
    /// The stream is over.
    Ended(Ended),
}

#[derive(Debug)]
struct Ended {
    why: Unanswered,
    /// Where the next stream goes on.
    last_id: Option<String>,
    /// How long we are asked to wait.
    wait: Duration,
}

/// Answers `presence-provider watch`: writes until Ctrl-C, a closed standard output, or a refusal.
#[must_use]
pub fn watch(arguments: &WatchArguments) -> Answer {
    let api = match Api::open(&arguments.api) {
        Ok(api) => api,
        Err(unanswered) => return unanswered.into(),
    };
    if let Some(warning) = api.warning() {
        tell(&warning);
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Answer::failed(Exit::Internal, format!("error: no runtime: {error}\n")),
    };
    let screen = Screen::standard();
    let watching = Watching {
        api,
        only: arguments.uris.iter().map(|uri| uri.as_str().to_owned()).collect(),
        json: arguments.json,
        lines: Lines::new(screen.clone(), arguments.uris.iter().map(AgentUri::as_str)),
        screen,
        lost: false,
    };
    match runtime.block_on(watching.run()) {
        Ok(()) => Answer::ok(String::new()),
        Err(End::Closed) => Answer::ok(String::new()),
        Err(End::Unwritable(error)) => {
            Answer::failed(Exit::Io, format!("error: failed to write the answer: {error}\n"))
        }
        Err(End::Refused(unanswered)) => unanswered.into(),
        Err(End::System(error)) => Answer::failed(Exit::Internal, format!("error: no signals: {error}\n")),
    }
}

/// Why nothing more is written.
enum End {
    /// The reader has heard enough.
    Closed,
    Unwritable(io::Error),
    Refused(Unanswered),
    System(io::Error),
}

struct Watching {
    api: Api,
    /// Only these agents; all when empty.
    only: BTreeSet<String>,
    json: bool,
    lines: Lines,
    screen: Screen,
    /// The provider is being looked for, and that has been said.
    lost: bool,
}

impl Watching {
    async fn run(mut self) -> Result<(), End> {
        let mut signals = Signals::listen().map_err(End::System)?;
        let (mut backoff, mut last_id) = (Backoff::new(), None);
        let mut opened = false;
        loop {
            let mut heard = open(&self.api, last_id.take());
            let ended = loop {
                let heard = tokio::select! {
                    _asked_to_end = signals.next() => return Ok(()),
                    heard = heard.recv() => heard,
                };
                match heard {
                    Some(Heard::Opened) => {
                        opened = true;
                        self.found();
                    }
                    Some(Heard::Messages(messages)) => {
                        backoff.heard();
                        self.write(&messages)?;
                    }
                    Some(Heard::Ended(ended)) => break ended,
                    None => return Err(End::System(io::Error::other("the reader of the stream died"))),
                }
            };
            let again = ended.why.again().filter(|_| opened);
            let Some(asked) = again else { return Err(End::Refused(ended.why)) };
            self.missing(&ended.why);
            last_id = ended.last_id;
            let wait = backoff.next(ended.wait.max(Duration::from_secs(asked)));
            if tokio::time::timeout(wait, signals.next()).await.is_ok() {
                return Ok(());
            }
        }
    }

    fn found(&mut self) {
        if std::mem::take(&mut self.lost) {
            let time = self.screen.time_of_day(Timestamp::now(), false);
            tell(&format!("{time}  found the provider again\n"));
        }
    }

    fn missing(&mut self, why: &Unanswered) {
        if !std::mem::replace(&mut self.lost, true) {
            let time = self.screen.time_of_day(Timestamp::now(), false);
            tell(&format!("{time}  lost the provider, looking for it: {}\n", why.line()));
        }
    }

    fn write(&self, messages: &[Message]) -> Result<(), End> {
        let now = Timestamp::now();
        let text: String = messages.iter().filter_map(|message| self.text(message, now)).collect();
        if text.is_empty() {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => End::Closed,
            _ => End::Unwritable(error),
        })
    }

    /// What is written for an event; nothing for one that is not asked for, or that a later version sends.
    fn text(&self, message: &Message, now: Timestamp) -> Option<String> {
        let value: Value = serde_json::from_str(&message.data).ok()?;
        if !self.wanted(&value) {
            return None;
        }
        if self.json {
            // One line, whatever the other side's text looked like.
            return value.is_object().then(|| escape_json(value.to_string()) + "\n");
        }
        let event: Event = serde_json::from_value(value).ok()?;
        Some(self.lines.line(&event, now))
    }

    fn wanted(&self, event: &Value) -> bool {
        match event.get("uri").and_then(Value::as_str) {
            _ if self.only.is_empty() => true,
            Some(uri) => self.only.contains(uri),
            // What concerns the whole is for those who watch the whole.
            None => !matches!(event.get("type").and_then(Value::as_str), Some("endpoint" | "graph")),
        }
    }
}

/// Opens the stream and reads it on a thread of its own, which ends with the stream or when nobody hears it any more.
fn open(api: &Api, last_id: Option<String>) -> Receiver<Heard> {
    let (to, heard) = channel(WAITING_PIECES);
    let api = api.clone();
    thread::spawn(move || {
        let ended = read(&api, last_id, &to);
        // Nobody hears it when the process ends.
        let _ = to.blocking_send(Heard::Ended(ended));
    });
    heard
}

fn read(api: &Api, last_id: Option<String>, to: &Sender<Heard>) -> Ended {
    let mut reader = match api.events(last_id.as_deref()) {
        Ok(reader) => reader,
        Err(why) => return Ended { why, last_id, wait: Duration::ZERO },
    };
    let mut stream = EventStream::after(last_id);
    let mut piece = [0; 16 * 1024];
    let mut told = to.blocking_send(Heard::Opened);
    let why = loop {
        if told.is_err() {
            break "nobody listens".to_owned();
        }
        let messages = match reader.read(&mut piece) {
            Ok(0) => break "the stream has ended".to_owned(),
            Ok(length) => stream.push(&piece[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => break io_text(&error),
        };
        told = match messages {
            Ok(messages) => to.blocking_send(Heard::Messages(messages)),
            Err(_too_long) => break "it sent an event of more than a megabyte".to_owned(),
        };
    };
    Ended {
        why: Unanswered::Unreachable { url: api.url().to_string(), why },
        wait: stream.wait().unwrap_or_default(),
        last_id: stream.last_id().map(str::to_owned),
    }
}

/// Says something beside the answer. Whoever closed the standard error does not want to know.
fn tell(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
