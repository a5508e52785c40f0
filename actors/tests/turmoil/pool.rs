//! The host `pool`: the simulated presence server on streams of turmoil. Its memory can outlive the host.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use presence_core::AgentUri;
use presence_simulator::{Activity, AgentState, ConnectionId, Counters, Effect, PresenceServer, ServerSettings, Wire};
use presence_sip::{Frame, Framer, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};
use turmoil::net::tcp::OwnedReadHalf;
use turmoil::net::{TcpListener, TcpStream};

use crate::support::agent;

/// Where it listens.
pub(crate) const PORT: u16 = 5060;

/// The machine of the server, and what its host is doing with it.
pub(crate) struct Pool {
    machine: RefCell<PresenceServer>,
    writers: RefCell<BTreeMap<ConnectionId, mpsc::UnboundedSender<Bytes>>>,
    connections: RefCell<u64>,
    started: Instant,
    changed: Notify,
}

impl Pool {
    pub(crate) fn new(agents: usize, started: Instant) -> Rc<Self> {
        let settings = ServerSettings {
            seed: 1,
            agents: (1..=agents).map(agent).collect(),
            change_interval: None,
            address: (Ipv4Addr::LOCALHOST, PORT).into(),
            digest: None,
        };
        Rc::new(Self {
            machine: RefCell::new(PresenceServer::new(started, settings)),
            writers: RefCell::default(),
            connections: RefCell::new(0),
            started,
            changed: Notify::new(),
        })
    }

    /// Its clock goes on while its host is down.
    fn now(&self) -> Instant {
        self.started + turmoil::sim_elapsed().unwrap_or_default()
    }

    /// What the host runs, from each of its starts on.
    pub(crate) async fn run(self: Rc<Self>) -> turmoil::Result {
        for connection in std::mem::take(&mut *self.writers.borrow_mut()).into_keys() {
            self.machine.borrow_mut().connection_lost(connection);
        }
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
        tokio::task::spawn_local(Rc::clone(&self).keep_time());
        loop {
            let (stream, _) = listener.accept().await?;
            self.accept(stream);
        }
    }

    fn accept(self: &Rc<Self>, stream: TcpStream) {
        let number = *self.connections.borrow() + 1;
        *self.connections.borrow_mut() = number;
        let connection = ConnectionId(number);
        let (reader, mut writer) = stream.into_split();
        let (queue, mut queued) = mpsc::unbounded_channel::<Bytes>();
        self.machine.borrow_mut().connected(connection, Wire::Tcp);
        self.writers.borrow_mut().insert(connection, queue);
        tokio::task::spawn_local(async move {
            while let Some(bytes) = queued.recv().await {
                if writer.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        });
        tokio::task::spawn_local(Rc::clone(self).read(connection, reader));
    }

    async fn read(self: Rc<Self>, connection: ConnectionId, mut reader: OwnedReadHalf) {
        let mut framer = Framer::new(Limits::default());
        let mut buffer = vec![0; 65_536];
        while let Ok(length @ 1..) = reader.read(&mut buffer).await {
            framer.push(&buffer[..length]);
            while let Ok(Some(frame)) = framer.next_frame() {
                if let Frame::Message(message) = frame {
                    self.machine.borrow_mut().receive(self.now(), connection, &message);
                }
            }
            self.flush();
        }
        self.writers.borrow_mut().remove(&connection);
        self.machine.borrow_mut().connection_lost(connection);
    }

    async fn keep_time(self: Rc<Self>) {
        loop {
            let deadline = self.machine.borrow().poll_timeout().map(|(at, _)| at);
            let due = async {
                match deadline {
                    Some(at) => tokio::time::sleep(at.saturating_duration_since(self.now())).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.changed.notified() => {}
                () = due => {
                    self.machine.borrow_mut().handle_timeout(self.now());
                    self.flush();
                }
            }
        }
    }

    fn flush(&self) {
        let mut machine = self.machine.borrow_mut();
        while let Some(Effect::Transmit { connection, bytes }) = machine.poll_effect() {
            if let Some(writer) = self.writers.borrow().get(&connection) {
                let _closed = writer.send(bytes);
            }
        }
        self.changed.notify_one();
    }

    /// An agent does this at this moment, which only the test knows.
    pub(crate) fn set(&self, at: Instant, number: usize, activity: Activity) {
        assert!(self.machine.borrow_mut().set_presence(at, &agent(number), AgentState::of(activity)));
        self.flush();
    }

    /// What an agent does.
    pub(crate) fn activity(&self, number: usize) -> Activity {
        self.machine.borrow().presence(&agent(number)).unwrap().activity
    }

    /// It forgets its dialogs, as a server without a database does when it is started again.
    pub(crate) fn forget(&self) {
        self.machine.borrow_mut().forget_dialogs();
    }

    /// How many subscriptions each agent has on connections that stand. One on a connection that is gone does not count:
    /// its next NOTIFY cannot be delivered, and a server ends it then (RFC 6665 section 4.2.2), which ours does not.
    pub(crate) fn live(&self) -> BTreeMap<AgentUri, usize> {
        let writers = self.writers.borrow();
        let mut live = BTreeMap::new();
        for (uri, _) in self.machine.borrow().subscriptions().filter(|(_, connection)| writers.contains_key(connection))
        {
            *live.entry(uri.clone()).or_default() += 1;
        }
        live
    }

    pub(crate) fn counters(&self) -> Counters {
        self.machine.borrow().counters()
    }
}
