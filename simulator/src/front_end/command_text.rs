//! Commands as text: one line each.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use presence_core::AgentUri;
use presence_sip::Method;

use super::command::{Command, CommandError, EndpointEvent, RefuseRule};
use crate::{Activity, AgentState};

/// The first words of all commands.
pub(super) const WORDS: &str = "kill-connections, outage, deregister, user-services, refuse, quota, move, disable, \
    expire-silently, mute, terminate, malformed, delay, set, slow-start, forget-dialogs, heal, count";

/// The form of the command with this first word.
fn form(word: &str) -> Option<&'static str> {
    Some(match word {
        "kill-connections" => "kill-connections [pool N] [for 20s]",
        "outage" => "outage POOL 20s [forget]",
        "deregister" => {
            "deregister ENDPOINT unregistered|rejected|deactivated|userservices-unavailable|\
             preferred-registrar-change [POOL]"
        }
        "user-services" => "user-services off|on",
        "refuse" => "refuse METHOD STATUS [retry-after 30s] [times N] [agent URI] [diagnostics N]",
        "quota" => "quota URI full|free",
        "move" => "move URI|all POOL",
        "disable" => "disable URI",
        "expire-silently" => "expire-silently [URI..]",
        "mute" => "mute [URI..]",
        "terminate" => "terminate ENDPOINT [resubscribe]",
        "malformed" => "malformed on|off",
        "delay" => "delay 200ms",
        "set" => {
            "set URI available|busy|on-the-phone|in-a-meeting|in-presentation|do-not-disturb|meal|away|vacation|offline \
             [idle] [no-audio] [no-video] [no-text]"
        }
        "slow-start" => "slow-start FROM TO DURATION [retry-after 5s]",
        "forget-dialogs" => "forget-dialogs",
        "heal" => "heal",
        "count" => "count",
        _ => return None,
    })
}

/// The words behind the first one, taken one by one.
struct Words<'a> {
    rest: std::iter::Peekable<std::str::SplitWhitespace<'a>>,
}

/// What is wrong with the words.
type Wrong = String;

impl<'a> Words<'a> {
    fn next(&mut self, what: &str) -> Result<&'a str, Wrong> {
        self.rest.next().ok_or_else(|| format!("lacks {what}"))
    }

    /// True, and taken, when the next word is this one.
    fn took(&mut self, word: &str) -> bool {
        self.rest.next_if(|next| *next == word).is_some()
    }

    fn uri(&mut self, what: &str) -> Result<AgentUri, Wrong> {
        let word = self.next(what)?;
        AgentUri::parse(word).map_err(|why| format!("names no {what}: {why}"))
    }

    /// All that are left.
    fn uris(&mut self, what: &str) -> Result<Vec<AgentUri>, Wrong> {
        let mut uris = Vec::new();
        while self.rest.peek().is_some() {
            uris.push(self.uri(what)?);
        }
        Ok(uris)
    }

    fn number<T: FromStr>(&mut self, what: &str) -> Result<T, Wrong> {
        let word = self.next(what)?;
        word.parse().map_err(|_| format!("has `{word}` where {what} is expected"))
    }

    fn duration(&mut self, what: &str) -> Result<Duration, Wrong> {
        let word = self.next(what)?;
        duration(word).ok_or_else(|| format!("has `{word}` where {what} such as 200ms, 20s, 10m or 2h is expected"))
    }

    fn either(&mut self, yes: &str, no: &str) -> Result<bool, Wrong> {
        match self.next(&format!("`{yes}` or `{no}`"))? {
            word if word == yes => Ok(true),
            word if word == no => Ok(false),
            word => Err(format!("has `{word}` where `{yes}` or `{no}` is expected")),
        }
    }

    fn over(&mut self) -> Result<(), Wrong> {
        self.rest.next().map_or(Ok(()), |word| Err(format!("does not understand `{word}`")))
    }
}

/// Reads `200ms`, `20s`, `10m` or `2h`; at most a year.
fn duration(word: &str) -> Option<Duration> {
    let end = word.bytes().position(|byte| !byte.is_ascii_digit())?;
    let (number, unit) = word.split_at_checked(end)?;
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let milliseconds = number.parse::<u64>().ok()?.checked_mul(factor)?;
    (milliseconds <= 365 * 86_400_000).then(|| Duration::from_millis(milliseconds))
}

