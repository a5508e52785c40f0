//! What was asked for and what was told: every attempt ends once, and nothing is told of one that is over.

use std::collections::{BTreeMap, BTreeSet};

use presence_core::{AgentUri, Attempt, FailureKind};
use presence_sip::SubscriberEffect;

use super::Kind;

/// How an attempt stands, as far as its owner can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Asked for; it will end once.
    Open,
    /// Not wanted any more; it will end once.
    Leaving,
    /// Another attempt has its dialog: it may end, and need not.
    TakenOver,
    /// Its endpoint failed: in the dialect `simple` its dialog may still be there, in `skype` when it was being refreshed.
    Doubtful,
    /// Ended.
    Over,
}

#[derive(Debug)]
pub(super) struct Ledger {
    kind: Kind,
    attempts: BTreeMap<(AgentUri, u32), Standing>,
    present: BTreeMap<AgentUri, u32>,
    /// Asked to be refreshed, and not told since that they are served.
    refreshing: BTreeSet<(AgentUri, u32)>,
    next: u32,
    /// What [`presence_sip::Dialect::leave`] promises.
    pub(super) left: bool,
}

impl Ledger {
    pub(super) const fn new(kind: Kind) -> Self {
        Self {
            kind,
            attempts: BTreeMap::new(),
            present: BTreeMap::new(),
            refreshing: BTreeSet::new(),
            next: 0,
            left: false,
        }
    }

    /// A new attempt for an agent.
    pub(super) fn begin(&mut self, uri: &AgentUri) -> Attempt {
        self.next += 1;
        if let Some(before) = self.present.insert(uri.clone(), self.next) {
            let standing = self.attempts.get_mut(&(uri.clone(), before));
            if let Some(standing) = standing.filter(|standing| **standing == Standing::Open) {
                *standing = Standing::TakenOver;
            }
        }
        self.attempts.insert((uri.clone(), self.next), Standing::Open);
        Attempt(self.next)
    }

    /// The attempt that is wanted.
    pub(super) fn wanted(&self, uri: &AgentUri) -> Option<Attempt> {
        let number = *self.present.get(uri)?;
        let standing = self.attempts.get(&(uri.clone(), number))?;
        matches!(standing, Standing::Open | Standing::Doubtful).then_some(Attempt(number))
    }

    /// What stands is to go on.
    pub(super) fn refresh(&mut self, uri: &AgentUri, attempt: Attempt) {
        self.refreshing.insert((uri.clone(), attempt.0));
    }

    pub(super) fn release(&mut self, uri: &AgentUri, attempt: Attempt) {
        self.attempts.insert((uri.clone(), attempt.0), Standing::Leaving);
    }

    pub(super) fn hear(&mut self, effect: &SubscriberEffect) {
        match effect {
            SubscriberEffect::Failed { uri, attempt, failure } => {
                let stands = self.kind == Kind::Simple || self.refreshing.remove(&(uri.clone(), attempt.0));
                let stays = stands && failure.kind == FailureKind::Endpoint;
                self.end(uri, *attempt, if stays { Standing::Doubtful } else { Standing::Over });
            }
            SubscriberEffect::Ended { uri, attempt } => self.end(uri, *attempt, Standing::Over),
            SubscriberEffect::Accepted { uri, attempt, .. }
            | SubscriberEffect::Joined { uri, attempt }
            | SubscriberEffect::Notified { uri, attempt, .. }
            | SubscriberEffect::WantsRefresh { uri, attempt } => {
                let standing = self.attempts.get(&(uri.clone(), attempt.0));
                let lives = matches!(standing, Some(Standing::Open | Standing::Leaving | Standing::Doubtful));
                assert!(lives, "told of an attempt that is over: {effect:?} {standing:?}");
                if matches!(effect, SubscriberEffect::Joined { .. }) {
                    self.refreshing.remove(&(uri.clone(), attempt.0));
                }
            }
            SubscriberEffect::Left => self.left = true,
            _ => {}
        }
    }

    fn end(&mut self, uri: &AgentUri, attempt: Attempt, how: Standing) {
        let standing = self.attempts.insert((uri.clone(), attempt.0), how);
        assert!(standing.is_some_and(|standing| standing != Standing::Over), "{uri} {attempt:?} ended twice");
        if how == Standing::Over && self.present.get(uri) == Some(&attempt.0) {
            self.present.remove(uri);
        }
        // What is over is remembered as such for a while: a script has a few hundred attempts at most.
        debug_assert!(self.attempts.len() < 100_000);
    }

    /// Those that were to end and have not.
    pub(super) fn unended(&self) -> Vec<String> {
        let waits = |standing: &Standing| matches!(standing, Standing::Open | Standing::Leaving);
        self.attempts
            .iter()
            .filter(|(_, standing)| waits(standing))
            .map(|(key, how)| format!("{key:?} {how:?}"))
            .collect()
    }
}
