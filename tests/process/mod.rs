//! The real program with a real configuration against the simulated presence server.
#![allow(dead_code, reason = "every test binary uses its part of it")]

pub(crate) mod http;
pub(crate) mod skype;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use presence_simulator::{Simulator, SimulatorHandle, SimulatorSettings};
use tempfile::TempDir;

/// The domain of all agents.
pub(crate) const DOMAIN: &str = "demo.example";
/// How often something awaited is looked at.
const GLANCE: Duration = Duration::from_millis(25);
/// So many glances are the patience: 30 s.
const GLANCES: usize = 1200;

/// A simulated presence server with agents 1 to `count` that do not change by themselves.
pub(crate) fn server(count: usize) -> SimulatorHandle {
    server_with(SimulatorSettings::with_agents(count, DOMAIN))
}

/// A simulated presence server.
pub(crate) fn server_with(settings: SimulatorSettings) -> SimulatorHandle {
    Simulator::start_on_own_thread(settings).unwrap()
}

/// Does something asynchronous to a server.
pub(crate) fn wait_for<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Waits until something is so; false when it never was.
pub(crate) fn eventually(condition: impl Fn() -> bool) -> bool {
    let (_never_used, silence) = channel::<()>();
    (0..GLANCES).any(|_| {
        let so = condition();
        if !so {
            let _ = silence.recv_timeout(GLANCE);
        }
        so
    })
}

/// A Config.xml in a directory of its own.
pub(crate) struct Config {
    directory: TempDir,
}

/// The attributes of `Pool` for a server at this address.
pub(crate) fn pool(address: SocketAddr, transport: &str) -> String {
    format!(r#"Address="{address}" Transport="{transport}" Dialect="simple""#)
}

/// The elements of a queue with these agents, by number.
pub(crate) fn queue(name: &str, agents: &[usize]) -> String {
    let agents: String =
        agents.iter().map(|agent| format!("      <Agent Uri=\"sip:agent{agent}@{DOMAIN}\" />\n")).collect();
    format!("    <UnifiedContactCenter Name=\"{name}\">\n{agents}    </UnifiedContactCenter>\n")
}

impl Config {
    /// With these attributes of `Pool` and these queues.
    pub(crate) fn new(pool: &str, queues: &str) -> Self {
        let config = Self { directory: tempfile::tempdir().unwrap() };
        config.write(&Self::text("", "", pool, queues));
        config
    }

    /// With this whole text.
    pub(crate) fn of(text: &str) -> Self {
        let config = Self { directory: tempfile::tempdir().unwrap() };
        config.write(text);
        config
    }

    /// The text of a configuration: attributes of `PresenceProvider`, a `UserEndpoint`, attributes of `Pool`, queues.
    /// Without the HTTP API, whose default port only one process of this computer can have.
    pub(crate) fn text(provider: &str, user_endpoint: &str, pool: &str, queues: &str) -> String {
        Self::text_with_http(r#"<Http enabled="false" />"#, provider, user_endpoint, pool, queues)
    }

    /// The same with an element `Http` such as `<Http Listen="127.0.0.1:0" />`.
    /// Nobody is sampled unless `pool` says so: most tests count every message.
    pub(crate) fn text_with_http(http: &str, provider: &str, user_endpoint: &str, pool: &str, queues: &str) -> String {
        let samples = if pool.contains("SampleInterval") { "" } else { r#"SampleInterval="never""# };
        format!(
            r#"<?xml version="1.0" encoding="utf-8"?>
<config version="1.5">
  <PresenceProvider failedPresenceSubscriptionsResubscribeDelay="60" {provider}>
    <UcmaPresenceSource enabled="true" ApplicationId="urn:application:ucc_app14_1">
      <ApplicationEndpoint OwnerUri="sip:ucc_app01@{DOMAIN}" />
      {user_endpoint}
      <Pool {pool} {samples} />
    </UcmaPresenceSource>
    <PstnPresenceSource enabled="true" />
    {http}
  </PresenceProvider>
  <UnifiedContactCenters>
{queues}  </UnifiedContactCenters>
</config>
"#
        )
    }

    /// Replaces the file.
    pub(crate) fn write(&self, text: &str) {
        fs::write(self.path(), text).unwrap();
    }

    /// Puts another file beside it.
    pub(crate) fn beside(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// The file.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("Config.xml")
    }

    /// Starts `presence-provider run` with it.
    pub(crate) fn run(&self, arguments: &[&str]) -> Service {
        Service::start(self.command(arguments))
    }

    /// The command `presence-provider run` with it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.arg("run").arg("--config").arg(self.path()).args(arguments);
        command
    }
}

/// The program, without the credentials of whoever runs the tests.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_presence-provider"));
    command.env_remove("CREDENTIALS_DIRECTORY").env_remove("RUST_BACKTRACE").stdin(Stdio::null());
    command
}

/// A running process and what it has said; it is killed when it is dropped.
pub(crate) struct Service {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    silent: Receiver<()>,
}

/// How a process ended, and everything that it said.
pub(crate) struct Ended {
    /// The exit code.
    pub(crate) code: Option<i32>,
    /// Its lines on both streams.
    pub(crate) lines: Vec<String>,
}

impl Ended {
    /// The lines that hold a text.
    pub(crate) fn with<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.lines.iter().map(String::as_str).filter(move |line| line.contains(text))
    }

    /// Everything, for a message.
    pub(crate) fn all(&self) -> String {
        self.lines.join("\n")
    }
}

