//! Posting notifications and handshakes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::PoisonError;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Hub;
use crate::graph_service::PostAnswer;

/// So many posts at once.
pub(super) const MOST_AT_ONCE: usize = 64;
/// An answer may take so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// So much of an answer is read, in bytes.
const LONGEST_ANSWER: usize = 64 << 10;

/// Posts; `None`: nobody was there, or not in time, or what came is not HTTP.
pub(super) async fn post(hub: &Hub, url: &str, content_type: &str, body: Vec<u8>) -> Option<PostAnswer> {
    let _seat = hub.posts.acquire().await.ok()?;
    let proxy = *hub.deliver_to.lock().unwrap_or_else(PoisonError::into_inner);
    let (authority, path, address) = target(url, proxy)?;
    let request = Request::post(path)
        .header("host", authority)
        .header("content-type", content_type)
        .body(Full::new(Bytes::from(body)))
        .ok()?;
    tokio::time::timeout(PATIENCE, send(address, request)).await.ok()?
}

async fn send(address: SocketAddr, request: Request<Full<Bytes>>) -> Option<PostAnswer> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    let exchange = async {
        let response = sender.send_request(request).await.ok()?;
        let (head, body) = response.into_parts();
        let content_type = head.headers.get("content-type").and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        let body = Limited::new(body, LONGEST_ANSWER).collect().await.ok()?.to_bytes().to_vec();
        Some(PostAnswer { status: head.status.as_u16(), content_type, body })
    };
    tokio::pin!(exchange, connection);
    tokio::select! {
        answer = &mut exchange => answer,
        _over = &mut connection => exchange.await,
    }
}

/// Host and path of a URL, and where to connect: addresses of loopback as they are, https ones through the proxy.
fn target(url: &str, proxy: Option<SocketAddr>) -> Option<(&str, &str, SocketAddr)> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let path = if path.is_empty() { "/" } else { path };
    let address = match scheme {
        "https" => proxy?,
        "http" => {
            let with_port = |port: &str| port.parse::<u16>().ok();
            let (host, port) = match authority.rsplit_once(':') {
                Some((host, port)) if !host.is_empty() && !port.ends_with(']') => (host, with_port(port)?),
                _ => (authority, 80),
            };
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let host = if host == "localhost" { Ipv4Addr::LOCALHOST.into() } else { host.parse::<IpAddr>().ok()? };
            SocketAddr::new(host, port)
        }
        _ => return None,
    };
    address.ip().is_loopback().then_some((authority, path, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_posted_to() {
        let proxy = "127.0.0.1:9".parse().ok();
        let address = |url| target(url, proxy).map(|(_, path, address)| (path.to_owned(), address.to_string()));
        let found = |path: &str, address: &str| Some((path.to_owned(), address.to_owned()));
        assert_eq!(address("http://127.0.0.1:8080/n?x=1"), found("/n?x=1", "127.0.0.1:8080"));
        assert_eq!(address("http://localhost/n"), found("/n", "127.0.0.1:80"));
        assert_eq!(address("http://[::1]:7"), found("/", "[::1]:7"));
        assert_eq!(address("https://pp.example.com/n"), found("/n", "127.0.0.1:9"));
        for url in ["http://192.0.2.1/n", "http://pp.example.com/n", "n", "ftp://127.0.0.1/"] {
            assert_eq!(address(url), None, "{url}");
        }
        assert_eq!(target("https://pp.example.com/n", None), None);
    }
}
