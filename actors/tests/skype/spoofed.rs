//! Somebody in the place of the pool: what is not of a dialog of ours, and agents that are not in it, change nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use presence_actors::transport::memory;
use presence_actors::{DialectSetup, Provider, Setup};
use presence_core::{Availability, EndpointKind};
use presence_sip::WireEvent;

use crate::phone::{Body, Phone, forgeries, notification, reply};
use crate::support::{Ledger, Recorder, agent, endpoint, in_a_hurry, in_virtual_time, rules, settle};

/// A list with a document for each of these agents.
fn documents(agents: &[usize], availability: u32) -> Option<Body> {
    let mut body = "--x1\r\nContent-Transfer-Encoding: binary\r\nContent-ID: resourceList\r\n\
                    Content-Type: application/rlmi+xml\r\n\r\n<list xmlns=\"urn:ietf:params:xml:ns:rlmi\" \
                    uri=\"sip:application@example.test\" version=\"0\" fullState=\"false\"></list>\r\n"
        .to_owned();
    for number in agents {
        let uri = agent(*number);
        write!(
            body,
            "--x1\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {uri}\r\n\
             Content-Type: application/msrtc-event-categories+xml\r\n\r\n\
             <categories xmlns=\"http://schemas.microsoft.com/2006/09/sip/categories\" uri=\"{uri}\">\
             <category name=\"state\" instance=\"1\"><state xmlns=\"http://schemas.microsoft.com/2006/09/sip/state\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"aggregateState\">\
             <availability>{availability}</availability></state></category></categories>\r\n"
        )
        .unwrap();
    }
    body += "--x1--\r\n";
    Some(("multipart/related;type=\"application/rlmi+xml\";start=resourceList;boundary=x1", body))
}

#[test]
fn forged_notifications_and_foreign_agents_in_lists_change_nothing_and_are_counted_by_reason() {
    in_virtual_time(|| async {
        let (network, mut pool) = memory::network();
        let mut endpoint = endpoint(EndpointKind::Application, network);
        endpoint.dialect = DialectSetup::Skype { registers: true };
        endpoint.listen = Some(memory::LOCAL);
        let mut setup = Setup::new(rules(), vec![endpoint]);
        in_a_hurry(&mut setup);
        let provider = Provider::start(setup);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=2);
        let mut primary = Phone::on(pool.accept().await.unwrap());
        let subscribe = primary.subscribe().await;
        let extra = ["Contact: <sip:fe01.example.test:5061>", "Expires: 28800", "ms-piggyback-cseq: 10"];
        primary.say(&reply(&subscribe, &extra, documents(&[1, 2], 3_500))).await;
        settle().await;
        let mut ledger = Ledger::of(ucc.heard());
        assert_eq!(ledger.presence(&agent(1)).status.availability, Availability::ONLINE);
        let mut other = Phone::on(pool.connect().unwrap());
        // The first notification, so that its number is known.
        primary.say(&notification("NOTIFY", &subscribe, 11, None)).await;
        assert_eq!(primary.answer().await, Some(200));

        let mut expected: BTreeMap<WireEvent, u64> = BTreeMap::new();
        for method in ["NOTIFY", "BENOTIFY"] {
            let genuine = |cseq| notification(method, &subscribe, cseq, documents(&[1, 2], 9_500));
            for (forged, code, event) in forgeries(&genuine, &subscribe, 11) {
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
        // In the right dialog, about agents that nobody asked for there.
        primary.say(&notification("BENOTIFY", &subscribe, 12, documents(&[3, 4, 5], 9_500))).await;
        assert_eq!(primary.answer().await, None);
        expected.insert(WireEvent::ForeignResource, 3);
        settle().await;
        assert_eq!(ucc.heard(), [], "nobody hears of it");
        let view = provider.observe().await.unwrap();
        let seen = view.endpoint(EndpointKind::Application).unwrap();
        assert_eq!(seen.deviations, expected);
        assert_eq!((view.agents().count(), seen.wire.dialogs), (2, 1), "neither an agent nor a dialog came of it");

        primary.say(&notification("BENOTIFY", &subscribe, 13, documents(&[2], 6_500))).await;
        settle().await;
        ledger.read(ucc.heard());
        let of = |number| ledger.presence(&agent(number)).status.availability;
        assert_eq!((of(1), of(2)), (Availability::ONLINE, Availability::BUSY), "the pool itself is still heard");
    });
}
