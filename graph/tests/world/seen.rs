//! What one agent's subscription was told.

use std::time::Duration;

use presence_core::{Attempt, Failure, Status, SubscriptionInput};

#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) attempt: Attempt,
    /// It has neither failed nor been declined or unregistered.
    pub(crate) registered: bool,
    pub(crate) joined: u32,
    pub(crate) status: Option<Status>,
    pub(crate) doubted: bool,
    /// When each value came.
    pub(crate) values: Vec<(Duration, Status)>,
    pub(crate) doubts: Vec<Duration>,
    pub(crate) failures: Vec<(Duration, Failure)>,
    pub(crate) declined: bool,
    pub(crate) ended: u32,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            attempt: Attempt(0),
            registered: false,
            joined: 0,
            status: None,
            doubted: false,
            values: Vec::new(),
            doubts: Vec::new(),
            failures: Vec::new(),
            declined: false,
            ended: 0,
        }
    }
}

impl Seen {
    pub(crate) fn is_fresh(&self) -> bool {
        self.status.is_some() && !self.doubted
    }

    pub(crate) fn number(&self) -> Option<i32> {
        self.status.as_ref().map(|status| status.availability.value())
    }

    pub(crate) fn told(&mut self, at: Duration, input: SubscriptionInput) {
        match input {
            SubscriptionInput::Joined { attempt } => {
                assert_eq!(attempt, self.attempt);
                self.joined += 1;
            }
            SubscriptionInput::Notified { attempt, status, expires } => {
                assert_eq!((attempt, expires, self.registered), (self.attempt, None, true), "at {at:?}");
                self.status = status.clone();
                self.doubted = false;
                self.values.push((at, status.expect("always with a status")));
            }
            SubscriptionInput::Doubted { attempt } => {
                assert_eq!((attempt, self.registered), (self.attempt, true));
                self.doubted = true;
                self.doubts.push(at);
            }
            SubscriptionInput::Failed { attempt, failure } => {
                assert_eq!((attempt, self.registered), (self.attempt, true));
                self.registered = false;
                self.failures.push((at, failure));
            }
            SubscriptionInput::Ended { attempt } => {
                assert_eq!((attempt, self.registered), (self.attempt, true));
                self.registered = false;
                self.ended += 1;
            }
            other => panic!("an agent of Graph is never told {other:?}"),
        }
    }
}
