//! What goes wrong on request.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::tokens::Who;

/// What requests get instead of their answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// The connection breaks.
    Reset,
    /// Nothing.
    Silence,
    /// This status; `Retry-After` as it stands here.
    Status(u16, Option<String>),
    /// 200 and no JSON.
    Garbage,
    /// 200 and more than anyone reads.
    TooLong,
    /// 302 to another place.
    Redirect,
    /// 200 and JSON that is something else.
    WrongContent,
    /// 200 and nothing.
    Empty,
}

/// Which requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scope {
    /// Of this account.
    pub(super) account: Option<Who>,
    /// Of this tenant.
    pub(super) tenant: Option<usize>,
    /// Of this kind.
    pub(super) kind: Option<Part>,
}

/// A part of what is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Token,
    Presence,
    Users,
    Subscriptions,
}

/// A fault that is in force.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) reaction: Reaction,
    pub(super) scope: Scope,
    /// Until then; `None`: until it is healed.
    pub(super) until: Option<Instant>,
    /// So often; `None`: always.
    pub(super) times: Option<u32>,
}

/// What is wrong at the moment.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) faults: Vec<Fault>,
    /// Answers take so much longer.
    pub(super) delay: Duration,
    /// Its clock is so many seconds off.
    pub(super) skew: i64,
    /// The next answer about presence has an item without id, so often.
    pub(super) nameless: u32,
    /// Users that the next answers leave out, by tenant and user; so often.
    pub(super) left_out: BTreeMap<(usize, usize), u32>,
    /// Users of whom the next answer tells what was before.
    pub(super) overtaken: BTreeMap<(usize, usize), u32>,
    /// Subscriptions stand and tell nothing.
    pub(super) silent_push: bool,
    /// Every notification comes twice.
    pub(super) duplicates: bool,
    /// Notifications come in the wrong order.
    pub(super) shuffled: bool,
    /// Notifications come so much later.
    pub(super) late: Duration,
}

impl Scope {
    fn covers(&self, part: Option<Part>, tenant: Option<usize>, account: Option<Who>) -> bool {
        self.kind.is_none_or(|kind| part == Some(kind))
            && self.tenant.is_none_or(|of| tenant == Some(of))
            && self.account.is_none_or(|of| account == Some(of))
    }
}

impl Faults {
    /// What a request of this kind gets; the fault is used up once more.
    pub(super) fn reaction(
        &mut self,
        now: Instant,
        part: Option<Part>,
        tenant: Option<usize>,
        account: Option<Who>,
    ) -> Option<Reaction> {
        self.faults.retain(|fault| fault.until.is_none_or(|until| now < until) && fault.times != Some(0));
        let fault = self.faults.iter_mut().find(|fault| fault.scope.covers(part, tenant, account))?;
        fault.times = fault.times.map(|times| times - 1);
        Some(fault.reaction.clone())
    }

    /// Takes one of so many off the count of a user; false when there is none.
    pub(super) fn takes(counts: &mut BTreeMap<(usize, usize), u32>, user: (usize, usize)) -> bool {
        let Some(left) = counts.get_mut(&user) else { return false };
        *left -= 1;
        if *left == 0 {
            counts.remove(&user);
        }
        true
    }
}
