//! A simulated Microsoft Graph: tokens, presence, users and change notifications, with scripted faults.
//!
//! [`GraphService`] is the pure machine: requests, outcomes of posts and time in; replies, posts and one deadline out.
//! It is written apart from what asks it (own reading and writing of every document), so that a mistake there is not
//! hidden by the same mistake here.

mod address;
mod answers;
mod assertion;
mod command;
mod counters;
mod device_code;
mod exchange;
mod faults;
mod filter;
mod lookups;
mod notices;
mod people;
mod presences;
mod requests;
mod serve;
mod settings;
mod subscriptions;
mod tokens;
mod words;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant, SystemTime};

use crate::Dice;
pub use counters::GraphCounters;
use counters::Second;
pub use exchange::{PostAnswer, ServiceAnswer, ServiceEffect, ServiceHost, ServiceReply, ServiceRequest};
use faults::Faults;
use notices::{Parcels, Posted};
use people::{STATES, Tenant};
pub use serve::{GraphServer, GraphServerHandle};
pub use settings::{
    GraphServiceSettings, RetryAfterForm, ServiceAccount, ServiceCredential, ServiceTenant, ServiceUser, Strangers,
};
use subscriptions::{Held, Subscription};
use tokens::{Tokens, Who};

/// Users on a page when nobody says.
const PAGE: usize = 100;

/// A simulated Microsoft Graph with its login host.
///
/// ```text
///  request ----> [fault?] ---> [token: who?] ---> [throttle] ---> answer
///                                                            \--> held: Post (handshake) --posted--> Answer
///  change of presence ---> gathered ---> Post ---posted---> done | again later
/// ```
///
/// After each call with a `now`: drain [`Self::poll_effect`], then ask [`Self::poll_timeout`].
#[derive(Debug)]
pub struct GraphService {
    settings: GraphServiceSettings,
    tenants: Vec<Tenant>,
    tokens: Tokens,
    subscriptions: BTreeMap<String, Subscription>,
    held: BTreeMap<u64, Held>,
    /// Posts on their way, and until when they may be.
    posts: BTreeMap<u64, (Instant, Posted)>,
    parcels: Parcels,
    faults: Faults,
    counters: GraphCounters,
    rate: Second,
    rates: BTreeMap<Who, Second>,
    /// Requests of one application to one tenant within the throttle's window.
    recent: BTreeMap<(usize, String), VecDeque<Instant>>,
    effects: VecDeque<ServiceEffect>,
    dice: Dice,
    last_number: u64,
    page_size: usize,
    next_change: Option<Instant>,
    start: Instant,
    wall: SystemTime,
}

impl GraphService {
    /// A service whose time of day at `now` is `wall`.
    #[must_use]
    pub fn new(now: Instant, wall: SystemTime, mut settings: GraphServiceSettings) -> Self {
        let tenants: Vec<Tenant> = std::mem::take(&mut settings.tenants).into_iter().map(Tenant::new).collect();
        let mut tokens = Tokens::default();
        for (number, tenant) in tenants.iter().enumerate() {
            for (account, known) in tenant.accounts.iter().enumerate() {
                match &known.credential {
                    ServiceCredential::User(Some(token)) => tokens.start(token, Who { tenant: number, account }),
                    ServiceCredential::Secret(secret) => tokens.remember(secret),
                    ServiceCredential::User(None) | ServiceCredential::Certificate(_) => {}
                }
            }
        }
        let mut service = Self {
            dice: Dice::new(settings.seed),
            settings,
            tenants,
            tokens,
            subscriptions: BTreeMap::new(),
            held: BTreeMap::new(),
            posts: BTreeMap::new(),
            parcels: Parcels::new(),
            faults: Faults::default(),
            counters: GraphCounters::default(),
            rate: Second::default(),
            rates: BTreeMap::new(),
            recent: BTreeMap::new(),
            effects: VecDeque::new(),
            last_number: 0,
            page_size: PAGE,
            next_change: None,
            start: now,
            wall,
        };
        service.next_change = service.wait().map(|wait| now + wait);
        service
    }

    /// The next thing to do.
    pub fn poll_effect(&mut self) -> Option<ServiceEffect> {
        self.effects.pop_front()
    }

