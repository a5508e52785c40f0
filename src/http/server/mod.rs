//! The listener: threads, TLS, limits, the routes of all parts.

mod descriptors;
mod front;
#[cfg(test)]
mod front_tests;
mod held;
#[cfg(test)]
mod route_tests;
mod table;

use std::any::Any;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Extensions, ServerHandle};
use actix_web::http::KeepAlive;
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer};
use jiff::Timestamp;
use presence_actors::transport::TlsError;

use self::front::{Front, front};
use super::{
    Api, HttpMeters, agents, attendant, body, calls, dashboard, events, health, metrics, notifications, openapi,
    status, tls, uccs,
};
use crate::renewal::Use;

/// Threads that read requests and write answers; the actors have their own.
const WORKERS: usize = 2;
/// So long the head of a request may take.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// So long a connection without a request stays open.
const IDLE: Duration = Duration::from_secs(30);
/// So long what a client still sends is dropped after an answer that ends the connection, so that it reads the answer.
const FAREWELL: Duration = Duration::from_secs(1);
/// So long a TLS handshake may take.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);
/// So many TLS handshakes are under way at once, per thread.
const HANDSHAKES: usize = 64;
/// So long a client may leave what we sent unacknowledged, in milliseconds: then its host is gone, and its streams end.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: u32 = 60_000;

/// Why the API cannot be served. The text fits after "failed to serve HTTP: ".
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Nothing can listen there.
    #[error("listen on {address}: {source}{}", advice(source, *.address))]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Only one of the two is there.
    #[error("Certificate and PrivateKey of Http belong together: set both, or none")]
    Half,
}

/// What to do about an address that cannot be had.
fn advice(error: &io::Error, address: SocketAddr) -> String {
    let port = address.port();
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "; another presence-provider (a `run` or a `demo`) or another program listens there, `ss -ltnp 'sport = :{port}'` \
             says which; end it, or say another `Listen` of Http in Config.xml"
        ),
        io::ErrorKind::AddrNotAvailable => {
            "; this computer has no such address, `ip address` says which it has; correct `Listen` of Http in Config.xml"
                .to_owned()
        }
        io::ErrorKind::PermissionDenied => format!(
            "; ports below 1024 need `AmbientCapabilities=CAP_NET_BIND_SERVICE` in the service's unit; or say another port \
             than {port} in `Listen` of Http in Config.xml"
        ),
        _ => String::new(),
    }
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
        let settings = &self.api.settings;
        let scheme = if settings.certificate.is_some() { "https" } else { "http" };
        if self.address.ip().is_unspecified() {
            let name = settings.host_names.first().map_or("localhost", String::as_str);
            return format!("{scheme}://{name}:{}/", self.address.port());
        }
        format!("{scheme}://{}/", self.address)
    }

    /// Says goodbye to the readers of events and closes everything.
    pub async fn end(self) {
        self.api.closing.cancel();
        self.handle.stop(true).await;
    }
}

/// The routes of all parts, and how their requests are read.
pub(super) fn routes(config: &mut ServiceConfig) {
    config.app_data(body::json()).app_data(body::payload()).app_data(body::query()).app_data(body::path());
    for configure in [
        agents::configure,
        status::configure,
        attendant::configure,
        calls::configure,
        uccs::configure,
        events::configure,
        health::configure,
        metrics::configure,
        notifications::configure,
        openapi::configure,
        dashboard::configure,
    ] {
        configure(config);
    }
    // The front makes a problem document of it.
    config.default_service(web::to(async || HttpResponse::NotFound()));
}

/// A connection that is counted while it is open.
struct Counted(Arc<HttpMeters>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connection_closed();
    }
}

/// Listens, so that what is accepted ends when the client's host is gone.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    #[cfg(target_os = "linux")]
    {
        use nix::sys::socket::{setsockopt, sockopt};
        // Linux hands both on to what is accepted.
        setsockopt(&listener, sockopt::TcpUserTimeout, &UNACKNOWLEDGED)?;
        setsockopt(&listener, sockopt::KeepAlive, &true)?;
    }
    Ok(listener)
}

/// Serves the API from now on. Call it inside an actix system.
///
/// # Errors
/// When nothing can listen where the settings say, or the certificate cannot be used.
pub async fn serve(api: Api) -> Result<Serving, ServeError> {
    let settings = api.settings.clone();
    let tls = match (&settings.certificate, &settings.private_key) {
        (Some(certificate), Some(key)) => {
            let now = Timestamp::now();
            let identity = Arc::new(tls::Identity::load(certificate, key, now)?);
            let config = identity.server()?;
            api.certificates.follow(Use::Http, Arc::new(identity), now);
            Some(config)
        }
        (None, None) => None,
        _ => return Err(ServeError::Half),
    };
    descriptors::make_room(settings.max_connections.get());
    let failed = |source| ServeError::Listen { address: settings.listen, source };
    let listener = listen(settings.listen).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;

    let api = web::Data::new(api);
    let notifications = web::Data::new(notifications::Notifications::of(&api));
    let at_front = Front::new(&settings, api.access.clone(), Arc::clone(&api.meters), Arc::clone(&api.rate))
        .with_notifications(notifications.clone());
    let data = (api.clone(), web::Data::new(at_front), notifications);
    let meters = Arc::clone(&api.meters);
    let server = HttpServer::new(move || {
        let (api, at_front, notifications) = data.clone();
        App::new()
            .app_data(api)
            .app_data(at_front)
            .app_data(notifications.clone())
            .configure(routes)
            .configure(|config| notifications.configure(config))
            .wrap(Compress::default())
            .wrap(from_fn(front))
    })
    .workers(WORKERS)
    .max_connections((settings.max_connections.get() as usize).div_ceil(WORKERS))
    .max_connection_rate(HANDSHAKES)
    .client_request_timeout(HEAD_WITHIN)
    .client_disconnect_timeout(FAREWELL)
    .keep_alive(KeepAlive::Timeout(IDLE))
    .tls_handshake_timeout(HANDSHAKE_WITHIN)
    .tcp_nodelay(true)
    // Whoever closes its side wants no answer any more: the stream of a reader that is gone ends at once.
    .h1_allow_half_closed(false)
    .on_connect(move |_: &dyn Any, connection: &mut Extensions| {
        meters.connection_opened();
        connection.insert(Arc::new(Counted(Arc::clone(&meters))));
    })
    .disable_signals()
    .shutdown_timeout(2);
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls),
        None => server.listen(listener),
    };
    let server = server.map_err(failed)?.run();
    let handle = server.handle();
    actix_rt::spawn(server);
    Ok(Serving { api, address, handle })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_had_is_said_with_who_may_hold_it_and_what_to_do() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = taken.local_addr().expect("its address");
        let source = listen(address).expect_err("it is taken");
        let said = ServeError::Listen { address, source }.to_string();
        assert!(said.starts_with(&format!("listen on {address}: ")), "{said}");
        assert!(said.contains(&format!("`ss -ltnp 'sport = :{}'`", address.port())), "{said}");
        let address = "192.0.2.1:8365".parse().expect("an address");
        let source = listen(address).expect_err("not ours");
        assert!(ServeError::Listen { address, source }.to_string().contains("this computer has no such address"));
    }
}
