//! TLS over real sockets: who is accepted, who is refused, and what an operator reads.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may fail")]

mod transport_support;

use std::net::SocketAddr;
use std::time::Duration;

use presence_actors::transport::{Server, Transport, TransportEvent};
use presence_sip::{FlowId, TransportKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use transport_support::certificates::{Authority, Kind, Pair};
use transport_support::{Events, PATIENCE, accept, loopback, notify, pool, read_until, recorder, settings};

const POOL: &str = "pool.example.test";

/// Dials a pool that shows this certificate; `Ok` when it was accepted, otherwise what the operator reads.
async fn dial(trusted: &Authority, shown_by: &Authority, shown: &Pair, peer_names: &[&str]) -> Result<(), String> {
    let (listener, address) = pool().await;
    let acceptor = shown_by.server(shown, false);
    tokio::task::spawn_local(async move {
        let stream = accept(&listener).await;
        if let Ok(mut stream) = acceptor.accept(stream).await {
            let _until_the_end = stream.read(&mut [0; 16]).await;
        }
    });
    let mut settings = settings(TransportKind::Tls, address);
    settings.tls = Some(trusted.identity(None, peer_names));
    let (recipient, mut events) = recorder();
    let transport = Transport::start(settings, recipient);
    transport.connect(1);
    match events.next().await {
        TransportEvent::Connected { connection: 1, .. } => Ok(()),
        TransportEvent::ConnectFailed { connection: 1, why } => Err(why.detail.to_string()),
        other => panic!("{other:?}"),
    }
}

#[actix::test]
async fn outbound_the_right_name_is_accepted_in_any_case_and_a_listed_front_end_too() {
    let authority = Authority::new("ours");
    let shown = authority.issue(Kind::ServerOnly, &["other.example.test", "POOL.Example.TEST"]);
    assert_eq!(dial(&authority, &authority, &shown, &[]).await, Ok(()));
    let shown = authority.issue(Kind::Both, &["fe1.example.test"]);
    assert_eq!(dial(&authority, &authority, &shown, &["fe1.example.test"]).await, Ok(()));
}

#[actix::test]
async fn outbound_every_other_certificate_is_refused_in_words_of_an_operator() {
    let (authority, rogue) = (Authority::new("ours"), Authority::new("rogue"));
    let not_valid = "the certificate of pool.example.test is not valid for pool.example.test; it names";
    let cases: [(&Authority, Kind, &[&str], String); 7] = [
        (&authority, Kind::Both, &["other.example.test"], format!("{not_valid} other.example.test")),
        (&authority, Kind::Both, &[], format!("{not_valid} no host at all (a common name does not count)")),
        (&authority, Kind::Both, &["uri:sip:pool.example.test"], format!("{not_valid} no host at all (a common name does not count)")),
        (
            &authority,
            Kind::Both,
            &["*.example.test"],
            format!("{not_valid} *.example.test (a wildcard does not count between SIP servers: RFC 5922 section 7.2)"),
        ),
        (&rogue, Kind::Both, &[POOL], "the certificate of pool.example.test was not issued by an authority in TrustedCertificates, or the peer did not send the certificates between the two".to_owned()),
        (&authority, Kind::Expired, &[POOL], "the certificate of pool.example.test expired at 2020-01-02T00:00:00Z".to_owned()),
        (
            &authority,
            Kind::NotYetValid,
            &[POOL],
            "the certificate of pool.example.test is not valid before 3000-01-02T00:00:00Z; is the clock of this machine right?".to_owned(),
        ),
    ];
    for (issuer, kind, names, words) in cases {
        let shown = issuer.issue(kind, names);
        assert_eq!(dial(&authority, issuer, &shown, &[]).await, Err(words));
    }
}

#[actix::test]
async fn outbound_a_certificate_for_clients_only_is_refused() {
    let authority = Authority::new("ours");
    let shown = authority.issue(Kind::ClientOnly, &[POOL]);
    let words = dial(&authority, &authority, &shown, &[]).await.unwrap_err();
    assert_eq!(
        words,
        "the certificate of pool.example.test is not meant for a server (its extended key usage lacks server authentication)"
    );
}

#[actix::test]
async fn outbound_with_mutual_tls_messages_go_both_ways() {
    let authority = Authority::new("ours");
    let acceptor = authority.server(&authority.issue(Kind::ServerOnly, &[POOL]), true);
    let (listener, address) = pool().await;
    let mut settings = settings(TransportKind::Tls, address);
    settings.tls = Some(authority.identity(Some(&authority.issue(Kind::Both, &["app.example.test"])), &[]));
    let (recipient, mut events) = recorder();
    let transport = Transport::start(settings, recipient);
    transport.connect(1);
    let mut stream = acceptor.accept(accept(&listener).await).await.unwrap();
    events.connected(1).await;
    transport.send(FlowId::PRIMARY, "OPTIONS sip:pool SIP/2.0\r\n\r\n".into()).unwrap();
    read_until(&mut stream, "OPTIONS sip:pool").await;
    stream.write_all(&notify(1, 100)).await.unwrap();
    let (flow, message) = events.message().await;
    assert_eq!((flow, message.cseq()), (FlowId::PRIMARY, Some((1, "NOTIFY"))));
}

#[actix::test]
async fn outbound_a_pool_that_wants_a_certificate_of_ours_says_so() {
    let authority = Authority::new("ours");
    let acceptor = authority.server(&authority.issue(Kind::ServerOnly, &[POOL]), true);
    let (listener, address) = pool().await;
    tokio::task::spawn_local(async move { acceptor.accept(accept(&listener).await).await.map(drop) });
    let mut settings = settings(TransportKind::Tls, address);
    settings.tls = Some(authority.identity(None, &[]));
    let (recipient, mut events) = recorder();
    let transport = Transport::start(settings, recipient);
    transport.connect(1);
    // With TLS 1.3 our side of the handshake is over before the pool has looked at our (missing) certificate.
    events.connected(1).await;
    let (_, _, why) = events.lost().await;
    assert_eq!(
        why,
        "pool.example.test refused the connection: it wants a certificate of ours: set Certificate and PrivateKey"
    );
}

#[actix::test]
async fn outbound_a_pool_that_does_not_speak_tls_or_never_answers_is_named() {
    let authority = Authority::new("ours");
    let (listener, address) = pool().await;
    let mut settings = settings(TransportKind::Tls, address);
    settings.tls = Some(authority.identity(None, &[]));
    settings.connections.handshake = Duration::from_millis(200);
    let (recipient, mut events) = recorder();
    let transport = Transport::start(settings, recipient);
    transport.connect(1);
    let mut stream = accept(&listener).await;
    stream.write_all(b"SIP/2.0 400 Bad Request\r\n\r\n").await.unwrap();
    assert_eq!(events.connect_failed(1).await, "pool.example.test does not speak TLS on this port");
    transport.connect(2);
    let _silent = accept(&listener).await;
    let words = events.connect_failed(2).await;
    let port = address.port();
    assert_eq!(
        words,
        format!(
            "TLS with pool.example.test ({address}): not done within 200ms; perhaps it does not speak TLS on port {port}"
        )
    );
}

/// A transport with a TLS listener that expects the pool and `fe1.example.test`.
async fn listener(authority: &Authority) -> (Transport, Events, SocketAddr) {
    let mut settings = settings(TransportKind::Tls, loopback());
    settings.listen = Some(loopback());
    let own = authority.issue(Kind::Both, &["app.example.test"]);
    settings.tls = Some(authority.identity(Some(&own), &["fe1.example.test"]));
    let (recipient, mut events) = recorder();
    let transport = Transport::start(settings, recipient);
    let address = events.listening().await;
    (transport, events, address)
}

/// Connects with this certificate and sends a NOTIFY; true when the connection is still open when it was delivered.
async fn knock(authority: &Authority, address: SocketAddr, shown: Option<&Pair>, cseq: u32) -> bool {
    let (connector, name) = authority.client(shown);
    let stream = TcpStream::connect(address).await.unwrap();
    let Ok(mut stream) = connector.connect(name, stream).await else { return false };
    if stream.write_all(&notify(cseq, 10)).await.is_err() || stream.write_all(b"\r\n\r\n").await.is_err() {
        return false;
    }
    // The answer to the ping shows that we are served.
    let answer = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 16])).await.expect("an answer or an end");
    matches!(answer, Ok(2))
}