impl Service {
    /// Starts a process and listens to both of its streams.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (speaking, silent) = channel();
        let streams: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for stream in streams {
            let (lines, speaking) = (Arc::clone(&lines), speaking.clone());
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines() {
                    lines.lock().unwrap().push(line.unwrap());
                }
                drop(speaking);
            });
        }
        Self { child, lines, silent }
    }

    /// What it has said so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Waits for a line with this text.
    pub(crate) fn says(&self, text: &str) -> String {
        let find = || self.lines().into_iter().find(|line| line.contains(text));
        assert!(eventually(|| find().is_some()), "no line holds {text:?}:\n{}", self.lines().join("\n"));
        find().unwrap()
    }

    /// Waits until something is so.
    pub(crate) fn until(&self, what: &str, condition: impl Fn() -> bool) {
        assert!(eventually(condition), "{what} never came to pass:\n{}", self.lines().join("\n"));
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name: TERM, INT, HUP.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success(), "kill -s {name}");
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let child = Mutex::new(&mut self.child);
        let ended = eventually(|| child.lock().unwrap().try_wait().unwrap().is_some());
        assert!(ended, "it does not end:\n{}", self.lines().join("\n"));
        // Both readers have come to the end of their streams when this says that nobody speaks any more.
        let _ = self.silent.recv_timeout(Duration::from_secs(10));
        Ended { code: self.child.wait().unwrap().code(), lines: self.lines() }
    }

    /// SIGTERM, and then its end.
    pub(crate) fn terminate(self) -> Ended {
        self.signal("TERM");
        self.end()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A log line taken apart: logger, level and text. Fails when it has not the seed's form,
/// `2018-05-08 14:05:48,159 [5] ucc_app01 INFO - text`.
pub(crate) fn taken_apart(line: &str) -> (&str, &str, &str) {
    let (stamp, rest) = line.split_once(" [").unwrap_or_else(|| panic!("no thread: {line}"));
    let form: String = stamp.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(form, "0000-00-00 00:00:00,000", "{line}");
    let (thread, rest) = rest.split_once("] ").unwrap_or_else(|| panic!("no thread: {line}"));
    assert!(thread.parse::<u32>().is_ok(), "{line}");
    let (logger, rest) = rest.split_once(' ').unwrap_or_else(|| panic!("no logger: {line}"));
    let (level, text) = rest.split_once(" - ").unwrap_or_else(|| panic!("no text: {line}"));
    assert!(["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&level), "{line}");
    (logger, level, text)
}
