//! Whose notifications are taken, and what is made of them.

use super::*;

#[test]
fn a_notification_of_ours_is_a_hint_to_ask_for_that_user() {
    let mut account = Account::listening(2);
    assert!(account.push.noticed(account.now, &account.notice("s1", 1)));
    account.drain();
    assert_eq!(account.effects, [PushEffect::Fetch(user(0))]);
    assert_eq!(account.push.view().notices, 1);
}

#[test]
fn a_notification_with_a_wrong_state_subscription_tenant_or_user_is_dropped() {
    let mut account = Account::listening(2);
    let right = account.notice("s1", 1);
    let wrong = [
        Notice { client_state: None, ..right.clone() },
        Notice { client_state: Some(String::new()), ..right.clone() },
        account.notice("s1", 2),
        Notice { subscription: "s2".to_owned(), ..right.clone() },
        Notice { tenant: Some("00000000-6d4d-4958-8b9f-9d6445542f95".to_owned()), ..right.clone() },
        Notice { tenant: Some("x".to_owned()), ..right.clone() },
        Notice { user: Some(user(2)), ..right.clone() },
        Notice { user: None, ..right.clone() },
        Notice { client_state: None, lifecycle: Some(Lifecycle::SubscriptionRemoved), ..right.clone() },
    ];
    for notice in &wrong {
        assert!(!account.push.noticed(account.now, notice), "{notice:?}");
    }
    account.drain();
    assert_eq!((account.effects.as_slice(), account.state()), (&[][..], PushState::Listening));
    assert_eq!(account.push.view().notices, 0);
    let spelt = Notice { tenant: Some(TENANT.to_ascii_uppercase()), subscription: "S1".to_owned(), ..right.clone() };
    assert!(account.push.noticed(account.now, &spelt));
    assert!(account.push.noticed(account.now, &Notice { tenant: None, ..right }));
}

#[test]
fn a_notification_may_be_faster_than_the_answer_with_the_subscriptions_id() {
    let mut account = Account::of(1);
    account.expect(Method::Get, "/v1.0/subscriptions");
    account.answer(200, &json!({"value": []}));
    assert!(!account.push.noticed(account.now, &account.notice("s1", 1)));
    account.expect(Method::Post, "/v1.0/subscriptions");
    assert!(account.push.noticed(account.now, &account.notice("whatever", 1)));
    assert!(!account.push.noticed(account.now, &account.notice("whatever", 2)));
    account.answer_created("s1");
    assert!(!account.push.noticed(account.now, &account.notice("whatever", 1)));
}

#[test]
fn a_tenant_that_is_configured_by_its_domain_is_not_compared() {
    let mut account = Account::of(1);
    let settings = NotificationSettings { url: URL.to_owned(), key: [7; 32] };
    account.push = Push::new(account.now, "contoso.example".into(), "push-1".into(), settings, 1);
    account.push.assign(account.now, user(0));
    account.push.set_usable(account.now, true);
    account.expect(Method::Get, "/v1.0/subscriptions");
    account.answer(200, &json!({"value": []}));
    account.expect(Method::Post, "/v1.0/subscriptions");
    account.answer_created("s1");
    assert!(account.push.noticed(account.now, &account.notice("s1", 1)));
}

/// Three changes that the sweep finds and nobody tells, until they are missed.
fn miss_three(account: &mut Account) {
    for number in 0..3 {
        account.push.found(account.now, user(number), false);
    }
    assert!(account.request_within(90 * SECOND).is_none());
}

#[test]
fn a_silent_subscription_is_deaf_after_three_changes_and_is_made_anew_after_two_sweeps() {
    let mut account = Account::listening(3);
    account.now += MINUTE;
    miss_three(&mut account);
    assert_eq!((account.state(), account.push.is_listening(user(0))), (PushState::Deaf, false));
    assert_eq!((account.push.view().missed, account.last_failure()), (3, None));
    let deaf_at = account.now;
    account.expect(Method::Delete, "/v1.0/subscriptions/s1");
    assert_eq!(account.now - deaf_at, 10 * SECOND);
    account.answer(204, &Value::Null);
    account.expect(Method::Post, "/v1.0/subscriptions");
    account.answer_created("s2");
    assert!(account.push.is_listening(user(0)) && account.was_polled());
}

#[test]
fn one_that_stays_deaf_is_made_anew_after_15_minutes_to_8_hours_and_renewed_meanwhile() {
    let mut account = Account::listening(3);
    let mut id = "s1".to_owned();
    for (round, minutes) in [0, 15, 30, 60, 120].into_iter().enumerate() {
        account.now += MINUTE;
        account.push.handle_timeout(account.now);
        for number in 0..3 {
            account.push.found(account.now, user(number), false);
        }
        let deaf_by = account.now + 90 * SECOND;
        let mut renewals = 0;
        let request = loop {
            let request = account.request_within(9 * HOUR).expect("a request");
            if request.method != Method::Patch {
                break request;
            }
            renewals += 1;
            assert_eq!(account.state(), PushState::Deaf, "renewed though deaf");
            account.answer_created(&id);
        };
        assert_eq!(request.method, Method::Delete);
        let waited = account.now - deaf_by;
        let least = if minutes == 0 { 10 * SECOND } else { minutes * MINUTE };
        assert!((least..=least + least / 4).contains(&waited), "round {round}: {waited:?}");
        assert_eq!(renewals > 0, minutes >= 60, "round {round}");
        account.answer(204, &Value::Null);
        account.expect(Method::Post, "/v1.0/subscriptions");
        id = format!("s{}", round + 2);
        account.answer_created(&id);
    }
}

#[test]
fn a_deaf_one_that_tells_again_is_trusted_again() {
    let mut account = Account::listening(3);
    account.now += MINUTE;
    miss_three(&mut account);
    assert_eq!(account.state(), PushState::Deaf);
    for number in 0..3 {
        let notice = Notice { user: Some(user(number)), ..account.notice("s1", 1) };
        assert!(account.push.noticed(account.now, &notice));
        account.push.found(account.now + SECOND, user(number), true);
    }
    assert!(account.push.is_listening(user(0)));
    account.expect_nothing_for(30 * MINUTE);
}

#[test]
fn changes_that_are_told_in_time_and_those_of_others_make_nobody_deaf() {
    let mut account = Account::listening(3);
    account.now += MINUTE;
    account.push.assign(account.now, user(9));
    for round in 0..20 {
        // The sweep is faster than the notification, and the other way round.
        account.push.found(account.now, user(1), false);
        account.now += Duration::from_millis(300);
        let notice = Notice { user: Some(user(1)), ..account.notice("s1", 1) };
        assert!(account.push.noticed(account.now, &notice));
        assert!(account.push.noticed(account.now, &account.notice("s1", 1)));
        account.push.found(account.now, user(0), round % 2 == 0);
        // Not in this subscription yet, and nobody's.
        account.push.found(account.now, user(9), false);
        account.push.found(account.now, user(99), false);
    }
    account.drain();
    let view = account.push.view();
    assert_eq!((view.missed, view.state), (0, PushState::Listening));
}
