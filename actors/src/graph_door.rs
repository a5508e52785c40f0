//! Where Microsoft's notifications come in: the threads of the HTTP API hand them over here, and never wait.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use presence_graph::wire::Notice;
use secrecy::{ExposeSecret, SecretString};
use subtle::{Choice, ConstantTimeEq};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// So many notifications wait at most, in all.
const MOST: usize = 8_192;

/// The door for Microsoft's notifications; for the threads of the HTTP API. Its other side is [`GraphDoorway`].
#[derive(Clone, Debug)]
pub struct GraphDoor {
    shared: Arc<Shared>,
    sender: UnboundedSender<Vec<Notice>>,
}

/// The side of the actor that takes what was delivered.
#[derive(Debug)]
pub struct GraphDoorway {
    shared: Arc<Shared>,
    receiver: UnboundedReceiver<Vec<Notice>>,
    /// So that there is always somebody who may deliver, and [`GraphDoorway::recv`] waits.
    _sender: UnboundedSender<Vec<Notice>>,
}

/// Nothing more is taken for now: Microsoft is to deliver it again, later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MOST} notifications wait already")]
pub struct DoorFull;

/// What came to the door since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DoorCounters {
    /// Notifications that were taken.
    pub delivered: u64,
    /// Notifications that were sent away because too many wait.
    pub full: u64,
    /// Notifications that could not be read.
    pub unreadable: u64,
    /// Handshakes that were answered.
    pub handshakes: u64,
    /// Handshakes that nobody expected.
    pub unexpected: u64,
    /// Notifications that did not prove themselves, and went no further.
    pub forged: u64,
}

#[derive(Default)]
struct Shared {
    expecting: AtomicBool,
    waiting: AtomicUsize,
    delivered: AtomicU64,
    full: AtomicU64,
    unreadable: AtomicU64,
    handshakes: AtomicU64,
    unexpected: AtomicU64,
    forged: AtomicU64,
    /// What ours prove themselves with; none: that is not known yet, and all are handed over.
    states: RwLock<Option<Vec<SecretString>>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

impl GraphDoor {
    /// A door and its other side.
    #[must_use]
    pub fn open() -> (Self, GraphDoorway) {
        let shared = Arc::<Shared>::default();
        let (sender, receiver) = unbounded_channel();
        let doorway = GraphDoorway { shared: Arc::clone(&shared), receiver, _sender: sender.clone() };
        (Self { shared, sender }, doorway)
    }

    /// True while a handshake (`validationToken`) is to be answered. It counts one: ask once per handshake.
    #[must_use]
    pub fn expects_handshake(&self) -> bool {
        let expects = self.shared.expecting.load(Ordering::Acquire);
        let counter = if expects { &self.shared.handshakes } else { &self.shared.unexpected };
        counter.fetch_add(1, Ordering::Relaxed);
        expects
    }

    /// Hands those notifications over that prove themselves: all of them or none. What is forged takes nobody's place.
    ///
    /// # Errors
    /// When more than 8,192 would wait, or nobody will ever take them.
    pub fn deliver(&self, mut notices: Vec<Notice>) -> Result<(), DoorFull> {
        self.sort_out(&mut notices);
        let number = notices.len();
        if number == 0 {
            return Ok(());
        }
        let count = |counter: &AtomicU64| counter.fetch_add(number as u64, Ordering::Relaxed);
        let room = |waiting: usize| waiting.checked_add(number).filter(|sum| *sum <= MOST);
        let is_taken = self.shared.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).is_ok();
        if !is_taken || self.sender.send(notices).is_err() {
            count(&self.shared.full);
            return Err(DoorFull);
        }
        count(&self.shared.delivered);
        Ok(())
    }

    fn sort_out(&self, notices: &mut Vec<Notice>) {
        let states = self.shared.states.read().unwrap_or_else(PoisonError::into_inner);
        let Some(states) = states.as_ref() else { return };
        let came = notices.len();
        notices.retain(|notice| {
            let shown = notice.client_state.as_deref().unwrap_or_default().as_bytes();
            // All of them, whichever it is: how long it takes tells nothing.
            let is_one = |found: Choice, state: &SecretString| found | state.expose_secret().as_bytes().ct_eq(shown);
            states.iter().fold(Choice::from(0), is_one).into()
        });
        self.shared.forged.fetch_add((came - notices.len()) as u64, Ordering::Relaxed);
    }

    /// Counts notifications that could not be read.
    pub fn unreadable(&self, number: usize) {
        self.shared.unreadable.fetch_add(number as u64, Ordering::Relaxed);
    }

    /// What came since the start.
    #[must_use]
    pub fn counters(&self) -> DoorCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DoorCounters {
            delivered: read(&self.shared.delivered),
            full: read(&self.shared.full),
            unreadable: read(&self.shared.unreadable),
            handshakes: read(&self.shared.handshakes),
            unexpected: read(&self.shared.unexpected),
            forged: read(&self.shared.forged),
        }
    }
}

impl GraphDoorway {
    /// Says whether handshakes are to be answered from now on. Say yes before the request for a subscription goes out.
    pub fn set_expecting(&self, expecting: bool) {
        self.shared.expecting.store(expecting, Ordering::Release);
    }

    /// Says what notifications of ours prove themselves with from now on. Say it before the request for a subscription goes out.
    pub fn set_states(&self, states: Vec<SecretString>) {
        *self.shared.states.write().unwrap_or_else(PoisonError::into_inner) = Some(states);
    }

    /// How many notifications did not prove themselves.
    #[must_use]
    pub fn forged(&self) -> u64 {
        self.shared.forged.load(Ordering::Relaxed)
    }

    /// What was delivered next; waits for it. Safe to be cancelled.
    pub async fn recv(&mut self) -> Vec<Notice> {
        let Some(notices) = self.receiver.recv().await else {
            // There is a sender as long as there is a doorway.
            return std::future::pending().await;
        };
        self.shared.waiting.fetch_sub(notices.len(), Ordering::AcqRel);
        notices
    }
}
