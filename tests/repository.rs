//! What the repository promises about itself: the arrows between its crates, the size of its files, what pure crates
//! must not touch, version floors, and that its pages find each other.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a test binary")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::semver::{Version, VersionReq};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

/// Every crate and all of ours that it may depend on, tests and benches aside.
const ARROWS: [(&str, &[&str]); 8] = [
    ("presence-core", &[]),
    ("presence-sip", &["presence-core"]),
    ("presence-config", &["presence-core"]),
    ("presence-graph", &["presence-core"]),
    ("presence-actors", &["presence-core", "presence-graph", "presence-sip"]),
    ("presence-simulator", &["presence-core", "presence-sip"]),
    ("presence-fuzz", &["presence-config", "presence-core", "presence-graph", "presence-provider", "presence-sip"]),
    (
        "presence-provider",
        &[
            "presence-actors",
            "presence-config",
            "presence-core",
            "presence-graph",
            "presence-simulator",
            "presence-sip",
        ],
    ),
];
/// What no pure crate may bring in, however deep.
const IMPURE: [&str; 11] = [
    "actix",
    "actix-rt",
    "async-std",
    "crossbeam-channel",
    "futures-executor",
    "hickory-resolver",
    "mio",
    "rustls",
    "smol",
    "socket2",
    "tokio",
];
/// The limit for a file of code, tests and benches included.
const MAX_LINES: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The dependency graph for this machine: that of the others may not have been downloaded.
fn metadata() -> Metadata {
    let version = Command::new(env!("CARGO")).arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(["--locked", "--filter-platform", host].map(str::to_owned))
        .exec()
        .unwrap()
}

/// What a package depends on, directly, to be built (not to be tested).
fn dependencies<'a>(metadata: &'a Metadata, id: &PackageId) -> Vec<&'a PackageId> {
    let resolve = metadata.resolve.as_ref().unwrap();
    let node = resolve.nodes.iter().find(|node| node.id == *id).unwrap();
    let to_build =
        |kinds: &[cargo_metadata::DepKindInfo]| kinds.iter().any(|info| info.kind != DependencyKind::Development);
    node.deps.iter().filter(|dependency| to_build(&dependency.dep_kinds)).map(|dependency| &dependency.pkg).collect()
}

/// Every text file of the repository, as git would see a fresh clone: nothing built, nothing hidden but `.ci`, `.config`.
fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if matches!(&*name, ".git" | "target") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn rust_files() -> impl Iterator<Item = PathBuf> {
    files().into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
}

fn text(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

/// The code of a file: no comments, and nothing from its module of unit tests on (a `mod tests;` elsewhere is no end).
fn code(text: &str) -> Vec<(usize, &str)> {
    let lines: Vec<&str> = text.lines().collect();
    let opens = |index: usize| {
        let item = lines.iter().skip(index + 1).find(|line| !line.trim_start().starts_with("#["));
        item.is_some_and(|item| item.trim_end().ends_with('{'))
    };
    let end = (0..lines.len()).find(|index| lines[*index].trim() == "#[cfg(test)]" && opens(*index));
    let uncommented =
        lines.iter().take(end.unwrap_or(lines.len())).map(|line| line.split("//").next().unwrap_or_default());
    uncommented.enumerate().map(|(index, line)| (index + 1, line)).collect()
}

/// Fails with one line per finding.
#[track_caller]
fn none_of(what: &str, findings: Vec<String>) {
    assert!(findings.is_empty(), "{what}:\n  {}", findings.join("\n  "));
}

#[test]
fn crates_depend_only_where_the_arrows_point() {
    let metadata = metadata();
    let names: BTreeMap<&PackageId, &str> =
        metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
    let ours: BTreeSet<&str> = metadata.workspace_members.iter().map(|id| names[id]).collect();
    assert_eq!(ours, ARROWS.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), "a crate without an arrow");
    let mut findings = Vec::new();
    for id in &metadata.workspace_members {
        let (name, allowed) = ARROWS.iter().find(|(name, _)| *name == names[id]).unwrap();
        for dependency in dependencies(&metadata, id).into_iter().map(|id| names[id]) {
            if ours.contains(dependency) && !allowed.contains(&dependency) {
                findings.push(format!("{name} -> {dependency}"));
            }
        }
    }
    none_of("arrows that docs/ARCHITECTURE.md does not have", findings);
}

#[test]
fn pure_crates_bring_in_no_runtime_however_deep() {
    let metadata = metadata();
    let names: BTreeMap<&PackageId, &str> =
        metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
    let mut findings = Vec::new();
    for pure in ["presence-core", "presence-graph", "presence-sip"] {
        let first = &metadata.packages.iter().find(|package| package.name == pure).unwrap().id;
        let mut seen = BTreeSet::from([first]);
        let mut open = vec![(first, pure.to_owned())];
        while let Some((id, way)) = open.pop() {
            for next in dependencies(&metadata, id).into_iter().filter(|next| seen.insert(next)).collect::<Vec<_>>() {
                let way = format!("{way} -> {}", names[next]);
                if IMPURE.contains(&names[next]) {
                    findings.push(way.clone());
                }
                open.push((next, way));
            }
        }
        assert!(seen.len() > 3, "{pure} depends on something: the walk works");
    }
    none_of("runtimes and sockets in a pure crate", findings);
}

