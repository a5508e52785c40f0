//! `presence-provider simulate`: what it prints, what it obeys, and that the program itself can be run against it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use process::{Ended, Service, program};

/// Ports that the system chooses.
const ANY: [&str; 4] = ["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"];

fn command(arguments: &[&str]) -> Command {
    let mut command = program();
    command.arg("simulate").args(arguments);
    command
}

fn simulate(arguments: &[&str]) -> Service {
    let service = Service::start(command(arguments));
    service.says("What happens, by seconds since the start:");
    service
}

/// The address behind a text in the opening lines.
fn address(service: &Service, before: &str) -> SocketAddr {
    let line = service.says(before);
    let rest = line.split_once(before).unwrap().1.trim_start();
    let end = rest.find([',', ';']).unwrap();
    rest[..end].parse().unwrap()
}

/// The Config.xml that it prints.
fn config(service: &Service) -> String {
    let lines = service.lines();
    let begin = lines.iter().position(|line| line.starts_with("<config ")).unwrap();
    let end = lines.iter().position(|line| line == "</config>").unwrap();
    lines[begin..=end].join("\n")
}

/// Lines for the control port, and its answers.
fn control(service: &Service, lines: &[&str]) -> Vec<String> {
    let mut stream = TcpStream::connect(address(service, "control port")).unwrap();
    for line in lines {
        writeln!(stream, "{line}").unwrap();
    }
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    BufReader::new(stream).lines().map(Result::unwrap).collect()
}

/// The value of a row of the summary.
fn figure(ended: &Ended, row: &str) -> u64 {
    let mut values = ended.lines.iter().filter_map(|line| line.strip_prefix("   ")?.strip_prefix(row));
    let value =
        values.find(|rest| rest.starts_with("  ")).unwrap_or_else(|| panic!("no row {row:?}:\n{}", ended.all()));
    value.split_whitespace().next().unwrap().parse().unwrap()
}

fn script(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn name(file: &tempfile::NamedTempFile) -> &str {
    file.path().to_str().unwrap()
}

#[test]
fn it_says_where_it_listens_obeys_its_control_port_and_ends_with_a_summary() {
    let service = simulate(&ANY);
    assert!(service.says("pool 0").ends_with(", TCP, 100 agents sip:agent1@demo.example to sip:agent100@demo.example"));
    let answers = control(&service, &["set sip:agent1@demo.example busy", "explode", "help", "\x1b[2J"]);
    assert!(answers[0].starts_with("ok"), "{answers:?}");
    assert!(answers[1].starts_with("error `explode` is no command"), "{answers:?}");
    assert!(answers[2].starts_with("ok kill-connections"), "{answers:?}");
    service.says("control: set sip:agent1@demo.example busy -> ok");
    // What a terminal would obey is not sent to it.
    assert!(!service.says("[2J").contains('\x1b'));
    service.signal("INT");
    let ended = service.end();
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(ended.with("Ctrl-C: the simulation ends").next().is_some());
    assert_eq!(figure(&ended, "violations"), 0);
}

#[test]
fn the_printed_configuration_is_accepted() {
    for more in [&[][..], &["--make-certificates"][..]] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().to_str().unwrap();
        let mut arguments = ANY.to_vec();
        arguments.extend(more);
        if !more.is_empty() {
            arguments.push(folder);
        }
        let service = simulate(&arguments);
        let text = config(&service);
        let loaded = presence_config::parse(&text, "Config.xml").unwrap_or_else(|found| panic!("{found:#?}\n{text}"));
        let pool = loaded.settings.ucma.unwrap().pool;
        assert_eq!(pool.address.unwrap().port, Some(address(&service, "pool01.demo.example at").port()));
        assert_eq!(loaded.settings.contact_centers[0].agents.len(), 3);
        if !more.is_empty() {
            assert!(loaded.warnings.is_empty(), "{:#?}", loaded.warnings);
        }
        assert_eq!(service.terminate().code, Some(0));
    }
}

