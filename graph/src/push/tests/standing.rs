//! What happens to a subscription that stands: renewals, lifecycle events, other users, the end.

use super::*;

#[test]
fn it_is_renewed_between_35_and_45_minutes_for_58_more_and_again_and_again() {
    let mut account = Account::listening(1);
    for _ in 0..5 {
        let renewed = account.now;
        let request = account.expect(Method::Patch, "/v1.0/subscriptions/s1");
        assert!((35 * MINUTE..=45 * MINUTE).contains(&(account.now - renewed)), "{:?}", account.now - renewed);
        let asked = body(&request)["expirationDateTime"].as_str().and_then(|text| text.parse().ok());
        let asked = asked.map(|asked: jiff::Timestamp| SystemTime::from(asked));
        let ahead = asked.and_then(|asked| asked.duration_since(account.time_of_day()).ok()).expect("a time to come");
        assert!(ahead <= 58 * MINUTE && ahead > 57 * MINUTE, "{ahead:?}");
        account.answer_created("s1");
        assert_eq!(account.state(), PushState::Listening);
    }
}

#[test]
fn a_renewal_that_fails_is_tried_at_45_50_and_54_minutes_and_then_it_is_made_anew_and_polled() {
    let mut account = Account::listening(1);
    let made = account.now;
    account.expect(Method::Patch, "/v1.0/subscriptions/s1");
    account.answer(503, &Value::Null);
    for minutes in [45, 50, 54] {
        account.expect(Method::Patch, "/v1.0/subscriptions/s1");
        assert_eq!(account.now - made, minutes * MINUTE);
        account.answer_nothing();
        assert_eq!(account.state(), PushState::Listening);
    }
    account.expect(Method::Get, "/v1.0/subscriptions");
    assert!(account.now - made >= 58 * MINUTE && account.state() == PushState::Subscribing);
    account.answer(200, &json!({"value": []}));
    account.expect(Method::Post, "/v1.0/subscriptions");
    account.answer_created("s2");
    assert!(account.was_polled() && account.state() == PushState::Listening);
}

#[test]
fn not_found_404_on_renewal_makes_it_anew_at_once_and_twice_within_ten_minutes_backs_off() {
    let mut account = Account::listening(1);
    account.expect(Method::Patch, "/v1.0/subscriptions/s1");
    account.answer(404, &Value::Null);
    let gone = account.now;
    account.expect(Method::Post, "/v1.0/subscriptions");
    assert_eq!(account.now, gone);
    account.answer_created("s2");
    assert!(account.was_polled());
    let notice = Notice { user: None, lifecycle: Some(Lifecycle::SubscriptionRemoved), ..account.notice("s2", 2) };
    account.now += 9 * MINUTE;
    assert!(account.push.noticed(account.now, &notice));
    assert_eq!(account.state(), PushState::BackingOff);
    account.expect_nothing_for(15 * MINUTE - SECOND);
}

#[test]
fn lifecycle_reauthorization_required_renews_at_once_and_never_within_ten_minutes_of_the_last_renewal() {
    let mut account = Account::listening(1);
    account.now += 20 * MINUTE;
    for _ in 0..50 {
        assert!(account.lifecycle(Lifecycle::ReauthorizationRequired));
    }
    account.expect(Method::Patch, "/v1.0/subscriptions/s1");
    let renewed = account.now;
    assert_eq!(renewed - account.began, 20 * MINUTE + 10 * SECOND, "at once");
    account.answer_created("s1");
    for _ in 0..50 {
        account.now += SECOND;
        account.lifecycle(Lifecycle::ReauthorizationRequired);
    }
    account.expect(Method::Patch, "/v1.0/subscriptions/s1");
    assert_eq!(account.now - renewed, 10 * MINUTE);
}

#[test]
fn lifecycle_subscription_removed_makes_it_anew_and_polls() {
    let mut account = Account::listening(1);
    assert!(account.lifecycle(Lifecycle::SubscriptionRemoved));
    assert!(account.was_polled());
    assert!(!account.push.is_listening(user(0)));
    account.expect(Method::Post, "/v1.0/subscriptions");
    account.answer_created("s2");
    assert!(account.push.is_listening(user(0)) && account.was_polled());
}

#[test]
fn lifecycle_missed_polls_all_users_once() {
    let mut account = Account::listening(1);
    let notice = Notice { user: None, lifecycle: Some(Lifecycle::Missed), ..account.notice("s1", 1) };
    for _ in 0..10 {
        assert!(account.push.noticed(account.now, &notice));
    }
    account.drain();
    assert_eq!(account.effects, [PushEffect::PollUsers]);
    assert_eq!(account.state(), PushState::Listening);
}

