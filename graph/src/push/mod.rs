//! One account's change notifications.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use presence_core::Failure;

use crate::wire::{Notice, Ruling};
use crate::{Answer, NotificationSettings, ObjectId, PushState, PushView, Request, Trouble};

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
#[derive(Debug)]
pub(crate) struct Push {}

impl Push {
    /// The notifications of this account (`Id`) of this tenant (TenantId); `seed` is for jitter and request ids.
    pub(crate) fn new(
        _now: Instant,
        _tenant: Arc<str>,
        _account: Arc<str>,
        _settings: NotificationSettings,
        _seed: u64,
    ) -> Self {
        Self {}
    }

    /// This user's changes are to be notified. Without room (see [`Push::room`]) nothing changes.
    pub(crate) fn assign(&mut self, _now: Instant, _user: ObjectId) {}

    /// This user's changes are not wanted any more.
    pub(crate) fn release(&mut self, _now: Instant, _user: ObjectId) {}

    /// How many users are assigned.
    pub(crate) fn users(&self) -> usize {
        0
    }

    /// How many more could be.
    pub(crate) fn room(&self) -> usize {
        0
    }

    /// The account can ask (it has a token), or not. Begin with true as soon as it can: nothing is asked before.
    pub(crate) fn set_usable(&mut self, _now: Instant, _usable: bool) {}

    /// True when [`Push::next_request`] would give a request.
    pub(crate) fn has_request(&self, _now: Instant) -> bool {
        false
    }

    /// The next request, without bearer; one outstanding at a time. Hand in what comes of it by [`Push::answered`], or
    /// [`Push::postponed`] if it is not sent.
    pub(crate) fn next_request(&mut self, _now: Instant) -> Option<Request> {
        None
    }

    /// What came of the outstanding request; `wall` is the time of day.
    pub(crate) fn answered(
        &mut self,
        _now: Instant,
        _wall: SystemTime,
        _result: &Result<Answer, Trouble>,
        _ruling: &Ruling,
    ) {
    }

    /// The outstanding request was not sent: it is given again, a second later or after the account is usable again.
    pub(crate) fn postponed(&mut self, _now: Instant) {}

    /// A notification came. True: it was for this account.
    pub(crate) fn noticed(&mut self, _now: Instant, _notice: &Notice) -> bool {
        false
    }

    /// A change of this user was found: by the sweep (`told` is false), or by asking after a notification (true).
    pub(crate) fn found(&mut self, _now: Instant, _user: ObjectId, _told: bool) {}

    /// Everything ends: the subscription is deleted, if that can be had within 2 seconds.
    pub(crate) fn stop(&mut self, _now: Instant) {}

    /// True after [`Push::stop`], when nothing is left or it has been tried long enough.
    pub(crate) fn is_stopped(&self) -> bool {
        true
    }

    /// True while Microsoft may want its `validationToken` back.
    pub(crate) fn expects_handshake(&self, _now: Instant) -> bool {
        false
    }

    /// True when this user's changes are notified, as far as we know.
    pub(crate) fn is_listening(&self, _user: ObjectId) -> bool {
        false
    }

    /// How it looks to an operator.
    pub(crate) fn view(&self) -> PushView {
        PushView { state: PushState::Idle, users: 0, expires_at: None, notices: 0, missed: 0 }
    }

    /// The next thing to do.
    pub(crate) fn poll_effect(&mut self) -> Option<PushEffect> {
        None
    }

    /// Does what is due. A call before the deadline changes nothing.
    pub(crate) fn handle_timeout(&mut self, _now: Instant) {}

    /// When to call [`Push::handle_timeout`]; then ask for [`Push::next_request`], too.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
