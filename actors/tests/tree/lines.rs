//! Agents on telephone lines.

use presence_actors::PresenceEvent;
use presence_core::{AgentUri, Availability};

use crate::support::{Ledger, Recorder, Ucc, in_virtual_time, pass, provider_with, seconds, settle};

fn line(number: usize) -> AgentUri {
    format!("tel:+3161234{number:04}").parse().unwrap()
}

fn start(ucc: &Ucc, line: &AgentUri, call: &'static str) {
    let line = line.clone();
    ucc.with(move |client| client.call_started(&line, call));
}

fn end(ucc: &Ucc, line: &AgentUri, call: &'static str) {
    let line = line.clone();
    ucc.with(move |client| client.call_ended(&line, call));
}

fn availabilities(ucc: &Ucc) -> Vec<Availability> {
    ucc.heard().iter().filter_map(PresenceEvent::presence).map(|presence| presence.status.availability).collect()
}

#[test]
fn overlapping_calls_of_several_uccs_are_counted() {
    in_virtual_time(|| async {
        let (provider, _pool) = provider_with(0, |_| {});
        let (one, two) = (Recorder::start(&provider, "one"), Recorder::start(&provider, "two"));
        one.subscribe(&line(1));
        settle().await;
        assert_eq!(availabilities(&one), [Availability::ONLINE]);
        start(&one, &line(1), "a");
        start(&two, &line(1), "a");
        start(&two, &line(1), "b");
        start(&two, &line(1), "b");
        settle().await;
        let events = one.heard();
        assert_eq!(events.len(), 1);
        let status = events[0].presence().unwrap().status.clone();
        assert_eq!((status.availability, status.activity.as_deref()), (Availability::BUSY, Some("on-the-phone")));
        end(&one, &line(1), "a");
        end(&one, &line(1), "a");
        end(&two, &line(1), "b");
        end(&two, &line(1), "never began");
        settle().await;
        assert_eq!(one.heard(), [], "one call is left");
        two.subscribe(&line(1));
        settle().await;
        assert_eq!(availabilities(&two), [Availability::BUSY]);
        end(&two, &line(1), "a");
        settle().await;
        assert_eq!(
            (availabilities(&one), availabilities(&two)),
            (vec![Availability::ONLINE], vec![Availability::ONLINE])
        );
    });
}

#[test]
fn the_calls_of_a_dead_ucc_are_released() {
    in_virtual_time(|| async {
        let (provider, _pool) = provider_with(0, |_| {});
        let (watches, dies) = (Recorder::start(&provider, "watches"), Recorder::start(&provider, "dies"));
        watches.subscribe(&line(1));
        watches.subscribe(&line(2));
        start(&dies, &line(1), "a");
        start(&dies, &line(2), "b");
        start(&watches, &line(2), "c");
        settle().await;
        watches.heard();
        dies.crash();
        pass(seconds(1)).await;
        let ledger: Vec<_> = watches.heard();
        assert_eq!(ledger.len(), 1, "the other line has a call of another UCC: {ledger:?}");
        assert_eq!(ledger[0].uri(), Some(&line(1)));
        assert_eq!(ledger[0].presence().unwrap().status.availability, Availability::ONLINE);
    });
}

#[test]
fn a_call_that_began_before_anybody_watched_counts() {
    in_virtual_time(|| async {
        let (provider, _pool) = provider_with(0, |_| {});
        let ucc = Recorder::start(&provider, "ucc");
        start(&ucc, &line(1), "a");
        settle().await;
        ucc.subscribe(&line(1));
        settle().await;
        let ledger = Ledger::of(ucc.heard());
        assert_eq!(ledger.presence(&line(1)).status.availability, Availability::BUSY);
        ucc.unsubscribe(&line(1));
        ucc.subscribe(&line(1));
        settle().await;
        assert_eq!(availabilities(&ucc), [Availability::BUSY]);
    });
}

#[test]
fn lines_that_nobody_watches_are_let_go_however_many_at_once() {
    in_virtual_time(|| async {
        let (provider, _pool) = provider_with(0, |_| {});
        let ucc = Recorder::start(&provider, "ucc");
        (0..500).for_each(|number| ucc.subscribe(&line(number)));
        settle().await;
        assert_eq!(provider.observe().await.unwrap().agents().count(), 500);
        assert_eq!(availabilities(&ucc).len(), 500);
        ucc.end();
        pass(seconds(1)).await;
        assert_eq!(provider.observe().await.unwrap().agents().count(), 0);
    });
}
