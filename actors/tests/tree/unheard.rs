//! Dialogs that the pool has and says nothing of, and dialogs that it has ended and said nothing of.

use presence_core::{Freshness, SampleOutcome, SubscriptionState};
use presence_simulator::Faults;

use crate::support::{Ledger, Recorder, agent, in_virtual_time, pass, provider_with, seconds};

const AGENTS: usize = 20;

#[test]
fn an_agent_whose_first_notify_is_lost_is_subscribed_once_all_the_same() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(AGENTS, |_| {});
        pool.fault(&agent(3), Faults { no_notify: true, ..Faults::default() });
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=AGENTS);
        pass(seconds(50)).await;
        let view = provider.observe().await.unwrap();
        let of =
            |number: usize| view.agents().find(|it| it.uri == agent(number)).unwrap().subscription.clone().unwrap();
        assert_eq!((of(3).state, of(4).state), (SubscriptionState::BackingOff, SubscriptionState::Active));
        pool.heal();
        pass(seconds(1_000)).await;
        let mut ledger = Ledger::default();
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        let counters = pool.counters();
        assert_eq!(counters.by_agent.values().copied().collect::<Vec<_>>(), vec![1; AGENTS]);
        assert_eq!(counters.most_for_one_agent, 1, "at no moment two");
    });
}

#[test]
fn an_agent_whom_nobody_wants_while_his_pool_says_nothing_of_him_leaves_nothing_behind() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(AGENTS, |_| {});
        pool.fault(&agent(3), Faults { no_notify: true, ..Faults::default() });
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=AGENTS);
        pass(seconds(50)).await;
        assert_eq!(pool.counters().by_agent.values().sum::<usize>(), AGENTS);
        ucc.unsubscribe(&agent(3));
        pass(seconds(5)).await;
        assert_eq!(pool.counters().by_agent.values().sum::<usize>(), AGENTS - 1);
    });
}

/// Nobody changes, so that no comparison of values can find it.
#[test]
fn dialogs_that_the_pool_ended_after_they_were_adopted_are_found_one_in_each_interval() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(AGENTS, |setup| setup.sample_interval = Some(seconds(10)));
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=AGENTS);
        pass(seconds(9)).await;
        pool.drop_connections();
        pass(seconds(20)).await;
        let adopted = pool.counters();
        assert_eq!((adopted.by_agent.len(), adopted.most_for_one_agent), (AGENTS, 1));
        assert_eq!(pool.with(|server, _| server.forget_dialogs()), AGENTS);
        pass(seconds(35 + 10 * 20 + 10)).await;
        let counters = pool.counters();
        assert_eq!(counters.by_agent.values().copied().collect::<Vec<_>>(), vec![1; AGENTS]);
        assert_eq!(counters.most_for_one_agent, 1, "at no moment two");
        let mut ledger = Ledger::default();
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        let read = provider.meters().read();
        assert_eq!(read.silent_losses, 0, "{read:?}");
        assert_eq!(counters.subscribes - adopted.subscribes, AGENTS as u64, "a new dialog for each");
        // And then samples as before.
        let before = read.samples[&SampleOutcome::Same];
        pass(seconds(200)).await;
        assert_eq!(provider.meters().read().samples[&SampleOutcome::Same] - before, 20);
    });
}
