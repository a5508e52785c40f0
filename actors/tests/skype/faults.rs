//! What can go wrong on a day of chance, in the words of the front end's commands.

use presence_simulator::Dice;

use crate::forest::{APPLICATION, USER};
use crate::support::agent;

const REGISTER: [u16; 12] = [301, 400, 401, 403, 404, 408, 423, 480, 500, 503, 504, 606];
const SUBSCRIBE: [u16; 23] =
    [400, 401, 403, 404, 405, 406, 408, 410, 413, 420, 421, 423, 480, 481, 482, 488, 489, 500, 501, 503, 504, 603, 604];
const OPTIONS: [u16; 9] = [301, 404, 405, 408, 480, 481, 500, 501, 503];
/// The network in memory has no names, so that nobody is sent to another registrar.
const EVENTS: [&str; 4] = ["unregistered", "rejected", "deactivated", "userservices-unavailable"];

/// What somebody may be to blame for afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) command: String,
    /// The status says something of agents who are alone in a message.
    pub(super) blames: Option<usize>,
    /// Nobody is told of it, so that it is noticed at the next refresh.
    pub(super) silent: bool,
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
    Fault { command, blames, silent: false }
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
    let silent = ["malformed on", "expire-silently", "forget-dialogs"].iter().any(|word| command.starts_with(word));
    Fault { command, blames, silent }
}
