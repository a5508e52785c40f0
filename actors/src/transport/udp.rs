//! Datagrams: one socket to all servers of the pool.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use presence_core::Failure;
use presence_sip::{FlowId, Frame};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::admission::{Budget, Rarely};
use super::connection::{Ending, FlowWriter, Outgoing, answer_in_passing};
use super::refusals::Refusal;
use super::stream::plain;
use super::traffic::Traffic;
use super::{ActorGone, Server, Shared, TransportEvent, lock, network_failure};

/// The largest datagram that there can be, in bytes.
const LARGEST: usize = 65_535;
/// What is asked of the operating system for datagrams that wait to be read, in bytes; it may give less.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;
/// How many other ports of the pool are remembered; the one that was seen first is forgotten first.
const SIDE_FLOWS: usize = 64;

/// Opens the socket, tells that it is connected, and serves it until it fails or is closed.
pub(super) async fn run(shared: Arc<Shared>, number: u64, token: CancellationToken) {
    // The actor being gone is no reason to tell anybody.
    let _gone = match open(&shared).await {
        Err(why) => shared.tell(TransportEvent::ConnectFailed { connection: number, why }).await,
        Ok((socket, local, server)) => serve(&shared, number, token, Arc::new(socket), local, server).await,
    };
}

async fn open(shared: &Shared) -> Result<(UdpSocket, SocketAddr, SocketAddr), Failure> {
    let Some(Server { address: server, .. }) = shared.candidates().into_iter().next() else {
        return Err(network_failure("the pool has no server to send to"));
    };
    shared.trying(server);
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let listen = shared.settings.listen.unwrap_or(SocketAddr::new(any, 0));
    let why = |error: io::Error| network_failure(format!("use UDP on {listen}: {}", plain(&error)));
    let socket = UdpSocket::bind(listen).await.map_err(why)?;
    tell_of_refusals(&socket, server).map_err(why)?;
    if let Err(error) = socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER) {
        tracing::debug!(%error, "the receive buffer keeps its size");
    }
    let mut local = socket.local_addr().map_err(why)?;
    if local.ip().is_unspecified() {
        local.set_ip(source_towards(server).await.map_err(why)?);
    }
    Ok((socket, local, server))
}

/// The address of this machine from which datagrams to the server leave.
async fn source_towards(server: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let probe = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    probe.connect(server).await?;
    Ok(probe.local_addr()?.ip())
}

/// Asks Linux to report ICMP errors on a socket that is not bound to one peer. Elsewhere the probes of the endpoint
/// find out that the pool is gone.
#[cfg(target_os = "linux")]
fn tell_of_refusals(socket: &UdpSocket, server: SocketAddr) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt};
    if server.is_ipv4() {
        setsockopt(socket, sockopt::Ipv4RecvErr, &true)?;
    } else {
        setsockopt(socket, sockopt::Ipv6RecvErr, &true)?;
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn tell_of_refusals(_socket: &UdpSocket, _server: SocketAddr) -> io::Result<()> {
    Ok(())
}

async fn serve(
    shared: &Arc<Shared>,
    number: u64,
    token: CancellationToken,
    socket: Arc<UdpSocket>,
    local: SocketAddr,
    server: SocketAddr,
) -> Result<(), ActorGone> {
    shared.settings.traffic.count_connection();
    let ending = Ending::new(token);
    let (writer, queued) = FlowWriter::new(&shared.settings, server, ending.clone());
    shared.enter(FlowId::PRIMARY, &writer);
    tokio::spawn(write(Arc::clone(&socket), queued, ending.clone(), Arc::clone(&shared.settings.traffic)));
    let mut peers = Peers::new(shared, server, writer.clone());
    let told = shared.tell(TransportEvent::Connected { connection: number, local, peer: server }).await;
    let served = match told {
        Ok(()) => read(shared, &socket, &mut peers, &ending).await,
        Err(gone) => Err(gone),
    };
    ending.end();
    shared.leave(&writer);
    served?;
    match ending.why() {
        None => Ok(()),
        Some(why) => shared.tell(TransportEvent::Lost { flow: FlowId::PRIMARY, connection: number, why }).await,
    }
}

/// Who may send to us, and which flow is whose: the server is the primary flow, another port or another server of the
/// pool gets a flow of its own, so that an answer goes back where the request came from (RFC 3581).
struct Peers<'a> {
    shared: &'a Shared,
    writer: FlowWriter,
    server: SocketAddr,
    pool: BTreeSet<IpAddr>,
    flows: BTreeMap<SocketAddr, FlowId>,
    heard: bool,
    strangers: Rarely,
}

impl<'a> Peers<'a> {
    fn new(shared: &'a Shared, server: SocketAddr, writer: FlowWriter) -> Self {
        let servers = shared.servers();
        let pool = servers.iter().map(|known| known.address.ip()).chain([server.ip()]);
        let pool = pool.map(|address| address.to_canonical()).collect();
        Self { shared, writer, server, pool, flows: BTreeMap::new(), heard: false, strangers: Rarely::default() }
    }

