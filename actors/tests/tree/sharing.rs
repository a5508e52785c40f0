//! One subscription per agent, however many UCCs want it, and every change in order.

use presence_actors::PresenceEvent;
use presence_core::{Availability, EndpointKind, Freshness};
use presence_simulator::{Activity, Termination};
use presence_sip::WireEvent;

use crate::support::{Ledger, Recorder, agent, in_a_hurry, in_virtual_time, pass, provider_with, seconds, settle};

#[test]
fn fifty_uccs_that_want_the_same_hundred_agents_make_a_hundred_subscriptions() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(100, |_| {});
        let uccs: Vec<_> = (0..50).map(|n| Recorder::start(&provider, &format!("ucc{n}"))).collect();
        for ucc in &uccs {
            ucc.subscribe_to(1..=100);
        }
        pass(seconds(10)).await;
        for number in 1..=100 {
            pool.set(number, Activity::Busy);
        }
        settle().await;
        let counters = pool.counters();
        assert_eq!((counters.subscribes, counters.active_subscriptions), (100, 100));
        assert_eq!((counters.refreshes, counters.most_for_one_agent), (0, 1));
        for ucc in uccs {
            let ledger = Ledger::of(ucc.heard());
            assert_eq!((ledger.len(), ledger.changes), (100, 200));
            assert!((1..=100).all(|n| ledger.presence(&agent(n)).status.availability == Availability::BUSY));
        }
    });
}

#[test]
fn there_is_one_subscription_per_agent_through_panics_losses_and_terminations() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(20, in_a_hurry);
        let uccs: Vec<_> = (0..5).map(|n| Recorder::start(&provider, &format!("ucc{n}"))).collect();
        uccs.iter().for_each(|ucc| ucc.subscribe_to(1..=20));
        pass(seconds(5)).await;
        for round in 1..=6 {
            for number in 1..=20 {
                if number % 6 == round % 6 && round <= 3 {
                    assert!(provider.drill_agent(agent(number)).await);
                }
            }
            pool.with(|server, now| server.terminate(now, Some(&agent(round)), &Termination::because("deactivated")));
            pool.drop_connections();
            pool.set(round, Activity::Meal);
            pass(seconds(70)).await;
            assert_eq!(pool.subscriptions().len(), 20);
        }
        assert_eq!(pool.counters().most_for_one_agent, 1);
        crate::support::errors::take();
        for ucc in uccs {
            let ledger = Ledger::of(ucc.heard());
            ledger.assert_all(Freshness::Fresh);
            assert!((1..=6).all(|n| ledger.presence(&agent(n)).status.availability == Availability::BE_RIGHT_BACK));
        }
    });
}

#[test]
fn the_first_event_is_pending_and_for_who_comes_later_current() {
    in_virtual_time(|| async {
        let (provider, _pool) = provider_with(1, |_| {});
        let (first, second) = (Recorder::start(&provider, "first"), Recorder::start(&provider, "second"));
        first.subscribe(&agent(1));
        pass(seconds(1)).await;
        second.subscribe(&agent(1));
        settle().await;
        let events = first.heard();
        assert!(matches!(&events[..], [PresenceEvent::Pending { .. }, PresenceEvent::Changed(_)]), "{events:?}");
        let events = second.heard();
        assert!(matches!(&events[..], [PresenceEvent::Current { sequence: 1, .. }]), "{events:?}");
        first.subscribe(&agent(1));
        settle().await;
        let events = first.heard();
        assert!(matches!(&events[..], [PresenceEvent::Current { sequence: 1, .. }]), "wanted again: {events:?}");
    });
}

#[test]
fn an_identical_repeat_is_no_event() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(1, |_| {});
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe(&agent(1));
        pool.set(1, Activity::Busy);
        pass(seconds(1)).await;
        assert_eq!(Ledger::of(ucc.heard()).changes, 1);
        let before = pool.counters().notifies_sent;
        (0..3).for_each(|_| pool.set(1, Activity::Busy));
        pass(seconds(1)).await;
        assert_eq!((pool.counters().notifies_sent - before, ucc.heard()), (3, Vec::new()));
    });
}

#[test]
fn only_the_last_unsubscribe_ends_the_subscription_and_lets_the_agent_go() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(1, |_| {});
        let (first, second) = (Recorder::start(&provider, "first"), Recorder::start(&provider, "second"));
        first.subscribe(&agent(1));
        second.subscribe(&agent(1));
        pass(seconds(1)).await;
        first.unsubscribe(&agent(1));
        pass(seconds(1)).await;
        assert_eq!((pool.counters().unsubscribes, pool.subscriptions().len()), (0, 1));
        first.heard();
        pool.set(1, Activity::Busy);
        settle().await;
        assert_eq!(first.heard(), []);
        second.unsubscribe(&agent(1));
        pass(seconds(1)).await;
        assert_eq!((pool.counters().unsubscribes, pool.subscriptions().len()), (1, 0));
        assert_eq!(provider.observe().await.unwrap().agents().count(), 0);
        second.heard();
        second.subscribe(&agent(1));
        pass(seconds(1)).await;
        assert_eq!(Ledger::of(second.heard()).presence(&agent(1)).status.availability, Availability::BUSY);
        assert_eq!(pool.counters().most_for_one_agent, 1);
    });
}

