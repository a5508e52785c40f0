//! From nothing to a subscription, and what can be in the way.

use super::*;

#[test]
fn users_are_gathered_for_10_seconds_then_what_exists_is_asked_then_the_subscription_is_made() {
    let mut account = Account::of(3);
    assert_eq!(account.state(), PushState::Subscribing);
    account.expect_nothing_for(9 * SECOND);
    account.push.assign(account.now, user(3));
    account.expect(Method::Get, "/v1.0/subscriptions");
    assert_eq!(account.now - account.began, 10 * SECOND);
    account.answer(200, &json!({"value": []}));
    let request = account.expect(Method::Post, "/v1.0/subscriptions");
    let body = body(&request);
    let until = humantime_of(account.time_of_day() + 58 * MINUTE);
    assert_eq!((body["changeType"].as_str(), body["expirationDateTime"].as_str()), (Some("updated"), Some(&*until)));
    assert_eq!((&body["notificationUrl"], &body["lifecycleNotificationUrl"]), (&json!(URL), &json!(URL)));
    let resource = body["resource"].as_str().expect("a text");
    assert!((0..4).all(|number| resource.contains(&format!("'{}'", user(number)))), "{resource}");
    assert_eq!(body["clientState"].as_str().map(str::len), Some(43));
    assert!(!account.push.is_listening(user(0)));
    account.answer_created("s1");
    assert!((0..4).all(|number| account.push.is_listening(user(number))) && !account.push.is_listening(user(4)));
    let view = account.push.view();
    assert_eq!((view.state, view.users), (PushState::Listening, 4));
    assert_eq!(view.expires_at, Some(account.now + 58 * MINUTE));
    assert!(account.was_polled(), "what changed before it stood was not told");
}

#[test]
fn the_end_of_a_subscription_is_computed_from_microsofts_clock() {
    let mut account = Account::of(1);
    // Our clock is two hours behind.
    let theirs = 2 * HOUR;
    account.expect(Method::Get, "/v1.0/subscriptions");
    let answer = |account: &Account, body: Value| Answer {
        status: 200,
        retry_after: None,
        date: Some(httpdate::fmt_http_date(account.time_of_day() + theirs)),
        request_id: None,
        body: Bytes::from(body.to_string()),
    };
    let list = answer(&account, json!({"value": []}));
    account.push.answered(account.now, account.time_of_day(), &Ok(list), &Ruling::Done);
    let request = account.expect(Method::Post, "/v1.0/subscriptions");
    let until = humantime_of(account.time_of_day() + theirs + 58 * MINUTE);
    assert_eq!(body(&request)["expirationDateTime"], json!(until));
    let until = humantime_of(account.time_of_day() + theirs + 50 * MINUTE);
    let created = answer(&account, json!({"id": "s1", "expirationDateTime": until}));
    account.push.answered(account.now, account.time_of_day(), &Ok(created), &Ruling::Done);
    assert_eq!(account.push.view().expires_at, Some(account.now + 50 * MINUTE));
}

#[test]
fn at_the_start_what_an_earlier_process_left_is_deleted_and_nothing_else() {
    let mut account = Account::of(1);
    account.expect(Method::Get, "/v1.0/subscriptions");
    let one = |id: &str, url: &str| json!({"id": id, "notificationUrl": url});
    let next = "https://graph.microsoft.com/v1.0/subscriptions?$skiptoken=x";
    let foreign = format!("{URL}-of-another");
    account.answer(
        200,
        &json!({"value": [one("old-1", URL), one("foreign", &foreign), {"id": "odd"}, 7], "@odata.nextLink": next}),
    );
    account.expect(Method::Get, "/v1.0/subscriptions?$skiptoken=x");
    account.answer(200, &json!({"value": [one("old-2", &format!("{URL}?a=b"))]}));
    account.expect(Method::Delete, "/v1.0/subscriptions/old-2");
    account.answer(204, &Value::Null);
    account.expect(Method::Delete, "/v1.0/subscriptions/old-1");
    account.answer(404, &Value::Null);
    account.expect(Method::Post, "/v1.0/subscriptions");
}

