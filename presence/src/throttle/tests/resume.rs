//! After an earlier process.

use super::*;

#[test]
fn nothing_is_granted_in_the_second_after_the_last_that_may_have_been_sent() {
    for per_second in [1, 15, 200, 1_000] {
        let start = crate::test_clock::start();
        let mut throttle = Throttle::new(rate(per_second));
        throttle.resume(start, start, None);
        throttle.request(start, 0, TokenClass::Refresh);
        assert_eq!(drain(&mut throttle, start), [0; 0]);
        let first = throttle.poll_timeout().expect("one waits");
        assert!(first - start >= Duration::from_millis(1_010), "{per_second}: {:?}", first - start);
        throttle.handle_timeout(first);
        assert_eq!(drain(&mut throttle, first), [0]);
    }
}

#[test]
fn a_second_that_is_over_is_not_waited_for() {
    let start = crate::test_clock::start();
    let mut throttle = Throttle::new(rate(15));
    let now = start + Duration::from_secs(2);
    throttle.resume(now, start, None);
    throttle.request(now, 0, TokenClass::New);
    assert_eq!(drain(&mut throttle, now), [0]);
}

#[test]
fn a_lowered_rate_is_gone_on_with_and_rises_as_it_would_have() {
    let start = crate::test_clock::start();
    let resumed = |rate_before| {
        let mut throttle = Throttle::<u32>::new(rate(15));
        throttle.resume(start, start, Some(rate_before));
        throttle
    };
    let mut throttle = resumed(3.0);
    assert!(throttle.is_lowered() && (throttle.rate() - 3.0).abs() < 1e-9);
    throttle.relieved(start, 300);
    assert!(!throttle.is_lowered());
    for senseless in [f64::NAN, f64::INFINITY, 99.0] {
        assert!(!resumed(senseless).is_lowered(), "{senseless}");
    }
    for too_slow in [0.0, -5.0] {
        assert!((resumed(too_slow).rate() - 0.2).abs() < 1e-9, "{too_slow}");
    }
}
