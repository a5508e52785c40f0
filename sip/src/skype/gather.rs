//! Who waits, and what goes out at a moment of gathering.

use std::time::{Duration, Instant};

use presence_core::{EndedBy, Failure, FailureKind};

use super::SkypeSubscriber;
use super::batch::Batch;
use super::dialog::{DialogKey, Entry, Kind, Phase};
use super::farewell::MOST_REFUSALS;
use super::member::{BatchId, Errand, Hold, Lane, MemberKey, Route, Wish};

/// In every so manieth round an agent that is polled is subscribed again.
const SUBSCRIBED_AGAIN: u8 = 6;

/// How long an agent waits to be sent at most.
const PATIENCE: Duration = Duration::from_secs(60);

/// What can go out next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Repair(BatchId),
    Ask(BatchId),
    Poll(BatchId),
    Single,
}

impl SkypeSubscriber {
    /// Puts a member at the end of the queue that it belongs into.
    pub(super) fn enqueue(&mut self, now: Instant, key: MemberKey) {
        let Some(member) = self.members.get_mut(key) else { return };
        let lane = match (member.route, member.hold) {
            (Route::Single, _) => Lane::Single,
            (Route::Batch(batch), Hold::Polled { rounds, .. }) if rounds % SUBSCRIBED_AGAIN != 0 => Lane::Poll(batch),
            (Route::Batch(batch), _) => Lane::Ask(batch),
        };
        let at = self.queued;
        self.queued += 1;
        self.put(key, lane, at);
        self.arm_flush(now);
    }

    /// Puts members at the head of their batch's queue, in their order.
    pub(super) fn requeue(&mut self, now: Instant, batch: BatchId, poll: bool, keys: &[MemberKey]) {
        let lane = if poll { Lane::Poll(batch) } else { Lane::Ask(batch) };
        for key in keys.iter().rev() {
            self.requeued -= 1;
            self.put(*key, lane, self.requeued);
        }
        self.arm_flush(now);
    }

    fn put(&mut self, key: MemberKey, lane: Lane, at: i64) {
        let Some(member) = self.members.get_mut(key) else { return };
        member.errand = Errand::Waiting(lane, at);
        let line = match lane {
            Lane::Single => Some(&mut self.singles),
            Lane::Ask(batch) => self.batch_mut(batch).map(|batch| &mut batch.line),
            Lane::Poll(batch) => self.batch_mut(batch).map(|batch| &mut batch.polls),
        };
        if let Some(line) = line {
            line.insert(at, key);
        }
    }

    /// Takes a member out of the queue in which it waits, if it does.
    pub(super) fn dequeue(&mut self, key: MemberKey) {
        let Some(member) = self.members.get_mut(key) else { return };
        let Errand::Waiting(lane, at) = member.errand else { return };
        member.errand = Errand::None;
        match lane {
            Lane::Single => drop(self.singles.remove(&at)),
            Lane::Ask(batch) => drop(self.batch_mut(batch).and_then(|batch| batch.line.remove(&at))),
            Lane::Poll(batch) => drop(self.batch_mut(batch).and_then(|batch| batch.polls.remove(&at))),
        }
    }

    pub(super) fn arm_flush(&mut self, now: Instant) {
        if self.flush_at.is_none() {
            self.flush_at = Some(self.config.gather.next(now));
        }
    }

    /// The moment of gathering has come: what waits now may go, as much of it as one period allows.
    pub(super) fn flush_due(&mut self, now: Instant) {
        if self.flush_at.is_none_or(|at| at > now) {
            return;
        }
        self.released = self.queued;
        self.lose_patience(now);
        if self.is_held(now) {
            self.queries_put_off();
        } else {
            self.end_some_orphans(now);
        }
        let idle = !self.flush(now);
        let waits = self.anyone_waits();
        let next = self.config.gather.next(now);
        // A flush that came late leaves no room at the next moment, but soon after it.
        let room = self.config.gather.room_at(now).filter(|_| idle);
        self.flush_at = waits.then(|| room.map_or(next, |room| room.min(next)));
    }

    /// Whoever has waited for a minute and could not be sent, as the server is left alone or others come first, is given
    /// back: the agent's machine waits no longer than 100 s, and what was sent behind its back would be a second
    /// subscription. Where a dialog lists the agent it stands, and only its refresh is asked for anew.
    fn lose_patience(&mut self, now: Instant) {
        self.moments.push_back((self.queued, now));
        let mut before = None;
        while let Some((queued, at)) = self.moments.front()
            && *at + PATIENCE <= now
        {
            before = Some(*queued);
            self.moments.pop_front();
        }
        let Some(before) = before else { return };
        let lanes = self.batches.iter().flat_map(|batch| [&batch.line, &batch.polls]).chain([&self.singles]);
        let tired: Vec<MemberKey> = lanes.flat_map(|lane| lane.range(..before)).map(|(_, key)| *key).collect();
        let failure = Failure::new(FailureKind::Endpoint, EndedBy::Us, "it could not be sent for a minute");
        for key in tired {
            match self.members.get(key).map(|member| (member.wish, member.hold)) {
                Some((Wish::Keep, Hold::In(_))) => {
                    self.dequeue(key);
                    self.ask_anew(key);
                }
                Some((Wish::Keep, Hold::Nowhere | Hold::Polled { .. })) => self.fail(key, &failure),
                Some((Wish::Drop, _)) | None => {}
            }
        }
    }

