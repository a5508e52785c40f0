//! What can go wrong on a day of chance, in the words of the front end's commands.

use std::time::{Duration, Instant};

use presence_simulator::Dice;

use crate::forest::{APPLICATION, USER};
use crate::support::agent;

const REGISTER: [u16; 12] = [301, 400, 401, 403, 404, 408, 423, 480, 500, 503, 504, 606];
const SUBSCRIBE: [u16; 23] =
    [400, 401, 403, 404, 405, 406, 408, 410, 413, 420, 421, 423, 480, 481, 482, 488, 489, 500, 501, 503, 504, 603, 604];
const OPTIONS: [u16; 9] = [301, 404, 405, 408, 480, 481, 500, 501, 503];
/// The network in memory has no names, so that nobody is sent to another registrar.
/// As many lines as there are: whoever is disabled is refused until it is enabled again.
const UNTIL_HEALED: u32 = u32::MAX;

const EVENTS: [&str; 4] = ["unregistered", "rejected", "deactivated", "userservices-unavailable"];

/// Refusals that only an operator can mend: the pool does not know us, or does not do what we are made for.
const REGISTER_ALARMS: [u16; 4] = [401, 403, 404, 606];
const SUBSCRIBE_ALARMS: [u16; 8] = [400, 401, 403, 404, 405, 488, 489, 501];
/// How long after `heal` an operator may be told of what was refused before: the answer was on its way.
const ECHO: Duration = Duration::from_secs(20);

/// What somebody may be to blame for afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) command: String,
    /// The status says something of agents who are alone in a message.
    pub(super) blames: Option<usize>,
}

/// What an ERROR line says is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cause {
    /// Something was refused with this status, to any endpoint.
    Refused(u16),
    /// The pool has ended the registration of this endpoint.
    Ended(String),
    /// The owner of this endpoint was disabled: the pool tells it, or refuses the next REGISTER for that (4003).
    Disabled(String),
}

/// Of what operators may rightly be told: each fault announces so many ERROR lines, and no line comes without one.
#[derive(Debug, Default)]
pub(super) struct Announced {
    /// What, how many lines of it are to come at most, and until when.
    all: Vec<(Cause, u32, Option<Instant>)>,
}

impl Announced {
    /// The fault `command` has come to pass.
    pub(super) fn fault(&mut self, now: Instant, command: &str) {
        let words: Vec<&str> = command.split(' ').collect();
        let alarming = |method: &str, status: u16| match method {
            "REGISTER" => REGISTER_ALARMS.contains(&status),
            "SUBSCRIBE" => SUBSCRIBE_ALARMS.contains(&status),
            _ => false,
        };
        let (cause, lines) = match words[..] {
            ["heal"] => {
                for (_, _, until) in &mut self.all {
                    *until = until.or(Some(now + ECHO));
                }
                return;
            }
            ["deregister", endpoint, "unregistered"] => (Cause::Ended(endpoint.to_owned()), 1),
            ["deregister", endpoint, "rejected"] => (Cause::Disabled(endpoint.to_owned()), UNTIL_HEALED),
            ["refuse", method, status, ..] => {
                let status = status.parse().unwrap();
                let times = words.iter().position(|word| *word == "times").unwrap();
                if !alarming(method, status) {
                    return;
                }
                (Cause::Refused(status), words[times + 1].parse().unwrap())
            }
            _ => return,
        };
        self.all.push((cause, lines, None));
    }

    /// Whether this ERROR line was announced; it is not announced any more then.
    pub(super) fn explain(&mut self, line: &str) -> bool {
        let field = |name: &str| line.split_once(name).map(|(_, rest)| rest.trim());
        let (Some(endpoint), Some(failure)) = (field(" logger="), field(" failure=")) else { return false };
        let endpoint = endpoint.split(' ').next().unwrap();
        let status: Option<u16> = failure.split(' ').next().unwrap().parse().ok();
        let disabled = status == Some(403) && failure.contains("(ms-diagnostics 4003)");
        let says = |cause: &Cause| match cause {
            Cause::Ended(whose) => whose == endpoint && status.is_none(),
            Cause::Disabled(whose) => whose == endpoint && (status.is_none() || disabled),
            Cause::Refused(with) => status == Some(*with) && !disabled,
        };
        let found = self.all.iter().position(|(cause, ..)| says(cause));
        let Some(at) = found else { return false };
        self.all[at].1 -= 1;
        if self.all[at].1 == 0 {
            self.all.remove(at);
        }
        true
    }

    /// All lines until now were explained: what is over announces nothing any more.
    pub(super) fn forget(&mut self, now: Instant) {
        self.all.retain(|(_, _, until)| until.is_none_or(|until| now < until));
    }
}

