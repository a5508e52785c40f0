//! The command line of `token`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::DEFAULT_CONFIG;
use crate::http::{Scope, access, is_ucc_name};

/// The longest life of a token: ten years.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// The arguments of `token`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct TokenArguments {
    /// What to do with tokens
    #[command(subcommand)]
    pub action: TokenAction,
}

/// What can be done with tokens.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum TokenAction {
    /// Make a token; it is printed this once and never again
    ///
    /// The token alone goes to the standard output, all else to the standard error. The file keeps its SHA-256 only; it is
    /// made when it is not there. A running provider takes the token within a second.
    #[command(after_long_help = CREATE_EXAMPLES)]
    Create(TokenCreateArguments),

    /// Show the tokens: their names, scopes and times
    List(TokenListArguments),

    /// Take a token away; a running provider refuses it within a second
    Revoke(TokenRevokeArguments),
}

pub(super) const TOKEN_EXAMPLES: &str = "\
Examples:
  presence-provider token create sales --scope ucc:sales
  presence-provider token list --config ./Config.xml
  presence-provider token revoke sales";

const CREATE_EXAMPLES: &str = "\
Scopes:
  ucc:NAME   be the queue NAME: its agents, its events, its calls
  attendant  push the presence of agents that AttendantServiceSource matches
  calls      report the calls of any queue
  operate    all of read; revive agents, see the configuration
  read       see agents, queues, endpoints, events, metrics

Examples:
  presence-provider token create sales --scope ucc:sales --scope read
  presence-provider token create reception --scope attendant --expires 90d
  TOKEN=$(presence-provider token create wall --scope read --file tokens.json)";

/// Which file of tokens.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct TokensArgument {
    /// The tokens file; without it the one that the configuration names
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    pub file: Option<PathBuf>,

    /// The configuration file, whose `<Http Tokens="...">` names the tokens file
    #[arg(long, short, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
}

/// The arguments of `token create`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct TokenCreateArguments {
    /// The name of the token, which logs and lists show
    #[arg(value_name = "NAME", value_parser = name)]
    pub name: String,

    /// What it allows: ucc:NAME, attendant, calls, operate or read; may be given more than once
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    pub scopes: Vec<Scope>,

    /// How long it is taken, e.g. 12h or 90d; without it for ever
    #[arg(long, value_name = "DURATION", value_parser = life)]
    pub expires: Option<Duration>,

    /// Which file of tokens.
    #[command(flatten)]
    pub tokens: TokensArgument,
}

/// The arguments of `token list`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct TokenListArguments {
    /// Which file of tokens.
    #[command(flatten)]
    pub tokens: TokensArgument,

    /// Print one JSON array instead of text
    #[arg(long)]
    pub json: bool,
}

/// The arguments of `token revoke`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct TokenRevokeArguments {
    /// The name of the token
    #[arg(value_name = "NAME", value_parser = name)]
    pub name: String,

    /// Which file of tokens.
    #[command(flatten)]
    pub tokens: TokensArgument,
}

fn name(text: &str) -> Result<String, &'static str> {
    if is_ucc_name(text) { Ok(text.to_owned()) } else { Err(access::NAME) }
}

fn life(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(life) if life < Duration::from_secs(1) || life > LONGEST => Err("write 1s to 3660d".to_owned()),
        Ok(life) => Ok(life),
        Err(error) => Err(format!("{error}; write such as 12h or 90d")),
    }
}
