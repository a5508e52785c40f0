//! How long the machines take: `cargo bench -p presence-core`.
#![allow(missing_docs, reason = "the benchmarks say what they are by their names")]

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use presence_core::{
    Attempt, Availability, EndpointKind, LastKnown, MatchRules, Order, Publication, RecoveryOrder, RetryPolicy,
    SourceKind, Standing, Status, Subscription, SubscriptionInput, SubscriptionPolicy, Throttle, Ticket, TokenClass,
};

fn main() {
    divan::main();
}

#[allow(clippy::disallowed_methods, reason = "an instant to count from")]
fn start() -> Instant {
    Instant::now()
}

fn drain(machine: &mut Subscription) {
    while let Some(effect) = machine.poll_effect() {
        black_box(effect);
    }
    black_box(machine.poll_timeout());
}

fn feed(machine: &mut Subscription, now: Instant, input: SubscriptionInput) {
    machine.handle(now, input);
    drain(machine);
}

fn subscription(now: Instant) -> Subscription {
    let endpoints = EndpointKind::ALL.into_iter().collect();
    let policy = SubscriptionPolicy { retry: RetryPolicy::default(), max_failures: 3, endpoints };
    let uri = "sip:user1@domain.com".parse().expect("valid");
    Subscription::new(now, uri, Arc::new(policy), None)
}

fn bring_up(machine: &mut Subscription, now: Instant) {
    feed(machine, now, SubscriptionInput::EndpointUp(EndpointKind::Application));
    feed(machine, now, SubscriptionInput::Wanted);
    feed(machine, now, SubscriptionInput::TokenGranted(Ticket(1)));
    feed(machine, now, SubscriptionInput::Accepted { attempt: Attempt(1), expires: Duration::from_secs(3_600) });
}

/// A NOTIFY with another status than the last one: one change.
#[divan::bench]
fn subscription_notified_with_a_change(bencher: Bencher) {
    let now = start();
    let mut machine = subscription(now);
    bring_up(&mut machine, now);
    let statuses = [Status::of(Availability::ONLINE), Status::of(Availability::BUSY).with_activity("on-the-phone")];
    let mut turn = 0;
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        turn ^= 1;
        let status = Some(statuses[turn].clone());
        feed(&mut machine, now, SubscriptionInput::Notified { attempt: Attempt(1), status, expires: None });
    });
}

/// A NOTIFY with the same status as the last one: no change.
#[divan::bench]
fn subscription_notified_with_a_repeat(bencher: Bencher) {
    let now = start();
    let mut machine = subscription(now);
    bring_up(&mut machine, now);
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        let status = Some(Status::of(Availability::ONLINE));
        feed(&mut machine, now, SubscriptionInput::Notified { attempt: Attempt(1), status, expires: None });
    });
}

/// From wanted to active: four inputs.
#[divan::bench]
fn subscription_from_wanted_to_active(bencher: Bencher) {
    let now = start();
    bencher.counter(ItemsCount::new(4_usize)).with_inputs(|| subscription(now)).bench_local_values(|mut machine| {
        bring_up(&mut machine, now);
        machine
    });
}

/// 10,000 requests are made and granted by a timer that is exactly in time.
#[divan::bench(args = [15, 1_000, 20_000])]
fn throttle_10_000_requests(bencher: Bencher, per_second: u32) {
    let now = start();
    bencher.counter(ItemsCount::new(10_000_usize)).bench_local(|| {
        let mut throttle = Throttle::new(NonZeroU32::new(per_second).expect("not zero"));
        for key in 0..10_000_u32 {
            throttle.request(now, key, TokenClass::New);
        }
        while let Some(due) = throttle.poll_timeout() {
            throttle.handle_timeout(due);
            while let Some(key) = throttle.poll_granted() {
                black_box(key);
                throttle.sent(due);
            }
        }
    });
}

/// 100,000 agents of 1,000 UCCs wait, and all of them are granted; every fourth turns out to be available.
#[divan::bench(sample_count = 5)]
fn recovery_order_100_000_waiting(bencher: Bencher) {
    const AGENTS: u32 = 100_000;
    let now = start();
    let uccs = |agent: u32| -> Box<[u32]> {
        // Small numbers are much more often wanted than large ones.
        (0..=agent % 5).map(|turn| 1_000 / (1 + agent.wrapping_mul(2_654_435_761 + turn) % 1_000)).collect()
    };
    let stand = |order: &mut RecoveryOrder<(u32, ())>, agent, known| {
        order.stand(now, &agent, Standing { source: SourceKind::Ucma, uccs: uccs(agent), known });
    };
    let ready = || {
        let mut order = RecoveryOrder::new(now);
        for agent in 0..AGENTS {
            stand(&mut order, agent, LastKnown::Stale { available: agent % 4 == 0, confirmed: now });
            order.put(now, TokenClass::New, agent.into(), (agent, ()));
        }
        order
    };
    bencher.counter(ItemsCount::new(AGENTS as usize)).with_inputs(ready).bench_local_values(|mut order| {
        while let Some((agent, ())) = order.next(now) {
            stand(&mut order, agent, LastKnown::Fresh { available: agent % 4 == 1 });
        }
    });
}

#[divan::bench]
fn publication_observes_a_change(bencher: Bencher) {
    let now = start();
    let uri = "sip:user1@domain.com".parse().expect("valid");
    let mut publication = Publication::new(now, uri, SourceKind::Ucma);
    let mut turn = 0;
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        turn ^= 1;
        publication.observe(now, Status::of(Availability::new(3_500 + turn)))
    });
}

/// 200 patterns, of which the last one matches.
#[divan::bench]
fn rules_200_patterns(bencher: Bencher) {
    let mut patterns: Vec<String> = (0..199).map(|number| format!(r"@domain{number}\.com$")).collect();
    patterns.push(r"@workstreampeople\.com$".into());
    let references: Vec<&str> = patterns.iter().map(String::as_str).collect();
    let rules = MatchRules::compile(&references).expect("valid");
    let uri = "sip:example@workstreampeople.com".parse().expect("valid");
    bencher.bench_local(|| rules.first_match(black_box(&uri)));
}
