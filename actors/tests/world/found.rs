//! What worlds have found, each by itself.

use std::cell::RefCell;
use std::rc::Rc;

use presence_simulator::{AgentState, Dice};

use crate::journal::Journal;
use crate::process::{Process, Settings};
use crate::site::{Kind, Site};
use crate::support::{
    Ledger, Recorder, agent, errors, in_virtual_time, pass, provider_with_two_pools, seconds, settle,
};
use crate::told::Told;

/// World 18: it was subscribed to at the application endpoint, beside the dialog at the user endpoint, which was ended only
/// with a token of its own.
#[test]
fn an_agent_whose_actor_dies_goes_on_at_the_endpoint_that_holds_its_dialog() {
    in_virtual_time(|| async {
        let (provider, application, user) = provider_with_two_pools(5, |_| {});
        application.set_online(false);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=5);
        pass(seconds(30)).await;
        application.set_online(true);
        pass(seconds(30)).await;
        assert_eq!((application.subscriptions().len(), user.subscriptions().len()), (0, 5));
        assert!(provider.drill_agent(agent(3)).await);
        settle().await;
        assert_eq!(errors::take().len(), 1);
        assert_eq!((application.subscriptions().len(), user.subscriptions().len()), (0, 5));
        pass(seconds(30)).await;
        assert_eq!((application.subscriptions().len(), user.subscriptions().len()), (0, 5));
        assert_eq!(user.counters().most_for_one_agent, 1);
        Ledger::of(ucc.heard()).assert_all(presence_core::Freshness::Fresh);
    });
}

/// World 805: a front end refused a refresh, and whoever was in it was taken out of the list, while their machines and every UCC
/// took what they had for fresh.
#[test]
fn whose_refresh_a_front_end_refuses_is_known_as_they_are_all_the_same() {
    in_virtual_time(|| async {
        let (first, longest) = (seconds(10), seconds(40));
        let settings = Settings { rate: 15, first, longest, max_failures: 3, outbox: 100, endpoints: 1, samples: None };
        let journal = Rc::new(RefCell::new(Journal::new(Kind::Skype, 15, first, longest)));
        let site = Site::start(Kind::Skype, 3, 1, seconds(1_800), journal);
        let process = Process::start(&site, Kind::Skype, settings, 1, None).await;
        let ucc = process.ucc("ucc").await;
        ucc.subscribe_to(1..=3);
        pass(seconds(10)).await;
        assert_eq!(site.live(), 3);
        site.refuse(3, Some(404));
        let mut waited = 0;
        while errors::take().is_empty() {
            waited += 1;
            assert!(waited < 1_800, "no refresh was refused");
            pass(seconds(1)).await;
        }
        // As long as it takes to take somebody out.
        pass(seconds(15)).await;
        let (mut told, mut dice, mut state) = (Told::default(), Dice::new(1), AgentState::default());
        while state.availability() == AgentState::default().availability() {
            state = state.another(&mut dice);
        }
        site.set(1, state);
        pass(seconds(1)).await;
        for (_, event) in ucc.heard_when() {
            told.hear(&event).unwrap();
        }
        let fresh = told.fresh(&agent(1)).map(|presence| presence.status.availability);
        assert_eq!((fresh, site.live()), (Some(state.availability()), 3));
        process.kill().await;
    });
}
