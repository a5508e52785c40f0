//! A network between a client and its server that goes wrong on request: a proxy on loopback that cuts what it carries
//! into SIP messages, so that a fault can be said of a NOTIFY and not only of bytes.
//!
//! ```text
//!   provider --dials--> front ==(pieces, plan, steps)== proxy --dials--> server
//!   provider's listener <--dials-- proxy ==(the same)== back <--dials-- server
//! ```
//!
//! Addresses in header sections are written over, as a gateway does it, so that each side takes the proxy for the
//! other; with that, connections that the server opens to the client's Contact come through here as well. (So digest
//! authentication of requests that name an address does not survive it.) TLS is carried uncut: faults that name no
//! method work on what is read at once. Over UDP each piece is a datagram of its own, a reset or a close forgets the
//! client, and only what is delayed waits.
//!
//! Two layers: [`Plan`](plan::Plan) decides by seeded dice and knows neither clock nor socket; the tasks around it carry.

mod cutter;
mod datagrams;
mod handle;
mod names;
mod plan;
mod streams;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::{TcpListener, UdpSocket};
use tokio_util::sync::CancellationToken;

use crate::StartError;
use names::Names;
use plan::Plan;

pub use handle::FaultProxyHandle;
pub use plan::{FaultRule, NetworkFault, ProxyCounters, Way};

/// How often a free port is looked for that is free for TCP and for UDP.
const PORT_TRIES: usize = 20;
/// Connections, or clients over UDP, that are carried at the same time; others are turned away.
const MOST_LINKS: usize = 1_024;

/// Between whom a proxy stands.
#[derive(Clone, Debug)]
pub struct FaultProxySettings {
    /// The seed of the dice.
    pub seed: u64,
    /// Where the server listens.
    pub server: SocketAddr,
    /// Where the client listens for connections of the server; none: it does not.
    pub client_listener: Option<SocketAddr>,
}

/// What happens to new connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Door {
    /// They are carried.
    #[default]
    Open,
    /// They are accepted, everything is swallowed, and nothing is ever answered.
    HalfOpen,
    /// They are reset at once.
    Refused,
}

/// Starts fault proxies.
#[derive(Debug)]
pub struct FaultProxy;

impl FaultProxy {
    /// Starts a proxy on free ports of 127.0.0.1, on the runtime of the caller. It stops when the last clone of the
    /// handle is dropped.
    ///
    /// # Errors
    /// [`StartError::Listen`].
    pub async fn start(settings: FaultProxySettings) -> Result<FaultProxyHandle, StartError> {
        let (front, datagrams, address) = sockets().await?;
        let back = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(not_here)?;
        let back_address = back.local_addr().map_err(not_here)?;
        let mut names = Names::default();
        names.add(address, settings.server);
        if let Some(listener) = settings.client_listener {
            names.add(listener, back_address);
        }
        let shared = Arc::new(Shared {
            plan: Mutex::new(Plan::new(settings.seed)),
            door: Mutex::default(),
            links: Mutex::default(),
            last_link: AtomicU64::new(0),
            names,
            server: settings.server,
            client_listener: settings.client_listener,
            stop: CancellationToken::new(),
        });
        tokio::spawn(streams::listen(Arc::clone(&shared), front, Way::ToServer));
        tokio::spawn(streams::listen(Arc::clone(&shared), back, Way::ToClient));
        tokio::spawn(datagrams::receive(Arc::clone(&shared), datagrams));
        Ok(FaultProxyHandle::new(shared, address, back_address))
    }

    /// Starts a proxy on a thread of its own. Blocks until it listens.
    ///
    /// # Errors
    /// [`StartError::Listen`], also when there is no thread to be had.
    pub fn start_on_own_thread(settings: FaultProxySettings) -> Result<FaultProxyHandle, StartError> {
        let (started, outcome) = std::sync::mpsc::channel();
        let life = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(why) => return drop(started.send(Err(not_here(why)))),
            };
            runtime.block_on(async move {
                let handle = Self::start(settings).await;
                let stop = handle.as_ref().ok().map(FaultProxyHandle::stopped);
                // The caller waits below.
                let _ = started.send(handle);
                if let Some(stop) = stop {
                    stop.cancelled().await;
                }
            });
        };
        std::thread::Builder::new().name("fault-proxy".into()).spawn(life).map_err(not_here)?;
        outcome.recv().map_err(|_| not_here(std::io::Error::other("the thread ended")))?
    }
}

fn not_here(why: std::io::Error) -> StartError {
    StartError::Listen { address: (Ipv4Addr::LOCALHOST, 0).into(), why }
}

/// TCP and UDP on one free port.
async fn sockets() -> Result<(TcpListener, Arc<UdpSocket>, SocketAddr), StartError> {
    let mut tries = PORT_TRIES;
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(not_here)?;
        let address = tcp.local_addr().map_err(not_here)?;
        match UdpSocket::bind(address).await {
            Ok(udp) => return Ok((tcp, Arc::new(udp), address)),
            Err(why) if tries == 0 => return Err(StartError::Listen { address, why }),
            Err(_) => tries -= 1,
        }
    }
}

/// What the tasks of one proxy share.
#[derive(Debug)]
struct Shared {
    plan: Mutex<Plan>,
    door: Mutex<Door>,
    links: Mutex<BTreeMap<u64, Arc<Link>>>,
    last_link: AtomicU64,
    /// The pairs of addresses that every connection has.
    names: Names,
    server: SocketAddr,
    client_listener: Option<SocketAddr>,
    stop: CancellationToken,
}

/// What can be done to one connection, or to one client over UDP.
#[derive(Debug)]
struct Link {
    end: CancellationToken,
    reset: AtomicBool,
    silent: AtomicBool,
}

impl Link {
    fn close(&self) {
        self.end.cancel();
    }

    fn reset(&self) {
        self.reset.store(true, Ordering::Relaxed);
        self.end.cancel();
    }

    fn silence(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }

    fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        lock(&self.plan)
    }

    fn door(&self) -> Door {
        *lock(&self.door)
    }

    /// A place for one more connection; none when there are too many.
    fn link(self: &Arc<Self>) -> Option<Seat> {
        let mut links = lock(&self.links);
        if links.len() >= MOST_LINKS {
            tracing::warn!(MOST_LINKS, "too many connections; one more is turned away");
            return None;
        }
        let number = self.last_link.fetch_add(1, Ordering::Relaxed);
        let link = Link { end: self.stop.child_token(), reset: AtomicBool::default(), silent: AtomicBool::default() };
        let link = Arc::new(link);
        links.insert(number, Arc::clone(&link));
        Some(Seat { shared: Arc::clone(self), number, link })
    }
}

/// A connection among the others, until it is dropped.
#[derive(Debug)]
struct Seat {
    shared: Arc<Shared>,
    number: u64,
    link: Arc<Link>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.shared.links).remove(&self.number);
    }
}

/// A lock whose holder panicked is taken all the same: every critical section here is a single step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
