//! One open stream: what it reads, and where it is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web::Data;
use presence_actors::{PresenceEvent, now};
use tokio::time::sleep_until;

use crate::http::feed::{Cursor, Delivery, Happening, SharedFeed};
use crate::http::limits::Client;
use crate::http::metrics::Stream;
use crate::http::uccs::OpenStream;
use crate::http::{Api, Caller, Problem, Scope, StreamPermit};

/// So many events are handed over at once.
const BATCH: usize = 256;
/// So often it is looked whether the token of a stream still holds.
const LOOK: Duration = Duration::from_secs(1);

/// Whose events a stream carries.
pub(super) enum Of {
    /// A queue's.
    Ucc(OpenStream),
    /// Everything that happens in the process.
    All(Arc<SharedFeed>),
}

impl Of {
    pub(super) fn feed(&self) -> &SharedFeed {
        match self {
            Self::Ucc(stream) => stream.ucc().feed(),
            Self::All(feed) => feed,
        }
    }
}

/// Why a stream has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The service ends.
    Service,
    /// The queue was let go.
    Ucc,
    /// The token was revoked, replaced or has ended, or has lost the scope.
    Token,
}

/// Who reads a stream, and by which right.
pub(super) struct Right {
    pub(super) caller: Caller,
    pub(super) scope: Scope,
    /// Whose commands are counted together.
    pub(super) client: Client,
}

/// One open stream.
pub(super) struct Reader {
    pub(super) api: Data<Api>,
    of: Of,
    kind: Stream,
    cursor: Cursor,
    epoch: u64,
    batch: Vec<Delivery>,
    right: Right,
    /// When the right is looked at again.
    look: Instant,
    _permit: StreamPermit,
}

impl Reader {
    /// Begins to read, after the event with this id if there is one.
    pub(super) fn new(
        api: Data<Api>,
        of: Of,
        kind: Stream,
        last_id: Option<&str>,
        right: Right,
        permit: StreamPermit,
    ) -> Self {
        let last_id = last_id.map(str::parse);
        let (cursor, epoch) = {
            let feed = of.feed().lock();
            let cursor = match &of {
                Of::Ucc(_) => Cursor::begin(&feed, last_id),
                Of::All(_) => Cursor::from_now(&feed, last_id),
            };
            (cursor, feed.epoch())
        };
        api.meters.stream_opened(kind);
        Self { api, of, kind, cursor, epoch, batch: Vec::new(), right, look: now() + LOOK, _permit: permit }
    }

    /// Whose events these are.
    pub(super) const fn of(&self) -> &Of {
        &self.of
    }

    /// What tells these events' numbers from others.
    pub(super) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The next events; waits for them. What was read is counted as delivered: hand it over.
    ///
    /// # Errors
    /// When the stream has to end.
    pub(super) async fn next(&mut self) -> Result<&[Delivery], Ended> {
        self.batch.clear();
        loop {
            self.goes_on()?;
            let feed = self.of.feed();
            let written = feed.written();
            // Once more, for what happened before the feed was listened to.
            if let Some(ended) = self.ended() {
                return Err(ended);
            }
            feed.lock().read(&mut self.cursor, BATCH, &mut self.batch);
            if !self.batch.is_empty() {
                break;
            }
            let gone = async {
                match &self.of {
                    Of::Ucc(stream) => stream.ucc().gone().cancelled().await,
                    Of::All(_) => std::future::pending().await,
                }
            };
            tokio::select! {
                () = written => {}
                () = gone => {}
                () = self.api.closing.cancelled() => {}
                () = sleep_until(self.look.into()) => {}
            }
        }
        self.count();
        Ok(&self.batch)
    }

    /// Looks, once in a while, whether the reader may still read.
    ///
    /// # Errors
    /// When the stream has to end.
    pub(super) fn goes_on(&mut self) -> Result<(), Ended> {
        let now = now();
        if now >= self.look {
            self.look = now + LOOK;
            if !self.api.access.still_allows(&self.right.caller, &self.right.scope) {
                return Err(Ended::Token);
            }
        }
        self.ended().map_or(Ok(()), Err)
    }

    /// Counts a command of the client, which costs what a request does.
    ///
    /// # Errors
    /// 429 with the time to wait.
    pub(super) fn command(&self) -> Result<(), Problem> {
        self.api.rate.check(self.right.client.clone()).inspect_err(|_| self.api.meters.refused("rate"))
    }

    fn ended(&self) -> Option<Ended> {
        match &self.of {
            _ if self.api.closing.is_cancelled() => Some(Ended::Service),
            Of::Ucc(stream) if stream.ucc().gone().is_cancelled() => Some(Ended::Ucc),
            Of::Ucc(_) | Of::All(_) => None,
        }
    }

    fn count(&self) {
        let now = now();
        self.api.meters.events_sent(self.batch.len() as u64);
        for delivery in &self.batch {
            match &delivery.event {
                Happening::Told(PresenceEvent::Changed(change)) if change.changes_status() => {
                    self.api.provider.meters().delivered(now.saturating_duration_since(change.new.since));
                }
                Happening::Lagged(_) => self.api.meters.lagged(),
                Happening::Told(_)
                | Happening::Released(_)
                | Happening::Endpoint(_)
                | Happening::SilentLoss(_)
                | Happening::Graph(_) => {}
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.api.meters.stream_closed(self.kind);
        if let Of::Ucc(stream) = &self.of
            && stream.ucc().streams() == 1
            && !stream.ucc().gone().is_cancelled()
            && !self.api.closing.is_cancelled()
        {
            let stay = humantime::format_duration(self.api.settings.ucc_linger);
            tracing::info!(
                logger = %stream.ucc().name(),
                "the last event stream of the remote queue is closed; its agents and calls are kept for {stay}"
            );
        }
    }
}