/// `run` with the printed configuration; both ends, the simulation's last.
fn run_against_it(arguments: &[&str], lines: &[&str]) -> (Ended, Ended) {
    let service = simulate(arguments);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("Config.xml");
    let text = config(&service).replace("127.0.0.1:6120", "127.0.0.1:0");
    fs::write(&file, text.replace("</PresenceProvider>", "<Http enabled=\"false\" /></PresenceProvider>")).unwrap();
    let mut run = program();
    run.arg("run").arg("--config").arg(&file);
    let run = Service::start(run);
    run.until("every agent's presence", || {
        (1..=3).all(|agent| {
            let wanted = format!("NewPresence: [PresenceNotificationEventArgs:: SipUri: sip:agent{agent}@demo.example");
            run.lines().iter().any(|line| line.contains(&wanted))
        })
    });
    control(&service, lines);
    run.says("WspPresenceAvailability: DoNotDisturb");
    let run = run.terminate();
    service.says("is no longer registered");
    (run, service.terminate())
}

#[test]
fn the_program_runs_against_it_over_mutual_tls() {
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = ANY.to_vec();
    arguments.extend(["--make-certificates", folder.path().to_str().unwrap()]);
    let (run, simulation) = run_against_it(&arguments, &["set sip:agent2@demo.example do-not-disturb"]);
    assert_eq!(run.code, Some(0), "{}", run.all());
    assert_eq!(simulation.code, Some(0), "{}", simulation.all());
    for story in ["sip:ucc_app01@demo.example is registered for 7200 s", "begins a presence dialog with 3 agents for"] {
        assert!(simulation.with(story).next().is_some(), "{story}\n{}", simulation.all());
    }
    assert_eq!(figure(&simulation, "violations"), 0, "{}", simulation.all());
    assert_eq!(figure(&simulation, "most subscriptions of one agent at once"), 1, "{}", simulation.all());
    assert_eq!(figure(&simulation, "agents subscribed now"), 0, "{}", simulation.all());
}

#[test]
fn a_script_says_what_happens_when() {
    let script = script(
        "change_every = \"never\"\n[[agents]]\ncount = 5\n[[at]]\ntime = \"200ms\"\nevery = \"200ms\"\n\
         do = \"set sip:agent1@demo.example away\"\n[[at]]\ntime = \"1s\"\ndo = \"set sip:nobody@demo.example busy\"\n",
    );
    let mut arguments = ANY.to_vec();
    arguments.extend(["--config", name(&script), "--for", "2s"]);
    let ended = simulate(&arguments).end();
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    let times = ended.with("script: set sip:agent1@demo.example away -> ok").count();
    assert!((5..=10).contains(&times), "{}", ended.all());
    assert!(ended.with("script: set sip:nobody@demo.example busy -> error there is no").next().is_some());
    assert!(ended.with("the time is over: the simulation ends").next().is_some());
}

#[test]
fn a_mistake_in_a_script_is_shown_and_nothing_starts() {
    let script = script("sede = 1\n");
    let ended = Service::start(command(&["--config", name(&script)])).end();
    assert_eq!(ended.code, Some(78), "{}", ended.all());
    assert!(ended.with("error: unknown field `sede`, expected one of `seed`").next().is_some(), "{}", ended.all());
    assert!(ended.with(&format!("--> {}:1:1", name(&script))).next().is_some(), "{}", ended.all());
    let gone = Service::start(command(&["--config", "/nowhere/script.toml"])).end();
    assert_eq!(gone.code, Some(78));
    assert!(gone.with("error: failed to read /nowhere/script.toml: ").next().is_some(), "{}", gone.all());
}

#[test]
fn a_taken_port_that_was_asked_for_is_an_error_and_another_gives_way() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    let ended = Service::start(command(&["--listen", &port, "--control", "127.0.0.1:0"])).end();
    assert_eq!(ended.code, Some(78), "{}", ended.all());
    assert!(ended.with(&format!("cannot listen on {port}: ")).next().is_some(), "{}", ended.all());
    // Two that nobody told where to listen get along; whichever of them is the second.
    let services = [simulate(&[]), simulate(&[])];
    let [first, second] = services
        .each_ref()
        .map(|service| (address(service, "pool01.demo.example at"), address(service, "control port")));
    assert!(first.0 != second.0 && first.1 != second.1, "{first:?} {second:?}");
}

#[test]
fn certificates_of_an_incomplete_folder_are_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("pool.key"), "mine").unwrap();
    let mut arguments = ANY.to_vec();
    arguments.extend(["--make-certificates", folder.path().to_str().unwrap()]);
    let ended = Service::start(command(&arguments)).end();
    assert_eq!(ended.code, Some(73), "{}", ended.all());
    assert!(ended.with("and not all: remove them").next().is_some(), "{}", ended.all());
    assert_eq!(fs::read(Path::new(folder.path()).join("pool.key")).unwrap(), b"mine");
}
