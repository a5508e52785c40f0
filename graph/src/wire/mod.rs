//! Microsoft's documents: what we write and what we read. Reading never panics and never fails as a whole because of a part.

mod failure;
mod lenient;
mod notices;
mod presence;
mod subscriptions;

pub use failure::{Ruling, rule};
pub use notices::{Lifecycle, Notice, NoticesError, parse_notices};
pub use presence::{MAX_PRESENCE_IDS, PresenceItem, PresenceList, parse_presences, presence_request};