#[actix::test]
async fn inbound_a_front_end_with_a_server_certificate_of_the_right_name_is_served() {
    let authority = Authority::new("ours");
    let (_transport, mut events, address) = listener(&authority).await;
    for (cseq, kind, name) in [
        (1, Kind::ServerOnly, POOL),
        (2, Kind::ServerOnly, "FE1.example.test"),
        (3, Kind::ClientOnly, POOL),
        (4, Kind::Both, POOL),
    ] {
        let shown = authority.issue(kind, &[name]);
        assert!(knock(&authority, address, Some(&shown), cseq).await, "{name}");
        let (flow, message) = events.message().await;
        assert_eq!((flow, message.cseq()), (FlowId(u64::from(cseq)), Some((cseq, "NOTIFY"))));
        let (lost, number, _) = events.lost().await;
        assert_eq!((lost, number), (flow, u64::from(cseq)));
    }
}

#[actix::test]
async fn inbound_everybody_else_is_refused() {
    let (authority, rogue) = (Authority::new("ours"), Authority::new("rogue"));
    let (_transport, mut events, address) = listener(&authority).await;
    let refused = [
        Some(authority.issue(Kind::Both, &["other.example.test"])),
        Some(authority.issue(Kind::Both, &[])),
        Some(authority.issue(Kind::Both, &["uri:sip:pool.example.test"])),
        Some(authority.issue(Kind::Both, &["*.example.test"])),
        Some(rogue.issue(Kind::Both, &[POOL])),
        Some(authority.issue(Kind::Expired, &[POOL])),
        Some(authority.issue(Kind::NotYetValid, &[POOL])),
        None,
    ];
    for (case, shown) in refused.iter().enumerate() {
        assert!(!knock(&authority, address, shown.as_ref(), 1).await, "case {case}");
    }
    // The first thing that arrives is what the right peer sends.
    assert!(knock(&authority, address, Some(&authority.issue(Kind::Both, &[POOL])), 99).await);
    assert_eq!(events.message().await.1.cseq(), Some((99, "NOTIFY")));
}

