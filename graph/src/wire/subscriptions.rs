//! Subscriptions to change notifications: what we ask, and what is answered.
