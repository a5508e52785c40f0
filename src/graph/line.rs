//! The way to Microsoft for commands: one request after the other.

use std::sync::Arc;

use presence_actors::{Exchange, GraphClientError, graph_client};
use presence_config::GraphSettings;
use presence_graph::{Answer, Body, Host, Method, Request, Trouble};
use secrecy::SecretString;

use super::assemble::{graph_url, login_url, network};

/// The two hosts, and what carries requests to them.
pub(super) struct Line {
    exchange: Arc<dyn Exchange>,
    /// The host that gives tokens, without scheme.
    pub(super) login_host: String,
    /// The host of Graph, without scheme.
    pub(super) graph_host: String,
}

impl Line {
    /// To the hosts that the settings say.
    ///
    /// # Errors
    /// When a URL, the proxy or the file of authorities cannot be used.
    pub(super) fn open(settings: &GraphSettings) -> Result<Self, GraphClientError> {
        let (login, graph) = (login_url(settings), graph_url(settings));
        let exchange = graph_client(&network(settings), &login, &graph)?;
        Ok(Self { exchange, login_host: host(&login), graph_host: host(&graph) })
    }

    /// Sends a request, under a number of its own where it has none, and waits for its answer.
    pub(super) async fn ask(&self, mut request: Request) -> Result<Answer, Trouble> {
        if request.request_id.is_empty() {
            request.request_id = guid();
        }
        self.exchange.exchange(request).await
    }
}

/// A question to Graph with this token.
pub(super) fn get(path: String, bearer: &SecretString) -> Request {
    Request {
        method: Method::Get,
        host: Host::Graph,
        path,
        bearer: Some(bearer.clone()),
        headers: vec![("accept", "application/json".to_owned())],
        body: Body::Empty,
        request_id: String::new(),
        timeout: std::time::Duration::from_secs(15),
    }
}

fn host(url: &str) -> String {
    url.split_once("://").map_or(url, |(_, host)| host).to_owned()
}

/// Random bytes; all zero where the system has none, which does no harm to what numbers and jitter are for.
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if getrandom::fill(&mut bytes).is_err() {
        bytes = [0; N];
    }
    bytes
}

/// A GUID of version 4.
fn guid() -> String {
    let mut bytes: [u8; 16] = random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    presence_graph::ObjectId::new(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_has_a_number_of_its_own() {
        let (one, other) = (guid(), guid());
        assert_ne!(one, other);
        assert_eq!((one.len(), one.as_bytes()[14]), (36, b'4'));
        assert_eq!(host("https://graph.microsoft.com"), "graph.microsoft.com");
        assert_eq!(host("http://127.0.0.1:8080"), "127.0.0.1:8080");
    }
}
