//! The throttle, by sentence.

mod congestion;
mod resume;
mod slow_start;

use super::*;

fn rate(per_second: u32) -> NonZeroU32 {
    NonZeroU32::new(per_second).expect("not zero")
}

/// Polls all that is granted, and has it reach the wire at once.
fn drain<K: Ord + Clone>(throttle: &mut Throttle<K>, now: Instant) -> Vec<K> {
    let next = || {
        let key = throttle.poll_granted()?;
        throttle.sent(now);
        Some(key)
    };
    std::iter::from_fn(next).collect()
}

#[test]
fn the_first_token_is_granted_at_once_and_the_next_one_interval_later() {
    let start = crate::test_clock::start();
    let mut throttle = Throttle::new(rate(10));
    for key in 0..3 {
        throttle.request(start, key, TokenClass::New);
    }
    assert_eq!(drain(&mut throttle, start), [0]);
    let next = throttle.poll_timeout().expect("two wait");
    assert_eq!(next - start, Duration::from_millis(101));
    throttle.handle_timeout(next - Duration::from_nanos(1));
    assert_eq!(drain(&mut throttle, next), [0; 0]);
    throttle.handle_timeout(next);
    assert_eq!(drain(&mut throttle, next), [1]);
}

#[test]
fn idle_time_is_not_saved_up_for_a_burst() {
    let start = crate::test_clock::start();
    let mut throttle = Throttle::new(rate(15));
    throttle.request(start, 0, TokenClass::New);
    assert_eq!(drain(&mut throttle, start), [0]);
    let later = start + Duration::from_secs(3_600);
    for key in 1..9 {
        throttle.request(later, key, TokenClass::New);
    }
    assert_eq!(drain(&mut throttle, later), [1]);
}

#[test]
fn classes_are_served_by_urgency_and_each_in_order() {
    let start = crate::test_clock::start();
    let mut throttle = Throttle::new(rate(1));
    throttle.request(start, "taken", TokenClass::Retry);
    let order = [
        ("retry 1", TokenClass::Retry),
        ("new 1", TokenClass::New),
        ("refresh 1", TokenClass::Refresh),
        ("new 2", TokenClass::New),
        ("release 1", TokenClass::Release),
        ("refresh 2", TokenClass::Refresh),
    ];
    for (key, class) in order {
        throttle.request(start, key, class);
    }
    assert_eq!(throttle.waiting(), 6);
    assert_eq!(TokenClass::ALL.map(|class| throttle.waiting_in(class)), [2, 1, 2, 1, 0]);
    let mut served = drain(&mut throttle, start);
    while let Some(at) = throttle.poll_timeout() {
        throttle.handle_timeout(at);
        served.extend(drain(&mut throttle, at));
    }
    assert_eq!(served, ["taken", "refresh 1", "refresh 2", "release 1", "new 1", "new 2", "retry 1"]);
}

#[test]
fn a_cancelled_request_leaves_no_token_behind() {
    let start = crate::test_clock::start();
    let mut throttle = Throttle::new(rate(1));
    throttle.request(start, "granted, not polled", TokenClass::New);
    throttle.request(start, "waiting", TokenClass::New);
    throttle.request(start, "last", TokenClass::New);
    assert!(throttle.cancel(start, &"granted, not polled"));
    assert!(throttle.cancel(start, &"waiting"));
    assert!(!throttle.cancel(start, &"waiting"));
    assert!(!throttle.cancel(start, &"never asked"));
    assert_eq!(drain(&mut throttle, start), [""; 0]);
    let at = throttle.poll_timeout().expect("one waits");
    throttle.handle_timeout(at);
    assert_eq!(drain(&mut throttle, at), ["last"]);
    assert_eq!((throttle.poll_timeout(), throttle.waiting()), (None, 0));
}

#[test]
fn a_second_request_of_the_same_key_keeps_one_place_in_the_more_urgent_class() {
    let start = crate::test_clock::start();
    let mut throttle = Throttle::new(rate(1));
    throttle.request(start, "taken", TokenClass::New);
    throttle.request(start, "a", TokenClass::Retry);
    throttle.request(start, "b", TokenClass::New);
    throttle.request(start, "a", TokenClass::Refresh);
    throttle.request(start, "a", TokenClass::Retry);
    assert_eq!(throttle.waiting(), 2);
    let mut served = drain(&mut throttle, start);
    while let Some(at) = throttle.poll_timeout() {
        throttle.handle_timeout(at);
        served.extend(drain(&mut throttle, at));
    }
    assert_eq!(served, ["taken", "a", "b"]);
}

