//! The HTTP client for Microsoft Graph against small servers on loopback that do what they should not.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

#[path = "../transport_support/certificates.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "this file uses its part of it")]
mod certificates;
mod limits;
mod servers;
mod settings;
mod tls;
mod way;

use std::sync::Arc;
use std::time::Duration;

use presence_actors::{Exchange, GraphNetwork, graph_client};
use presence_graph::{Answer, Body, Host, Method, Request, Trouble};

/// What must never be seen in an error.
const SECRET: &str = "eyJ0.secret-of-the-token";

/// A client without proxy and further authorities, for this place.
fn client(url: &str) -> Arc<dyn Exchange> {
    let network = GraphNetwork::Http { proxy: None, trusted_certificates: None };
    graph_client(&network, url, url).unwrap()
}

fn get(path: &str) -> Request {
    Request {
        method: Method::Get,
        host: Host::Graph,
        path: path.to_owned(),
        bearer: Some(SECRET.to_owned().into()),
        headers: vec![("ConsistencyLevel", "eventual".to_owned())],
        body: Body::Empty,
        request_id: "0f0e0d0c-0000-4000-8000-000000000001".to_owned(),
        timeout: Duration::from_secs(15),
    }
}

fn sign_in() -> Request {
    let form = format!("client_secret={SECRET}");
    Request { method: Method::Post, host: Host::Login, bearer: None, body: Body::Form(form.into()), ..get("/t/token") }
}

async fn exchange(client: &Arc<dyn Exchange>, request: Request) -> Result<Answer, Trouble> {
    let result = tokio::time::timeout(Duration::from_secs(30), client.exchange(request)).await.expect("an end");
    if let Err(trouble) = &result {
        assert!(!format!("{trouble} {trouble:?}").contains(SECRET), "{trouble}");
    }
    result
}
