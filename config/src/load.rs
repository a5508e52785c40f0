//! From a file to settings.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::decode::{self, MAX_FILE_BYTES};
use crate::diagnostic::{Diagnostic, Findings, Severity};
use crate::fields::Context;
use crate::files::FileLookup;
use crate::settings::Settings;
use crate::{provider, reader, secrets, shape};

/// A file that is accepted.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it says.
    pub settings: Settings,
    /// Warnings and hints, in the order of the file.
    pub warnings: Vec<Diagnostic>,
}

/// Why there are no settings. The text fits after "failed to load the configuration: ".
#[derive(Debug)]
pub enum LoadError {
    /// The file cannot be read at all.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file says something that is refused: every error and warning of it, in the order of the file.
    Invalid(Vec<Diagnostic>),
}

/// For [`LoadError::Invalid`] one line per diagnostic; [`Diagnostic::render`] has the source lines too.
impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, source } => write!(f, "{} cannot be read: {source}", path.display()),
            Self::Invalid(diagnostics) => {
                for (index, diagnostic) in diagnostics.iter().enumerate() {
                    let line_break = if index == 0 { "" } else { "\n" };
                    write!(f, "{line_break}{diagnostic}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            Self::Invalid(_) => None,
        }
    }
}

/// Reads, checks and completes a configuration file. The names of other files in it are resolved as by
/// [`FileLookup::beside`]; whether those files exist is a question for [`Settings::missing_files`].
///
/// # Errors
/// The file cannot be read, is larger than [`MAX_FILE_BYTES`], or says something that is refused.
pub fn load(path: &Path) -> Result<Loaded, LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
    File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() > MAX_FILE_BYTES {
        let message = format!("it has more than {MAX_FILE_BYTES} bytes; is it a configuration file?");
        return Err(unreadable(io::Error::new(io::ErrorKind::FileTooLarge, message)));
    }
    let mut loaded = parse_bytes(&bytes, &path.display().to_string()).map_err(LoadError::Invalid)?;
    loaded.settings.resolve_files(&FileLookup::beside(path));
    Ok(loaded)
}

/// Reads the bytes of a file: UTF-8 with or without byte order mark, or UTF-16.
///
/// # Errors
/// Every error and warning of the file, in its order.
pub fn parse_bytes(bytes: &[u8], file_name: &str) -> Result<Loaded, Vec<Diagnostic>> {
    match decode::decode(bytes) {
        Ok(text) => parse(&text, file_name),
        Err(broken) => {
            let mut findings = Findings::new(file_name, Arc::from(secrets::mask(&broken.text)));
            let end =
                broken.text[broken.offset..].chars().next().map_or(broken.offset, |c| broken.offset + c.len_utf8());
            findings.error(broken.offset..end, broken.message, broken.help);
            Err(findings.finish())
        }
    }
}

/// Reads a text. The names of other files in it stay as they are written.
///
/// # Errors
/// Every error and warning of the text, in its order.
pub fn parse(text: &str, file_name: &str) -> Result<Loaded, Vec<Diagnostic>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // Masked once and for all: no value that looks like a secret gets any further than this line.
    let text: Cow<'_, str> = secrets::mask(text);
    let mut findings = Findings::new(file_name, Arc::from(&*text));
    let settings = read(&text, &mut findings);
    let found = findings.finish();
    if found.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return Err(found);
    }
    Ok(Loaded { settings, warnings: found })
}

fn read(text: &str, findings: &mut Findings) -> Settings {
    if text.len() > MAX_FILE_BYTES {
        findings.error(0..0, format!("the file has more than {MAX_FILE_BYTES} bytes"), "");
        return Settings::default();
    }
    if let Some((at, c)) = decode::forbidden_character(text) {
        let message = format!("the character {} may not stand in an XML file", c.escape_unicode());
        findings.error(at..at + c.len_utf8(), message, "remove it; is this a text file?");
        return Settings::default();
    }
    let document = reader::read(text, findings);
    let Some(root) = &document.root else {
        if text.trim().is_empty() {
            let help = "begin with `<config version=\"1.5\">`; an example is in docs/configuration.md";
            findings.error(0..0, "the file is empty", help);
        } else if !findings.has_errors() {
            findings.error(0..0, "the file has no element", "begin with `<config version=\"1.5\">`");
        }
        return Settings::default();
    };
    shape::check(root, findings);
    let broken = document.broken;
    let mut context = Context { findings, broken, defaulted: BTreeSet::new(), severity: Severity::Error };
    provider::read(&document, &mut context)
}
