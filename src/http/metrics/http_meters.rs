//! What the API counts about itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long requests take, in seconds: the upper bounds of the buckets.
pub(super) const REQUEST_BOUNDS: [f64; 10] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

/// So many routes are told apart; more are counted together.
const MAX_ROUTES: usize = 64;

/// The route under which requests are counted that match none, and those beyond [`MAX_ROUTES`].
const OTHER: &str = "other";

/// How live events are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// `GET /api/v1/events`.
    ServerSentEvents,
    /// `GET /api/v1/events/websocket`.
    WebSocket,
}

impl Stream {
    /// Both.
    pub(super) const ALL: [Self; 2] = [Self::ServerSentEvents, Self::WebSocket];

    /// Its name for people.
    pub(in crate::http) const fn spoken(self) -> &'static str {
        match self {
            Self::ServerSentEvents => "server-sent events",
            Self::WebSocket => "WebSocket",
        }
    }

    /// The value of the label `kind`.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::ServerSentEvents => "server_sent_events",
            Self::WebSocket => "websocket",
        }
    }
}

/// What one route has answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RouteReading {
    /// How many answers of each HTTP status.
    pub(super) answers: BTreeMap<u16, u64>,
    /// How many took as long as each bucket of [`REQUEST_BOUNDS`] says; the last one took longer.
    pub(super) counts: [u64; REQUEST_BOUNDS.len() + 1],
    /// The sum of all, in seconds.
    pub(super) sum: f64,
}

/// What the API counts about itself, from the start of the process on. Cheap: handlers and connections call it on their way.
#[derive(Debug, Default)]
pub struct HttpMeters {
    routes: Mutex<BTreeMap<String, RouteReading>>,
    refused: Mutex<BTreeMap<&'static str, u64>>,
    opened: [AtomicU64; 2],
    open: [AtomicI64; 2],
    events: AtomicU64,
    lagged: AtomicU64,
    connections_opened: AtomicU64,
    connections: AtomicI64,
}

impl HttpMeters {
    /// A request was answered. `route` is the pattern that it matched, such as `/api/v1/agents/{uri}`, and never its path;
    /// an empty one is counted as `other`.
    pub fn request(&self, route: &str, status: u16, took: Duration) {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = routes.contains_key(route);
        let route = if !route.is_empty() && (is_known || routes.len() + 1 < MAX_ROUTES) { route } else { OTHER };
        if !routes.contains_key(route) {
            routes.insert(route.to_owned(), RouteReading::default());
        }
        let Some(reading) = routes.get_mut(route) else { return };
        *reading.answers.entry(status).or_default() += 1;
        let seconds = took.as_secs_f64();
        let bucket = REQUEST_BOUNDS.partition_point(|bound| *bound < seconds);
        reading.counts[bucket] += 1;
        reading.sum += seconds;
    }

    /// A reader of live events has come.
    pub fn stream_opened(&self, kind: Stream) {
        self.opened[kind as usize].fetch_add(1, Ordering::Relaxed);
        self.open[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A reader of live events has gone.
    pub fn stream_closed(&self, kind: Stream) {
        self.open[kind as usize].fetch_sub(1, Ordering::Relaxed);
    }

    /// So many events were written to readers.
    pub fn events_sent(&self, count: u64) {
        self.events.fetch_add(count, Ordering::Relaxed);
    }

    /// A reader was too slow and got a snapshot.
    pub fn lagged(&self) {
        self.lagged.fetch_add(1, Ordering::Relaxed);
    }

    /// A request or connection was refused before it reached a handler; `why` is one word of a fixed list, such as `rate`.
    pub fn refused(&self, why: &'static str) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner).entry(why).or_default() += 1;
    }

    /// A connection was opened.
    pub fn connection_opened(&self) {
        self.connections_opened.fetch_add(1, Ordering::Relaxed);
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was closed.
    pub fn connection_closed(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// What each route has answered so far, by route.
    pub(super) fn routes(&self) -> BTreeMap<String, RouteReading> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How much was refused, by reason.
    pub(super) fn refusals(&self) -> BTreeMap<&'static str, u64> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many readers of this kind there were, and are.
    pub(super) fn streams(&self, kind: Stream) -> (u64, i64) {
        (self.opened[kind as usize].load(Ordering::Relaxed), self.open[kind as usize].load(Ordering::Relaxed))
    }

    /// How many events were written, and how many readers were too slow.
    pub(super) fn events(&self) -> (u64, u64) {
        (self.events.load(Ordering::Relaxed), self.lagged.load(Ordering::Relaxed))
    }

    /// How many connections there were, and are.
    pub(super) fn connections(&self) -> (u64, i64) {
        (self.connections_opened.load(Ordering::Relaxed), self.connections.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn an_answer_is_counted_by_route_and_status_and_in_the_bucket_of_its_time() {
        let meters = HttpMeters::default();
        meters.request("/metrics", 200, MILLISECOND);
        meters.request("/metrics", 200, 30 * MILLISECOND);
        meters.request("/metrics", 403, 60_000 * MILLISECOND);
        let reading = meters.routes().remove("/metrics").unwrap();
        assert_eq!(reading.answers, BTreeMap::from([(200, 2), (403, 1)]));
        assert_eq!(reading.counts, [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
        assert!((reading.sum - 60.031).abs() < 1e-9);
    }

    #[test]
    fn routes_are_bounded_whatever_is_asked_for() {
        let meters = HttpMeters::default();
        meters.request("", 404, MILLISECOND);
        for route in 0..1_000 {
            meters.request(&format!("/{route}"), 200, MILLISECOND);
            meters.request("/0", 200, MILLISECOND);
        }
        let routes = meters.routes();
        assert!(routes.len() <= MAX_ROUTES);
        assert_eq!(routes["/0"].answers[&200], 1_001);
        let all: u64 = routes.values().flat_map(|reading| reading.answers.values()).sum();
        assert_eq!(all, 2_001);
    }

    #[test]
    fn what_is_open_is_what_came_and_has_not_gone() {
        let meters = HttpMeters::default();
        meters.stream_opened(Stream::WebSocket);
        meters.stream_opened(Stream::WebSocket);
        meters.stream_closed(Stream::WebSocket);
        meters.connection_opened();
        meters.connection_closed();
        meters.refused("rate");
        assert_eq!(meters.streams(Stream::WebSocket), (2, 1));
        assert_eq!(meters.streams(Stream::ServerSentEvents), (0, 0));
        assert_eq!(meters.connections(), (1, 0));
        assert_eq!(meters.refusals(), BTreeMap::from([("rate", 1)]));
    }
}
