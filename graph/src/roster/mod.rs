//! Who is polled in one tenant, what was heard of them, and with whom each is asked for.

mod batches;
mod gather;
mod hearing;
mod member;
#[cfg(test)]
mod tests;
mod wheel;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use presence_core::{AgentUri, Status};

use crate::ObjectId;

pub(crate) use batches::BatchId;
pub(crate) use gather::Gather;
pub(crate) use member::{Member, Standing};

use batches::Batches;

/// How often a member is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pace {
    /// Once in `SweepInterval`.
    Fast,
    /// Once in the longer interval of those whose changes are notified.
    Slow,
}

impl Pace {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Fast, Self::Slow];

    const fn index(self) -> usize {
        match self {
            Self::Fast => 0,
            Self::Slow => 1,
        }
    }
}

/// The place of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(u32);

impl Slot {
    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The members of one tenant, in batches of at most 650 that each are one request.
///
/// A member keeps its batch; there are never more batches of a pace than its members need. When one fewer would do, the
/// smallest is dissolved into the others.
#[derive(Debug)]
pub(crate) struct Roster {
    members: Vec<Option<Member>>,
    free: Vec<Slot>,
    users: BTreeMap<ObjectId, Slot>,
    batches: Batches,
    /// For how many milliseconds an answer is vouched for, by pace.
    patience: [u32; 2],
    /// The activities that were heard: each is kept once for all.
    activities: BTreeSet<Arc<str>>,
}

impl Roster {
    /// Nobody yet. The two sweeps: the ordinary one and that of members whose changes are notified.
    pub(crate) fn new(sweep: Duration, slow_sweep: Duration) -> Self {
        Self {
            members: Vec::new(),
            free: Vec::new(),
            users: BTreeMap::new(),
            batches: Batches::new(sweep, slow_sweep),
            patience: [sweep, slow_sweep]
                .map(|sweep| u32::try_from((sweep * 3 + PATIENCE).as_millis()).unwrap_or(u32::MAX)),
            activities: BTreeSet::new(),
        }
    }

    /// How many users.
    pub(crate) fn len(&self) -> usize {
        self.users.len()
    }

    /// True without any.
    pub(crate) fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// The agent is this user. True when the user is new here.
    pub(crate) fn join(&mut self, user: ObjectId, uri: &AgentUri) -> bool {
        if let Some(member) = self.member_mut(user) {
            member.add_agent(uri);
            return false;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            let next = u32::try_from(self.members.len()).expect("fewer agents than 2^32 fit into memory");
            if self.members.len() == self.members.capacity() {
                self.members.reserve_exact(self.members.len() / 8 + 64);
            }
            self.members.push(None);
            Slot(next)
        });
        let (batch, position) = self.batches.add(Pace::Fast, slot);
        self.members[slot.index()] = Some(Member::new(user, uri.clone(), batch, position));
        self.users.insert(user, slot);
        true
    }

    /// The agent is gone. True when nobody wants the user any more, who is gone with it.
    pub(crate) fn leave(&mut self, user: ObjectId, uri: &AgentUri) -> bool {
        let Some(member) = self.member_mut(user) else { return false };
        if !member.remove_agent(uri) {
            return false;
        }
        self.remove(user);
        true
    }

    /// Takes a user out and says which agents it was.
    pub(crate) fn remove(&mut self, user: ObjectId) -> Vec<AgentUri> {
        let Some(slot) = self.users.remove(&user) else { return Vec::new() };
        let Some(member) = self.members[slot.index()].take() else { return Vec::new() };
        self.free.push(slot);
        self.unplace(member.batch, member.position);
        if self.users.is_empty() {
            self.members = Vec::new();
            self.free = Vec::new();
        }
        member.into_agents()
    }

    /// Moves a member to the other pace, unless it has it already.
    pub(crate) fn set_pace(&mut self, user: ObjectId, pace: Pace) {
        let Some(&slot) = self.users.get(&user) else { return };
        let Some(member) = self.members[slot.index()].as_mut() else { return };
        if self.batches.pace(member.batch) == Some(pace) {
            return;
        }
        if pace == Pace::Slow {
            member.good_for = member.good_for.max(self.patience[pace.index()]);
        }
        let (batch, position) = (member.batch, member.position);
        let added = self.batches.add(pace, slot);
        (member.batch, member.position) = added;
        self.unplace(batch, position);
    }

