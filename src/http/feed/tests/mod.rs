//! The feed, its cursors, and any interleaving of both.

mod chance;

use std::sync::Arc;
use std::time::Instant;

use presence_actors::PresenceEvent;
use presence_core::{AgentUri, Availability, Change, Freshness, Presence, SourceKind, Status};

use super::*;

/// A moment to count from.
fn start() -> Instant {
    presence_actors::now()
}

fn uri(agent: usize) -> AgentUri {
    format!("sip:agent{agent}@demo.example").parse().expect("it is one")
}

/// A presence that tells its number.
fn presence(sequence: u64, now: Instant) -> Arc<Presence> {
    let status = Status::of(Availability::new(3000 + i32::try_from(sequence).expect("small")));
    Arc::new(Presence { status, since: now, source: SourceKind::Ucma, freshness: Freshness::Fresh })
}

fn changed(agent: usize, sequence: u64) -> PresenceEvent {
    let now = start();
    let previous = (sequence > 1).then(|| presence(sequence - 1, now));
    PresenceEvent::Changed(Arc::new(Change { uri: uri(agent), previous, new: presence(sequence, now), sequence }))
}

fn pending(agent: usize) -> PresenceEvent {
    PresenceEvent::Pending { uri: uri(agent) }
}

/// A feed whose queue wants these agents, all of them pending.
fn feed(capacity: usize, agents: usize) -> Feed {
    let mut feed = Feed::new(7, capacity);
    for agent in 0..agents {
        assert!(feed.want(&uri(agent)));
        assert!(feed.tell(pending(agent)));
    }
    feed
}

/// One event in short: `0 pending`, `1 changed 3`, `lagged 5`.
fn short(event: &Happening) -> String {
    let agent = |uri: &AgentUri| uri.as_str().trim_start_matches("sip:agent").replace("@demo.example", "");
    match event {
        Happening::Told(PresenceEvent::Pending { uri }) => format!("{} pending", agent(uri)),
        Happening::Told(PresenceEvent::Current { uri, sequence, .. }) => format!("{} current {sequence}", agent(uri)),
        Happening::Told(PresenceEvent::Changed(change)) => {
            format!("{} changed {}", agent(&change.uri), change.sequence)
        }
        Happening::Told(PresenceEvent::Unserved { uri, .. }) => format!("{} unserved", agent(uri)),
        Happening::Told(PresenceEvent::Lagged { missed }) => format!("queue lagged {missed}"),
        Happening::Released(uri) => format!("{} released", agent(uri)),
        Happening::Endpoint(change) => format!("{:?} {:?}", change.kind, change.state),
        Happening::SilentLoss(loss) => format!("{} silently lost", agent(&loss.uri)),
        Happening::Graph(report) => format!("{:?}", report.0),
        Happening::Lagged(missed) => {
            format!("lagged {}", missed.map_or("unknown".to_owned(), |missed| missed.to_string()))
        }
    }
}

fn read(feed: &mut Feed, cursor: &mut Cursor, limit: usize) -> Vec<(Option<u64>, String)> {
    let mut read = Vec::new();
    feed.read(cursor, limit, &mut read);
    read.iter().map(|delivery| (delivery.number, short(&delivery.event))).collect()
}

/// Everything that there is to read, in short.
fn all(feed: &mut Feed, cursor: &mut Cursor) -> Vec<String> {
    let mut texts = Vec::new();
    loop {
        let some = read(feed, cursor, 3);
        if some.is_empty() {
            return texts;
        }
        texts.extend(some.into_iter().map(|(_, text)| text));
    }
}

#[test]
fn a_first_reader_gets_the_present_value_of_every_agent_and_then_every_change() {
    let mut feed = feed(10, 2);
    feed.tell(changed(0, 1));
    feed.want(&uri(2));
    let mut cursor = Cursor::begin(&feed, None);
    assert_eq!(read(&mut feed, &mut cursor, 10), [(None, "1 pending".into()), (Some(3), "0 current 1".into())]);
    assert_eq!(read(&mut feed, &mut cursor, 10), []);
    feed.tell(PresenceEvent::Unserved { uri: uri(2), why: "x".into() });
    feed.tell(changed(0, 2));
    assert_eq!(read(&mut feed, &mut cursor, 10), [(Some(4), "2 unserved".into()), (Some(5), "0 changed 2".into())]);
}

