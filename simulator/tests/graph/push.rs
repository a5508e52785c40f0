//! Subscriptions and notifications.

use presence_simulator::{PostAnswer, ServiceReply};
use serde_json::{Value, json};

use crate::support::{World, id, items_of, json as body, refusal, seconds, text, token_of};

#[test]
fn a_subscription_is_made_after_both_handshakes() {
    let mut world = World::small();
    let token = world.user_token();
    let wanted = world.subscription(&[1, 2], 3_480);
    assert!(matches!(world.graph(&token, "POST", "/subscriptions", &wanted), ServiceReply::Held(_)));
    assert_eq!(world.posts.len(), 2, "one for each address");
    let first = world.posts.remove(0);
    world.service.posted(world.now, first.id, Some(PostAnswer::plain(200, token_of(&first.url))));
    world.drain();
    assert!(world.answers.is_empty());
    world.shake();
    let answer = world.answers[0].1.answer().unwrap().clone();
    assert_eq!(answer.status, 201);
    assert_eq!(text(&body(&answer), "clientState"), "a-client-state");
    let listed = body(&world.answer(&token, "GET", "/subscriptions", ""));
    assert_eq!(listed["value"][0]["id"], body(&answer)["id"]);
    assert_eq!(listed["value"][0]["clientState"], Value::Null);
    assert_eq!(world.service.counters().users_per_subscription, [2]);
}

#[test]
fn a_handshake_that_is_wrong_late_or_absent_refuses_the_subscription() {
    let html = |token: String| PostAnswer { content_type: "text/html".into(), ..PostAnswer::plain(200, token) };
    let answers: [&dyn Fn(String) -> Option<PostAnswer>; 5] = [
        &|_| None,
        &|token| Some(PostAnswer::plain(202, token)),
        &|_| Some(PostAnswer::plain(200, "another")),
        &|token| Some(html(token)),
        &|token| Some(PostAnswer::plain(200, format!("{token} "))),
    ];
    for answer in answers {
        let mut world = World::small();
        let token = world.user_token();
        let wanted = world.subscription(&[1], 3_480);
        world.graph(&token, "POST", "/subscriptions", &wanted);
        let post = world.posts.remove(0);
        world.service.posted(world.now, post.id, answer(token_of(&post.url)));
        world.drain();
        assert_eq!(refusal(world.answers[0].1.answer().unwrap()), (400, "ValidationError".into()));
        assert_eq!(world.service.counters().live_subscriptions, 0);
    }
    let mut world = World::small();
    let token = world.user_token();
    let wanted = world.subscription(&[1], 3_480);
    world.graph(&token, "POST", "/subscriptions", &wanted);
    world.pass(seconds(9));
    assert!(world.answers.is_empty());
    world.pass(seconds(1));
    assert_eq!(world.answers.len(), 1, "once, though two handshakes are late");
    assert!(String::from_utf8_lossy(&world.answers[0].1.answer().unwrap().body).contains("timed out"));
    world.shake();
    assert_eq!(world.service.counters().live_subscriptions, 0);
}

#[test]
fn what_microsoft_does_not_allow_is_refused() {
    let mut world = World::small();
    let (app, token) = (world.app_token(), world.user_token());
    let good: Value = serde_json::from_str(&world.subscription(&[1], 3_480)).unwrap();
    assert_eq!(world.answer(&app, "POST", "/subscriptions", &good.to_string()).status, 403, "an application");
    let late = world.subscription(&[1], 3_601);
    assert_eq!(world.answer(&token, "POST", "/subscriptions", &late).status, 400, "more than an hour");
    let past = world.subscription(&[1], 0);
    assert_eq!(world.answer(&token, "POST", "/subscriptions", &past).status, 400, "over already");
    for (name, value) in [
        ("changeType", json!("created")),
        ("notificationUrl", json!("http://pp.example.com/n")),
        ("lifecycleNotificationUrl", json!("ftp://pp.example.com/n")),
        ("resource", json!("/communications/presences")),
        ("resource", json!("/communications/presences?$filter=id in ('agent1')")),
        ("clientState", json!("x".repeat(129))),
        ("expirationDateTime", json!("soon")),
        ("includeResourceData", json!(true)),
        ("somethingElse", json!(1)),
    ] {
        let mut wanted = good.clone();
        wanted[name] = value;
        assert_eq!(world.answer(&token, "POST", "/subscriptions", &wanted.to_string()).status, 400, "{name}");
    }
    let many = world.subscription(&(1..=651).collect::<Vec<_>>(), 60);
    assert_eq!(world.answer(&token, "POST", "/subscriptions", &many).status, 403);
    assert_eq!(world.posts.len(), 0, "nobody was asked to shake hands");
}

#[test]
fn an_account_has_one_subscription() {
    let mut world = World::small();
    let token = world.user_token();
    let first = world.subscribed(&token, &[1]);
    let again = world.subscription(&[2], 3_480);
    let refused = world.answer(&token, "POST", "/subscriptions", &again);
    assert_eq!(refused.status, 409);
    assert!(String::from_utf8_lossy(&refused.body).contains(&first));
    assert_eq!(world.answer(&token, "DELETE", &format!("/subscriptions/{first}"), "").status, 204);
    assert_eq!(world.answer(&token, "DELETE", &format!("/subscriptions/{first}"), "").status, 404);
    world.subscribed(&token, &[2]);
    world.order("forget-subscriptions anna");
    world.order("foreign-subscription anna");
    let again = world.subscription(&[2], 3_480);
    assert_eq!(world.answer(&token, "POST", "/subscriptions", &again).status, 409);
    let listed = body(&world.answer(&token, "GET", "/subscriptions", ""));
    assert_eq!(listed["value"][0]["notificationUrl"], "https://another.example/graph");
}

