//! Agents that are refused with 400 by themselves, and servers that answer so to everybody.

use std::time::Instant;

use presence_core::{Failure, FailureKind};

use super::SkypeSubscriber;
use super::batch::Repair;
use super::dialog::{DialogKey, Entry};
use super::member::{BatchId, Errand, HOME, Hold, MemberKey, Wish};
use super::refusals::endpoint;

impl SkypeSubscriber {
    /// 400 for one agent alone is its own failure, unless the server takes nobody. After some in a row a member that
    /// the server has taken before is asked for again; where even that is refused, or there is none, the endpoint is to
    /// blame, and whoever is still to be tried fails with it.
    pub(super) fn culprit(
        &mut self,
        now: Instant,
        key: DialogKey,
        id: BatchId,
        poll: bool,
        entries: Vec<Entry>,
        failure: &Failure,
    ) {
        let Some(alone) = entries.first().map(|entry| entry.key) else { return };
        let Some(batch) = self.batch_mut(id) else { return };
        let testified = batch.witness.take() == Some(alone);
        if !testified && batch.blame() {
            let failure = Failure { kind: FailureKind::Forbidden, ..failure.clone() };
            return self.fail_entries(now, key, entries, &failure);
        }
        if !testified && let Some(witness) = self.witness(id) {
            let suspect = entries.into_iter().filter_map(|entry| self.still(key, entry)).map(|entry| entry.key).next();
            return self.hear(now, id, poll, witness, suspect);
        }
        let others = self.batch_mut(id).map(|batch| std::mem::take(&mut batch.repairs)).unwrap_or_default();
        self.hold_back(now, id);
        let failure = if id == HOME { self.unsupported(failure) } else { endpoint(failure) };
        let uri = self.members.get(alone).map(|member| member.uri.clone());
        match (testified, uri) {
            // It is a member as before. Somebody may wait for what becomes of it, so it is asked for again.
            (true, _) => {
                if self.members.get(alone).is_some_and(|member| member.errand == Errand::Asked(key)) {
                    self.enqueue(now, alone);
                }
            }
            (false, uri) => {
                if let (Some(uri), Some(batch)) = (uri, self.batch_mut(id)) {
                    batch.doubt(uri);
                }
                self.fail_entries(now, key, entries, &failure);
            }
        }
        for key in others.into_iter().flat_map(|repair| repair.keys) {
            if self.members.get(key).is_some_and(|member| member.errand == Errand::Repairing) {
                self.let_go(now, key, &failure);
            }
        }
    }

    /// A member of this batch that the server has taken and nobody is asking for.
    fn witness(&self, id: BatchId) -> Option<MemberKey> {
        let dialog = self.batch(id)?.dialog?;
        self.members.first(|member| {
            member.hold == Hold::In(dialog) && member.errand == Errand::None && member.wish == Wish::Keep
        })
    }

    /// The witness goes out next, then who is suspected once more.
    fn hear(&mut self, now: Instant, id: BatchId, poll: bool, witness: MemberKey, suspect: Option<MemberKey>) {
        for key in suspect.into_iter().chain([witness]) {
            let Some(member) = self.members.get_mut(key) else { continue };
            member.errand = Errand::Repairing;
            let poll = poll && key != witness;
            if let Some(batch) = self.batch_mut(id) {
                batch.repairs.push_front(Repair { keys: vec![key], poll });
            }
        }
        if let Some(batch) = self.batch_mut(id) {
            batch.witness = Some(witness);
        }
        self.arm_flush(now);
    }
}
