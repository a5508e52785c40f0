//! Microsoft's documents: what we write and what we read. Reading never panics and never fails as a whole because of a part.

#[doc(hidden)]
pub mod door;
mod escape;
mod failure;
mod gate;
mod guid;
mod lenient;
mod notices;
mod presence;
mod subscriptions;
mod token_error;
mod tokens;
mod users;

pub use failure::{Ruling, rule};
pub use notices::{Lifecycle, Notice, NoticesError, parse_notices};
pub use presence::{MAX_PRESENCE_IDS, PresenceItem, PresenceList, parse_presences, presence_request};
pub(crate) use subscriptions::{
    create_subscription, delete_subscription, list_subscriptions, parse_subscription, parse_subscriptions,
    renew_subscription,
};
pub use token_error::{TokenError, TokenErrorKind};
pub use tokens::{DeviceCode, Grant, Token, device_code_request, parse_device_code, parse_token, token_request};
pub use users::MAX_NAMES;
pub(crate) use users::{Place, User, UserList, parse_user, parse_users, user_request, users_request};
