//! The whole of Microsoft Graph as one machine: tenants, accounts, agents.

mod agents;
mod clock;
mod legacy;
mod types;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant, SystemTime};

use presence_core::{AgentUri, SubscriptionInput};
use secrecy::SecretString;

use crate::dice::Dice;
use crate::tenant::{Tenant, TenantEffect};
use crate::{Answer, ExchangeId, GraphAgentView, GraphCounters, GraphSettings, GraphView, Trouble};

use agents::{Agent, Place};
use clock::Clock;
pub use types::{GraphEffect, GraphInput, Report};

/// So long the end may take.
const FAREWELL: Duration = Duration::from_secs(2);
/// So many words that are not known are reported.
const MOST_UNKNOWN_WORDS: usize = 64;
/// So many characters of one.
const LONGEST_WORD: usize = 64;
/// A timer that is due already is armed so much later, that nothing can turn in place.
const BREATH: Duration = Duration::from_millis(1);

/// Keeps the presence of Teams users by polling, and where accounts allow it by change notifications.
///
/// After [`Graph::new`], [`Graph::handle`] and [`Graph::handle_timeout`] drain [`Graph::poll_effect`] to `None`, then ask
/// [`Graph::poll_timeout`] and arm one timer.
#[derive(Debug)]
pub struct Graph {
    settings: GraphSettings,
    tenants: Vec<Tenant>,
    agents: BTreeMap<AgentUri, Agent>,
    /// The tenants of agents who were found in another than the first that comes into question.
    homes: BTreeMap<AgentUri, u16>,
    /// The tenants that do not have a user whom we know by id only, and whom another tenant may have.
    absent_from: BTreeMap<AgentUri, Vec<u16>>,
    unknown_words: BTreeSet<(&'static str, String)>,
    clock: Clock,
    /// The tenants that have something to do.
    busy: BTreeSet<usize>,
    notices: u64,
    notices_dropped: u64,
    stopping_at: Option<Instant>,
    wake: Option<Instant>,
    wakes: u64,
    effects: VecDeque<GraphEffect>,
}

impl Graph {
    /// `wall` is the time of day at `now`; `seed` is for jitter and request ids; the hosts are those of the cloud, without
    /// scheme, for the scopes and audiences of tokens.
    #[must_use]
    pub fn new(
        now: Instant,
        wall: SystemTime,
        settings: GraphSettings,
        login_host: &str,
        graph_host: &str,
        seed: u64,
    ) -> Self {
        let mut dice = Dice::new(seed);
        let hosts = (login_host, graph_host);
        let tenant = |tenant| Tenant::new(now, wall, tenant, &settings, hosts, dice.throw());
        let tenants: Vec<Tenant> = settings.tenants.iter().map(tenant).collect();
        let busy = (0..tenants.len()).collect();
        let mut graph = Self {
            tenants,
            settings,
            agents: BTreeMap::new(),
            homes: BTreeMap::new(),
            absent_from: BTreeMap::new(),
            unknown_words: BTreeSet::new(),
            clock: Clock::new(now, wall),
            busy,
            notices: 0,
            notices_dropped: 0,
            stopping_at: None,
            wake: None,
            wakes: 0,
            effects: VecDeque::new(),
        };
        graph.settle(now);
        graph
    }

    /// Takes an input. Never fails; what does not fit is dropped.
    pub fn handle(&mut self, now: Instant, input: GraphInput) {
        self.do_what_is_due(now);
        match input {
            GraphInput::Register { uri, attempt } => self.register(now, uri, attempt),
            GraphInput::Unregister { uri, attempt } => self.unregister(now, &uri, attempt),
            GraphInput::Answered { exchange, result } => self.answered(now, exchange, &result),
            GraphInput::SecretLoaded { account, secret } => {
                if let Some(index) = self.tenants.iter().position(|tenant| tenant.has_account(&account)) {
                    self.tenants[index].secret_loaded(now, &account, secret);
                    self.busy.insert(index);
                }
            }
            GraphInput::Noticed(notices) => {
                for notice in notices {
                    self.notices += 1;
                    match self.tenants.iter_mut().position(|tenant| tenant.noticed(now, &notice)) {
                        Some(index) => _ = self.busy.insert(index),
                        None => self.notices_dropped += 1,
                    }
                }
            }
            GraphInput::Retry => {
                for (index, tenant) in self.tenants.iter_mut().enumerate() {
                    tenant.retry(now);
                    self.busy.insert(index);
                }
            }
            GraphInput::Stop => {
                self.stopping_at.get_or_insert(now);
                for (index, tenant) in self.tenants.iter_mut().enumerate() {
                    tenant.stop(now);
                    self.busy.insert(index);
                }
            }
        }
        self.settle(now);
    }

    /// Does what is due. A call before the deadline changes nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.do_what_is_due(now);
        self.settle(now);
    }

    fn do_what_is_due(&mut self, now: Instant) {
        self.wakes += 1;
        if self.wake.is_some_and(|wake| wake <= now) {
            self.wake = None;
            let wall = self.clock.wall(now);
            for (index, tenant) in self.tenants.iter_mut().enumerate() {
                tenant.handle_timeout(now, wall);
                self.busy.insert(index);
            }
        }
    }

