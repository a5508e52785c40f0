//! The simulated Microsoft Graph on a real socket.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::net::SocketAddr;
use std::time::Duration;

use presence_simulator::{GraphServer, GraphServerHandle, GraphServiceSettings, ServiceUser};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// One request on a connection of its own; status and body. `None`: the connection ended without an answer.
async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    token: &str,
    kind: &str,
    body: &str,
) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

async fn token(server: &GraphServerHandle, form: &str) -> String {
    let path = format!("/{}/oauth2/v2.0/token", GraphServiceSettings::TENANT);
    let form = format!("client_id={}&{form}", GraphServiceSettings::CLIENT);
    let answer = send(server.address(), "POST", &path, "", "application/x-www-form-urlencoded", &form).await;
    let (status, body) = answer.unwrap();
    assert_eq!(status, 200, "{body}");
    serde_json::from_str::<Value>(&body).unwrap()["access_token"].as_str().unwrap().to_owned()
}

async fn app_token(server: &GraphServerHandle) -> String {
    let secret = GraphServiceSettings::SECRET;
    let scope = "https%3A%2F%2Fgraph.microsoft.com%2F.default";
    token(server, &format!("grant_type=client_credentials&client_secret={secret}&scope={scope}")).await
}

async fn presences(
    server: &GraphServerHandle,
    token: &str,
    users: std::ops::RangeInclusive<u32>,
) -> Option<(u16, String)> {
    let ids: Vec<String> = users.map(|user| ServiceUser::numbered(0, user, "demo.example").id).collect();
    let path = "/v1.0/communications/getPresencesByUserId";
    send(server.address(), "POST", path, token, "application/json", &json!({ "ids": ids }).to_string()).await
}

#[tokio::test]
async fn tokens_and_presence_are_served_and_faults_break_connections() {
    let server = GraphServer::start(GraphServiceSettings::with_users(700, "demo.example"), LOOPBACK).await.unwrap();
    let token = app_token(&server).await;
    let (status, body) = presences(&server, &token, 1..=650).await.unwrap();
    assert_eq!(status, 200);
    assert!(body.len() > 120_000, "{}", body.len());
    server.command("outage reset times 1").unwrap();
    assert_eq!(presences(&server, &token, 1..=1).await, None);
    server.command("outage silence times 1").unwrap();
    let silent = tokio::time::timeout(Duration::from_millis(200), presences(&server, &token, 1..=1)).await;
    assert!(silent.is_err());
    server.command("answer too-long times 1").unwrap();
    assert!(presences(&server, &token, 1..=1).await.unwrap().1.len() > 4 << 20);
    assert!(server.set_presence("agent1@demo.example", "Busy", "InACall"));
    assert!(presences(&server, &token, 1..=1).await.unwrap().1.contains("InACall"));
    assert_eq!(server.counters().of_kind("presences"), 5);
    server.stop().await;
    assert!(TcpStream::connect(server.address()).await.is_err());
}

/// Takes posts as a good subscriber does: shakes hands, and gives the bodies of notifications.
async fn subscriber(listener: TcpListener, bodies: tokio::sync::mpsc::UnboundedSender<String>) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut read = Vec::new();
        let (head, body) = loop {
            let mut piece = [0; 4_096];
            let length = stream.read(&mut piece).await.unwrap();
            read.extend_from_slice(&piece[..length]);
            let text = String::from_utf8_lossy(&read).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let wants =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= wants.unwrap_or(0) {
                break (head.to_owned(), body.to_owned());
            }
        };
        let path = head.split(' ').nth(1).unwrap();
        let answer = match path.split_once("validationToken=") {
            Some((_, token)) => {
                let token = percent_encoding::percent_decode_str(token).decode_utf8().unwrap().into_owned();
                format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{token}", token.len())
            }
            None => {
                let _over = bodies.send(body);
                "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n".to_owned()
            }
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn a_subscriber_shakes_hands_and_is_told_of_changes() {
    let mut settings = GraphServiceSettings::with_users(3, "demo.example").and_user("anna", "first");
    settings.notification_latency = Duration::from_millis(50);
    let server = GraphServer::start(settings, LOOPBACK).await.unwrap();
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    server.deliver_to(Some(listener.local_addr().unwrap()));
    let (bodies, mut told) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(subscriber(listener, bodies));
    let scope = "https%3A%2F%2Fgraph.microsoft.com%2FPresence.Read.All+offline_access";
    let token = token(&server, &format!("grant_type=refresh_token&refresh_token=first&scope={scope}")).await;
    #[allow(clippy::disallowed_methods, reason = "the service has the time of day")]
    let expires = jiff::Timestamp::try_from(std::time::SystemTime::now() + Duration::from_secs(1_800)).unwrap();
    let wanted = json!({
        "changeType": "updated",
        "notificationUrl": "https://pp.example.com/n", "lifecycleNotificationUrl": "https://pp.example.com/n",
        "resource": format!("/communications/presences/{}", ServiceUser::numbered(0, 1, "demo.example").id),
        "expirationDateTime": expires.to_string(),
    });
    let path = "/v1.0/subscriptions";
    let answer = send(server.address(), "POST", path, &token, "application/json", &wanted.to_string()).await;
    assert_eq!(answer.unwrap().0, 201);
    assert!(server.set_presence("agent1@demo.example", "Busy", "Busy"));
    let body = tokio::time::timeout(Duration::from_secs(10), told.recv()).await.unwrap().unwrap();
    assert!(body.contains("\"changeType\":\"updated\""), "{body}");
}

#[tokio::test]
async fn the_control_port_takes_commands_and_only_loopback_is_listened_on() {
    let settings = GraphServiceSettings::with_users(3, "demo.example");
    let server = GraphServer::start_with_control(settings.clone(), LOOPBACK, Some(LOOPBACK)).await.unwrap();
    let mut stream = TcpStream::connect(server.control().unwrap()).await.unwrap();
    stream.write_all(b"set agent1@demo.example Away\ndance\ncount\nquit\n").await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!((lines[0], lines[3]), ("ok", "ok"));
    assert!(lines[1].starts_with("error there is no command `dance`"));
    assert!(lines[2].starts_with("ok ids=0 ") && lines[2].contains("changes=1"), "{}", lines[2]);
    assert_eq!(server.presence_of("agent1@demo.example").unwrap().0, "Away");
    let anywhere = "0.0.0.0:0".parse().unwrap();
    assert!(GraphServer::start(settings, anywhere).await.is_err());
}
