//! The files: whole at every moment, and what is left by a crash.

use std::fs;
use std::path::Path;

use presence_core::snapshot::{Encoded, encode};
use presence_core::{Remembered, UccMemory};

use super::{StateError, StateFile, anchor};

fn state_of(queue: &str) -> Encoded {
    let uccs = vec![UccMemory { name: queue.into(), agents: Vec::new() }];
    encode(&Remembered { collected: Some(anchor().now), uccs, ..Remembered::default() }, anchor(), "1")
}

fn read(file: &StateFile) -> (Option<String>, usize) {
    let found = file.read(anchor());
    let name = found.snapshot.map(|snapshot| snapshot.remembered.uccs[0].name.to_string());
    (name, found.set_aside.len())
}

fn folder() -> (tempfile::TempDir, StateFile) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = StateFile::open(folder.path().join("a/state")).expect("it can be made");
    (folder, file)
}

fn path(file: &StateFile, name: &str) -> std::path::PathBuf {
    file.path().with_file_name(name)
}

fn names(file: &StateFile) -> Vec<String> {
    let folder = file.path().parent().map(Path::to_owned).expect("a folder");
    let mut names: Vec<_> = fs::read_dir(folder)
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn the_last_state_is_read_and_the_one_before_it_is_kept() {
    let (_folder, file) = folder();
    assert!(!file.has_earlier_run());
    assert_eq!(read(&file), (None, 0));
    for name in ["first", "second", "third"] {
        file.write(&state_of(name)).expect("written");
        assert_eq!(read(&file), (Some(name.to_owned()), 0));
    }
    assert_eq!(names(&file), ["presence.state", "presence.state.lock", "presence.state.previous"]);
    fs::remove_file(file.path()).expect("removed");
    assert_eq!(read(&file), (Some("second".to_owned()), 0));
}

#[test]
fn a_crash_at_any_step_of_a_writing_leaves_the_state_before_it_or_the_new_one() {
    let (_folder, file) = folder();
    for name in ["first", "second"] {
        file.write(&state_of(name)).expect("written");
    }
    let new = state_of("third").parts.concat();
    for half in [0, 1, new.len() / 2, new.len() - 1] {
        fs::write(path(&file, "presence.state.new"), &new[..half]).expect("written");
        assert_eq!(read(&file), (Some("second".to_owned()), 0), "{half} bytes were written");
    }
    fs::write(path(&file, "presence.state.new"), &new).expect("written");
    assert_eq!(read(&file), (Some("second".to_owned()), 0), "not renamed yet");
    fs::rename(file.path(), path(&file, "presence.state.previous")).expect("renamed");
    assert_eq!(read(&file), (Some("third".to_owned()), 0), "between the two renamings");
    file.write(&state_of("fourth")).expect("what a crash has left is no obstacle");
    assert_eq!(read(&file), (Some("fourth".to_owned()), 0));
}

#[test]
fn what_is_damaged_is_set_aside_at_most_three_times_and_the_one_before_is_used() {
    let (_folder, file) = folder();
    for _ in 0..5 {
        file.write(&state_of("first")).expect("written");
        file.write(&state_of("second")).expect("written");
        fs::write(file.path(), "no state\n").expect("written");
        assert_eq!(read(&file), (Some("first".to_owned()), 1));
        fs::write(path(&file, "presence.state.previous"), "").expect("written");
        assert_eq!(read(&file), (None, 1));
        let damaged = names(&file).iter().filter(|name| name.contains("damaged")).count();
        assert!((1..=3).contains(&damaged), "{:?}", names(&file));
    }
}

#[test]
fn two_processes_cannot_have_the_same_folder() {
    let (folder, file) = folder();
    let again = || StateFile::open(folder.path().join("a/state"));
    assert!(matches!(again(), Err(StateError::Locked(_))));
    drop(file);
    assert!(again().expect("it is free again").has_earlier_run());
}
