//! The life of an agent that is learned by a subscription, whichever source it is.

use std::sync::Arc;
use std::time::Instant;

use presence_core::{
    AgentUri, Attempt, EndpointKind, EndpointSet, Presence, SourceKind, Subscription, SubscriptionInput,
    SubscriptionMemory, SubscriptionPolicy, Ticket,
};

use crate::agent::{Birth, Life, Memory};

/// How far the numbers of two agents of the same URI are apart when they follow each other at once.
const NUMBERS_OF_A_LIFE: u32 = 4_096;

/// The life of an agent that is learned by a subscription.
pub(super) fn subscribed(
    now: Instant,
    uri: &AgentUri,
    birth: Birth,
    source: SourceKind,
    policy: &Arc<SubscriptionPolicy>,
    up: EndpointSet,
) -> Life {
    let memory = match birth.memory {
        Some(Memory::Subscribed(memory)) => memory,
        Some(Memory::Line(_) | Memory::Pushed(_)) | None => blank(now, birth.incarnation, source),
    };
    let home = memory.home;
    let mut machine = Subscription::new(now, uri.clone(), Arc::clone(policy), Some(memory));
    if birth.wanted {
        // Said first, so that a dialog that is left from an earlier life is taken over and not ended.
        machine.handle(now, SubscriptionInput::Wanted);
    }
    // And home first: what is left is there, and the first endpoint that is up is tried at once.
    for kind in up.iter().filter(|kind| *kind == home).chain(up.iter().filter(|kind| *kind != home)) {
        machine.handle(now, SubscriptionInput::EndpointUp(kind));
    }
    Life::Subscribed(machine)
}

/// What a new agent knows: nothing. Its numbers are not those of an earlier agent of the same URI, whose last answers
/// may still be on their way.
fn blank(now: Instant, incarnation: u32, source: SourceKind) -> SubscriptionMemory {
    let number = incarnation.wrapping_mul(NUMBERS_OF_A_LIFE);
    SubscriptionMemory {
        presence: Arc::new(Presence::unknown(now, source)),
        sequence: 0,
        failures: 0,
        home: EndpointKind::Application,
        abandoned: None,
        attempt: Attempt(number),
        ticket: Ticket(number),
        dialogs: [None; 2],
        confirmed: None,
        postponed: 0,
        retry_at: None,
    }
}
