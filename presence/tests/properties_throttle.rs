//! What holds for the throttle whatever the schedule.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test that fails must say so at once")]

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use presence_core::{Throttle, TokenClass};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Event {
    Request(u8, usize),
    Cancel(usize),
    /// Waits this many microseconds past the timer, or as long if there is none.
    Timer(u64),
    Pause(u64),
    /// Twice this many microseconds in which nothing reaches the wire.
    Stall(u64),
    /// The pool could not keep up.
    Congested,
    /// The pool has accepted so many.
    Relieved(u32),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..4_u8, 1..60_usize).prop_map(|(class, count)| Event::Request(class, count)),
        1 => (0..50_usize).prop_map(Event::Cancel),
        8 => (0..20_000_u64).prop_map(Event::Timer),
        2 => (0..3_000_000_u64).prop_map(Event::Pause),
        2 => (0..450_000_u64).prop_map(Event::Stall),
        1 => Just(Event::Congested),
        2 => prop_oneof![1..40_u32, Just(u32::MAX)].prop_map(Event::Relieved),
    ]
}

#[allow(clippy::disallowed_methods, reason = "an instant to count from; the tests only add to it")]
fn start() -> Instant {
    Instant::now()
}

/// The most grants in any window of one second, both ends included.
fn fullest_window(grants: &[Instant]) -> usize {
    let mut first = 0;
    let mut fullest = 0;
    for (last, &at) in grants.iter().enumerate() {
        while at - grants[first] > Duration::from_secs(1) {
            first += 1;
        }
        fullest = fullest.max(last + 1 - first);
    }
    fullest
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_second_ever_holds_more_than_the_rate(
        rate in prop_oneof![1..30_u32, 190..260_u32, 1..20_000_u32],
        events in prop::collection::vec(event(), 1..200),
    ) {
        let mut now = start();
        let mut throttle = Throttle::new(NonZeroU32::new(rate).unwrap());
        let (mut next_key, mut granted, mut cancelled) = (0_usize, Vec::new(), Vec::new());
        let mut times = Vec::new();
        let mut held_until = now;
        let mut on_the_way = 0;
        let mut poll = |throttle: &mut Throttle<usize>, on_the_way: &mut usize| {
            while let Some(key) = throttle.poll_granted() {
                granted.push(key);
                *on_the_way += 1;
            }
        };
        // What is on its way reaches the wire, and what that sets free too.
        let mut collect = |throttle: &mut Throttle<usize>, now: Instant, on_the_way: &mut usize| {
            poll(throttle, on_the_way);
            let sent_before = times.len();
            while *on_the_way > 0 {
                *on_the_way -= 1;
                times.push(now);
                throttle.sent(now);
                poll(throttle, on_the_way);
            }
            times.len() - sent_before
        };
        for event in events {
            match event {
                Event::Stall(length) => {
                    // The process is busy: the timer fires late and nothing reaches the wire meanwhile.
                    throttle.handle_timeout(now);
                    now += Duration::from_micros(length);
                    throttle.handle_timeout(now);
                    now += Duration::from_micros(length);
                }
                Event::Congested => {
                    let before = throttle.rate();
                    throttle.congested(now);
                    prop_assert!(throttle.rate() <= before && throttle.rate() >= 0.2);
                    prop_assert_eq!(throttle.poll_granted(), None, "granted to a pool that cannot keep up");
                    held_until = if held_until <= now { now + Duration::from_millis(500) } else { held_until };
                }
                Event::Relieved(agents) => {
                    let before = throttle.rate();
                    throttle.relieved(now, agents);
                    prop_assert!(throttle.rate() >= before && throttle.rate() <= f64::from(rate));
                }
                Event::Request(class, count) => {
                    for _ in 0..count {
                        throttle.request(now, next_key, TokenClass::ALL[usize::from(class)]);
                        next_key += 1;
                    }
                }
                Event::Cancel(key) => {
                    if throttle.cancel(now, &key) {
                        cancelled.push(key);
                    }
                }
                Event::Timer(late) => {
                    now = throttle.poll_timeout().unwrap_or(now).max(now) + Duration::from_micros(late);
                    throttle.handle_timeout(now);
                }
                Event::Pause(length) => {
                    now += Duration::from_micros(length);
                    throttle.handle_timeout(now);
                }
            }
            let sent = collect(&mut throttle, now, &mut on_the_way);
            prop_assert!(now >= held_until || sent == 0, "granted within half a second after a congestion");
        }
        // A busy second and a half with a timer that is always a little late.
        for _ in 0..1_500 {
            throttle.request(now, next_key, TokenClass::New);
            next_key += 1;
            now += Duration::from_micros(1_050);
            throttle.handle_timeout(now);
            collect(&mut throttle, now, &mut on_the_way);
        }
        while let Some(due) = throttle.poll_timeout() {
            now = due.max(now);
            throttle.handle_timeout(now);
            collect(&mut throttle, now, &mut on_the_way);
        }
        prop_assert!(fullest_window(&times) <= rate as usize, "{} at {rate}", fullest_window(&times));

        granted.extend(&cancelled);
        granted.sort_unstable();
        prop_assert!(granted.iter().copied().eq(0..next_key), "every request is granted or cancelled, once");
    }
}

#[test]
fn the_window_is_measured_with_both_ends() {
    let at = start();
    let second = at + Duration::from_secs(1);
    assert_eq!(fullest_window(&[at, second]), 2);
    assert_eq!(fullest_window(&[at, second + Duration::from_nanos(1)]), 1);
}