#[test]
fn a_reader_that_comes_back_in_time_goes_on_after_the_event_that_it_read_last() {
    let mut feed = feed(10, 1);
    for sequence in 1..=5 {
        feed.tell(changed(0, sequence));
    }
    let id: EventId = "0000000000000007-4".parse().expect("it is an id");
    let mut cursor = Cursor::begin(&feed, Some(Ok(id)));
    assert_eq!(all(&mut feed, &mut cursor), ["0 changed 4", "0 changed 5"]);
    assert_eq!(id.to_string(), "0000000000000007-4");
    assert_eq!(feed.lagged(), 0);
}

#[test]
fn a_reader_that_comes_back_too_late_is_told_how_much_it_missed_and_what_holds() {
    let mut feed = feed(3, 2);
    for sequence in 1..=6 {
        feed.tell(changed(0, sequence));
    }
    let mut cursor = Cursor::begin(&feed, Some(Ok(EventId { epoch: 7, number: 3 })));
    assert_eq!(all(&mut feed, &mut cursor), ["lagged 5", "1 pending", "0 current 6"]);
    assert_eq!(feed.lagged(), 1);
    feed.tell(changed(0, 7));
    assert_eq!(all(&mut feed, &mut cursor), ["0 changed 7"]);
}

#[test]
fn an_id_of_another_epoch_or_of_the_future_or_of_nothing_has_missed_nobody_knows_how_much() {
    let ids = ["0000000000000008-1", "0000000000000007-99", "hello", "", "7-", "-7", "7-x"];
    for id in ids {
        let mut feed = feed(3, 1);
        let mut cursor = Cursor::begin(&feed, Some(id.parse()));
        assert_eq!(all(&mut feed, &mut cursor), ["lagged unknown", "0 pending"], "{id}");
    }
}

#[test]
fn the_edge_of_the_ring_is_still_inside() {
    let mut feed = feed(3, 1);
    for sequence in 1..=5 {
        feed.tell(changed(0, sequence));
    }
    // The ring holds 4, 5 and 6.
    let mut inside = Cursor::begin(&feed, Some(Ok(EventId { epoch: 7, number: 3 })));
    assert_eq!(all(&mut feed, &mut inside), ["0 changed 3", "0 changed 4", "0 changed 5"]);
    let mut outside = Cursor::begin(&feed, Some(Ok(EventId { epoch: 7, number: 2 })));
    assert_eq!(all(&mut feed, &mut outside), ["lagged 4", "0 current 5"]);
}

#[test]
fn what_changes_during_the_walk_is_a_change_for_who_met_the_agent_and_its_value_for_who_did_not() {
    let mut feed = feed(10, 4);
    let mut cursor = Cursor::begin(&feed, None);
    assert_eq!(read(&mut feed, &mut cursor, 2), [(None, "0 pending".into()), (None, "1 pending".into())]);
    feed.tell(changed(0, 1));
    feed.tell(changed(3, 1));
    feed.tell(changed(3, 2));
    assert_eq!(
        read(&mut feed, &mut cursor, 10),
        [
            (None, "0 changed 1".into()),
            (None, "3 current 1".into()),
            (None, "3 changed 2".into()),
            (Some(7), "2 pending".into())
        ]
    );
}

#[test]
fn a_reader_that_is_too_slow_even_for_the_walk_meets_every_agent_all_the_same() {
    let mut feed = feed(4, 20);
    let mut cursor = Cursor::begin(&feed, None);
    let mut met = std::collections::BTreeSet::new();
    for sequence in 1..=40 {
        for text in read(&mut feed, &mut cursor, 2) {
            met.insert(text.1.split(' ').next().expect("a word").to_owned());
        }
        for _ in 0..5 {
            feed.tell(changed(19, sequence));
        }
    }
    assert_eq!(met.len(), 21, "every agent and `lagged`: {met:?}");
}

