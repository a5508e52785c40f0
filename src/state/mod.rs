//! What a restart begins with: read at the start, written every eight seconds and at the end.
//!
//! | what | where |
//! |---|---|
//! | the values and their bytes | [`presence_core::snapshot`] |
//! | the files: whole at every moment, the previous one kept, damaged ones set aside | [`file`] |
//! | what is said at the start | [`begin`] |
//! | when it is written, and by which thread | `keeper` |
//! | whether that works: the log, and whoever looks | `keeping` |

mod begin;
mod file;
mod keeper;
mod keeping;
#[cfg(test)]
mod tests;

pub use begin::{Beginning, begin};
pub use file::{Found, SetAside, StateError, StateFile, Unusable};
pub use keeper::Keeper;
pub use keeping::{Keeping, KeepingReading, NotKept, Written};

use std::time::SystemTime;

use presence_actors::{now, time_of_day};
use presence_core::snapshot::Anchor;

/// The two clocks may differ by so much before their relation is taken anew: the time of day was set.
const SET: std::time::Duration = std::time::Duration::from_secs(1);

/// Now on both clocks. As long as nobody sets the time of day, a moment is written the same way each time.
#[expect(clippy::disallowed_methods, reason = "what is written is read by a process with another monotonic clock")]
fn anchor() -> Anchor {
    let now = now();
    let (usual, present) = (time_of_day(now), SystemTime::now());
    let apart = present.duration_since(usual).unwrap_or_else(|error| error.duration());
    Anchor { now, wall: if apart > SET { present } else { usual } }
}
