//! Dialogs that are kept alive: the refresh 15 minutes before their end (facts B.5).

use std::collections::BTreeSet;

use presence_sip::{Dialect, SubscriberEffect};

use crate::pool::{FLUSH, ONE, Pool, agent, carried, contact, ended, listed, notification, reply, seconds};

fn wanted(pool: &mut Pool) -> Vec<presence_core::AgentUri> {
    let told = pool.told.drain(..);
    told.filter_map(|told| if let SubscriberEffect::WantsRefresh { uri, .. } = told { Some(uri) } else { None })
        .collect()
}

#[test]
fn a_quarter_of_an_hour_before_the_end_all_are_asked_for_again_in_chunks_of_500() {
    let mut pool = Pool::registered(10_000);
    (0..1_200).for_each(|number| pool.subscribe(&agent(number), ONE));
    pool.pass(FLUSH);
    let begun = pool.now;
    while let Some(message) = pool.sent.pop_front() {
        pool.receive(&reply(&message, 200, &[&contact(), "Expires: 7200"], None));
    }
    pool.told.clear();
    pool.pass(begun + seconds(7_200 - 900) - pool.now - seconds(1));
    pool.quiet();
    pool.pass(seconds(1));
    let all = wanted(&mut pool);
    assert_eq!(all.len(), 1_200);
    pool.pass(seconds(10));
    pool.quiet();
    all.iter().for_each(|uri| pool.refresh(uri, ONE));
    pool.pass(FLUSH);
    let (mut sizes, mut seen) = (Vec::new(), BTreeSet::new());
    while let Some(message) = pool.sent.pop_front() {
        sizes.push(carried(&message));
        seen.extend(listed(&message, "subscribe"));
        pool.receive(&reply(&message, 200, &[&contact(), "Expires: 7200"], None));
    }
    assert_eq!((sizes, seen.len()), (vec![500, 500, 200], 1_200));
    assert_eq!(pool.told.drain(..).count(), 1_200, "joined again, each once");
    // The next time only after the new end.
    pool.pass(seconds(6_200));
    pool.quiet();
    pool.pass(seconds(200));
    assert_eq!(wanted(&mut pool).len(), 1_200);
}

#[test]
fn while_a_pass_goes_on_notifications_that_count_down_begin_no_other() {
    let mut pool = Pool::registered(1);
    (0..5).for_each(|number| pool.subscribe(&agent(number), ONE));
    let mut home = None;
    for _ in 0..5 {
        let message = pool.flushed();
        pool.receive(&reply(&message, 200, &[&contact(), "Expires: 3600"], None));
        home.get_or_insert(message);
    }
    let home = home.unwrap();
    pool.told.clear();
    pool.pass(seconds(2_701));
    assert_eq!(wanted(&mut pool).len(), 5);
    for (cseq, left) in [(2, 890), (3, 880), (4, 870)] {
        let head = format!("subscription-state: active;expires={left}");
        pool.receive(&notification("BENOTIFY", &home, cseq, &head, None));
        pool.pass(seconds(10));
    }
    pool.quiet();
    // The first refreshed member prolongs the dialog for all; the rest of the pass goes on.
    pool.refresh(&agent(0), ONE);
    let message = pool.flushed();
    pool.receive(&reply(&message, 200, &[&contact(), "Expires: 3600"], None));
    pool.told.clear();
    pool.pass(seconds(2_600));
    pool.quiet();
    pool.pass(seconds(101));
    assert_eq!(wanted(&mut pool).len(), 5, "also those who were asked for before and have not come");
}

#[test]
fn a_short_lifetime_is_refreshed_at_its_half() {
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    let message = pool.flushed();
    pool.receive(&reply(&message, 200, &[&contact(), "Expires: 60"], None));
    pool.told.clear();
    pool.pass(seconds(29));
    pool.quiet();
    pool.pass(seconds(1));
    assert_eq!(wanted(&mut pool), [agent(1)]);
}

#[test]
fn a_notification_that_leaves_less_time_is_believed() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    pool.receive(&notification("BENOTIFY", &home, 2, "subscription-state: active;expires=100", None));
    pool.told.clear();
    pool.pass(seconds(101));
    let told: Vec<_> = pool.told.drain(..).collect();
    assert!(matches!(told.first(), Some(SubscriberEffect::WantsRefresh { .. })), "{told:?}");
    assert!(matches!(told.last(), Some(SubscriberEffect::Failed { .. })), "{told:?}");
}

#[test]
fn a_dialog_without_members_is_ended_instead_of_refreshed() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    pool.unsubscribe(&agent(1), ONE);
    let message = pool.flushed();
    pool.accept_all(&message);
    assert_eq!(pool.tell(), ended(&agent(1), ONE));
    assert_eq!(pool.subject.stats().live, 1);
    pool.pass(seconds(28_000));
    let end = pool.request();
    assert_eq!((end.expires(), end.body().len(), end.call_id()), (Some(seconds(0)), 0, home.call_id()));
    pool.answer(&end, 200, &[]);
    pool.pass(seconds(20));
    assert_eq!(pool.subject.stats().dialogs, 0);
    pool.quiet();
    // The next agent begins anew.
    pool.subscribe(&agent(2), ONE);
    assert_eq!(pool.flushed().request_uri(), Some("sip:app@domain.com"));
}

#[test]
fn a_server_that_grants_less_each_time_is_asked_in_time_all_the_same() {
    let (mut pool, _) = Pool::live(15, &[agent(1)]);
    pool.pass(seconds(27_901));
    for granted in [600, 300] {
        assert_eq!(wanted(&mut pool), [agent(1)]);
        pool.refresh(&agent(1), ONE);
        let message = pool.flushed();
        pool.receive(&reply(&message, 200, &[&contact(), &format!("Expires: {granted}")], None));
        pool.told.clear();
        pool.pass(seconds(granted / 2));
    }
    assert_eq!(wanted(&mut pool), [agent(1)]);
}
