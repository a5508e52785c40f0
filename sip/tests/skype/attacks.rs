//! A pool, or somebody in its place, that means no good: what it says costs little and changes nothing.

use std::time::{Duration, Instant};

use presence_core::FailureKind;
use presence_sip::{Dialect, SubscriberEffect, WireEvent};

use crate::pool::{FLUSH, ONE, Pool, agent, listed, multipart, notification, reply, seconds, state};

const ACTIVE: &str = "subscription-state: active;expires=28000";

fn bare(document: String) -> Option<(String, String)> {
    Some(("application/msrtc-event-categories+xml".to_owned(), document))
}

#[test]
fn a_notification_that_is_not_the_dialogs_changes_nothing() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    let tag = home.from().unwrap().tag().unwrap().to_owned();
    let genuine = |method: &str, cseq| notification(method, &home, cseq, ACTIVE, bare(state(agent(1).as_str(), 9_500)));
    for method in ["NOTIFY", "BENOTIFY"] {
        for (wrong, code) in [
            (genuine(method, 50).replace(&format!("tag={tag};epid"), "tag=another;epid"), 481),
            (genuine(method, 50).replace(";tag=fe\r\n", ";tag=ef\r\n"), 481),
            (genuine(method, 50).replace(home.call_id(), "another"), 481),
            (genuine(method, 50).replace("Event: presence", "Event: presence.wpending"), 489),
            (genuine(method, 50).replace(&format!("{ACTIVE}\r\n"), ""), 400),
        ] {
            pool.receive(&wrong);
            let answer = pool.request_or_answer();
            assert_eq!(answer, (method == "NOTIFY").then_some(code), "{wrong}");
            pool.quiet();
        }
    }
    // A number that was passed over is not taken later.
    pool.receive(&genuine("BENOTIFY", 60));
    pool.told.clear();
    pool.receive(&genuine("BENOTIFY", 59));
    pool.receive(&genuine("NOTIFY", 59));
    assert_eq!(pool.request_or_answer(), Some(500));
    pool.quiet();
}

#[test]
fn a_dialog_says_nothing_about_the_agents_of_another() {
    let (mut pool, home) = Pool::live(15, &[agent(1), agent(2)]);
    let single = crate::singles::single(&mut pool, &home, &agent(2));
    pool.accept(&single, &[], &[state(agent(2).as_str(), 3_500)]);
    pool.told.clear();
    let rows = ["state=\"terminated\" statusCode=\"403\"", "state=\"resubscribe\""];
    for (dialog, other) in [(&home, agent(2)), (&single, agent(1))] {
        for row in rows {
            pool.notify("BENOTIFY", dialog, ACTIVE, Some(multipart(&[(&other, row)], &[state(other.as_str(), 9_500)])));
            pool.quiet();
        }
    }
    assert_eq!(pool.counted, [WireEvent::ForeignResource; 8]);
}

#[test]
fn a_list_that_names_one_member_ten_thousand_times_moves_it_once() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    let target = agent(1);
    let rows: Vec<_> = (0..10_000).map(|_| (&target, "state=\"resubscribe\"")).collect();
    pool.notify("BENOTIFY", &home, ACTIVE, Some(multipart(&rows, &[])));
    assert_eq!(pool.told.len(), 2, "joined, and to be asked for");
    assert!(pool.counted.len() <= 100, "counted, but not without an end: {}", pool.counted.len());
}

#[test]
fn thousands_of_strangers_are_counted_and_forgotten() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    let strangers: Vec<_> = (10..4_010).map(agent).collect();
    let rows: Vec<_> = strangers.iter().map(|uri| (uri, "state=\"terminated\" statusCode=\"404\"")).collect();
    let documents: Vec<_> = strangers.iter().map(|uri| state(uri.as_str(), 3_500)).collect();
    pool.notify("BENOTIFY", &home, ACTIVE, Some(multipart(&rows, &documents)));
    pool.quiet();
    assert!((1..=200).contains(&pool.counted.len()), "{}", pool.counted.len());
}

#[test]
fn four_megabytes_of_nameless_parts_beside_a_long_list_are_read_in_a_moment() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    let strangers: Vec<_> = (10..20_010).map(agent).collect();
    let rows: Vec<_> = strangers.iter().map(|uri| (uri, "state=\"active\"")).collect();
    let (content_type, body) = multipart(&rows, &[]);
    let junk = "--x1\r\nContent-ID: nobody\r\nContent-Type: text/html\r\n\r\n<p/>\r\n".repeat(4_900);
    let body = body.replace("--x1--", &format!("{junk}--x1--"));
    let begun = Instant::now();
    pool.notify("BENOTIFY", &home, ACTIVE, Some((content_type, body)));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    pool.quiet();
}

