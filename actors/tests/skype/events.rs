//! What the pool tells an endpoint about its registration, and what becomes of the agents (MS-SIPREGE; facts A.3).

use presence_actors::Provider;
use presence_core::{EndpointKind, EndpointState, Freshness, SubscriptionState};

use crate::forest::{APPLICATION, VirtualForest, one_pool, skype_provider};
use crate::support::{Ledger, Recorder, Ucc, errors, in_a_hurry, in_virtual_time, pass, seconds, settle};

const AGENTS: usize = 20;

async fn twenty() -> (Provider, VirtualForest, Ucc, Ledger) {
    let (provider, forest) = skype_provider(one_pool(AGENTS), &[EndpointKind::Application], in_a_hurry);
    let ucc = Recorder::start(&provider, "ucc");
    ucc.subscribe_to(1..=AGENTS);
    pass(seconds(4)).await;
    let ledger = Ledger::of(ucc.heard());
    ledger.assert_all(Freshness::Fresh);
    (provider, forest, ucc, ledger)
}

async fn state(provider: &Provider) -> EndpointState {
    provider.observe().await.unwrap().endpoint(EndpointKind::Application).unwrap().state
}

/// All are back, once, and nothing is on their account.
async fn all_well(provider: &Provider, forest: &VirtualForest, ucc: &Ucc, ledger: &mut Ledger) {
    ledger.read(ucc.heard());
    ledger.assert_all(Freshness::Fresh);
    assert_eq!((forest.live(), forest.counters().most_live_for_one_agent), (AGENTS, 1));
    for agent in provider.observe().await.unwrap().agents() {
        let subscription = agent.subscription.as_ref().unwrap();
        assert_eq!((subscription.state, subscription.failures), (SubscriptionState::Active, 0), "{}", agent.uri);
    }
    forest.assert_no_violation();
}

#[test]
fn unregistered_is_told_as_an_alarm_and_the_endpoint_registers_again_after_a_back_off() {
    in_virtual_time(|| async {
        let (provider, forest, ucc, mut ledger) = twenty().await;
        forest.command(&format!("deregister {APPLICATION} unregistered"));
        settle().await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Stale);
        assert_eq!(state(&provider).await, EndpointState::Terminated);
        let alarms = errors::take();
        assert_eq!(alarms.len(), 1, "{alarms:?}");
        pass(seconds(4)).await;
        assert_eq!(forest.counters().registers, 1, "not at once");
        pass(seconds(6)).await;
        assert_eq!(forest.counters().registers, 2);
        all_well(&provider, &forest, &ucc, &mut ledger).await;
    });
}

#[test]
fn rejected_is_tried_again_seldom_until_an_operator_has_mended_it() {
    in_virtual_time(|| async {
        let (provider, forest, ucc, mut ledger) = twenty().await;
        forest.command(&format!("deregister {APPLICATION} rejected"));
        pass(seconds(600)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Stale);
        let registers = forest.counters().registers;
        assert!((8..=12).contains(&registers), "once a minute: {registers}");
        assert!(!errors::take().is_empty(), "it is an alarm");
        forest.command("heal");
        pass(seconds(65)).await;
        all_well(&provider, &forest, &ucc, &mut ledger).await;
        errors::take();
    });
}

#[test]
fn deactivated_registers_again_at_once() {
    in_virtual_time(|| async {
        let (provider, forest, ucc, mut ledger) = twenty().await;
        forest.command(&format!("deregister {APPLICATION} deactivated"));
        pass(seconds(3)).await;
        assert_eq!(state(&provider).await, EndpointState::Established);
        all_well(&provider, &forest, &ucc, &mut ledger).await;
        assert_eq!(forest.counters().registers, 2);
    });
}

#[test]
fn user_services_that_are_away_make_all_stale_and_nobody_is_asked_for_until_they_are_back() {
    in_virtual_time(|| async {
        let (provider, forest, ucc, mut ledger) = twenty().await;
        forest.command("user-services off");
        settle().await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Stale);
        let before = forest.counters();
        pass(seconds(600)).await;
        let after = forest.counters();
        let asked = after.resources_asked - before.resources_asked;
        assert!(asked <= AGENTS as u64 * 14, "the breaker holds: {asked}");
        assert_eq!(after.registers, before.registers, "the registration stands");
        forest.command("user-services on");
        pass(seconds(4)).await;
        all_well(&provider, &forest, &ucc, &mut ledger).await;
        assert_eq!(forest.counters().subscribes_initial, 1, "the dialog was kept");
    });
}

#[test]
fn a_change_of_the_preferred_registrar_is_followed() {
    in_virtual_time(|| async {
        let mut settings = one_pool(AGENTS);
        let mut second = settings.pools[0].clone();
        second.fqdn = "pool2.example.test".into();
        settings.pools.push(second);
        settings.switches.contacts_by_address = true;
        let (provider, forest) = skype_provider(settings, &[EndpointKind::Application], in_a_hurry);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=AGENTS);
        pass(seconds(4)).await;
        forest.command(&format!("deregister {APPLICATION} preferred-registrar-change 1"));
        // The network in memory leads to the same front end wherever it is dialled.
        pass(seconds(6)).await;
        let mut ledger = Ledger::of(ucc.heard());
        assert!(forest.dialled().len() >= 2, "it connected anew");
        assert!(forest.counters().registers >= 2);
        ledger.read(ucc.heard());
    });
}

#[test]
fn a_registration_that_is_refused_is_said_and_tried_again() {
    in_virtual_time(|| async {
        let (provider, forest) = skype_provider(one_pool(AGENTS), &[EndpointKind::Application], in_a_hurry);
        forest.command("refuse REGISTER 403 times 2");
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=AGENTS);
        pass(seconds(30)).await;
        assert_eq!((forest.live(), state(&provider).await), (0, EndpointState::Terminated));
        assert!(!errors::take().is_empty());
        pass(seconds(100)).await;
        let mut ledger = Ledger::default();
        all_well(&provider, &forest, &ucc, &mut ledger).await;
        errors::take();
    });
}

#[test]
fn a_registration_that_is_answered_480_is_tried_again_every_five_seconds() {
    in_virtual_time(|| async {
        let (provider, forest) = skype_provider(one_pool(AGENTS), &[EndpointKind::Application], in_a_hurry);
        forest.command("refuse REGISTER 480 times 3");
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=AGENTS);
        pass(seconds(22)).await;
        let mut ledger = Ledger::default();
        all_well(&provider, &forest, &ucc, &mut ledger).await;
        assert_eq!(forest.counters().registers, 4);
    });
}
