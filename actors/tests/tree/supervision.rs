//! Actors that die of a bug are created again, and what they knew is not lost.

use std::cell::RefCell;
use std::rc::Rc;

use presence_actors::{PresenceEvent, Push};
use presence_core::{Availability, EndpointKind, Freshness, Status};
use presence_simulator::Activity;

use crate::support::{
    Ledger, Recorder, agent, errors, in_a_hurry, in_virtual_time, pass, provider_with, seconds, settle,
};

#[test]
fn an_agent_that_panics_is_created_again_and_its_watchers_hear_on() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(2, |_| {});
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=2);
        pass(seconds(1)).await;
        assert!(provider.drill_agent(agent(1)).await);
        assert!(!provider.drill_agent(agent(9)).await);
        pass(seconds(1)).await;
        pool.set(1, Activity::Busy);
        pool.set(2, Activity::Away);
        settle().await;
        let ledger = Ledger::of(ucc.heard());
        assert_eq!(ledger.presence(&agent(1)).status.availability, Availability::BUSY);
        assert_eq!(ledger.presence(&agent(2)).status.availability, Availability::AWAY);
        assert_eq!((pool.counters().most_for_one_agent, pool.subscriptions().len()), (1, 2));
        assert_eq!(pool.counters().subscribes, 2, "the dialog is taken over");
        assert_eq!(errors::take().len(), 1);
        ucc.unsubscribe(&agent(1));
        pass(seconds(1)).await;
        assert_eq!(pool.subscriptions().len(), 1, "and it can be ended");
    });
}

#[test]
fn an_agent_that_panics_in_any_state_of_its_life_is_created_again() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(1, |_| {});
        let slow = presence_simulator::Faults {
            delay: std::time::Duration::from_millis(200),
            ..presence_simulator::Faults::default()
        };
        pool.fault_all(slow);
        let ucc = Recorder::start(&provider, "ucc");
        for after in [0, 1, 100, 250, 350, 500, 5_000] {
            ucc.subscribe(&agent(1));
            pass(std::time::Duration::from_millis(after)).await;
            provider.drill_agent(agent(1)).await;
            pass(seconds(70)).await;
            assert_eq!(pool.subscriptions().len(), 1, "after {after} ms");
            ucc.unsubscribe(&agent(1));
            pass(std::time::Duration::from_millis(after / 2)).await;
            provider.drill_agent(agent(1)).await;
            pass(seconds(70)).await;
            assert_eq!(pool.subscriptions().len(), 0, "after {after} ms");
            assert_eq!(provider.observe().await.unwrap().agents().count(), 0, "after {after} ms");
        }
        assert_eq!(pool.counters().most_for_one_agent, 1);
        errors::take();
    });
}

#[test]
fn an_agent_that_keeps_dying_is_left_alone_for_an_hour_and_then_comes_back() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(2, |_| {});
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=2);
        pass(seconds(1)).await;
        for _ in 0..4 {
            assert!(provider.drill_agent(agent(1)).await);
            pass(seconds(1)).await;
        }
        assert!(!provider.drill_agent(agent(1)).await, "it is not there");
        assert_eq!(errors::take().len(), 4);
        let events = ucc.heard();
        assert!(matches!(events.last(), Some(PresenceEvent::Unserved { .. })), "{events:?}");
        let late = Recorder::start(&provider, "late");
        late.subscribe(&agent(1));
        settle().await;
        assert!(matches!(&late.heard()[..], [PresenceEvent::Unserved { .. }]));
        pool.set(1, Activity::Busy);
        pass(seconds(3_590)).await;
        let view = provider.observe().await.unwrap();
        assert_eq!(view.agents().filter(|agent| agent.quarantined_until.is_some()).count(), 1);
        pass(seconds(20)).await;
        let mut last = None;
        for event in ucc.heard().into_iter().chain(late.heard()) {
            if event.uri() == Some(&agent(1)) {
                last = event.presence().cloned();
            }
        }
        let last = last.unwrap();
        assert_eq!((last.status.availability, last.freshness), (Availability::BUSY, Freshness::Fresh));
        assert_eq!((pool.counters().most_for_one_agent, pool.subscriptions().len()), (1, 2));
        pool.set(1, Activity::Away);
        settle().await;
        assert_eq!((ucc.heard().len(), late.heard().len()), (1, 1), "both hear on");
    });
}

#[test]
fn an_endpoint_that_panics_is_created_again_and_its_agents_come_back() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(20, in_a_hurry);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=20);
        pass(seconds(2)).await;
        assert!(provider.drill_endpoint(EndpointKind::Application).await);
        assert!(!provider.drill_endpoint(EndpointKind::User).await);
        pass(seconds(10)).await;
        pool.set(3, Activity::Busy);
        settle().await;
        let ledger = Ledger::of(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        assert_eq!(ledger.presence(&agent(3)).status.availability, Availability::BUSY);
        assert_eq!(pool.subscriptions().len(), 20);
        assert_eq!(errors::take().len(), 1);
        assert!(provider.observe().await.unwrap().agents().all(|a| a.subscription.as_ref().unwrap().failures == 0));
    });
}

#[test]
fn an_endpoint_that_keeps_dying_ends_the_process() {
    in_virtual_time(|| async {
        let (provider, _pool) = provider_with(1, |_| {});
        let said = Rc::new(RefCell::new(None));
        let (fatal, to) = (provider.clone(), Rc::clone(&said));
        actix_rt::spawn(async move { *to.borrow_mut() = Some(fatal.fatal().await) });
        for _ in 0..5 {
            provider.drill_endpoint(EndpointKind::Application).await;
            pass(seconds(1)).await;
        }
        assert_eq!(*said.borrow(), None);
        provider.drill_endpoint(EndpointKind::Application).await;
        pass(seconds(1)).await;
        assert!(said.borrow().as_ref().is_some_and(|what| what.contains("application endpoint")), "{said:?}");
        errors::take();
    });
}

#[test]
fn a_line_and_a_pushed_agent_that_panic_still_know_what_they_knew() {
    in_virtual_time(|| async {
        let (provider, _pool) = provider_with(0, |_| {});
        let ucc = Recorder::start(&provider, "ucc");
        let line = "tel:+31612345678".parse().unwrap();
        let console: presence_core::AgentUri = "sip:reception@console.test".parse().unwrap();
        ucc.subscribe(&line);
        ucc.subscribe(&console);
        let status = Status::of(Availability::AWAY);
        provider.push(Push { uri: console.clone(), status, time_to_live: seconds(100) }).await.unwrap();
        let busy = line.clone();
        ucc.with(move |client| client.call_started(&busy, "1"));
        settle().await;
        let mut ledger = Ledger::default();
        ledger.read(ucc.heard());
        assert!(provider.drill_agent(line.clone()).await && provider.drill_agent(console.clone()).await);
        pass(seconds(1)).await;
        ledger.read(ucc.heard());
        assert_eq!(ledger.presence(&line).status.availability, Availability::BUSY);
        assert_eq!(ledger.presence(&console).status.availability, Availability::AWAY);
        let ended = line.clone();
        ucc.with(move |client| client.call_ended(&ended, "1"));
        pass(seconds(100)).await;
        ledger.read(ucc.heard());
        assert_eq!(ledger.presence(&line).status.availability, Availability::ONLINE);
        assert_eq!(ledger.presence(&console).freshness, Freshness::Unknown);
        assert_eq!(errors::take().len(), 2);
    });
}
