//! Somebody in the pool's place: what is not of a dialog of ours changes nothing, and is counted by its reason.

use std::collections::BTreeMap;

use presence_actors::transport::memory;
use presence_actors::{Provider, Setup};
use presence_core::{Availability, EndpointKind};
use presence_sip::WireEvent;

use crate::phone::{Body, Phone, forgeries, notification, reply};
use crate::support::{Ledger, Recorder, agent, endpoint, in_a_hurry, in_virtual_time, pass, rules, seconds, settle};

fn document(basic: &str) -> Option<Body> {
    let document = format!(
        "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"pres:agent1@example.test\"><tuple id=\"a\"><status>\
         <basic>{basic}</basic></status></tuple></presence>"
    );
    Some(("application/pidf+xml", document))
}

#[test]
fn forged_notifications_change_nothing_and_are_counted_by_reason_over_whatever_connection() {
    in_virtual_time(|| async {
        let (network, mut pool) = memory::network();
        let mut endpoint = endpoint(EndpointKind::Application, network);
        endpoint.listen = Some(memory::LOCAL);
        let mut setup = Setup::new(rules(), vec![endpoint]);
        in_a_hurry(&mut setup);
        let provider = Provider::start(setup);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe(&agent(1));
        let mut primary = Phone::on(pool.accept().await.unwrap());
        let subscribe = primary.subscribe().await;
        primary.say(&reply(&subscribe, &["Expires: 3600", "Contact: <sip:pool@192.0.2.2>"], None)).await;
        primary.say(&notification("NOTIFY", &subscribe, 10, document("open"))).await;
        assert_eq!(primary.answer().await, Some(200));
        let mut ledger = Ledger::of(ucc.heard());
        assert_eq!(ledger.presence(&agent(1)).status.availability, Availability::ONLINE);

        let mut other = Phone::on(pool.connect().unwrap());
        let mut expected: BTreeMap<WireEvent, u64> = BTreeMap::new();
        for method in ["NOTIFY", "BENOTIFY"] {
            let genuine = |cseq| notification(method, &subscribe, cseq, document("closed"));
            for (forged, code, event) in forgeries(&genuine, &subscribe, 10) {
                for phone in [&mut primary, &mut other] {
                    phone.say(&forged).await;
                    assert_eq!(phone.answer().await, (method == "NOTIFY").then_some(code), "{forged}");
                    let counted = match event {
                        WireEvent::Unmatched if method == "BENOTIFY" => WireEvent::UnmatchedBenotify,
                        event => event,
                    };
                    *expected.entry(counted).or_default() += 1;
                }
            }
        }
        settle().await;
        assert_eq!(ucc.heard(), [], "nobody hears of it");
        let view = provider.observe().await.unwrap();
        let seen = view.endpoint(EndpointKind::Application).unwrap();
        assert_eq!(seen.deviations, expected);
        assert_eq!((seen.wire.dialogs, seen.wire.live, seen.wire.notifies), (1, 1, 1), "no dialog came of it");
        assert_eq!(view.agents().next().unwrap().presence.status.availability, Availability::ONLINE);

        // The pool itself is still heard.
        primary.say(&notification("NOTIFY", &subscribe, 11, document("closed"))).await;
        assert_eq!(primary.answer().await, Some(200));
        ledger.read(ucc.heard());
        assert_eq!(ledger.presence(&agent(1)).status.availability, Availability::OFFLINE);
    });
}

#[test]
fn ten_thousand_notifiers_that_claim_one_subscription_are_no_dialog_more() {
    in_virtual_time(|| async {
        let (network, mut pool) = memory::network();
        let mut setup = Setup::new(rules(), vec![endpoint(EndpointKind::Application, network)]);
        in_a_hurry(&mut setup);
        let provider = Provider::start(setup);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe(&agent(1));
        let mut phone = Phone::on(pool.accept().await.unwrap());
        let subscribe = phone.subscribe().await;
        phone.say(&reply(&subscribe, &["Expires: 3600", "Contact: <sip:pool@192.0.2.2>"], None)).await;
        phone.say(&notification("NOTIFY", &subscribe, 1, document("open"))).await;
        assert_eq!(phone.answer().await, Some(200));
        for number in 0..10_000 {
            let tag = format!(";tag=notifier{number}");
            phone.say(&notification("NOTIFY", &subscribe, 1, document("closed")).replace(";tag=pool", &tag)).await;
            assert_eq!(phone.answer().await, Some(481));
        }
        let view = provider.observe().await.unwrap();
        let seen = view.endpoint(EndpointKind::Application).unwrap();
        assert_eq!(seen.wire.dialogs, 1, "at most two for each agent");
        assert_eq!(seen.deviations, BTreeMap::from([(WireEvent::Forked, 10_000)]));
    });
}

#[test]
fn who_wants_more_different_agents_than_may_be_wanted_is_told_so_and_served_when_there_is_room() {
    in_virtual_time(|| async {
        let (provider, pool) = crate::support::provider_with(10, |setup| {
            in_a_hurry(setup);
            setup.most_agents = 4.try_into().unwrap();
        });
        let (one, other) = (Recorder::start(&provider, "one"), Recorder::start(&provider, "other"));
        one.subscribe_to(1..=4);
        pass(seconds(2)).await;
        other.subscribe_to(3..=6);
        pass(seconds(2)).await;
        let heard = other.heard();
        let refused: Vec<_> = heard
            .iter()
            .filter_map(|event| match event {
                presence_actors::PresenceEvent::Unserved { uri, why } => Some((uri.clone(), why.to_string())),
                _ => None,
            })
            .collect();
        let refused_uris: Vec<_> = refused.iter().map(|(uri, _)| uri.clone()).collect();
        assert_eq!(refused_uris, [agent(5), agent(6)]);
        assert!(refused[0].1.starts_with("4 different agents are wanted already"), "{refused:?}");
        assert_eq!((pool.subscriptions().len(), provider.meters().read().turned_away), (4, 2));
        // Agent 3 is wanted by both, so that it stays; agents 1 and 2 make room.
        [1, 2, 3].iter().for_each(|number| one.unsubscribe(&agent(*number)));
        pass(seconds(2)).await;
        other.subscribe_to(5..=7);
        pass(seconds(2)).await;
        let turned_away = provider.meters().read().turned_away;
        assert_eq!((pool.subscriptions().len(), turned_away), (4, 3), "two places, three who want one");
    });
}
