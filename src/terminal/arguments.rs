//! The arguments of the operator's commands.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use clap_complete::Shell;
use presence_core::AgentUri;

use super::address::ApiUrl;
use crate::http::model::SourceName;

/// The states that an agent can be in, as the API names them.
const STATES: [&str; 12] = [
    "abandoned",
    "active",
    "awaiting_token",
    "backing_off",
    "idle",
    "quarantined",
    "releasing",
    "served",
    "subscribing",
    "unsubscribing",
    "waiting_for_endpoint",
    "withdrawing",
];
const FRESHNESSES: [&str; 3] = ["fresh", "stale", "unknown"];
const ENDPOINTS: [&str; 2] = ["application", "user"];
/// What agents can be sorted by; with `-` in front descending.
const SORTS: [&str; 10] =
    ["uri", "since", "state", "availability", "freshness", "-uri", "-since", "-state", "-availability", "-freshness"];

/// Which provider is asked, and as whom. The token is not among the options: other users of the computer could read it.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(next_help_heading = "Which provider")]
pub struct ApiOptions {
    /// Where the provider serves its API; otherwise PRESENCE_PROVIDER_URL, otherwise http://127.0.0.1:8365
    #[arg(long, value_name = "URL")]
    pub url: Option<ApiUrl>,

    /// The file that holds the token; otherwise PRESENCE_PROVIDER_TOKEN holds the token itself
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// The certificates (PEM) that vouch for the provider, with https; otherwise those of the system
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,

    /// How long one answer may take
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "10s")]
    pub timeout: Duration,
}

/// The arguments of `status`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct StatusArguments {
    /// Wait for the end of a recovery, with a progress bar on a terminal
    #[arg(long, short)]
    pub follow: bool,

    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,

    /// Which provider is asked.
    #[command(flatten)]
    pub api: ApiOptions,
}

/// The arguments of `watch`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct WatchArguments {
    /// Only these agents; without any all agents and endpoints
    #[arg(value_name = "URI")]
    pub uris: Vec<AgentUri>,

    /// Print one JSON object per line instead of text
    #[arg(long)]
    pub json: bool,

    /// Which provider is asked.
    #[command(flatten)]
    pub api: ApiOptions,
}

/// A source by a short name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SourceArgument {
    /// AttendantServiceSource
    #[value(alias = "AttendantServiceSource")]
    Attendant,
    /// PstnPresenceSource
    #[value(alias = "PstnPresenceSource")]
    Pstn,
    /// MsGraphPresenceSource
    #[value(alias = "MsGraphPresenceSource")]
    Graph,
    /// UcmaPresenceSource
    #[value(alias = "UcmaPresenceSource")]
    Ucma,
}

impl From<SourceArgument> for SourceName {
    fn from(source: SourceArgument) -> Self {
        match source {
            SourceArgument::Attendant => Self::Attendant,
            SourceArgument::Pstn => Self::Pstn,
            SourceArgument::Graph => Self::MsGraph,
            SourceArgument::Ucma => Self::Ucma,
        }
    }
}

/// The arguments of `agents`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct AgentsArguments {
    /// Only agents in one of these states
    #[arg(long, value_name = "STATE", value_parser = STATES, value_delimiter = ',')]
    pub state: Vec<String>,

    /// Only agents whose presence can be trusted so far
    #[arg(long, value_name = "FRESHNESS", value_parser = FRESHNESSES)]
    pub freshness: Option<String>,

    /// Only agents of this source
    #[arg(long, value_name = "SOURCE", value_enum, ignore_case = true)]
    pub source: Option<SourceArgument>,

    /// Only agents that this endpoint serves
    #[arg(long, value_name = "ENDPOINT", value_parser = ENDPOINTS)]
    pub endpoint: Option<String>,

    /// Only agents that this queue watches
    #[arg(long, value_name = "NAME")]
    pub ucc: Option<String>,

    /// Only agents whose URI contains this text
    #[arg(long, short, value_name = "TEXT")]
    pub query: Option<String>,

    /// In which order; `-` in front turns it round
    #[arg(long, value_name = "FIELD", value_parser = SORTS, allow_hyphen_values = true, default_value = "uri")]
    pub sort: String,

    /// At most so many agents
    #[arg(long, value_name = "N", default_value = "100")]
    pub limit: NonZeroUsize,

    /// All agents, however many
    #[arg(long, conflicts_with = "limit")]
    pub all: bool,

    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,

    /// Which provider is asked.
    #[command(flatten)]
    pub api: ApiOptions,
}

/// The arguments of `agent`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct AgentArguments {
    /// The agent: sip:user@domain, sips:user@domain or tel:+31612345678
    #[arg(value_name = "URI")]
    pub uri: AgentUri,

    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,

    /// Which provider is asked.
    #[command(flatten)]
    pub api: ApiOptions,
}

/// The arguments of `revive`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct ReviveArguments {
    /// The agents
    #[arg(value_name = "URI", required_unless_present = "all", conflicts_with = "all")]
    pub uris: Vec<AgentUri>,

    /// Every abandoned agent
    #[arg(long)]
    pub all: bool,

    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,

    /// Which provider is asked.
    #[command(flatten)]
    pub api: ApiOptions,
}

/// The arguments of `queues`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct QueuesArguments {
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,

    /// Which provider is asked.
    #[command(flatten)]
    pub api: ApiOptions,
}

/// The arguments of `completions`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct CompletionsArguments {
    /// For which shell
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::http::model::{AgentState, EndpointName, Freshness};

    #[derive(Parser)]
    struct WithAgents {
        #[command(flatten)]
        agents: AgentsArguments,
    }

    fn agents(arguments: &[&str]) -> Result<AgentsArguments, clap::Error> {
        WithAgents::try_parse_from(std::iter::once(&"x").chain(arguments)).map(|parsed| parsed.agents)
    }

    #[test]
    fn what_can_be_filtered_by_is_what_the_api_knows() {
        let known = |name: &str| serde_json::Value::String(name.to_owned());
        assert!(STATES.iter().all(|state| serde_json::from_value::<AgentState>(known(state)).is_ok()));
        assert!(FRESHNESSES.iter().all(|one| serde_json::from_value::<Freshness>(known(one)).is_ok()));
        assert!(ENDPOINTS.iter().all(|one| serde_json::from_value::<EndpointName>(known(one)).is_ok()));
    }

    #[test]
    fn a_source_is_named_shortly_or_as_in_the_configuration() {
        for name in ["ucma", "UCMA", "UcmaPresenceSource", "ucmapresencesource"] {
            let source = agents(&["--source", name]).expect("a source").source;
            assert_eq!(source.map(SourceName::from), Some(SourceName::Ucma), "{name}");
        }
        assert!(agents(&["--source", "lync"]).is_err());
    }

    #[test]
    fn a_descending_order_is_no_option() {
        assert_eq!(agents(&["--sort", "-since"]).expect("an order").sort, "-since");
        assert!(agents(&["--sort", "colour"]).is_err());
        assert!(agents(&["--all", "--limit", "3"]).is_err());
        assert!(agents(&["--limit", "0"]).is_err());
    }
}
