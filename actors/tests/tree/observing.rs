//! What people and observers are told: occurrences, one agent, UCCs and their calls, and what is counted.

use std::num::NonZeroU32;
use std::time::Duration;

use presence_actors::{Occurrence, Provider, Push, PushRefused};
use presence_core::{
    AgentUri, Availability, EndpointKind, EndpointState, FailureKind, Freshness, RetryPolicy, Status, SubscriptionState,
};
use presence_simulator::Activity;
use tokio::sync::broadcast::Receiver;

use crate::support::{
    Ledger, Recorder, agent, errors, in_a_hurry, in_virtual_time, pass, provider_with, seconds, settle,
};

fn console(number: usize) -> AgentUri {
    format!("sip:console{number}@console.test").parse().unwrap()
}

fn line(number: usize) -> AgentUri {
    format!("tel:+3161234{number:04}").parse().unwrap()
}

fn away(uri: AgentUri) -> Push {
    Push { uri, status: Status::of(Availability::AWAY), time_to_live: seconds(600) }
}

/// Everything that has come, in a word or two each.
fn told(occurrences: &mut Receiver<Occurrence>) -> Vec<String> {
    std::iter::from_fn(|| occurrences.try_recv().ok()).map(|occurrence| in_words(&occurrence)).collect()
}

fn in_words(occurrence: &Occurrence) -> String {
    match occurrence {
        Occurrence::Changed(change) => {
            let user = change.uri.user().unwrap();
            format!("{user} is {} {:?}", change.new.status.availability.name(), change.new.freshness)
        }
        Occurrence::Endpoint { from, to, up, failure, .. } => {
            format!(
                "{from} -> {to}{}{}",
                if *up { ", up" } else { "" },
                if failure.is_some() { ", failed" } else { "" }
            )
        }
        Occurrence::Failed { uri, failure, failures, .. } => {
            format!("{} failed {failures}: {:?}", uri.user().unwrap(), failure.code)
        }
        Occurrence::Abandoned { uri, .. } => format!("{} abandoned", uri.user().unwrap()),
        Occurrence::Graph { report, .. } => format!("{report:?}"),
        Occurrence::SilentLoss { uri, .. } => format!("{} silently lost", uri.user().unwrap()),
        Occurrence::Revived { uri, .. } => format!("{} revived", uri.user().unwrap()),
    }
}

#[test]
fn an_observer_hears_of_endpoints_and_agents_in_the_order_in_which_it_happens() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(1, |_| {});
        let mut occurrences = provider.occurrences();
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe(&agent(1));
        pass(seconds(2)).await;
        pool.set(1, Activity::Busy);
        pass(seconds(2)).await;
        pool.set_online(false);
        pass(seconds(2)).await;
        pool.set_online(true);
        pass(seconds(20)).await;
        assert_eq!(
            told(&mut occurrences),
            [
                "Idle -> Establishing",
                "Establishing -> Established, up",
                "agent1 is Online Fresh",
                "agent1 is Busy Fresh",
                "Established -> Reestablishing, failed",
                "agent1 is Busy Stale",
                "Reestablishing -> Established, up",
                "agent1 is Busy Fresh",
            ]
        );
        let counted = provider.meters().read();
        assert_eq!((counted.changes, counted.subscribes["accepted"]), (4, 2));
        let times = |state| counted.transitions[&(EndpointKind::Application, state)];
        assert_eq!(
            (
                times(EndpointState::Establishing),
                times(EndpointState::Established),
                times(EndpointState::Reestablishing)
            ),
            (1, 2, 1)
        );
        assert_eq!(Ledger::of(ucc.heard()).changes, 4, "the UCC hears the same");
    });
}

