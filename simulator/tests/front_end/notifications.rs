//! What watchers are told when agents move.

use std::time::Duration;

use presence_core::SourceNetwork;
use presence_simulator::{Activity, AgentState, FIRST_DIALLED, FrontEndEffect, Switches};
use presence_sip::Message;
use presence_sip::documents::{AgentCategories, CategoryName};

use crate::support::{APP, Ask, Bench, agent, answer, content, uri};

fn names(message: &Message) -> Vec<CategoryName> {
    content(message).1.iter().flat_map(|document| document.categories.iter().map(|one| one.name.clone())).collect()
}

#[test]
fn only_the_category_that_changed_is_told() {
    let mut bench = Bench::new();
    bench.listed(1);
    let told = bench.order("set sip:agent1@sim.example busy").remove(0);
    assert_eq!(names(&told), [CategoryName::State]);
    assert_eq!(told.content_type(), Some("application/msrtc-event-categories+xml"));
    assert_eq!(told.check(), Ok(()));
    let told = bench.order("set sip:agent1@sim.example busy no-video").remove(0);
    assert_eq!(names(&told), [CategoryName::Services]);
    let told = bench.order("set sip:agent1@sim.example away").remove(0);
    assert_eq!(names(&told), [CategoryName::State, CategoryName::Services]);
    assert_eq!(told.cseq().unwrap().0, 4, "CSeq rises");
    assert!(bench.order("set sip:agent2@sim.example away").is_empty(), "nobody watches agent 2");
}

#[test]
fn every_state_reads_back_as_what_was_meant() {
    let mut bench = Bench::new();
    let mut merged = AgentCategories::default();
    for document in content(&bench.ask(&Ask::list(APP, &[agent(1)]))).1 {
        merged.apply(&document.categories);
    }
    for activity in Activity::ALL {
        for state in [AgentState::of(activity), AgentState::of(activity).idle()] {
            let state = AgentState { video: false, ..state };
            assert!(bench.front.set_presence(bench.now, &uri(&agent(1)), state));
            for document in content(&bench.drain().remove(0)).1 {
                merged.apply(&document.categories);
            }
            let status = merged.status(SourceNetwork::SameEnterprise);
            assert_eq!(status.availability.name(), state.availability().name(), "{state:?}");
        }
    }
}

#[test]
fn the_expiry_that_is_told_counts_down() {
    let mut bench = Bench::new();
    bench.listed(1);
    bench.pass(Duration::from_secs(800));
    let told = bench.order("set sip:agent1@sim.example busy").remove(0);
    assert_eq!(told.subscription_state().unwrap().expires, Some(Duration::from_secs(28_000)));
}

#[test]
fn updates_come_as_multipart_when_the_switch_says_so() {
    let mut bench = Bench::with(Switches { multipart_updates: true, ..Switches::default() });
    bench.listed(1);
    let told = bench.order("set sip:agent1@sim.example busy").remove(0);
    assert_eq!((content(&told).0.resources.len(), told.header("Require")), (1, Some("eventlist")));
    assert_eq!(names(&told), [CategoryName::State]);
}

#[test]
fn a_change_may_come_as_a_burst_with_gaps_in_cseq() {
    let mut bench = Bench::with(Switches { bursts: true, sequence_gaps: true, ..Switches::default() });
    bench.listed(1);
    let mut last = 1;
    let mut gaps = 0;
    for _ in 0..10 {
        let told = bench.order("set sip:agent1@sim.example busy");
        assert_eq!((names(&told[0]), names(&told[1])), (vec![CategoryName::Services], vec![CategoryName::State]));
        for one in told {
            let (number, method) = one.cseq().unwrap();
            assert!(number > last && method == "BENOTIFY");
            gaps += number - last - 1;
            last = number;
        }
    }
    assert!(gaps > 0);
}

#[test]
fn names_change_their_case_and_headers_are_folded_when_the_switch_says_so() {
    let mut bench = Bench::with(Switches { header_variants: true, signed_routes: true, ..Switches::default() });
    bench.listed(1);
    let mut seen = [false; 3];
    for _ in 0..6 {
        bench.front.set_presence(bench.now, &uri(&agent(1)), AgentState::of(Activity::Meal));
        let Some(FrontEndEffect::Transmit { bytes, .. }) = bench.front.poll_effect() else { panic!("no message") };
        let text = std::str::from_utf8(&bytes).unwrap().to_owned();
        seen[0] |= text.contains("\r\nSubscription-State:") || text.contains("\r\nEvent: ");
        seen[1] |= text.contains("\r\nCseq: ") && text.contains("\r\nsubscription-state: ");
        seen[2] |= text.contains("\r\n ;tag=") && text.contains("\r\nEvent : ");
        let told = crate::support::parse(bytes);
        assert_eq!(told.check(), Ok(()), "{text}");
        assert!(told.contact().unwrap().uri.contains(";ms-key-info="));
        assert!(told.header("Record-Route").unwrap().contains(";ms-route-sig="));
        assert!(told.subscription_state().unwrap().expires.is_some() && told.from().unwrap().tag().is_some());
        assert_eq!(names(&told), [CategoryName::State]);
    }
    assert_eq!(seen, [true; 3]);
}

