//! Certificates.

use std::net::SocketAddr;

use presence_actors::{GraphNetwork, graph_client};
use presence_graph::{Answer, Trouble};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc::unbounded_channel;
use tokio_rustls::TlsAcceptor;

use crate::certificates::{Authority, Kind};
use crate::servers::{answer, serve};
use crate::{exchange, get};

async fn start(acceptor: TlsAcceptor) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(serve(stream, 0, answer("200 OK", "", b"{}"), unbounded_channel().0));
            }
        }
    });
    address
}

/// Asks a server by the name `localhost`, with this authority beside those of the system.
async fn ask(address: SocketAddr, trusted: &Authority) -> Result<Answer, Trouble> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), trusted.pem()).unwrap();
    let network = GraphNetwork::Http { proxy: None, trusted_certificates: Some(file.path().to_owned()) };
    let url = format!("https://localhost:{}", address.port());
    exchange(&graph_client(&network, &url, &url).unwrap(), get("/v1.0/me")).await
}

fn tls(result: Result<Answer, Trouble>) -> String {
    match result {
        Err(Trouble::Tls(words)) => words,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_certificate_of_an_authority_in_trusted_certificates_is_taken() {
    let authority = Authority::new("the firewall");
    let address = start(authority.server(&authority.issue(Kind::Both, &["localhost"]), false)).await;
    assert_eq!(ask(address, &authority).await.unwrap().status, 200);
}

#[tokio::test]
async fn certificates_that_do_not_fit_are_refused_in_words() {
    let (authority, other) = (Authority::new("ours"), Authority::new("another"));
    let port = |address: SocketAddr| format!("localhost:{}", address.port());
    let address = start(other.server(&other.issue(Kind::Both, &["localhost"]), false)).await;
    let words = tls(ask(address, &authority).await);
    assert!(words.starts_with(&format!("the certificate of {} was not issued by", port(address))), "{words}");
    assert!(words.contains("TrustedCertificates"), "{words}");
    let address = start(authority.server(&authority.issue(Kind::Both, &["graph.example.test"]), false)).await;
    let words = tls(ask(address, &authority).await);
    assert!(words.ends_with(r#"is not for that name; it names DnsName("graph.example.test")"#), "{words}");
    for (kind, said) in [(Kind::Expired, "has expired"), (Kind::NotYetValid, "is not valid yet")] {
        let address = start(authority.server(&authority.issue(kind, &["localhost"]), false)).await;
        let words = tls(ask(address, &authority).await);
        assert!(words.contains(said) && words.contains("clock"), "{words}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told_as_such() {
    let server = crate::servers::Server::start(answer("200 OK", "", b"{}")).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"220 smtp.example.test ready\r\n").await.unwrap();
        let _closed = stream.read(&mut [0; 512]).await;
    });
    let words = tls(ask(address, &Authority::new("ours")).await);
    assert!(words.ends_with("does not speak TLS on this port"), "{words}");
    drop(server);
}

#[tokio::test]
async fn http_2_is_spoken_where_it_is_offered() {
    let authority = Authority::new("ours");
    let pair = authority.issue(Kind::Both, &["localhost"]);
    let mut config = rustls::ServerConfig::clone(authority.server(&pair, false).config());
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let begins = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        let mut preface = [0; 14];
        stream.read_exact(&mut preface).await.unwrap();
        String::from_utf8_lossy(&preface).into_owned()
    });
    let result = ask(address, &authority).await;
    assert_eq!(begins.await.unwrap(), "PRI * HTTP/2.0");
    assert!(matches!(result, Err(Trouble::Broken(_))), "{result:?}");
}
