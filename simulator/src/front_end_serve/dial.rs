//! Connections that a front end opens to an application.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::hub::Hub;
use super::stream::converse;
use crate::ConnectionId;

/// How long it may take until the connection is there, the TLS handshake included.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connects to `host:port` and talks to the end; the machine is told either way.
pub(super) async fn dial(hub: Arc<Hub>, connection: ConnectionId, target: String) {
    let Ok(_seat) = Arc::clone(&hub.seats).try_acquire_owned() else {
        return hub.not_dialled(connection, target, "too many connections".to_owned());
    };
    let attempt = tokio::select! {
        () = hub.stop.cancelled() => return,
        attempt = tokio::time::timeout(PATIENCE, connect(&hub, &target)) => attempt,
    };
    match attempt.unwrap_or_else(|_| Err(format!("not connected within {} s", PATIENCE.as_secs()))) {
        Ok(Connected::Plain(stream)) => {
            let outbox = hub.dialled(connection, target);
            converse(hub, stream, connection, outbox, None).await;
        }
        Ok(Connected::Tls(stream)) => {
            let outbox = hub.dialled(connection, target);
            converse(hub, *stream, connection, outbox, None).await;
        }
        Err(why) => {
            tracing::debug!(target, why, "cannot connect to the application");
            hub.not_dialled(connection, target, why);
        }
    }
}

enum Connected {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

async fn connect(hub: &Hub, target: &str) -> Result<Connected, String> {
    let stream = TcpStream::connect(target).await.map_err(|why| why.to_string())?;
    // Without it small messages arrive 40 ms late; with an error nothing is lost.
    let _ = stream.set_nodelay(true);
    let Some(tls) = &hub.tls else { return Ok(Connected::Plain(stream)) };
    let host = target.rsplit_once(':').map_or(target, |(host, _)| host);
    let (connector, name) = tls.connector(host)?;
    let stream = connector.connect(name, stream).await.map_err(|why| why.to_string())?;
    Ok(Connected::Tls(Box::new(stream)))
}