#[test]
fn who_is_sampled_does_not_wait_to_be_put_on_the_wire() {
    let start = crate::test_clock::start();
    let mut throttle = Throttle::new(rate(1));
    for key in 0..3 {
        throttle.request(start, key, TokenClass::Sample);
    }
    drain(&mut throttle, start);
    assert_eq!((throttle.waiting(), throttle.waiting_agents(), throttle.predicted_end(start)), (2, 0, None));
    for key in 10..13 {
        throttle.request(start, key, TokenClass::Retry);
    }
    assert_eq!((throttle.waiting(), throttle.waiting_agents()), (5, 3));
    let predicted = throttle.predicted_end(start).expect("three wait");
    let mut served = Vec::new();
    while throttle.waiting_agents() > 0 {
        let at = throttle.poll_timeout().expect("more wait");
        throttle.handle_timeout(at);
        served.extend(drain(&mut throttle, at));
        assert!(at <= predicted);
    }
    assert_eq!(served, [10, 11, 12]);
}

#[test]
fn the_end_is_predicted_exactly_when_nothing_more_comes() {
    let start = crate::test_clock::start();
    let mut throttle = Throttle::new(rate(15));
    assert_eq!(throttle.predicted_end(start), None);
    for key in 0..10_000 {
        throttle.request(start, key, TokenClass::New);
    }
    assert_eq!(drain(&mut throttle, start), [0]);
    let predicted = throttle.predicted_end(start).expect("many wait");
    let mut end = start;
    while let Some(at) = throttle.poll_timeout() {
        throttle.handle_timeout(at);
        drain(&mut throttle, at);
        end = at;
    }
    assert_eq!(predicted, end);
    assert_eq!(end - start, throttle.time_for(10_000));
    assert_eq!((throttle.time_for(0), throttle.time_for(1)), (Duration::ZERO, Duration::ZERO));
}

#[test]
fn a_high_rate_is_reached_although_timers_tick_in_milliseconds() {
    let start = crate::test_clock::start();
    for per_second in [250_u32, 10_000, 20_000] {
        let mut throttle = Throttle::new(rate(per_second));
        for key in 0..per_second * 3 {
            throttle.request(start, key, TokenClass::New);
        }
        let mut granted = 0;
        for millisecond in 0..2_000 {
            let now = start + Duration::from_millis(millisecond);
            throttle.handle_timeout(now);
            granted += drain(&mut throttle, now).len();
        }
        let expected = f64::from(per_second) * 2.0 / 1.01;
        assert!((granted as f64) > expected * 0.99, "{per_second}: {granted} of {expected}");
    }
}

#[test]
fn a_token_that_is_held_up_on_its_way_holds_up_the_next_one() {
    let start = crate::test_clock::start();
    let at = |milliseconds| start + Duration::from_millis(milliseconds);
    let mut throttle = Throttle::new(rate(10));
    for key in 0..3 {
        throttle.request(start, key, TokenClass::New);
    }
    assert_eq!(throttle.poll_granted(), Some(0));
    throttle.handle_timeout(at(300));
    assert_eq!(throttle.poll_granted(), None, "two must not reach the wire together");
    throttle.sent(at(300));
    assert_eq!((throttle.poll_granted(), throttle.poll_timeout()), (None, Some(at(401))));
    throttle.handle_timeout(at(401));
    assert_eq!(drain(&mut throttle, at(401)), [1]);
}

#[test]
fn a_token_of_which_nothing_more_is_heard_holds_the_others_up_for_a_second() {
    let start = crate::test_clock::start();
    let mut throttle = Throttle::new(rate(10));
    throttle.request(start, "lost", TokenClass::New);
    throttle.request(start, "next", TokenClass::New);
    assert_eq!(throttle.poll_granted(), Some("lost"));
    let patience = start + Duration::from_secs(1);
    assert_eq!(throttle.poll_timeout(), Some(patience));
    throttle.handle_timeout(patience);
    let due = throttle.poll_timeout().expect("one waits");
    throttle.handle_timeout(due);
    assert_eq!(drain(&mut throttle, due), ["next"]);
}
