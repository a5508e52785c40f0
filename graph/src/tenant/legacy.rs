//! What a run leaves to the next one of a tenant.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

use presence_core::{AccountMemory, NameMemory};

use super::Tenant;
use crate::ObjectId;

impl Tenant {
    /// Its id or domain.
    pub(crate) const fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The accounts that are not to be used for a while.
    pub(crate) fn held_accounts(&self, now: Instant) -> impl Iterator<Item = AccountMemory> {
        self.accounts.iter().filter_map(move |account| account.memory(now))
    }

    /// The names that are known, from this one on, with their users and until when that is taken for true.
    pub(crate) fn known_names<'a>(
        &'a self,
        now: Instant,
        start: Bound<&'a str>,
    ) -> impl Iterator<Item = (Arc<str>, Option<[u8; 16]>, Instant)> + 'a {
        let known = self.directory.known(now, start);
        known.map(|(name, user, until)| (Arc::clone(name), user.map(ObjectId::bytes), until))
    }

    /// Leaves an account alone as an earlier run was to.
    pub(crate) fn hold_account(&mut self, now: Instant, memory: &AccountMemory) {
        for account in self.accounts.iter_mut().filter(|account| account.name == memory.id) {
            account.resume(now, memory);
        }
        self.drive(now);
    }

    /// Takes over what an earlier run knew of a name.
    pub(crate) fn know(&mut self, now: Instant, name: &NameMemory) {
        self.directory.learn(now, &name.name, name.user.map(ObjectId::new), name.until);
    }
}
