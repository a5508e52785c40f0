//! What can happen to a subscription.

use presence_core::{EndpointKind, FailureKind};
use proptest::prelude::*;

/// Something that happens. Numbers choose among what is there at that moment.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Wanted,
    Unwanted,
    Up(EndpointKind),
    Paused(EndpointKind),
    Lost(EndpointKind),
    Grant(usize),
    GrantCancelled(usize),
    Accept(usize, u64),
    Notify(usize, i32, Option<u64>),
    Fail(usize, FailureKind, Option<u64>),
    /// It failed, and the server still has the dialog: for the first time, or again.
    Stall(usize, bool),
    /// The endpoint wants the agent put on the wire again.
    WantRefresh(usize),
    /// The endpoint has ended a dialog by itself, or holds it no more.
    EndByEndpoint(usize),
    EndUnsubscribed(usize),
    StaleAnswer(u32),
    /// What is held is to be compared with what the server says.
    Sample,
    /// What the server says to that.
    Queried(usize, Option<i32>),
    Wait(u64),
    WaitForDeadline,
    Revive,
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    let endpoint = prop_oneof![Just(EndpointKind::Application), Just(EndpointKind::User)];
    let kind = prop_oneof![
        Just(FailureKind::Transient),
        Just(FailureKind::NotFound),
        Just(FailureKind::Forbidden),
        Just(FailureKind::Dialog),
        Just(FailureKind::Invariant),
        Just(FailureKind::Endpoint)
    ];
    let availability = prop_oneof![Just(-1), Just(3_500), Just(6_500), Just(18_500)];
    let availability_said = availability.clone();
    prop_oneof![
        3 => Just(Event::Wanted),
        2 => Just(Event::Unwanted),
        3 => endpoint.clone().prop_map(Event::Up),
        1 => endpoint.clone().prop_map(Event::Paused),
        2 => endpoint.prop_map(Event::Lost),
        8 => (0..4_usize).prop_map(Event::Grant),
        1 => (0..4_usize).prop_map(Event::GrantCancelled),
        6 => (0..3_usize, 0..4_000_u64).prop_map(|(which, expires)| Event::Accept(which, expires)),
        4 => (0..3_usize, availability, prop::option::of(0..4_000_u64))
            .prop_map(|(which, availability, expires)| Event::Notify(which, availability, expires)),
        4 => (0..3_usize, kind, prop::option::of(1..5_000_u64))
            .prop_map(|(which, kind, retry_after)| Event::Fail(which, kind, retry_after)),
        3 => (0..3_usize, any::<bool>()).prop_map(|(which, again)| Event::Stall(which, again)),
        3 => (0..3_usize).prop_map(Event::WantRefresh),
        1 => (0..3_usize).prop_map(Event::EndByEndpoint),
        3 => (0..3_usize).prop_map(Event::EndUnsubscribed),
        1 => (0..12_u32).prop_map(Event::StaleAnswer),
        4 => Just(Event::Sample),
        6 => (0..3_usize, prop::option::weighted(0.9, availability_said))
            .prop_map(|(which, availability)| Event::Queried(which, availability)),
        2 => (0..4_000_u64).prop_map(Event::Wait),
        4 => Just(Event::WaitForDeadline),
        1 => Just(Event::Revive),
    ]
}
