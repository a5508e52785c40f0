use super::*;

#[allow(clippy::disallowed_methods, reason = "an instant cannot be made otherwise; the tests only add to it")]
fn start() -> Instant {
    Instant::now()
}

fn governor(per_second: u32) -> Governor {
    Governor::new(NonZeroU32::new(per_second).expect("not zero"), 1)
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Sends as much as it may for so long, looking every millisecond.
fn greedy(governor: &mut Governor, from: Instant, milliseconds: u64) -> Vec<Instant> {
    let mut sent = Vec::new();
    for at in 0..milliseconds {
        let now = from + ms(at);
        while governor.gate(now) == Gate::Open {
            let pass = governor.sent(now);
            governor.succeeded(pass);
            sent.push(now);
        }
    }
    sent
}

#[test]
fn in_no_second_more_than_the_rate_is_sent() {
    for rate in [1, 2, 30, 300] {
        let mut governor = governor(rate);
        let sent = greedy(&mut governor, start(), 10_000);
        let most = sent.iter().enumerate().map(|(at, first)| {
            sent[at..].iter().take_while(|other| other.duration_since(*first) <= Duration::from_secs(1)).count()
        });
        assert_eq!(most.max(), Some(rate as usize), "and it is used");
        assert!(sent.len() >= rate as usize * 9, "{} at {rate}", sent.len());
    }
}

#[test]
fn the_rate_says_when_the_next_may_go() {
    let (mut governor, now) = (governor(2), start());
    governor.sent(now);
    governor.sent(now + ms(400));
    assert_eq!(governor.gate(now + ms(500)), Gate::At(now + WINDOW));
    assert_eq!(governor.gate(now + WINDOW), Gate::Open);
}

#[test]
fn retry_after_is_waited_for_in_full_with_jitter_on_top_and_then_one_asks_first() {
    let (mut governor, now) = (governor(30), start());
    let pass = governor.sent(now);
    governor.throttled(now, pass, Some(ms(2_128)));
    let Gate::Shut(until) = governor.gate(now) else { panic!("shut") };
    assert!(until >= now + ms(2_128) && until <= now + ms(3_128), "{:?}", until - now);
    assert_eq!(governor.gate(until - ms(1)), Gate::Shut(until));
    assert_eq!(governor.gate(until), Gate::Probe);
    let probe = governor.sent(until);
    assert_eq!((probe, governor.gate(until)), (Pass::Probe, Gate::Probing));
    assert!(governor.succeeded(probe));
    assert_eq!(governor.gate(until), Gate::Open);
}

#[test]
fn a_longer_retry_after_of_a_request_under_way_holds_and_a_shorter_one_does_not() {
    let (mut governor, now) = (governor(30), start());
    let passes: Vec<Pass> = (0..3).map(|_| governor.sent(now)).collect();
    governor.throttled(now, passes[0], Some(ms(10_000)));
    let Gate::Shut(until) = governor.gate(now) else { panic!("shut") };
    governor.throttled(now, passes[1], Some(ms(1_000)));
    assert_eq!(governor.gate(now), Gate::Shut(until));
    governor.throttled(now, passes[2], Some(ms(60_000)));
    assert_eq!(governor.gate(now), Gate::Shut(now + ms(60_000)));
    assert!(!governor.succeeded(Pass::Ordinary), "an older success opens nothing");
    assert_eq!(governor.gate(now), Gate::Shut(now + ms(60_000)));
}

#[test]
fn no_retry_after_is_longer_than_a_day() {
    let (mut governor, now) = (governor(30), start());
    governor.throttled(now, Pass::Ordinary, Some(Duration::MAX));
    assert!(matches!(governor.gate(now), Gate::Shut(until) if until <= now + LONGEST_RETRY_AFTER + SHORT.0));
}

#[test]
fn the_fifth_failure_in_a_row_opens_the_breaker_and_a_success_between_does_not() {
    let (mut governor, now) = (governor(30), start());
    for _ in 0..4 {
        governor.failed(now, Pass::Ordinary, None);
    }
    governor.succeeded(Pass::Ordinary);
    for _ in 0..4 {
        governor.failed(now, Pass::Ordinary, None);
        assert_eq!(governor.gate(now), Gate::Open);
    }
    governor.failed(now, Pass::Ordinary, None);
    assert!(matches!(governor.gate(now), Gate::Shut(_)));
}

#[test]
fn probes_come_one_by_one_and_the_steps_double_to_five_minutes() {
    let (mut governor, mut now) = (governor(30), start());
    for _ in 0..FAILURES {
        governor.failed(now, Pass::Ordinary, None);
    }
    let mut waits = Vec::new();
    for _ in 0..12 {
        let Gate::Shut(until) = governor.gate(now) else { panic!("shut") };
        waits.push(until - now);
        now = until;
        let probe = governor.sent(now);
        assert_eq!((probe, governor.gate(now)), (Pass::Probe, Gate::Probing));
        governor.failed(now, probe, None);
    }
    for (step, wait) in waits.iter().enumerate() {
        let step = (SHORT.0 * (1 << step.min(20))).min(SHORT.1);
        assert!(*wait >= step / 2 && *wait <= step, "{wait:?} of {step:?}");
    }
    assert!(waits.last().is_some_and(|last| *last >= SHORT.1 / 2));
}

#[test]
fn a_403_waits_a_quarter_of_an_hour_and_longer_each_time_to_eight_hours() {
    let (mut governor, mut now) = (governor(30), start());
    governor.forbidden(now, Pass::Ordinary);
    let Gate::Shut(first) = governor.gate(now) else { panic!("shut") };
    governor.forbidden(now, Pass::Ordinary);
    assert_eq!(governor.gate(now), Gate::Shut(first), "others that were under way count once");
    for step in 0_u32..8 {
        let Gate::Shut(until) = governor.gate(now) else { panic!("shut") };
        let expected = (LONG.0 * (1 << step)).min(LONG.1);
        assert!(until - now >= expected && until - now <= expected * 11 / 10, "{:?}", until - now);
        now = until;
        let probe = governor.sent(now);
        governor.forbidden(now, probe);
    }
}

#[test]
fn a_probe_that_decides_nothing_is_sent_again() {
    let (mut governor, now) = (governor(30), start());
    governor.throttled(now, Pass::Ordinary, Some(ms(0)));
    let later = now + ms(2_000);
    let probe = governor.sent(later);
    governor.undecided(later, probe);
    assert_eq!(governor.gate(later), Gate::Probe);
}