#[test]
fn a_hundred_thousand_parts_are_one_broken_body() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    let body = "--x1\r\n\r\n\r\n".repeat(100_000) + "--x1--";
    pool.notify("NOTIFY", &home, ACTIVE, Some(("multipart/related;boundary=x1".to_owned(), body)));
    assert_eq!(pool.request_or_answer(), Some(200));
    pool.quiet();
    assert_eq!(pool.counted, [WireEvent::UnparsableBody]);
}

#[test]
fn a_server_that_sends_everybody_to_ever_new_pools_gets_few_dialogs_out_of_us() {
    let agents: Vec<_> = (0..100).map(agent).collect();
    let mut pool = Pool::registered(100);
    let mut pools = 0;
    for _ in 0..20 {
        agents.iter().for_each(|uri| pool.subscribe(uri, ONE));
        for _ in 0..6 {
            pool.pass(FLUSH);
            while let Some(message) = pool.sent.pop_front() {
                let uris: Vec<_> = listed(&message, "subscribe");
                let uris: Vec<_> = uris.iter().map(|uri| presence_core::AgentUri::parse(uri).unwrap()).collect();
                let rows: Vec<_> = uris
                    .iter()
                    .map(|_| {
                        pools += 1;
                        format!("state=\"resubscribe\" poolFqdn=\"sip:pool{pools}.domain.com\"")
                    })
                    .collect();
                let rows: Vec<_> = uris.iter().zip(rows.iter().map(String::as_str)).collect();
                pool.accept(&message, &rows, &[]);
            }
            let wanted: Vec<_> = pool.told.drain(..).collect();
            for told in wanted {
                if let SubscriberEffect::WantsRefresh { uri, attempt } = told {
                    pool.refresh(&uri, attempt);
                }
            }
            let dialogs = pool.subject.stats().dialogs;
            assert!(dialogs <= 64, "{dialogs}");
        }
    }
}

#[test]
fn absurd_lifetimes_are_survived() {
    for expires in ["0", "1", "4294967295", "99999999999999999999"] {
        let mut pool = Pool::registered(15);
        pool.subscribe(&agent(1), ONE);
        let subscribe = pool.flushed();
        let lifetime = format!("Expires: {expires}");
        pool.receive(&reply(&subscribe, 200, &[&crate::pool::contact(), &lifetime], None));
        pool.pass(seconds(100));
        assert!(pool.sent.len() <= 3 && pool.told.len() <= 5, "{expires}: {:?} {:?}", pool.sent, pool.told);
    }
}

#[test]
fn a_contact_and_routes_that_lead_nowhere_cost_no_agent_anything() {
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    let subscribe = pool.flushed();
    let oddities = ["Contact: <sip:fe01.domain.com?x=1>", "Record-Route: <sip:h:port;lr>, <sip:@h>", "Expires: 3600"];
    pool.receive(&reply(&subscribe, 200, &oddities, None));
    pool.told.clear();
    pool.refresh(&agent(1), ONE);
    pool.pass(FLUSH);
    let blamed = |told: &SubscriberEffect| matches!(told, SubscriberEffect::Failed { failure, .. } if failure.kind != FailureKind::Endpoint);
    assert!(!pool.told.iter().any(blamed), "{:?}", pool.told);
    assert_eq!(pool.request().call_id(), subscribe.call_id());
}

#[test]
fn another_tag_in_a_later_answer_does_not_change_the_dialog() {
    let (mut pool, _) = Pool::live(15, &[agent(1)]);
    for tag in ["fe", "other"] {
        pool.refresh(&agent(1), ONE);
        let refresh = pool.flushed();
        assert_eq!(refresh.to().unwrap().tag(), Some("fe"));
        let answer = reply(&refresh, 200, &["Expires: 28800"], None).replace("tag=fe", &format!("tag={tag}"));
        pool.receive(&answer);
        // An answer to what was answered already is nobody's.
        pool.receive(&answer);
    }
    assert_eq!(pool.counted, [WireEvent::StrayResponse; 2]);
}

#[test]
fn a_storm_of_notifications_between_two_transactions_costs_no_message() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    pool.refresh(&agent(1), ONE);
    let refresh = pool.flushed();
    for number in 0..2_000 {
        pool.benotify(&home, state(agent(1).as_str(), 3_500 + number % 2 * 3_000));
    }
    pool.silent();
    assert_eq!(pool.told.len(), 2_000);
    pool.told.clear();
    pool.accept_all(&refresh);
    assert_eq!(pool.told.len(), 2, "joined, and what came along");
}
