//! The command line of `graph`.

use clap::{Args, Subcommand};
use presence_core::AgentUri;

use super::ConfigArgument;

/// The arguments of `graph`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct GraphArguments {
    /// What to do with the accounts of Microsoft Graph
    #[command(subcommand)]
    pub action: GraphAction,
}

/// What can be done with the accounts of Microsoft Graph.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum GraphAction {
    /// Check every account step by step: its credential, its token, its permissions, a user, a presence
    ///
    /// Each step says what was found, and what to do where it failed. Exit code 0 when no step failed, 1 when one did, 78 when the
    /// file cannot be used or the source is not enabled.
    #[command(after_long_help = CHECK_EXAMPLES)]
    Check(GraphCheckArguments),

    /// Sign in for an account whose credential says `"refresh_token": true`
    ///
    /// Prints an address and a code, which are good on any device with a browser, and waits until somebody has signed in there.
    /// The refresh token goes into the state directory, where a running provider finds it. Exit code 0 when it is kept, 1 when
    /// nobody signed in, 69 when the login host does not answer, 73 when the token cannot be written, 78 when the account has no
    /// such credential.
    #[command(after_long_help = LOGIN_EXAMPLES)]
    Login(GraphLoginArguments),
}

pub(super) const GRAPH_EXAMPLES: &str = "\
Examples:
  presence-provider graph check
  presence-provider graph login my-presence-account1 --config ./Config.xml";

const CHECK_EXAMPLES: &str = "\
Examples:
  presence-provider graph check
  presence-provider graph check --agent sip:user1@example.com
  presence-provider graph check --config ./Config.xml --json | jq '.steps[] | select(.result == \"fail\")'";

const LOGIN_EXAMPLES: &str = "\
Examples:
  presence-provider graph login my-presence-account1
  sudo presence-provider graph login my-presence-account1 --config /etc/presence-provider/Config.xml";

/// The arguments of `graph check`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct GraphCheckArguments {
    /// Which file to check with.
    #[command(flatten)]
    pub file: ConfigArgument,

    /// The agent that is looked up; without it the first agent of the queues that Microsoft Graph serves
    #[arg(long, value_name = "URI")]
    pub agent: Option<AgentUri>,

    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// The arguments of `graph login`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct GraphLoginArguments {
    /// The account, by the Id that the configuration gives it
    #[arg(value_name = "ACCOUNT")]
    pub account: String,

    /// Which file has the account.
    #[command(flatten)]
    pub file: ConfigArgument,
}
