//! `presence-provider simulate` and a client that nobody here wrote: SIPE, the plug-in for Skype for Business of libpurple.
//!
//! It is driven by `tests/support/sipe.py`. Skipped, with the reason, where it is not installed
//! (`apt-get install pidgin-sipe libpurple0 python3`). `PURPLE_PLUGINS` may name the folder of `libsipe.so`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "tests")]

mod process;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use process::{Service, program};

const AGENTS: usize = 5;

/// The simulation of a few agents that change only when they are told to, with these switches.
fn simulate(switches: &str) -> (Service, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("simulation.toml");
    let agents = format!("change_every = \"never\"\n[[agents]]\ncount = {AGENTS}\n[switches]\n{switches}\n");
    std::fs::write(&script, agents).unwrap();
    let mut command = program();
    command.args(["simulate", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--config"]).arg(&script);
    let service = Service::start(command);
    service.says("What happens, by seconds since the start:");
    (service, folder)
}

/// The address behind a text in the opening lines.
fn address(service: &Service, before: &str) -> SocketAddr {
    let line = service.says(before);
    let rest = line.split_once(before).unwrap().1.trim_start();
    rest[..rest.find([',', ';']).unwrap()].parse().unwrap()
}

fn order(service: &Service, line: &str) {
    let mut stream = TcpStream::connect(address(service, "control port")).unwrap();
    writeln!(stream, "{line}").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("ok"), "{answer}");
}

/// The client, signing in; `None` where it is not installed.
fn client(server: SocketAddr, scratch: &Path) -> Option<Service> {
    let python = if Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" };
    if Command::new(python).arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("skipped: there is no python3");
        return None;
    }
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/sipe.py"));
    command.args([&server.to_string(), "user@demo.example"]).arg(scratch).stdin(Stdio::null());
    let client = Service::start(command);
    client.until("connected", || client.lines().iter().any(|line| line == "connected" || line.starts_with("missing:")));
    let missing = client.lines().into_iter().find(|line| line.starts_with("missing:"));
    if let Some(missing) = missing {
        assert_eq!(client.end().code, Some(77));
        println!("skipped: {missing}");
        return None;
    }
    Some(client)
}

fn it_follows_its_contacts(switches: &str) {
    let (service, folder) = simulate(switches);
    let Some(client) = client(address(&service, "pool01.demo.example at"), folder.path()) else { return };
    service.says(&format!("sip:user@demo.example begins a presence dialog with {AGENTS} agents"));
    for agent in 1..=AGENTS {
        client.says(&format!("buddy sip:agent{agent}@demo.example available"));
    }
    // The client's own words for what it is told.
    for (told, shown) in
        [("away", "away"), ("do-not-disturb", "do-not-disturb"), ("meal", "be-right-back"), ("offline", "offline")]
    {
        order(&service, &format!("set sip:agent1@demo.example {told}"));
        client.says(&format!("buddy sip:agent1@demo.example {shown}"));
    }
    assert!(!client.lines().iter().any(|line| line.contains("error parsing xml")), "{}", client.lines().join("\n"));
    drop(client);
    service.signal("TERM");
    let ended = service.end();
    let violations: Vec<_> = ended.with("   violations ").collect();
    assert!(violations.len() == 1 && violations[0].ends_with(" 0"), "{}", ended.all());
}

#[test]
fn a_real_client_signs_in_and_follows_its_contacts_in_a_batch() {
    it_follows_its_contacts("");
}

#[test]
fn a_real_client_follows_its_contacts_where_nothing_is_piggybacked_and_changes_come_in_lists() {
    it_follows_its_contacts("piggyback = false\nbenotify = false\nmultipart_updates = true");
}
