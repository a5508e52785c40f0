//! The readers that only the machine uses, for the fuzzer (`fuzz/`). Nothing else may come in here.

use super::{parse_subscription, parse_subscriptions, parse_user, parse_users};

/// How many users a list of users holds.
///
/// # Errors
/// Why it is none.
pub fn users(body: &[u8]) -> Result<usize, String> {
    parse_users(body).map(|list| list.users.len())
}

/// Whether it is a user.
///
/// # Errors
/// Why it is none.
pub fn user(body: &[u8]) -> Result<(), String> {
    parse_user(body).map(drop)
}

/// How many subscriptions a page holds; none when it is no page.
#[must_use]
pub fn subscriptions(body: &[u8]) -> Option<usize> {
    parse_subscriptions(body).map(|list| list.items.len())
}

/// Whether it is a subscription.
#[must_use]
pub fn subscription(body: &[u8]) -> bool {
    parse_subscription(body).is_some()
}
