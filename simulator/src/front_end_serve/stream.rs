//! One connection, in either direction, over TCP or TLS: one task that reads and writes it to its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use presence_sip::{Framer, Limits};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};

use super::hub::Hub;
use super::outbox::Outbox;
use crate::ConnectionId;
use crate::serve::clock;

/// So long the last words to a peer may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Reads and writes a connection to its end; the machine is told of the end.
pub(super) async fn converse<S>(
    hub: Arc<Hub>,
    stream: S,
    connection: ConnectionId,
    outbox: Arc<Outbox>,
    peer: Option<SocketAddr>,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let (reader, writer) = tokio::io::split(stream);
    let reading = async {
        read(&hub, reader, connection, &outbox).await;
        outbox.finish();
        hub.closed(connection, peer);
    };
    tokio::join!(reading, write(writer, &outbox));
}

async fn read<S: AsyncRead>(hub: &Arc<Hub>, mut reader: ReadHalf<S>, connection: ConnectionId, outbox: &Outbox) {
    let mut framer = Framer::new(Limits::default());
    let mut buffer = BytesMut::with_capacity(64 << 10);
    loop {
        buffer.clear();
        let read = tokio::select! {
            () = outbox.ending.cancelled() => return,
            () = hub.stop.cancelled() => return,
            read = reader.read_buf(&mut buffer) => read,
        };
        if !matches!(read, Ok(1..)) {
            return;
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
            return;
        }
        // A peer that never pauses must not starve the others of this thread.
        tokio::task::consume_budget().await;
    }
}

async fn write<S: AsyncWrite>(mut writer: WriteHalf<S>, outbox: &Outbox) {
    let all = async {
        while let Some(bytes) = outbox.take().await {
            if writer.write_all(&bytes).await.is_err() || writer.flush().await.is_err() {
                outbox.finish();
                return;
            }
        }
        // With TLS this says good-bye; a peer that has gone does not hear it.
        let _ = writer.shutdown().await;
    };
    let impatience = async {
        outbox.ending.cancelled().await;
        clock::pause(LAST_WORDS).await;
    };
    tokio::select! {
        () = all => {}
        () = impatience => {}
    }
}
