//! The shell: the machine on real sockets.

mod blast;
pub(crate) mod clock;
mod handle;
mod hub;
mod outbox;
mod tcp;
mod udp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use presence_core::AgentUri;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{PresenceServer, Reach, ServerSettings, SimulatorSettings, StartError};
use hub::Hub;

pub use blast::Blast;
pub use handle::SimulatorHandle;

/// How often a free port is looked for that is free for TCP and for UDP.
const PORT_TRIES: usize = 20;

/// Starts simulated presence servers.
#[derive(Debug)]
pub struct Simulator;

impl Simulator {
    /// Starts a server on the runtime of the caller. It stops when the last clone of the handle is dropped.
    ///
    /// # Errors
    /// [`StartError`]: an agent's URI is none, or the address is taken.
    pub async fn start(settings: SimulatorSettings) -> Result<SimulatorHandle, StartError> {
        let parse = |uri: &String| AgentUri::parse(uri).map_err(|why| StartError::Agent { uri: uri.clone(), why });
        let agents = settings.agents.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        let Sockets { tcp, udp, address } = Sockets::open(settings.listen, settings.reach).await?;
        let SimulatorSettings { seed, change_interval, digest, .. } = settings;
        let machine = PresenceServer::new(
            clock::now(),
            ServerSettings { seed, agents: agents.clone(), change_interval, address, digest },
        );
        let stop = CancellationToken::new();
        let hub = Arc::new(Hub::new(machine, stop.clone()));
        let tasks = TaskTracker::new();
        let (pause, pauses) = mpsc::channel(1);
        let deaf = Arc::new(AtomicBool::new(false));
        if let Some(listener) = tcp {
            tasks.spawn(tcp::listen(Arc::clone(&hub), listener, address, pauses, tasks.clone()));
        }
        if let Some(socket) = udp {
            tasks.spawn(udp::receive(Arc::clone(&hub), socket, Arc::clone(&deaf)));
        }
        let timekeeper = Arc::clone(&hub);
        tasks.spawn(async move { timekeeper.keep_time().await });
        tasks.close();
        Ok(SimulatorHandle::new(hub, address, agents, pause, deaf, tasks))
    }

    /// Starts a server on a thread of its own, so that a benchmark does not measure it. Blocks until it listens.
    ///
    /// # Errors
    /// [`StartError`]: an agent's URI is none, the address is taken, or there is no thread to be had.
    pub fn start_on_own_thread(settings: SimulatorSettings) -> Result<SimulatorHandle, StartError> {
        let address = settings.listen;
        let (started, outcome) = std::sync::mpsc::channel();
        let life = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(why) => return drop(started.send(Err(StartError::Listen { address, why }))),
            };
            runtime.block_on(async move {
                let handle = Self::start(settings).await;
                let end = handle.as_ref().ok().map(SimulatorHandle::end);
                // The caller waits below.
                let _ = started.send(handle);
                if let Some(end) = end {
                    end.await;
                }
            });
        };
        let thread = std::thread::Builder::new().name("simulator".into()).spawn(life);
        thread.map_err(|why| StartError::Listen { address, why })?;
        let gone = |_| StartError::Listen { address, why: std::io::Error::other("the thread ended") };
        outcome.recv().map_err(gone)?
    }
}

/// What a server listens on.
struct Sockets {
    tcp: Option<TcpListener>,
    udp: Option<Arc<UdpSocket>>,
    address: SocketAddr,
}

impl Sockets {
    /// Opens what is asked for; both on the same port, which takes another try when the system's choice for TCP is
    /// taken for UDP.
    async fn open(listen: SocketAddr, reach: Reach) -> Result<Self, StartError> {
        let failed = |address| move |why| StartError::Listen { address, why };
        let mut tries = PORT_TRIES;
        loop {
            let tcp = match reach {
                Reach::Udp => None,
                Reach::Tcp | Reach::Both => Some(TcpListener::bind(listen).await.map_err(failed(listen))?),
            };
            let address = match &tcp {
                Some(listener) => listener.local_addr().map_err(failed(listen))?,
                None => listen,
            };
            if reach == Reach::Tcp {
                return Ok(Self { tcp, udp: None, address });
            }
            match UdpSocket::bind(address).await {
                Ok(socket) => {
                    let address = socket.local_addr().map_err(failed(address))?;
                    return Ok(Self { tcp, udp: Some(Arc::new(socket)), address });
                }
                Err(why) => {
                    tries -= 1;
                    if listen.port() != 0 || tries == 0 {
                        return Err(StartError::Listen { address, why });
                    }
                }
            }
        }
    }
}
