//! `presence-provider simulate --graph`, and `presence-provider run` with the Config.xml that it prints.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use process::{Config, Service, program};

#[test]
fn what_it_prints_is_all_that_run_needs() {
    let scratch = tempfile::tempdir().unwrap();
    let script = scratch.path().join("graph.toml");
    let text = "change_every = \"never\"\n[[at]]\ntime = \"0s\"\ndo = \"set agent2@demo.example Away\"\n";
    std::fs::write(&script, text).unwrap();
    let mut command = program();
    let arguments = ["simulate", "--graph", "127.0.0.1:0", "--graph-agents", "5", "--control", "127.0.0.1:0"];
    command.args(arguments).arg("--config").arg(&script);
    command.arg("--make-credentials").arg(scratch.path().join("credentials"));
    let graph = Service::start(command);
    graph.says("script: set agent2@demo.example Away -> ok");
    let lines = graph.lines();
    let begin = lines.iter().position(|line| line.starts_with("<config")).unwrap();
    let end = lines.iter().position(|line| line.starts_with("</config>")).unwrap();
    let text =
        lines[begin..=end].join("\n").replace("<PresenceProvider>", "<PresenceProvider><Http enabled=\"false\" />");
    let config = Config::of(&text);
    let service = config.run(&["--log-level", "debug"]);
    service.says("'sip:agent2@demo.example' Away : 15500");
    let control = graph.says("control port").split_whitespace().nth(2).unwrap().trim_end_matches(';').to_owned();
    let mut stream = TcpStream::connect(control).unwrap();
    stream.write_all(b"set agent3@demo.example DoNotDisturb\nquit\n").unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert_eq!(said, "ok\nok\n");
    service.says("'sip:agent3@demo.example' DoNotDisturb : 9500");
    assert_eq!(service.terminate().code, Some(0));
    let ended = graph.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(ended.with("   presences ").next().is_some(), "{}", ended.all());
    assert!(!ended.all().contains("simulated~secret"), "with files there is no need to show the secret");
}

#[test]
fn a_mistake_in_its_script_and_an_address_for_everyone_are_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let script = scratch.path().join("graph.toml");
    std::fs::write(&script, "[[at]]\ntime = \"1s\"\ndo = \"dance\"\n").unwrap();
    let run = |arguments: &[&str]| {
        let output = program().arg("simulate").args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = run(&["--graph", "127.0.0.1:0", "--config", script.to_str().unwrap()]);
    assert!(
        code == Some(78) && said.contains("there is no command `dance`") && said.contains("graph.toml:3:6"),
        "{said}"
    );
    let (code, said) = run(&["--graph", "0.0.0.0:0"]);
    assert!(code == Some(78) && said.contains("loopback only"), "{said}");
    assert_eq!(run(&["--graph-agents", "5"]).0, Some(64));
}