#[test]
fn a_subscription_ends_unless_it_is_renewed() {
    let mut world = World::small();
    let token = world.user_token();
    let path = format!("/subscriptions/{}", world.subscribed(&token, &[1]));
    world.pass(seconds(2_400));
    let wanted: Value = serde_json::from_str(&world.subscription(&[1], 3_480)).unwrap();
    let renewal = json!({ "expirationDateTime": wanted["expirationDateTime"] }).to_string();
    assert_eq!(world.answer(&token, "PATCH", &path, &renewal).status, 200);
    assert_eq!(world.answer(&token, "PATCH", &path, &wanted.to_string()).status, 400, "the resource cannot be changed");
    world.pass(seconds(3_479));
    assert_eq!(world.service.counters().live_subscriptions, 1);
    world.pass(seconds(1));
    assert_eq!(world.service.counters().live_subscriptions, 0);
    let token = world.user_token();
    assert_eq!(world.answer(&token, "PATCH", &path, &renewal).status, 404);
}

#[test]
fn changes_are_told_in_batches_to_those_who_subscribed() {
    let mut world = World::small();
    let token = world.user_token();
    let subscription = world.subscribed(&token, &[1, 2]);
    for user in 1..=3 {
        world.order(&format!("set agent{user}@demo.example Busy InACall"));
    }
    world.pass(seconds(1));
    assert!(world.posts.is_empty(), "not yet");
    world.pass(seconds(1));
    assert_eq!(world.posts.len(), 1, "in one piece");
    assert_eq!(world.posts[0].url, "https://pp.example.com/graph/notifications");
    let items = world.taken();
    let told: Vec<String> = items.iter().map(|item| text(&item["resourceData"], "id")).collect();
    assert_eq!(told, [id(1), id(2)], "the third is not in it");
    let first = &items[0];
    assert_eq!((text(first, "subscriptionId"), text(first, "clientState")), (subscription, "a-client-state".into()));
    assert_eq!(text(first, "tenantId"), crate::support::TENANT);
    assert!(first["resourceData"].get("availability").is_none(), "a hint and no more");
    assert_eq!(world.service.counters().notices, 2);
}

#[test]
fn a_notification_that_is_not_taken_comes_again_for_four_hours() {
    let mut world = World::small();
    let token = world.user_token();
    world.subscribed(&token, &[1]);
    world.order("set agent1@demo.example Busy");
    world.pass(seconds(2));
    let mut times = 0;
    for _ in 0..6 * 3_600 / 10 {
        for post in std::mem::take(&mut world.posts) {
            assert_eq!(items_of(&post).len(), 1);
            world.service.posted(world.now, post.id, Some(PostAnswer::plain(503, "")));
            times += 1;
        }
        world.pass(seconds(10));
    }
    let counters = world.service.counters();
    assert_eq!((counters.redelivered, counters.lost, counters.notices), (times - 1, 1, 0));
    assert!((20..40).contains(&times), "{times}");
}

#[test]
fn push_may_be_silent_late_double_mixed_up_or_about_strangers() {
    let mut world = World::small();
    let token = world.user_token();
    world.subscribed(&token, &[1, 2, 3]);
    world.order("silent-push on");
    world.order("set agent1@demo.example Busy");
    world.pass(seconds(60));
    assert!(world.posts.is_empty());
    assert_eq!(world.service.counters().live_subscriptions, 1, "it stands");
    world.order("silent-push off");
    world.order("notices late 2m");
    world.order("set agent1@demo.example Away");
    world.pass(seconds(121));
    assert!(world.posts.is_empty());
    world.pass(seconds(1));
    assert_eq!(world.taken().len(), 1);
    world.order("notices late 0s");
    world.order("notices duplicate on");
    world.order("set agent1@demo.example Offline");
    world.pass(seconds(2));
    let items = world.taken();
    assert_eq!((items.len(), &items[0]), (2, &items[1]));
    world.order("notices duplicate off");
    world.order("notices shuffled on");
    let mut orders = std::collections::BTreeSet::new();
    for availability in ["Busy", "Away", "Offline", "Available"] {
        for user in 1..=3 {
            world.order(&format!("set agent{user}@demo.example {availability}X"));
        }
        world.pass(seconds(7));
        orders.insert(world.taken().iter().map(|item| text(&item["resourceData"], "id")).collect::<Vec<_>>());
    }
    assert!(orders.len() > 1 && orders.iter().all(|order| order.len() == 3), "{orders:?}");
    world.order("notices shuffled off");
    assert_eq!(world.order("notices strange"), "1 told");
    world.pass(seconds(2));
    assert_eq!(world.taken().len(), 4);
}

#[test]
fn lifecycle_events_say_nothing_of_a_resource() {
    let mut world = World::small();
    let token = world.user_token();
    world.subscribed(&token, &[1]);
    for event in ["reauthorizationRequired", "missed", "subscriptionRemoved"] {
        assert_eq!(world.order(&format!("lifecycle {event} anna")), "1 told");
        world.pass(seconds(2));
        let items = world.taken();
        assert_eq!(text(&items[0], "lifecycleEvent"), event);
        assert!(items[0].get("resource").is_none() && items[0].get("changeType").is_none());
    }
    assert_eq!(world.service.counters().live_subscriptions, 0, "it was removed");
}
