//! What is between the machine of the pool and our endpoints: connections, and what becomes of each message.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use presence_actors::now;
use presence_actors::transport::memory::MemoryPool;
use presence_simulator::{ConnectionId, Effect, FrontEndEffect, Refusal, Scope, Wire};
use presence_sip::{Message, Method};
use tokio::io::{DuplexStream, ReadHalf};
use tokio::sync::mpsc;

use super::{Line, Machine, OWED, Shared, Side, refusing};
use crate::support::line;

/// How long an endpoint is left alone whose list was refused, at most, and until the next moment of gathering.
const REST: Duration = Duration::from_secs(60 + 4);

impl Shared {
    pub(super) fn flush(self: &Rc<Self>) {
        loop {
            let effect = match &mut *self.machine.borrow_mut() {
                Machine::Simple(server) => server
                    .poll_effect()
                    .map(|Effect::Transmit { connection, bytes }| FrontEndEffect::Transmit { connection, bytes }),
                Machine::Skype(front) => front.poll_effect(),
            };
            match effect {
                None => return,
                Some(FrontEndEffect::Transmit { connection, bytes }) => self.transmit(connection, bytes),
                Some(FrontEndEffect::Close { connection }) => self.close(connection),
                Some(FrontEndEffect::Listen { open, .. }) => {
                    self.online.borrow_mut().fill(open);
                    self.disturbed.borrow_mut().fill(now());
                }
                // A front end's own connections are for sockets.
                Some(FrontEndEffect::Dial { connection, .. }) => {
                    if let Machine::Skype(front) = &mut *self.machine.borrow_mut() {
                        front.dialled(now(), connection, false);
                    }
                }
            }
        }
    }

    fn transmit(self: &Rc<Self>, connection: ConnectionId, bytes: Bytes) {
        self.journal.borrow_mut().sent(connection.0, &bytes);
        if [b"SIP/2.0 4", b"SIP/2.0 5"].iter().any(|begin| bytes.starts_with(*begin)) {
            self.weather.borrow_mut().refused(now(), &bytes);
            self.refuses_a_list(connection, &bytes);
            if is_owed(&bytes) {
                self.owed.set(self.owed.get().saturating_sub(1));
            }
        }
        let (number, fates) = self.weather.borrow_mut().fates(now(), &bytes);
        for wait in fates {
            if wait.is_zero() {
                self.deliver(connection, number, bytes.clone());
            } else {
                let (shared, bytes) = (Rc::clone(self), bytes.clone());
                actix_rt::spawn(async move {
                    tokio::time::sleep(wait).await;
                    shared.deliver(connection, number, bytes);
                });
            }
        }
    }

    /// A front end that refuses a list goes on listing whom we would take out of it, until we may ask again: when its
    /// Retry-After is over (world 859: an agent whose actor died went to the other endpoint), or our own rest (7005).
    fn refuses_a_list(&self, connection: ConnectionId, bytes: &[u8]) {
        let head = String::from_utf8_lossy(bytes);
        let asked = head.lines().find_map(|line| line.strip_prefix("Retry-After: ")).and_then(|text| text.parse().ok());
        let side = self.lines.borrow().get(&connection).map(|line| line.side);
        if let Some(side) = side.filter(|_| head.contains(" SUBSCRIBE")) {
            let until = now() + asked.map_or(REST, |seconds| REST.max(Duration::from_secs(seconds)));
            let died = &mut self.died.borrow_mut()[side];
            *died = until.max(*died);
        }
    }

    fn deliver(&self, connection: ConnectionId, number: u64, bytes: Bytes) {
        let lines = self.lines.borrow();
        if lines.get(&connection).is_some_and(|line| line.out.send(bytes.clone()).is_ok()) {
            if number > 0 {
                self.journal.borrow_mut().arrived(number, &bytes);
            }
            self.weather.borrow_mut().arrived(now(), number, &bytes);
        }
    }

    pub(super) fn close(self: &Rc<Self>, connection: ConnectionId) {
        if let Some(line) = self.lines.borrow_mut().remove(&connection) {
            self.disturbed.borrow_mut()[line.side] = now();
            match &mut *self.machine.borrow_mut() {
                Machine::Simple(server) => server.connection_lost(connection),
                Machine::Skype(front) => front.connection_lost(now(), connection),
            }
        }
    }

    fn receive(&self, connection: ConnectionId, message: &Message) {
        self.journal.borrow_mut().received(connection.0, message);
        let now = now();
        match &mut *self.machine.borrow_mut() {
            Machine::Simple(server) => {
                let subscribes = message.method() == Some(&Method::Subscribe);
                let is_full = subscribes && self.slow_return.borrow_mut().as_mut().is_some_and(|pool| !pool.takes(now));
                if is_full {
                    server.faults(&Scope::Everyone, refusing(self.everyone.get(), Refusal::with(503).times(1)));
                }
                server.receive(now, connection, message);
                if is_full {
                    server.faults(&Scope::Everyone, self.everyone.get());
                }
            }
            Machine::Skype(front) => front.receive(now, connection, message),
        }
    }
}

pub(super) async fn accept(shared: Rc<Shared>, side: Side, mut network: MemoryPool) {
    while let Some(stream) = network.accept().await {
        let online = shared.online.borrow()[side];
        shared.journal.borrow_mut().dialled(side, online);
        // Who comes back knows nothing against anybody any more.
        if online {
            shared.journal.borrow_mut().all_forgiven();
        }
        if !online {
            continue;
        }
        shared.next.set(shared.next.get() + 1);
        let connection = ConnectionId(shared.next.get());
        let (reader, writer) = tokio::io::split(stream);
        let (out, queued) = mpsc::unbounded_channel::<Bytes>();
        match &mut *shared.machine.borrow_mut() {
            Machine::Simple(server) => server.connected(connection, Wire::Tcp),
            Machine::Skype(front) => front.connected(connection, 0),
        }
        shared.lines.borrow_mut().insert(connection, Line { side, out });
        shared.disturbed.borrow_mut()[side] = now();
        actix_rt::spawn(line::write(writer, queued));
        actix_rt::spawn(read(Rc::clone(&shared), connection, reader));
    }
}

async fn read(shared: Rc<Shared>, connection: ConnectionId, reader: ReadHalf<DuplexStream>) {
    let is_open = || shared.lines.borrow().contains_key(&connection);
    let settle = || {
        shared.flush();
        shared.changed.notify_one();
    };
    if line::read(reader, is_open, |message| shared.receive(connection, message), settle).await {
        shared.close(connection);
        settle();
    }
}

pub(super) async fn keep_time(shared: Rc<Shared>) {
    loop {
        let deadline = match &*shared.machine.borrow() {
            Machine::Simple(server) => server.poll_timeout().map(|(at, _)| at),
            Machine::Skype(front) => front.poll_timeout(),
        };
        match deadline {
            Some(at) => {
                tokio::select! {
                    biased;
                    () = shared.changed.notified() => continue,
                    () = tokio::time::sleep_until(at.into()) => {}
                }
                match &mut *shared.machine.borrow_mut() {
                    Machine::Simple(server) => server.handle_timeout(now()),
                    Machine::Skype(front) => front.handle_timeout(now()),
                }
                shared.flush();
            }
            None => shared.changed.notified().await,
        }
    }
}

/// Whether it is one of the 503 that were asked for.
fn is_owed(bytes: &[u8]) -> bool {
    String::from_utf8_lossy(bytes).contains(&format!("ms-diagnostics: {OWED};"))
}
