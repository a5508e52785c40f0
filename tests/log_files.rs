//! The log of a whole process: files, their rotation, and what a panic leaves in them.
//!
//! A process has one log, so this file is one test.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use presence_provider::exit::Exit;
use presence_provider::logging::{self, Console, LogError, LogOptions};

fn log_files(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("presence-provider.")).collect();
    names.sort();
    names
}

#[test]
fn a_process_keeps_its_newest_daily_files_and_logs_its_panics() {
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("log/presence");

    // Where no file can be written, the error says which and why.
    fs::write(directory.path().join("occupied"), "").unwrap();
    let in_a_file = directory.path().join("occupied/log");
    let options = LogOptions { log_dir: Some(in_a_file.clone()), ..LogOptions::default() };
    let refused = logging::start(&options, Console::Stderr).unwrap_err();
    assert!(matches!(&refused, LogError::Directory { path, .. } if *path == in_a_file), "{refused}");
    assert_eq!(Exit::from(&refused), Exit::CannotCreate);
    let options = LogOptions { log_file: Some(in_a_file.clone()), ..LogOptions::default() };
    let refused = logging::start(&options, Console::Stderr).unwrap_err();
    assert!(refused.to_string().contains(in_a_file.to_str().unwrap()), "{refused}");
    assert_eq!(Exit::from(&refused), Exit::CannotCreate);

    // The directory is created; of the files of former days the newest remain.
    fs::create_dir_all(&logs).unwrap();
    for day in 1..=9 {
        fs::write(logs.join(format!("presence-provider.2020-01-0{day}.log")), "old\n").unwrap();
    }
    fs::write(logs.join("someone-elses.log"), "not ours\n").unwrap();
    let keep = NonZeroUsize::new(3);
    let options = LogOptions { log_dir: Some(logs.clone()), log_keep: keep, ..LogOptions::default() };
    let guard = logging::start(&options, Console::Stderr).unwrap();
    assert!(matches!(logging::start(&options, Console::Stderr), Err(LogError::Twice)));

    tracing::info!(target: "presence_actors::router", logger = "ucc_app01", "kept");
    tracing::debug!(target: "presence_actors::router", "below the level");
    tracing::info!(target: "some_library", "a library below its level");
    let panicked = std::thread::Builder::new()
        .name("worker".into())
        .spawn(|| panic!("text from the wire\n2018-05-08 14:05:48,159 [5] x INFO - forged"));
    panicked.unwrap().join().unwrap_err();
    // From here on a failure of this test shall be seen on the terminal again.
    drop(std::panic::take_hook());
    assert_eq!(logging::panic::count(), 1);
    assert_eq!(guard.dropped_lines(), 0);
    drop(guard);

    let files = log_files(&logs);
    assert_eq!(files.len(), 3, "{files:?}");
    assert_eq!(files[..2], ["presence-provider.2020-01-08.log", "presence-provider.2020-01-09.log"]);
    assert!(logs.join("someone-elses.log").exists());
    let newest = fs::read_to_string(logs.join(files.last().unwrap())).unwrap();
    let lines: Vec<&str> = newest.lines().filter(|line| !line.contains("panic ERROR -  ")).collect();
    assert!(lines[0].ends_with(" ucc_app01 INFO - kept"), "{newest}");
    assert!(lines[1].contains(" panic ERROR - a fault of this program"), "{newest}");
    assert!(lines[1].contains(r"text from the wire\n2018-05-08") && lines[1].contains("thread=worker"), "{newest}");
    assert!(lines[1].contains("place=tests/log_files.rs:") || cfg!(windows), "{newest}");
    assert!(!newest.contains("below"), "{newest}");
}