#[test]
fn an_agent_that_backs_off_and_is_given_up_shows_it_at_once() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(2, |setup| {
            setup.retry = RetryPolicy::try_new(seconds(10), seconds(60)).unwrap();
            setup.max_failures = 1;
        });
        let mut occurrences = provider.occurrences();
        pool.refuse(&agent(1), 404);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe(&agent(1));
        pass(seconds(5)).await;
        let view = provider.observe_agent(&agent(1)).await.unwrap();
        let subscription = view.subscription.unwrap();
        assert_eq!((subscription.state, subscription.failures), (SubscriptionState::BackingOff, 1));
        assert!(subscription.next_retry.is_some());
        assert_eq!((view.watchers.len(), &*view.watchers[0], view.quarantined_until), (1, "ucc", None));
        pass(seconds(20)).await;
        let subscription = provider.observe_agent(&agent(1)).await.unwrap().subscription.unwrap();
        assert_eq!(subscription.state, SubscriptionState::Abandoned);
        assert_eq!(subscription.last_failure.unwrap().code, Some(404));
        assert_eq!(provider.observe_agent(&agent(2)).await, None, "nobody wants it");
        pool.fault(&agent(1), presence_simulator::Faults::default());
        assert_eq!(provider.revive(Some(agent(1))).await, 1);
        pass(seconds(2)).await;
        let of_the_agent: Vec<_> = told(&mut occurrences).into_iter().filter(|text| text.contains("agent1")).collect();
        assert_eq!(
            of_the_agent,
            [
                "agent1 failed 1: Some(404)",
                "agent1 failed 2: Some(404)",
                "agent1 abandoned",
                "agent1 revived",
                "agent1 is Online Fresh",
            ]
        );
        let counted = provider.meters().read();
        assert_eq!((counted.failures[&FailureKind::NotFound], counted.abandoned, counted.revived), (2, 1, 1));
        assert_eq!((counted.subscribes["refused"], counted.subscribes["accepted"]), (2, 1));
    });
}

#[test]
fn a_pushed_agent_that_nobody_watches_is_told_of_and_one_that_is_withdrawn_is_unknown_at_once() {
    in_virtual_time(|| async {
        let (provider, _pool) = provider_with(1, |_| {});
        let mut occurrences = provider.occurrences();
        provider.push(away(console(1))).await.unwrap();
        // Taken back in the same breath: the push is on its way to the agent.
        assert_eq!(provider.withdraw(console(1)).await, Ok(true));
        assert_eq!(provider.withdraw(console(1)).await, Ok(false));
        assert_eq!(provider.withdraw(console(2)).await, Ok(false), "nobody has ever heard of it");
        assert_eq!(provider.withdraw(agent(1)).await, Err(PushRefused::NotAttendant(agent(1))));
        settle().await;
        let of_consoles: Vec<_> = told(&mut occurrences).into_iter().filter(|text| text.contains("console")).collect();
        assert_eq!(of_consoles, ["console1 is Away Fresh", "console1 is Unknown Unknown"]);
        assert_eq!(provider.observe_agent(&console(1)).await, None, "nothing is kept of it");
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe(&console(1));
        provider.push(away(console(1))).await.unwrap();
        settle().await;
        assert_eq!(provider.observe_agent(&console(1)).await.unwrap().presence.status.availability, Availability::AWAY);
        assert_eq!(provider.withdraw(console(1)).await, Ok(true));
        settle().await;
        assert_eq!(Ledger::of(ucc.heard()).presence(&console(1)).freshness, Freshness::Unknown);
        provider.shutdown(seconds(10)).await;
        assert_eq!(provider.withdraw(console(1)).await, Err(PushRefused::ShuttingDown));
    });
}

/// How each UCC stands: its name, its agents and its calls.
async fn uccs(provider: &Provider) -> Vec<(String, usize, usize)> {
    provider.uccs().await.iter().map(|ucc| (ucc.name.to_string(), ucc.agents, ucc.calls)).collect()
}

