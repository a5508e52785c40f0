//! Values: the first one, changes, and what it costs to ask for them.

use presence_actors::PresenceEvent;
use presence_core::{Availability, Freshness};

use crate::support::{Ledger, Recorder, agent, in_virtual_time, pass, seconds};
use crate::world::{World, known};

#[test]
fn the_first_value_comes_within_a_second_and_it_is_pending_until_then() {
    in_virtual_time(|| async {
        let world = World::of(2);
        world.microsoft.set(2, "Busy", "InACall");
        let ucc = world.ucc(1..=2);
        pass(seconds(1)).await;
        let heard = ucc.heard();
        assert!(matches!(&heard[..2], [PresenceEvent::Pending { .. }, PresenceEvent::Pending { .. }]), "{heard:?}");
        let ledger = Ledger::of(heard);
        assert_eq!(known(ledger.presence(&agent(1))), (Freshness::Fresh, Some(Availability::ONLINE)));
        let busy = ledger.presence(&agent(2));
        assert_eq!(known(busy), (Freshness::Fresh, Some(Availability::BUSY)));
        assert_eq!(busy.status.activity.as_deref(), Some("on-the-phone"));
        assert_eq!(busy.source.element(), "MsGraphPresenceSource");
    });
}

#[test]
fn a_change_is_told_within_a_sweep_and_no_change_is_not_told() {
    in_virtual_time(|| async {
        let world = World::of(3);
        let ucc = world.ucc(1..=3);
        pass(seconds(10)).await;
        let mut ledger = Ledger::of(ucc.heard());
        for (availability, expected) in [
            ("Away", Availability::AWAY),
            ("DoNotDisturb", Availability::DO_NOT_DISTURB),
            ("Offline", Availability::OFFLINE),
        ] {
            world.microsoft.set(2, availability, availability);
            pass(seconds(5) + seconds(1)).await;
            ledger.read(ucc.heard());
            assert_eq!(known(ledger.presence(&agent(2))).0, Freshness::Fresh);
            assert_eq!(ledger.presence(&agent(2)).status.availability.name(), expected.name(), "{availability}");
        }
        assert_eq!(ledger.changes, 3 + 3);
        pass(seconds(600)).await;
        assert_eq!(ucc.heard(), []);
    });
}

#[test]
fn new_agents_of_several_uccs_share_one_request_and_one_agent_is_asked_for_once() {
    in_virtual_time(|| async {
        let world = World::of(20);
        pass(seconds(1)).await;
        assert_eq!(world.microsoft.count("presences"), 0, "nobody is wanted");
        let (one, two) = (world.ucc(1..=15), Recorder::start(&world.provider, "two"));
        two.subscribe_to(6..=15);
        pass(seconds(2)).await;
        for (ucc, agents) in [(&one, 15), (&two, 10)] {
            let ledger = Ledger::of(ucc.heard());
            assert_eq!((ledger.len(), ledger.changes), (agents, agents as u64));
        }
        let counters = world.microsoft.counters();
        assert_eq!(
            (counters.of_kind("token"), counters.of_kind("users"), counters.largest_batch),
            (1, 1, 15),
            "{counters}"
        );
        assert!(counters.of_kind("presences") <= 2, "{counters}");
        let view = world.graph().await;
        assert_eq!((view.tenants[0].agents, view.tenants[0].batches, view.tenants[0].up), (15, 1, true));
        let of_agent = world.agent(6).await;
        let graph = of_agent.graph.unwrap();
        assert_eq!(graph.account.as_deref(), Some("account1"));
        assert!(graph.object_id.is_some() && graph.heard_at.is_some() && !graph.notified);
        assert_eq!(of_agent.watchers.len(), 2);
    });
}

#[test]
fn presence_unknown_is_held_for_a_while_and_is_not_offline_and_not_zero() {
    in_virtual_time(|| async {
        let world = World::of(1);
        let ucc = world.ucc([1]);
        pass(seconds(10)).await;
        let mut ledger = Ledger::of(ucc.heard());
        world.microsoft.set(1, "PresenceUnknown", "PresenceUnknown");
        pass(seconds(9)).await;
        ledger.read(ucc.heard());
        assert_eq!(known(ledger.presence(&agent(1))), (Freshness::Fresh, Some(Availability::ONLINE)), "it is held");
        pass(seconds(12)).await;
        ledger.read(ucc.heard());
        assert_eq!(ledger.presence(&agent(1)).status.availability, Availability::UNKNOWN);
        world.microsoft.set(1, "Available", "Available");
        pass(seconds(6)).await;
        ledger.read(ucc.heard());
        assert_eq!(known(ledger.presence(&agent(1))), (Freshness::Fresh, Some(Availability::ONLINE)));
    });
}

#[test]
fn news_that_were_overtaken_are_dropped() {
    in_virtual_time(|| async {
        let world = World::of(1);
        let ucc = world.ucc([1]);
        pass(seconds(10)).await;
        world.microsoft.set(1, "Busy", "Busy");
        pass(seconds(10)).await;
        let mut ledger = Ledger::of(ucc.heard());
        world.microsoft.command("overtake agent1@example.test times 2");
        pass(seconds(11)).await;
        assert_eq!(ucc.heard(), [], "what was before is not told again");
        assert!(world.graph().await.counters.overtaken >= 1);
        world.microsoft.set(1, "Away", "Away");
        pass(seconds(6)).await;
        ledger.read(ucc.heard());
        assert_eq!(ledger.presence(&agent(1)).status.availability, Availability::AWAY);
    });
}

#[test]
fn an_agent_that_nobody_wants_any_more_is_asked_for_no_longer() {
    in_virtual_time(|| async {
        let world = World::of(2);
        let ucc = world.ucc(1..=2);
        pass(seconds(10)).await;
        ucc.heard();
        ucc.unsubscribe(&agent(1));
        ucc.unsubscribe(&agent(2));
        pass(seconds(2)).await;
        assert_eq!(world.graph().await.tenants[0].agents, 0);
        assert_eq!(world.provider.observe().await.unwrap().agents().count(), 0, "the agents are let go");
        let before = world.microsoft.count("presences");
        pass(seconds(60)).await;
        assert_eq!(world.microsoft.count("presences"), before);
        ucc.subscribe(&agent(1));
        pass(seconds(1)).await;
        let ledger = Ledger::of(ucc.heard());
        assert_eq!(known(ledger.presence(&agent(1))).0, Freshness::Fresh);
        assert_eq!(world.microsoft.count("users"), 1, "who it is is remembered");
    });
}
