//! What the real program tells systemd, over a socket of our own in systemd's place.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, missing_docs, reason = "tests")]

mod process;

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use presence_simulator::{Activity, AgentState};
use process::{Config, Service, pool, queue, server};
use tempfile::TempDir;

/// A service manager that listens.
struct Systemd {
    socket: UnixDatagram,
    directory: TempDir,
}

impl Systemd {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self { socket, directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("notify")
    }

    /// Starts the program as systemd does.
    fn start(&self, config: &Config, watchdog: Duration) -> Service {
        let mut command = config.command(&[]);
        command.env("NOTIFY_SOCKET", self.path()).env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        Service::start(command)
    }

    /// The next word.
    fn next(&self) -> String {
        let mut buffer = [0; 4096];
        let read = self.socket.recv(&mut buffer).expect("the next word comes in time");
        String::from_utf8(buffer[..read].to_vec()).unwrap().trim_end().to_owned()
    }

    /// The next word that begins like this, and all before it.
    fn until(&self, beginning: &str) -> Vec<String> {
        let mut words = Vec::new();
        while !words.last().is_some_and(|word: &String| word.starts_with(beginning)) {
            words.push(self.next());
            assert!(words.len() < 1_000, "no {beginning}: {words:?}");
        }
        words
    }
}

const HTTP: &str = "<Http Listen=\"127.0.0.1:0\" />";

fn config(pool: &str, http: &str) -> Config {
    Config::of(&Config::text_with_http(http, "", "", pool, &queue("sales", &[1, 2, 3])))
}

#[test]
fn systemd_hears_that_it_is_started_alive_how_it_is_and_that_it_ends() {
    let server = server(3);
    let systemd = Systemd::new();
    let config = config(&pool(server.address(), "tcp"), HTTP);
    let service = systemd.start(&config, Duration::from_millis(200));
    assert_eq!(systemd.next(), "READY=1");
    let words = systemd.until("STATUS=All 3 agents are fresh.");
    assert!(words.iter().any(|word| word == "WATCHDOG=1"), "{words:?}");
    systemd.until("WATCHDOG=1");
    service.signal("TERM");
    let words = systemd.until("STOPPING=1");
    assert!(words.iter().all(|word| word != "READY=1"), "it is started once: {words:?}");
    assert_eq!(service.end().code, Some(0));
}

#[test]
fn without_the_api_systemd_is_told_all_the_same() {
    let server = server(3);
    let systemd = Systemd::new();
    let config = config(&pool(server.address(), "tcp"), "<Http enabled=\"false\" />");
    let service = systemd.start(&config, Duration::from_millis(200));
    assert_eq!(systemd.next(), "READY=1");
    systemd.until("STATUS=");
    assert_eq!(service.terminate().code, Some(0));
}

#[test]
fn a_service_manager_that_does_not_read_holds_nobody_up() {
    let server = server(3);
    let systemd = Systemd::new();
    let other = UnixDatagram::unbound().unwrap();
    other.set_nonblocking(true).unwrap();
    while other.send_to(b"X=1", systemd.path()).is_ok() {}
    let config = config(&pool(server.address(), "tcp"), HTTP);
    let service = systemd.start(&config, Duration::from_millis(20));
    service.says("NewPresence: [PresenceNotificationEventArgs:: SipUri: sip:agent1@demo.example");
    server.set_presence("sip:agent1@demo.example", AgentState::of(Activity::DoNotDisturb));
    service.says("WspPresenceAvailability: DoNotDisturb");
    assert_eq!(service.terminate().code, Some(0));
    assert_eq!(systemd.next(), "X=1", "nothing else had room");
}

const UNIT: &str = include_str!("../packaging/presence-provider.service");
/// The greatest exposure that the unit may have, of 10.
const MAX_EXPOSURE: f64 = 1.5;

/// The unit in a folder of its own, for the program that is built here: it is not installed.
fn unit() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("presence-provider.service");
    std::fs::write(&copy, UNIT.replace("/usr/bin/presence-provider", env!("CARGO_BIN_EXE_presence-provider"))).unwrap();
    (directory, copy)
}

/// What `systemd-analyze` answers, its standard error first; nothing where there is none.
fn analyze(arguments: &[&str], unit: &Path) -> Option<(bool, String)> {
    let Ok(output) = Command::new("systemd-analyze").args(arguments).arg(unit).output() else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "systemd-analyze is not installed (Debian: systemd)");
        eprintln!("skipped: systemd-analyze is not installed (Debian: systemd)");
        return None;
    };
    let said = [output.stderr, output.stdout].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

#[test]
fn systemd_has_nothing_to_say_against_the_unit() {
    let (_directory, copy) = unit();
    let Some((success, said)) = analyze(&["verify", "--man=no"], &copy) else { return };
    let about_ours: Vec<_> = said.lines().filter(|line| line.contains("presence-provider")).collect();
    assert!(about_ours.is_empty() && success, "{said}");
}

#[test]
fn the_unit_leaves_the_service_as_little_as_it_needs() {
    let (_directory, copy) = unit();
    let Some((_, said)) = analyze(&["security", "--offline=true", "--no-pager"], &copy) else { return };
    let figure = said.lines().find_map(|line| line.split_once("exposure level for presence-provider.service: "));
    let exposure = figure.and_then(|(_, rest)| rest.split(' ').next()?.parse::<f64>().ok());
    let exposure = exposure.unwrap_or_else(|| panic!("no figure in {said}"));
    assert!(exposure <= MAX_EXPOSURE, "{exposure}: {said}");
}

#[test]
fn the_unit_has_what_the_program_and_its_operator_count_on() {
    let lines: Vec<&str> = UNIT.lines().collect();
    for line in [
        "Type=notify",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "StateDirectory=presence-provider",
        "StateDirectoryMode=0700",
        "User=presence-provider",
        "RestartPreventExitStatus=64 73 78",
        "WatchdogSec=20",
        "LimitCORE=0",
    ] {
        assert!(lines.contains(&line), "{line} is not in the unit");
    }
    assert!(UNIT.contains("\n#LoadCredential="), "how secrets are handed over is shown");
    let account = include_str!("../packaging/presence-provider.sysusers");
    assert!(account.lines().any(|line| line.starts_with("u presence-provider ")), "its account is made: {account}");
}