#[test]
fn calls_are_listed_with_their_uccs_and_end_with_them() {
    in_virtual_time(|| async {
        let (provider, _pool) = provider_with(0, |_| {});
        let [one, two, silent] = ["sales", "service", "silent"].map(|name| Recorder::start(&provider, name));
        one.subscribe(&line(1));
        one.with(|client| client.call_started(&line(1), "a"));
        settle().await;
        let began = presence_actors::now();
        pass(seconds(5)).await;
        two.with(|client| {
            client.call_started(&line(1), "a");
            client.call_started(&line(2), "b");
            client.call_started(&line(2), "b");
        });
        settle().await;
        let calls = provider.calls().await;
        let texts: Vec<_> = calls.iter().map(|call| format!("{} {} {}", call.ucc, call.call, call.line)).collect();
        let (first, second) = (line(1), line(2));
        assert_eq!(texts, [format!("sales a {first}"), format!("service a {first}"), format!("service b {second}")]);
        assert!(calls[0].since <= began && calls[1].since >= began + seconds(5), "{calls:?}");
        let listed = |name: &str, agents, calls| (name.to_owned(), agents, calls);
        assert_eq!(uccs(&provider).await, [listed("sales", 1, 1), listed("service", 0, 2), listed("silent", 0, 0)]);
        two.crash();
        silent.drop_client();
        pass(seconds(20)).await;
        assert_eq!((provider.calls().await.len(), uccs(&provider).await), (1, vec![listed("sales", 1, 1)]));
        one.with(|client| client.call_ended(&line(1), "a"));
        settle().await;
        assert_eq!((provider.calls().await, uccs(&provider).await), (vec![], vec![listed("sales", 1, 0)]));
    });
}

#[test]
fn a_slow_ucc_shows_what_waits_for_it_and_that_it_lagged() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(1, |setup| setup.outbox = 8);
        let slow = Recorder::start(&provider, "slow");
        slow.subscribe(&agent(1));
        pass(seconds(1)).await;
        assert_eq!((provider.uccs().await[0].waiting, provider.uccs().await[0].lagged), (0, 0));
        slow.set_pace(seconds(60));
        for round in 0..100 {
            pool.set(1, [Activity::Busy, Activity::Away][round % 2]);
            settle().await;
        }
        let view = &provider.uccs().await[0];
        assert!(view.waiting > 0 && view.waiting <= 8 && view.lagged == 1, "{view:?}");
        slow.set_pace(seconds(0));
        pass(seconds(200)).await;
        assert_eq!((provider.uccs().await[0].waiting, provider.uccs().await[0].lagged), (0, 1));
    });
}

#[test]
fn agents_in_quarantine_are_listed_with_what_was_known_of_them() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(2, in_a_hurry);
        let ucc = Recorder::start(&provider, "ucc");
        pool.set(1, Activity::Busy);
        ucc.subscribe_to(1..=2);
        ucc.subscribe(&console(1));
        provider.push(away(console(1))).await.unwrap();
        pass(seconds(2)).await;
        for _ in 0..4 {
            assert!(provider.drill_agent(agent(1)).await && provider.drill_agent(console(1)).await);
            pass(seconds(1)).await;
        }
        assert_eq!((errors::take().len(), provider.meters().read().restarts), (8, 8));
        let view = provider.observe().await.unwrap();
        let quarantined: Vec<_> = view.agents().filter(|agent| agent.quarantined_until.is_some()).collect();
        assert_eq!((quarantined.len(), view.agents().count()), (2, 3));
        let one = provider.observe_agent(&agent(1)).await.unwrap();
        let left = one.quarantined_until.unwrap() - presence_actors::now();
        assert!(left > seconds(3_590) && left <= seconds(3_600), "{left:?}");
        assert_eq!((one.presence.status.availability, one.presence.freshness), (Availability::BUSY, Freshness::Stale));
        assert_eq!((&*one.watchers[0], one.subscription), ("ucc", None));
        // What was pushed can be taken back all the same.
        assert_eq!(provider.withdraw(console(1)).await, Ok(true));
        assert_eq!(provider.withdraw(console(1)).await, Ok(false));
        ucc.heard();
        pass(seconds(3_600)).await;
        let view = provider.observe().await.unwrap();
        assert_eq!((view.agents().count(), view.agents().filter(|a| a.quarantined_until.is_some()).count()), (3, 0));
        assert_eq!(provider.observe_agent(&console(1)).await.unwrap().presence.freshness, Freshness::Unknown);
        let heard = ucc.heard();
        let last = heard.iter().rfind(|event| event.uri() == Some(&console(1))).and_then(|event| event.presence());
        assert_eq!(last.unwrap().freshness, Freshness::Unknown, "its watchers hear of it when it is back");
    });
}

