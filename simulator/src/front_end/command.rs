//! What can be ordered from a simulated front end, by a script or over the control port.

use std::time::Duration;

use presence_core::AgentUri;
use presence_sip::Method;

use crate::AgentState;

/// One order to a simulated front end: one line, read with `FromStr`, written with `Display`. Pools are numbers from 0
/// in the order of the settings; times are whole numbers with `ms`, `s`, `m` or `h`.
///
/// ```
/// use presence_simulator::Command;
/// let command: Command = "outage 0 20s forget".parse()?;
/// assert_eq!(command.to_string(), "outage 0 20s forget");
/// # Ok::<(), presence_simulator::CommandError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `kill-connections [pool N] [for 20s]`: closes connections, and accepts none for that time.
    KillConnections {
        /// The pool; `None`: all of them.
        pool: Option<usize>,
        /// For how long no connection is accepted; zero: at once again.
        refuse_for: Duration,
    },
    /// `outage POOL 20s [forget]`: the pool is away, and comes back with or without its memory.
    Outage {
        /// The pool.
        pool: usize,
        /// For how long.
        time: Duration,
        /// Registrations and dialogs are lost.
        forget: bool,
    },
    /// `deregister ENDPOINT EVENT [POOL]`: sends the event to all registrations of an owner, and drops them where the
    /// event says so.
    Deregister {
        /// The owner.
        endpoint: AgentUri,
        /// What it is told.
        event: EndpointEvent,
        /// The pool that `preferred-registrar-change` names; `None`: the next one.
        pool: Option<usize>,
    },
    /// `user-services off|on`: presence is refused while off; every registered endpoint is told both.
    UserServices {
        /// On again.
        on: bool,
    },
    /// `refuse METHOD STATUS [retry-after 30s] [times N] [agent URI] [diagnostics N]`
    Refuse(RefuseRule),
    /// `quota URI full|free`: new watchers of the agent are refused for want of room, or not any more.
    Quota {
        /// The agent.
        agent: AgentUri,
        /// No room.
        full: bool,
    },
    /// `move URI|all POOL`: an agent, all agents, or the owner of an endpoint moves to another pool.
    Move {
        /// Who; `None`: all agents.
        uri: Option<AgentUri>,
        /// Where to.
        pool: usize,
    },
    /// `disable URI`: an agent or the owner of an endpoint is not enabled any more.
    Disable {
        /// Who.
        uri: AgentUri,
    },
    /// `expire-silently [URI..]`: dialogs that hold one of these agents, or all dialogs, end without a word.
    ExpireSilently {
        /// The agents; none: all dialogs.
        agents: Vec<AgentUri>,
    },
    /// `mute [URI..]`: the changes of these agents, or of all, are not told any more, without a sign: dialogs stay, and whoever
    /// is subscribed anew is told again.
    Mute {
        /// The agents; none: all.
        agents: Vec<AgentUri>,
    },
    /// `terminate ENDPOINT [resubscribe]`: the presence dialogs of an owner end with a notification.
    Terminate {
        /// The owner.
        endpoint: AgentUri,
        /// The notification asks for every agent to be subscribed again.
        resubscribe: bool,
    },
    /// `malformed on|off`: the categories in notifications are cut short.
    Malformed {
        /// From now on.
        on: bool,
    },
    /// `delay 200ms`: everything leaves so much later; `delay 0s` ends it.
    Delay {
        /// How much.
        time: Duration,
    },
    /// `set URI away|busy|... [idle] [no-audio] [no-video] [no-text]`
    Set {
        /// The agent.
        agent: AgentUri,
        /// What the agent does now.
        state: AgentState,
    },
    /// `slow-start FROM TO DURATION [retry-after 5s]`: so many agents per second are served, rising from one number to
    /// the other, which stays until `heal`; SUBSCRIBEs above get 503.
    SlowStart {
        /// Agents per second at first.
        from: u32,
        /// Agents per second at last.
        to: u32,
        /// How long it takes.
        time: Duration,
        /// The Retry-After of the 503.
        retry_after: Option<Duration>,
    },
    /// `forget-dialogs`: every dialog is lost without a word; registrations stay.
    ForgetDialogs,
    /// `heal`: ends every fault.
    Heal,
    /// `count`: says what was counted.
    Count,
}

impl Command {
    /// The number of the pool that it names.
    #[must_use]
    pub const fn pool(&self) -> Option<usize> {
        match self {
            Self::KillConnections { pool, .. } | Self::Deregister { pool, .. } => *pool,
            Self::Outage { pool, .. } | Self::Move { pool, .. } => Some(*pool),
            _ => None,
        }
    }
}

/// Which requests are refused, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefuseRule {
    /// The method.
    pub method: Method,
    /// The status, from 300 to 699.
    pub status: u16,
    /// The Retry-After of the answer.
    pub retry_after: Option<Duration>,
    /// How often; `None`: until `heal`.
    pub times: Option<u32>,
    /// Only requests that are about this agent, or carry it.
    pub agent: Option<AgentUri>,
    /// The number in `ms-diagnostics`; `None`: a usual one for the status.
    pub diagnostics: Option<u32>,
}

/// What `Event: registration-notify` tells an endpoint (MS-SIPREGE 2.2.1.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndpointEvent {
    /// `unregistered`, 4140: too many endpoints.
    Unregistered,
    /// `rejected`, 4141: the owner is disabled. Registrations are refused until `heal`.
    Rejected,
    /// `deactivated`, 4142: moved, or not available for the moment.
    Deactivated,
    /// `userservices-unavailable`, 4165: registration and dialogs stay.
    UserServicesUnavailable,
    /// `preferred-registrar-change`, 4166: another pool is home.
    PreferredRegistrarChange,
}

impl EndpointEvent {
    /// Every event.
    pub const ALL: [Self; 5] = [
        Self::Unregistered,
        Self::Rejected,
        Self::Deactivated,
        Self::UserServicesUnavailable,
        Self::PreferredRegistrarChange,
    ];

    /// The word on the wire and in commands.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unregistered => "unregistered",
            Self::Rejected => "rejected",
            Self::Deactivated => "deactivated",
            Self::UserServicesUnavailable => "userservices-unavailable",
            Self::PreferredRegistrarChange => "preferred-registrar-change",
        }
    }

    /// The number in `ms-diagnostics`.
    #[must_use]
    pub const fn diagnostics(self) -> u32 {
        match self {
            Self::Unregistered => 4140,
            Self::Rejected => 4141,
            Self::Deactivated => 4142,
            Self::UserServicesUnavailable => 4165,
            Self::PreferredRegistrarChange => 4166,
        }
    }
}

/// Why a command is not one, or cannot be done. The text fits after "failed to do the command: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Nothing but blanks.
    #[error("it is empty")]
    Empty,
    /// The first word is not known.
    #[error("`{0}` is no command; there are: {words}", words = super::command_text::WORDS)]
    Unknown(String),
    /// Something is missing, too much, or not what it must be.
    #[error("`{command}` {why}; write `{form}`")]
    Form {
        /// The first word.
        command: String,
        /// What is wrong.
        why: String,
        /// How it is written.
        form: &'static str,
    },
    /// There is no such pool.
    #[error("there is no pool {pool}; the last one is {last}")]
    Pool {
        /// The one asked for.
        pool: usize,
        /// The highest number.
        last: usize,
    },
    /// There is no such agent, owner or registration.
    #[error("there is no {0}")]
    Nobody(String),
}
