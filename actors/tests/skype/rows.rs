//! Rows of the tables of failures (facts B.3, E) through the whole tree that no other file here has.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use presence_actors::transport::memory;
use presence_actors::{DialectSetup, EndpointSetup, Pool, Provider, Setup};
use presence_core::{AgentUri, EndpointKind, EndpointState, Freshness, RetryPolicy, SubscriptionState};
use presence_simulator::{FrontEndHandle, FrontEndServer, FrontEndServerSettings, PoolSettings};
use presence_sip::TransportKind;

use crate::forest::{VirtualForest, one_pool, sample, skype_provider};
use crate::support::{
    Ledger, Recorder, Ucc, agent, endpoint, errors, in_a_hurry, in_virtual_time, pass, rules, seconds, settle,
};

const APPLICATION: &[EndpointKind] = &[EndpointKind::Application];
const BOTH: &[EndpointKind] = &[EndpointKind::Application, EndpointKind::User];

/// State and counted failures of one agent.
async fn stands(provider: &Provider, uri: &AgentUri) -> (SubscriptionState, u32) {
    let view = provider.observe().await.unwrap();
    let subscription = view.agents().find(|agent| agent.uri == *uri).unwrap().subscription.clone().unwrap();
    (subscription.state, subscription.failures)
}

/// All of these are subscribed to, once, are fresh for the UCC, and nothing is on their account.
async fn all_well(provider: &Provider, forest: &VirtualForest, ucc: &Ucc, agents: usize) {
    let mut ledger = Ledger::default();
    ledger.read(ucc.heard());
    for number in 1..=agents {
        assert_eq!(ledger.presence(&agent(number)).freshness, Freshness::Fresh, "agent {number}");
        assert_eq!(stands(provider, &agent(number)).await, (SubscriptionState::Active, 0), "agent {number}");
        assert_eq!(forest.served_by(number).len(), 1, "agent {number}");
    }
    assert_eq!(forest.counters().most_live_for_one_agent, 1);
}

#[test]
fn a_pool_that_takes_fewer_agents_in_one_message_gets_them_in_smaller_ones() {
    in_virtual_time(|| async {
        let mut settings = one_pool(600);
        settings.switches.longest_list = 100;
        let (provider, forest) = skype_provider(settings, APPLICATION, in_a_hurry);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=600);
        pass(seconds(20)).await;
        all_well(&provider, &forest, &ucc, 600).await;
        let counters = forest.counters();
        assert_eq!(counters.dialogs_now, 1);
        // 500 and 250 and 125 are too many; 62 are not.
        assert!(counters.refusals <= 6, "{}", counters.refusals);
        forest.assert_no_violation();
    });
}

#[test]
fn extensions_that_a_pool_does_not_know_are_left_out_once_and_nobody_notices() {
    for status in [420, 421] {
        in_virtual_time(move || async move {
            let (provider, forest) = skype_provider(one_pool(20), APPLICATION, in_a_hurry);
            forest.command(&format!("refuse SUBSCRIBE {status} times 1"));
            let ucc = Recorder::start(&provider, "ucc");
            ucc.subscribe_to(1..=20);
            pass(seconds(5)).await;
            all_well(&provider, &forest, &ucc, 20).await;
            forest.assert_no_violation();
        });
    }
}

