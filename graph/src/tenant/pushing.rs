//! Whose changes are notified, and through which account.

use secrecy::SecretString;
use std::time::{Duration, Instant};

use crate::push::{Push, PushEffect};
use crate::roster::{Member, Pace};
use crate::wire::Notice;
use crate::{ObjectId, Report};

use super::{Tenant, TenantEffect};

/// How often users without notifications are offered to accounts that have room.
const CHECK: Duration = Duration::from_secs(60);
/// How many users one account's notifications are planned for.
const USERS_OF_AN_ACCOUNT: usize = 600;

impl Tenant {
    fn pushes(&self) -> impl Iterator<Item = (u16, &Push)> {
        let accounts = (0_u16..).zip(&self.accounts);
        accounts.filter_map(|(index, account)| Some((index, account.push.as_ref()?)))
    }

    /// Gives a user to the account with the most room, if any has some.
    pub(super) fn offer_push(&mut self, now: Instant, user: ObjectId) {
        let with_room = self.pushes().filter(|(_, push)| push.room() > 0);
        let Some((index, _)) = with_room.min_by_key(|(_, push)| push.users()) else {
            if self.pushes().next().is_some() && self.push_check_at.is_none() {
                self.push_check_at = Some(now + CHECK);
            }
            return;
        };
        if let Some(push) = self.accounts[usize::from(index)].push.as_mut() {
            push.assign(now, user);
            self.roster.set_push(user, index);
        }
    }

    /// Offers those without notifications to accounts that have room by now, and says when there is too little.
    pub(super) fn check_push(&mut self, now: Instant) {
        self.push_check_at = None;
        let room: usize = self.pushes().map(|(_, push)| push.room()).sum();
        let left_out = self.roster.users_without_push();
        let polled_only = left_out.len().saturating_sub(room);
        for user in left_out.into_iter().take(room) {
            self.offer_push(now, user);
        }
        let wanted = polled_only.div_ceil(USERS_OF_AN_ACCOUNT);
        if wanted > self.accounts_wanted {
            let (tenant, accounts_wanted) = (self.id.clone(), wanted);
            let report = Report::PushTooSmall { tenant, polled_only, accounts_wanted };
            self.effects.push_back(TenantEffect::Report(report));
        }
        self.accounts_wanted = wanted;
        if polled_only > 0 {
            self.push_check_at = Some(now + CHECK);
        }
    }

    /// What the accounts' notifications want done.
    pub(super) fn drive_push(&mut self, now: Instant) {
        for index in 0..self.accounts.len() {
            let account = &mut self.accounts[index];
            let has_token = account.credential.bearer(now).is_some();
            let name = account.name.clone();
            let Some(push) = &mut account.push else { continue };
            push.set_usable(now, has_token);
            let mut was_reported = false;
            while let Some(effect) = self.accounts[index].push.as_mut().and_then(Push::poll_effect) {
                match effect {
                    PushEffect::Fetch(user) if self.roster.member(user).is_some() => self.hints.add(now, user),
                    PushEffect::Fetch(_) => {}
                    PushEffect::PollUsers => {
                        for user in self.roster.users_with_push(index) {
                            self.fresh.add(now, user);
                        }
                    }
                    PushEffect::Report { state, failure } => {
                        was_reported = true;
                        let report = Report::Push { account: name.clone(), state, failure };
                        self.effects.push_back(TenantEffect::Report(report));
                    }
                }
            }
            if was_reported {
                for user in self.roster.users_with_push(index) {
                    self.set_pace(user);
                }
            }
        }
    }

    /// A notification came. True when it was for an account of this tenant.
    pub(crate) fn noticed(&mut self, now: Instant, notice: &Notice) -> bool {
        self.accounts.iter_mut().filter_map(|account| account.push.as_mut()).any(|push| push.noticed(now, notice))
    }

    /// What notifications of this tenant's accounts prove themselves with.
    pub(crate) fn client_states(&self) -> impl Iterator<Item = SecretString> {
        self.pushes().filter_map(|(_, push)| push.client_state())
    }

    /// How many subscriptions its accounts have made or tried.
    pub(crate) fn generations(&self) -> u64 {
        self.pushes().map(|(_, push)| push.generation()).sum()
    }

    /// True while Microsoft may want its `validationToken` back.
    pub(crate) fn expects_handshake(&self, now: Instant) -> bool {
        self.pushes().any(|(_, push)| push.expects_handshake(now))
    }

    /// True when the user's changes are notified.
    pub(super) fn is_notified(&self, member: &Member) -> bool {
        let push = member.push.and_then(|index| self.accounts.get(usize::from(index))?.push.as_ref());
        push.is_some_and(|push| push.is_listening(member.user))
    }

    /// Those whose changes are notified are polled less often.
    fn set_pace(&mut self, user: ObjectId) {
        let Some(member) = self.roster.member(user) else { return };
        let pace = if self.is_notified(member) { Pace::Slow } else { Pace::Fast };
        self.roster.set_pace(user, pace);
    }

    /// A user was heard: the account that should tell of its changes learns whether this was one.
    pub(super) fn heard_with_push(&mut self, now: Instant, user: ObjectId, changed: bool, hint: bool) {
        let Some(index) = self.roster.member(user).and_then(|member| member.push) else { return };
        if changed
            && let Some(push) = self.accounts.get_mut(usize::from(index)).and_then(|account| account.push.as_mut())
        {
            push.found(now, user, hint);
        }
        self.set_pace(user);
    }
}