/// A duration as [`duration`] reads it, in the largest unit that is exact.
struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_millis();
        let exact = [(3_600_000, "h"), (60_000, "m"), (1_000, "s")];
        let fits = |unit: &&(u128, &str)| milliseconds > 0 && milliseconds.is_multiple_of(unit.0);
        match exact.iter().find(fits) {
            Some((unit, name)) => write!(f, "{}{name}", milliseconds / unit),
            None if milliseconds == 0 => f.write_str("0s"),
            None => write!(f, "{milliseconds}ms"),
        }
    }
}

/// The word for an activity in `set`.
const fn activity_word(activity: Activity) -> &'static str {
    match activity {
        Activity::Available => "available",
        Activity::Busy => "busy",
        Activity::OnThePhone => "on-the-phone",
        Activity::Meeting => "in-a-meeting",
        Activity::Presentation => "in-presentation",
        Activity::DoNotDisturb => "do-not-disturb",
        Activity::Meal => "meal",
        Activity::Away => "away",
        Activity::Vacation => "vacation",
        Activity::Offline => "offline",
    }
}

fn state(words: &mut Words<'_>) -> Result<AgentState, Wrong> {
    let word = words.next("a state")?;
    let activity = Activity::ALL.into_iter().find(|activity| activity_word(*activity) == word);
    let mut state = AgentState::of(activity.ok_or_else(|| format!("does not know the state `{word}`"))?);
    state.idle = words.took("idle");
    state.audio = !words.took("no-audio");
    state.video = !words.took("no-video");
    state.text = !words.took("no-text");
    Ok(state)
}

fn refuse(words: &mut Words<'_>) -> Result<RefuseRule, Wrong> {
    let method = Method::from_token(words.next("a method")?);
    let status: u16 = words.number("a status")?;
    if !(300..700).contains(&status) {
        return Err(format!("has the status {status}, which refuses nothing"));
    }
    let mut rule = RefuseRule { method, status, retry_after: None, times: None, agent: None, diagnostics: None };
    loop {
        if words.took("retry-after") {
            rule.retry_after = Some(words.duration("a time")?);
        } else if words.took("times") {
            rule.times = Some(words.number::<std::num::NonZeroU32>("a number above 0")?.get());
        } else if words.took("agent") {
            rule.agent = Some(words.uri("agent")?);
        } else if words.took("diagnostics") {
            rule.diagnostics = Some(words.number("a number")?);
        } else {
            return Ok(rule);
        }
    }
}

fn read(word: &str, words: &mut Words<'_>) -> Result<Command, Wrong> {
    let command = match word {
        "kill-connections" => {
            let pool = if words.took("pool") { Some(words.number("a pool")?) } else { None };
            let refuse_for = if words.took("for") { words.duration("a time")? } else { Duration::ZERO };
            Command::KillConnections { pool, refuse_for }
        }
        "outage" => {
            let (pool, time) = (words.number("a pool")?, words.duration("a time")?);
            Command::Outage { pool, time, forget: words.took("forget") }
        }
        "deregister" => {
            let endpoint = words.uri("endpoint")?;
            let word = words.next("an event")?;
            let event = EndpointEvent::ALL.into_iter().find(|event| event.word() == word);
            let event = event.ok_or_else(|| format!("does not know the event `{word}`"))?;
            let pool = if words.rest.peek().is_some() { Some(words.number("a pool")?) } else { None };
            Command::Deregister { endpoint, event, pool }
        }
        "user-services" => Command::UserServices { on: words.either("on", "off")? },
        "refuse" => Command::Refuse(refuse(words)?),
        "quota" => Command::Quota { agent: words.uri("agent")?, full: words.either("full", "free")? },
        "move" => {
            let uri = if words.took("all") { None } else { Some(words.uri("agent or `all`")?) };
            Command::Move { uri, pool: words.number("a pool")? }
        }
        "disable" => Command::Disable { uri: words.uri("agent or endpoint")? },
        "expire-silently" => Command::ExpireSilently { agents: words.uris("agent")? },
        "mute" => Command::Mute { agents: words.uris("agent")? },
        "terminate" => Command::Terminate { endpoint: words.uri("endpoint")?, resubscribe: words.took("resubscribe") },
        "malformed" => Command::Malformed { on: words.either("on", "off")? },
        "delay" => Command::Delay { time: words.duration("a time")? },
        "set" => Command::Set { agent: words.uri("agent")?, state: state(words)? },
        "slow-start" => {
            let (from, to, time) = (words.number("a rate")?, words.number("a rate")?, words.duration("a time")?);
            let retry_after = if words.took("retry-after") { Some(words.duration("a time")?) } else { None };
            Command::SlowStart { from, to, time, retry_after }
        }
        "forget-dialogs" => Command::ForgetDialogs,
        "heal" => Command::Heal,
        _ => Command::Count,
    };
    words.over()?;
    Ok(command)
}

