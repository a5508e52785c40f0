//! `presence-provider provision`: the commands that make the configured identity known to a Skype for Business pool.
//!
//! Nothing is carried out and nobody is asked: it is a text for the administrator of the pool, with the values of the
//! configuration filled in (seed, "Installation").

mod commands;
mod quoting;
mod values;

use std::fmt::Write;

use presence_config::{Dialect, UcmaSettings};
use presence_core::log_text::Safe;
use serde::Serialize;

use crate::answer::{Answer, json};
use crate::args::ProvisionArguments;
use crate::configuration;
use crate::exit::Exit;
pub use commands::{Line, Place, Step};
pub use values::Value;
use values::Values;

/// What `provision` answers. The fields are the JSON form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Provisioning {
    /// The file.
    pub file: String,
    /// The values, with their sources.
    pub values: Vec<Value>,
    /// The steps, in their order.
    pub steps: Vec<Step>,
    /// The placeholders that must be replaced before the commands are run.
    pub fill_in: Vec<String>,
}

/// Answers `presence-provider provision`. `color` is for the diagnostics.
#[must_use]
pub fn provision(arguments: &ProvisionArguments, color: bool) -> Answer {
    let loaded = match configuration::load(&arguments.file.config, color) {
        Ok(loaded) => loaded,
        Err(answer) => return answer,
    };
    let file = arguments.file.config.display().to_string();
    let Some(ucma) = &loaded.settings.ucma else {
        let help = "write <UcmaPresenceSource enabled=\"true\" ...>";
        return Answer::failed(
            Exit::Config,
            format!("error: {file} has no identity to make known: UcmaPresenceSource is not enabled\nhelp: {help}\n"),
        );
    };
    if ucma.pool.dialect == Dialect::Simple {
        return Answer::failed(Exit::Config, not_for_simple(&file, ucma));
    }
    let values = Values::gather(ucma, &loaded.settings, arguments);
    let answer = Provisioning {
        steps: commands::steps(&values, ucma),
        fill_in: values.all().into_iter().filter(|value| !value.known).map(|value| value.value.clone()).collect(),
        values: values.all().into_iter().cloned().collect(),
        file,
    };
    Answer::ok(if arguments.json { json(&answer) } else { text(&answer) })
}

fn not_for_simple(file: &str, ucma: &UcmaSettings) -> String {
    let port = ucma
        .pool
        .listen
        .map_or(String::new(), |listen| format!("; if this computer has a firewall, let port {} in", listen.port()));
    format!(
        "error: {file} says Dialect=\"simple\": a presence server after RFC 3856 has no trusted applications\n\
         help: have {} entered as a user of that server{port}\n",
        Safe(ucma.application_endpoint.as_str())
    )
}

fn text(answer: &Provisioning) -> String {
    let mut text = format!(
        "# What a Skype for Business pool must know of the presence provider, by {}\n# Not a script: each step says where it is run.\n#\n# Values\n",
        Safe(&answer.file)
    );
    let width = |of: fn(&Value) -> usize| answer.values.iter().map(of).max().unwrap_or(0);
    let (name, value) = (width(|value| value.name.chars().count()), width(|value| value.value.chars().count()));
    for Value { name: what, value: is, source, .. } in &answer.values {
        // Writing into a String does not fail.
        let _ = writeln!(text, "#   {what:<name$}  {:<value$}  {source}", Safe(is).to_string());
    }
    for (number, step) in answer.steps.iter().enumerate() {
        let _ = writeln!(text, "\n# {}. {}", number + 1, step.title);
        for note in &step.notes {
            let _ = writeln!(text, "#   {note}");
        }
        let mut before = None;
        for Line { place, command } in &step.commands {
            if before != Some(*place) {
                let _ = writeln!(text, "# {}", heading(*place));
            }
            before = Some(*place);
            let _ = writeln!(text, "{command}");
        }
    }
    if !answer.fill_in.is_empty() {
        let placeholder = answer.fill_in.iter().map(|value| value.chars().count()).max().unwrap_or(0);
        text.push_str("\n# Before the commands are run, replace\n");
        for value in answer.values.iter().filter(|value| !value.known) {
            let _ = writeln!(text, "#   {:<placeholder$}  the {}: {}", value.value, value.name, value.source);
        }
    }
    text.push_str("\n# Afterwards: presence-provider doctor\n");
    text
}

const fn heading(place: Place) -> &'static str {
    match place {
        Place::ManagementShell => "Skype for Business Server Management Shell, as administrator:",
        Place::PowerShell => "Windows, PowerShell as administrator:",
        Place::Shell => "Linux:",
    }
}
