//! UDP: one socket, one message per datagram.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use presence_sip::{Frame, Limits};
use tokio::net::UdpSocket;

use super::hub::Hub;

/// Receives datagrams until the server stops; while `deaf`, throws them away.
pub(super) async fn receive(hub: Arc<Hub>, socket: Arc<UdpSocket>, deaf: Arc<AtomicBool>) {
    let mut buffer = vec![0; 65_535];
    let limits = Limits::default();
    loop {
        let received = tokio::select! {
            () = hub.stop.cancelled() => return,
            received = socket.recv_from(&mut buffer) => received,
        };
        // An error is a peer's closed port (ICMP); the next datagram may be another peer's.
        let Ok((length, peer)) = received else {
            tokio::task::yield_now().await;
            continue;
        };
        if deaf.load(Ordering::Relaxed) {
            continue;
        }
        let connection = hub.udp_peer(&socket, peer);
        let frame = Frame::from_datagram(Bytes::copy_from_slice(&buffer[..length]), &limits);
        hub.receive(connection, vec![frame]);
    }
}
