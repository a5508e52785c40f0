//! How messages leave: late if ordered so, over the client's connection or over one that is dialled.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use presence_core::AgentUri;
use presence_sip::{TransportKind, uri_param};

use super::schedule::Due;
use super::{FIRST_DIALLED, FrontEnd, FrontEndEffect};
use crate::ConnectionId;

/// How many messages wait for a connection that is being dialled.
const MOST_WAITING: usize = 1_000;

/// A connection that the front end dials or has dialled.
#[derive(Debug)]
pub(super) struct Dialled {
    pub(super) connection: ConnectionId,
    pool: usize,
    /// What waits for it; `None`: it is open.
    waiting: Option<VecDeque<Bytes>>,
}

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Connections {
    /// The pool of each open one.
    pub(super) open: BTreeMap<ConnectionId, usize>,
    /// The dialled ones by their target.
    pub(super) dialled: BTreeMap<String, Dialled>,
    last: u64,
}

/// Messages that are held back by a delay, and when the last of them leaves.
#[derive(Debug, Default)]
pub(super) struct HeldBack {
    messages: BTreeMap<u64, (ConnectionId, Bytes)>,
    last: u64,
    until: Option<Instant>,
}

/// Host and port that a Contact URI leads to; `None` when it is a GRUU or no SIP URI.
pub(super) fn place(uri: &str, wire: TransportKind) -> Option<String> {
    if uri_param(uri, "gruu").is_some() || uri_param(uri, "opaque").is_some() {
        return None;
    }
    let (_, rest) = uri.split_once(':')?;
    let host = rest.split_once('@').map_or(rest, |(_, host)| host).split([';', '?']).next()?;
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok() && !port.is_empty());
    if host.is_empty() {
        None
    } else if has_port {
        Some(host.into())
    } else {
        Some(format!("{host}:{}", wire.default_port()))
    }
}

impl FrontEnd {
    /// Sends over a connection, now or when the delay is over; never before what was sent earlier.
    pub(super) fn transmit(&mut self, now: Instant, connection: ConnectionId, bytes: Bytes) {
        if !self.connections.open.contains_key(&connection) {
            self.counters.undeliverable += 1;
            return;
        }
        let at = (now + self.faults.delay).max(self.held_back.until.unwrap_or(now));
        if at <= now {
            self.effects.push_back(FrontEndEffect::Transmit { connection, bytes });
            return;
        }
        self.held_back.last += 1;
        self.held_back.until = Some(at);
        self.held_back.messages.insert(self.held_back.last, (connection, bytes));
        self.schedule.add(at, Due::Send(self.held_back.last));
    }

    /// A message that was held back leaves, if its connection still lives.
    pub(super) fn release(&mut self, number: u64) {
        let Some((connection, bytes)) = self.held_back.messages.remove(&number) else { return };
        if self.held_back.messages.is_empty() {
            self.held_back.until = None;
        }
        if self.connections.open.contains_key(&connection) {
            self.effects.push_back(FrontEndEffect::Transmit { connection, bytes });
        } else {
            self.counters.undeliverable += 1;
        }
    }

    /// Sends a request of ours to an endpoint: where it is registered, or over what it was heard last.
    pub(super) fn deliver(
        &mut self,
        now: Instant,
        owner: &AgentUri,
        epid: &str,
        last: (ConnectionId, &str),
        bytes: Bytes,
    ) {
        let registration = self.registrations.get(owner, epid);
        let registered = registration.map(|found| (found.connection, found.pool));
        if self.settings.switches.own_connections {
            let wire = self.settings.wire;
            let contact = registration.and_then(|found| place(&found.contact, wire)).or_else(|| place(last.1, wire));
            if let Some(target) = contact {
                let pool = registered.map_or_else(|| self.pool_of(last.0), |(_, pool)| pool);
                self.deliver_by_dialling(now, target, pool, bytes);
                return;
            }
        }
        let heard = registered.map(|(connection, _)| connection);
        let connection = heard.filter(|connection| self.connections.open.contains_key(connection)).unwrap_or(last.0);
        self.transmit(now, connection, bytes);
    }

    fn deliver_by_dialling(&mut self, now: Instant, target: String, pool: usize, bytes: Bytes) {
        if let Some(dialled) = self.connections.dialled.get_mut(&target) {
            match &mut dialled.waiting {
                None => {
                    let connection = dialled.connection;
                    self.transmit(now, connection, bytes);
                }
                Some(waiting) if waiting.len() < MOST_WAITING => waiting.push_back(bytes),
                Some(_) => self.counters.undeliverable += 1,
            }
            return;
        }
        let connection = ConnectionId(FIRST_DIALLED + self.connections.last);
        self.connections.last += 1;
        self.counters.dialled += 1;
        let waiting = Some(VecDeque::from([bytes]));
        self.connections.dialled.insert(target.clone(), Dialled { connection, pool, waiting });
        self.effects.push_back(FrontEndEffect::Dial { connection, target });
    }

    /// How dialling went: what waited leaves, or is lost.
    pub(super) fn on_dialled(&mut self, now: Instant, connection: ConnectionId, ok: bool) {
        let found = self.connections.dialled.iter_mut().find(|(_, dialled)| dialled.connection == connection);
        let Some((target, dialled)) = found else { return };
        let (target, pool, waiting) = (target.clone(), dialled.pool, dialled.waiting.take().unwrap_or_default());
        if !ok {
            self.connections.dialled.remove(&target);
            self.counters.undeliverable += u64::try_from(waiting.len()).unwrap_or_default();
            return;
        }
        self.connections.open.insert(connection, pool);
        for bytes in waiting {
            self.transmit(now, connection, bytes);
        }
    }

    /// A connection is gone, whoever dialled it.
    pub(super) fn forget_connection(&mut self, connection: ConnectionId) {
        self.connections.open.remove(&connection);
        self.connections.dialled.retain(|_, dialled| dialled.connection != connection);
    }

    /// Closes the connections of a pool, or all; how many.
    pub(super) fn close_connections(&mut self, pool: Option<usize>) -> usize {
        let open = self.connections.open.iter();
        let doomed: Vec<_> =
            open.filter(|(_, of)| pool.is_none_or(|pool| pool == **of)).map(|(connection, _)| *connection).collect();
        for connection in &doomed {
            self.forget_connection(*connection);
            self.effects.push_back(FrontEndEffect::Close { connection: *connection });
        }
        doomed.len()
    }

    /// A pool accepts no connections for a while.
    pub(super) fn close_pool(&mut self, now: Instant, pool: usize, time: Duration) {
        let Some(closed) = self.closed_until.get_mut(pool) else { return };
        let until = now + time;
        *closed = Some(until);
        self.effects.push_back(FrontEndEffect::Listen { pool, open: false });
        self.schedule.add(until, Due::Reopen(pool));
    }

    /// A pool accepts connections again, unless it was closed for longer meanwhile.
    pub(super) fn reopen(&mut self, now: Instant, pool: usize) {
        let over = |closed: &mut Option<Instant>| closed.take_if(|until| *until <= now).is_some();
        if self.closed_until.get_mut(pool).is_some_and(over) {
            self.effects.push_back(FrontEndEffect::Listen { pool, open: true });
        }
    }
}