#[test]
fn a_dialog_that_the_pool_has_forgotten_is_begun_anew_at_once_and_the_second_time_after_a_rest() {
    in_virtual_time(|| async {
        let (provider, forest) = skype_provider(one_pool(32), APPLICATION, in_a_hurry);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=30);
        pass(seconds(3)).await;
        let mut ledger = Ledger::of(ucc.heard());
        forest.command("refuse SUBSCRIBE 481 times 1 diagnostics 2014");
        ucc.subscribe(&agent(31));
        pass(seconds(4)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        assert_eq!((forest.live(), forest.counters().subscribes_initial), (31, 2), "anew at once");
        forest.command("refuse SUBSCRIBE 481 times 1 diagnostics 2014");
        ucc.subscribe(&agent(32));
        pass(seconds(3)).await;
        let state = provider.observe().await.unwrap().endpoint(EndpointKind::Application).unwrap().state;
        assert_ne!(state, EndpointState::Established, "the guard against loops");
        assert_eq!(forest.counters().subscribes_initial, 2, "not at once");
        pass(seconds(30)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        for number in 1..=32 {
            assert_eq!(stands(&provider, &agent(number)).await, (SubscriptionState::Active, 0), "agent {number}");
        }
        assert_eq!((forest.live(), forest.counters().most_live_for_one_agent), (32, 1));
        errors::take();
    });
}

#[test]
fn whom_both_endpoints_may_not_see_is_given_up_at_once_and_the_others_stay() {
    in_virtual_time(|| async {
        let (provider, forest) = skype_provider(one_pool(6), BOTH, in_a_hurry);
        forest.command(&format!("disable {}", agent(6)));
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=6);
        pass(seconds(10)).await;
        assert_eq!(stands(&provider, &agent(6)).await.0, SubscriptionState::Abandoned);
        let failure = provider.observe_agent(&agent(6)).await.unwrap().subscription.unwrap().last_failure.unwrap();
        assert_eq!((failure.code, failure.ms_diagnostics), (Some(403), Some(2004)), "what its row in the list says");
        let asked = forest.counters().resources_asked;
        assert_eq!(asked, 5 + 2, "once by each endpoint");
        pass(seconds(3_600)).await;
        assert_eq!(forest.counters().resources_asked, asked, "and never again");
        all_well(&provider, &forest, &ucc, 5).await;
        forest.assert_no_violation();
    });
}

#[test]
fn a_state_in_a_list_that_no_document_explains_is_tried_again_after_a_back_off() {
    in_virtual_time(|| async {
        let mut settings = one_pool(5);
        settings.switches.strange = vec![(agent(2), "deferred".into())];
        let (provider, forest) = skype_provider(settings, APPLICATION, |setup| {
            in_a_hurry(setup);
            setup.max_failures = 0;
            setup.retry = RetryPolicy::try_new(seconds(10), seconds(60)).unwrap();
        });
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=5);
        pass(seconds(2)).await;
        assert_eq!(forest.counters().resources_asked, 5);
        let (state, failures) = stands(&provider, &agent(2)).await;
        assert_ne!(state, SubscriptionState::Active);
        assert_eq!(failures, 1);
        pass(seconds(120)).await;
        let asked = forest.counters().resources_asked;
        assert!((6..=12).contains(&asked), "again, and less and less often: {asked}");
        for number in [1, 3, 4, 5] {
            assert_eq!(stands(&provider, &agent(number)).await, (SubscriptionState::Active, 0));
        }
        forest.assert_no_violation();
    });
}

#[test]
fn a_register_that_is_answered_503_waits_for_its_retry_after() {
    in_virtual_time(|| async {
        let (provider, forest) = skype_provider(one_pool(20), APPLICATION, in_a_hurry);
        forest.command("refuse REGISTER 503 retry-after 40s times 1");
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=20);
        pass(seconds(39)).await;
        let counters = forest.counters();
        assert_eq!((counters.registers, counters.resources_asked), (1, 0), "left alone");
        pass(seconds(10)).await;
        all_well(&provider, &forest, &ucc, 20).await;
        assert_eq!(forest.counters().registers, 2);
    });
}

#[test]
fn a_registration_that_is_redirected_for_ever_is_followed_three_times_and_then_at_the_pace_of_the_probes() {
    in_virtual_time(|| async {
        let mut settings = one_pool(5);
        let mut second = settings.pools[0].clone();
        second.fqdn = "pool2.example.test".into();
        settings.pools.push(second);
        settings.switches.contacts_by_address = true;
        // At home on the second pool, but the network in memory always leads to the first.
        settings.endpoints.iter_mut().for_each(|homed| homed.pool = 1);
        let (provider, forest) = skype_provider(settings, APPLICATION, in_a_hurry);
        pass(seconds(2)).await;
        assert_eq!(forest.counters().registers, 4, "the first and three that were followed");
        pass(seconds(58)).await;
        let registers = forest.counters().registers;
        // One each 5 s, and three more where each of them is followed again.
        assert!((10..=60).contains(&registers), "{registers}");
        drop(provider);
        errors::take();
    });
}

