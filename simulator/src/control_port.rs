//! The control port of a simulator: one command per line, one answer per line.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// No command is longer than this, in bytes.
const LONGEST_LINE: u64 = 16 << 10;
/// So many may talk at once.
const MOST_CLIENTS: usize = 32;

/// Obeys whoever connects, until it is stopped. `answer` carries out a line and says what it is answered with: one line.
pub(crate) async fn listen<A>(listener: TcpListener, stop: CancellationToken, tasks: TaskTracker, answer: A)
where
    A: Fn(String) -> String + Clone + Send + Sync + 'static,
{
    let obey = move |stream| {
        let answer = answer.clone();
        async move {
            // A client that has gone needs no answer.
            let _gone = obey(stream, answer).await;
        }
    };
    accept(listener, MOST_CLIENTS, stop, tasks, obey).await;
}

/// Accepts connections until it is stopped, and serves each in a task that ends then too; who comes when so many are served
/// already is turned away.
pub(crate) async fn accept<S, F>(
    listener: TcpListener,
    most: usize,
    stop: CancellationToken,
    tasks: TaskTracker,
    serve: S,
) where
    S: Fn(TcpStream) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let seats = Arc::new(Semaphore::new(most));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::task::yield_now().await;
            continue;
        };
        let Ok(seat) = Arc::clone(&seats).try_acquire_owned() else { continue };
        let (stop, serving) = (stop.clone(), serve(stream));
        tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = serving => {}
            }
            drop(seat);
        });
    }
}

async fn obey(stream: TcpStream, answer: impl Fn(String) -> String) -> std::io::Result<()> {
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
        writer.write_all(answer(line).as_bytes()).await?;
        writer.write_all(b"\n").await?;
    }
}

/// How the outcome of a command is said.
pub(crate) fn said(outcome: Result<String, String>) -> String {
    match outcome {
        Ok(done) if done.is_empty() => "ok".to_owned(),
        Ok(done) => format!("ok {done}"),
        Err(why) => format!("error {why}; `help` lists the commands"),
    }
}
