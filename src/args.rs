//! The command line.

mod graph;
mod token;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use presence_core::AgentUri;

use crate::demo::DemoDialect;
use crate::exit::Exit;
use crate::logging::LogOptions;
pub use crate::terminal::arguments::{
    AgentArguments, AgentsArguments, CompletionsArguments, QueuesArguments, ReviveArguments, StatusArguments,
    WatchArguments,
};
use crate::terminal::examples;
use crate::this_computer;
use graph::GRAPH_EXAMPLES;
pub use graph::{GraphAction, GraphArguments, GraphCheckArguments, GraphLoginArguments};
use token::TOKEN_EXAMPLES;
pub use token::{
    TokenAction, TokenArguments, TokenCreateArguments, TokenListArguments, TokenRevokeArguments, TokensArgument,
};

/// Where Config.xml lies unless the command line says otherwise: where the original product keeps it on Windows, and
/// in `/etc` elsewhere.
pub const DEFAULT_CONFIG: &str = if cfg!(windows) {
    r"C:\ProgramData\Anywhere365\Core\Service\UnifiedContactCenterService\Config.xml"
} else {
    "/etc/presence-provider/Config.xml"
};

/// One presence subscription per agent, shared by every contact-centre queue
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(name = "presence-provider", version, after_help = exit_codes(), max_term_width = 100)]
pub struct Arguments {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Check a Config.xml and show the settings that result from it
    ///
    /// Prints every effective setting with its unit, marks the defaults, and says how long a full start takes at the
    /// configured rate. Errors, warnings and hints go to the standard error, each with file, line, column and what to
    /// write instead. The files that are named are read and the pool's name is looked up; nothing is connected to. Exit
    /// code 0 when the file holds no error, 78 when it does.
    #[command(after_long_help = CHECK_EXAMPLES)]
    Check(CheckArguments),

    /// Say which source serves an agent, which rule matched, and why the earlier ones did not
    ///
    /// The sources are asked in a fixed order: AttendantServiceSource by its patterns, PstnPresenceSource for E.164
    /// line URIs, MsGraphPresenceSource for users of Teams, then UcmaPresenceSource for all the rest. Exit code 0 when a source takes the URI, 1 when none does.
    #[command(after_long_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArguments),

    /// Run the presence provider with the queues of a Config.xml until a signal ends it
    ///
    /// The log goes to the standard error unless a file or directory is named. SIGTERM and Ctrl-C end every
    /// subscription within the grace period; a second signal does not wait. A changed file takes effect at a restart.
    #[command(after_long_help = RUN_EXAMPLES)]
    Run(RunArguments),

    /// Print the commands that make the configured identity known to a Skype for Business pool
    ///
    /// The PowerShell of the pool's administrator, the rule of the firewall and the request of the certificate, filled
    /// with the values of the file. Each value is listed with the place that it was taken from; what cannot be known is
    /// a placeholder in angle brackets, and these are listed at the end. Nothing is carried out.
    #[command(after_long_help = PROVISION_EXAMPLES)]
    Provision(ProvisionArguments),

    /// Check step by step everything between this computer and a subscription that works
    ///
    /// The file, the names, our listener, our certificate, the servers of the pool, the registration, and one test
    /// subscription. Each step says what was found, and what to do where it failed. It ends what it began. Exit code 0
    /// when no step failed, 1 when one did, 78 when the file cannot be used.
    #[command(after_long_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorArguments),

    /// Watch the provider at work against a simulated presence server, all in this process
    ///
    /// Needs no configuration and no network but loopback. The server really speaks SIP over TCP; it ends one
    /// subscription and loses its connection on the way. At the end comes a summary of what was on the wire.
    #[command(after_long_help = DEMO_EXAMPLES)]
    Demo(DemoArguments),

