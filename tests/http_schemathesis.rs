//! A stranger's eye on the API: schemathesis makes requests of all kinds from the description, with a token, and holds
//! every answer against it. No answer may be a failure of ours, or one that is not described.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs, reason = "tests")]

mod process;

use std::path::Path;
use std::process::{Command, Stdio};

use process::http::{House, Plan};
use process::queue;

/// What the script says when schemathesis cannot be had.
const SKIPPED: i32 = 77;

/// The run of one kind, bounded in its number of requests.
fn holds(names: &str) {
    let tokens: &[(&str, &[&str])] = &[("stranger", &["ucc:sales", "attendant", "calls", "operate", "read"])];
    let queues = queue("inside", &[1, 2, 3]);
    let house = House::with(Plan { tokens, queues: &queues, http: r#"RequestsPerSecond="100000""#, ..Plan::default() });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis/run");
    let output = Command::new(script)
        .args([names, &house.url, env!("CARGO_TARGET_TMPDIR"), "--max-examples", "50"])
        .env("TOKEN", house.token("stranger"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.code() == Some(SKIPPED) && std::env::var_os("CI").is_none() {
        eprintln!("{said}");
        return;
    }
    assert!(output.status.success(), "{said}\n{}", house.service.lines().join("\n"));
    let log = house.service.lines();
    assert!(!log.iter().any(|line| line.contains("panicked")), "{}", log.join("\n"));
    assert_eq!(house.client().get("/health/live").status, 200);
}

#[test]
fn requests_with_made_up_names_get_described_answers() {
    holds("any");
}

#[test]
fn requests_about_things_that_are_there_get_described_answers() {
    holds("known");
}
