//! What the README shows works: its Config.xml is accepted without a warning, and its commands exist.
#![allow(missing_docs, reason = "a test binary")]

use std::collections::BTreeSet;

use clap::CommandFactory as _;
use presence_provider::args::Arguments;

const README: &str = include_str!("../README.md");

#[test]
fn the_configuration_in_the_readme_is_accepted_without_a_warning() {
    let (_, rest) = README.split_once("```xml\n").expect("a Config.xml in the README");
    let (sample, _) = rest.split_once("```").expect("its end");
    let loaded = presence_config::parse(sample, "README.md").unwrap_or_else(|found| panic!("{found:#?}"));
    assert!(loaded.warnings.is_empty(), "{:#?}", loaded.warnings);
    let agents: Vec<usize> = loaded.settings.contact_centers.iter().map(|queue| queue.agents.len()).collect();
    assert_eq!(agents, [2], "one queue with two agents");
    let pool = loaded.settings.ucma.expect("a UCMA source").pool;
    assert_eq!(pool.dialect, presence_config::Dialect::Simple, "the dialect that this version serves");
}

#[test]
fn the_commands_in_the_readme_exist() {
    let command = Arguments::command();
    let known: BTreeSet<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    let shown: BTreeSet<&str> = README
        .lines()
        .filter_map(|line| {
            line.strip_prefix("presence-provider ").or_else(|| line.strip_prefix("cargo run --release -- "))
        })
        .filter_map(|rest| rest.split_whitespace().next())
        .collect();
    assert!(shown.len() >= 4, "commands were found: {shown:?}");
    let unknown: Vec<&&str> = shown.difference(&known).collect();
    assert!(unknown.is_empty(), "the README shows {unknown:?}, the program knows {known:?}");
}