    /// Run a simulated Skype for Business front end, or Microsoft Graph, to develop and test against without a pool
    ///
    /// It speaks SIP over TCP or mutual TLS as a pool does, is strict about what it is sent, moves its agents by seeded
    /// dice, and breaks on request: by the steps of a script or by a line on its control port. It prints the Config.xml
    /// with which this program connects to it. Never for production.
    #[command(after_long_help = SIMULATE_EXAMPLES)]
    Simulate(SimulateArguments),

    /// Make, show and revoke the tokens that the HTTP API requires
    ///
    /// They are in a file beside Config.xml, which `<Http Tokens="tokens.json" />` names. It holds no secrets, only their
    /// hashes. Exit code 0 when it is done, 1 when there is such a token already or none, 73 when the file cannot be
    /// written, 78 when it cannot be used.
    #[command(after_long_help = TOKEN_EXAMPLES)]
    Token(TokenArguments),

    /// Check the accounts of Microsoft Graph, and sign in for those that are a person's
    ///
    /// Works on the accounts of `MsGraphPresenceSource` and their credentials, and asks Microsoft; it needs no running provider.
    #[command(after_long_help = GRAPH_EXAMPLES)]
    Graph(GraphArguments),

    /// Say in one glance whether everything is well with a running provider
    ///
    /// Asks its API: the verdict, the agents, the endpoints, the throttle, and how far a recovery is. Exit code 0 when all
    /// is well or recovering by itself, 1 when it is degraded or down and someone must look, 69 when no provider answers.
    #[command(after_long_help = examples::STATUS)]
    Status(StatusArguments),

    /// Watch the presence of agents change, live
    ///
    /// Writes one line per change until Ctrl-C, looks for the provider again when it is lost, and says so. In a pipe the
    /// fields have tabs between them: time, kind, agent, previous, new, activity, source, why. Nothing is subscribed to:
    /// it shows what the queues of the provider see.
    #[command(after_long_help = examples::WATCH)]
    Watch(WatchArguments),

    /// List agents with their presence and their state
    ///
    /// The table fits the terminal; in a pipe there is one line per agent with tabs between its fields: URI, presence,
    /// its number, activity, since, freshness, state, source, endpoint, failures, next attempt, queues.
    #[command(after_long_help = examples::AGENTS)]
    Agents(AgentsArguments),

    /// Say everything about one agent: why its presence is as it is, its rules, its subscription, its last changes
    #[command(after_long_help = examples::AGENT)]
    Agent(AgentArguments),

    /// Have abandoned agents tried again, at once and without a question
    #[command(after_long_help = examples::REVIVE)]
    Revive(ReviveArguments),

    /// List the queues that watch agents, inside the provider and over its API
    Queues(QueuesArguments),

    /// Print what a shell needs to complete this command line
    #[command(after_long_help = examples::COMPLETIONS)]
    Completions(CompletionsArguments),
}

const RUN_EXAMPLES: &str = "\
Examples:
  presence-provider run
  presence-provider run --config ./Config.xml --log-level debug
  presence-provider run --log-dir /var/log/presence-provider --log-keep 30";

const DEMO_EXAMPLES: &str = "\
Examples:
  presence-provider demo
  presence-provider demo --for 20s
  presence-provider demo --agents 1000 --uccs 10 --rate 200 --for 1m --log-level warn";

const SIMULATE_EXAMPLES: &str = "\
Examples:
  presence-provider simulate
  presence-provider simulate --agents 1000 --for 10m
  presence-provider simulate --make-certificates ./certificates
  presence-provider simulate --config simulation.toml --seed 7
  presence-provider simulate --graph 127.0.0.1:8443 --make-credentials ./credentials
  echo 'kill-connections for 20s' | nc 127.0.0.1 5066";

const PROVISION_EXAMPLES: &str = "\
Examples:
  presence-provider provision
  presence-provider provision --trusted-pool trustpool.example.com --site Amsterdam
  presence-provider provision --json | jq -r '.steps[].commands[].command'";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  presence-provider doctor
  presence-provider doctor --agent sip:user1@example.com
  presence-provider doctor --config ./Config.xml --json | jq '.steps[] | select(.result == \"fail\")'";

