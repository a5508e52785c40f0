//! Front ends that stop notifying without a sign: found by queries beside the list, and mended.

use std::time::Duration;

use presence_actors::Provider;
use presence_core::{Availability, EndpointKind, Freshness, SampleOutcome};
use presence_simulator::Activity;

use crate::forest::{VirtualForest, one_pool, sample, skype_provider};
use crate::support::{Ledger, Recorder, Ucc, agent, in_virtual_time, pass, seconds, settle};

const INTERVAL: Duration = seconds(10);
/// A difference is asked about again after 6 s; what is taken out of the list and put in again waits for three moments.
const MENDED_WITHIN: Duration = seconds(20);

async fn known(agents: usize, kinds: &[EndpointKind]) -> (Provider, VirtualForest, Ucc, Ledger) {
    let (provider, forest) = skype_provider(one_pool(agents), kinds, |setup| {
        sample(setup);
        setup.sample_interval = Some(INTERVAL);
    });
    let ucc = Recorder::start(&provider, "ucc");
    ucc.subscribe_to(1..=agents);
    pass(seconds(9)).await;
    let mut ledger = Ledger::of(ucc.heard());
    ledger.read(Vec::new());
    ledger.assert_all(Freshness::Fresh);
    (provider, forest, ucc, ledger)
}

fn all_true(forest: &VirtualForest, ledger: &Ledger, agents: usize) {
    ledger.assert_all(Freshness::Fresh);
    for number in 1..=agents {
        let state = forest.presence(&agent(number)).unwrap();
        let expected = if state.activity == Activity::Busy { Availability::BUSY } else { Availability::ONLINE };
        assert_eq!(ledger.presence(&agent(number)).status.availability, expected, "agent {number}");
        assert_eq!(forest.served_by(number).len(), 1, "agent {number}");
    }
    let counters = forest.counters();
    assert_eq!((forest.live(), counters.most_live_for_one_agent), (agents, 1));
    assert!(counters.most_resources_in_a_second <= 15, "{}", counters.most_resources_in_a_second);
    forest.assert_no_violation();
}

#[test]
fn one_agent_about_whom_the_front_end_went_mute_is_found_and_its_list_is_not_disturbed() {
    in_virtual_time(|| async {
        let (provider, forest, ucc, mut ledger) = known(20, &[EndpointKind::Application]).await;
        let lists = forest.counters().subscribes_initial;
        forest.command(&format!("mute {}", agent(7)));
        forest.set(7, Activity::Busy);
        settle().await;
        ledger.read(ucc.heard());
        assert_eq!(ledger.presence(&agent(7)).status.availability, Availability::ONLINE, "nobody has said it");
        pass(INTERVAL * 20 + MENDED_WITHIN).await;
        ledger.read(ucc.heard());
        all_true(&forest, &ledger, 20);
        let read = provider.meters().read();
        assert_eq!((read.silent_losses, read.samples[&SampleOutcome::Lost]), (1, 1));
        let counters = forest.counters();
        assert_eq!(counters.subscribes_initial - lists, counters.queries, "the list stands");
        assert_eq!(counters.batch_dialogs_now, 1);
        for number in [7, 8] {
            forest.set(number, Activity::Busy);
            forest.set(number, Activity::Available);
        }
        settle().await;
        ledger.read(ucc.heard());
        all_true(&forest, &ledger, 20);
    });
}

#[test]
fn a_front_end_that_went_mute_about_everybody_is_found_faster_and_faster_and_the_rate_holds() {
    in_virtual_time(|| async {
        let (provider, forest, ucc, mut ledger) = known(100, &[EndpointKind::Application, EndpointKind::User]).await;
        forest.command("mute");
        (1..=100).for_each(|number| forest.set(number, Activity::Busy));
        pass(seconds(120)).await;
        ledger.read(ucc.heard());
        all_true(&forest, &ledger, 100);
        assert_eq!(provider.meters().read().silent_losses, 100);
    });
}

/// A day, or as much of it as there is time for.
fn hours() -> u64 {
    if std::env::var_os("PP_LONG_TESTS").is_some() { 24 } else { 4 }
}

#[test]
fn no_sample_finds_a_loss_at_a_front_end_that_tells_everything() {
    in_virtual_time(|| async {
        let mut settings = one_pool(20);
        settings.change_interval = Some(seconds(100));
        let (provider, forest) = skype_provider(settings, &[EndpointKind::Application], |setup| {
            sample(setup);
            setup.sample_interval = Some(INTERVAL);
        });
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=20);
        pass(seconds(60)).await;
        forest.command("delay 2s");
        let mut ledger = Ledger::default();
        let hours = hours();
        for _ in 0..hours {
            pass(seconds(3_600)).await;
            ledger.read(ucc.heard());
        }
        let read = provider.meters().read();
        assert_eq!((read.silent_losses, read.samples[&SampleOutcome::Lost]), (0, 0), "{:?}", read.samples);
        let (same, void) = (read.samples[&SampleOutcome::Same], read.samples[&SampleOutcome::Void]);
        assert!(same > 300 * hours && void >= 2 * hours, "{:?}", read.samples);
        assert!(ledger.changes > 500 * hours, "{}", ledger.changes);
        forest.assert_no_violation();
    });
}
