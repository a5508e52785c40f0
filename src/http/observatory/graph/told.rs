//! Tenants, accounts and their change notifications as the API tells them, with a sentence each.

use std::time::Instant;

use presence_graph::{AccountState, AccountView, PushState, PushView, TenantView, remedy};

use super::super::words::{Clock, counted, spoken};
use super::brief;
use crate::http::convert::{moment, seconds, seconds_between};
use crate::http::model::{GraphAccount, GraphAccountState, GraphPush, GraphTenant};

/// What telling needs beside the views.
pub(super) struct Teller<'a> {
    /// Now.
    pub(super) now: Instant,
    /// How a moment is told.
    pub(super) clock: Clock<'a>,
    /// Since when a tenant is as it is.
    pub(super) since: &'a dyn Fn(&str) -> Option<Instant>,
    /// Whether only a person can mend an account.
    pub(super) needs_a_person: &'a dyn Fn(&str) -> bool,
}

impl Teller<'_> {
    /// ` Next attempt in 42 s at 14:05:49.`
    fn next(&self, instant: Instant) -> String {
        if instant <= self.now {
            return " It is being tried now.".to_owned();
        }
        format!(" Next attempt in {} at {}.", spoken(instant - self.now), (self.clock)(instant))
    }

    pub(super) fn tenant(&self, view: &TenantView) -> GraphTenant {
        let retry_at = view.retry_at.filter(|_| !view.up);
        GraphTenant {
            tenant: view.id.as_ref().to_owned(),
            up: view.up,
            since: (self.since)(&view.id).map(moment),
            says: self.tenant_says(view),
            last_failure: view.last_failure.as_ref().map(Into::into),
            retry_at: retry_at.map(moment),
            retry_in: retry_at.map(|at| seconds_between(self.now, at)),
            agents: view.agents,
            looking_up: view.looking_up,
            batches: view.batches,
            sweep: seconds(view.sweep),
            swept_at: view.swept_at.map(moment),
            accounts: view.accounts.iter().map(|account| self.account(account)).collect(),
        }
    }

    fn tenant_says(&self, view: &TenantView) -> String {
        let agents = counted(view.agents, "agent");
        let looking_up = match view.looking_up {
            0 => String::new(),
            1 => " 1 is being looked up.".to_owned(),
            many => format!(" {many} are being looked up."),
        };
        match (view.up, view.agents + view.looking_up, &view.last_failure) {
            (true, 0, _) | (false, 0, None) => "No queue asks for an agent of it.".to_owned(),
            (true, _, _) if view.agents == 0 => looking_up.trim_start().to_owned(),
            (true, _, _) => {
                let are = if view.agents == 1 { "is" } else { "are" };
                let requests = counted(view.batches, "request");
                format!("{agents} {are} asked for every {} in {requests}.{looking_up}", spoken(view.sweep))
            }
            (false, _, None) => "It has not answered yet.".to_owned(),
            (false, _, Some(failure)) => {
                let since = (self.since)(&view.id).map(|since| format!(" since {}", (self.clock)(since)));
                let keep = match view.agents {
                    0 => String::new(),
                    1 => "; its agent keeps its last presence as stale".to_owned(),
                    _ => format!("; its {agents} keep their last presence as stale"),
                };
                let next = view.retry_at.map(|at| self.next(at)).unwrap_or_default();
                format!("Cannot be asked{}: {}{keep}.{next}", since.unwrap_or_default(), brief(failure))
            }
        }
    }

    fn account(&self, view: &AccountView) -> GraphAccount {
        let needs_a_person = (self.needs_a_person)(&view.name);
        let (state, failed) = match &view.state {
            AccountState::Starting => (GraphAccountState::Starting, None),
            AccountState::Working => (GraphAccountState::Working, None),
            AccountState::Failed { failure, retry_at } => (GraphAccountState::Failed, Some((failure, *retry_at))),
        };
        let says = match (&failed, state) {
            (Some((failure, at)), _) => {
                let what = remedy(failure).filter(|_| needs_a_person).map(|what| format!(" To do: {what}."));
                let who = if needs_a_person { " Only a person can mend that." } else { "" };
                let cannot =
                    if failure.code == Some(429) { "Microsoft asks for fewer requests" } else { "Cannot be used" };
                let next = self.next(*at);
                format!("{cannot}: {}.{who}{}{next}", brief(failure), what.unwrap_or_default())
            }
            (None, GraphAccountState::Starting) => "It has no token yet.".to_owned(),
            (None, _) if view.batches == 0 => "It works, and has nothing to ask for.".to_owned(),
            (None, _) => format!("It works: {} of each sweep.", counted(view.batches, "request")),
        };
        GraphAccount {
            account: view.name.as_ref().to_owned(),
            kind: view.kind.into(),
            state,
            says,
            needs_a_person: needs_a_person && failed.is_some(),
            failure: failed.map(|(failure, _)| failure.into()),
            retry_at: failed.map(|(_, at)| moment(at)),
            retry_in: failed.map(|(_, at)| seconds_between(self.now, at)),
            token_until: view.token_until.map(moment),
            batches: view.batches,
            requests: view.requests,
            throttled: view.throttled,
            push: view.push.as_ref().map(|push| self.push(push)),
        }
    }

    fn push(&self, view: &PushView) -> GraphPush {
        let users = counted(view.users, "user");
        let says = match view.state {
            PushState::Idle if view.users == 0 => "There is nobody to be notified of.".to_owned(),
            PushState::Idle => format!("Changes of {users} will be notified when the account works."),
            PushState::Subscribing => format!("The subscription for {users} is being made."),
            PushState::Listening => {
                let until = view.expires_at.map(|at| format!(" until {}, and renewed before", (self.clock)(at)));
                format!("Changes of {users} are notified{}.", until.unwrap_or_default())
            }
            PushState::Deaf => {
                "The subscription stands, but changes are found that it does not tell; its agents are asked for as often \
                 as without it, and it is made anew."
                    .to_owned()
            }
            PushState::BackingOff => {
                "It cannot be had for now; its agents are asked for as often as without it.".to_owned()
            }
            PushState::Contested => {
                "Another process has this account's notifications: each process needs accounts of its own. Its agents are \
                 asked for as often as without it."
                    .to_owned()
            }
        };
        GraphPush {
            state: view.state.into(),
            says,
            users: view.users,
            expires: view.expires_at.map(moment),
            notices: view.notices,
            missed: view.missed,
        }
    }
}
