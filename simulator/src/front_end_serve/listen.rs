//! The listener of one pool, which can be closed and opened.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::event::FrontEndEvent;
use super::hub::Hub;
use super::stream::converse;
use crate::serve::clock;

/// How long to wait before listening is tried again, when it fails.
const LISTEN_AGAIN: Duration = Duration::from_millis(20);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Accepts connections until the front end stops; closed while the gate is.
pub(super) async fn listen(
    hub: Arc<Hub>,
    pool: usize,
    listener: TcpListener,
    address: SocketAddr,
    mut gate: watch::Receiver<bool>,
) {
    let mut listener = Some(listener);
    loop {
        let open = *gate.borrow_and_update();
        if !open {
            listener = None;
        } else if listener.is_none() {
            match TcpListener::bind(address).await {
                Ok(bound) => listener = Some(bound),
                Err(why) => tracing::debug!(%why, %address, "cannot listen yet"),
            }
        }
        let accepting = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None if open => {
                    clock::pause(LISTEN_AGAIN).await;
                    Err(std::io::ErrorKind::AddrInUse.into())
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = hub.stop.cancelled() => return,
            changed = gate.changed() => if changed.is_err() { return },
            accepted = accepting => match accepted {
                Ok((stream, peer)) => {
                    match Arc::clone(&hub.seats).try_acquire_owned() {
                        Ok(seat) => drop(hub.tasks.spawn(welcome(Arc::clone(&hub), pool, stream, peer, seat))),
                        Err(_) => tracing::warn!(%peer, "too many connections"),
                    }
                }
                // Out of descriptors, perhaps: not in a tight circle.
                Err(why) if listener.is_some() => {
                    tracing::warn!(%why, "accept failed");
                    clock::pause(LISTEN_AGAIN).await;
                }
                Err(_) => {}
            },
        }
    }
}

/// Shakes hands where that is needed, and talks.
async fn welcome(hub: Arc<Hub>, pool: usize, stream: TcpStream, peer: SocketAddr, _seat: OwnedSemaphorePermit) {
    // Without it small answers arrive 40 ms late; with an error nothing is lost.
    let _ = stream.set_nodelay(true);
    let Some(tls) = hub.tls.clone() else {
        let (connection, outbox) = hub.accepted(pool, peer);
        converse(hub, stream, connection, outbox, Some(peer)).await;
        return;
    };
    let handshake = tokio::time::timeout(HANDSHAKE, tls.acceptor.accept(stream));
    let handshake = tokio::select! {
        () = hub.stop.cancelled() => return,
        handshake = handshake => handshake,
    };
    let why = match handshake {
        Ok(Ok(stream)) => {
            let (connection, outbox) = hub.accepted(pool, peer);
            converse(hub, stream, connection, outbox, Some(peer)).await;
            return;
        }
        Ok(Err(why)) => why.to_string(),
        Err(_) => format!("no TLS handshake within {} s", HANDSHAKE.as_secs()),
    };
    tracing::debug!(%peer, why, "TLS handshake failed");
    hub.tell(|| FrontEndEvent::Refused { pool, peer, why });
}