    /// True while anything waits for a moment of gathering.
    pub(super) fn anyone_waits(&self) -> bool {
        !(self.singles.is_empty() && self.farewells.is_empty() && self.reworded.is_empty() && !self.queries.waits())
            || self.batches.iter().any(Batch::waits)
    }

    /// Nothing may go out now, whoever waits.
    fn is_held(&self, now: Instant) -> bool {
        self.departure.is_some() || self.waits_for_orphans || self.paused_until.is_some_and(|until| until > now)
    }

    /// A dialog has got its answer: the rest of what was released goes, where one message cannot hold a period.
    pub(super) fn go_on(&mut self, now: Instant) {
        if self.batches.iter().any(|batch| batch.chunk < self.config.gather.most()) {
            self.flush(now);
        }
    }

    /// Sends what was released; true when anything was sent.
    fn flush(&mut self, now: Instant) -> bool {
        let mut sent = false;
        if self.is_held(now) {
            return sent;
        }
        while let Some((_, entries)) = self.reworded.front()
            && entries.len() <= self.config.gather.room(now)
        {
            if let Some((dialog, entries)) = self.reworded.pop_front() {
                self.again(now, dialog, entries, 0);
                sent = true;
            }
        }
        loop {
            let room = self.config.gather.room(now);
            if room == 0 {
                return sent;
            }
            let Some(next) = self.next_lane(now) else {
                let asked = self.send_queries(now, room);
                if asked > 0 {
                    self.config.gather.spend(now, asked);
                }
                return sent || asked > 0;
            };
            let count = match next {
                Next::Repair(batch) => match self.send_repair(now, batch, room) {
                    Some(count) => count,
                    None => return sent,
                },
                Next::Ask(batch) => self.send_asked(now, batch, room),
                Next::Poll(batch) => self.send_polled(now, batch, room),
                Next::Single => self.send_single(now),
            };
            if count > 0 {
                sent = true;
                self.config.gather.spend(now, count);
            }
        }
    }

    /// What has waited longest among all that can go.
    fn next_lane(&self, now: Instant) -> Option<Next> {
        let mut best: Option<(i64, Next)> = None;
        let mut offer = |at: i64, next: Next| {
            if at < self.released && best.is_none_or(|(earliest, _)| at < earliest) {
                best = Some((at, next));
            }
        };
        for (batch, id) in self.batches.iter().zip(0..) {
            let id = BatchId(id);
            if batch.held_until.is_some_and(|until| until > now) || self.is_ending(batch.ending) {
                continue;
            }
            let awaits = |dialog: Option<DialogKey>| {
                dialog.and_then(|key| self.dialogs.get(key)).is_some_and(|dialog| dialog.awaits_answer())
            };
            let (asked, polled) = (awaits(batch.dialog), batch.polling.is_some());
            match batch.repairs.front() {
                Some(repair) if repair.poll && !polled || !repair.poll && !asked => offer(i64::MIN, Next::Repair(id)),
                Some(_) | None => {}
            }
            if let Some((at, _)) = batch.line.first_key_value().filter(|_| !asked && batch.repairs.is_empty()) {
                offer(*at, Next::Ask(id));
            }
            if let Some((at, _)) = batch.polls.first_key_value().filter(|_| !polled && batch.repairs.is_empty()) {
                offer(*at, Next::Poll(id));
            }
        }
        if let Some((at, _)) = self.singles.first_key_value() {
            offer(*at, Next::Single);
        }
        best.map(|(_, next)| next)
    }

    /// True while the server has not let go what we ended.
    fn is_ending(&self, dialog: Option<DialogKey>) -> bool {
        let dialog = dialog.and_then(|key| self.dialogs.get(key));
        dialog.is_some_and(|dialog| {
            dialog.refusals <= MOST_REFUSALS
                && (dialog.awaits_answer() || matches!(dialog.phase, Phase::Refused { .. }))
        })
    }

    /// A part of a refused message; `None` when there is no room for it yet.
    fn send_repair(&mut self, now: Instant, id: BatchId, room: usize) -> Option<usize> {
        let most = self.config.gather.most();
        let batch = self.batch_mut(id)?;
        if batch.repairs.front()?.keys.len() > room && room < most {
            return None;
        }
        let repair = batch.repairs.pop_front()?;
        let wanted = |key: &MemberKey| self.members.get(*key).is_some_and(|member| member.errand == Errand::Repairing);
        let keys: Vec<MemberKey> = repair.keys.into_iter().filter(wanted).collect();
        Some(if repair.poll { self.poll_batch(now, id, &keys) } else { self.ask_batch(now, id, &keys) })
    }

