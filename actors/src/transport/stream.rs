//! Connections over TCP, TLS and memory: dialled to the pool, and accepted from it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use presence_core::Failure;
use presence_sip::{FlowId, TransportKind};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::admission::TurnedAway;
use super::connection::Connection;
use super::patience::OpenedBy;
use super::refusals::Refusal;
use super::tls_words::{in_words, in_words_of_the_handshake, not_mutual};
use super::{ActorGone, Network, Server, Shared, TransportEvent, memory, network_failure};

/// The pause after a failed accept, which mostly means that the process has no file descriptor left.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// A stream of any kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

type Words = Arc<dyn Fn(&io::Error) -> String + Send + Sync>;

/// A connection to the pool that is ready to carry messages.
struct Dialled {
    stream: Box<dyn Stream>,
    local: SocketAddr,
    peer: SocketAddr,
    words: Words,
}

/// Dials the servers of the pool in their order and runs the connection to the first that answers.
pub(super) async fn dial(shared: Arc<Shared>, number: u64, token: CancellationToken) {
    let Some(outcome) = token.run_until_cancelled(establish(&shared)).await else { return };
    match outcome {
        // The actor being gone is no reason to tell anybody.
        Err(why) => drop(shared.tell(TransportEvent::ConnectFailed { connection: number, why }).await),
        Ok(Dialled { stream, local, peer, words }) => {
            let connected = TransportEvent::Connected { connection: number, local, peer };
            let connection = Connection { shared, flow: FlowId::PRIMARY, number, peer, opened_by: OpenedBy::Us, words };
            connection.run(stream, token, Some(connected)).await;
        }
    }
}

async fn establish(shared: &Shared) -> Result<Dialled, Failure> {
    if let Network::Memory(network) = &shared.network {
        let limit = shared.settings.connections.connect;
        let dialled = timeout(limit, network.connect()).await;
        let dialled = dialled.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)));
        let memory::Dialled { stream, local, peer } =
            dialled.map_err(|error| network_failure(format!("connect in memory: {error}")))?;
        let words: Words = Arc::new(|error| error.to_string());
        return Ok(Dialled { stream: Box::new(stream), local, peer, words });
    }
    let mut reasons = Vec::new();
    for server in shared.candidates() {
        shared.trying(server.address);
        match reach(shared, &server).await {
            Ok(dialled) => return Ok(dialled),
            Err(why) => {
                tracing::debug!(server = %server.name, address = %server.address, %why, "no connection to this server");
                reasons.push(why);
            }
        }
    }
    if reasons.is_empty() {
        reasons.push("the pool has no server to connect to".to_owned());
    }
    Err(network_failure(reasons.join("; ")))
}

async fn reach(shared: &Shared, server: &Server) -> Result<Dialled, String> {
    let limits = &shared.settings.connections;
    let Server { address, name } = server;
    let stream = match timeout(limits.connect, TcpStream::connect(address)).await {
        Err(_) => return Err(format!("connect to {name} ({address}): no answer within {:?}", limits.connect)),
        Ok(Err(error)) => return Err(format!("connect to {name} ({address}): {}", plain(&error))),
        Ok(Ok(stream)) => stream,
    };
    let ends = stream.set_nodelay(true).and_then(|()| Ok((stream.local_addr()?, stream.peer_addr()?)));
    let (local, peer) = ends.map_err(|error| format!("connect to {name} ({address}): {}", plain(&error)))?;
    if shared.settings.kind != TransportKind::Tls {
        let words: Words = Arc::new(plain);
        return Ok(Dialled { stream: Box::new(stream), local, peer, words });
    }
    let Some(identity) = &shared.settings.tls else {
        return Err("TLS needs TrustedCertificates: no certificate of the pool could be checked".to_owned());
    };
    let (connector, server_name, own) = identity.connector(name).map_err(|error| error.to_string())?;
    let label = name.clone();
    let expected = identity.accepted_names([name.as_str()]);
    match timeout(limits.handshake, connector.connect(server_name, stream)).await {
        Err(_) => Err(format!(
            "TLS with {name} ({address}): not done within {:?}; perhaps it does not speak TLS on port {}",
            limits.handshake,
            address.port()
        )),
        Ok(Err(error)) => Err(in_words_of_the_handshake(&error, &label, &expected)),
        Ok(Ok(stream)) => {
            if own.was_not_wanted()
                && let Some(times) = shared.not_mutual.count()
            {
                tracing::warn!(%address, times, "{}", not_mutual(name));
            }
            let words: Words = Arc::new(move |error| in_words(error, &label, &expected));
            Ok(Dialled { stream: Box::new(stream), local, peer, words })
        }
    }
}

/// Keeps a listener open until the transport ends.
pub(super) async fn listen(shared: Arc<Shared>) {
    if let Network::Memory(network) = &shared.network {
        let mut accepted = network.accepted().await;
        if shared.tell(TransportEvent::Listening { local: network.local() }).await.is_err() {
            return;
        }
        while let Some((stream, peer)) = accepted.recv().await {
            admit(&shared, stream, peer, None);
        }
        return;
    }
    let mut told = None;
    loop {
        let Err(why) = listen_once(&shared).await else { return };
        if told.as_ref() != Some(&why) {
            let failed = TransportEvent::ListenFailed { why: network_failure(why.as_str()) };
            if shared.tell(failed).await.is_err() {
                return;
            }
            told = Some(why);
        }
        tokio::time::sleep_until(super::now() + shared.settings.connections.listen_again).await;
    }
}