    /// The flow of a peer with its writer; `None` for a stranger.
    fn flow(&mut self, from: SocketAddr) -> Option<(FlowId, FlowWriter)> {
        if from == self.server {
            if !std::mem::replace(&mut self.heard, true) {
                self.shared.heard(from);
            }
            return Some((FlowId::PRIMARY, self.writer.clone()));
        }
        if !self.pool.contains(&from.ip().to_canonical()) {
            self.shared.count_refused(Refusal::Stranger);
            if let Some(datagrams) = self.strangers.count() {
                tracing::warn!(%from, datagrams, "datagrams that did not come from the pool were dropped");
            }
            return None;
        }
        let writer = self.writer.towards(from);
        if let Some(flow) = self.flows.get(&from) {
            return Some((*flow, writer));
        }
        if self.flows.len() >= SIDE_FLOWS {
            let oldest = self.flows.iter().min_by_key(|(_, flow)| **flow).map(|(address, flow)| (*address, *flow));
            if let Some((address, flow)) = oldest {
                self.flows.remove(&address);
                lock(&self.shared.flows).remove(&flow);
            }
        }
        let flow = FlowId(self.shared.next_flow.fetch_add(1, Ordering::Relaxed));
        self.flows.insert(from, flow);
        self.shared.enter(flow, &writer);
        Some((flow, writer))
    }
}

async fn read(shared: &Shared, socket: &UdpSocket, peers: &mut Peers<'_>, ending: &Ending) -> Result<(), ActorGone> {
    let limits = &shared.settings.connections;
    let mut budget = Budget::new(limits.messages_per_second, limits.burst);
    let mut buffer = vec![0; LARGEST];
    loop {
        let ready = tokio::select! {
            biased;
            () = ending.ended() => return Ok(()),
            ready = socket.ready(Interest::READABLE | Interest::ERROR) => ready,
        };
        let mut failed = match ready {
            Ok(ready) if ready.is_error() => pending_error(socket),
            Ok(_) => None,
            Err(error) => Some(error),
        };
        let mut batches: Vec<(FlowId, FlowWriter, Vec<Frame>)> = Vec::new();
        let mut count = 0;
        while failed.is_none() && count < limits.batch.max(1) {
            match socket.try_recv_from(&mut buffer) {
                Ok((size, from)) => {
                    count += 1;
                    let Some((flow, writer)) = peers.flow(from) else {
                        if is_notification(buffer.get(..size).unwrap_or_default()) {
                            shared.count_refused(Refusal::StrangersNotify);
                        }
                        continue;
                    };
                    shared.settings.traffic.count_received(size);
                    let datagram = Bytes::copy_from_slice(buffer.get(..size).unwrap_or_default());
                    let frame = Frame::from_datagram(datagram, &shared.settings.limits);
                    match batches.last_mut() {
                        Some((last, _, frames)) if *last == flow => frames.push(frame),
                        _ => batches.push((flow, writer, vec![frame])),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => failed = Some(error),
            }
        }
        for (flow, writer, frames) in batches {
            let frames = answer_in_passing(frames, &writer);
            if !frames.is_empty() {
                shared.tell(TransportEvent::Received { flow, frames }).await?;
            }
        }
        if let Some(error) = failed {
            if is_loss(&error) {
                ending.because(network_failure(lost(peers.server, &error)));
                return Ok(());
            }
            tracing::debug!(%error, "a datagram could not be received");
        }
        if let Some(resume) = budget.spend(super::now(), count) {
            shared.count_refused(Refusal::OverBudget);
            tokio::select! { () = ending.ended() => return Ok(()), () = tokio::time::sleep_until(resume) => {} }
        }
    }
}

/// True for a datagram that calls itself a notification.
fn is_notification(datagram: &[u8]) -> bool {
    datagram.starts_with(b"NOTIFY ") || datagram.starts_with(b"BENOTIFY ")
}

/// The error that the operating system keeps for the socket; the readiness for it is taken back.
fn pending_error(socket: &UdpSocket) -> Option<io::Error> {
    let error = socket.take_error().unwrap_or_else(Some);
    // `WouldBlock` is how tokio is told that there is no error left to be seen.
    let _readiness = socket.try_io(Interest::ERROR, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
    error
}

/// True for errors that say that the pool cannot be reached; others concern one datagram.
fn is_loss(error: &io::Error) -> bool {
    use io::ErrorKind::{
        AddrNotAvailable, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkDown, NetworkUnreachable,
    };
    matches!(
        error.kind(),
        ConnectionRefused | ConnectionReset | HostUnreachable | NetworkUnreachable | NetworkDown | AddrNotAvailable
    )
}

fn lost(server: SocketAddr, error: &io::Error) -> String {
    format!("UDP to {server}: {}", plain(error))
}

async fn write(socket: Arc<UdpSocket>, mut queued: mpsc::Receiver<Outgoing>, ending: Ending, traffic: Arc<Traffic>) {
    loop {
        let (peer, bytes) = tokio::select! {
            biased;
            () = ending.ended() => break,
            message = queued.recv() => match message { Some(message) => message, None => break },
        };
        match socket.send_to(&bytes, peer).await {
            Ok(size) => traffic.count_sent(size),
            Err(error) if is_loss(&error) => {
                ending.because(network_failure(lost(peer, &error)));
                break;
            }
            Err(error) => tracing::warn!(%peer, size = bytes.len(), %error, "a datagram could not be sent"),
        }
    }
    if ending.why().is_none() {
        // An orderly end: what is queued still leaves, as far as that needs no waiting.
        while let Ok((peer, bytes)) = queued.try_recv() {
            match socket.try_send_to(&bytes, peer) {
                Ok(size) => traffic.count_sent(size),
                Err(_) => break,
            }
        }
    }
}
