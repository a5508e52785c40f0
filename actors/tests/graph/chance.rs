//! What can go wrong on a day of chance, in the words of the simulated Graph's commands.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use presence_simulator::Dice;

use crate::support::seconds;

/// The accounts, each with the domain of its tenant.
pub(super) const ACCOUNTS: [(&str, &str); 4] =
    [("account1", FIRST), ("person1", FIRST), ("account2", SECOND), ("person2", SECOND)];
/// The domains of the two tenants.
pub(super) const FIRST: &str = "example.test";
pub(super) const SECOND: &str = "other.test";

const RETRY_AFTERS: [&str; 10] =
    ["absent", "absent", "0", "0.5", "2.128", "7", "120", "400", "Sun,_06_Nov_1994_08:49:37_GMT", "-1"];
/// Refusals that say nothing of a user.
const REFUSALS: [u16; 12] = [401, 401, 403, 408, 409, 412, 423, 424, 500, 501, 503, 507];
/// Refusals that say something of whoever is asked for.
const BLAMING: [u16; 6] = [400, 404, 405, 410, 415, 451];
const ANSWERS: [&str; 5] = ["garbage", "too-long", "redirect", "wrong-content", "empty"];
const OUTAGES: [&str; 6] = ["reset", "silence", "500", "502", "503", "504"];
const PARTS: [&str; 4] = ["token", "presence", "users", "subscriptions"];
/// So long after the end of a fault operators may be told of it: an answer was on its way, or a token ran out only then.
const ECHO: Duration = Duration::from_secs(40);

/// Something that goes wrong.
#[derive(Debug, Default)]
pub(super) struct Fault {
    pub(super) commands: Vec<String>,
    /// Users who may rightly be given up afterwards.
    pub(super) blames: Vec<String>,
    /// Everybody may.
    pub(super) blames_all: bool,
    /// Of these accounts operators may be told that somebody has to mend them, until then or until it is healed.
    pub(super) fails: Vec<&'static str>,
    pub(super) lasts: Option<Duration>,
    /// Another process has the notifications of this account.
    pub(super) contests: Option<&'static str>,
    /// What this user is said to be may be out of date.
    pub(super) overtakes: Option<String>,
}

pub(super) fn one_of<T: Copy>(dice: &mut Dice, all: &[T]) -> T {
    all[usize::try_from(dice.below(all.len() as u64)).unwrap()]
}

fn number(dice: &mut Dice, least: u64, most: u64) -> u64 {
    least + dice.below(most - least + 1)
}

/// How long, and of whom: ` for 20s account person1 on token`.
fn scope(dice: &mut Dice, fault: &mut Fault) -> String {
    let mut text = match dice.below(5) {
        0 => format!(" times {}", number(dice, 1, 12)),
        which => {
            let lasts = seconds(match which {
                1 | 2 => number(dice, 1, 40),
                3 => number(dice, 20, 400),
                _ => number(dice, 100, 1_500),
            });
            fault.lasts = Some(lasts);
            format!(" for {}s", lasts.as_secs())
        }
    };
    let mut accounts = ACCOUNTS.to_vec();
    match dice.below(3) {
        0 => {}
        1 => {
            let domain = one_of(dice, &[FIRST, SECOND]);
            text += &format!(" tenant {domain}");
            accounts.retain(|(_, of)| *of == domain);
        }
        _ => {
            let account = one_of(dice, &ACCOUNTS);
            text += &format!(" account {}", account.0);
            accounts = vec![account];
        }
    }
    if dice.chance(2, 3) {
        text += &format!(" on {}", one_of(dice, &PARTS));
    }
    fault.fails = accounts.iter().map(|(name, _)| *name).collect();
    text
}

