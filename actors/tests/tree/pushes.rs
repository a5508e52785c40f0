//! Presence that third parties push, and agents that no source serves.

use presence_actors::{PresenceEvent, Push, PushRefused};
use presence_core::{AgentUri, Availability, Freshness, Status};

use crate::support::{Ledger, Recorder, agent, in_virtual_time, pass, provider_with, rules, seconds, settle};

fn console() -> AgentUri {
    "sip:reception@console.test".parse().unwrap()
}

fn push(availability: Availability, time_to_live: u64) -> Push {
    Push { uri: console(), status: Status::of(availability), time_to_live: seconds(time_to_live) }
}

#[test]
fn a_push_holds_for_its_time_to_live_and_then_the_agent_is_unknown() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(0, |_| {});
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe(&console());
        settle().await;
        assert!(matches!(&ucc.heard()[..], [PresenceEvent::Pending { .. }]));
        provider.push(push(Availability::BUSY, 60)).await.unwrap();
        pass(seconds(30)).await;
        provider.push(push(Availability::BUSY, 60)).await.unwrap();
        pass(seconds(59)).await;
        let events = ucc.heard();
        assert!(matches!(&events[..], [PresenceEvent::Changed(_)]), "{events:?}");
        pass(seconds(2)).await;
        let events = ucc.heard();
        let presence = events[0].presence().unwrap();
        assert_eq!((presence.freshness, presence.status.availability), (Freshness::Unknown, Availability::UNKNOWN));
        provider.push(push(Availability::AWAY, 60)).await.unwrap();
        settle().await;
        assert_eq!(ucc.heard().len(), 1);
        assert_eq!(pool.counters().subscribes, 0);
    });
}

#[test]
fn what_was_pushed_before_anybody_watched_is_kept() {
    in_virtual_time(|| async {
        let (provider, _pool) = provider_with(0, |_| {});
        provider.push(push(Availability::BUSY, 600)).await.unwrap();
        pass(seconds(60)).await;
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe(&console());
        settle().await;
        let mut ledger = Ledger::default();
        ledger.read(ucc.heard());
        assert_eq!(ledger.presence(&console()).status.availability, Availability::BUSY);
        ucc.unsubscribe(&console());
        pass(seconds(60)).await;
        ucc.subscribe(&console());
        settle().await;
        ledger.read(ucc.heard());
        assert_eq!(ledger.presence(&console()).freshness, Freshness::Fresh, "it outlives its watchers too");
        ucc.unsubscribe(&console());
        pass(seconds(600)).await;
        assert_eq!(provider.observe().await.unwrap().agents().count(), 0, "but not its time to live");
    });
}

#[test]
fn a_push_for_an_agent_of_another_source_is_refused() {
    in_virtual_time(|| async {
        let (provider, _pool) = provider_with(1, |_| {});
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe(&agent(1));
        pass(seconds(1)).await;
        ucc.heard();
        let foreign = Push { uri: agent(1), ..push(Availability::OFFLINE, 60) };
        assert_eq!(provider.push(foreign).await, Err(PushRefused::NotAttendant(agent(1))));
        assert_eq!(provider.push(push(Availability::BUSY, 0)).await, Err(PushRefused::NoTimeToLive));
        settle().await;
        assert_eq!(ucc.heard(), []);
    });
}

#[test]
fn who_wants_an_agent_that_no_source_serves_is_told_so() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(1, |setup| {
            setup.rules = presence_core::SourceRules { ucma: false, pstn: false, ..rules() };
        });
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe(&agent(1));
        settle().await;
        let events = ucc.heard();
        let [PresenceEvent::Unserved { uri, why }] = &events[..] else { panic!("{events:?}") };
        assert_eq!(*uri, agent(1));
        assert!(why.contains("PstnPresenceSource is not enabled") && why.contains("UcmaPresenceSource"), "{why}");
        ucc.unsubscribe(&agent(1));
        assert_eq!((provider.observe().await.unwrap().agents().count(), pool.dialled()), (0, 0));
    });
}
