//! What days of chance have found, each by itself.

use presence_core::{EndpointKind, Freshness};

use crate::forest::{APPLICATION, USER, one_pool, sample, skype_provider};
use crate::support::{Ledger, Recorder, agent, errors, in_a_hurry, in_virtual_time, pass, seconds};

const ONE: &[EndpointKind] = &[EndpointKind::Application];
const BOTH: &[EndpointKind] = &[EndpointKind::Application, EndpointKind::User];

#[test]
fn an_agent_that_moves_to_our_own_pool_joins_the_list_that_is_there() {
    in_virtual_time(|| async {
        let mut settings = one_pool(20);
        let mut second = settings.pools[0].clone();
        second.fqdn = "pool2.example.test".into();
        settings.pools.push(second);
        settings.agents[19].pool = 1;
        let (_provider, forest) = skype_provider(settings, ONE, in_a_hurry);
        let ucc = Recorder::start(&_provider, "ucc");
        ucc.subscribe_to(1..=20);
        pass(seconds(6)).await;
        forest.command(&format!("move {} 0", agent(20)));
        pass(seconds(6)).await;
        let mut ledger = Ledger::default();
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        forest.assert_no_violation();
        assert_eq!((forest.live(), forest.counters().replaced_dialogs), (20, 0));
    });
}

#[test]
fn a_registration_that_is_refused_after_a_loss_does_not_make_us_forget_what_the_pool_still_holds() {
    in_virtual_time(|| async {
        let (_provider, forest) = skype_provider(one_pool(20), BOTH, sample);
        let ucc = Recorder::start(&_provider, "ucc");
        ucc.subscribe_to(1..=20);
        pass(seconds(10)).await;
        forest.command(&format!("refuse REGISTER 403 times 1 agent {APPLICATION}"));
        forest.drop_connections(0);
        pass(seconds(90)).await;
        for number in 1..=20 {
            assert_eq!(forest.served_by(number), [USER]);
        }
        forest.assert_no_violation();
        assert!(!errors::take().is_empty(), "a refusal is an alarm");
    });
}

#[test]
fn an_agent_who_is_turned_away_only_after_the_200_is_given_up_all_the_same() {
    in_virtual_time(|| async {
        let mut settings = one_pool(5);
        settings.switches.piggyback = false;
        let (provider, forest) = skype_provider(settings, BOTH, sample);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=6);
        pass(seconds(400)).await;
        let view = provider.observe().await.unwrap();
        let nobody = view.agents().find(|view| view.uri == agent(6)).unwrap();
        let subscription = nobody.subscription.as_ref().unwrap();
        assert_eq!(subscription.state, presence_core::SubscriptionState::Abandoned, "{subscription:?}");
        assert_eq!(forest.live(), 5);
        forest.assert_no_violation();
    });
}
