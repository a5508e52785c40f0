//! The control port: one command per line, one answer per line, on loopback only.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::event::FrontEndEvent;
use super::hub::Hub;
use crate::Command;

/// No command is longer than this, in bytes.
const LONGEST_LINE: u64 = 16 << 10;
/// So many may talk at once.
const MOST_CLIENTS: usize = 32;

/// Every command with its arguments, for `help`.
pub(super) const HELP: &str = "kill-connections [pool N] [for 20s] | outage POOL 20s [forget] | \
deregister ENDPOINT unregistered|rejected|deactivated|userservices-unavailable|preferred-registrar-change [POOL] | \
user-services off|on | refuse METHOD STATUS [retry-after 30s] [times N] [agent URI] [diagnostics N] | quota URI full|free | \
move URI|all POOL | disable URI | expire-silently [URI..] | terminate ENDPOINT [resubscribe] | malformed on|off | \
delay 200ms | set URI STATE [idle] [no-audio] [no-video] [no-text] | slow-start FROM TO DURATION [retry-after 5s] | forget-dialogs | heal | count | help | quit";

/// Obeys whoever connects, until the front end stops.
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
        let answer = answer(hub, &line);
        hub.tell(|| FrontEndEvent::Command { line, answer: answer.clone() });
        writer.write_all(answer.as_bytes()).await?;
        writer.write_all(b"\n").await?;
    }
}

/// What a line on the control port is answered with: one line.
fn answer(hub: &Arc<Hub>, line: &str) -> String {
    if line == "help" {
        return format!("ok {HELP}");
    }
    let text = match run(hub, line) {
        Ok(done) if done.is_empty() => "ok".to_owned(),
        Ok(done) => format!("ok {done}"),
        Err(why) => format!("error {why}; `help` lists the commands"),
    };
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("; ")
}

/// Carries out one command.
pub(super) fn run(hub: &Arc<Hub>, line: &str) -> Result<String, String> {
    let command: Command = line.parse().map_err(|why: <Command as std::str::FromStr>::Err| why.to_string())?;
    hub.with(|now, machine| machine.apply(now, &command)).map_err(|why| why.to_string())
}
