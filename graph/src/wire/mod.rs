//! Microsoft's documents: what we write and what we read. Reading never panics and never fails as a whole because of a part.

mod lenient;
mod notices;
mod subscriptions;

pub use notices::{Lifecycle, Notice, NoticesError, parse_notices};
