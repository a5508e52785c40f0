//! When and on which thread an event happened.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
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

    /// Appends the wall clock to the second. Thousands of lines share a second, so each thread keeps its last one.
    pub(super) fn push_second(&self, line: &mut String) {
        thread_local!(static LAST: RefCell<(i64, i32, String)> = const { RefCell::new((i64::MIN, 0, String::new())) });
        let (second, offset) = (self.at.timestamp().as_second(), self.at.offset().seconds());
        LAST.with_borrow_mut(|(of_second, of_offset, text)| {
            if (*of_second, *of_offset) != (second, offset) || text.is_empty() {
                let at = self.at.datetime();
                text.clear();
                // Writing into a String does not fail.
                let _ = write!(
                    text,
                    "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
                    at.year(),
                    at.month(),
                    at.day(),
                    at.hour(),
                    at.minute(),
                    at.second(),
                );
                (*of_second, *of_offset) = (second, offset);
            }
            line.push_str(text);
        });
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
