//! Answers that are too long, too late, or none.

use std::time::Duration;

use presence_actors::{GraphNetwork, graph_client};
use presence_graph::{Request, Trouble};

use crate::servers::{Says, Server, answer};
use crate::{client, exchange, get, sign_in};

const GRAPH: usize = 4 * 1024 * 1024;
const LOGIN: usize = 64 * 1024;

/// Zeros of this many times 258 bytes, as gzip: one literal, and then the same again and again (RFC 1951 3.2.6).
fn zeros(times: usize) -> Vec<u8> {
    let mut bits = Vec::new();
    let mut code = |value: u32, length: u32| bits.extend((0..length).rev().map(|bit| value >> bit & 1 == 1));
    code(0b1, 1); // the last block,
    code(0b10, 2); // with the fixed codes
    code(0b0011_0000, 8); // a zero
    for _ in 0..times {
        code(0b1100_0101, 8); // 258 bytes
        code(0, 5); // from one before
    }
    code(0, 7);
    let bytes = bits.chunks(8).map(|byte| byte.iter().enumerate().map(|(bit, set)| u8::from(*set) << bit).sum());
    [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255].into_iter().chain(bytes).collect()
}

#[tokio::test]
async fn a_small_body_that_unpacks_to_a_huge_one_is_given_up() {
    let bomb = zeros(40_000);
    assert!(bomb.len() < 70_000);
    let server = Server::start(answer("200 OK", "content-encoding: gzip\r\n", &bomb)).await;
    let client = client(&server.url());
    assert_eq!(exchange(&client, get("/v1.0/me")).await, Err(Trouble::TooLong(GRAPH)));
    assert_eq!(exchange(&client, sign_in()).await, Err(Trouble::TooLong(LOGIN)));
}

#[tokio::test]
async fn a_body_without_end_is_given_up() {
    let server = Server::start(Says::Endless(b"HTTP/1.1 200 OK\r\n\r\n".to_vec())).await;
    let client = client(&server.url());
    assert_eq!(exchange(&client, get("/v1.0/me")).await, Err(Trouble::TooLong(GRAPH)));
    assert_eq!(exchange(&client, sign_in()).await, Err(Trouble::TooLong(LOGIN)));
}

#[tokio::test]
async fn a_body_within_the_limit_is_read_whole() {
    let server = Server::start(answer("200 OK", "", &vec![b' '; GRAPH])).await;
    assert_eq!(exchange(&client(&server.url()), get("/v1.0/me")).await.unwrap().body.len(), GRAPH);
}

#[tokio::test]
async fn a_head_without_end_is_given_up() {
    let server = Server::start(Says::Endless(b"HTTP/1.1 200 OK\r\nx: ".to_vec())).await;
    let trouble = exchange(&client(&server.url()), get("/v1.0/me")).await.unwrap_err();
    assert!(matches!(trouble, Trouble::Broken(_)), "{trouble:?}");
}

#[tokio::test]
async fn an_answer_that_does_not_come_or_does_not_end_is_waited_for_so_long() {
    let timeout = Duration::from_millis(300);
    for says in [Says::Nothing, Says::This(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_vec())] {
        let server = Server::start(says).await;
        let request = Request { timeout, ..get("/v1.0/me") };
        assert_eq!(exchange(&client(&server.url()), request).await, Err(Trouble::Timeout(timeout)));
    }
}

#[tokio::test]
async fn nobody_who_listens_and_words_that_are_no_http_are_told_apart() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let trouble = exchange(&client(&url), get("/v1.0/me")).await.unwrap_err();
    let Trouble::Connect(words) = &trouble else { panic!("{trouble:?}") };
    assert!(words.ends_with("connection refused: nothing listens there"), "{words}");
    let server = Server::start(Says::This(b"SIP/2.0 200 OK\r\n\r\n".to_vec())).await;
    let trouble = exchange(&client(&server.url()), get("/v1.0/me")).await.unwrap_err();
    assert!(matches!(trouble, Trouble::Broken(_)), "{trouble:?}");
}

#[tokio::test]
async fn a_name_without_an_address_is_said_to_be_one() {
    // No label of a name is so long: nobody is even asked.
    let proxy = Some(format!("http://{}.example.test:3128", "a".repeat(64)));
    let network = GraphNetwork::Http { proxy, trusted_certificates: None };
    let client = graph_client(&network, "https://login.example.test", "https://graph.example.test").unwrap();
    let trouble = exchange(&client, get("/v1.0/me")).await.unwrap_err();
    let Trouble::Name(words) = &trouble else { panic!("{trouble:?}") };
    assert!(words.starts_with("no address is found for `aaaa"), "{words}");
    assert!(words.contains("the way goes through the proxy"), "{words}");
}
