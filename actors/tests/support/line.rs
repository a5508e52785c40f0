//! Our end of a connection in memory, as all simulated pools have it.

use bytes::Bytes;
use presence_sip::{Frame, Framer, Limits, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::mpsc::UnboundedReceiver;

/// Writes what is queued, until nobody can queue any more or nobody reads.
pub(crate) async fn write(mut writer: WriteHalf<DuplexStream>, mut queued: UnboundedReceiver<Bytes>) {
    while let Some(bytes) = queued.recv().await {
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
    }
    let _closed = writer.shutdown().await;
}

/// Reads messages until the peer closes, and then is true; false when the pool had closed it before, by `is_open`. After each
/// portion `settle` is called.
pub(crate) async fn read(
    mut reader: ReadHalf<DuplexStream>,
    is_open: impl Fn() -> bool,
    receive: impl Fn(&Message),
    settle: impl Fn(),
) -> bool {
    let mut framer = Framer::new(Limits::default());
    let mut buffer = vec![0; 65_536];
    while let Ok(length @ 1..) = reader.read(&mut buffer).await {
        if !is_open() {
            return false;
        }
        framer.push(&buffer[..length]);
        while let Ok(Some(frame)) = framer.next_frame() {
            if let Frame::Message(message) = frame {
                receive(&message);
            }
        }
        settle();
    }
    true
}
