//! The control port: one command per line, one answer per line.

use std::sync::Arc;

use tokio::net::TcpListener;

use super::Hub;
use crate::control_port;

/// Obeys whoever connects, until the service stops.
pub(super) async fn listen(hub: Arc<Hub>, listener: TcpListener) {
    let (stop, tasks) = (hub.stop.clone(), hub.tasks.clone());
    let obey = move |line: String| control_port::said(hub.with(|now, service| service.command(now, &line)));
    control_port::listen(listener, stop, tasks, obey).await;
}
