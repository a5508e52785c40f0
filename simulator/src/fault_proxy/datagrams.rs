//! UDP: for each client a socket towards the server.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::net::UdpSocket;

use super::cutter::datagram;
use super::names::Names;
use super::plan::{Course, Step, Way};
use super::streams::OVERTAKEN_WITHIN;
use super::{Door, Seat, Shared, lock};
use crate::serve::clock;

/// The largest datagram, in bytes.
const LARGEST: usize = 65_535;

/// One client and its socket towards the server.
struct Client {
    seat: Seat,
    names: Names,
    front: Arc<UdpSocket>,
    peer: SocketAddr,
    upstream: UdpSocket,
    courses: [Mutex<Course>; 2],
}

/// Receives from clients until the proxy stops.
pub(super) async fn receive(shared: Arc<Shared>, front: Arc<UdpSocket>) {
    let mut clients: BTreeMap<SocketAddr, Arc<Client>> = BTreeMap::new();
    let mut buffer = vec![0; LARGEST];
    loop {
        let received = tokio::select! {
            () = shared.stop.cancelled() => return,
            received = front.recv_from(&mut buffer) => received,
        };
        // An error here is an ICMP message about an earlier datagram.
        let Ok((length, peer)) = received else { continue };
        clients.retain(|_, client| !client.seat.link.end.is_cancelled());
        let client = match clients.get(&peer) {
            Some(client) => Arc::clone(client),
            None => {
                let Some(client) = Client::open(&shared, &front, peer).await else { continue };
                clients.insert(peer, Arc::clone(&client));
                tokio::spawn(answer(Arc::clone(&client)));
                client
            }
        };
        client.carry(Way::ToServer, &buffer[..length]);
    }
}

/// Receives from the server until the client is forgotten.
async fn answer(client: Arc<Client>) {
    let mut buffer = vec![0; LARGEST];
    loop {
        let received = tokio::select! {
            () = client.seat.link.end.cancelled() => return,
            received = client.upstream.recv(&mut buffer) => received,
        };
        match received {
            Ok(length) => client.carry(Way::ToClient, &buffer[..length]),
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

impl Client {
    async fn open(shared: &Arc<Shared>, front: &Arc<UdpSocket>, peer: SocketAddr) -> Option<Arc<Self>> {
        let seat = shared.link()?;
        let upstream = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.ok()?;
        upstream.connect(shared.server).await.ok()?;
        // Until this has been waited for once, nothing can be sent without waiting.
        upstream.writable().await.ok()?;
        let mut names = shared.names.clone();
        names.add(peer, upstream.local_addr().ok()?);
        match shared.door() {
            Door::Open => {}
            Door::HalfOpen | Door::Refused => {
                shared.plan().count("half open");
                seat.link.silence();
            }
        }
        shared.plan().counters.connections += 1;
        Some(Arc::new(Self { seat, names, front: Arc::clone(front), peer, upstream, courses: Default::default() }))
    }

    fn course(&self, way: Way) -> &Mutex<Course> {
        match way {
            Way::ToServer => &self.courses[0],
            Way::ToClient => &self.courses[1],
        }
    }

    fn carry(self: &Arc<Self>, way: Way, bytes: &[u8]) {
        if self.seat.link.is_silent() {
            return;
        }
        let bytes = self.names.translate(way, &Bytes::copy_from_slice(bytes));
        let mut course = lock(self.course(way));
        let held = course.holds();
        let mut steps = self.seat.shared.plan().carry(&mut course, way, datagram(bytes)).into_iter();
        if course.holds() && !held {
            let client = Arc::clone(self);
            tokio::spawn(async move {
                clock::pause(OVERTAKEN_WITHIN).await;
                let steps = lock(client.course(way)).release();
                client.perform_at_once(way, steps);
            });
        }
        drop(course);
        while let Some(step) = steps.next() {
            if let Step::Wait(wait) = step {
                // Others do not wait for it.
                let (client, rest) = (Arc::clone(self), steps.collect::<Vec<_>>());
                tokio::spawn(async move {
                    clock::pause(wait).await;
                    client.perform_at_once(way, rest);
                });
                return;
            }
            self.perform_at_once(way, vec![step]);
        }
    }

    /// Performs steps without waiting in between.
    fn perform_at_once(&self, way: Way, steps: Vec<Step>) {
        let link = &self.seat.link;
        for step in steps {
            match step {
                _ if link.is_silent() || link.end.is_cancelled() => return,
                Step::Write(bytes) => {
                    let sent = match way {
                        Way::ToServer => self.upstream.try_send(&bytes),
                        Way::ToClient => self.front.try_send_to(&bytes, self.peer),
                    };
                    if let Err(why) = sent {
                        tracing::debug!(%why, "datagram lost");
                    }
                }
                Step::Wait(_) => {}
                Step::Reset | Step::Close => link.close(),
                Step::Silence => link.silence(),
            }
        }
    }
}
