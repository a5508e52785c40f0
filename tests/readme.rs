//! What the README and the operations page show works: the Config.xml is accepted without a warning, the commands and
//! their options exist.
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
    assert_eq!(pool.dialect, presence_config::Dialect::Skype, "what the product is named for");
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

#[test]
fn the_table_of_commands_names_every_command_and_every_option_but_those_of_the_log() {
    let command = Arguments::command();
    let page = include_str!("../docs/operations.md");
    for known in command.get_subcommands() {
        let name = known.get_name();
        let row = page.lines().find(|line| line.starts_with(&format!("| `presence-provider {name}")));
        let row = row.unwrap_or_else(|| panic!("no row for {name}")).split('`').nth(1).unwrap_or_default();
        let shown: BTreeSet<&str> =
            row.split(|c: char| " []".contains(c)).filter_map(|word| word.strip_prefix("--")).collect();
        let options: BTreeSet<&str> = known
            .get_arguments()
            // Which provider: docs/terminal.md has these, which are the same for all who ask one.
            .filter(|argument| argument.get_help_heading() != Some("Which provider"))
            .filter_map(clap::Arg::get_long)
            .filter(|option| !option.starts_with("log-") && *option != "help")
            .collect();
        assert_eq!(shown, options, "{name}");
    }
}
