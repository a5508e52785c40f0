//! A simulated Microsoft Graph: tokens, presence, users and change notifications, with scripted faults.
//!
//! [`GraphService`] is the pure machine: requests, outcomes of posts and time in; replies, posts and one deadline out.
//! It is written apart from what asks it (own reading and writing of every document), so that a mistake there is not
//! hidden by the same mistake here.

mod counters;
mod exchange;
mod settings;

use std::time::{Instant, SystemTime};

pub use counters::GraphCounters;
pub use exchange::{PostAnswer, ServiceAnswer, ServiceEffect, ServiceHost, ServiceReply, ServiceRequest};
pub use settings::{
    GraphServiceSettings, RetryAfterForm, ServiceAccount, ServiceCredential, ServiceTenant, ServiceUser, Strangers,
};

/// A simulated Microsoft Graph with its login host.
///
/// After each call with a `now`: drain [`Self::poll_effect`], then ask [`Self::poll_timeout`].
#[derive(Debug)]
pub struct GraphService {
    settings: GraphServiceSettings,
    counters: GraphCounters,
    start: Instant,
    wall: SystemTime,
}

impl GraphService {
    /// A service whose time of day at `now` is `wall`.
    #[must_use]
    pub fn new(now: Instant, wall: SystemTime, settings: GraphServiceSettings) -> Self {
        Self { settings, counters: GraphCounters::default(), start: now, wall }
    }

    /// What a request gets.
    pub fn request(&mut self, now: Instant, request: ServiceRequest) -> ServiceReply {
        let _ = (now, request);
        ServiceReply::Silence
    }

    /// The next thing to do.
    pub fn poll_effect(&mut self) -> Option<ServiceEffect> {
        None
    }

    /// What a POST of ours was answered with; `None`: nothing, or nobody could be reached.
    pub fn posted(&mut self, now: Instant, id: u64, answer: Option<PostAnswer>) {
        let _ = (now, id, answer);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }

    /// When to call [`Self::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// A user's presence changes now; `user` is an object id or a userPrincipalName. False: nobody is known by that.
    pub fn set_presence(&mut self, now: Instant, user: &str, availability: &str, activity: &str) -> bool {
        let _ = (now, user, availability, activity, &self.settings, self.wall, self.start);
        false
    }

    /// Carries out a command (`help` lists them): a fault, its end, or a change.
    ///
    /// # Errors
    /// What is wrong with it, and its form.
    pub fn command(&mut self, now: Instant, line: &str) -> Result<String, String> {
        let _ = now;
        Err(format!("no command `{line}`"))
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> GraphCounters {
        self.counters.clone()
    }

    /// Every secret that was given out or shown to the service since the start (client secrets, tokens, device codes,
    /// clientState), for a test that looks for them where they must not be. At most 10,000.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        Vec::new()
    }
}
