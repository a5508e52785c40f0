//! Pools that stop notifying without a sign: found by samples, and mended.

use std::time::Duration;

use presence_actors::transport::memory;
use presence_actors::{MeterReadings, Occurrence, Provider, Setup};
use presence_core::{Availability, EndpointKind, Freshness, SampleOutcome, SubscriptionState};
use presence_simulator::{Activity, Faults};

use crate::support::{
    Ledger, Recorder, Ucc, VirtualPool, agent, endpoint, in_virtual_time, pass, provider_with, rules, seconds, settle,
};

const INTERVAL: Duration = seconds(10);
/// A difference is asked about again after 6 s; the end of the old dialog is waited for 10 s at most, the tokens a moment.
const MENDED_WITHIN: Duration = seconds(20);

/// So many agents that are watched and known, with a sample every ten seconds.
async fn known(agents: usize) -> (Provider, VirtualPool, Ucc, Ledger) {
    let (provider, pool) = provider_with(agents, |setup| setup.sample_interval = Some(INTERVAL));
    let ucc = Recorder::start(&provider, "ucc");
    ucc.subscribe_to(1..=agents);
    pass(seconds(9)).await;
    let mut ledger = Ledger::default();
    ledger.read(ucc.heard());
    ledger.assert_all(Freshness::Fresh);
    (provider, pool, ucc, ledger)
}

fn meters(provider: &Provider) -> MeterReadings {
    provider.meters().read()
}

/// What everybody believes is true, each has exactly one subscription, nobody is blamed, and the rate was kept.
async fn all_true(provider: &Provider, pool: &VirtualPool, ledger: &Ledger, agents: usize) {
    ledger.assert_all(Freshness::Fresh);
    for number in 1..=agents {
        let state = pool.with(|server, _| server.presence(&agent(number))).unwrap();
        let expected = if state.activity == Activity::Busy { Availability::BUSY } else { Availability::ONLINE };
        assert_eq!(ledger.presence(&agent(number)).status.availability, expected, "agent {number}");
    }
    let view = provider.observe().await.unwrap();
    for agent in view.agents() {
        let subscription = agent.subscription.as_ref().unwrap();
        assert_eq!((subscription.state, subscription.failures), (SubscriptionState::Active, 0), "{}", agent.uri);
    }
    let counters = pool.counters();
    assert_eq!(counters.by_agent.values().copied().collect::<Vec<_>>(), vec![1; agents]);
    assert_eq!(counters.most_for_one_agent, 1, "at no moment two");
    assert!(counters.busiest_second() <= 15, "queries count against the rate: {}", counters.busiest_second());
}

#[test]
fn one_agent_about_whom_the_pool_went_mute_is_found_within_as_many_intervals_as_there_are_agents() {
    in_virtual_time(|| async {
        let (provider, pool, ucc, mut ledger) = known(20).await;
        let mut observer = provider.occurrences();
        assert_eq!(pool.with(|server, _| server.mute(Some(&agent(7)))), 1);
        pool.set(7, Activity::Busy);
        pool.set(8, Activity::Busy);
        settle().await;
        ledger.read(ucc.heard());
        assert_eq!(ledger.presence(&agent(7)).status.availability, Availability::ONLINE, "nobody has said it");
        pass(INTERVAL * 20 + MENDED_WITHIN).await;
        ledger.read(ucc.heard());
        all_true(&provider, &pool, &ledger, 20).await;
        let read = meters(&provider);
        assert_eq!((read.silent_losses, read.samples[&SampleOutcome::Lost]), (1, 1));
        assert!(read.samples[&SampleOutcome::Same] >= 15, "{:?}", read.samples);
        let told: Vec<_> = std::iter::from_fn(|| observer.try_recv().ok())
            .filter_map(|told| match told {
                Occurrence::SilentLoss { uri, via, held, said, .. } => {
                    Some((uri, via, held.status.availability, said.status.availability))
                }
                _ => None,
            })
            .collect();
        let expected = (agent(7), EndpointKind::Application, Availability::ONLINE, Availability::BUSY);
        assert_eq!(told, [expected]);
        // It is told of changes again.
        pool.set(7, Activity::Available);
        settle().await;
        ledger.read(ucc.heard());
        assert_eq!(ledger.presence(&agent(7)).status.availability, Availability::ONLINE);
    });
}

