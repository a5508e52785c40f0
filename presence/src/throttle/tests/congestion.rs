//! A pool that cannot keep up.

use super::*;

fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The moments at which the tokens of so many seconds are granted.
fn grants(throttle: &mut Throttle<u32>, from: Instant, seconds: u64) -> Vec<Instant> {
    for key in 0..20_000 {
        throttle.request(from, key, TokenClass::New);
    }
    let mut times = vec![from; drain(throttle, from).len()];
    while let Some(at) = throttle.poll_timeout().filter(|at| *at < from + Duration::from_secs(seconds)) {
        throttle.handle_timeout(at);
        times.extend(drain(throttle, at).iter().map(|_| at));
    }
    times
}

#[test]
fn a_congestion_takes_three_tenths_of_the_rate_and_a_second_one_of_what_is_left() {
    let start = crate::test_clock::start();
    let mut throttle = Throttle::<u32>::new(rate(15));
    assert_eq!((throttle.rate(), throttle.is_lowered()), (15.0, false));
    throttle.congested(start);
    assert!((throttle.rate() - 10.5).abs() < 1e-9 && throttle.is_lowered());
    throttle.congested(start + milliseconds(500));
    assert!((throttle.rate() - 7.35).abs() < 1e-9);
    assert_eq!(throttle.configured_rate(), rate(15));
    assert_eq!(
        grants(&mut throttle, start + milliseconds(600), 1).len(),
        5,
        "one every 1.010 s / 7.35, after the hold"
    );
}

#[test]
fn what_is_said_again_within_half_a_second_is_the_same_congestion() {
    let start = crate::test_clock::start();
    let mut throttle = Throttle::<u32>::new(rate(10));
    for later in 0..500 {
        throttle.congested(start + milliseconds(later));
    }
    assert!((throttle.rate() - 7.0).abs() < 1e-9);
}

#[test]
fn nothing_is_granted_for_half_a_second_after_a_congestion() {
    let start = crate::test_clock::start();
    let mut throttle = Throttle::<u32>::new(rate(10));
    throttle.congested(start);
    let times = grants(&mut throttle, start + milliseconds(1), 2);
    assert_eq!(times.first(), Some(&(start + milliseconds(500))), "not even the first one ever");
    throttle.congested(start + milliseconds(3_000));
    let held = throttle.poll_timeout().expect("many wait");
    assert_eq!(held, start + milliseconds(3_500));
    throttle.handle_timeout(held - milliseconds(1));
    assert_eq!(throttle.poll_granted(), None);
}

#[test]
fn every_accepted_agent_gives_back_a_300th_of_the_configured_rate_and_never_more_than_that_rate() {
    let start = crate::test_clock::start();
    let mut throttle = Throttle::<u32>::new(rate(15));
    throttle.congested(start);
    throttle.relieved(start, 1);
    assert!((throttle.rate() - 10.55).abs() < 1e-9);
    throttle.relieved(start, 88);
    assert!((throttle.rate() - 14.95).abs() < 1e-9 && throttle.is_lowered());
    throttle.relieved(start, 2);
    assert_eq!((throttle.rate(), throttle.is_lowered()), (15.0, false));
    throttle.relieved(start, u32::MAX);
    assert_eq!(throttle.rate(), 15.0);
}

#[test]
fn however_congested_the_pool_is_one_token_is_granted_every_five_seconds() {
    let start = crate::test_clock::start();
    for per_second in [1, 15, 20_000] {
        let mut throttle = Throttle::<u32>::new(rate(per_second));
        for second in 0..1_000 {
            throttle.congested(start + Duration::from_secs(second));
        }
        assert_eq!(throttle.rate(), 0.2);
        (0..100).for_each(|key| throttle.request(start + Duration::from_secs(1_000), key, TokenClass::New));
        let mut granted = drain(&mut throttle, start + Duration::from_secs(1_000)).len();
        for second in 1_000..1_060 {
            let now = start + Duration::from_secs(second);
            throttle.congested(now);
            throttle.handle_timeout(now + milliseconds(999));
            granted += drain(&mut throttle, now + milliseconds(999)).len();
        }
        assert!((11..=25).contains(&granted), "{per_second}: {granted}");
        throttle.relieved(start + Duration::from_secs(3_000), 300);
        assert!(!throttle.is_lowered());
    }
}

#[test]
fn a_lowered_rate_is_kept_and_the_end_is_predicted_by_it() {
    let start = crate::test_clock::start();
    let mut throttle = Throttle::<u32>::new(rate(10));
    throttle.congested(start);
    for key in 0..8 {
        throttle.request(start, key, TokenClass::New);
    }
    let predicted = throttle.predicted_end(start).expect("they wait");
    let mut end = start;
    while let Some(at) = throttle.poll_timeout() {
        throttle.handle_timeout(at);
        drain(&mut throttle, at);
        end = at;
    }
    assert!(end.max(predicted) - end.min(predicted) < milliseconds(5), "a second of calm makes it a little faster");
    assert!((end - start).abs_diff(milliseconds(500 + 1_010)) < milliseconds(5), "{:?}", end - start);
}

#[test]
fn a_second_without_a_congestion_counts_as_an_accepted_agent_so_that_no_rate_stays_low_for_ever() {
    let start = crate::test_clock::start();
    let mut throttle = Throttle::<u32>::new(rate(15));
    for second in 0..60 {
        throttle.congested(start + Duration::from_secs(second));
    }
    let lowest = throttle.rate();
    throttle.handle_timeout(start + Duration::from_secs(59 + 100));
    assert!((throttle.rate() - lowest - 5.0).abs() < 1e-9, "{}", throttle.rate());
    throttle.handle_timeout(start + Duration::from_secs(59 + 300));
    assert!(!throttle.is_lowered());
}
