//! Whether the servers of the pool can be reached, and who they say they are.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::{Actor, Context, Handler};
use jiff::Timestamp;
use presence_actors::transport::{Server, TlsIdentity, Transport, TransportEvent, TransportSettings};
use presence_sip::TransportKind;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_rustls::TlsConnector;

use super::heard::Heard;
use super::report::{Outcome, Step};
use crate::certificates::Certificate;

const STEP: &str = "pool";
/// For one connection or handshake.
const PATIENCE: Duration = Duration::from_secs(5);
/// So long a server may take to say, after a handshake, that it does not like our certificate.
const SECOND_THOUGHTS: Duration = Duration::from_millis(500);
/// A certificate that lasts less than this many days is worth a warning.
const SOON: i64 = 30;
/// So many servers are tried.
const MOST: usize = 16;

/// A step for each server.
pub(super) async fn servers(
    servers: &[Server],
    kind: TransportKind,
    identity: Option<&TlsIdentity>,
    heard: &Heard,
    now: Timestamp,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for server in servers.iter().take(MOST) {
        steps.push(match kind {
            TransportKind::Udp => Step::skipped(STEP, format!("{}: UDP has no connection to try", server.address)),
            TransportKind::Tcp => tcp(server)
                .await
                .map_or_else(|failed| failed, |_| Step::ok(STEP, format!("{} accepts connections", shown(server)))),
            TransportKind::Tls => tls(server, identity, heard, now).await,
        });
    }
    if servers.len() > MOST {
        steps.push(Step::skipped(STEP, format!("{} more servers", servers.len() - MOST)));
    }
    steps
}

fn shown(server: &Server) -> String {
    let Server { address, name } = server;
    if *name == address.ip().to_string() { address.to_string() } else { format!("{name} at {address}") }
}

async fn tcp(server: &Server) -> Result<TcpStream, Step> {
    let server_shown = shown(server);
    let port = server.address.port();
    match tokio::time::timeout(PATIENCE, TcpStream::connect(server.address)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => Err(Step::fail(
            STEP,
            format!("{server_shown} refuses connections: nothing listens on port {port} there"),
            "check the port in Address of <Pool>, and whether the server runs",
        )),
        Ok(Err(error)) => Err(Step::fail(
            STEP,
            format!("{server_shown} cannot be reached: {error}"),
            "check the network of this computer and the way to the pool",
        )),
        Err(_) => Err(Step::fail(
            STEP,
            format!("{server_shown} does not answer within {} s", PATIENCE.as_secs()),
            format!("a firewall on the way may drop what goes to port {port}, or the server is down"),
        )),
    }
}

/// Connects, looks at the server's certificate, and has the provider's own transport connect: what that accepts counts.
async fn tls(server: &Server, identity: Option<&TlsIdentity>, heard: &Heard, now: Timestamp) -> Step {
    let stream = match tcp(server).await {
        Ok(stream) => stream,
        Err(failed) => return failed,
    };
    let seen = look(server, stream).await;
    let Some(identity) = identity else {
        let why =
            format!("{} accepts connections; TLS is not tried, for our certificates cannot be used", shown(server));
        return seen.map_or_else(
            || Step::skipped(STEP, why.clone()),
            |seen| described(Step::skipped(STEP, why.clone()), &seen, now),
        );
    };
    // What was said before is not about this server.
    drop(heard.take_warnings());
    let mut step = match attempt(server, identity).await {
        Ok(()) => Step::ok(STEP, format!("{} accepts TLS with our certificate", shown(server))),
        Err(why) => {
            let advice = advice(&why);
            Step::fail(STEP, why, advice)
        }
    };
    if step.result == Outcome::Ok {
        for remark in heard.take_warnings() {
            let advice = advice(&remark.text);
            step.worsen(Outcome::Warn, remark.text, advice);
        }
    }
    if let Some(seen) = seen {
        step = described(step, &seen, now);
        if !seen.is_late(now) && seen.days_left(now) < SOON {
            step.worsen(
                Outcome::Warn,
                format!("the server's certificate expires in less than {SOON} days"),
                "tell the administrator of the pool",
            );
        }
    }
    step
}

fn described(step: Step, seen: &Certificate, now: Timestamp) -> Step {
    let name = seen.common_name.as_deref().unwrap_or(&seen.subject);
    step.detail(format!("it shows a certificate of {name}, issued by {}, {}", seen.issuer, seen.validity_text(now)))
        .detail(format!("that is valid for {}", seen.names_text()))
}