#[test]
fn the_wait_for_tokens_is_counted_from_the_request_to_the_grant() {
    in_virtual_time(|| async {
        let (provider, _pool) = provider_with(5, |setup| {
            setup.subscriptions_per_second = NonZeroU32::new(1).unwrap();
        });
        settle().await;
        assert_eq!(provider.meters().read().token_wait.count(), 0);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=5);
        pass(seconds(20)).await;
        let waited = provider.meters().read().token_wait;
        assert_eq!(waited.count(), 5);
        // One each second: 0 + 1 + 2 + 3 + 4 and what the machine adds for safety.
        assert!((10.0..11.0).contains(&waited.sum), "{waited:?}");
        assert_eq!((waited.counts[0], *waited.counts.last().unwrap()), (1, 0), "{waited:?}");
    });
}

#[test]
fn an_endpoint_shows_whether_it_is_up_and_what_went_through_its_connections() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(1, |_| {});
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe(&agent(1));
        pass(seconds(2)).await;
        let look = async || provider.observe().await.unwrap().endpoint(EndpointKind::Application).unwrap().clone();
        let before = look().await;
        assert!(before.up && before.connections == 1, "{before:?}");
        // A SUBSCRIBE and the probe; their answers and a NOTIFY.
        assert!(before.bytes_sent > 400 && before.bytes_received > 600, "{before:?}");
        pool.set(1, Activity::Busy);
        settle().await;
        let after = look().await;
        assert!(after.bytes_received > before.bytes_received + 300, "a NOTIFY: {after:?}");
        pool.set_online(false);
        pass(seconds(1)).await;
        assert!(!look().await.up);
        pool.set_online(true);
        pass(seconds(10)).await;
        let again = look().await;
        assert!(again.up && again.connections > after.connections, "{again:?}");
        provider.drill_endpoint(EndpointKind::Application).await;
        pass(seconds(10)).await;
        let last = look().await;
        assert!(last.up && last.bytes_received > again.bytes_received, "{last:?}");
        assert_eq!(last.connections, again.connections + 1, "what the dead actor counted is kept");
        assert_eq!((errors::take().len(), provider.meters().read().restarts), (1, 1));
    });
}

#[test]
fn what_fails_with_its_endpoint_is_no_occurrence_of_its_agent() {
    in_virtual_time(|| async {
        let (provider, pool) = provider_with(1, |_| {});
        let silent =
            presence_simulator::Faults { delay: Duration::from_secs(5), ..presence_simulator::Faults::default() };
        pool.fault(&agent(1), silent);
        let mut occurrences = provider.occurrences();
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe(&agent(1));
        pass(seconds(2)).await;
        pool.drop_connections();
        pass(seconds(30)).await;
        let failed: Vec<_> = told(&mut occurrences).into_iter().filter(|text| text.contains("agent1 failed")).collect();
        assert_eq!(failed, Vec::<String>::new());
        let counted = provider.meters().read();
        assert_eq!((counted.subscribes["unanswered"], counted.subscribes["accepted"]), (1, 1));
        Ledger::of(ucc.heard()).assert_all(Freshness::Fresh);
    });
}