#[actix::test]
async fn inbound_a_handshake_that_never_ends_delays_nobody() {
    let authority = Authority::new("ours");
    let (_transport, mut events, address) = listener(&authority).await;
    let _silent = TcpStream::connect(address).await.unwrap();
    assert!(knock(&authority, address, Some(&authority.issue(Kind::Both, &[POOL])), 1).await);
    assert_eq!(events.message().await.1.cseq(), Some((1, "NOTIFY")));
}

#[actix::test]
async fn inbound_the_names_are_those_that_the_servers_have_now() {
    let authority = Authority::new("ours");
    let (transport, mut events, address) = listener(&authority).await;
    let shown = authority.issue(Kind::Both, &["new.example.test"]);
    assert!(!knock(&authority, address, Some(&shown), 1).await);
    transport.set_servers(vec![Server { address: loopback(), name: "new.example.test".to_owned() }]);
    assert!(knock(&authority, address, Some(&shown), 2).await);
    assert_eq!(events.message().await.1.cseq(), Some((2, "NOTIFY")));
    assert!(!knock(&authority, address, Some(&authority.issue(Kind::Both, &[POOL])), 3).await);
}

#[actix::test]
async fn a_listener_without_a_certificate_says_what_to_set() {
    let mut settings = settings(TransportKind::Tls, loopback());
    settings.listen = Some(loopback());
    settings.tls = Some(Authority::new("ours").identity(None, &[]));
    let (recipient, mut events) = recorder();
    let _transport = Transport::start(settings, recipient);
    let TransportEvent::ListenFailed { why } = events.next().await else { panic!("no listener expected") };
    let words = "a TLS listener needs a certificate of its own: set Certificate and PrivateKey, or remove Listen";
    assert_eq!(why.to_string(), words);
}
