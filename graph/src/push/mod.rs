//! One account's change notifications.

mod answers;
mod client_state;
mod hearing;
mod news;
mod pace;
mod requests;
mod state;
#[cfg(test)]
mod tests;
mod timers;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use presence_core::Failure;

use self::client_state::ClientStates;
use self::pace::Pace;
use self::requests::Asked;
use self::state::{Ear, Listing, Standing, State};
use secrecy::SecretString;

use crate::dice::Dice;
use crate::{NotificationSettings, ObjectId, PushState, PushView};

/// So many users a subscription is about at most; Microsoft takes 650.
const MOST_USERS: usize = 600;
/// So long new users are gathered before the subscription is made anew.
const GATHER: Duration = Duration::from_secs(10);
/// So long users that are not wanted any more may stay in the subscription: it is not made anew for each of them.
const GATHER_LEAVING: Duration = Duration::from_secs(10 * 60);
/// So long after its creation a subscription's handshake is still answered.
const HANDSHAKE: Duration = Duration::from_secs(60);
/// So long the end may take.
const FAREWELL: Duration = Duration::from_secs(2);
/// So long after a request was not sent it is given again, and so often it is reminded of one that nobody takes.
const REMIND: Duration = Duration::from_secs(1);
/// So soon after a subscription vanished it may vanish again; sooner it is waited.
const VANISHES_EVERY: Duration = Duration::from_secs(10 * 60);
/// So long a deaf subscription is watched before it is made anew the first time: two sweeps.
const DEAF_FOR: Duration = Duration::from_secs(10);

/// What the change notifications of an account want done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PushEffect {
    /// This user's presence may have changed: ask for it soon.
    Fetch(ObjectId),
    /// Changes of its users may have been missed: ask for all of them soon.
    PollUsers,
    /// It is in another state, or something went wrong.
    Report {
        /// The state.
        state: PushState,
        /// Why, where there is a reason.
        failure: Option<Failure>,
    },
}

/// Keeps one account's subscription to change notifications: at most 600 users, one subscription, one request at a time.
///
/// ```text
///        users, 10 s, first time        none of ours, or all deleted        201
///  Idle -----------------------> Listing ---------> Creating -------------------------> Standing
///   ^                            |   ^                 ^ | 409, first time            Listening
///   |                       ours |   +-----------------|-+   (list, delete, again)      |  ^  three changes
///   |                            v                     |                                v  |  that it missed
///   |                         Clearing ----------------+                               Deaf
///   |                                                  |                                |
///   | nobody is wanted                                 | DELETE is done                 | other users (10 s), deaf for
///   +--------------------------------------------------+------------- Deleting <--------+ two sweeps, nobody, the end
///
///  409 again -> Contested --(15 min to 8 h)--> Listing        stop, and nothing is left, or 2 s -> Stopped
///  400, 403, 429, 5xx, no answer -> BackingOff --> Listing, or Creating when it is known that there is none
///  renewal 404, removed, the end of its life: Standing -> Creating; twice within 10 minutes -> BackingOff
/// ```
///
/// Rules that the diagram does not show:
///
/// - Without a usable account nothing is asked; what stands goes on until its end.
/// - What exists at Microsoft is asked before the first creation, and after every creation whose outcome is not known.
/// - Renewals (PATCH) go on in Standing, deaf or not: after 40 of 58 minutes, then at 45, 50 and 54.
/// - Users that are added wait for 10 seconds; users that only leave for 10 minutes. After every creation all are asked for.
///
/// After each call that takes `&mut self` and a time drain [`Push::poll_effect`], ask [`Push::next_request`], then
/// [`Push::poll_timeout`].
#[derive(Debug)]
pub(crate) struct Push {
    url: String,
    client_states: ClientStates,
    dice: Dice,
    state: State,
    users: BTreeSet<ObjectId>,
    is_usable: bool,
    /// The request that is under way.
    outstanding: Option<Asked>,
    /// No request before.
    not_before: Option<Instant>,
    /// When to be reminded of a request that is due and was not asked for.
    remind_at: Instant,
    /// When the users of the subscription are compared with those that are wanted.
    gathered_at: Option<Instant>,
    /// True when it is known which subscriptions of ours there are.
    is_listed: bool,
    /// A subscription was asked for since the start.
    has_asked: bool,
    /// At the end it has been asked once what there is.
    has_listed_at_the_end: bool,
    generation: u64,
    handshake_until: Option<Instant>,
    /// When it is over, however far it is.
    stop_at: Option<Instant>,
    /// Microsoft's time of day at some moment of ours.
    clock: Option<(Instant, SystemTime)>,
    vanished_at: Option<Instant>,
    quick: Pace,
    refused: Pace,
    slow: Pace,
    deaf: Pace,
    deaf_before: bool,
    notices: u64,
    missed: u64,
    reported: PushState,
    effects: VecDeque<PushEffect>,
}

