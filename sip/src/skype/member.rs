//! The agents of one endpoint: where each stands and what is to be done about it.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use presence_core::{AgentUri, Attempt};

use super::dialog::DialogKey;
use crate::documents::AgentCategories;

/// The name of a member; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MemberKey(u64);

/// One of the batches: the home server's is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BatchId(pub(super) u8);

/// The batch of the own home server.
pub(super) const HOME: BatchId = BatchId(0);

/// Where an agent is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Among others, in the one dialog with this pool.
    Batch(BatchId),
    /// In a dialog of its own.
    Single,
}

/// A queue of agents that wait to be put on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// For the dialog of this batch.
    Ask(BatchId),
    /// For a question without a dialog to this batch's server.
    Poll(BatchId),
    /// For dialogs of their own.
    Single,
}

/// What the agent's machine wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// To be subscribed.
    Keep,
    /// To be subscribed no longer.
    Drop,
}

/// What the pool holds of an agent, as far as we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// Nothing: it is new, or must be asked for elsewhere.
    Nowhere,
    /// This dialog lists it.
    In(DialogKey),
    /// Nothing, as its own server takes no more watchers: it is asked for now and then.
    Polled {
        /// When it is to be asked for next; `None` while it is being asked for.
        at: Option<Instant>,
        /// How often, since a subscription was tried.
        rounds: u8,
    },
}

/// What is being done about an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    /// Nothing.
    None,
    /// It waits for the next moment of gathering at this place of this queue.
    Waiting(Lane, i64),
    /// It belongs to a part of a refused message that is to be sent again.
    Repairing,
    /// It is in a message on its way.
    Asked(DialogKey),
}

/// One agent.
///
/// ```text
///              subscribe()             flush                 200
///   (no member) ---------> Waiting -----------> Asked ---------------> None, held In(dialog) --+
///                            ^  ^                 |                       |        ^           | WantsRefresh,
///                            |  +--- 400: half ---+ Repairing             |        |           | refresh()
///                            |                    |                       |        +-- Waiting, Asked
///                            |  refresh()         v RLMI                  v RLMI
///                            +---- None, held Nowhere (resubscribe) or Polled (quota) <--+
///   unsubscribe(): held Nowhere or Polled --> Ended at once; In(dialog) --> Waiting, Asked, Ended
///   every state --(refusal, terminated, dialog lost)--> Failed, or Ended where it was to be dropped; when that is the
///   endpoint's failure and a living dialog goes on listing it: None, held In where its machine was refreshing (it keeps
///   what it has), otherwise settled --> Waiting, Asked, gone
/// ```
#[derive(Debug)]
pub(super) struct Member {
    pub(super) uri: AgentUri,
    pub(super) attempt: Attempt,
    pub(super) wish: Wish,
    pub(super) route: Route,
    pub(super) hold: Hold,
    pub(super) errand: Errand,
    /// Its attempt is over and that was told; it is only to be taken out of the dialog that lists it.
    pub(super) settled: bool,
    /// A refresh was asked for and has not come.
    pub(super) refresh_wanted: bool,
    /// Its machine refreshes what it has, and was not told since that it has joined.
    pub(super) refreshing: bool,
    /// The last document could not be read.
    pub(super) unreadable: bool,
    /// How often it was sent elsewhere since it was last heard of.
    pub(super) moves: u8,
    pub(super) categories: AgentCategories,
}

/// The agents, found by name and by key.
#[derive(Debug, Default)]
pub(super) struct Members {
    by_key: BTreeMap<MemberKey, Box<Member>>,
    by_uri: HashMap<AgentUri, MemberKey>,
    used: u64,
}

impl Members {
    pub(super) fn insert(&mut self, uri: AgentUri, attempt: Attempt) -> MemberKey {
        let key = MemberKey(self.used);
        self.used += 1;
        self.by_uri.insert(uri.clone(), key);
        let member = Member {
            uri,
            attempt,
            wish: Wish::Keep,
            route: Route::Batch(HOME),
            hold: Hold::Nowhere,
            errand: Errand::None,
            settled: false,
            refresh_wanted: false,
            refreshing: false,
            unreadable: false,
            moves: 0,
            categories: AgentCategories::default(),
        };
        self.by_key.insert(key, Box::new(member));
        key
    }

    pub(super) fn remove(&mut self, key: MemberKey) -> Option<Box<Member>> {
        let member = self.by_key.remove(&key)?;
        self.by_uri.remove(&member.uri);
        Some(member)
    }

    pub(super) fn find(&self, uri: &AgentUri) -> Option<MemberKey> {
        self.by_uri.get(uri).copied()
    }

    pub(super) fn get(&self, key: MemberKey) -> Option<&Member> {
        self.by_key.get(&key).map(|member| &**member)
    }

    pub(super) fn get_mut(&mut self, key: MemberKey) -> Option<&mut Member> {
        self.by_key.get_mut(&key).map(|member| &mut **member)
    }

    /// Those of this dialog, in a fixed order. For what happens to all at once, never per message.
    pub(super) fn of(&self, dialog: DialogKey) -> Vec<MemberKey> {
        let belongs = |member: &Member| member.hold == Hold::In(dialog) || member.errand == Errand::Asked(dialog);
        self.by_key.iter().filter(|(_, member)| belongs(member)).map(|(key, _)| *key).collect()
    }

    /// The first for which this holds.
    pub(super) fn first(&self, holds: impl Fn(&Member) -> bool) -> Option<MemberKey> {
        self.by_key.iter().find(|(_, member)| holds(member)).map(|(key, _)| *key)
    }

    /// All, in a fixed order. For what happens to all at once, never per message.
    pub(super) fn keys(&self) -> Vec<MemberKey> {
        self.by_key.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The design allows 600 bytes for one of a hundred thousand agents: this, its name, and its place in three maps.
    #[test]
    fn a_member_is_small() {
        let entries = size_of::<(AgentUri, MemberKey)>() * 2 + size_of::<(MemberKey, Box<Member>)>() * 2;
        assert!(size_of::<Member>() + entries < 450, "{} and {entries}", size_of::<Member>());
    }
}
