//! Rules of the house that no lint can say.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// rsip cuts URIs without a word: its types may be built in `request.rs` and read in `typed.rs`, nowhere else.
#[test]
fn rsip_stays_behind_its_two_doors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&folder, &mut files);
    let uses = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains("rsip::"))
    };
    let mut found: Vec<_> =
        files.iter().filter(|path| uses(path)).map(|path| path.strip_prefix(&folder).unwrap()).collect();
    found.sort();
    assert_eq!(found, [Path::new("request.rs"), Path::new("typed.rs")]);
}