/// Listens until the actor is gone; the error is for a person.
async fn listen_once(shared: &Arc<Shared>) -> Result<ActorGone, String> {
    let Some(address) = shared.settings.listen else { return Ok(ActorGone) };
    // Whether it could work is known before anybody connects.
    acceptor(shared)?;
    let why = |error: io::Error| format!("listen on {address}: {}", plain(&error));
    let listener = TcpListener::bind(address).await.map_err(why)?;
    let local = listener.local_addr().map_err(why)?;
    if shared.tell(TransportEvent::Listening { local }).await.is_err() {
        return Ok(ActorGone);
    }
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%peer, %error, "the connection ended before it was accepted");
                    continue;
                }
                let acceptor = acceptor(shared)?;
                admit(shared, stream, peer, acceptor);
            }
            Err(error) => {
                tracing::warn!(%local, %error, "a connection could not be accepted");
                tokio::time::sleep_until(super::now() + ACCEPT_AGAIN).await;
            }
        }
    }
}

/// For one more connection: its peer is checked against the names that the pool's servers have now. Nothing is shared
/// between the connections, so that no resumed session avoids the check.
fn acceptor(shared: &Shared) -> Result<Option<TlsAcceptor>, String> {
    match (shared.settings.kind, &shared.settings.tls) {
        (TransportKind::Tcp | TransportKind::Udp, _) => Ok(None),
        (TransportKind::Tls, None) => Err("a TLS listener needs a certificate of its own".to_owned()),
        (TransportKind::Tls, Some(identity)) => {
            let servers = shared.servers();
            let names = servers.iter().map(|server| server.name.as_str());
            identity.acceptor(names).map(Some).map_err(|error| error.to_string())
        }
    }
}

/// Gives an accepted stream a task of its own, within the limits; the TLS handshake happens there, too.
fn admit<S>(shared: &Arc<Shared>, stream: S, peer: SocketAddr, acceptor: Option<TlsAcceptor>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let known = matches!(shared.network, Network::Memory(_)) || shared.is_of_the_pool(peer.ip());
    let admitted = if known || shared.settings.kind == TransportKind::Tls {
        shared.admission.admit(peer.ip(), known)
    } else {
        Err(TurnedAway::Stranger)
    };
    let place = match admitted {
        Ok(place) => place,
        Err(reason) => {
            shared.count_refused(reason.refusal());
            if let Some(refused) = shared.refusals.count() {
                tracing::warn!(%peer, %reason, refused, "a connection was turned away");
            }
            return;
        }
    };
    let shared = Arc::clone(shared);
    let token = shared.token.child_token();
    tokio::spawn(async move {
        let _place = place;
        let number = shared.next_flow.fetch_add(1, Ordering::Relaxed);
        let (stream, words): (Box<dyn Stream>, Words) = match acceptor {
            None => (Box::new(stream), Arc::new(plain)),
            Some(acceptor) => {
                let expected = accepted_names(&shared);
                let label = peer.to_string();
                let handshake = timeout(shared.settings.connections.handshake, acceptor.accept(stream));
                let Some(result) = token.run_until_cancelled(handshake).await else { return };
                let why = match result {
                    Ok(Ok(stream)) => Ok(stream),
                    Ok(Err(error)) => Err((Refusal::Handshake, in_words_of_the_handshake(&error, &label, &expected))),
                    Err(_) => Err((Refusal::SlowHandshake, "the handshake took too long".to_owned())),
                };
                match why {
                    Ok(stream) => (Box::new(stream), Arc::new(move |error| in_words(error, &label, &expected))),
                    Err((refusal, why)) => {
                        shared.count_refused(refusal);
                        if let Some(refused) = shared.refusals.count() {
                            tracing::warn!(%peer, why, refused, "a TLS connection was refused");
                        }
                        return;
                    }
                }
            }
        };
        tracing::debug!(%peer, flow = number, "the pool connected");
        let connection = Connection { shared, flow: FlowId(number), number, peer, opened_by: OpenedBy::Peer, words };
        connection.run(stream, token, None).await;
    });
}

fn accepted_names(shared: &Shared) -> Vec<String> {
    let servers = shared.servers();
    let names = servers.iter().map(|server| server.name.as_str());
    shared.settings.tls.as_ref().map(|identity| identity.accepted_names(names)).unwrap_or_default()
}

/// An error of the network in the words of an operator: without the number that the operating system gives it.
pub(crate) fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused: nothing listens there".to_owned(),
        io::ErrorKind::ConnectionReset => "the peer reset the connection".to_owned(),
        io::ErrorKind::BrokenPipe => "the peer closed the connection".to_owned(),
        io::ErrorKind::UnexpectedEof => "the peer closed the connection without saying so".to_owned(),
        io::ErrorKind::AddrInUse => "another program uses this address".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine does not have this address".to_owned(),
        io::ErrorKind::PermissionDenied => "this program may not use this address".to_owned(),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "no route to the host".to_owned(),
        io::ErrorKind::TimedOut => "no answer".to_owned(),
        _ => error.to_string(),
    }
}
