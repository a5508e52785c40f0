//! The configuration that a command works on.

use std::io::ErrorKind;
use std::path::Path;

use presence_config::{Diagnostic, LoadError, Loaded, Severity};

use crate::answer::Answer;
use crate::exit::Exit;

/// Reads the configuration for a command whose answer does not include what is wrong with it.
///
/// # Errors
/// What to print instead of the answer, with exit code 78.
pub(crate) fn load(path: &Path, color: bool) -> Result<Loaded, Answer> {
    presence_config::load(path).map_err(|error| Answer::failed(Exit::Config, complaint(&error, color)))
}

/// Everything that a person must be told about a configuration that cannot be used.
pub(crate) fn complaint(error: &LoadError, color: bool) -> String {
    match error {
        LoadError::Invalid(diagnostics) => rendered(diagnostics, color) + &verdict(diagnostics) + "\n",
        LoadError::Unreadable { source, .. } if source.kind() == ErrorKind::NotFound => {
            format!("error: {error}\nhelp: `--config FILE` names another file\n")
        }
        LoadError::Unreadable { .. } => format!("error: {error}\n"),
    }
}

/// The diagnostics one below the other, an empty line behind each.
pub(crate) fn rendered(diagnostics: &[Diagnostic], color: bool) -> String {
    diagnostics.iter().map(|diagnostic| diagnostic.render(color) + "\n\n").collect()
}

/// `2 errors, 1 warning`, or `no errors`.
pub(crate) fn verdict(diagnostics: &[Diagnostic]) -> String {
    let count = |severity, name: &str| {
        let count = diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
        (count > 0).then(|| format!("{count} {name}{}", if count == 1 { "" } else { "s" }))
    };
    let counts = [count(Severity::Error, "error"), count(Severity::Warning, "warning"), count(Severity::Hint, "hint")];
    let text: Vec<String> = counts.into_iter().flatten().collect();
    if text.is_empty() { "no errors".to_owned() } else { text.join(", ") }
}
