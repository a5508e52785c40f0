//! One tenant: its users, who is polled, and the accounts that ask.

mod answers;
mod bisect;
mod exchanges;
mod legacy;
mod pushing;
mod sending;
mod standing;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use presence_core::{AgentUri, Failure, Status};
use secrecy::SecretString;

use crate::account::Account;
use crate::dice::Dice;
use crate::directory::Directory;
use crate::roster::{Gather, Roster};
use crate::{
    Answer, CredentialEffect, GraphAgentView, GraphCounters, GraphSettings, ObjectId, Report, Request, Secret,
    TenantSettings, Trouble,
};

use bisect::Bisects;
use exchanges::{Exchange, Exchanges, Purpose};
use standing::Standing;

/// What a tenant wants done, or has found out.
#[derive(Debug)]
pub(crate) enum TenantEffect {
    /// Send a request; the answer comes back under this number.
    Send { number: u64, account: Arc<str>, request: Request },
    /// Read an account's secret.
    LoadSecret { account: Arc<str> },
    /// Keep an account's refresh token.
    StoreToken { account: Arc<str>, token: SecretString },
    /// Whose user an agent is, or that this tenant has none.
    Found { uri: AgentUri, outcome: Result<ObjectId, Failure> },
    /// An agent's presence is to be told.
    Heard { uri: AgentUri, status: Status },
    /// Nobody vouches for an agent's presence any more.
    Doubted { uri: AgentUri },
    /// The agent itself has failed and is not polled any more. `was_heard`: it was in an answer before.
    Lost { uri: AgentUri, failure: Failure, was_heard: bool },
    /// The tenant cannot be asked (any more).
    Down,
    /// To be reported.
    Report(Report),
    /// Words of Microsoft's that are not known.
    UnknownWords([Option<Box<str>>; 2]),
}

/// Keeps the presence of the agents of one tenant.
///
/// ```text
///  look_up --> Directory --Found--> join --> Roster --turns, gathered--> presence requests --> hear --> Heard, Lost
///                                              ^                              |
///                                              +--- batches, sticky: ----> Account (token, pace, breaker, push)
/// ```
///
/// What an account cannot ask another one does. When none can, the tenant is down: its agents are doubted, nothing is counted
/// against any of them, and all have been asked for within one sweep after the first account can ask again.
#[derive(Debug)]
pub(crate) struct Tenant {
    id: Arc<str>,
    accounts: Vec<Account>,
    directory: Directory,
    roster: Roster,
    /// Who was never asked for.
    fresh: Gather,
    /// Who changed, as a notification told.
    hints: Gather,
    bisects: Bisects,
    exchanges: Exchanges,
    standing: Standing,
    requests_per_second: std::num::NonZeroU32,
    /// When the roster is looked through for answers that are too old.
    doubt_at: Option<Instant>,
    /// When users who have no notifications are offered them again.
    push_check_at: Option<Instant>,
    /// How many accounts more were last reported to be wanted for notifications.
    accounts_wanted: usize,
    stopping_at: Option<Instant>,
    turns: u64,
    sweep: std::time::Duration,
    counters: GraphCounters,
    dice: Dice,
    effects: VecDeque<TenantEffect>,
}

impl Tenant {
    /// `hosts`: the login host and Graph's.
    pub(crate) fn new(
        now: Instant,
        wall: SystemTime,
        settings: &TenantSettings,
        graph: &GraphSettings,
        hosts: (&str, &str),
        seed: u64,
    ) -> Self {
        let mut dice = Dice::new(seed);
        let id = settings.id.clone();
        let account = |account| Account::new((now, wall), &id, account, graph, hosts, &mut dice);
        let accounts = settings.accounts.iter().map(account).collect();
        let mut tenant = Self {
            id,
            accounts,
            directory: Directory::new(dice.throw(), graph.forget_unknown_after),
            roster: Roster::new(graph.sweep, graph.slow_sweep),
            fresh: Gather::default(),
            hints: Gather::default(),
            bisects: Bisects::default(),
            exchanges: Exchanges::default(),
            standing: Standing::new(),
            requests_per_second: graph.requests_per_second,
            doubt_at: None,
            push_check_at: None,
            accounts_wanted: 0,
            stopping_at: None,
            turns: 0,
            sweep: graph.sweep,
            counters: GraphCounters::default(),
            dice,
            effects: VecDeque::new(),
        };
        tenant.drive(now);
        tenant
    }

    /// Whose user is this agent? Comes back as [`TenantEffect::Found`].
    pub(crate) fn look_up(&mut self, now: Instant, uri: &AgentUri) {
        self.directory.ask(now, uri);
    }

    /// The agent is this user and is polled from now on. What is known already and vouched for is its present value.
    pub(crate) fn join(&mut self, now: Instant, user: ObjectId, uri: &AgentUri) -> Option<Status> {
        if !self.roster.join(user, uri) {
            return self.roster.present(user);
        }
        self.fresh.add(now, user);
        self.offer_push(now, user);
        None
    }

    /// The value of a user that is vouched for now.
    pub(crate) fn present(&self, user: ObjectId) -> Option<Status> {
        self.roster.present(user)
    }

    /// Nobody wants to know whose user the agent is.
    pub(crate) fn forget(&mut self, uri: &AgentUri) {
        self.directory.forget(uri);
    }

    /// Nobody wants the agent, who is this user.
    pub(crate) fn leave(&mut self, now: Instant, user: ObjectId, uri: &AgentUri) {
        let push = self.roster.member(user).and_then(|member| member.push);
        if self.roster.leave(user, uri) {
            self.forget_user(now, user, push);
        }
    }

