//! What is one agent's failure and what is the pool's, through the whole tree.

use presence_core::{Availability, EndpointKind, Freshness, RetryPolicy, SubscriptionState};
use presence_simulator::Activity;

use crate::forest::{one_pool, sample, skype_provider};
use crate::support::{Ledger, Recorder, agent, in_a_hurry, in_virtual_time, pass, seconds, settle};

const APPLICATION: &[EndpointKind] = &[EndpointKind::Application];

#[test]
fn an_agent_that_does_not_exist_backs_off_and_is_given_up_and_costs_the_others_nothing() {
    in_virtual_time(|| async {
        let (provider, forest) = skype_provider(one_pool(10), APPLICATION, |setup| {
            in_a_hurry(setup);
            setup.retry = RetryPolicy::try_new(seconds(10), seconds(60)).unwrap();
        });
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=11);
        pass(seconds(300)).await;
        let view = provider.observe().await.unwrap();
        for view in view.agents() {
            let subscription = view.subscription.as_ref().unwrap();
            let expected = if view.uri == agent(11) { SubscriptionState::Abandoned } else { SubscriptionState::Active };
            assert_eq!(subscription.state, expected, "{}", view.uri);
        }
        // Asked for four times: at once, after 10, 20 and 40 s.
        assert_eq!(forest.counters().resources_asked, 10 + 4);
        forest.assert_no_violation();
    });
}

#[test]
fn an_agent_who_cannot_be_in_a_batch_gets_a_dialog_of_its_own() {
    in_virtual_time(|| async {
        let mut settings = one_pool(6);
        settings.switches.legacy = vec![agent(4)];
        let (_provider, forest) = skype_provider(settings, APPLICATION, in_a_hurry);
        let ucc = Recorder::start(&_provider, "ucc");
        ucc.subscribe_to(1..=6);
        pass(seconds(5)).await;
        let mut ledger = Ledger::of(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        assert_eq!(forest.counters().dialogs_now, 2);
        forest.set(4, Activity::Away);
        settle().await;
        ledger.read(ucc.heard());
        assert_eq!(ledger.presence(&agent(4)).status.availability, Availability::AWAY);
        forest.assert_no_violation();
    });
}

#[test]
fn agents_of_another_pool_are_batched_there() {
    in_virtual_time(|| async {
        let mut settings = one_pool(40);
        let mut second = settings.pools[0].clone();
        second.fqdn = "pool2.example.test".into();
        settings.pools.push(second);
        for homed in &mut settings.agents[20..] {
            homed.pool = 1;
        }
        let (provider, forest) = skype_provider(settings, APPLICATION, in_a_hurry);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=40);
        pass(seconds(6)).await;
        let mut ledger = Ledger::of(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        assert_eq!((forest.live(), forest.counters().dialogs_now), (40, 2));
        forest.command(&format!("move {} 1", agent(1)));
        pass(seconds(6)).await;
        forest.set(1, Activity::Busy);
        settle().await;
        ledger.read(ucc.heard());
        assert_eq!(ledger.presence(&agent(1)).status.availability, Availability::BUSY);
        assert_eq!(forest.counters().most_live_for_one_agent, 1);
        forest.assert_no_violation();
    });
}

#[test]
fn an_agent_with_too_many_watchers_is_polled_until_there_is_room() {
    in_virtual_time(|| async {
        let (provider, forest) = skype_provider(one_pool(5), APPLICATION, in_a_hurry);
        forest.command(&format!("quota {} full", agent(2)));
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=5);
        pass(seconds(310)).await;
        forest.set(2, Activity::Busy);
        pass(seconds(310)).await;
        let mut ledger = Ledger::of(ucc.heard());
        assert_eq!(ledger.presence(&agent(2)).status.availability, Availability::BUSY);
        forest.command(&format!("quota {} free", agent(2)));
        pass(seconds(3_600)).await;
        assert_eq!(forest.served_by(2).len(), 1, "subscribed to again");
        forest.set(2, Activity::Away);
        settle().await;
        ledger.read(ucc.heard());
        assert_eq!(ledger.presence(&agent(2)).status.availability, Availability::AWAY);
        for agent in provider.observe().await.unwrap().agents() {
            assert_eq!(agent.subscription.as_ref().unwrap().failures, 0);
        }
        forest.assert_no_violation();
    });
}

