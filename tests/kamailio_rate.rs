//! However many UCCs want however many agents: one subscription per agent, and never more in a second than configured.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test binary has no reader of its docs and may panic")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use presence_core::Availability;
use presence_sip::TransportKind;
use support::capture::Capture;
use support::documents::pidf;
use support::eventually;
use support::kamailio::{Kamailio, Setup};
use support::observed::most_in_any;
use support::running::{Queue, Running, SOON, application, setup};

/// `uccs` queues that all want the same `agents` agents.
fn crowd(provider: &Running, uccs: usize, agents: usize) -> Vec<Queue> {
    let queues: Vec<Queue> = (0..uccs).map(|index| provider.queue(&format!("queue{index}"))).collect();
    for queue in &queues {
        (0..agents).for_each(|index| queue.subscribe(&format!("agent{index}")));
    }
    queues
}

#[test]
fn fifty_uccs_that_want_the_same_hundred_agents_make_a_hundred_subscriptions() {
    const AGENTS: usize = 100;
    let Some(kamailio) = Kamailio::start(Setup::default()) else { return };
    let provider = Running::start(setup(vec![application(&kamailio, TransportKind::Tcp)]));
    let queues = crowd(&provider, 50, AGENTS);
    eventually("all dialogs", SOON, || (kamailio.observed().live_dialogs().len() == AGENTS).then_some(()));
    let one = Kamailio::uri("agent42");
    kamailio.publish("agent42", &pidf(&one, true, Some("busy")), None);
    queues.iter().for_each(|queue| queue.await_availability("agent42", Availability::BUSY));

    let view = provider.view();
    assert_eq!((view.uccs, view.agents().count(), view.throttle.waiting), (50, AGENTS, 0));
    assert!(view.agents().all(|agent| agent.watchers.len() == 50));
    let observed = kamailio.observed();
    assert_eq!(observed.initial().len(), AGENTS, "exactly one for each agent");
    let asked: BTreeSet<_> = observed.initial().iter().map(|subscribe| subscribe.uri.clone()).collect();
    assert_eq!(asked.len(), AGENTS);
    assert_eq!(observed.live_dialogs().len(), AGENTS);

    // All but one leave: nothing ends. The last one leaves: everything ends.
    let mut queues = queues.into_iter();
    let last = queues.next();
    queues.for_each(drop);
    eventually("one UCC to be left", SOON, || (provider.view().uccs == 1).then_some(()));
    assert_eq!(kamailio.observed().subscribes.len(), AGENTS);
    drop(last);
    eventually("the end of all dialogs", SOON, || kamailio.observed().live_dialogs().is_empty().then_some(()));
    assert_eq!(kamailio.observed().subscribes.len(), 2 * AGENTS);
}

/// New subscriptions, refreshes and the end of all of them, seen by the peer's own log and by a packet capture.
#[test]
fn never_more_than_fifteen_subscribes_per_second_on_the_wire() {
    const RATE: usize = 15;
    const AGENTS: usize = 45;
    let Some(kamailio) = Kamailio::start(Setup::default()) else { return };
    let capture = Capture::start(kamailio.tcp());
    let mut endpoint = application(&kamailio, TransportKind::Tcp);
    // Refreshed after 4 s, when new ones are still being begun or a moment later.
    endpoint.expires = Duration::from_secs(8);
    let mut setup = setup(vec![endpoint]);
    setup.subscriptions_per_second = u32::try_from(RATE).unwrap().try_into().unwrap();
    let provider = Running::start(setup);
    let queues = crowd(&provider, 10, AGENTS);
    eventually("all dialogs", SOON, || (kamailio.observed().live_dialogs().len() == AGENTS).then_some(()));
    eventually("every dialog to be refreshed", SOON, || {
        (kamailio.observed().subscribes.len() >= 2 * AGENTS).then_some(())
    });
    drop(queues);
    eventually("the end of all dialogs", SOON, || kamailio.observed().live_dialogs().is_empty().then_some(()));
    eventually("nothing to be left", SOON, || provider.view().agents().next().is_none().then_some(()));

    let observed = kamailio.observed();
    assert_eq!(observed.initial().len(), AGENTS, "exactly one for each agent");
    let second = Duration::from_secs(1);
    let most = observed.most_in_any(second);
    assert!((RATE - 2..=RATE).contains(&most), "{most} SUBSCRIBEs in a second by Kamailio's log");

    let Some(capture) = capture else { return };
    eventually("the capture to be complete", SOON, || {
        (capture.times_of("SUBSCRIBE").len() == observed.subscribes.len()).then_some(())
    });
    let most = most_in_any(second, capture.times_of("SUBSCRIBE").into_iter());
    assert!((RATE - 2..=RATE).contains(&most), "{most} SUBSCRIBEs in a second by the packet capture");
}