impl FromStr for Command {
    type Err = CommandError;

    fn from_str(line: &str) -> Result<Self, CommandError> {
        let mut rest = line.split_whitespace().peekable();
        let word = rest.next().ok_or(CommandError::Empty)?;
        let form = form(word).ok_or_else(|| CommandError::Unknown(word.into()))?;
        read(word, &mut Words { rest }).map_err(|why| CommandError::Form { command: word.into(), why, form })
    }
}

impl fmt::Display for RefuseRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refuse {} {}", self.method, self.status)?;
        if let Some(wait) = self.retry_after {
            write!(f, " retry-after {}", Time(wait))?;
        }
        if let Some(times) = self.times {
            write!(f, " times {times}")?;
        }
        if let Some(agent) = &self.agent {
            write!(f, " agent {}", agent.as_str())?;
        }
        self.diagnostics.map_or(Ok(()), |number| write!(f, " diagnostics {number}"))
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flag = |f: &mut fmt::Formatter<'_>, on: bool, word: &str| {
            if on { write!(f, " {word}") } else { Ok(()) }
        };
        match self {
            Self::KillConnections { pool, refuse_for } => {
                f.write_str("kill-connections")?;
                pool.map_or(Ok(()), |pool| write!(f, " pool {pool}"))?;
                if refuse_for.is_zero() { Ok(()) } else { write!(f, " for {}", Time(*refuse_for)) }
            }
            Self::Outage { pool, time, forget } => {
                write!(f, "outage {pool} {}", Time(*time))?;
                flag(f, *forget, "forget")
            }
            Self::Deregister { endpoint, event, pool } => {
                write!(f, "deregister {} {}", endpoint.as_str(), event.word())?;
                pool.map_or(Ok(()), |pool| write!(f, " {pool}"))
            }
            Self::UserServices { on } => write!(f, "user-services {}", if *on { "on" } else { "off" }),
            Self::Refuse(rule) => rule.fmt(f),
            Self::Quota { agent, full } => {
                write!(f, "quota {} {}", agent.as_str(), if *full { "full" } else { "free" })
            }
            Self::Move { uri, pool } => {
                write!(f, "move {} {pool}", uri.as_ref().map_or("all", |uri| uri.as_str()))
            }
            Self::Disable { uri } => write!(f, "disable {}", uri.as_str()),
            Self::ExpireSilently { agents } | Self::Mute { agents } => {
                f.write_str(if matches!(self, Self::Mute { .. }) { "mute" } else { "expire-silently" })?;
                agents.iter().try_for_each(|agent| write!(f, " {}", agent.as_str()))
            }
            Self::Terminate { endpoint, resubscribe } => {
                write!(f, "terminate {}", endpoint.as_str())?;
                flag(f, *resubscribe, "resubscribe")
            }
            Self::Malformed { on } => write!(f, "malformed {}", if *on { "on" } else { "off" }),
            Self::Delay { time } => write!(f, "delay {}", Time(*time)),
            Self::Set { agent, state } => {
                write!(f, "set {} {}", agent.as_str(), activity_word(state.activity))?;
                flag(f, state.idle, "idle")?;
                flag(f, !state.audio, "no-audio")?;
                flag(f, !state.video, "no-video")?;
                flag(f, !state.text, "no-text")
            }
            Self::SlowStart { from, to, time, retry_after } => {
                write!(f, "slow-start {from} {to} {}", Time(*time))?;
                retry_after.map_or(Ok(()), |wait| write!(f, " retry-after {}", Time(wait)))
            }
            Self::ForgetDialogs => f.write_str("forget-dialogs"),
            Self::Heal => f.write_str("heal"),
            Self::Count => f.write_str("count"),
        }
    }
}