#[test]
fn a_list_without_end_is_read_for_ten_pages() {
    let mut account = Account::of(1);
    for page in 0..10 {
        let request = account.request_within(MINUTE).expect("a request");
        assert_eq!(request.method, Method::Get, "page {page}");
        account.answer(200, &json!({"value": [], "@odata.nextLink": "https://x/v1.0/subscriptions?$skiptoken=y"}));
    }
    account.expect(Method::Post, "/v1.0/subscriptions");
}

#[test]
fn conflict_409_lists_deletes_ours_and_posts_once_more() {
    let mut account = Account::of(1);
    account.expect(Method::Get, "/v1.0/subscriptions");
    account.answer(200, &json!({"value": []}));
    account.expect(Method::Post, "/v1.0/subscriptions");
    account.answer(409, &Value::Null);
    account.expect(Method::Get, "/v1.0/subscriptions");
    account.answer(200, &json!({"value": [{"id": "ours", "notificationUrl": URL}]}));
    account.expect(Method::Delete, "/v1.0/subscriptions/ours");
    account.answer(204, &Value::Null);
    account.expect(Method::Post, "/v1.0/subscriptions");
    account.answer_created("s2");
    assert_eq!((account.state(), account.last_failure()), (PushState::Listening, None));
}

#[test]
fn conflict_409_again_is_another_process_and_is_tried_again_after_15_minutes_to_8_hours() {
    let mut account = Account::of(1);
    account.expect(Method::Get, "/v1.0/subscriptions");
    account.answer(200, &json!({"value": []}));
    account.expect(Method::Post, "/v1.0/subscriptions");
    account.answer(409, &Value::Null);
    for minutes in [15, 30, 60, 120, 240, 480, 480] {
        account.expect(Method::Get, "/v1.0/subscriptions");
        account.answer(200, &json!({"value": []}));
        account.expect(Method::Post, "/v1.0/subscriptions");
        account.answer(409, &Value::Null);
        assert_eq!(account.state(), PushState::Contested);
        assert_eq!(account.last_failure().and_then(|failure| failure.code), Some(409));
        account.expect_nothing_for(minutes * MINUTE - SECOND);
    }
    account.expect(Method::Get, "/v1.0/subscriptions");
    account.answer(200, &json!({"value": []}));
    account.expect(Method::Post, "/v1.0/subscriptions");
    account.answer_created("s1");
    assert_eq!(account.state(), PushState::Listening);
}

#[test]
fn forbidden_403_backs_off_from_15_minutes_with_the_reason() {
    let mut account = Account::of(1);
    account.expect(Method::Get, "/v1.0/subscriptions");
    account.answer(200, &json!({"value": []}));
    for minutes in [15, 30, 60, 120, 240, 480] {
        account.expect(Method::Post, "/v1.0/subscriptions");
        account.answer(403, &Value::Null);
        assert_eq!(account.state(), PushState::BackingOff);
        assert_eq!(account.last_failure().map(|failure| failure.detail), Some("HTTP 403".into()));
        account.expect_nothing_for(minutes * MINUTE - SECOND);
    }
}

#[test]
fn a_url_that_microsoft_cannot_reach_is_tried_again_after_a_minute() {
    let mut account = Account::of(1);
    account.expect(Method::Get, "/v1.0/subscriptions");
    account.answer(200, &json!({"value": []}));
    account.expect(Method::Post, "/v1.0/subscriptions");
    account.answer(400, &json!({"error": {"code": "ValidationError"}}));
    assert_eq!(account.state(), PushState::BackingOff);
    account.expect_nothing_for(59 * SECOND);
    let failed_at = account.now;
    account.expect(Method::Post, "/v1.0/subscriptions");
    assert!(account.now - failed_at <= 20 * SECOND);
}

#[test]
fn throttled_429_waits_what_is_asked_for() {
    let mut account = Account::of(1);
    account.expect(Method::Get, "/v1.0/subscriptions");
    account.answer(429, &Value::Null);
    account.expect_nothing_for(20 * SECOND - Duration::from_millis(1));
    account.expect(Method::Get, "/v1.0/subscriptions");
}