const CHECK_EXAMPLES: &str = "\
Examples:
  presence-provider check
  presence-provider check --config ./Config.xml
  presence-provider check --strict && systemctl restart presence-provider
  presence-provider check --config ./Config.xml --json | jq .settings";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  presence-provider explain sip:user1@domain.com
  presence-provider explain tel:+31612345678 --config ./Config.xml
  presence-provider explain sip:user1@domain.com --json | jq -r .source";

/// Which configuration file.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct ConfigArgument {
    /// The configuration file
    #[arg(long, short, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
}

/// The arguments of `check`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct CheckArguments {
    /// Which file to check.
    #[command(flatten)]
    pub file: ConfigArgument,

    /// End with 78 also when a start would lack something: a queue, a certificate, a pool that is found
    #[arg(long)]
    pub strict: bool,

    /// Ask no name server for the pool
    #[arg(long)]
    pub no_lookup: bool,

    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// The arguments of `explain`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct ExplainArguments {
    /// The agent: sip:user@domain, sips:user@domain or tel:+31612345678
    #[arg(value_name = "URI")]
    pub uri: AgentUri,

    /// Which file holds the rules.
    #[command(flatten)]
    pub file: ConfigArgument,

    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// The arguments of `provision`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct ProvisionArguments {
    /// Which file has the values.
    #[command(flatten)]
    pub file: ConfigArgument,

    /// The trusted application pool; without it the certificate's subject says it
    #[arg(long, value_name = "FQDN", value_parser = full_name)]
    pub trusted_pool: Option<String>,

    /// This computer; without it the system says it
    #[arg(long, value_name = "FQDN", value_parser = full_name)]
    pub computer: Option<String>,

    /// The site of the topology that the trusted application pool belongs to
    #[arg(long, value_name = "NAME")]
    pub site: Option<String>,

    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

fn full_name(text: &str) -> Result<String, &'static str> {
    if this_computer::is_fully_qualified(text) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("write a name with its domain, such as trustpool.example.com")
    }
}

/// The arguments of `doctor`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct DoctorArguments {
    /// Which file to check with.
    #[command(flatten)]
    pub file: ConfigArgument,

    /// The agent of the test subscription; without it the first agent of the queues that the pool serves
    #[arg(long, value_name = "URI")]
    pub agent: Option<AgentUri>,

    /// Register and subscribe even while something listens on our port: a running provider loses its registration
    #[arg(long)]
    pub force: bool,

    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// The arguments of `run`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct RunArguments {
    /// Which file to run with.
    #[command(flatten)]
    pub file: ConfigArgument,

    /// How long the end may take, e.g. 10s or 1m: subscriptions are ended at the configured rate
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "10s")]
    pub grace: Duration,

    /// Start cold: do not use the state that the previous run has left
    #[arg(long)]
    pub cold: bool,

    /// Where the log goes.
    #[command(flatten)]
    pub log: LogOptions,
}

/// The arguments of `demo`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct DemoArguments {
    /// How many agents the simulated pool has
    #[arg(long, value_name = "N", default_value = "20")]
    pub agents: NonZeroU32,

    /// How many Teams agents there are beside them, at a simulated Microsoft Graph; 0 leaves it out
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub teams_agents: u32,

    /// How many queues share them
    #[arg(long, value_name = "N", default_value = "3")]
    pub uccs: NonZeroU32,

    /// How long it lasts, e.g. 20s or 2m; without it Ctrl-C ends it
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub duration: Option<Duration>,

    /// The seed of the dice that move the agents
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// The most subscriptions per second (MaxPresenceSubscriptionsPerSecond)
    #[arg(long, value_name = "N", default_value = "15")]
    pub rate: NonZeroU32,

    /// What is spoken to the simulated pool
    #[arg(long, value_enum, default_value_t)]
    pub dialect: DemoDialect,

    /// Where the dashboard and the API listen; without it 127.0.0.1:8365, or another port when that is taken
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,

    /// Where the log goes.
    #[command(flatten)]
    pub log: LogOptions,
}

