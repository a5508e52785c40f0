//! The Debian package: what it is told to hold, and, when asked for, its whole life in a fresh Debian.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// What cargo-deb is told.
fn metadata() -> toml::Table {
    let manifest: toml::Table = text("Cargo.toml").parse().unwrap();
    manifest["package"]["metadata"]["deb"].as_table().unwrap().clone()
}

/// A program on the path.
fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).any(|folder| folder.join(program).is_file())
}

#[test]
fn the_configuration_of_the_package_can_be_used_and_started_with() {
    let output = Command::new(env!("CARGO_BIN_EXE_presence-provider"))
        .args(["check", "--no-lookup", "--strict", "--config"])
        .arg(root().join("packaging/deb/Config.xml"))
        .env_remove("CREDENTIALS_DIRECTORY")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "nothing to complain of: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn everything_that_the_package_holds_is_there_or_made_by_the_script_that_makes_it() {
    let metadata = metadata();
    let script = text("packaging/build-deb");
    let assets = metadata["assets"].as_array().unwrap();
    assert!(assets.len() > 10);
    for asset in assets {
        let source = asset[0].as_str().unwrap();
        if let Some(made) = source.strip_prefix("target/release/package/") {
            let name = made.rsplit_once("completions.").map_or(made, |_| "completions.$shell");
            assert!(script.contains(&format!("$made/{name}")), "{made} is not made by packaging/build-deb");
        } else if !source.starts_with("target/") {
            let folder = root().join(source.split('*').next().unwrap());
            assert!(folder.exists(), "{source} is not there");
        }
    }
    let installed = |path: &str| assets.iter().any(|asset| asset[1].as_str().unwrap().starts_with(path));
    for path in ["usr/bin/", "etc/presence-provider/", "usr/share/man/man1/", "usr/share/bash-completion/"] {
        assert!(installed(path), "nothing goes to {path}");
    }
}

#[test]
fn the_changelog_of_the_package_begins_with_the_version_of_the_program() {
    let version = env!("CARGO_PKG_VERSION");
    let changelog = text("packaging/deb/changelog");
    assert!(
        changelog.starts_with(&format!("presence-provider ({version}-")),
        "packaging/deb/changelog lacks {version}"
    );
}

#[test]
fn a_purge_takes_away_what_the_service_has_written() {
    let script = text("packaging/deb/postrm");
    let purge = script.split("= \"purge\"").nth(1).unwrap();
    for folder in ["/etc/presence-provider", "/var/lib/presence-provider", "/var/log/presence-provider"] {
        assert!(purge.contains(folder), "{folder}");
    }
    for name in ["postinst", "postrm"] {
        let script = text(&format!("packaging/deb/{name}"));
        assert!(script.starts_with("#!/bin/sh\n") && script.contains("\nset -e\n") && script.contains("#DEBHELPER#"));
    }
}

#[test]
fn the_package_lives_and_dies_cleanly_in_a_fresh_debian() {
    if std::env::var("PP_LONG_TESTS").as_deref() != Ok("1") {
        eprintln!("skipped: builds a release and a Debian; PP_LONG_TESTS=1 asks for it");
        return;
    }
    let missing: Vec<_> =
        ["cargo-deb", "debootstrap", "dpkg-deb"].into_iter().filter(|program| !is_installed(program)).collect();
    if !missing.is_empty() || !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: needs root, and these are not installed: {missing:?}");
        return;
    }
    let output = Command::new(root().join("packaging/test-deb")).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.trim_end().ends_with(" passed, 0 failed"), "{said}");
}