#[test]
fn a_notify_is_answered_and_481_to_it_ends_the_dialog() {
    let mut bench = Bench::with(Switches { benotify: false, ..Switches::default() });
    bench.listed(2);
    let told = bench.order("set sip:agent1@sim.example busy").remove(0);
    assert_eq!(told.method().unwrap().as_str(), "NOTIFY");
    assert!(told.header("Via").unwrap().ends_with(";branched=FALSE"));
    bench.say(answer(&told, 200));
    assert_eq!((bench.front.counters().notifies_answered, bench.front.live_subscriptions()), (1, 2));
    let told = bench.order("set sip:agent1@sim.example away").remove(0);
    bench.say(answer(&told, 481));
    assert_eq!((bench.front.counters().notifies_rejected, bench.front.live_subscriptions()), (1, 0));
    assert_eq!(bench.violations(), Vec::<String>::new());
}

#[test]
fn notifications_follow_the_endpoint_to_the_connection_of_its_registration() {
    let mut bench = Bench::new();
    bench.listed(1);
    bench.front.connection_lost(bench.now, bench.connection);
    assert!(bench.order("set sip:agent1@sim.example busy").is_empty());
    assert_eq!(bench.front.counters().undeliverable, 1);
    bench.connection = presence_simulator::ConnectionId(9);
    bench.front.connected(bench.connection, 0);
    bench.ask(&Ask { cseq: 2, ..Ask::register(APP) });
    assert_eq!(bench.order("set sip:agent1@sim.example away").len(), 1);
}

#[test]
fn a_front_end_may_dial_the_listener_of_the_client_for_what_it_tells() {
    let mut bench = Bench::with(Switches { own_connections: true, ..Switches::default() });
    bench.listed(1);
    assert!(bench.order("set sip:agent1@sim.example busy").is_empty());
    assert!(bench.order("set sip:agent1@sim.example away").is_empty());
    let [FrontEndEffect::Dial { connection, target }] = bench.others.as_slice() else { panic!("{:?}", bench.others) };
    assert_eq!((target.as_str(), connection.0), ("192.0.2.7:6120", FIRST_DIALLED));
    let connection = *connection;
    bench.front.dialled(bench.now, connection, true);
    assert_eq!(bench.drain().len(), 2, "what waited");
    assert_eq!(bench.order("set sip:agent1@sim.example meal").len(), 1);
    bench.front.connection_lost(bench.now, connection);
    assert!(bench.order("set sip:agent1@sim.example busy").is_empty());
    assert_eq!(bench.others.len(), 2, "it dials again");
    bench.front.dialled(bench.now, presence_simulator::ConnectionId(FIRST_DIALLED + 1), false);
    assert_eq!((bench.drain().len(), bench.front.counters().undeliverable), (0, 1));
}

#[test]
fn documents_are_cut_short_on_command() {
    let mut bench = Bench::new();
    bench.listed(1);
    bench.order("malformed on");
    let told = bench.order("set sip:agent1@sim.example busy").remove(0);
    assert!(presence_sip::documents::read_categories(told.body(), &Default::default()).is_err());
    bench.order("malformed off");
    assert_eq!(names(&bench.order("set sip:agent1@sim.example busy").remove(0)), [CategoryName::State]);
}

#[test]
fn a_thousand_agents_fit_into_one_answer_of_less_than_a_megabyte_and_a_half() {
    let mut settings = crate::support::settings(Switches::default());
    settings.agents =
        (1..=1_000).map(|number| presence_simulator::Homed { uri: uri(&agent(number)), pool: 0 }).collect();
    let mut bench = Bench::of(settings);
    bench.ask(&Ask::register(APP));
    let all: Vec<_> = (1..=1_000).map(agent).collect();
    let told = bench.ask(&Ask::list(APP, &all));
    assert_eq!(content(&told).1.len(), 1_000);
    assert!(told.body().len() < 1_500_000, "{}", told.body().len());
}