    fn send_asked(&mut self, now: Instant, id: BatchId, room: usize) -> usize {
        let released = self.released;
        let Some(batch) = self.batch_mut(id) else { return 0 };
        let count = room.min(batch.chunk);
        let keys: Vec<MemberKey> = batch.line.range(..released).take(count).map(|(_, key)| *key).collect();
        keys.iter().for_each(|key| self.dequeue(*key));
        self.ask_batch(now, id, &keys)
    }

    fn send_polled(&mut self, now: Instant, id: BatchId, room: usize) -> usize {
        let released = self.released;
        let Some(batch) = self.batch_mut(id) else { return 0 };
        let count = room.min(batch.chunk);
        let keys: Vec<MemberKey> = batch.polls.range(..released).take(count).map(|(_, key)| *key).collect();
        keys.iter().for_each(|key| self.dequeue(*key));
        self.poll_batch(now, id, &keys)
    }

    /// One message in the dialog of a batch, which begins with it where there is none.
    fn ask_batch(&mut self, now: Instant, id: BatchId, keys: &[MemberKey]) -> usize {
        let dialog = self.batch(id).and_then(|batch| batch.dialog);
        let mut entries = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(member) = self.members.get_mut(*key) else { continue };
            let asked = member.wish;
            if asked == Wish::Drop && !matches!(member.hold, Hold::In(held) if Some(held) == dialog) {
                self.end(*key);
            } else {
                entries.push(Entry { key: *key, asked });
                if !self.farewells.is_empty() {
                    let uri = member.uri.clone();
                    self.end_former(now, &uri);
                }
            }
        }
        if entries.is_empty() {
            return 0;
        }
        let dialog = dialog.unwrap_or_else(|| {
            let wording = self.batch(id).map(|batch| batch.wording).unwrap_or_default();
            let dialog = self.begin(Kind::Batch(id), self.target_of(id), wording);
            if let Some(batch) = self.batch_mut(id) {
                batch.dialog = Some(dialog);
            }
            dialog
        });
        self.ask(now, dialog, entries)
    }

    /// One question to the server of a batch, in a dialog that ends with the answer.
    fn poll_batch(&mut self, now: Instant, id: BatchId, keys: &[MemberKey]) -> usize {
        let mut entries = Vec::with_capacity(keys.len());
        for key in keys {
            match self.members.get(*key).map(|member| member.wish) {
                Some(Wish::Keep) => entries.push(Entry { key: *key, asked: Wish::Keep }),
                Some(Wish::Drop) => self.end(*key),
                None => {}
            }
        }
        if entries.is_empty() {
            return 0;
        }
        let wording = self.batch(id).map(|batch| batch.wording).unwrap_or_default();
        let dialog = self.begin(Kind::Poll(id), self.target_of(id), wording);
        if let Some(batch) = self.batch_mut(id) {
            batch.polling = Some(dialog);
        }
        self.ask(now, dialog, entries)
    }

    /// The message of the agent that has waited longest for a dialog of its own.
    fn send_single(&mut self, now: Instant) -> usize {
        let Some((_, key)) = self.singles.first_key_value() else { return 0 };
        let key = *key;
        self.dequeue(key);
        let Some(member) = self.members.get(key) else { return 0 };
        let (wish, uri) = (member.wish, member.uri.as_str().into());
        match (wish, member.hold) {
            (Wish::Drop, Hold::In(dialog)) => {
                if let Some(member) = self.members.get_mut(key) {
                    member.errand = Errand::Asked(dialog);
                }
                self.close(now, dialog, "not wanted any more");
                1
            }
            (Wish::Drop, Hold::Nowhere | Hold::Polled { .. }) => {
                self.end(key);
                0
            }
            (Wish::Keep, Hold::In(dialog)) => self.ask(now, dialog, vec![Entry { key, asked: wish }]),
            (Wish::Keep, Hold::Nowhere | Hold::Polled { .. }) => {
                let agent = member.uri.clone();
                self.end_former(now, &agent);
                let dialog = self.begin(Kind::Single(key), uri, super::dialog::Wording::default());
                self.ask(now, dialog, vec![Entry { key, asked: wish }])
            }
        }
    }

    /// The agents of these entries are in a message of this dialog, which goes out; how many they are.
    fn ask(&mut self, now: Instant, dialog: DialogKey, entries: Vec<Entry>) -> usize {
        let count = entries.len();
        for entry in &entries {
            if let Some(member) = self.members.get_mut(entry.key) {
                member.errand = Errand::Asked(dialog);
            }
        }
        self.send_list(now, dialog, entries, 0);
        count
    }
}
