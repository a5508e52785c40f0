//! Nothing goes on the wire faster than configured.

use std::num::NonZeroU32;

use presence_core::Freshness;
use presence_simulator::Activity;

use crate::support::{Ledger, Recorder, agent, in_virtual_time, pass, provider_with, seconds};

#[test]
fn no_second_holds_more_subscribes_than_configured() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(300, |setup| {
            setup.endpoints[0].expires = seconds(600);
        });
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=300);
        pass(seconds(10)).await;
        ucc.unsubscribe(&agent(300));
        pass(seconds(1_500)).await;
        pool.drop_connections();
        pass(seconds(60)).await;
        pool.with(|server, _| server.forget_dialogs());
        pass(seconds(1_200)).await;
        let counters = pool.counters();
        assert!(counters.refreshes > 299 * 3, "{}", counters.refreshes);
        assert_eq!((counters.active_subscriptions, counters.most_for_one_agent), (299, 1));
        assert_eq!(counters.busiest_second(), 15);
        drop(ucc);
    });
}

#[test]
fn refreshes_come_before_new_agents() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(400, |setup| {
            setup.subscriptions_per_second = NonZeroU32::new(2).unwrap();
            setup.endpoints[0].expires = seconds(120);
        });
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=60);
        pass(seconds(40)).await;
        // These take 170 s at this rate; the first ones are refreshed meanwhile and never run out.
        ucc.subscribe_to(61..=160);
        pass(seconds(400)).await;
        let ledger = Ledger::of(ucc.heard());
        (1..=60).for_each(|n| assert_eq!(ledger.presence(&agent(n)).freshness, Freshness::Fresh));
        assert_eq!(ledger.changes, ledger.len() as u64, "nobody ran out and came back");
        assert!(pool.counters().busiest_second() <= 2);
        pool.set(1, Activity::Busy);
    });
}
