//! HTTP to Microsoft: one request, one answer, to two hosts and no other.

mod error;
mod place;
mod words;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use presence_graph::{Answer, Body, Host, Method, Request, Trouble};
use reqwest::Response;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;

pub use error::GraphClientError;
use place::{Place, Ways};

use crate::graph_setup::{Exchange, Exchanged, GraphNetwork};

/// So much of an answer of Graph is read, uncompressed: 650 presences are about 150 kB.
const MOST_OF_GRAPH: usize = 4 * 1024 * 1024;
/// So much of an answer of the login host: a token is a few kB.
const MOST_OF_LOGIN: usize = 64 * 1024;
/// So long a field of a head may be that is passed on.
const LONGEST_FIELD: usize = 128;

/// What carries requests over this network, to these two places (`https://host[:port]`; `http` only on loopback).
///
/// Redirects are not followed. A proxy (the given one, else that of `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`) carries what does
/// not go to this computer itself.
///
/// # Errors
/// When a URL, the proxy or the file of authorities cannot be used.
pub fn graph_client(
    network: &GraphNetwork,
    login_url: &str,
    graph_url: &str,
) -> Result<Arc<dyn Exchange>, GraphClientError> {
    match network {
        GraphNetwork::Memory(exchange) => Ok(Arc::clone(exchange)),
        GraphNetwork::Http { proxy, trusted_certificates } => {
            let ways = Ways { proxy: proxy.as_deref(), trusted_certificates: trusted_certificates.as_deref() };
            Ok(Arc::new(Http {
                login: Arc::new(Place::new("LoginUrl", login_url, &ways, MOST_OF_LOGIN)?),
                graph: Arc::new(Place::new("GraphUrl", graph_url, &ways, MOST_OF_GRAPH)?),
            }))
        }
    }
}

/// Both places.
struct Http {
    login: Arc<Place>,
    graph: Arc<Place>,
}

impl Exchange for Http {
    fn exchange(&self, request: Request) -> Exchanged {
        let place = Arc::clone(match request.host {
            Host::Login => &self.login,
            Host::Graph => &self.graph,
        });
        Box::pin(async move {
            let timeout = request.timeout;
            let url = place.url(&request.path)?;
            let method = match request.method {
                Method::Get => reqwest::Method::GET,
                Method::Post => reqwest::Method::POST,
                Method::Patch => reqwest::Method::PATCH,
                Method::Delete => reqwest::Method::DELETE,
            };
            let sending = place.client.request(method, url).timeout(timeout).headers(head(&request)?);
            let sending = match request.body {
                Body::Empty => sending,
                Body::Json(json) => sending.body(json),
                Body::Form(form) => sending.body(form.expose_secret().to_owned()),
            };
            let response = sending.send().await.map_err(|error| words::trouble(error, &place, timeout))?;
            let mut answer = Answer {
                status: response.status().as_u16(),
                retry_after: field(&response, "retry-after"),
                date: field(&response, "date"),
                request_id: field(&response, "request-id").filter(|text| is_number(text)),
                body: Bytes::new(),
            };
            answer.body = whole(response, &place, timeout).await?;
            Ok(answer)
        })
    }
}

fn head(request: &Request) -> Result<HeaderMap, Trouble> {
    let value = |text: &str| {
        HeaderValue::from_str(text)
            .map_err(|_| Trouble::Broken("a header field of the request has a line break".into()))
    };
    let mut head = HeaderMap::new();
    head.insert(ACCEPT, HeaderValue::from_static("application/json"));
    head.insert("client-request-id", value(&request.request_id)?);
    head.insert("return-client-request-id", HeaderValue::from_static("true"));
    match &request.body {
        Body::Empty => {}
        Body::Json(_) => {
            head.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Body::Form(_) => {
            head.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        }
    }
    for (name, text) in &request.headers {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Trouble::Broken("a header field of the request has no proper name".into()))?;
        head.insert(name, value(text)?);
    }
    if let Some(token) = &request.bearer {
        let mut bearer = value(&format!("Bearer {}", token.expose_secret()))?;
        bearer.set_sensitive(true);
        head.insert(AUTHORIZATION, bearer);
    }
    Ok(head)
}

fn field(response: &Response, name: &str) -> Option<String> {
    let text = response.headers().get(name)?.to_str().ok()?;
    (text.len() <= LONGEST_FIELD).then(|| text.to_owned())
}

/// Microsoft's number of a request is a GUID. What is something else may be anything, and is shown nowhere.
fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// The body, uncompressed, unless it is longer than what is read; then the connection is given up.
async fn whole(mut response: Response, place: &Place, timeout: std::time::Duration) -> Result<Bytes, Trouble> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| words::trouble(error, place, timeout))? {
        if body.len() + chunk.len() > place.most {
            return Err(Trouble::TooLong(place.most));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
