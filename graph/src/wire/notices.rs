//! Change notifications and lifecycle notifications, as Microsoft posts them to us.

use crate::ObjectId;

/// One item of a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Of this subscription.
    pub subscription: String,
    /// What we gave the subscription when it was made; compared in constant time.
    pub client_state: Option<String>,
    /// Of this tenant.
    pub tenant: Option<String>,
    /// The user whose presence changed; none in lifecycle notifications.
    pub user: Option<ObjectId>,
    /// What happens to the subscription itself.
    pub lifecycle: Option<Lifecycle>,
}

/// What happens to a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lifecycle {
    /// It is to be authorised anew, by renewing it.
    ReauthorizationRequired,
    /// It is gone.
    SubscriptionRemoved,
    /// Notifications were lost.
    Missed,
}

/// Why a body is no notification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoticesError {
    /// It is not JSON, or has no list `value`, or that is empty.
    #[error("{0}")]
    Malformed(String),
    /// More items than are taken in one piece.
    #[error("{0} items, which is more than 1000")]
    TooMany(usize),
}

/// Reads a body. Items that cannot be read are left out, and counted in the second value.
///
/// # Errors
/// When it is no notification at all.
pub fn parse_notices(_body: &[u8]) -> Result<(Vec<Notice>, usize), NoticesError> {
    Err(NoticesError::Malformed("not implemented yet".to_owned()))
}