    /// Empties a place of a batch, and keeps the batches as few as they can be.
    fn unplace(&mut self, batch: BatchId, position: u16) {
        let mut moved = self.batches.remove(batch, position);
        while let Some((slot, batch, position)) = moved.pop() {
            if let Some(member) = self.members[slot.index()].as_mut() {
                (member.batch, member.position) = (batch, position);
            }
        }
    }

    /// A user.
    pub(crate) fn member(&self, user: ObjectId) -> Option<&Member> {
        self.members.get(self.users.get(&user)?.index())?.as_ref()
    }

    fn member_mut(&mut self, user: ObjectId) -> Option<&mut Member> {
        self.members.get_mut(self.users.get(&user)?.index())?.as_mut()
    }

    /// The value of a user that is vouched for now.
    pub(crate) fn present(&self, user: ObjectId) -> Option<Status> {
        let member = self.member(user)?;
        (member.standing == Standing::Fresh).then(|| member.status.clone()).flatten()
    }

    /// The changes of a user are notified through this account.
    pub(crate) fn set_push(&mut self, user: ObjectId, account: u16) {
        if let Some(member) = self.member_mut(user) {
            member.push = Some(account);
        }
    }

    /// The users whose changes are notified through this account.
    pub(crate) fn users_with_push(&self, account: usize) -> Vec<ObjectId> {
        let has = |member: &&Member| member.push.is_some_and(|push| usize::from(push) == account);
        self.members.iter().flatten().filter(has).map(|member| member.user).collect()
    }

    /// The users whose changes nobody notifies.
    pub(crate) fn users_without_push(&self) -> Vec<ObjectId> {
        self.members.iter().flatten().filter(|member| member.push.is_none()).map(|member| member.user).collect()
    }

    /// The account that asks for this user's batch.
    pub(crate) fn account_of(&self, user: ObjectId) -> Option<usize> {
        self.batches.get(self.member(user)?.batch)?.account
    }

    /// The users of a batch.
    pub(crate) fn users_of(&self, batch: BatchId) -> Vec<ObjectId> {
        let Some(batch) = self.batches.get(batch) else { return Vec::new() };
        batch.members().iter().filter_map(|slot| Some(self.members.get(slot.index())?.as_ref()?.user)).collect()
    }

    /// The batches and their wheels.
    pub(crate) const fn batches(&self) -> &Batches {
        &self.batches
    }

    /// The same, to be turned.
    pub(crate) const fn batches_mut(&mut self) -> &mut Batches {
        &mut self.batches
    }

    /// The users that nobody vouches for, of those that are asked for at this pace.
    pub(crate) fn doubted(&self, pace: Pace) -> Vec<ObjectId> {
        let is_one =
            |member: &&Member| member.standing == Standing::Doubted && self.batches.pace(member.batch) == Some(pace);
        self.members.iter().flatten().filter(is_one).map(|member| member.user).collect()
    }

    /// Doubts everyone whose last answer is too old, or everyone of whom something is known (`all`). The agents to tell, and when
    /// to look again.
    pub(crate) fn doubt(&mut self, now: Instant, all: bool) -> (Vec<AgentUri>, Option<Instant>) {
        let mut doubted = Vec::new();
        let mut next: Option<Instant> = None;
        for member in self.members.iter_mut().flatten() {
            if member.standing != Standing::Fresh {
                continue;
            }
            match member.good_until() {
                Some(until) if until > now && !all => next = Some(next.map_or(until, |earlier| earlier.min(until))),
                _ => {
                    member.standing = Standing::Doubted;
                    doubted.extend(member.agents().cloned());
                }
            }
        }
        (doubted, next.map(|next| next.max(now + Duration::from_secs(1))))
    }
}

/// Beyond three sweeps, an answer is vouched for so long.
const PATIENCE: Duration = Duration::from_secs(10);
