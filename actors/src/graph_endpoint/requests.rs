//! One request: carried by a task beside the actor, answered in any case, and told in the log.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use presence_graph::{Answer, ExchangeId, Method, Request, Trouble};

use super::GraphEndpoint;
use super::handlers::Answered;
use crate::clock;
use crate::graph_setup::Exchange;

/// So long a value in a query may be in the log: what is longer is a list of agents.
const LONGEST_VALUE: usize = 80;

/// Carries a request; its answer, or why there is none, comes to the endpoint as [`Answered`].
pub(super) fn send(
    carrier: Arc<dyn Exchange>,
    exchange: ExchangeId,
    account: Arc<str>,
    request: Request,
    endpoint: Addr<GraphEndpoint>,
) {
    actix_rt::spawn(async move {
        let line = Line::of(account, &request);
        let (began, timeout) = (clock::now(), request.timeout);
        let carried = actix_rt::spawn(async move { tokio::time::timeout(timeout, carrier.exchange(request)).await });
        let result = match carried.await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Trouble::Timeout(timeout)),
            Err(_) => Err(Trouble::Broken("what carried the request died of a bug".to_owned())),
        };
        line.log(&result, clock::now().saturating_duration_since(began));
        endpoint.do_send(Answered { exchange, result });
    });
}

/// What the log shows of a request: nothing that is secret.
struct Line {
    account: Arc<str>,
    method: &'static str,
    path: String,
    request_id: String,
}

impl Line {
    fn of(account: Arc<str>, request: &Request) -> Self {
        let method = match request.method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        };
        Self { account, method, path: shortened(&request.path), request_id: request.request_id.clone() }
    }

    fn log(&self, result: &Result<Answer, Trouble>, took: Duration) {
        let Self { account, method, path, request_id } = self;
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        match result {
            Ok(answer) => tracing::debug!(logger = "MsGraphPresenceSource", account = %account, status = answer.status,
                milliseconds = took, client_request_id = %request_id,
                request_id = answer.request_id.as_deref().unwrap_or("none"), "{method} {path}"),
            Err(trouble) => tracing::debug!(logger = "MsGraphPresenceSource", account = %account,
                milliseconds = took, client_request_id = %request_id, "{method} {path}: no answer: {trouble}"),
        }
    }
}

/// A path whose query's long values are cut.
fn shortened(path: &str) -> String {
    let Some((path, query)) = path.split_once('?') else { return path.to_owned() };
    let value = |pair: &str| match pair.split_once('=') {
        Some((name, value)) if value.chars().count() > LONGEST_VALUE => {
            format!("{name}={}...", value.chars().take(LONGEST_VALUE).collect::<String>())
        }
        Some(_) | None => pair.to_owned(),
    };
    format!("{path}?{}", query.split('&').map(value).collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_of_a_query_are_cut_and_the_rest_stays() {
        let path = format!("/v1.0/users?$filter={}&$select=id,mail", "a".repeat(81));
        assert_eq!(shortened(&path), format!("/v1.0/users?$filter={}...&$select=id,mail", "a".repeat(80)));
        assert_eq!(shortened("/v1.0/users?$top=15&x"), "/v1.0/users?$top=15&x");
        assert_eq!(shortened("/common/oauth2/v2.0/token"), "/common/oauth2/v2.0/token");
        let wide = format!("/v1.0/users?q={}", "\u{e9}".repeat(81));
        assert_eq!(shortened(&wide), format!("/v1.0/users?q={}...", "\u{e9}".repeat(80)));
    }
}