#[test]
fn pure_crates_read_no_clock_and_touch_no_machine() {
    let words = [
        "Instant::now",
        "SystemTime",
        "thread::",
        "tokio::",
        "actix",
        "rand::",
        "getrandom",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "std::fs",
        "std::env",
    ];
    let mut findings = Vec::new();
    for path in rust_files() {
        let name = shown(&path);
        let pure = ["graph/src/", "presence/src/", "sip/src/"].iter().any(|folder| name.starts_with(folder));
        // `test_clock.rs` is where the unit tests take a moment to count from; it is compiled for them only.
        let of_tests = name.ends_with("tests.rs") || name.ends_with("/test_clock.rs") || name.contains("/tests/");
        if !pure || of_tests {
            continue;
        }
        for (line, code) in code(&text(&path)) {
            // Expiries of tokens and subscriptions are times of day, and so is what a snapshot says: it is handed in, and
            // read nowhere.
            let of_day = name.starts_with("graph/") || name.starts_with("presence/src/snapshot/");
            let handed_in = |word: &str| of_day && word == "SystemTime" && !code.contains("SystemTime::now");
            let met = words.iter().filter(|word| says(code, word) && !handed_in(word));
            findings.extend(met.map(|word| format!("{name}:{line} {word}")));
        }
    }
    none_of("the outside world in a pure crate", findings);
}

/// Whether a line has this word, not only as the end of a longer one: `Errand::None` is no `rand::`.
fn says(code: &str, word: &str) -> bool {
    let begins = |at: usize| !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
    code.match_indices(word).any(|(at, _)| begins(at))
}

#[test]
fn rsip_stays_in_the_sip_crate_and_parses_only_behind_the_round_trip_guard() {
    let mut findings = Vec::new();
    for path in rust_files() {
        let name = shown(&path);
        for (line, code) in code(&text(&path)) {
            let outside = !name.starts_with("sip/") && code.contains("rsip::");
            let parses = code.contains("rsip") && (code.contains("try_from") || code.contains("try_into"));
            if outside || (parses && name.starts_with("sip/src/") && !name.contains("typed")) {
                findings.push(format!("{name}:{line} {}", code.trim()));
            }
        }
    }
    findings.retain(|finding| !finding.starts_with("tests/repository.rs"));
    none_of("rsip cuts URIs short without an error (docs/decisions/0002): it reads only in sip/src/typed", findings);
}

#[test]
fn no_file_of_code_is_longer_than_five_hundred_lines() {
    let mut findings = Vec::new();
    for path in rust_files() {
        let lines = text(&path).lines().count();
        if lines > MAX_LINES {
            findings.push(format!("{} has {lines}", shown(&path)));
        }
    }
    none_of("files to split", findings);
}

#[test]
fn nothing_is_left_open_in_the_code() {
    // Written in two halves, so that this file does not find itself.
    let words = [("to", "do!("), ("unimpl", "emented!("), ("TO", "DO"), ("FIX", "ME"), ("#[ig", "nore")];
    let words = words.map(|(begin, end)| format!("{begin}{end}"));
    let mut findings = Vec::new();
    for path in rust_files() {
        for (index, line) in text(&path).lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                findings.push(format!("{}:{} {}", shown(&path), index + 1, line.trim()));
            }
        }
    }
    none_of("left open", findings);
}

#[test]
fn no_path_of_a_developers_machine_is_committed() {
    let folders = ["work", "root", "farm", "home"].map(|folder| format!("/{folder}/"));
    let mut findings = Vec::new();
    for path in files() {
        for (index, line) in text(&path).lines().enumerate() {
            for folder in &folders {
                let alone = line.match_indices(folder.as_str()).any(|(at, _)| {
                    line[..at]
                        .chars()
                        .next_back()
                        .is_none_or(|before| !before.is_alphanumeric() && !"_-./}".contains(before))
                });
                if alone {
                    findings.push(format!("{}:{} {}", shown(&path), index + 1, line.trim()));
                }
            }
        }
    }
    none_of("paths of a machine", findings);
}

#[test]
fn every_crate_takes_the_lints_and_the_licence_of_the_workspace() {
    let mut findings = Vec::new();
    for path in files().into_iter().filter(|path| path.file_name().is_some_and(|name| name == "Cargo.toml")) {
        let text = text(&path);
        for line in ["[lints]\nworkspace = true", "license.workspace = true", "publish.workspace = true"] {
            if !text.contains(line) {
                findings.push(format!("{} lacks {line:?}", shown(&path)));
            }
        }
    }
    none_of("manifests", findings);
}