#[test]
fn wanting_again_before_the_token_costs_nothing_on_the_wire() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(30, |_| {});
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=10);
        pass(seconds(3)).await;
        // A queue of new agents keeps the throttle busy: a release is granted within 68 ms at the earliest.
        ucc.subscribe_to(11..=30);
        settle().await;
        ucc.unsubscribe(&agent(1));
        settle().await;
        ucc.subscribe(&agent(1));
        pass(seconds(5)).await;
        let counters = pool.counters();
        assert_eq!((counters.subscribes, counters.unsubscribes, counters.refreshes), (30, 0, 0));
        Ledger::of(ucc.heard()).assert_all(Freshness::Fresh);
    });
}

#[test]
fn whoever_wants_and_unwants_in_any_rhythm_ends_with_what_it_wanted_last() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(8, |_| {});
        let ucc = Recorder::start(&provider, "ucc");
        let mut dice = presence_simulator::Dice::new(7);
        pool.fault_all(presence_simulator::Faults {
            delay: std::time::Duration::from_millis(150),
            ..Default::default()
        });
        let mut wanted = [false; 9];
        for _ in 0..600 {
            let number = usize::try_from(dice.below(8)).unwrap() + 1;
            wanted[number] = !wanted[number];
            if wanted[number] {
                ucc.subscribe(&agent(number))
            } else {
                ucc.unsubscribe(&agent(number))
            }
            pass(std::time::Duration::from_millis(dice.below(400))).await;
        }
        pass(seconds(180)).await;
        let subscribed = pool.subscriptions();
        for (number, wanted) in wanted.into_iter().enumerate().skip(1) {
            let expected = if wanted { Some(&1) } else { None };
            assert_eq!(subscribed.get(agent(number).as_str()), expected, "agent {number}");
        }
        assert_eq!(pool.counters().most_for_one_agent, 1);
        let view = provider.observe().await.unwrap();
        assert_eq!(view.agents().count(), wanted.iter().filter(|wanted| **wanted).count());
        for number in (1..=8).filter(|number| wanted[*number]) {
            pool.set(number, Activity::DoNotDisturb);
        }
        settle().await;
        let mut last = std::collections::BTreeMap::new();
        for event in ucc.heard() {
            last.extend(event.uri().cloned().zip(event.presence().cloned()));
        }
        for number in (1..=8).filter(|number| wanted[*number]) {
            assert_eq!(last[&agent(number)].status.availability, Availability::DO_NOT_DISTURB);
        }
    });
}

#[test]
fn an_unreadable_document_costs_one_refresh_and_the_value_is_back() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(2, |_| {});
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=2);
        pass(seconds(1)).await;
        let broken = presence_simulator::Faults { body: presence_simulator::Body::Malformed, ..Default::default() };
        pool.fault(&agent(1), broken);
        pool.set(1, Activity::Busy);
        pool.fault(&agent(1), presence_simulator::Faults::default());
        pass(seconds(1)).await;
        assert_eq!((pool.counters().refreshes, pool.counters().subscribes), (1, 2));
        let ledger = Ledger::of(ucc.heard());
        assert_eq!(ledger.presence(&agent(1)).status.availability, Availability::BUSY);
        // While it stays unreadable it is not asked for again and again.
        pool.fault(&agent(1), broken);
        pool.set(1, Activity::Meal);
        pool.set(1, Activity::Away);
        pass(seconds(60)).await;
        assert_eq!(pool.counters().refreshes, 2);
        assert_eq!(ucc.heard(), [], "the old value is kept");
    });
}

#[test]
fn bad_input_costs_the_one_message_and_is_counted() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(1, |_| {});
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe(&agent(1));
        pass(seconds(1)).await;
        let faults = presence_simulator::Faults { malformed_message_first: true, ..Default::default() };
        pool.fault(&agent(1), faults);
        pool.set(1, Activity::Busy);
        pass(seconds(1)).await;
        let ledger = Ledger::of(ucc.heard());
        assert_eq!(ledger.presence(&agent(1)).status.availability, Availability::BUSY, "the good one behind it counts");
        let view = provider.observe().await.unwrap();
        let endpoint = view.endpoint(EndpointKind::Application).unwrap();
        assert_eq!(endpoint.deviations.get(&WireEvent::Malformed), Some(&1), "{:?}", endpoint.deviations);
    });
}
