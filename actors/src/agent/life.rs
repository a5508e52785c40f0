//! How an agent's presence is learned, and what survives the actor that learns it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use presence_core::{
    Attempt, EndpointKind, Freshness, Line, LineInput, Presence, Pushed, PushedInput, Subscription, SubscriptionInput,
    SubscriptionMemory, SubscriptionView,
};

/// How an agent's presence is learned.
pub(crate) enum Life {
    /// By a subscription of ours at a pool.
    Subscribed(Subscription),
    /// By the calls of this service.
    Line(Line),
    /// By third parties that push.
    Pushed(Pushed),
}

impl Life {
    /// What is known of the agent, and the number of its last change.
    pub(super) fn presence(&self) -> (&Arc<Presence>, u64) {
        match self {
            Self::Subscribed(machine) => (machine.presence(), machine.sequence()),
            Self::Line(machine) => (machine.presence(), machine.sequence()),
            Self::Pushed(machine) => (machine.presence(), machine.sequence()),
        }
    }

    /// How the subscription stands, where there is one.
    pub(super) fn subscription(&self) -> Option<SubscriptionView> {
        match self {
            Self::Subscribed(machine) => Some(machine.view()),
            Self::Line(_) | Self::Pushed(_) => None,
        }
    }

    /// Somebody watches the agent now, or nobody does any more.
    pub(super) fn set_wanted(&mut self, now: Instant, wanted: bool) {
        match self {
            Self::Subscribed(machine) => {
                machine.handle(now, if wanted { SubscriptionInput::Wanted } else { SubscriptionInput::Unwanted });
            }
            Self::Line(machine) => machine.handle(now, if wanted { LineInput::Wanted } else { LineInput::Unwanted }),
            Self::Pushed(_) => {}
        }
    }

    /// When the machine wants to be woken.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Subscribed(machine) => machine.poll_timeout().map(|(at, _)| at),
            Self::Line(_) => None,
            Self::Pushed(machine) => machine.poll_timeout().map(|(at, _)| at),
        }
    }

    /// Wakes the machine.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Subscribed(machine) => machine.handle_timeout(now),
            Self::Line(_) => {}
            Self::Pushed(machine) => machine.handle_timeout(now),
        }
    }

    /// True when nothing is lost by letting an agent go that nobody watches; `leaving` when nothing is kept for later.
    pub(super) fn is_idle(&self, leaving: bool) -> bool {
        match self {
            // A dialog that was left on an endpoint that is down is ended when the endpoint is back.
            Self::Subscribed(machine) if leaving => machine.is_settled(),
            Self::Subscribed(machine) => machine.holds_nothing(),
            Self::Line(_) => true,
            Self::Pushed(machine) => leaving || machine.poll_timeout().is_none(),
        }
    }
}

/// What an agent remembers of an earlier life.
#[derive(Clone)]
pub(crate) enum Memory {
    /// Of a subscription, what still counts.
    Subscribed(SubscriptionMemory),
    /// A line as it was.
    Line(Line),
    /// What was pushed, and until when it holds.
    Pushed(Pushed),
}

impl Memory {
    /// What was last published, and the number of that change.
    pub(crate) fn presence(&self) -> (Arc<Presence>, u64) {
        match self {
            Self::Subscribed(memory) => (Arc::clone(&memory.presence), memory.sequence),
            Self::Line(machine) => (Arc::clone(machine.presence()), machine.sequence()),
            Self::Pushed(machine) => (Arc::clone(machine.presence()), machine.sequence()),
        }
    }
}

/// What an agent begins its life with.
pub(crate) struct Birth {
    /// Which actor of its parent it is; no other one ever had this number.
    pub(crate) incarnation: u32,
    /// Somebody watches it from the beginning.
    pub(crate) wanted: bool,
    /// What an earlier life left to it.
    pub(crate) memory: Option<Memory>,
}

/// What survives an agent whose actor died: kept by the parent, written by the agent.
#[derive(Default)]
pub(crate) struct AgentMemory(Mutex<Option<Memory>>);

impl AgentMemory {
    pub(crate) fn recall(&self) -> Option<Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True when the agent was given up and nobody has revived it.
    pub(crate) fn is_abandoned(&self) -> bool {
        matches!(self.recall(), Some(Memory::Subscribed(memory)) if memory.abandoned.is_some())
    }

    /// Under which numbers it is on the wire, or may be.
    pub(crate) fn dialogs(&self) -> [Option<Attempt>; 2] {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(Memory::Subscribed(memory)) => memory.dialogs,
            Some(Memory::Line(_) | Memory::Pushed(_)) | None => [None; 2],
        }
    }

    /// The endpoint that stands behind what is held; none while nobody does.
    pub(crate) fn vouched_via(&self) -> Option<EndpointKind> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(Memory::Subscribed(memory)) if memory.presence.freshness == Freshness::Fresh => {
                EndpointKind::ALL.into_iter().zip(memory.dialogs).find_map(|(kind, dialog)| dialog.map(|_| kind))
            }
            Some(Memory::Subscribed(_) | Memory::Line(_) | Memory::Pushed(_)) | None => None,
        }
    }

    /// Takes back what was pushed, while no actor is there to do it; it is told when there is one again. True when something
    /// held.
    pub(crate) fn take_back(&self, now: Instant) -> bool {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(Memory::Pushed(machine)) => {
                let held = machine.poll_timeout().is_some();
                machine.handle(now, PushedInput::Withdraw);
                held
            }
            Some(Memory::Subscribed(_) | Memory::Line(_)) | None => false,
        }
    }

    /// Of an agent that begins with this.
    pub(crate) fn of(memory: Option<Memory>) -> Self {
        Self(Mutex::new(memory))
    }

    pub(super) fn keep(&self, memory: Memory) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(memory);
    }
}