/// The versions below which an advisory is known (those of 2026-08-21): deny.toml must refuse all that is older.
const FLOORS: [(&str, &str); 6] = [
    ("async-nats", "0.29.0"),
    ("bytes", "1.11.1"),
    ("h2", "0.4.16"),
    ("quick-xml", "0.41.0"),
    ("rustls-webpki", "0.103.13"),
    ("tracing-subscriber", "0.3.20"),
];

/// What deny.toml refuses: names and versions.
fn refused() -> Vec<(String, VersionReq)> {
    let deny: toml::Table = text(&root().join("deny.toml")).parse().unwrap();
    let field = |entry: &toml::Value, name: &str| entry[name].as_str().unwrap().to_owned();
    let entries = deny["bans"]["deny"].as_array().unwrap();
    assert!(entries.iter().all(|entry| !field(entry, "reason").is_empty()));
    entries.iter().map(|entry| (field(entry, "name"), VersionReq::parse(&field(entry, "version")).unwrap())).collect()
}

#[test]
fn no_dependency_is_one_that_deny_toml_refuses() {
    let refused = refused();
    // Of all systems, the tests' too: what is locked is what somebody builds.
    let lock: toml::Table = text(&root().join("Cargo.lock")).parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    assert!(refused.len() >= 8 && packages.len() >= 300, "{} refused, {} locked", refused.len(), packages.len());
    let mut findings = Vec::new();
    for package in packages {
        let (found, version) = (package["name"].as_str().unwrap(), package["version"].as_str().unwrap());
        for (name, versions) in refused.iter().filter(|(name, _)| name == found) {
            if versions.matches(&Version::parse(version).unwrap()) {
                findings.push(format!("{name} {version} is in {versions}"));
            }
        }
    }
    none_of("refused dependencies", findings);
}

#[test]
fn deny_toml_refuses_everything_below_the_floors_of_the_advisories() {
    let refused = refused();
    let mut findings = Vec::new();
    for (name, floor) in FLOORS {
        let floor = Version::parse(floor).unwrap();
        let below = VersionReq::parse(&format!("<{floor}")).unwrap();
        if !refused.contains(&(name.to_owned(), below)) {
            findings.push(format!("{name} below {floor}"));
        }
    }
    none_of("not refused", findings);
}

#[test]
fn decisions_are_numbered_complete_and_linked_from_their_index() {
    let folder = root().join("docs/decisions");
    let index = text(&folder.join("README.md"));
    let mut pages: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name != "README.md")
        .collect();
    pages.sort();
    let mut findings = Vec::new();
    for (position, page) in pages.iter().enumerate() {
        let text = text(&folder.join(page));
        let number = format!("{:04}", position + 1);
        if !page.starts_with(&number) {
            findings.push(format!("{page} should have the number {number}"));
        }
        if !index.contains(&format!("]({page})")) {
            findings.push(format!("{page} is not linked from docs/decisions/README.md"));
        }
        for part in ["\nStatus: ", "\n## Context\n", "\n## Decision\n", "\n## Consequences\n"] {
            if !text.contains(part) {
                findings.push(format!("{page} has no {:?}", part.trim()));
            }
        }
    }
    assert!(pages.len() >= 10, "decisions were found");
    none_of("decisions", findings);
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let mut findings = Vec::new();
    let mut links = 0;
    for path in files().into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "md")) {
        for (index, line) in text(&path).lines().enumerate() {
            for link in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let target = link.split('#').next().unwrap_or_default();
                if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                    continue;
                }
                links += 1;
                if !path.parent().unwrap().join(target).exists() {
                    findings.push(format!("{}:{} {link}", shown(&path), index + 1));
                }
            }
        }
    }
    assert!(links > 10, "links were found");
    none_of("links into the void", findings);
}

#[test]
fn tests_that_start_a_peer_are_named_so_that_they_can_be_left_out() {
    let mut findings = Vec::new();
    let start = format!("Kamailio::{}(", "start");
    for path in fs::read_dir(root().join("tests")).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".rs") && text(&path).contains(&start) && !name.starts_with("kamailio_") {
            findings.push(format!("tests/{name}"));
        }
    }
    none_of("call them kamailio_*.rs", findings);
}

#[test]
fn the_scan_of_code_stops_at_the_module_of_unit_tests_only() {
    let file = "a // b\n#[cfg(test)]\nmod tests_elsewhere;\nc\n#[cfg(test)]\nmod tests {\n    d\n}\n";
    let seen: Vec<(usize, &str)> = code(file);
    assert_eq!(seen, [(1, "a "), (2, "#[cfg(test)]"), (3, "mod tests_elsewhere;"), (4, "c")]);
}
