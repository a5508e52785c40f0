//! Agents whose own server takes no more watchers.

use std::time::Instant;

use super::SkypeSubscriber;
use super::member::{Hold, MemberKey};

impl SkypeSubscriber {
    /// Who is polled and due takes a token.
    pub(super) fn polls_due(&mut self, now: Instant) {
        while let Some((at, key)) = self.polls.first().copied().filter(|(at, _)| *at <= now) {
            self.polls.remove(&(at, key));
            if let Some(member) = self.members.get_mut(key)
                && let Hold::Polled { at, rounds } = &mut member.hold
            {
                *at = None;
                *rounds = rounds.wrapping_add(1);
            }
            self.want_refresh(key);
        }
    }

    /// A polled agent is asked for before its time: its appointment is off.
    pub(super) fn again_polled(&mut self, key: MemberKey) {
        if let Some(member) = self.members.get_mut(key)
            && let Hold::Polled { at, .. } = &mut member.hold
            && let Some(at) = at.take()
        {
            self.polls.remove(&(at, key));
        }
    }
}
