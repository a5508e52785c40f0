//! A slow UCC is told that it lagged; a dead one is dropped; nobody else notices either.

use presence_actors::PresenceEvent;
use presence_core::Availability;
use presence_simulator::Activity;

use crate::support::{Ledger, Recorder, agent, in_a_hurry, in_virtual_time, pass, provider_with, seconds, settle};

const MOVES: [Activity; 2] = [Activity::Busy, Activity::Away];

#[test]
fn a_ucc_that_does_not_read_is_told_that_it_lagged_and_then_the_present_values() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(3, |setup| {
            in_a_hurry(setup);
            setup.outbox = 8;
        });
        let (slow, fast) = (Recorder::start(&provider, "slow"), Recorder::start(&provider, "fast"));
        slow.subscribe_to(1..=3);
        fast.subscribe_to(1..=3);
        pass(seconds(1)).await;
        slow.set_pace(seconds(60));
        for round in 0..200 {
            pool.set(round % 3 + 1, MOVES[round / 3 % 2]);
            settle().await;
        }
        (1..=3).for_each(|number| pool.set(number, Activity::DoNotDisturb));
        settle().await;
        let told = Ledger::of(fast.heard());
        assert!(told.missed == 0 && told.changes > 190, "{}", told.changes);
        slow.set_pace(seconds(0));
        pass(seconds(200)).await;
        let events = slow.heard();
        assert!(events.len() < 40, "what waits is bounded: {}", events.len());
        let lagged = events.iter().position(|event| matches!(event, PresenceEvent::Lagged { .. })).unwrap();
        let follow: Vec<_> = events[lagged + 1..].iter().filter_map(PresenceEvent::uri).collect();
        assert_eq!(follow.len(), 3, "{:?}", &events[lagged..]);
        let ledger = Ledger::of(events);
        for number in 1..=3 {
            assert_eq!(ledger.presence(&agent(number)).status.availability, Availability::DO_NOT_DISTURB);
        }
        pool.set(1, Activity::Meal);
        settle().await;
        let events = slow.heard();
        assert!(matches!(&events[..], [PresenceEvent::Changed(_)]), "it goes on as before: {events:?}");
    });
}

#[test]
fn a_slow_ucc_that_catches_up_in_time_misses_nothing() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(1, |_| {});
        let slow = Recorder::start(&provider, "slow");
        slow.subscribe(&agent(1));
        pass(seconds(1)).await;
        slow.set_pace(std::time::Duration::from_millis(50));
        for round in 0..400 {
            pool.set(1, MOVES[round % 2]);
            settle().await;
        }
        pass(seconds(60)).await;
        let ledger = Ledger::of(slow.heard());
        assert_eq!((ledger.changes, ledger.missed), (401, 0));
    });
}

#[test]
fn a_ucc_whose_actor_stops_or_panics_is_dropped_and_what_only_it_wanted_is_ended() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(6, in_a_hurry);
        let stays = Recorder::start(&provider, "stays");
        let (stops, panics, leaves) = (
            Recorder::start(&provider, "stops"),
            Recorder::start(&provider, "panics"),
            Recorder::start(&provider, "leaves"),
        );
        stays.subscribe_to([1, 2]);
        stops.subscribe_to([2, 3]);
        panics.subscribe_to([2, 4]);
        leaves.subscribe_to([2, 5]);
        pass(seconds(1)).await;
        assert_eq!((pool.subscriptions().len(), provider.observe().await.unwrap().uccs), (5, 4));
        stops.end();
        panics.crash();
        leaves.drop_client();
        pass(seconds(2)).await;
        let view = provider.observe().await.unwrap();
        let watched: Vec<_> = view.agents().map(|agent| (agent.uri.to_string(), agent.watchers.len())).collect();
        assert_eq!(watched, [(agent(1).to_string(), 1), (agent(2).to_string(), 1)]);
        assert_eq!((pool.subscriptions().len(), pool.counters().unsubscribes, view.uccs), (2, 3, 1));
        leaves.heard();
        pool.set(2, Activity::Busy);
        settle().await;
        assert_eq!((leaves.heard(), Ledger::of(stays.heard()).changes), (Vec::new(), 3));
    });
}

#[test]
fn a_ucc_that_leaves_while_it_lags_is_dropped_too() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(2, |setup| setup.outbox = 2);
        let (lags, other) = (Recorder::start(&provider, "lags"), Recorder::start(&provider, "other"));
        lags.subscribe_to(1..=2);
        other.subscribe(&agent(2));
        pass(seconds(1)).await;
        lags.set_pace(seconds(10));
        for round in 0..100 {
            pool.set(1 + round % 2, MOVES[round / 2 % 2]);
            settle().await;
        }
        lags.crash();
        pass(seconds(7_200)).await;
        let view = provider.observe().await.unwrap();
        assert_eq!((view.uccs, view.agents().count(), pool.subscriptions().len()), (1, 1, 1));
        assert!(Ledger::of(other.heard()).changes > 40);
    });
}

#[test]
fn a_dead_ucc_whose_client_lives_elsewhere_is_noticed_without_any_event() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(1, |_| {});
        let ucc = Recorder::start(&provider, "ucc");
        let kept = provider.client("kept elsewhere", ucc.recipient());
        kept.subscribe(agent(1));
        pass(seconds(1)).await;
        assert_eq!(pool.subscriptions().len(), 1);
        ucc.end();
        drop(ucc);
        pass(seconds(30)).await;
        assert_eq!((pool.subscriptions().len(), provider.observe().await.unwrap().uccs), (0, 0));
        kept.subscribe(agent(1));
        pass(seconds(30)).await;
        assert_eq!(provider.observe().await.unwrap().agents().count(), 0, "the dead want nothing");
    });
}

#[test]
fn a_ucc_that_wants_thousands_at_once_has_missed_nothing() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(3_000, |setup| {
            in_a_hurry(setup);
            setup.outbox = 8;
        });
        let ucc = Recorder::start(&provider, "ucc");
        // Slow enough for most agents' values to overtake the news that nothing is known yet.
        ucc.set_pace(std::time::Duration::from_millis(10));
        settle().await;
        ucc.subscribe_to(1..=3_000);
        pass(seconds(90)).await;
        assert_eq!(pool.subscriptions().len(), 3_000);
        let lagged = |event: &PresenceEvent| matches!(event, PresenceEvent::Lagged { .. });
        assert!(!ucc.heard().iter().any(lagged), "a pending that its value has overtaken is no change that was missed");
    });
}