impl Push {
    /// The notifications of this account (`Id`) of this tenant (TenantId); `seed` is for jitter and request ids.
    pub(crate) fn new(
        now: Instant,
        tenant: Arc<str>,
        account: Arc<str>,
        settings: NotificationSettings,
        seed: u64,
    ) -> Self {
        Self {
            url: settings.url,
            client_states: ClientStates::new(settings.key, tenant, account),
            dice: Dice::new(seed),
            state: State::Idle,
            users: BTreeSet::new(),
            is_usable: false,
            outstanding: None,
            not_before: None,
            remind_at: now,
            gathered_at: None,
            is_listed: false,
            has_asked: false,
            has_listed_at_the_end: false,
            generation: 0,
            handshake_until: None,
            stop_at: None,
            clock: None,
            vanished_at: None,
            quick: Pace::QUICK,
            refused: Pace::REFUSED,
            slow: Pace::SLOW,
            deaf: Pace::SLOW,
            deaf_before: false,
            notices: 0,
            missed: 0,
            reported: PushState::Idle,
            effects: VecDeque::new(),
        }
    }

    /// This user's changes are to be notified. Without room (see [`Push::room`]) nothing changes.
    pub(crate) fn assign(&mut self, now: Instant, user: ObjectId) {
        if self.room() == 0 || !self.users.insert(user) {
            return;
        }
        let by = now + GATHER;
        self.gathered_at = Some(self.gathered_at.map_or(by, |at| at.min(by)));
        self.conclude(now, None);
    }

    /// This user's changes are not wanted any more.
    pub(crate) fn release(&mut self, now: Instant, user: ObjectId) {
        if !self.users.remove(&user) {
            return;
        }
        if let State::Standing(standing) | State::Deleting(standing) = &mut self.state {
            standing.hearing.forget(user);
        }
        let by = now + if self.users.is_empty() { GATHER } else { GATHER_LEAVING };
        self.gathered_at = Some(self.gathered_at.map_or(by, |at| at.min(by)));
        self.conclude(now, None);
    }

    /// How many users are assigned.
    pub(crate) fn users(&self) -> usize {
        self.users.len()
    }

    /// How many more could be.
    pub(crate) fn room(&self) -> usize {
        MOST_USERS - self.users.len()
    }

    /// The account can ask (it has a token), or not. Begin with true as soon as it can: nothing is asked before.
    pub(crate) fn set_usable(&mut self, now: Instant, usable: bool) {
        if usable == self.is_usable {
            return;
        }
        self.is_usable = usable;
        if usable && matches!(self.state, State::Idle) && self.has_something_to_do() {
            self.gathered_at = self.gathered_at.map(|at| at.max(now)).or(Some(now + GATHER));
        }
        self.conclude(now, None);
    }

    /// Everything ends: the subscription is deleted, if that can be had within 2 seconds.
    pub(crate) fn stop(&mut self, now: Instant) {
        if self.stop_at.is_none() {
            self.stop_at = Some(now + FAREWELL);
            self.not_before = None;
            self.conclude(now, None);
        }
    }

    /// True after [`Push::stop`], when nothing is left or it has been tried long enough.
    pub(crate) const fn is_stopped(&self) -> bool {
        matches!(self.state, State::Stopped)
    }

    /// How many subscriptions were made or tried.
    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    /// What a notification of the newest subscription proves itself with: no other is believed.
    pub(crate) fn client_state(&self) -> Option<SecretString> {
        (self.generation > 0).then(|| self.client_states.of(self.generation).into())
    }

    /// True while Microsoft may want its `validationToken` back.
    pub(crate) fn expects_handshake(&self, now: Instant) -> bool {
        matches!(self.outstanding, Some(Asked::Create { .. })) || self.handshake_until.is_some_and(|until| now < until)
    }

    /// True when this user's changes are notified, as far as we know.
    pub(crate) fn is_listening(&self, user: ObjectId) -> bool {
        match &self.state {
            State::Standing(Standing { ear: Ear::Listening, users, .. }) => {
                users.contains(&user) && self.users.contains(&user)
            }
            _ => false,
        }
    }