#[test]
fn an_agent_that_was_let_go_is_told_to_who_may_know_it_and_to_nobody_else() {
    let mut feed = feed(4, 3);
    let resumed = EventId { epoch: 7, number: 2 };
    assert!(feed.release(&uri(1)));
    assert!(!feed.release(&uri(1)));
    assert_eq!(feed.wanted(), 2);
    assert!(!feed.tell(changed(1, 1)), "nothing more comes about it");
    for sequence in 1..=3 {
        feed.tell(changed(0, sequence));
    }
    let mut late = Cursor::begin(&feed, Some(Ok(EventId { epoch: 7, number: 1 })));
    assert_eq!(all(&mut feed, &mut late), ["lagged 6", "2 pending", "1 released", "0 current 3"]);
    let mut stranger = Cursor::begin(&feed, Some(Ok(EventId { epoch: 6, number: 1 })));
    assert_eq!(all(&mut feed, &mut stranger), ["lagged unknown", "2 pending", "1 released", "0 current 3"]);
    let mut first = Cursor::begin(&feed, None);
    assert_eq!(all(&mut feed, &mut first), ["2 pending", "0 current 3"]);
    let mut in_time = Cursor::begin(&feed, Some(Ok(EventId { number: 3, ..resumed })));
    assert_eq!(all(&mut feed, &mut in_time), ["1 released", "0 changed 1", "0 changed 2", "0 changed 3"]);
}

#[test]
fn only_so_many_released_agents_are_remembered_and_memory_stays_bounded() {
    let mut feed = Feed::new(7, 5);
    for agent in 0..RELEASED_KEPT + 100 {
        feed.want(&uri(agent));
        feed.tell(pending(agent));
        feed.release(&uri(agent));
    }
    assert_eq!(
        (feed.agents.len(), feed.order.len(), feed.released.len()),
        (RELEASED_KEPT, RELEASED_KEPT, RELEASED_KEPT)
    );
    assert_eq!((feed.ring.len(), feed.wanted()), (5, 0));
    for _ in 0..2 * RELEASED_KEPT {
        feed.want(&uri(1));
        feed.release(&uri(1));
    }
    assert_eq!((feed.agents.len(), feed.order.len(), feed.released.len()), (1, 1, RELEASED_KEPT));
}

#[test]
fn a_change_of_an_earlier_subscription_is_not_the_answer_to_a_later_one() {
    let mut feed = feed(10, 1);
    feed.release(&uri(0));
    feed.want(&uri(0));
    assert!(!feed.tell(changed(0, 9)), "it was under way when the agent was let go");
    assert_eq!(feed.knowledge(&uri(0)), Some(&Knowledge::Asked));
    assert!(feed.tell(pending(0)));
    assert!(feed.tell(changed(0, 1)));
}

#[test]
fn what_the_queue_itself_missed_is_passed_on() {
    let mut feed = feed(10, 1);
    let mut cursor = Cursor::begin(&feed, None);
    assert_eq!(all(&mut feed, &mut cursor), ["0 pending"]);
    feed.tell(PresenceEvent::Lagged { missed: 9 });
    assert_eq!(all(&mut feed, &mut cursor), ["queue lagged 9"]);
    assert_eq!(feed.lagged(), 1);
}

#[test]
fn an_observer_sees_what_happens_from_now_on_and_after_a_lag_goes_on_from_then() {
    let mut feed = Feed::new(7, 3);
    let told = |sequence| Happening::Told(changed(0, sequence));
    feed.announce(told(1));
    let mut cursor = Cursor::from_now(&feed, None);
    let mut back = Cursor::from_now(&feed, Some(Ok(EventId { epoch: 7, number: 0 })));
    feed.announce(told(2));
    assert_eq!(read(&mut feed, &mut cursor, 9), [(Some(2), "0 changed 2".into())]);
    assert_eq!(all(&mut feed, &mut back), ["0 changed 1", "0 changed 2"]);
    for sequence in 3..=9 {
        feed.announce(told(sequence));
    }
    assert_eq!(read(&mut feed, &mut cursor, 9), [(Some(9), "lagged 7".into())]);
    feed.announce(told(10));
    assert_eq!(read(&mut feed, &mut cursor, 9), [(Some(10), "0 changed 10".into())]);
}
