//! What an operator reads of a TLS connection to our listener that was refused: each case in its exact words.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may fail")]

mod transport_support;

use std::cell::RefCell;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::Arc;

use presence_actors::transport::{Refusal, Traffic, Transport};
use presence_sip::TransportKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use transport_support::certificates::{Authority, Kind, Pair};
use transport_support::{Events, loopback, read_to_end, recorder, settings};

const POOL: &str = "pool.example.test";

thread_local! {
    static REASONS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Notes why connections were refused, from the warnings of this thread.
struct Ears;

struct Why(Option<String>);

impl Visit for Why {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "why" {
            self.0 = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

impl Subscriber for Ears {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut why = Why(None);
        event.record(&mut why);
        REASONS.with_borrow_mut(|reasons| reasons.extend(why.0));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// A listener of its own, so that the warning of each case is the first one.
async fn listener(authority: &Authority) -> (Transport, Events, SocketAddr, Arc<Traffic>) {
    let mut settings = settings(TransportKind::Tls, loopback());
    settings.listen = Some(loopback());
    let own = authority.issue(Kind::Both, &["app.example.test"]);
    settings.tls = Some(authority.identity(Some(&own), &["fe1.example.test"]));
    let traffic = Arc::clone(&settings.traffic);
    let (recipient, mut events) = recorder();
    let transport = Transport::start(settings, recipient);
    let address = events.listening().await;
    (transport, events, address, traffic)
}

/// Why somebody with this certificate is refused; `PEER` stands for his address.
async fn refused(authority: &Authority, shown: Option<&Pair>) -> String {
    let (_transport, _events, address, traffic) = listener(authority).await;
    let stream = TcpStream::connect(address).await.unwrap();
    let peer = stream.local_addr().unwrap().to_string();
    let (connector, name) = authority.client(shown);
    if let Ok(mut stream) = connector.connect(name, stream).await {
        let _alert = stream.read(&mut [0; 16]).await;
    }
    reason(&traffic, &peer)
}

fn reason(traffic: &Traffic, peer: &str) -> String {
    assert_eq!(traffic.refused(Refusal::Handshake), 1);
    let reasons = REASONS.take();
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    reasons[0].replace(peer, "PEER")
}

#[actix::test]
async fn every_wrong_certificate_is_told_in_exact_words() {
    let _ears = tracing::subscriber::set_default(Ears);
    let (authority, rogue, same_name) = (Authority::new("ours"), Authority::new("rogue"), Authority::new("ours"));
    let not_valid = "the certificate of PEER is not valid for pool.example.test or fe1.example.test; it names";
    let nobody = "no host at all (a common name does not count)";
    for (shown, words) in [
        (Some(authority.issue(Kind::Both, &["other.example.test"])), format!("{not_valid} other.example.test")),
        (Some(authority.issue(Kind::Both, &[])), format!("{not_valid} {nobody}")),
        (Some(authority.issue(Kind::Both, &["uri:sip:pool.example.test"])), format!("{not_valid} {nobody}")),
        (
            Some(authority.issue(Kind::Both, &["*.example.test"])),
            format!("{not_valid} *.example.test (a wildcard does not count between SIP servers: RFC 5922 section 7.2)"),
        ),
        (
            Some(rogue.issue(Kind::Both, &[POOL])),
            "the certificate of PEER was not issued by an authority in TrustedCertificates, or the peer did not send the \
             certificates between the two"
                .to_owned(),
        ),
        (
            Some(same_name.issue(Kind::Both, &[POOL])),
            "the certificate of PEER was not issued by an authority in TrustedCertificates: one there has its issuer's \
             name and another key, as after a renewal of the authority"
                .to_owned(),
        ),
        (
            Some(authority.issue(Kind::Expired, &[POOL])),
            "the certificate of PEER expired at 2020-01-02T00:00:00Z".to_owned(),
        ),
        (
            Some(authority.issue(Kind::NotYetValid, &[POOL])),
            "the certificate of PEER is not valid before 3000-01-02T00:00:00Z; is the clock of this machine right?"
                .to_owned(),
        ),
        (
            None,
            "PEER showed no certificate of its own, and only pool.example.test or fe1.example.test may connect".to_owned(),
        ),
    ] {
        assert_eq!(refused(&authority, shown.as_ref()).await, words);
    }
}

/// The first message of a client that speaks no version later than this (1 is TLS 1.0, 2 is TLS 1.1).
fn client_hello(minor: u8) -> Vec<u8> {
    let mut body = vec![3, minor];
    body.extend([7; 32]);
    body.extend([0, 0, 4, 0xc0, 0x13, 0, 0x2f, 1, 0]);
    let mut hello =
        vec![22, 3, 1, 0, u8::try_from(body.len() + 4).unwrap(), 1, 0, 0, u8::try_from(body.len()).unwrap()];
    hello.extend(body);
    hello
}

#[actix::test]
async fn a_client_of_tls_1_0_or_1_1_is_sent_away_with_an_alert_and_told_so() {
    let _ears = tracing::subscriber::set_default(Ears);
    let authority = Authority::new("ours");
    for minor in [1, 2] {
        let (_transport, _events, address, traffic) = listener(&authority).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let peer = stream.local_addr().unwrap().to_string();
        stream.write_all(&client_hello(minor)).await.unwrap();
        let answer = read_to_end(&mut stream).await;
        // handshake_failure or protocol_version, and fatal.
        assert!(matches!(answer[..], [21, 3, _, 0, 2, 2, 40 | 70]), "{answer:?}");
        let words = "there is no version of TLS in common with PEER: we speak 1.2 and 1.3; enable TLS 1.2 there";
        assert_eq!(reason(&traffic, &peer), words);
    }
}
