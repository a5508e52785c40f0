//! Where the log goes, in which form and how much of it: the options of the commands that keep a log.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;

/// The packages of this workspace, as `tracing` names their events.
const OUR_CRATES: [&str; 7] = [
    "presence_actors",
    "presence_config",
    "presence_core",
    "presence_graph",
    "presence_provider",
    "presence_simulator",
    "presence_sip",
];

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum LogFormat {
    /// Lines for people: `2018-05-08 14:05:48,159 [5] ucc_app01 INFO - text key=value`
    #[default]
    Text,
    /// One JSON object per line, for machines
    Json,
}

/// How much is logged: a level, or directives for single modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLevel(String);

impl LogLevel {
    /// The directives of the filter.
    ///
    /// A plain level holds for our own packages; the libraries below them speak up at `warn` and above, because what
    /// they say at `debug` is written for their own developers.
    #[must_use]
    pub fn directives(&self) -> String {
        let level = self.0.as_str();
        if !is_level(level) {
            return level.to_owned();
        }
        let others = if matches!(level, "error" | "off") { level } else { "warn" };
        // It would let every client write errors into our log, with a request that is none.
        let others = format!("{others},actix_http=off");
        OUR_CRATES.iter().fold(others, |all, name| format!("{all},{name}={level}"))
    }
}

fn is_level(text: &str) -> bool {
    matches!(text, "off" | "error" | "warn" | "info" | "debug" | "trace")
}

impl Default for LogLevel {
    fn default() -> Self {
        Self("info".into())
    }
}

/// Reads `error`, `warn`, `info`, `debug`, `trace` or `off` in any case, or directives such as
/// `info,presence_sip=debug`.
impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower = text.trim().to_ascii_lowercase();
        if is_level(&lower) {
            return Ok(Self(lower));
        }
        // A bare word that is no level would be read as the name of a module and switch everything else off.
        let says_a_level =
            text.split(',').any(|part| part.contains('=') || is_level(&part.trim().to_ascii_lowercase()));
        if !says_a_level {
            return Err("write error, warn, info, debug, trace or off, or directives such as \
                        `info,presence_sip=debug`"
                .to_owned());
        }
        EnvFilter::try_new(text).map_err(|error| error.to_string())?;
        Ok(Self(text.trim().to_owned()))
    }
}

/// The logging options of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Logging")]
pub struct LogOptions {
    /// The form of the lines
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub log_format: LogFormat,

    /// How much: error, warn, info, debug, trace or off, or directives such as `info,presence_sip=debug`
    #[arg(long, default_value = "info", value_name = "LEVEL")]
    pub log_level: LogLevel,

    /// Append to this one file; whoever rotates it must copy and truncate it (logrotate: copytruncate)
    #[arg(long, value_name = "FILE", conflicts_with = "log_dir")]
    pub log_file: Option<PathBuf>,

    /// Write a file per day into this directory, presence-provider.YYYY-MM-DD.log
    #[arg(long, value_name = "DIR")]
    pub log_dir: Option<PathBuf>,

    /// How many of the daily files to keep [default: 14]
    #[arg(long, value_name = "N", requires = "log_dir")]
    pub log_keep: Option<NonZeroUsize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_level_is_for_our_packages_and_libraries_stay_at_warn() {
        let level: LogLevel = "DEBUG".parse().expect("a level");
        let directives = level.directives();
        assert!(directives.starts_with("warn,"), "{directives}");
        assert!(directives.contains("presence_sip=debug"), "{directives}");
        let level: LogLevel = "error".parse().expect("a level");
        assert!(level.directives().starts_with("error,actix_http=off,"));
    }

    #[test]
    fn directives_are_taken_as_they_are() {
        let level: LogLevel = "info,presence_sip=trace".parse().expect("directives");
        assert_eq!(level.directives(), "info,presence_sip=trace");
    }

    #[test]
    fn what_is_no_level_is_refused_instead_of_silencing_the_log() {
        for text in ["", "verbose", "infoo", "presence_sip=loud", "presence_sip"] {
            assert!(text.parse::<LogLevel>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn every_package_of_the_workspace_follows_the_level() {
        assert!(OUR_CRATES.contains(&module_path!().split("::").next().expect("a crate")));
        assert!(OUR_CRATES.iter().all(|name| name.starts_with("presence_")));
    }
}
