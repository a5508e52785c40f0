//! When and on which thread an event happened.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::Zoned;

/// When and on which thread an event happened.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// The moment, in the zone whose wall clock the text form shows.
    pub at: Zoned,
    /// The number of the thread, from 1.
    pub thread: u32,
}

impl Stamp {
    /// Now, by the wall clock of the system's time zone (a change to summer time is followed), on this thread.
    #[must_use]
    pub fn now() -> Self {
        Self { at: Zoned::now(), thread: thread_number() }
    }
}

/// The number of the calling thread. Threads are numbered from 1 in the order in which they first log.
#[must_use]
pub fn thread_number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    thread_local!(static NUMBER: Cell<u32> = const { Cell::new(0) });
    NUMBER.with(|number| {
        if number.get() == 0 {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        number.get()
    })
}
