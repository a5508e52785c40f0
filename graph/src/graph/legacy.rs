//! What a run leaves to the next one: whom Microsoft asked not to be asked, and who is who.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

use presence_core::{GraphMemory, NameMemory};

use super::Graph;

/// So many names are told at once.
const NAMES: usize = 2_048;

impl Graph {
    /// The next names that are known, those after this tenant and name, and with the first of them the accounts that are
    /// not to be used for a while. Nothing more is known when there is no name among it.
    #[must_use]
    pub fn memory(&self, now: Instant, after: Option<(&str, &str)>) -> GraphMemory {
        let mut memory = GraphMemory::default();
        let (first, mut after) = (after.map(|(tenant, _)| tenant), after);
        let tenants = self.tenants.iter().skip_while(|tenant| first.is_some_and(|id| id != &**tenant.id()));
        if after.is_none() {
            memory.accounts = self.tenants.iter().flat_map(|tenant| tenant.held_accounts(now)).collect();
        }
        for tenant in tenants {
            let start = after.take().map_or(Bound::Unbounded, |(_, name)| Bound::Excluded(name));
            let names = tenant.known_names(now, start).take(NAMES - memory.names.len());
            let known = |(name, user, until)| NameMemory { tenant: Arc::clone(tenant.id()), name, user, until };
            memory.names.extend(names.map(known));
            if memory.names.len() >= NAMES {
                break;
            }
        }
        memory
    }

    /// Goes on with what an earlier run knew. Call it before anything else.
    pub fn resume(&mut self, now: Instant, memory: &GraphMemory) {
        let mut names: Vec<_> = memory.names.iter().collect();
        // What is forgotten first is learned first.
        names.sort_by_key(|name| name.until);
        for tenant in &mut self.tenants {
            for account in &memory.accounts {
                tenant.hold_account(now, account);
            }
            let id = Arc::clone(tenant.id());
            for name in names.iter().filter(|name| name.tenant == id) {
                tenant.know(now, name);
            }
        }
        self.settle(now);
    }
}