    /// What a POST of ours was answered with; `None`: nothing, or nobody could be reached.
    pub fn posted(&mut self, now: Instant, id: u64, answer: Option<PostAnswer>) {
        self.settle(now);
        self.outcome(now, id, answer.as_ref());
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.settle(now);
    }

    /// When to call [`Self::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let posts = self.posts.values().map(|(until, _)| *until).min();
        let parcel = self.parcels.first_key_value().map(|((due, _), _)| *due);
        [self.next_change, posts, parcel].into_iter().flatten().min()
    }

    /// A user's presence changes now; `user` is an object id, a userPrincipalName or an address. False: nobody is known
    /// by that.
    pub fn set_presence(&mut self, now: Instant, user: &str, availability: &str, activity: &str) -> bool {
        self.settle(now);
        let Some(user) = self.someone(user) else { return false };
        self.change(now, user, availability.to_owned().into(), activity.to_owned().into());
        true
    }

    /// A user's presence and its stamp: availability, activity, sequenceNumber.
    #[must_use]
    pub fn presence_of(&self, user: &str) -> Option<(String, String, String)> {
        let (tenant, user) = self.someone(user)?;
        let state = &self.tenants.get(tenant)?.users.get(user)?.now;
        Some((state.availability.to_string(), state.activity.to_string(), state.stamp()))
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> GraphCounters {
        let mut counters = self.counters.clone();
        counters.live_subscriptions = self.subscriptions.len();
        counters.users_per_subscription = self.subscriptions.values().map(|known| known.users.len()).collect();
        counters
    }

    /// Every secret that was given out or shown to the service since the start (client secrets, tokens, device codes,
    /// clientState), for a test that looks for them where they must not be. At most 10,000.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        self.tokens.secrets()
    }

    /// Does what time brought.
    fn settle(&mut self, now: Instant) {
        while let Some(due) = self.next_change.filter(|due| *due <= now) {
            self.move_someone(due);
            self.next_change = self.wait().map(|wait| due + wait);
        }
        let late: Vec<u64> = self.posts.iter().filter(|(_, (until, _))| *until <= now).map(|(id, _)| *id).collect();
        for id in late {
            self.outcome(now, id, None);
        }
        let wall = self.wall(now);
        self.subscriptions.retain(|_, known| known.expires > wall);
        self.deliver(now);
    }

    /// How long until someone moves: everyone moves once per interval on average.
    fn wait(&mut self) -> Option<Duration> {
        let users: usize = self.tenants.iter().map(|tenant| tenant.users.len()).sum();
        let interval = self.settings.change_interval.filter(|_| users > 0)?;
        let mean = interval / u32::try_from(users).unwrap_or(u32::MAX);
        Some(self.dice.wait(mean).max(Duration::from_micros(1)))
    }

    fn move_someone(&mut self, at: Instant) {
        let users: usize = self.tenants.iter().map(|tenant| tenant.users.len()).sum();
        let mut number = usize::try_from(self.dice.below(u64::try_from(users).unwrap_or(0))).unwrap_or(0);
        let state = usize::try_from(self.dice.below(STATES.len() as u64)).unwrap_or(0);
        let (availability, activity) = STATES[state];
        for tenant in 0..self.tenants.len() {
            let here = self.tenants[tenant].users.len();
            if number < here {
                self.change(at, (tenant, number), availability.into(), activity.into());
                return;
            }
            number -= here;
        }
    }

    fn someone(&self, name: &str) -> Option<(usize, usize)> {
        self.tenants.iter().enumerate().find_map(|(number, tenant)| Some((number, tenant.named(name)?)))
    }

    /// The time of day.
    fn wall(&self, now: Instant) -> SystemTime {
        self.wall + now.saturating_duration_since(self.start)
    }

    /// The same by its own clock, which may be wrong.
    fn told_wall(&self, now: Instant) -> SystemTime {
        self.told(self.wall(now))
    }

    /// A time of day by its own clock.
    fn told(&self, time: SystemTime) -> SystemTime {
        let skew = Duration::from_secs(self.faults.skew.unsigned_abs());
        if self.faults.skew < 0 { time.checked_sub(skew).unwrap_or(SystemTime::UNIX_EPOCH) } else { time + skew }
    }

    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn guid(&mut self) -> String {
        let (first, second) = (self.dice.word(), self.dice.word());
        format!("{}-{}-4{}-8{}-{}", &first[..8], &first[8..12], &first[13..], &second[..3], &second[4..])
    }
}