/// A fault of chance. `blaming`: one that says something of users is allowed.
pub(super) fn fault(dice: &mut Dice, user: &str, blaming: bool) -> Fault {
    let mut fault = Fault::default();
    let user_is_blamed = || vec![user.to_owned()];
    let account = one_of(dice, &ACCOUNTS).0;
    let person = one_of(dice, &["person1", "person2"]);
    let command = match dice.below(34) {
        0..5 => format!("outage {}{}", one_of(dice, &OUTAGES), scope(dice, &mut fault)),
        5..8 => format!("throttle {}{}", one_of(dice, &RETRY_AFTERS), scope(dice, &mut fault)),
        8..11 if blaming && dice.chance(1, 3) => {
            fault.blames_all = true;
            format!("refuse {}{}", one_of(dice, &BLAMING), scope(dice, &mut fault))
        }
        8..11 => format!("refuse {}{}", one_of(dice, &REFUSALS), scope(dice, &mut fault)),
        11..13 => format!("answer {}{}", one_of(dice, &ANSWERS), scope(dice, &mut fault)),
        13 => format!("delay {}ms", one_of(dice, &[30, 200, 2_000, 6_000, 17_000])),
        14 => format!("limit {} {}s", one_of(dice, &[1, 5, 20]), number(dice, 5, 60)),
        15 => format!("retry-after {}", one_of(dice, &["seconds", "fraction", "date", "absent"])),
        16 => format!("strangers {}", one_of(dice, &["drop-out", "fail"])),
        17 => format!("skew {}", one_of(dice, &[-100_000, -4_000, -100, 100, 400, 4_000])),
        18 => format!("page-size {}", number(dice, 1, 20)),
        19 => {
            fault.blames = user_is_blamed();
            format!("leave-out {user} times {}", number(dice, 1, 6))
        }
        20 => {
            fault.overtakes = Some(user.to_owned());
            format!("overtake {user} times {}", number(dice, 1, 6))
        }
        21 => "nameless".to_owned(),
        22 => {
            fault.blames = user_is_blamed();
            format!("remove {user}")
        }
        23 => {
            fault.fails = vec![account];
            fault.commands.push(format!("expire-tokens {account}"));
            format!("secret expired {account}")
        }
        24 => {
            // Twice within five minutes: the new one was never good.
            (fault.fails, fault.lasts) = (vec![account], Some(seconds(300)));
            format!("expire-tokens {account}")
        }
        25 => format!("token-lifetime {}", one_of(dice, &["20s", "5m", "1h"])),
        26 => format!("forget-subscriptions {person}"),
        27 => {
            fault.contests = Some(person);
            format!("foreign-subscription {person}")
        }
        28 => {
            let event = one_of(dice, &["reauthorizationRequired", "subscriptionRemoved", "missed"]);
            format!("lifecycle {event} {person}")
        }
        29 => "silent-push on".to_owned(),
        30 => format!("notices late {}s", number(dice, 1, 300)),
        31 => format!("notices {} on", one_of(dice, &["duplicate", "shuffled"])),
        _ => "notices strange".to_owned(),
    };
    fault.commands.push(command);
    fault
}

/// Of what operators may rightly be told with an ERROR line, and until when.
#[derive(Debug, Default)]
pub(super) struct Announced {
    /// By account, or `contested` and account; `None`: until it is healed.
    until: BTreeMap<String, Option<Instant>>,
    /// Actors that were told to panic.
    pub(super) crashes: BTreeSet<u64>,
    next: u64,
}

impl Announced {
    pub(super) fn fault(&mut self, now: Instant, fault: &Fault) {
        let until = fault.lasts.map(|lasts| now + lasts + ECHO);
        let names = fault.fails.iter().map(|name| (*name).to_owned());
        for name in names.chain(fault.contests.map(|name| format!("contested {name}"))) {
            let known = self.until.entry(name).or_insert(until);
            *known = known.zip(until).map(|(known, until)| known.max(until));
        }
    }

    pub(super) fn crash(&mut self) {
        self.next += 1;
        self.crashes.insert(self.next);
    }

    /// Everything is well again.
    pub(super) fn healed(&mut self, now: Instant) {
        self.until.values_mut().for_each(|until| *until = Some(until.map_or(now + ECHO, |at| at.min(now + ECHO))));
    }

    /// Whether this ERROR line was announced.
    pub(super) fn explain(&mut self, now: Instant, line: &str) -> bool {
        if line.contains("died of a bug") {
            return self.crashes.pop_first().is_some();
        }
        let account = line.split_once("account=").and_then(|(_, rest)| rest.split(' ').next()).unwrap_or_default();
        let account = account.trim_matches('"');
        let is_contested = line.contains("another process");
        let name = if is_contested { format!("contested {account}") } else { account.to_owned() };
        self.until.get(&name).is_some_and(|until| until.is_none_or(|until| now <= until))
    }
}

#[test]
fn an_error_line_is_announced_by_a_fault_of_that_account_while_it_lasts() {
    let now = presence_actors::now();
    let line = |account: &str| format!("message=mend it account={account} failure=401 no ");
    let mut announced = Announced::default();
    assert!(!announced.explain(now, &line("account1")));
    announced.fault(now, &Fault { fails: vec!["account1"], lasts: Some(seconds(10)), ..Fault::default() });
    announced.fault(now, &Fault { fails: vec!["account2"], contests: Some("person1"), ..Fault::default() });
    assert!(announced.explain(now + seconds(10), &line("account1")) && !announced.explain(now, &line("person1")));
    assert!(!announced.explain(now + seconds(10) + ECHO * 2, &line("account1")));
    assert!(announced.explain(now + ECHO * 100, &line("account2")));
    assert!(announced.explain(now, "message=another process has account=\"person1\" "));
    announced.healed(now);
    assert!(!announced.explain(now + ECHO * 2, &line("account2")));
    assert!(!announced.explain(now, "message=the endpoint died of a bug"));
    announced.crash();
    assert!(announced.explain(now, "message=the endpoint died of a bug"));
    assert!(!announced.explain(now, "message=the endpoint died of a bug"));
}
