//! What an operator reads when a pool and we do not come together over TLS, and that its certificate was not wanted.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may fail")]

mod transport_support;

use std::cell::RefCell;
use std::fmt::Debug;

use presence_actors::transport::{Transport, TransportEvent};
use presence_sip::TransportKind;
use rustls::version::{TLS12, TLS13};
use rustls::{DEFAULT_VERSIONS, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use transport_support::certificates::{Authority, Kind, Pair};
use transport_support::{Events, accept, pool, recorder, settings};

const POOL: &str = "pool.example.test";

thread_local! {
    static WARNINGS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Notes the warnings of this thread.
struct Ears;

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for Ears {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        WARNINGS.with_borrow_mut(|warnings| warnings.push(text.0));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Whether a pool lets us in that shows the right certificate, wants one of ours or not, and speaks these versions; and
/// the last thing that is told when it does not.
async fn dial(
    authority: &Authority,
    own: Option<&Pair>,
    mutual: bool,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<(), String> {
    let (listener, address) = pool().await;
    let acceptor = authority.server_of(&authority.issue(Kind::ServerOnly, &[POOL]), mutual, versions);
    tokio::task::spawn_local(async move {
        if let Ok(mut stream) = acceptor.accept(accept(&listener).await).await {
            // A pong shows that all is well, as with TLS 1.3 our side is ready before the pool has judged us.
            stream.write_all(&transport_support::notify(1, 0)).await.unwrap();
            let _until_the_end = stream.read(&mut [0; 16]).await;
        }
    });
    let mut settings = settings(TransportKind::Tls, address);
    settings.tls = Some(authority.identity(own, &[]));
    let (recipient, mut events) = recorder();
    let transport = Transport::start(settings, recipient);
    transport.connect(1);
    outcome(&mut events).await
}

async fn outcome(events: &mut Events) -> Result<(), String> {
    loop {
        match events.next().await {
            TransportEvent::Connected { .. } => {}
            TransportEvent::Received { .. } => return Ok(()),
            TransportEvent::ConnectFailed { why, .. } | TransportEvent::Lost { why, .. } => {
                return Err(why.detail.to_string());
            }
            other => panic!("{other:?}"),
        }
    }
}

/// What is told of a peer that reads our first message and answers it with these bytes.
async fn raw(answer: &[u8]) -> String {
    let authority = Authority::new("ours");
    let (listener, address) = pool().await;
    let mut settings = settings(TransportKind::Tls, address);
    settings.tls = Some(authority.identity(None, &[]));
    let (recipient, mut events) = recorder();
    let transport = Transport::start(settings, recipient);
    transport.connect(1);
    let mut stream = accept(&listener).await;
    let size = stream.read(&mut [0; 4096]).await.unwrap();
    assert!(size > 0);
    stream.write_all(answer).await.unwrap();
    drop(stream);
    outcome(&mut events).await.unwrap_err()
}

#[actix::test]
async fn a_pool_that_does_not_ask_for_our_certificate_is_warned_about() {
    let _ears = tracing::subscriber::set_default(Ears);
    let authority = Authority::new("ours");
    let own = authority.issue(Kind::Both, &["app.example.test"]);
    for versions in [&[&TLS12][..], &[&TLS13]] {
        WARNINGS.take();
        assert_eq!(dial(&authority, Some(&own), true, versions).await, Ok(()));
        assert_eq!(WARNINGS.take(), Vec::<String>::new(), "it asked");
        assert_eq!(dial(&authority, None, false, versions).await, Ok(()));
        assert_eq!(WARNINGS.take(), Vec::<String>::new(), "there is none to show");
        assert_eq!(dial(&authority, Some(&own), false, versions).await, Ok(()));
        let warnings = WARNINGS.take();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        let words = "pool.example.test did not ask for our certificate: the connection is TLS, but not mutual";
        assert!(warnings[0].starts_with(words) && warnings[0].contains("trusted application"), "{warnings:?}");
    }
}

#[actix::test]
async fn a_pool_that_rejects_our_certificate_says_why_and_what_to_do() {
    let (authority, rogue) = (Authority::new("ours"), Authority::new("rogue"));
    let refused = "pool.example.test refused the connection: ";
    for (own, words) in [
        (
            rogue.issue(Kind::Both, &["app.example.test"]),
            "it does not know the authority that issued our certificate: request one",
        ),
        (
            authority.issue(Kind::Expired, &["app.example.test"]),
            "our certificate has expired, or is not valid yet by its clock",
        ),
        (
            authority.issue(Kind::ServerOnly, &["app.example.test"]),
            "our certificate does not suit it, perhaps for want of the client",
        ),
    ] {
        for versions in [&[&TLS12][..], &[&TLS13]] {
            let told = dial(&authority, Some(&own), true, versions).await.unwrap_err();
            assert!(told.starts_with(&format!("{refused}{words}")), "{told}");
        }
    }
    let told = dial(&authority, None, true, DEFAULT_VERSIONS).await.unwrap_err();
    assert_eq!(told, format!("{refused}it wants a certificate of ours: set Certificate and PrivateKey"));
}

/// A fatal alert of TLS 1.2 (RFC 5246 section 7.2).
const fn alert(description: u8) -> [u8; 7] {
    [21, 3, 3, 0, 2, 2, description]
}

#[actix::test]
async fn no_common_version_is_told_with_the_versions_that_we_speak() {
    let words =
        "there is no version of TLS in common with pool.example.test: we speak 1.2 and 1.3; enable TLS 1.2 there";
    assert_eq!(raw(&alert(70)).await, words);
    // A server of TLS 1.0 chooses it in its ServerHello: version, random, no session, a suite, no compression.
    let mut hello = vec![22, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1];
    hello.extend([7; 32]);
    hello.extend([0, 0xc0, 0x13, 0]);
    assert_eq!(raw(&hello).await, words);
}

#[actix::test]
async fn no_common_cipher_is_told_with_the_usual_suspect() {
    for description in [40, 71] {
        let told = raw(&alert(description)).await;
        assert!(
            told.starts_with("there is no cipher suite of TLS in common with pool.example.test: we need ECDHE"),
            "{told}"
        );
        assert!(told.contains("Windows Server 2012 R2") && told.contains("ECDSA"), "{told}");
    }
}

#[actix::test]
async fn a_peer_that_leaves_during_the_handshake_is_told_as_that() {
    let told = raw(b"").await;
    let words =
        "pool.example.test closed the connection during the handshake of TLS, without saying why: perhaps it shares";
    assert!(told.starts_with(words) && told.contains("Schannel"), "{told}");
}

#[actix::test]
async fn an_alert_that_nobody_expects_is_named() {
    assert_eq!(raw(&alert(80)).await, "pool.example.test ended TLS with the alert InternalError");
}

#[actix::test]
async fn a_peer_that_leaves_after_the_handshake_without_its_farewell_is_told_as_that() {
    let authority = Authority::new("ours");
    let (listener, address) = pool().await;
    let acceptor = authority.server(&authority.issue(Kind::ServerOnly, &[POOL]), false);
    let mut settings = settings(TransportKind::Tls, address);
    settings.tls = Some(authority.identity(None, &[]));
    let (recipient, mut events) = recorder();
    let transport = Transport::start(settings, recipient);
    transport.connect(1);
    let stream = acceptor.accept(accept(&listener).await).await.unwrap();
    events.connected(1).await;
    drop(stream.into_inner().0);
    assert_eq!(events.lost().await.2, "pool.example.test closed the connection without the farewell of TLS");
}
