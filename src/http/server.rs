//! The listener: threads, TLS, limits, the routes of all parts.

use std::io;
use std::net::SocketAddr;

use actix_web::dev::ServerHandle;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpServer};

use super::{Api, agents, attendant, calls, dashboard, events, health, metrics, openapi, status, uccs};

/// Threads that read requests and write answers; the actors have their own.
const WORKERS: usize = 2;

/// Why the API cannot be served. The text fits after "failed to serve HTTP: ".
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Nothing can listen there.
    #[error("listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// The API that is being served.
pub struct Serving {
    api: web::Data<Api>,
    address: SocketAddr,
    handle: ServerHandle,
}

impl Serving {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where a browser finds it.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.api.settings.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/", self.address)
    }

    /// Says goodbye to the readers of events and closes everything.
    pub async fn end(self) {
        self.api.closing.cancel();
        self.handle.stop(true).await;
    }
}

fn routes(config: &mut ServiceConfig) {
    for configure in [
        agents::configure,
        status::configure,
        attendant::configure,
        calls::configure,
        uccs::configure,
        events::configure,
        health::configure,
        metrics::configure,
        openapi::configure,
        dashboard::configure,
    ] {
        configure(config);
    }
}

/// Serves the API from now on. Call it inside an actix system.
///
/// # Errors
/// When nothing can listen where the settings say.
pub async fn serve(api: Api) -> Result<Serving, ServeError> {
    let address = api.settings.listen;
    let api = web::Data::new(api);
    let data = api.clone();
    let server = HttpServer::new(move || App::new().app_data(data.clone()).configure(routes))
        .workers(WORKERS)
        .disable_signals()
        .shutdown_timeout(2)
        .bind(address)
        .map_err(|source| ServeError::Listen { address, source })?;
    let address = server.addrs().first().copied().unwrap_or(address);
    let server = server.run();
    let handle = server.handle();
    actix_rt::spawn(server);
    Ok(Serving { api, address, handle })
}