#[test]
fn an_endpoint_that_was_started_again_replaces_its_registration() {
    in_virtual_time(|| async {
        let ((first, first_side), (second, second_side)) = (memory::network(), memory::network());
        let forest = VirtualForest::start(one_pool(5), vec![first_side, second_side]);
        let start = |network| {
            let mut endpoint = endpoint(EndpointKind::Application, network);
            endpoint.dialect = DialectSetup::Skype { registers: true };
            let mut setup = Setup::new(rules(), vec![endpoint]);
            setup.subscriptions_per_second = NonZeroU32::new(100).unwrap();
            Provider::start(setup)
        };
        let before = start(first);
        pass(seconds(2)).await;
        assert_eq!(forest.counters().registered_now, 1);
        // The machine died: nothing was taken back.
        forest.set_online(0, false);
        settle().await;
        let after = start(second);
        pass(seconds(2)).await;
        let counters = forest.counters();
        assert_eq!((counters.registers, counters.registered_now), (2, 1), "the same epid");
        forest.assert_no_violation();
        drop((before, after));
        errors::take();
    });
}

#[test]
fn what_came_within_a_second_goes_in_one_message_and_what_goes_leaves_in_one() {
    in_virtual_time(|| async {
        let (provider, forest) = skype_provider(one_pool(100), APPLICATION, in_a_hurry);
        pass(seconds(2)).await;
        let (one, two) = (Recorder::start(&provider, "one"), Recorder::start(&provider, "two"));
        one.subscribe_to(1..=50);
        pass(Duration::from_millis(100)).await;
        two.subscribe_to(51..=100);
        pass(seconds(3)).await;
        let counters = forest.counters();
        assert_eq!(forest.live(), 100);
        assert!(counters.subscribes_initial + counters.subscribes_in_dialog <= 2, "{counters:?}");
        let before = counters.subscribes_in_dialog;
        (1..=50).for_each(|number| one.unsubscribe(&agent(number)));
        pass(seconds(3)).await;
        assert_eq!((forest.live(), forest.counters().subscribes_in_dialog - before), (50, 1));
        forest.assert_no_violation();
    });
}

#[test]
fn a_front_end_that_does_everything_in_the_other_way_is_served_as_well() {
    in_virtual_time(|| async {
        let mut settings = one_pool(40);
        let switches = &mut settings.switches;
        (switches.piggyback, switches.notify_before_answer, switches.benotify) = (false, true, false);
        (switches.header_variants, switches.signed_routes, switches.multipart_updates) = (true, true, true);
        (switches.bursts, switches.sequence_gaps, switches.rlmi_omits_active) = (true, true, true);
        let (provider, forest) = skype_provider(settings, APPLICATION, sample);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=40);
        pass(seconds(10)).await;
        let mut ledger = Ledger::of(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        forest.command(&format!("set {} away no-video", agent(4)));
        settle().await;
        ledger.read(ucc.heard());
        assert_eq!(ledger.presence(&agent(4)).status.availability, presence_core::Availability::AWAY);
        pass(seconds(24 * 3_600)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        assert_eq!((forest.live(), forest.counters().subscribes_initial), (40, 1));
        assert_eq!(forest.counters().notifies_rejected, 0);
        forest.assert_no_violation();
        drop(provider);
    });
}

/// Two pools on loopback; both endpoints are at home on the second, and know only the first.
fn two_pools_on_loopback(agents: usize) -> FrontEndHandle {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut settings = one_pool(agents);
    settings.pools = ["pool.example.test", "pool2.example.test"]
        .map(|fqdn| PoolSettings { fqdn: fqdn.into(), address: anywhere })
        .into();
    settings.switches.contacts_by_address = true;
    settings.endpoints.iter_mut().chain(&mut settings.agents).for_each(|homed| homed.pool = 1);
    FrontEndServer::start_on_own_thread(FrontEndServerSettings::on_loopback(settings)).unwrap()
}

/// Asks again until it is so; the sockets are real, and so is the time.
async fn until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if so() {
            return;
        }
        pass(Duration::from_millis(10)).await;
    }
    panic!("{what}: not within 20 s");
}