    fn answered(&mut self, now: Instant, exchange: ExchangeId, result: &Result<Answer, Trouble>) {
        let tenants = self.tenants.len() as u64;
        let Some(index) = exchange.0.checked_rem(tenants).and_then(|index| usize::try_from(index).ok()) else { return };
        let date = result.as_ref().ok().and_then(|answer| answer.date.as_deref());
        let (wall, skew) = self.clock.told(now, date);
        self.effects.extend(skew.map(|seconds| GraphEffect::Report(Report::ClockSkew { seconds })));
        self.tenants[index].answered(now, wall, exchange.0 / tenants, result);
        self.busy.insert(index);
    }

    /// Lets the tenants that have something to do do it, and takes over what they want, until all are quiet.
    fn settle(&mut self, now: Instant) {
        while let Some(index) = self.busy.pop_first() {
            self.tenants[index].drive(now);
            while let Some(effect) = self.tenants[index].poll_effect() {
                self.take(now, index, effect);
            }
        }
        let tenants = self.tenants.iter().filter_map(|tenant| tenant.poll_timeout(now));
        let farewell = self.stopping_at.map(|at| at + FAREWELL).filter(|at| *at > now);
        let wake = if self.is_stopped(now) { None } else { tenants.chain(farewell).min() };
        self.wake = wake.map(|wake| wake.max(now + BREATH));
    }

    fn take(&mut self, now: Instant, index: usize, effect: TenantEffect) {
        match effect {
            TenantEffect::Send { number, account, request } => {
                let exchange = ExchangeId(number * self.tenants.len() as u64 + index as u64);
                self.effects.push_back(GraphEffect::Send { exchange, account, request });
            }
            TenantEffect::LoadSecret { account } => self.effects.push_back(GraphEffect::LoadSecret { account }),
            TenantEffect::StoreToken { account, token } => {
                self.effects.push_back(GraphEffect::StoreToken { account, token });
            }
            TenantEffect::Report(report) => {
                let is_up = matches!(report, Report::TenantUp { .. });
                self.effects.push_back(GraphEffect::Report(report));
                if is_up {
                    self.look_elsewhere(now);
                }
            }
            TenantEffect::Down => self.look_elsewhere(now),
            TenantEffect::UnknownWords([availability, activity]) => {
                self.note_word("availability", availability);
                self.note_word("activity", activity);
            }
            TenantEffect::Found { uri, outcome } => self.found(now, index, &uri, outcome),
            TenantEffect::Heard { uri, status } => {
                self.absent_from.remove(&uri);
                self.feed(&uri, |attempt| SubscriptionInput::Notified { attempt, status: Some(status), expires: None });
            }
            TenantEffect::Doubted { uri } => self.feed(&uri, |attempt| SubscriptionInput::Doubted { attempt }),
            TenantEffect::Lost { uri, failure, was_heard } => self.lost(now, index, &uri, failure, was_heard),
        }
    }

    fn note_word(&mut self, property: &'static str, word: Option<Box<str>>) {
        let Some(word) = word else { return };
        if self.unknown_words.len() >= MOST_UNKNOWN_WORDS {
            return;
        }
        let value: String = word.chars().take(LONGEST_WORD).collect();
        if self.unknown_words.insert((property, value.clone())) {
            self.effects.push_back(GraphEffect::Report(Report::UnknownValue { property, value }));
        }
    }

    /// The next thing to do.
    pub fn poll_effect(&mut self) -> Option<GraphEffect> {
        self.effects.pop_front()
    }

    /// When to call [`Graph::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.wake
    }

    /// True while a handshake of Microsoft's (`validationToken`) is to be answered: a subscription is being made, or was within
    /// the last minute.
    #[must_use]
    pub fn expects_handshake(&self, now: Instant) -> bool {
        self.tenants.iter().any(|tenant| tenant.expects_handshake(now))
    }

    /// What notifications prove themselves with, should one of ours come: what has another clientState need not be handed over.
    pub fn client_states(&self) -> impl Iterator<Item = SecretString> {
        self.tenants.iter().flat_map(Tenant::client_states)
    }

    /// Grows whenever [`Graph::client_states`] become others.
    #[must_use]
    pub fn generations(&self) -> u64 {
        self.tenants.iter().map(Tenant::generations).sum()
    }

    /// True after [`GraphInput::Stop`], when nothing of ours is left at Microsoft or it has been tried for two seconds.
    #[must_use]
    pub fn is_stopped(&self, now: Instant) -> bool {
        self.stopping_at.is_some_and(|at| now >= at + FAREWELL || self.tenants.iter().all(Tenant::is_stopped))
    }

    /// How it looks to an operator.
    #[must_use]
    pub fn view(&self, now: Instant) -> GraphView {
        let own =
            GraphCounters { notices: self.notices, notices_dropped: self.notices_dropped, ..GraphCounters::default() };
        let counters = self.tenants.iter().fold(own, |sum, tenant| sum.plus(tenant.counters()));
        let kept = self.homes.len() + self.absent_from.len() + self.unknown_words.len();
        let kept = self.tenants.iter().fold(kept, |sum, tenant| sum + tenant.kept());
        let tenants = self.tenants.iter().map(|tenant| tenant.view(now)).collect();
        GraphView { tenants, counters, wakes: self.wakes, kept }
    }

    /// What it knows of one agent; none when it is not registered.
    #[must_use]
    pub fn inspect(&self, uri: &AgentUri) -> Option<GraphAgentView> {
        let agent = self.agents.get(uri)?;
        Some(match agent.place {
            Place::Member(user) => self.tenants[usize::from(agent.tenant)].inspect(user),
            Place::LookingUp { .. } => {
                GraphAgentView { tenant: None, object_id: None, account: None, notified: false, heard_at: None }
            }
        })
    }
}
