//! TCP: one listener that can be closed for a while, two tasks for each connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use presence_sip::{Framer, Limits};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::clock;
use super::hub::Hub;

/// Asks the listener to be closed for this long; the sender is told when it is closed.
pub(super) type Pause = (Duration, oneshot::Sender<()>);

/// How long to wait before listening is tried again, when it fails.
const LISTEN_AGAIN: Duration = Duration::from_millis(20);

/// Accepts connections until the server stops.
pub(super) async fn listen(
    hub: Arc<Hub>,
    mut listener: TcpListener,
    address: SocketAddr,
    mut pauses: mpsc::Receiver<Pause>,
    tasks: TaskTracker,
) {
    loop {
        let pause = tokio::select! {
            () = hub.stop.cancelled() => return,
            Some(pause) = pauses.recv() => pause,
            accepted = listener.accept() => {
                match accepted {
                    Ok((stream, _)) => {
                        tasks.spawn(converse(Arc::clone(&hub), stream, tasks.clone()));
                    }
                    // Out of descriptors, perhaps: not in a tight circle.
                    Err(why) => {
                        tracing::warn!(%why, "accept failed");
                        clock::pause(LISTEN_AGAIN).await;
                    }
                }
                continue;
            }
        };
        drop(listener);
        let (duration, done) = pause;
        // Whoever asked may be gone.
        let _ = done.send(());
        tokio::select! {
            () = hub.stop.cancelled() => return,
            () = clock::pause(duration) => {}
        }
        listener = loop {
            match TcpListener::bind(address).await {
                Ok(listener) => break listener,
                Err(why) => tracing::debug!(%why, %address, "cannot listen yet"),
            }
            tokio::select! {
                () = hub.stop.cancelled() => return,
                () = clock::pause(LISTEN_AGAIN) => {}
            }
        };
    }
}

/// Reads one connection to its end; the writer is a task beside it.
async fn converse(hub: Arc<Hub>, stream: TcpStream, tasks: TaskTracker) {
    // Without it the answers of a slow story arrive 40 ms late; with an error nothing is lost.
    let _ = stream.set_nodelay(true);
    let (mut reader, mut writer) = stream.into_split();
    let (connection, outbox) = hub.open_stream();
    let closed = outbox.closed.clone();
    tasks.spawn(async move {
        loop {
            let bytes = tokio::select! {
                () = outbox.closed.cancelled() => return,
                bytes = outbox.take() => bytes,
            };
            let written = tokio::select! {
                () = outbox.closed.cancelled() => return,
                written = writer.write_all(&bytes) => written,
            };
            if written.is_err() {
                outbox.closed.cancel();
                return;
            }
        }
    });
    let mut framer = Framer::new(Limits::default());
    let mut buffer = BytesMut::with_capacity(64 << 10);
    loop {
        buffer.clear();
        let read = tokio::select! {
            () = closed.cancelled() => break,
            read = reader.read_buf(&mut buffer) => read,
        };
        if !matches!(read, Ok(1..)) {
            break;
        }
        framer.push(&buffer);
        let mut frames = Vec::new();
        let lost = loop {
            match framer.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        if !frames.is_empty() {
            hub.receive(connection, frames);
        }
        if lost {
            hub.with(|_, machine| machine.malformed());
            break;
        }
        // A peer that never pauses must not starve the others of this thread.
        tokio::task::consume_budget().await;
    }
    closed.cancel();
    hub.close(connection);
}
