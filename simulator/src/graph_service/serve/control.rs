//! The control port: one command per line, one answer per line.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::Hub;

/// No command is longer than this, in bytes.
const LONGEST_LINE: u64 = 16 << 10;
/// So many may talk at once.
const MOST_CLIENTS: usize = 32;

/// Obeys whoever connects, until the service stops.
pub(super) async fn listen(hub: Arc<Hub>, listener: TcpListener) {
    let seats = Arc::new(Semaphore::new(MOST_CLIENTS));
    loop {
        let accepted = tokio::select! {
            () = hub.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::task::yield_now().await;
            continue;
        };
        let Ok(seat) = Arc::clone(&seats).try_acquire_owned() else { continue };
        let task = Arc::clone(&hub);
        hub.tasks.spawn(async move {
            tokio::select! {
                () = task.stop.cancelled() => {}
                // A client that has gone needs no answer.
                _ = obey(&task, stream) => {}
            }
            drop(seat);
        });
    }
}

async fn obey(hub: &Arc<Hub>, stream: TcpStream) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        let read = (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line).await?;
        if read == 0 {
            return Ok(());
        }
        if !line.ends_with(b"\n") && u64::try_from(read).is_ok_and(|read| read >= LONGEST_LINE) {
            return writer.write_all(b"error the line is too long\n").await;
        }
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        if line.is_empty() {
            continue;
        }
        if line == "quit" {
            return writer.write_all(b"ok\n").await;
        }
        let said = match hub.with(|now, service| service.command(now, &line)) {
            Ok(done) if done.is_empty() => "ok".to_owned(),
            Ok(done) => format!("ok {done}"),
            Err(why) => format!("error {why}; `help` lists the commands"),
        };
        writer.write_all(said.as_bytes()).await?;
        writer.write_all(b"\n").await?;
    }
}
