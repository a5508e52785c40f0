//! The pages for `man` in packaging/man are what the command line says of itself.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use clap::CommandFactory;
use presence_provider::args::Arguments;

/// The pages in a folder, by their names.
fn pages(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    entries.map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect()
}

#[test]
fn every_command_has_its_page_for_man_and_none_is_out_of_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/man");
    let fresh = tempfile::tempdir().unwrap();
    clap_mangen::generate_to(Arguments::command().disable_help_subcommand(true), fresh.path()).unwrap();
    let expected = pages(fresh.path());
    assert!(expected.contains_key("presence-provider.1") && expected.contains_key("presence-provider-graph-check.1"));
    if std::env::var_os("RENEW_MANUAL").is_some() {
        fs::remove_dir_all(&folder).unwrap();
        fs::create_dir(&folder).unwrap();
        for (name, page) in &expected {
            fs::write(folder.join(name), page).unwrap();
        }
    }
    let found = pages(&folder);
    let stale: Vec<_> =
        expected.keys().chain(found.keys()).filter(|name| expected.get(*name) != found.get(*name)).collect();
    assert!(
        stale.is_empty(),
        "{stale:?} are not what the command line says; renew them with\n  RENEW_MANUAL=1 cargo test --test manual"
    );
}