    /// The user is in the roster no more.
    fn forget_user(&mut self, now: Instant, user: ObjectId, push: Option<u16>) {
        self.fresh.remove(user);
        self.hints.remove(user);
        if let Some(push) = push.and_then(|push| self.accounts.get_mut(usize::from(push))?.push.as_mut()) {
            push.release(now, user);
        }
        if self.roster.is_empty() {
            self.doubt_at = None;
        }
    }

    /// The user fails: its agents are told and not polled any more.
    fn lose(&mut self, now: Instant, user: ObjectId, failure: &Failure) {
        let Some(member) = self.roster.member(user) else { return };
        let (push, was_heard) = (member.push, member.heard_at.is_some());
        for uri in self.roster.remove(user) {
            self.directory.distrust(&uri);
            self.effects.push_back(TenantEffect::Lost { uri, failure: failure.clone(), was_heard });
        }
        self.forget_user(now, user, push);
    }

    /// What is known of the user that an agent is.
    pub(crate) fn inspect(&self, user: ObjectId) -> GraphAgentView {
        let member = self.roster.member(user);
        let account = self.roster.account_of(user).and_then(|index| self.accounts.get(index));
        GraphAgentView {
            tenant: Some(self.id.clone()),
            object_id: Some(user),
            account: account.map(|account| account.name.clone()),
            notified: member.is_some_and(|member| self.is_notified(member)),
            heard_at: member.and_then(|member| member.heard_at),
        }
    }

    /// The secret of an account, if it is one of ours.
    pub(crate) fn secret_loaded(&mut self, now: Instant, account: &str, secret: Result<Secret, String>) {
        if let Some(account) = self.accounts.iter_mut().find(|known| &*known.name == account) {
            account.secret_loaded(now, secret);
        }
    }

    /// True when it has an account of this name.
    pub(crate) fn has_account(&self, name: &str) -> bool {
        self.accounts.iter().any(|account| &*account.name == name)
    }

    /// What came of a request; `wall` is the time of day.
    pub(crate) fn answered(&mut self, now: Instant, wall: SystemTime, number: u64, result: &Result<Answer, Trouble>) {
        if let Some(exchange) = self.exchanges.close(number) {
            self.take_answer(now, wall, number, exchange, result);
        }
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant, wall: SystemTime) {
        while let Some((number, exchange)) = self.exchanges.overdue(now) {
            let trouble = Trouble::Timeout(exchange.timeout);
            self.take_answer(now, wall, number, exchange, &Err(trouble));
        }
        for account in &mut self.accounts {
            if account.handle_timeout(now) {
                self.effects.push_back(TenantEffect::LoadSecret { account: account.name.clone() });
            }
        }
        if self.doubt_at.is_some_and(|at| at <= now) {
            self.doubt(now, false);
        }
        if self.push_check_at.is_some_and(|at| at <= now) {
            self.check_push(now);
        }
    }

    /// A person wants every account tried again now.
    pub(crate) fn retry(&mut self, now: Instant) {
        self.accounts.iter_mut().for_each(|account| account.retry(now));
    }

    /// Everything ends.
    pub(crate) fn stop(&mut self, now: Instant) {
        if self.stopping_at.is_none() {
            self.stopping_at = Some(now);
            for push in self.accounts.iter_mut().filter_map(|account| account.push.as_mut()) {
                push.stop(now);
            }
        }
    }

    /// True when nothing of ours is left at Microsoft.
    pub(crate) fn is_stopped(&self) -> bool {
        self.accounts.iter().filter_map(|account| account.push.as_ref()).all(crate::push::Push::is_stopped)
    }

    /// Does everything that can be done now. After every call that changes something, before the effects are polled.
    pub(crate) fn drive(&mut self, now: Instant) {
        loop {
            self.drive_credentials(now);
            self.drive_push(now);
            while let Some(found) = self.directory.poll_found() {
                self.effects.push_back(TenantEffect::Found { uri: found.uri, outcome: found.outcome });
            }
            if !self.send_next(now) {
                break;
            }
        }
        self.judge(now);
    }

    fn drive_credentials(&mut self, now: Instant) {
        let is_busy = !self.roster.is_empty() || self.directory.waiting() > 0;
        for (index, account) in self.accounts.iter_mut().enumerate() {
            if (is_busy || account.push.is_some()) && self.stopping_at.is_none() {
                account.credential.want(now);
            }
            while let Some((effect, report)) = account.poll_credential(now) {
                let name = account.name.clone();
                match effect {
                    CredentialEffect::LoadSecret => {
                        self.effects.push_back(TenantEffect::LoadSecret { account: name });
                    }
                    CredentialEffect::StoreToken(token) => {
                        self.effects.push_back(TenantEffect::StoreToken { account: name, token });
                    }
                    CredentialEffect::Send(request) => {
                        self.counters.token_requests += 1;
                        let number = self.exchanges.open(now, Exchange::new(index, Purpose::Token, &request));
                        self.effects.push_back(TenantEffect::Send { number, account: name, request });
                    }
                    CredentialEffect::Ready | CredentialEffect::Failed(_) => {}
                }
                self.effects.extend(report.map(TenantEffect::Report));
            }
        }
    }

    /// The next thing to do.
    pub(crate) fn poll_effect(&mut self) -> Option<TenantEffect> {
        self.effects.pop_front()
    }

    /// How many entries it keeps that are no agent's.
    pub(crate) fn kept(&self) -> usize {
        let gathered = self.fresh.len() + self.hints.len();
        self.directory.kept() + self.exchanges.len() + self.bisects.len() + gathered + self.effects.len()
    }

    /// What was counted.
    pub(crate) const fn counters(&self) -> &GraphCounters {
        &self.counters
    }
}
