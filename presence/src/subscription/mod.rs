//! The life of one agent's subscription.

mod types;

pub use types::{
    Attempt, Deadline, SubscriptionEffect, SubscriptionInput, SubscriptionMemory, SubscriptionPolicy,
    SubscriptionState, SubscriptionView, Ticket,
};