#[test]
fn an_error_line_is_announced_by_one_fault_and_only_once() {
    let line = |endpoint: &str, failure: &str| format!("message=check that logger={endpoint} failure={failure} ");
    let now = presence_actors::now();
    let mut announced = Announced::default();
    assert!(!announced.explain(&line(USER, "404 no such user")));
    announced.fault(now, "refuse REGISTER 404 times 2");
    announced.fault(now, "refuse REGISTER 500 times 2");
    announced.fault(now, "refuse SUBSCRIBE 400 agent sip:agent3@example.test times 1 diagnostics 1000");
    announced.fault(now, "deregister sip:user@example.test rejected");
    announced.fault(now, "deregister sip:application@example.test deactivated");
    assert!(!announced.explain(&line(USER, "500 it is broken")));
    assert!(!announced.explain(&line(APPLICATION, "the owner was disabled")));
    assert!(!announced.explain("message=the agent's actor died of a bug logger=sip:user@example.test"));
    for failure in ["404 no such user", "400 spoilt", "404 no such user", "the owner was disabled"] {
        assert!(announced.explain(&line(USER, failure)), "{failure}");
    }
    assert!(announced.explain(&line(USER, "403 not for you (ms-diagnostics 4003)")), "and then whatever it asks for");
    for failure in ["404 no such user", "400 spoilt"] {
        assert!(!announced.explain(&line(USER, failure)), "{failure}");
    }
    announced.fault(now, "deregister sip:user@example.test rejected");
    assert!(!announced.explain(&line(APPLICATION, "403 not for you (ms-diagnostics 4003)")));
    assert!(announced.explain(&line(USER, "403 not for you (ms-diagnostics 4003)")));
    announced.fault(now, "refuse SUBSCRIBE 501 times 6");
    announced.fault(now, "heal");
    announced.forget(now + ECHO / 2);
    assert!(announced.explain(&line(USER, "501 what?")));
    announced.forget(now + ECHO);
    assert!(!announced.explain(&line(USER, "501 what?")));
}

fn one_of<T: Copy>(dice: &mut Dice, all: &[T]) -> T {
    all[usize::try_from(dice.below(all.len() as u64)).unwrap()]
}

fn number(dice: &mut Dice, least: u64, most: u64) -> u64 {
    least + dice.below(most - least + 1)
}

fn refuse(dice: &mut Dice, agents: usize) -> Fault {
    let mut blames = None;
    let (method, status) = match dice.below(10) {
        0..2 => ("REGISTER", one_of(dice, &REGISTER)),
        2 => ("OPTIONS", one_of(dice, &OPTIONS)),
        _ => ("SUBSCRIBE", one_of(dice, &SUBSCRIBE)),
    };
    let mut command = format!("refuse {method} {status}");
    if status == 503 && dice.chance(1, 2) {
        command += &format!(" retry-after {}s", number(dice, 1, 60));
    }
    let alone = method == "SUBSCRIBE" && matches!(status, 400 | 413);
    if method == "SUBSCRIBE" && (alone || dice.chance(1, 2)) {
        let who = usize::try_from(number(dice, 1, agents as u64)).unwrap();
        command += &format!(" agent {}", agent(who));
        blames = Some(who);
    }
    command += &format!(" times {}", number(dice, 1, 6));
    if status == 400 {
        command += " diagnostics 1000";
    }
    Fault { command, blames }
}

/// One fault, of `agents` agents.
pub(super) fn fault(dice: &mut Dice, agents: usize, silent: bool) -> Fault {
    let who = usize::try_from(number(dice, 1, agents as u64)).unwrap();
    let (one, endpoint) = (agent(who), one_of(dice, &[APPLICATION, USER]));
    let mut blames = None;
    let command = match dice.below(if silent { 100 } else { 84 }) {
        0..8 => "kill-connections".into(),
        8..11 => format!("kill-connections for {}s", number(dice, 1, 120)),
        11..17 => {
            let forget = if dice.chance(1, 2) { " forget" } else { "" };
            let time = if dice.chance(1, 4) { number(dice, 60, 3_600) } else { number(dice, 1, 60) };
            format!("outage {} {time}s{forget}", dice.below(2))
        }
        17..29 => format!("deregister {endpoint} {}", one_of(dice, &EVENTS)),
        29..32 => "user-services off".into(),
        32..36 => "user-services on".into(),
        36..58 => return refuse(dice, agents),
        58..61 => {
            blames = Some(who);
            format!("quota {one} full")
        }
        61..63 => format!("quota {one} free"),
        63..67 => format!("move {one} {}", dice.below(2)),
        67 => format!("move all {}", dice.below(2)),
        68 => format!("move {endpoint} 0"),
        69..72 => format!("terminate {endpoint}"),
        72..75 => format!("terminate {endpoint} resubscribe"),
        75..77 => format!("delay {}ms", number(dice, 0, 5_000)),
        77..79 => format!("slow-start {} 30 {}s", number(dice, 1, 5), number(dice, 60, 1_200)),
        79..84 => "heal".into(),
        84..88 => "malformed on".into(),
        88..91 => "malformed off".into(),
        91..94 => "expire-silently".into(),
        94..97 => format!("expire-silently {one}"),
        _ => "forget-dialogs".into(),
    };
    Fault { command, blames }
}