#[test]
fn new_users_wait_10_seconds_then_delete_and_post_and_all_are_polled() {
    let mut account = Account::listening(2);
    account.push.assign(account.now, user(7));
    let changed = account.now;
    account.push.assign(account.now, user(8));
    account.push.release(account.now, user(0));
    assert!(!account.push.is_listening(user(7)) && account.push.is_listening(user(1)));
    account.expect(Method::Delete, "/v1.0/subscriptions/s1");
    assert_eq!(account.now - changed, 10 * SECOND);
    assert!(!account.push.is_listening(user(1)));
    account.answer(204, &Value::Null);
    let request = account.expect(Method::Post, "/v1.0/subscriptions");
    assert_eq!(account.now - changed, 10 * SECOND, "the gap is as short as it can be");
    let resource = body(&request)["resource"].to_string();
    assert!(!resource.contains(&user(0).to_string()) && resource.contains(&user(7).to_string()), "{resource}");
    // Who comes while it is being made is gathered for the next one.
    account.push.assign(account.now, user(9));
    account.answer_created("s2");
    assert!(account.was_polled() && !account.push.is_listening(user(9)) && account.push.is_listening(user(8)));
    account.expect(Method::Delete, "/v1.0/subscriptions/s2");
    assert_eq!(account.now - changed, 20 * SECOND);
}

#[test]
fn users_that_only_leave_cost_no_gap_for_ten_minutes_and_who_comes_back_costs_nothing() {
    let mut account = Account::listening(3);
    account.push.release(account.now, user(0));
    assert!(!account.push.is_listening(user(0)));
    assert!(!account.push.noticed(account.now, &account.notice("s1", 1)), "nobody wants it");
    account.expect_nothing_for(10 * MINUTE - SECOND);
    account.expect(Method::Delete, "/v1.0/subscriptions/s1");
    let mut account = Account::listening(3);
    account.push.release(account.now, user(0));
    account.push.assign(account.now, user(0));
    account.expect_nothing_for(30 * MINUTE);
    assert!(account.push.is_listening(user(0)));
}

#[test]
fn without_users_the_subscription_is_deleted_and_that_is_all() {
    let mut account = Account::listening(1);
    account.push.release(account.now, user(0));
    account.expect(Method::Delete, "/v1.0/subscriptions/s1");
    account.answer(204, &Value::Null);
    assert_eq!(account.state(), PushState::Idle);
    account.expect_nothing_for(24 * HOUR);
    account.push.assign(account.now, user(0));
    account.expect(Method::Post, "/v1.0/subscriptions");
}

#[test]
fn a_deletion_that_fails_is_tried_again_and_one_that_is_refused_begins_with_what_exists() {
    let mut account = Account::listening(1);
    account.push.assign(account.now, user(7));
    for _ in 0..3 {
        account.expect(Method::Delete, "/v1.0/subscriptions/s1");
        account.answer(503, &Value::Null);
        assert_eq!(account.last_failure().and_then(|failure| failure.code), Some(503));
    }
    account.expect(Method::Delete, "/v1.0/subscriptions/s1");
    account.answer(403, &Value::Null);
    account.expect(Method::Get, "/v1.0/subscriptions");
}

#[test]
fn an_account_that_cannot_ask_any_more_listens_until_the_end_of_the_subscription() {
    let mut account = Account::listening(1);
    account.push.set_usable(account.now, false);
    account.expect_nothing_for(57 * MINUTE);
    assert_eq!(account.state(), PushState::Listening);
    account.expect_nothing_for(2 * MINUTE);
    assert_eq!(account.state(), PushState::Idle);
    account.push.set_usable(account.now, true);
    account.expect(Method::Get, "/v1.0/subscriptions");
}

#[test]
fn at_the_end_the_subscription_is_deleted_and_two_seconds_are_enough() {
    let mut account = Account::listening(1);
    account.push.stop(account.now);
    assert!(!account.push.is_stopped());
    account.expect(Method::Delete, "/v1.0/subscriptions/s1");
    account.answer(204, &Value::Null);
    assert!(account.push.is_stopped());
    let mut account = Account::listening(1);
    account.push.stop(account.now);
    account.expect(Method::Delete, "/v1.0/subscriptions/s1");
    account.expect_nothing_for(2 * SECOND);
    assert!(account.push.is_stopped() && account.push.poll_timeout().is_none());
    let mut account = Account::of(1);
    account.push.stop(account.now);
    assert!(account.push.is_stopped(), "there is nothing");
}

#[test]
fn what_is_being_made_at_the_end_is_deleted_as_soon_as_it_is_made() {
    let mut account = Account::of(1);
    account.expect(Method::Get, "/v1.0/subscriptions");
    account.answer(200, &json!({"value": []}));
    account.expect(Method::Post, "/v1.0/subscriptions");
    account.push.stop(account.now);
    assert!(!account.push.is_stopped());
    account.now += SECOND;
    account.answer_created("s1");
    account.expect(Method::Delete, "/v1.0/subscriptions/s1");
    account.answer(404, &Value::Null);
    assert!(account.push.is_stopped());
}
