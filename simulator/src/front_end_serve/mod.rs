//! The shell of [`FrontEnd`](crate::FrontEnd): the machine on real sockets, over TCP or mutual TLS, many pools at once.

mod control;
mod dial;
mod event;
mod handle;
mod hub;
mod listen;
mod observer;
mod outbox;
mod settings;
mod stream;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;

use presence_sip::TransportKind;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::FrontEnd;
use crate::serve::clock;
use hub::Hub;
use observer::Observer;
use tls::Tls;

pub use event::{Exchange, FrontEndEvent};
pub use handle::FrontEndHandle;
pub use settings::{FrontEndServerSettings, FrontEndStartError, FrontEndTls, Pem};

/// Starts simulated front ends.
#[derive(Debug)]
pub struct FrontEndServer;

impl FrontEndServer {
    /// Starts a front end on the runtime of the caller. It stops when the last clone of the handle is dropped.
    ///
    /// # Errors
    /// [`FrontEndStartError`]: an address is taken, a certificate cannot be used, or the settings contradict themselves.
    pub async fn start(settings: FrontEndServerSettings) -> Result<FrontEndHandle, FrontEndStartError> {
        let FrontEndServerSettings { mut settings, listen, tls, control, events } = settings;
        let pools = settings.pools.len();
        if listen.len() != pools {
            return Err(FrontEndStartError::Pools { pools, listen: listen.len() });
        }
        let tls = match (settings.wire, &tls) {
            (TransportKind::Tls, None) => return Err(FrontEndStartError::NoCertificates),
            (TransportKind::Tls, Some(tls)) => Some(Tls::build(tls)?),
            (TransportKind::Tcp | TransportKind::Udp, _) => None,
        };
        let mut listeners = Vec::new();
        for (pool, address) in settings.pools.iter_mut().zip(listen) {
            let (listener, bound) = bind(address).await?;
            pool.address = bound;
            listeners.push((listener, bound));
        }
        let control = match control {
            None => None,
            Some(address) if address.ip().is_loopback() => Some(bind(address).await?),
            Some(address) => return Err(FrontEndStartError::Control(address)),
        };
        let machine = FrontEnd::new(clock::now(), settings);
        let hub = Arc::new(Hub::new(machine, CancellationToken::new(), tls, pools, Observer::new(events)));
        let addresses = listeners.iter().map(|(_, address)| *address).collect();
        for (pool, (listener, address)) in listeners.into_iter().enumerate() {
            if let Some(gate) = hub.gate(pool) {
                hub.tasks.spawn(listen::listen(Arc::clone(&hub), pool, listener, address, gate));
            }
        }
        let control = control.map(|(listener, address)| {
            hub.tasks.spawn(control::listen(Arc::clone(&hub), listener));
            address
        });
        hub.tasks.spawn(Arc::clone(&hub).keep_time());
        hub.tasks.close();
        Ok(FrontEndHandle::new(hub, addresses, control))
    }

    /// Starts a front end on a thread of its own, so that a benchmark does not measure it. Blocks until it listens.
    ///
    /// # Errors
    /// As [`FrontEndServer::start`], or there is no thread to be had.
    pub fn start_on_own_thread(settings: FrontEndServerSettings) -> Result<FrontEndHandle, FrontEndStartError> {
        let (started, outcome) = std::sync::mpsc::channel();
        let life = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(why) => return drop(started.send(Err(FrontEndStartError::Thread(why)))),
            };
            runtime.block_on(async move {
                let handle = Self::start(settings).await;
                let end = handle.as_ref().ok().map(FrontEndHandle::end);
                // The caller waits below.
                let _ = started.send(handle);
                if let Some(end) = end {
                    end.await;
                }
            });
        };
        let thread = std::thread::Builder::new().name("front end".into()).spawn(life);
        thread.map_err(FrontEndStartError::Thread)?;
        let gone = |_| FrontEndStartError::Thread(std::io::Error::other("it ended"));
        outcome.recv().map_err(gone)?
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), FrontEndStartError> {
    let failed = |why| FrontEndStartError::Listen { address, why };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