    /// How it looks to an operator.
    pub(crate) fn view(&self) -> PushView {
        let expires_at = match &self.state {
            State::Standing(standing) | State::Deleting(standing) => Some(standing.expires_at()),
            _ => None,
        };
        PushView {
            state: self.shown(),
            users: self.users.len(),
            expires_at,
            notices: self.notices,
            missed: self.missed,
        }
    }

    /// The next thing to do.
    pub(crate) fn poll_effect(&mut self) -> Option<PushEffect> {
        self.effects.pop_front()
    }

    /// The state as an operator sees it.
    fn shown(&self) -> PushState {
        let is_wanted = self.is_usable && !self.users.is_empty();
        match &self.state {
            State::Standing(Standing { ear: Ear::Listening, .. }) => PushState::Listening,
            State::Standing(Standing { ear: Ear::Deaf { .. }, .. }) => PushState::Deaf,
            State::BackingOff { .. } => PushState::BackingOff,
            State::Contested { .. } => PushState::Contested,
            State::Stopped => PushState::Idle,
            State::Idle | State::Listing(_) | State::Clearing { .. } | State::Creating { .. } | State::Deleting(_) => {
                if is_wanted {
                    PushState::Subscribing
                } else {
                    PushState::Idle
                }
            }
        }
    }

    /// Ends every call that may have changed something: leaves what is not wanted any more, reports, arms the reminder.
    fn conclude(&mut self, now: Instant, failure: Option<Failure>) {
        self.leave_unwanted();
        let state = self.shown();
        if state != self.reported || failure.is_some() {
            self.reported = state;
            self.effects.push_back(PushEffect::Report { state, failure });
        }
        if self.remind_at <= now {
            self.remind_at = now + REMIND;
        }
    }

    /// What is being made and is not wanted any more is left, as soon as no request is under way.
    fn leave_unwanted(&mut self) {
        if self.outstanding.is_some() || matches!(self.state, State::Stopped) {
            return;
        }
        if self.stop_at.is_some() {
            let is_leaving = match &self.state {
                State::Deleting(_) | State::Clearing { .. } => true,
                State::Listing(_) => self.has_listed_at_the_end,
                _ => false,
            };
            if is_leaving && self.is_usable {
                return;
            }
            let next = match std::mem::replace(&mut self.state, State::Idle) {
                State::Standing(standing) if self.is_usable => State::Deleting(standing),
                _ if self.is_usable && self.may_be_left() && !self.has_listed_at_the_end => {
                    self.has_listed_at_the_end = true;
                    State::Listing(Listing::default())
                }
                _ => State::Stopped,
            };
            self.enter(next, "the end");
            return;
        }
        let is_wanted = match &self.state {
            State::Listing(_) => self.has_something_to_do(),
            State::Creating { .. } => !self.users.is_empty(),
            // What is left is deleted in any case.
            _ => true,
        };
        let is_being_made = matches!(self.state, State::Listing(_) | State::Clearing { .. } | State::Creating { .. });
        if is_being_made && !(is_wanted && self.is_usable) {
            self.is_listed &= !matches!(self.state, State::Clearing { .. });
            self.enter(State::Idle, "nobody is wanted, or nobody can ask");
        }
    }

    /// True when a subscription of ours may stand that we do not know: one was asked for, and what came of it is not known.
    const fn may_be_left(&self) -> bool {
        self.has_asked && !self.is_listed
    }

    /// Somebody is wanted, or something may be left to be deleted.
    fn has_something_to_do(&self) -> bool {
        !self.users.is_empty() || self.may_be_left()
    }

    fn poll_users(&mut self) {
        if !self.effects.contains(&PushEffect::PollUsers) {
            self.effects.push_back(PushEffect::PollUsers);
        }
    }

    /// Every transition is made here, and nowhere else.
    fn enter(&mut self, next: State, why: &'static str) {
        let from = self.shown();
        self.state = next;
        tracing::trace!(account = self.client_states.account(), ?from, to = ?self.shown(), why);
    }

    /// Begins to make a subscription, or has nothing to make.
    fn begin(&mut self, after_conflict: bool, why: &'static str) {
        self.gathered_at = None;
        let next = if !self.has_something_to_do() || !self.is_usable {
            State::Idle
        } else if self.is_listed && !after_conflict {
            State::Creating { after_conflict }
        } else {
            State::Listing(Listing { after_conflict, ..Listing::default() })
        };
        self.enter(next, why);
    }
}
