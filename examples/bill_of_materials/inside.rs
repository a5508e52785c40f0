//! Which packages the program is made of: cargo says which, Cargo.lock what each of them must be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

/// A package and its version.
pub(crate) type Name = (String, String);

/// A package that the build takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its licence, as an SPDX expression.
    pub(crate) licence: String,
    /// The SHA-256 of its archive, in hexadecimal; none of ours.
    pub(crate) checksum: Option<String>,
    /// True when it is in the program; false when it only runs while it is built.
    pub(crate) is_linked: bool,
    /// What it is built with.
    pub(crate) needs: BTreeSet<Name>,
}

/// What the program is made of, on the system that this runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inside {
    /// The program itself.
    pub(crate) program: Name,
    /// All packages, the program among them.
    pub(crate) parts: BTreeMap<Name, Part>,
}

impl Inside {
    /// Asks cargo about the workspace in this folder. Nothing is downloaded that a build would not download.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let linked: BTreeSet<Name> =
            tree(root, "normal,no-proc-macro")?.into_iter().map(|branch| branch.name).collect();
        let branches = tree(root, "normal,build")?;
        let program = branches.first().context("cargo shows no package")?.name.clone();
        let (checksums, clarified) = (checksums(root)?, clarified(root)?);
        let mut parts: BTreeMap<Name, Part> = BTreeMap::new();
        let mut above: Vec<Name> = Vec::new();
        for Branch { depth, name, licence } in branches {
            above.truncate(depth);
            if let Some(parent) = above.last() {
                parts.entry(parent.clone()).or_default().needs.insert(name.clone());
            }
            above.push(name.clone());
            let licence = match clarified.get(&name) {
                Some(licence) => licence.clone(),
                None => licence.replace(" / ", " OR ").replace('/', " OR "),
            };
            if licence.is_empty() {
                bail!("{} {} names no licence: add a [[licenses.clarify]] to deny.toml", name.0, name.1);
            }
            let checksum = checksums.get(&name).with_context(|| format!("{name:?} is not in Cargo.lock"))?;
            let part = parts.entry(name.clone()).or_default();
            (part.licence, part.checksum, part.is_linked) = (licence, checksum.clone(), linked.contains(&name));
        }
        Ok(Self { program, parts })
    }
}

/// A line of `cargo tree`.
struct Branch {
    depth: usize,
    name: Name,
    licence: String,
}

/// The packages that the program depends on by such edges; one that was there before comes without its own.
fn tree(root: &Path, edges: &str) -> anyhow::Result<Vec<Branch>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(root)
        .args(["tree", "--locked", "--package", "presence-provider", "--edges", edges])
        .args(["--prefix", "depth", "--charset", "ascii", "--format", "\t{p}\t{l}\t"])
        .output()?;
    if !output.status.success() {
        bail!("cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout)?;
    text.lines().filter(|line| line.contains('\t')).map(branch).collect()
}

/// Reads `DEPTH <tab> NAME vVERSION ... <tab> LICENCE <tab>`.
fn branch(line: &str) -> anyhow::Result<Branch> {
    let mut fields = line.split('\t');
    let mut next = || fields.next().with_context(|| format!("cargo tree has changed: {line:?}"));
    let (depth, package, licence) = (next()?.parse()?, next()?, next()?);
    let mut words = package.split(' ');
    let (name, version) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let version = version.strip_prefix('v').with_context(|| format!("no version in {line:?}"))?;
    Ok(Branch { depth, name: (name.to_owned(), version.to_owned()), licence: licence.to_owned() })
}

/// What Cargo.lock holds every package to.
fn checksums(root: &Path) -> anyhow::Result<BTreeMap<Name, Option<String>>> {
    let lock: toml::Table = std::fs::read_to_string(root.join("Cargo.lock"))?.parse()?;
    let packages = lock.get("package").and_then(toml::Value::as_array).context("Cargo.lock has no packages")?;
    let field = |package: &toml::Value, name: &str| package.get(name)?.as_str().map(str::to_owned);
    packages
        .iter()
        .map(|package| {
            let name = field(package, "name").zip(field(package, "version")).context("a package without a name")?;
            Ok((name, field(package, "checksum")))
        })
        .collect()
}

/// The licences of packages that name only a file, as somebody has read them for deny.toml.
fn clarified(root: &Path) -> anyhow::Result<BTreeMap<Name, String>> {
    let deny: toml::Table = std::fs::read_to_string(root.join("deny.toml"))?.parse()?;
    let clarify = deny.get("licenses").and_then(|licenses| licenses.get("clarify")).and_then(toml::Value::as_array);
    let field = |entry: &toml::Value, name: &str| {
        entry.get(name).and_then(toml::Value::as_str).map(str::to_owned).with_context(|| format!("clarify: no {name}"))
    };
    let read = |entry| {
        let version = field(entry, "version")?.trim_start_matches('=').to_owned();
        Ok(((field(entry, "name")?, version), field(entry, "expression")?))
    };
    clarify.into_iter().flatten().map(read).collect()
}
