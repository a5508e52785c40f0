//! The bill of materials that the package brings says what is in it: no more, no less, and the same each time.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

#[path = "../examples/bill_of_materials/cyclonedx.rs"]
mod cyclonedx;
#[path = "../examples/bill_of_materials/inside.rs"]
mod inside;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use inside::{Inside, Name};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn document() -> String {
    cyclonedx::document(&Inside::read(root()).unwrap())
}

fn parsed() -> Value {
    serde_json::from_str(&document()).unwrap()
}

/// All components, the program first.
fn components(document: &Value) -> Vec<&Value> {
    let others = document["components"].as_array().unwrap();
    std::iter::once(&document["metadata"]["component"]).chain(others).collect()
}

fn name(component: &Value) -> Name {
    let text = |field: &str| component[field].as_str().unwrap().to_owned();
    (text("name"), text("version"))
}

/// What Cargo.lock has: by name and version, the checksum and the names that it depends on.
fn locked() -> BTreeMap<Name, (Option<String>, BTreeSet<String>)> {
    let lock: toml::Table = std::fs::read_to_string(root().join("Cargo.lock")).unwrap().parse().unwrap();
    let text = |package: &toml::Value, field: &str| Some(package.get(field)?.as_str().unwrap().to_owned());
    let entry = |package: &toml::Value| {
        let needs = package.get("dependencies").and_then(toml::Value::as_array).into_iter().flatten();
        let needs = needs.map(|name| name.as_str().unwrap().split(' ').next().unwrap().to_owned()).collect();
        let name = (text(package, "name").unwrap(), text(package, "version").unwrap());
        (name, (text(package, "checksum"), needs))
    };
    lock["package"].as_array().unwrap().iter().map(entry).collect()
}

/// What cargo takes to build the program, asked in another way than the bill of materials asks.
fn built() -> BTreeSet<Name> {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["tree", "--locked", "-p", "presence-provider", "--edges", "no-dev", "--prefix", "none", "--no-dedupe"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let package = |line: &str| {
        let mut words = line.split(' ');
        Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
    };
    text.lines().filter(|line| !line.is_empty()).map(|line| package(line).unwrap_or_else(|| panic!("{line}"))).collect()
}

#[test]
fn it_lists_every_package_of_the_build_and_no_other() {
    let document = parsed();
    let listed: Vec<Name> = components(&document).into_iter().map(name).collect();
    let unique: BTreeSet<Name> = listed.iter().cloned().collect();
    assert_eq!(listed.len(), unique.len(), "each once");
    assert_eq!(listed[0], ("presence-provider".to_owned(), env!("CARGO_PKG_VERSION").to_owned()));
    assert_eq!(unique, built());
    assert!(unique.len() > 200, "{}", unique.len());
}

#[test]
fn every_package_has_the_version_and_the_checksum_of_cargo_lock_and_a_licence() {
    let (document, locked) = (parsed(), locked());
    let mut ours = 0;
    for component in components(&document) {
        let name = name(component);
        let (checksum, _) = locked.get(&name).unwrap_or_else(|| panic!("{name:?} is not in Cargo.lock"));
        match checksum {
            Some(checksum) => {
                assert_eq!(component["hashes"][0]["alg"], "SHA-256");
                assert_eq!(component["hashes"][0]["content"].as_str(), Some(checksum.as_str()), "{name:?}");
                assert_eq!(component["purl"].as_str().unwrap(), format!("pkg:cargo/{}@{}", name.0, name.1));
            }
            None => {
                assert!(name.0.starts_with("presence-"), "{name:?} has no checksum and is not ours");
                ours += 1;
            }
        }
        let licence = component["licenses"][0]["expression"].as_str().unwrap();
        let words = licence.split([' ', '(', ')']).filter(|word| !word.is_empty());
        let known = |word: &str| {
            matches!(word, "AND" | "OR" | "WITH") || word.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
        };
        assert!(!licence.is_empty() && words.clone().all(known), "{name:?}: {licence:?} is no SPDX expression");
    }
    assert_eq!(ours, 7, "the crates of this workspace");
}

#[test]
fn what_depends_on_what_is_what_cargo_lock_says() {
    let (document, locked) = (parsed(), locked());
    let by_reference: BTreeMap<&str, Name> =
        components(&document).into_iter().map(|it| (it["bom-ref"].as_str().unwrap(), name(it))).collect();
    let dependencies = document["dependencies"].as_array().unwrap();
    assert_eq!(dependencies.len(), by_reference.len());
    let mut reached = BTreeSet::new();
    for dependency in dependencies {
        let from = &by_reference[dependency["ref"].as_str().unwrap()];
        for to in dependency["dependsOn"].as_array().unwrap() {
            let to = &by_reference[to.as_str().unwrap()];
            assert!(locked[from].1.contains(&to.0), "{from:?} does not depend on {to:?}");
            reached.insert(to);
        }
    }
    assert_eq!(reached.len() + 1, by_reference.len(), "all but the program are there because something needs them");
}

#[test]
fn what_only_runs_at_the_build_is_not_said_to_be_inside() {
    let document = parsed();
    let scope = |wanted: &str| {
        let found = components(&document).into_iter().find(|component| component["name"] == wanted);
        found.unwrap_or_else(|| panic!("{wanted} is not listed"))["scope"].as_str().unwrap().to_owned()
    };
    for (package, expected) in [("rustls", "required"), ("quick-xml", "required"), ("serde_derive", "excluded")] {
        assert_eq!(scope(package), expected, "{package}");
    }
}

#[test]
fn the_same_sources_give_the_same_bytes_without_time_or_place() {
    let first = document();
    assert_eq!(first, document());
    assert!(!first.contains(root().to_str().unwrap()), "a path of this computer");
    for word in ["timestamp", "serialNumber", "file://"] {
        assert!(!first.contains(word), "{word}");
    }
}