/// The arguments of `simulate`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct SimulateArguments {
    /// The script: pools, agents, switches and what happens when; without it 100 agents in one pool. With --graph one of its own
    /// form, see docs/simulate.md
    #[arg(long, short, value_name = "SCRIPT")]
    pub config: Option<PathBuf>,

    /// Where the first pool listens; without it 127.0.0.1:5060 (5061 with TLS), or another port when that is taken
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,

    /// Where the control port listens, on loopback; without it 127.0.0.1:5066, or another port when that is taken
    #[arg(long, value_name = "ADDR")]
    pub control: Option<SocketAddr>,

    /// The seed of the dice; the same seed moves the agents in the same way
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// So many agents in the first pool, instead of those of the script
    #[arg(long, value_name = "N")]
    pub agents: Option<NonZeroU32>,

    /// How long it lasts, e.g. 20s or 2h; without it Ctrl-C ends it
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub duration: Option<Duration>,

    /// Speak mutual TLS with certificates in this folder: those that are there, or new ones
    #[arg(long, value_name = "DIR")]
    pub make_certificates: Option<PathBuf>,

    /// A simulated Microsoft Graph instead, on this address of loopback, such as 127.0.0.1:8443 (port 0: any)
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["listen", "agents", "make_certificates"])]
    pub graph: Option<SocketAddr>,

    /// So many users of Teams; without it 20
    #[arg(long, value_name = "N", requires = "graph")]
    pub graph_agents: Option<NonZeroU32>,

    /// The domain of its tenant; without it demo.example
    #[arg(long, value_name = "DOMAIN", requires = "graph")]
    pub graph_domain: Option<String>,

    /// Write the credential files of its accounts into this folder, for the owner alone
    #[arg(long, value_name = "DIR", requires = "graph")]
    pub make_credentials: Option<PathBuf>,
}

fn exit_codes() -> String {
    Exit::ALL
        .iter()
        .fold("Exit codes:".to_owned(), |text, exit| format!("{text}\n  {:<2}  {}", exit.code(), exit.meaning()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::logging::LogFormat;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn without_a_config_the_default_path_is_taken() {
        let arguments = Arguments::try_parse_from(["presence-provider", "check"]).expect("a command line");
        let file = ConfigArgument { config: DEFAULT_CONFIG.into() };
        assert_eq!(
            arguments.command,
            Command::Check(CheckArguments { file, strict: false, no_lookup: false, json: false })
        );
    }

    #[derive(Parser)]
    struct WithLog {
        #[command(flatten)]
        log: LogOptions,
    }

    fn log(arguments: &[&str]) -> Result<LogOptions, clap::Error> {
        WithLog::try_parse_from(std::iter::once(&"x").chain(arguments)).map(|parsed| parsed.log)
    }

    #[test]
    fn log_options_have_the_defaults_of_the_type() {
        assert_eq!(log(&[]).expect("no options"), LogOptions::default());
    }

    #[test]
    fn log_options_that_contradict_each_other_are_refused() {
        let json = log(&["--log-format", "json", "--log-dir", "/x", "--log-keep", "3"]).expect("good options");
        assert_eq!(json.log_format, LogFormat::Json);
        assert_eq!(json.log_keep.map(std::num::NonZeroUsize::get), Some(3));
        for bad in [
            &["--log-file", "a", "--log-dir", "b"][..],
            &["--log-keep", "3"],
            &["--log-dir", "b", "--log-keep", "0"],
            &["--log-level", "loud"],
        ] {
            assert!(log(bad).is_err(), "{bad:?}");
        }
    }
}
