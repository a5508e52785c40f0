//! The webhook with a door of its own.

use actix_web::body::to_bytes;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, http::Method};
use futures_util::{FutureExt, stream};
use presence_actors::GraphDoorway;
use serde_json::json;

use super::*;

const URL: &str = "https://Presence.example.com/graph/notifications";

fn webhook(url: &str) -> (Data<Notifications>, GraphDoor, GraphDoorway) {
    let (door, doorway) = GraphDoor::open();
    let webhook = Webhook::new(url, door.clone(), &HttpSettings::default(), false).expect("an address");
    (Data::new(Notifications(Some(webhook))), door, doorway)
}

/// Status, headers as text, body.
async fn asked(notifications: &Data<Notifications>, request: TestRequest) -> (u16, String, String) {
    let data = notifications.clone();
    let app = App::new().app_data(data.clone()).configure(configure).configure(|config| data.configure(config));
    let app = init_service(app).await;
    let answer = call_service(&app, request.to_request()).await;
    let status = answer.status().as_u16();
    let headers: Vec<_> = answer.headers().iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
    let body = to_bytes(answer.into_body()).await.expect("a body");
    (status, headers.join("\n"), String::from_utf8_lossy(&body).into_owned())
}

fn post(query: &str) -> TestRequest {
    TestRequest::post().uri(&format!("{PATH}{query}"))
}

fn one(user: &str) -> serde_json::Value {
    json!({"subscriptionId": "s1", "clientState": "x", "tenantId": "t", "resourceData": {"id": user}})
}

const USER: &str = "fa8bf3dc-eca7-46b7-bad1-db199b62afc3";

#[actix_web::test]
async fn a_token_is_decoded_once_and_answered_as_text_while_a_handshake_is_expected() {
    let (notifications, door, doorway) = webhook(URL);
    let token = "?validationToken=Validation%3a+Testing%20%2Bb%3Cscript%3E%2520";
    assert_eq!(asked(&notifications, post(token)).await.0, 404);
    doorway.set_expecting(true);
    let (status, headers, body) = asked(&notifications, post(token)).await;
    assert_eq!((status, body.as_str()), (200, "Validation: Testing +b<script>%20"));
    assert!(headers.contains("\"text/plain; charset=utf-8\"") && headers.contains("\"nosniff\""), "{headers}");
    let long = format!("?validationToken={}", "%C3%A9".repeat(1_024));
    assert_eq!(asked(&notifications, post(&long)).await.2, "é".repeat(1_024));
    for refused in
        ["?validationToken=".to_owned(), format!("{long}x"), "?validationToken=a&validationToken=b".to_owned()]
    {
        assert_eq!(asked(&notifications, post(&refused)).await.0, 400, "{}", refused.len());
    }
    doorway.set_expecting(false);
    assert_eq!(asked(&notifications, post(token)).await.0, 404);
    let counters = door.counters();
    assert_eq!((counters.handshakes, counters.unexpected), (2, 2));
}