#[test]
fn a_301_leads_to_the_home_pool_and_a_preferred_registrar_to_the_next_over_real_connections() {
    actix::System::new().block_on(async {
        let forest = two_pools_on_loopback(10);
        let first = forest.address(0);
        let at = Pool::Address { host: first.ip().to_string(), port: Some(first.port()) };
        let uri = "sip:application@example.test";
        let mut endpoint = EndpointSetup::new(EndpointKind::Application, uri.parse().unwrap(), at, TransportKind::Tcp);
        endpoint.dialect = DialectSetup::Skype { registers: true };
        let mut setup = Setup::new(rules(), vec![endpoint]);
        in_a_hurry(&mut setup);
        let provider = Provider::start(setup);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=10);
        until("all subscribed at the home pool", || forest.live_subscriptions() == 10).await;
        // It was refused at the first pool, which sent it on, and accepted at the second.
        let counters = forest.counters();
        assert_eq!((counters.registers, counters.registered_now), (2, 1));
        assert_eq!(counters.dialogs.get(&(uri.to_owned(), 1)), Some(&1), "{:?}", counters.dialogs);

        forest.command(&format!("deregister {uri} preferred-registrar-change 0")).unwrap();
        forest.command("move all 0").unwrap();
        until("all subscribed at the preferred pool", || {
            let dialogs = forest.counters().dialogs;
            forest.live_subscriptions() == 10 && dialogs.get(&(uri.to_owned(), 0)) == Some(&1)
        })
        .await;
        pass(Duration::from_millis(50)).await;
        let mut ledger = Ledger::of(ucc.heard());
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        assert_eq!(forest.counters().registers, 3, "straight to the pool that was named");
        assert_eq!(forest.counters().violations, Vec::<String>::new());
    });
}

#[test]
fn one_agent_that_spoils_every_batch_fails_alone_whatever_the_400_is_diagnosed_with() {
    for diagnosis in [1_000, 4_002, 4_001] {
        in_virtual_time(move || async move {
            let (provider, forest) = skype_provider(one_pool(30), APPLICATION, in_a_hurry);
            let culprit = agent(13);
            forest.command(&format!("refuse SUBSCRIBE 400 agent {culprit} diagnostics {diagnosis}"));
            let ucc = Recorder::start(&provider, "ucc");
            ucc.subscribe_to((1..=30).filter(|number| *number != 13));
            ucc.subscribe(&culprit);
            pass(seconds(60)).await;
            let served = (1..=30).filter(|number| forest.served_by(*number).len() == 1).count();
            assert_eq!(served, 29, "diagnosed with {diagnosis}");
            assert_eq!(stands(&provider, &culprit).await.0, SubscriptionState::Abandoned);
            let subscription = provider.observe_agent(&culprit).await.unwrap().subscription.unwrap();
            assert_eq!(subscription.last_failure.unwrap().ms_diagnostics, Some(diagnosis));
            errors::take();
        });
    }
}

#[test]
fn a_telephone_number_among_the_agents_costs_the_others_nothing() {
    in_virtual_time(|| async {
        let (provider, forest) = skype_provider(one_pool(10), APPLICATION, in_a_hurry);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=10);
        ucc.subscribe(&"tel:4711".parse().unwrap());
        pass(seconds(60)).await;
        all_well(&provider, &forest, &ucc, 10).await;
        errors::take();
    });
}
