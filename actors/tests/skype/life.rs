//! The life of subscriptions in one dialog: gathered, shared, followed, ended.

use presence_core::{Availability, EndpointKind, EndpointState, Freshness, Modality, SourceNetwork};
use presence_simulator::Activity;

use crate::forest::{one_pool, sample, skype_provider};
use crate::support::{Ledger, Recorder, agent, in_a_hurry, in_virtual_time, pass, seconds, settle};

const APPLICATION: &[EndpointKind] = &[EndpointKind::Application];

#[test]
fn fifty_queues_with_ten_thousand_agents_cost_one_dialog_and_few_messages() {
    in_virtual_time(|| async {
        let (provider, forest) = skype_provider(one_pool(10_000), APPLICATION, |setup| {
            setup.subscriptions_per_second = std::num::NonZeroU32::new(20_000).unwrap();
        });
        let uccs: Vec<_> = (0..50).map(|ucc| Recorder::start(&provider, &format!("ucc{ucc}"))).collect();
        for (number, ucc) in uccs.iter().enumerate() {
            // Every agent in two queues.
            ucc.subscribe_to((1..=10_000).filter(|agent| agent % 50 == number || (agent + 7) % 50 == number));
        }
        pass(seconds(10)).await;
        for ucc in &uccs {
            let ledger = Ledger::of(ucc.heard());
            assert_eq!(ledger.len(), 400);
            ledger.assert_all(Freshness::Fresh);
        }
        let counters = forest.counters();
        assert_eq!((forest.live(), counters.resources_asked, counters.most_live_for_one_agent), (10_000, 10_000, 1));
        let messages = counters.subscribes_initial + counters.subscribes_in_dialog;
        assert!(messages <= 25, "{messages} SUBSCRIBE messages");
        assert_eq!((counters.subscribes_initial, counters.registers), (1, 1));
        forest.assert_no_violation();
    });
}

#[test]
fn at_fifteen_per_second_no_second_sees_more_than_fifteen_agents() {
    in_virtual_time(|| async {
        let (provider, forest) = skype_provider(one_pool(300), APPLICATION, sample);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=300);
        pass(seconds(25)).await;
        Ledger::of(ucc.heard()).assert_all(Freshness::Fresh);
        let counters = forest.counters();
        assert_eq!((forest.live(), counters.resources_asked), (300, 300));
        assert_eq!(counters.most_resources_in_a_second, 15);
        let messages = counters.subscribes_initial + counters.subscribes_in_dialog;
        assert!(messages <= 23, "gathered for a second: {messages} messages for 300 agents");
    });
}

#[test]
fn a_change_is_told_with_its_device_modalities_and_network_and_a_services_update_leaves_the_state() {
    in_virtual_time(|| async {
        let (provider, forest) = skype_provider(one_pool(3), APPLICATION, in_a_hurry);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=3);
        pass(seconds(3)).await;
        let mut ledger = Ledger::of(ucc.heard());
        assert_eq!(ledger.presence(&agent(2)).status.availability, Availability::ONLINE);
        forest.set(2, Activity::OnThePhone);
        settle().await;
        ledger.read(ucc.heard());
        let status = ledger.presence(&agent(2)).status.clone();
        assert_eq!(status.availability, Availability::BUSY);
        assert_eq!(status.activity.as_deref(), Some("on-the-phone"));
        assert_eq!(status.network, SourceNetwork::SameEnterprise);
        assert_eq!(status.modalities.audio, Modality::Enabled);
        forest.command(&format!("set {} on-the-phone no-video", agent(2)));
        settle().await;
        ledger.read(ucc.heard());
        let after = ledger.presence(&agent(2)).status.clone();
        assert_eq!((after.availability, after.activity.as_deref()), (Availability::BUSY, Some("on-the-phone")));
        assert_eq!((after.modalities.audio, after.modalities.video), (Modality::Enabled, Modality::Disabled));
        forest.assert_no_violation();
    });
}

#[test]
fn who_is_not_wanted_any_more_leaves_the_dialog_and_the_others_stay() {
    in_virtual_time(|| async {
        let (provider, forest) = skype_provider(one_pool(10), APPLICATION, in_a_hurry);
        let (one, two) = (Recorder::start(&provider, "one"), Recorder::start(&provider, "two"));
        one.subscribe_to(1..=10);
        two.subscribe_to(9..=10);
        pass(seconds(3)).await;
        for number in 1..=10 {
            one.unsubscribe(&agent(number));
        }
        pass(seconds(3)).await;
        assert_eq!(forest.live(), 2);
        forest.set(10, Activity::Away);
        settle().await;
        let ledger = Ledger::of(two.heard());
        assert_eq!(ledger.presence(&agent(10)).status.availability, Availability::AWAY);
        assert_eq!(forest.counters().subscribes_initial, 1, "the dialog stands");
        forest.assert_no_violation();
    });
}

#[test]
fn a_dialog_is_refreshed_in_time_for_days() {
    in_virtual_time(|| async {
        let (provider, forest) = skype_provider(one_pool(200), APPLICATION, sample);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=200);
        pass(seconds(3 * 24 * 3_600)).await;
        let mut ledger = Ledger::of(ucc.heard());
        forest.set(7, Activity::Busy);
        settle().await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        assert_eq!(ledger.presence(&agent(7)).status.availability, Availability::BUSY);
        let counters = forest.counters();
        assert_eq!((forest.live(), counters.subscribes_initial), (200, 1));
        assert!(counters.most_resources_in_a_second <= 15);
        // 28,800 s less a quarter of an hour, and the pass over 200 agents: nine times in three days.
        assert!((8 * 200..=11 * 200).contains(&(counters.resources_asked as usize)), "{}", counters.resources_asked);
        forest.assert_no_violation();
    });
}

#[test]
fn the_end_of_everything_is_one_message_for_the_dialog_and_one_for_the_registration() {
    in_virtual_time(|| async {
        let (provider, forest) = skype_provider(one_pool(1_000), APPLICATION, |setup| {
            setup.subscriptions_per_second = std::num::NonZeroU32::new(1_000).unwrap();
        });
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=1_000);
        pass(seconds(5)).await;
        assert_eq!(forest.live(), 1_000);
        let before = forest.counters();
        assert!(provider.shutdown(seconds(5)).await, "all is ended within the grace");
        settle().await;
        let after = forest.counters();
        assert_eq!((forest.live(), after.registers - before.registers), (0, 1));
        assert_eq!(after.subscribes_in_dialog - before.subscribes_in_dialog, 1);
        forest.assert_no_violation();
    });
}

#[test]
fn both_endpoints_register_and_the_view_says_so() {
    in_virtual_time(|| async {
        let kinds = [EndpointKind::Application, EndpointKind::User];
        let (provider, forest) = skype_provider(one_pool(2), &kinds, in_a_hurry);
        pass(seconds(2)).await;
        let view = provider.observe().await.unwrap();
        for kind in kinds {
            assert_eq!(view.endpoint(kind).unwrap().state, EndpointState::Established);
        }
        assert_eq!(forest.counters().registers, 2);
        forest.assert_no_violation();
    });
}
