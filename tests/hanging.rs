//! Actors that hang end the process, and a process that was stopped goes on.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::process::{Command, Stdio};
use std::sync::Arc;

use presence_actors::Meters;
use presence_provider::exit::Exit;
use presence_provider::logging::{self, Console, LogOptions};
use presence_provider::pulse::{Pulse, end_the_process};

/// Set in the process that hangs.
const HANGS: &str = "PRESENCE_TEST_HANGS";

/// What runs in the process that hangs: the real pulse on a thread that nothing wakes any more.
fn hang() {
    let _log = logging::start(&LogOptions::default(), Console::Stderr).unwrap();
    actix::System::new().block_on(async {
        let _pulse = Pulse::start(Arc::new(Meters::default()), end_the_process);
        tokio::task::yield_now().await;
        loop {
            std::thread::park();
        }
    });
}

#[test]
fn actors_that_hang_end_the_process_with_a_line_and_exit_code_70() {
    if std::env::var_os(HANGS).is_some() {
        hang();
        return;
    }
    let me = std::env::current_exe().unwrap();
    let name = "actors_that_hang_end_the_process_with_a_line_and_exit_code_70";
    let child = Command::new(me)
        .args(["--exact", name, "--nocapture"])
        .env(HANGS, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let ended = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(i32::from(Exit::Internal.code())), "{told}");
    assert!(told.contains("the actors have not run for 10 s"), "{told}");
}