#[test]
fn dialogs_that_are_forgotten_expire_silently_or_are_terminated_come_back_and_count_against_nobody() {
    in_virtual_time(|| async {
        let (provider, forest) = skype_provider(one_pool(30), APPLICATION, sample);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=30);
        pass(seconds(5)).await;
        let mut ledger = Ledger::of(ucc.heard());
        for command in [
            "forget-dialogs",
            "expire-silently",
            "terminate sip:application@example.test",
            "terminate sip:application@example.test resubscribe",
        ] {
            forest.command(command);
            // A dialog that was forgotten is missed at its next refresh or expiry at the latest.
            pass(seconds(9 * 3_600)).await;
            ledger.read(ucc.heard());
            ledger.assert_all(Freshness::Fresh);
            assert_eq!(forest.live(), 30, "{command}");
            let before = ledger.changes;
            for activity in [Activity::Busy, Activity::Available] {
                forest.set(9, activity);
                settle().await;
            }
            ledger.read(ucc.heard());
            assert_eq!(ledger.changes - before, 2, "{command}: the new dialog is followed");
        }
        for agent in provider.observe().await.unwrap().agents() {
            let subscription = agent.subscription.as_ref().unwrap();
            assert_eq!((subscription.state, subscription.failures), (SubscriptionState::Active, 0), "{}", agent.uri);
        }
    });
}

#[test]
fn malformed_documents_keep_the_old_value_and_cost_one_refresh() {
    in_virtual_time(|| async {
        let (provider, forest) = skype_provider(one_pool(3), APPLICATION, in_a_hurry);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=3);
        pass(seconds(3)).await;
        let mut ledger = Ledger::of(ucc.heard());
        let before = forest.counters().resources_asked;
        forest.command("malformed on");
        forest.set(1, Activity::Busy);
        settle().await;
        forest.set(1, Activity::Away);
        settle().await;
        ledger.read(ucc.heard());
        assert_eq!(ledger.presence(&agent(1)).status.availability, Availability::ONLINE, "the old value");
        forest.command("malformed off");
        pass(seconds(4)).await;
        ledger.read(ucc.heard());
        assert_eq!(forest.counters().resources_asked - before, 1, "one refresh");
        assert_eq!(ledger.presence(&agent(1)).status.availability, Availability::AWAY);
        let view = provider.observe().await.unwrap();
        let deviations = &view.endpoint(EndpointKind::Application).unwrap().deviations;
        assert!(deviations.get(&presence_sip::WireEvent::UnparsableBody).is_some_and(|count| *count >= 1));
    });
}

#[test]
fn a_pool_that_answers_503_is_left_alone_for_its_retry_after_and_then_approached_slowly() {
    in_virtual_time(|| async {
        let (provider, forest) = skype_provider(one_pool(150), APPLICATION, sample);
        forest.command("refuse SUBSCRIBE 503 retry-after 60s times 1");
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=150);
        pass(seconds(55)).await;
        assert!(forest.counters().resources_asked <= 15, "nothing is sent before the time");
        pass(seconds(45)).await;
        let mut ledger = Ledger::default();
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        for agent in provider.observe().await.unwrap().agents() {
            assert_eq!(agent.subscription.as_ref().unwrap().failures, 0);
        }
    });
}

#[test]
fn a_pool_that_comes_back_slowly_refuses_little_and_gets_everyone() {
    in_virtual_time(|| async {
        let (provider, forest) = skype_provider(one_pool(2_000), APPLICATION, sample);
        forest.command("slow-start 2 30 300s");
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=2_000);
        pass(seconds(600)).await;
        let mut ledger = Ledger::default();
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        let counters = forest.counters();
        println!("{} refused messages, {} agents asked for 2,000", counters.overloads, counters.resources_asked);
        assert!(counters.overloads <= 60, "{}", counters.overloads);
        for agent in provider.observe().await.unwrap().agents() {
            assert_eq!(agent.subscription.as_ref().unwrap().failures, 0);
        }
    });
}