#[test]
fn a_creation_without_an_answer_may_have_worked_so_what_exists_is_asked_first() {
    let mut account = Account::of(1);
    account.expect(Method::Get, "/v1.0/subscriptions");
    account.answer(200, &json!({"value": []}));
    account.expect(Method::Post, "/v1.0/subscriptions");
    account.answer_nothing();
    assert_eq!(account.state(), PushState::BackingOff);
    account.expect(Method::Get, "/v1.0/subscriptions");
    account.answer(200, &json!({"value": [{"id": "made", "notificationUrl": URL}]}));
    account.expect(Method::Delete, "/v1.0/subscriptions/made");
    account.answer(204, &Value::Null);
    account.expect(Method::Post, "/v1.0/subscriptions");
    account.answer(201, &json!({"no": "id"}));
    assert_eq!(account.state(), PushState::BackingOff);
    account.expect(Method::Get, "/v1.0/subscriptions");
}

#[test]
fn failures_that_pass_by_themselves_are_tried_again_from_one_second_to_five_minutes() {
    let mut account = Account::of(1);
    for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        account.expect(Method::Get, "/v1.0/subscriptions");
        account.answer(503, &Value::Null);
        let failed_at = account.now;
        account.expect_nothing_for(seconds * SECOND - Duration::from_millis(1));
        account.expect_nothing_for(Duration::ZERO);
        assert!(account.now - failed_at < seconds * SECOND);
    }
}

#[test]
fn without_a_usable_account_nothing_is_asked_and_with_it_everything_begins() {
    let mut account = Account::of(1);
    account.push.set_usable(account.now, false);
    assert_eq!(account.state(), PushState::Idle);
    account.expect_nothing_for(24 * HOUR);
    assert_eq!(account.push.poll_timeout(), None);
    account.push.set_usable(account.now, true);
    account.expect(Method::Get, "/v1.0/subscriptions");
    account.push.set_usable(account.now, false);
    account.answer(200, &json!({"value": []}));
    assert_eq!(account.state(), PushState::Idle);
    account.expect_nothing_for(HOUR);
    account.push.set_usable(account.now, true);
    account.expect(Method::Post, "/v1.0/subscriptions");
}

#[test]
fn a_request_that_was_not_sent_is_given_again_a_second_later() {
    let mut account = Account::of(1);
    account.expect(Method::Get, "/v1.0/subscriptions");
    account.push.postponed(account.now);
    account.expect_nothing_for(SECOND - Duration::from_millis(1));
    account.expect(Method::Get, "/v1.0/subscriptions");
    account.answer(200, &json!({"value": []}));
    account.expect(Method::Post, "/v1.0/subscriptions");
    account.push.postponed(account.now);
    account.expect(Method::Post, "/v1.0/subscriptions");
    account.answer_created("s1");
    // The number of the one that was never sent is not taken.
    assert!(account.push.noticed(account.now, &account.notice("s1", 2)));
    assert!(!account.push.noticed(account.now, &account.notice("s1", 1)));
}

#[test]
fn a_handshake_is_expected_while_the_creation_is_under_way_and_for_a_minute_after() {
    let mut account = Account::of(1);
    account.expect(Method::Get, "/v1.0/subscriptions");
    account.answer(200, &json!({"value": []}));
    assert!(!account.push.expects_handshake(account.now));
    account.expect(Method::Post, "/v1.0/subscriptions");
    assert!(account.push.expects_handshake(account.now + HOUR));
    account.answer(400, &Value::Null);
    assert!(account.push.expects_handshake(account.now + 59 * SECOND));
    assert!(!account.push.expects_handshake(account.now + 60 * SECOND));
}

#[test]
fn no_more_than_600_users_are_taken() {
    let mut account = Account::of(599);
    assert_eq!((account.push.users(), account.push.room()), (599, 1));
    (599..700).for_each(|number| account.push.assign(account.now, user(number)));
    assert_eq!((account.push.users(), account.push.room()), (600, 0));
    account.push.release(account.now, user(3));
    account.push.release(account.now, user(3));
    assert_eq!((account.push.users(), account.push.room()), (599, 1));
}