#[test]
fn a_pool_that_went_mute_about_everybody_is_found_faster_and_faster_and_the_rate_holds() {
    in_virtual_time(|| async {
        let (provider, pool, ucc, mut ledger) = known(100).await;
        assert_eq!(pool.with(|server, _| server.mute(None)), 100);
        (1..=100).for_each(|number| pool.set(number, Activity::Busy));
        // At the calm rate it would be 1,000 s.
        pass(seconds(120)).await;
        ledger.read(ucc.heard());
        all_true(&provider, &pool, &ledger, 100).await;
        assert_eq!(meters(&provider).silent_losses, 100);
        // And calm again: one in ten seconds.
        pass(seconds(120)).await;
        let before = pool.counters().queries;
        pass(seconds(600)).await;
        assert_eq!(pool.counters().queries - before, 60);
    });
}

#[test]
fn a_pool_that_goes_mute_again_and_again_is_backed_off_from() {
    in_virtual_time(|| async {
        let (provider, pool, ucc, mut ledger) = known(1).await;
        for turn in 0..6 {
            pool.with(|server, _| server.mute(None));
            pool.set(1, if turn % 2 == 0 { Activity::Busy } else { Activity::Available });
            pass(seconds(30)).await;
        }
        let begun = pool.counters().subscribes;
        assert!(begun <= 4, "{begun} subscriptions in three minutes");
        pass(seconds(3_600)).await;
        ledger.read(ucc.heard());
        all_true(&provider, &pool, &ledger, 1).await;
    });
}

#[test]
fn a_pool_that_answers_no_queries_costs_nobody_anything() {
    in_virtual_time(|| async {
        let (provider, pool, ucc, mut ledger) = known(5).await;
        pool.fault_all(Faults { no_notify: true, ..Faults::default() });
        pass(seconds(600)).await;
        pool.heal();
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        let read = meters(&provider);
        assert_eq!(read.silent_losses, 0);
        assert!(read.samples[&SampleOutcome::Unanswered] >= 10, "{:?}", read.samples);
        all_true(&provider, &pool, &ledger, 5).await;
    });
}

#[test]
fn without_an_interval_nobody_is_asked_for() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(5, |_| {});
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=5);
        pass(seconds(3_000)).await;
        assert_eq!(pool.counters().queries, 0);
    });
}

/// A day, or as much of it as there is time for.
fn hours() -> u64 {
    if std::env::var_os("PP_LONG_TESTS").is_some() { 24 } else { 4 }
}

/// Agents move while they are sampled, what a query says is three seconds old when it comes, and the pool tells everything:
/// nothing is ever lost.
#[test]
fn no_sample_finds_a_loss_at_a_pool_that_tells_everything() {
    in_virtual_time(|| async {
        let (network, side) = memory::network();
        let pool = VirtualPool::start_moving(20, side, 42, Some(seconds(100)));
        let mut setup = Setup::new(rules(), vec![endpoint(EndpointKind::Application, network)]);
        setup.sample_interval = Some(INTERVAL);
        let provider = Provider::start(setup);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=20);
        pass(seconds(60)).await;
        pool.fault_all(Faults { delay: seconds(3), ..Faults::default() });
        let mut ledger = Ledger::default();
        let hours = hours();
        for _ in 0..hours {
            pass(seconds(3_600)).await;
            ledger.read(ucc.heard());
        }
        let read = meters(&provider);
        assert_eq!((read.silent_losses, read.samples[&SampleOutcome::Lost]), (0, 0), "{:?}", read.samples);
        let (same, void) = (read.samples[&SampleOutcome::Same], read.samples[&SampleOutcome::Void]);
        assert!(same > 300 * hours && void >= 2 * hours, "{:?}", read.samples);
        assert!(ledger.changes > 500 * hours, "{}", ledger.changes);
        assert_eq!(pool.counters().most_for_one_agent, 1);
    });
}
