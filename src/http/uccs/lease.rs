//! For how long the interest of a remote queue outlives its connections. Pure.

use std::time::{Duration, Instant};

/// So many event streams one queue may have open.
pub(super) const MAX_STREAMS: usize = 16;

/// For how long a remote queue is kept: while an event stream of it is open, and for the linger after the last one was
/// closed or the last request came, whichever is later.
///
/// ```text
/// open stream(s) --last one closed--> lingering --linger passed, or let go--> over
///       ^                                 |  ^ |
///       +-----------stream opened---------+  +-+ request
/// ```
#[derive(Clone, Debug)]
pub(super) struct Lease {
    linger: Duration,
    streams: usize,
    heard: Instant,
    over: bool,
}

/// Why no stream can be opened, or a request has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeaseRefusal {
    /// The lease is over; the queue must be registered anew.
    Over,
    /// [`MAX_STREAMS`] are open already.
    TooManyStreams,
}

impl Lease {
    /// A queue that was heard of just now.
    pub(super) const fn new(now: Instant, linger: Duration) -> Self {
        Self { linger, streams: 0, heard: now, over: false }
    }

    /// A request came.
    pub(super) fn hear(&mut self, now: Instant) -> Result<(), LeaseRefusal> {
        if self.over {
            return Err(LeaseRefusal::Over);
        }
        self.heard = self.heard.max(now);
        Ok(())
    }

    /// A stream is opened.
    pub(super) fn open(&mut self, now: Instant) -> Result<(), LeaseRefusal> {
        self.hear(now)?;
        if self.streams >= MAX_STREAMS {
            return Err(LeaseRefusal::TooManyStreams);
        }
        self.streams += 1;
        Ok(())
    }

    /// A stream was closed.
    pub(super) fn close(&mut self, now: Instant) {
        self.streams = self.streams.saturating_sub(1);
        self.heard = self.heard.max(now);
    }

    /// How many streams are open.
    pub(super) const fn streams(&self) -> usize {
        self.streams
    }

    /// When it will be over unless something is heard; never while a stream is open.
    pub(super) fn ends_at(&self) -> Option<Instant> {
        (self.streams == 0 && !self.over).then(|| self.heard + self.linger)
    }

    /// Ends it when that is due. True when it is over.
    pub(super) fn end_if_due(&mut self, now: Instant) -> bool {
        self.over |= self.ends_at().is_some_and(|end| end <= now);
        self.over
    }

    /// Ends it now.
    pub(super) const fn end(&mut self) {
        self.over = true;
    }

    /// True once it has ended; nothing brings it back.
    pub(super) const fn is_over(&self) -> bool {
        self.over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINGER: Duration = Duration::from_secs(60);

    fn second(second: u64) -> Instant {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        *START.get_or_init(presence_actors::now) + Duration::from_secs(second)
    }

    fn lease() -> Lease {
        Lease::new(second(0), LINGER)
    }

    #[test]
    fn without_streams_it_ends_a_linger_after_the_last_request() {
        let mut lease = lease();
        assert_eq!(lease.ends_at(), Some(second(60)));
        lease.hear(second(50)).expect("it holds");
        assert!(!lease.end_if_due(second(109)));
        assert!(lease.end_if_due(second(110)));
        assert_eq!(lease.hear(second(111)), Err(LeaseRefusal::Over));
        assert_eq!(lease.open(second(111)), Err(LeaseRefusal::Over));
        assert_eq!(lease.ends_at(), None);
    }

    #[test]
    fn it_never_ends_while_a_stream_is_open_and_a_linger_after_the_last_one_is_closed() {
        let mut lease = lease();
        lease.open(second(10)).expect("room");
        lease.open(second(20)).expect("room");
        assert!(!lease.end_if_due(second(10_000)));
        lease.close(second(10_000));
        assert!(!lease.end_if_due(second(20_000)));
        lease.close(second(20_000));
        assert_eq!(lease.ends_at(), Some(second(20_060)));
        assert!(!lease.end_if_due(second(20_059)));
        lease.open(second(20_059)).expect("it comes back in time");
        assert!(!lease.end_if_due(second(30_000)));
    }

    #[test]
    fn a_request_after_the_last_stream_prolongs_it() {
        let mut lease = lease();
        lease.open(second(1)).expect("room");
        lease.close(second(2));
        lease.hear(second(30)).expect("it holds");
        lease.hear(second(29)).expect("late news from another thread");
        assert_eq!(lease.ends_at(), Some(second(90)));
    }

    #[test]
    fn a_queue_has_at_most_so_many_streams() {
        let mut lease = lease();
        for _ in 0..MAX_STREAMS {
            lease.open(second(1)).expect("room");
        }
        assert_eq!(lease.open(second(1)), Err(LeaseRefusal::TooManyStreams));
        lease.close(second(2));
        assert_eq!(lease.open(second(3)), Ok(()));
        assert_eq!(lease.streams(), MAX_STREAMS);
    }

    #[test]
    fn a_queue_that_was_let_go_is_over_at_once_even_with_streams() {
        let mut lease = lease();
        lease.open(second(1)).expect("room");
        lease.end();
        assert!(lease.is_over());
        assert!(lease.end_if_due(second(1)));
    }
}
