//! What is sent, and where it goes.

use presence_actors::{GraphNetwork, graph_client};
use presence_graph::Trouble;

use crate::servers::{Says, Server, answer};
use crate::{SECRET, client, exchange, get, sign_in};

#[tokio::test]
async fn a_request_goes_out_with_its_number_and_token_and_the_answer_comes_back() {
    let fields = "retry-after: 2.128\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nrequest-id: 57342611-6e6d-4104-8edb-1adbc0d24f01\r\n";
    let mut server = Server::start(answer("429 Too Many", fields, b"{}")).await;
    let client = client(&server.url());
    let came = exchange(&client, get("/v1.0/users?$filter=mail%20eq%20'a'&$select=id")).await.unwrap();
    assert_eq!((came.status, &came.body[..]), (429, &b"{}"[..]));
    assert_eq!(came.retry_after.as_deref(), Some("2.128"));
    assert_eq!(came.date.as_deref(), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
    assert_eq!(came.request_id.as_deref(), Some("57342611-6e6d-4104-8edb-1adbc0d24f01"));
    let (_, head) = server.heads().remove(0);
    for line in [
        "get /v1.0/users?$filter=mail%20eq%20%27a%27&$select=id http/1.1",
        "client-request-id: 0f0e0d0c-0000-4000-8000-000000000001",
        "return-client-request-id: true",
        "consistencylevel: eventual",
        "accept-encoding: gzip",
        &format!("authorization: bearer {}", SECRET.to_lowercase()),
    ] {
        assert!(head.lines().any(|known| known == line), "{line} is missing in {head}");
    }
    assert!(head.contains("user-agent: presence-provider/"), "{head}");
}

#[tokio::test]
async fn a_form_is_sent_as_one_and_without_a_token() {
    let mut server = Server::start(answer("200 OK", "", b"{}")).await;
    exchange(&client(&server.url()), sign_in()).await.unwrap();
    let (_, head) = server.heads().remove(0);
    assert!(head.starts_with("post /t/token http/1.1"), "{head}");
    assert!(
        head.contains("content-type: application/x-www-form-urlencoded") && !head.contains("authorization"),
        "{head}"
    );
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let mut other = Server::start(answer("200 OK", "", b"stolen")).await;
    let location = format!("location: {}/steal\r\n", other.url());
    let server = Server::start(answer("307 Temporary Redirect", &location, b"")).await;
    let client = client(&server.url());
    assert_eq!(exchange(&client, get("/v1.0/me")).await.unwrap().status, 307);
    assert_eq!(exchange(&client, sign_in()).await.unwrap().status, 307);
    assert_eq!(other.heads(), []);
}

#[tokio::test]
async fn a_path_that_leads_to_another_host_is_refused_before_anything_is_sent() {
    let mut other = Server::start(answer("200 OK", "", b"stolen")).await;
    let mut server = Server::start(answer("200 OK", "", b"{}")).await;
    let client = client(&server.url());
    for path in [format!("@{}/v1.0", other.address), format!(".evil.example:1/{}", other.address), String::new()] {
        let trouble = exchange(&client, get(&path)).await.unwrap_err();
        assert!(trouble.to_string().contains("was not sent"), "{trouble}");
    }
    // This one is a path of ours, however it looks.
    exchange(&client, get(&format!("//{}/v1.0", other.address))).await.unwrap();
    assert_eq!((other.heads().len(), server.heads().len()), (0, 1));
}

#[tokio::test]
async fn requests_share_a_connection() {
    let mut server = Server::start(answer("200 OK", "", b"{}")).await;
    let client = client(&server.url());
    for _ in 0..3 {
        exchange(&client, get("/v1.0/me")).await.unwrap();
    }
    let connections: Vec<_> = server.heads().into_iter().map(|(connection, _)| connection).collect();
    assert_eq!(connections, [0, 0, 0]);
}

#[tokio::test]
async fn what_is_not_this_computer_goes_through_the_proxy() {
    let mut proxy = Server::start(answer("407 Proxy Authentication Required", "", b"")).await;
    let network = GraphNetwork::Http { proxy: Some(proxy.url()), trusted_certificates: None };
    let client = graph_client(&network, "https://login.example.test", "https://graph.example.test").unwrap();
    let trouble = exchange(&client, get("/v1.0/me")).await.unwrap_err();
    let Trouble::Connect(words) = &trouble else { panic!("{trouble:?}") };
    assert!(words.contains(&proxy.address.to_string()) && words.contains("authorization required"), "{words}");
    let (_, head) = proxy.heads().remove(0);
    assert!(head.starts_with("connect graph.example.test:443 http/1.1"), "{head}");
    assert!(!head.contains("bearer"), "{head}");
}

#[tokio::test]
async fn what_is_this_computer_does_not_go_through_the_proxy() {
    let mut proxy = Server::start(Says::Nothing).await;
    let server = Server::start(answer("200 OK", "", b"{}")).await;
    let network = GraphNetwork::Http { proxy: Some(proxy.url()), trusted_certificates: None };
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{}", server.address.port());
        let client = graph_client(&network, &url, &url).unwrap();
        assert_eq!(exchange(&client, get("/v1.0/me")).await.unwrap().status, 200);
    }
    assert_eq!(proxy.heads(), []);
}
