//! The control port: one command per line, one answer per line, on loopback only.

use std::sync::Arc;

use tokio::net::TcpListener;

use super::event::FrontEndEvent;
use super::hub::Hub;
use crate::{Command, control_port};

/// Every command with its arguments, for `help`.
pub(super) const HELP: &str = "kill-connections [pool N] [for 20s] | outage POOL 20s [forget] | \
deregister ENDPOINT unregistered|rejected|deactivated|userservices-unavailable|preferred-registrar-change [POOL] | \
user-services off|on | refuse METHOD STATUS [retry-after 30s] [times N] [agent URI] [diagnostics N] | quota URI full|free | \
move URI|all POOL | disable URI | expire-silently [URI..] | terminate ENDPOINT [resubscribe] | malformed on|off | \
delay 200ms | set URI STATE [idle] [no-audio] [no-video] [no-text] | slow-start FROM TO DURATION [retry-after 5s] | forget-dialogs | heal | count | help | quit";

/// Obeys whoever connects, until the front end stops.
pub(super) async fn listen(hub: Arc<Hub>, listener: TcpListener) {
    let (stop, tasks) = (hub.stop.clone(), hub.tasks.clone());
    let obey = move |line: String| {
        let answer = answer(&hub, &line);
        hub.tell(|| FrontEndEvent::Command { line, answer: answer.clone() });
        answer
    };
    control_port::listen(listener, stop, tasks, obey).await;
}

/// What a line on the control port is answered with: one line.
fn answer(hub: &Arc<Hub>, line: &str) -> String {
    if line == "help" {
        return format!("ok {HELP}");
    }
    let text = control_port::said(run(hub, line));
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("; ")
}

/// Carries out one command.
pub(super) fn run(hub: &Arc<Hub>, line: &str) -> Result<String, String> {
    let command: Command = line.parse().map_err(|why: <Command as std::str::FromStr>::Err| why.to_string())?;
    hub.with(|now, machine| machine.apply(now, &command)).map_err(|why| why.to_string())
}