/// What to do about a handshake that failed, by the words of the transport.
fn advice(why: &str) -> &'static str {
    const ADVICE: [(&str, &str); 18] = [
        (
            "not issued by an authority",
            "add the certificate of the authority that issued it to TrustedCertificates of <Pool>",
        ),
        ("is not valid for", "write the name that the certificate has into Address of <Pool>, or add it to PeerNames"),
        ("not valid before", "check the clocks of both computers"),
        ("our certificate has expired", "renew our certificate, and compare the clocks of both computers"),
        ("expired on", "have the server's certificate renewed"),
        ("has expired", "have the server's certificate renewed"),
        ("expired at", "have the server's certificate renewed"),
        ("not meant for a server", "have the server's certificate issued for server authentication"),
        (
            "does not know the authority",
            "have the authority of our certificate made known on the front ends, or request a certificate from theirs",
        ),
        (
            "wants a certificate of ours",
            "name our certificate and its key in Certificate and PrivateKey of <Pool>; `presence-provider provision` prints \
             how one is requested",
        ),
        ("certificate was revoked", "request a new certificate: `presence-provider provision` prints how"),
        (
            "does not suit it",
            "request a certificate for client authentication too: `presence-provider provision` prints how",
        ),
        ("no version of TLS in common", "enable TLS 1.2 on the server"),
        (
            "no cipher suite of TLS in common",
            "enable ECDHE with AES-GCM on the server; Windows Server 2012 R2 needs an ECDSA certificate for that",
        ),
        (
            "did not ask for our certificate",
            "check the port in Address of <Pool>: it must be that of a front end (5061), with nothing on the way that ends TLS",
        ),
        ("does not speak TLS", "check the port in Address of <Pool>: the front ends take TLS on 5061"),
        ("not done within", "check the port in Address of <Pool>, and whether the server is overloaded"),
        (
            "without saying why",
            "look into the System log of the front end (source Schannel), and compare our certificate with what \
             `presence-provider provision` prints",
        ),
    ];
    ADVICE.iter().find(|(part, _)| why.contains(part)).map_or(
        "check that the trusted application pool and the names in our certificate are as `presence-provider provision` prints them",
        |(_, advice)| advice,
    )
}

/// Connects as the provider does.
async fn attempt(server: &Server, identity: &TlsIdentity) -> Result<(), String> {
    let (sender, mut events) = unbounded_channel();
    let ear = Ear(sender).start();
    let mut settings = TransportSettings::new(TransportKind::Tls, vec![server.clone()]);
    settings.tls = Some(identity.clone());
    let transport = Transport::start(settings, ear.recipient());
    transport.connect(1);
    let outcome = tokio::time::timeout(PATIENCE * 3, connected(&mut events)).await;
    outcome.unwrap_or_else(|_| Err(format!("{} does not finish the handshake of TLS", shown(server))))
}

async fn connected(events: &mut UnboundedReceiver<TransportEvent>) -> Result<(), String> {
    while let Some(event) = events.recv().await {
        match event {
            // In TLS 1.3 the server judges our certificate after we think that all is well.
            TransportEvent::Connected { .. } => {
                return match tokio::time::timeout(SECOND_THOUGHTS, lost(events)).await {
                    Ok(why) => Err(why),
                    Err(_) => Ok(()),
                };
            }
            TransportEvent::ConnectFailed { why, .. } | TransportEvent::Lost { why, .. } => {
                return Err(why.detail.to_string());
            }
            _ => {}
        }
    }
    Err("the connection ended".to_owned())
}

async fn lost(events: &mut UnboundedReceiver<TransportEvent>) -> String {
    while let Some(event) = events.recv().await {
        if let TransportEvent::Lost { why, .. } = event {
            return why.detail.to_string();
        }
    }
    "the connection ended".to_owned()
}

/// Hands on what the transport tells.
struct Ear(UnboundedSender<TransportEvent>);

impl Actor for Ear {
    type Context = Context<Self>;
}

impl Handler<TransportEvent> for Ear {
    type Result = ();

    fn handle(&mut self, event: TransportEvent, _: &mut Self::Context) {
        // Nobody waits any more once the outcome is known.
        let _ = self.0.send(event);
    }
}

/// Begins a handshake only to see the certificate; whatever it is, nothing is said over the connection.
async fn look(server: &Server, stream: TcpStream) -> Option<Certificate> {
    let provider = Arc::new(ring::default_provider());
    let looking = Arc::new(Looking { seen: Mutex::default(), provider: Arc::clone(&provider) });
    let verifier: Arc<dyn ServerCertVerifier> = looking.clone();
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let name = ServerName::try_from(server.name.trim_end_matches('.').to_owned()).ok()?;
    // A server that wants a certificate of ours has shown its own by then.
    let _ = tokio::time::timeout(PATIENCE, TlsConnector::from(Arc::new(config)).connect(name, stream)).await;
    let seen = looking.seen.lock().unwrap_or_else(PoisonError::into_inner).take()?;
    Certificate::read(&seen).ok()
}

/// Keeps the certificate that a server shows. It vouches for nothing: the provider's own verifier decides.
#[derive(Debug)]
struct Looking {
    seen: Mutex<Option<Vec<u8>>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Looking {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.to_vec());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_fits_the_words_of_the_transport() {
        for (words, part) in [
            ("there is no version of TLS in common with fe01: we speak 1.2 and 1.3", "enable TLS 1.2"),
            ("there is no cipher suite of TLS in common with fe01: we need ECDHE", "enable ECDHE"),
            ("fe01 did not ask for our certificate: the connection is TLS, but not mutual", "a front end (5061)"),
            ("fe01 refused the connection: our certificate has expired, or is not valid yet", "renew our certificate"),
            ("the certificate of fe01 has expired", "the server's certificate renewed"),
            (
                "fe01 refused the connection: it wants a certificate of ours: set Certificate",
                "Certificate and PrivateKey",
            ),
            ("TLS with fe01 (192.0.2.1:5060): not done within 5s; perhaps it does not speak TLS on port 5060", "5061"),
            (
                "fe01 closed the connection during the handshake of TLS, without saying why: perhaps it shares no",
                "Schannel",
            ),
            ("something nobody foresaw", "trusted application pool"),
        ] {
            assert!(advice(words).contains(part), "{words}: {}", advice(words));
        }
    }
}