#[actix_web::test]
async fn notifications_go_through_the_door_and_the_answer_tells_nothing_about_them() {
    let (notifications, door, mut doorway) = webhook(URL);
    let body = json!({"value": [one(USER), {"odd": 1}]}).to_string();
    let (status, headers, text) = asked(&notifications, post("?code=ours").set_payload(body)).await;
    assert_eq!((status, text.as_str()), (202, ""), "{headers}");
    let notices = doorway.recv().await;
    assert_eq!(notices.len(), 1);
    assert_eq!((notices[0].subscription.as_str(), notices[0].user), ("s1", USER.parse().ok()));
    assert_eq!((door.counters().delivered, door.counters().unreadable), (1, 1));
    let (status, _, text) = asked(&notifications, post("").set_payload(r#"{"value": [7]}"#)).await;
    assert_eq!((status, text.as_str()), (202, ""), "the same answer");
}

#[actix_web::test]
async fn a_full_door_is_503_until_somebody_takes_and_nothing_is_taken_in_part() {
    let (notifications, door, mut doorway) = webhook(URL);
    let thousand = json!({"value": vec![one(USER); 1_000]}).to_string();
    for _ in 0..8 {
        assert_eq!(asked(&notifications, post("").set_payload(thousand.clone())).await.0, 202);
    }
    let (status, headers, body) = asked(&notifications, post("").set_payload(thousand.clone())).await;
    assert_eq!(status, 503, "{body}");
    assert!(headers.contains("retry-after: \"10\""), "{headers}");
    let rest = json!({"value": vec![one(USER); 192]}).to_string();
    assert_eq!(asked(&notifications, post("").set_payload(rest)).await.0, 202, "8,192 in all");
    let single = json!({"value": [one(USER)]}).to_string();
    assert_eq!(asked(&notifications, post("").set_payload(single)).await.0, 503);
    assert_eq!((door.counters().delivered, door.counters().full), (8_192, 1_001));
    assert_eq!(doorway.recv().await.len(), 1_000);
    assert_eq!(asked(&notifications, post("").set_payload(thousand)).await.0, 202);
    drop(doorway);
    assert_eq!(door.deliver(vec![]), Ok(()));
}

#[actix_web::test]
async fn another_path_of_the_address_is_served_and_the_usual_one_is_not() {
    let (notifications, _, _doorway) = webhook("https://presence.example.com/teams/hook");
    let body = json!({"value": [one(USER)]}).to_string();
    let other = TestRequest::post().uri("/teams/hook").set_payload(body.clone());
    assert_eq!(asked(&notifications, other).await.0, 202);
    assert_eq!(asked(&notifications, post("").set_payload(body.clone())).await.0, 404);
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
        let usual = TestRequest::default().method(method.clone()).uri(PATH);
        assert_eq!(asked(&notifications, usual).await.0, 404, "{method}");
        let (status, headers, _) =
            asked(&notifications, TestRequest::default().method(method).uri("/teams/hook")).await;
        assert!(status == 405 && headers.contains("allow: \"POST\""), "{status} {headers}");
    }
    let nowhere = Data::new(Notifications(None));
    assert_eq!(asked(&nowhere, post("").set_payload(body)).await.0, 404);
    assert_eq!(asked(&nowhere, TestRequest::get().uri(PATH)).await.0, 404);
}

#[actix_web::test]
async fn only_the_webhook_is_reached_by_the_public_name_and_one_address_not_without_end() {
    let (notifications, _, _doorway) = webhook(URL);
    let at = |path: &str, host: &'static str, peer: [u8; 4]| {
        let request = TestRequest::post().uri(path).insert_header((header::HOST, host)).to_http_request();
        notifications.admit(&request, Client::at(peer.into()))
    };
    let peer = [192, 0, 2, 1];
    assert!(at("/api/v1/status", "presence.example.com", peer).is_none(), "as every other request");
    assert!(matches!(at(PATH, "presence.EXAMPLE.com:443", peer), Some(Ok(()))));
    assert!(matches!(at(PATH, "localhost", peer), Some(Ok(()))));
    assert!(matches!(at(PATH, "evil.example", peer), Some(Err(("host", Problem { status: 403, .. })))));
    let admitted = (0..10_000).filter(|_| matches!(at(PATH, "localhost", peer), Some(Ok(())))).count();
    assert!((1_900..9_000).contains(&admitted), "{admitted}");
    let refused = (0..3_000).find_map(|_| at(PATH, "localhost", peer).and_then(Result::err)).expect("too many");
    assert_eq!((refused.0, refused.1.status, refused.1.retry_after), ("rate", 429, Some(1)));
    assert!(matches!(at(PATH, "localhost", [192, 0, 2, 2]), Some(Ok(()))), "another address");
}

#[actix_web::test]
async fn long_bodies_share_32_mib_and_short_ones_always_find_room() {
    let (notifications, _, _doorway) = webhook(URL);
    let webhook = notifications.0.as_ref().expect("it is configured");
    let request = TestRequest::post().to_http_request();
    let of = |bytes: usize| -> dev::Payload {
        let pieces = std::iter::repeat_n(Bytes::from(vec![b' '; 1 << 10]), bytes >> 10).map(Ok);
        dev::Payload::Stream { payload: Box::pin(stream::iter(pieces).chain(stream::pending())) }
    };
    let mut reading: Vec<_> = (0..33).map(|_| Box::pin(webhook.read(&request, of(LONGEST)))).collect();
    let refused = reading.iter_mut().filter_map(|one| one.now_or_never()).collect::<Vec<_>>();
    assert!(!refused.is_empty() && refused.iter().all(|one| one.as_ref().is_err_and(|one| one.status == 503)));
    let mut short = Box::pin(webhook.read(&request, of(SMALL)));
    assert!((&mut short).now_or_never().is_none(), "it is read on");
    drop(reading);
    assert_eq!(webhook.held.load(Ordering::Acquire), 0, "the room is given back");
    let mut again = Box::pin(webhook.read(&request, of(LONGEST)));
    assert!((&mut again).now_or_never().is_none());
}
