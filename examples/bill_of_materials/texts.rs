//! The texts of the licences, each once, with the names of the packages that come with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Context;
use cargo_metadata::MetadataCommand;

use super::inside::{Inside, Name};

/// How files with licences and notices begin.
const BEGINNINGS: [&str; 6] = ["license", "licence", "copying", "notice", "copyright", "unlicense"];

/// All texts of the packages that are not ours.
pub(crate) fn all(root: &Path, inside: &Inside) -> anyhow::Result<String> {
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .other_options(["--locked", "--filter-platform", &host(root)?].map(str::to_owned))
        .exec()?;
    let mut by_text: BTreeMap<String, BTreeSet<Name>> = BTreeMap::new();
    let mut without = Vec::new();
    for (name, part) in inside.parts.iter().filter(|(_, part)| part.checksum.is_some()) {
        let package = metadata
            .packages
            .iter()
            .find(|package| package.name == name.0 && package.version.to_string() == name.1)
            .with_context(|| format!("cargo metadata lacks {name:?}"))?;
        let folder = package.manifest_path.parent().context("a manifest is in a folder")?;
        let found = texts(folder.as_std_path())?;
        if found.is_empty() {
            without.push(format!("{} {} ({})", name.0, name.1, part.licence));
        }
        for text in found {
            by_text.entry(text).or_default().insert(name.clone());
        }
    }
    let mut all =
        "The licences of the libraries in presence-provider, and of what runs while it is built.\n".to_owned();
    if !without.is_empty() {
        write!(all, "\nThese come without a text of their own; it is that of the licence they name:\n  ")?;
        writeln!(all, "{}", without.join("\n  "))?;
    }
    for (text, names) in by_text {
        let names: Vec<_> = names.iter().map(|(name, version)| format!("{name} {version}")).collect();
        write!(all, "\n{}\n{}\n\n{text}\n", "=".repeat(78), names.join(", "))?;
    }
    Ok(all)
}

/// What the files with licences in a folder say.
fn texts(folder: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        if path.is_file() && BEGINNINGS.iter().any(|beginning| name.starts_with(beginning)) {
            let text = String::from_utf8_lossy(&fs::read(&path)?).replace("\r\n", "\n");
            found.insert(text.trim_matches('\n').trim_end().to_owned());
        }
    }
    Ok(found)
}

/// The system that this runs on, as cargo names it.
fn host(root: &Path) -> anyhow::Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = std::process::Command::new(cargo).current_dir(root).arg("-vV").output()?;
    let text = String::from_utf8(output.stdout)?;
    text.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned).context("cargo -vV names no host")
}
