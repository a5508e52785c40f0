//! Dialogs that are lost, ended or refused: table E of the facts.

use presence_core::{Attempt, FailureKind};
use presence_sip::{Dialect, SubscriberEffect};

use crate::pool::{FLUSH, ONE, Pool, TWO, agent, carried, ended, joined, listed, seconds, wants};

#[test]
fn a_481_in_the_dialog_brings_all_members_back_in_a_new_one() {
    for answer in [&["ms-diagnostics: 2014;reason=\"no dialog\""][..], &[]] {
        let (mut pool, home) = Pool::live(15, &[agent(1), agent(2)]);
        pool.refresh(&agent(2), ONE);
        let refresh = pool.flushed();
        pool.answer(&refresh, 481, answer);
        for uri in [agent(1), agent(2)] {
            match pool.tell() {
                SubscriberEffect::Failed { uri: failed, attempt: ONE, failure } => {
                    assert_eq!((failed, failure.kind), (uri.clone(), FailureKind::Dialog));
                }
                other => panic!("{other:?}"),
            }
            pool.subscribe(&uri, TWO);
        }
        let anew = pool.flushed();
        assert_ne!(anew.call_id(), home.call_id());
        assert_ne!(anew.from().unwrap().tag(), home.from().unwrap().tag());
        assert_eq!((anew.to().unwrap().tag(), carried(&anew)), (None, 2));
        pool.quiet();
    }
}

#[test]
fn a_new_subscription_that_is_required_is_made() {
    for diagnosis in ["2016", "1004"] {
        let (mut pool, _) = Pool::live(15, &[agent(1)]);
        pool.refresh(&agent(1), ONE);
        let refresh = pool.flushed();
        pool.answer(&refresh, 400, &[&format!("ms-diagnostics: {diagnosis};reason=\"anew\"")]);
        assert_eq!(pool.failure().kind, FailureKind::Dialog, "{diagnosis}");
        pool.quiet();
    }
}

#[test]
fn a_home_dialog_that_is_lost_twice_within_a_minute_is_the_pools_trouble() {
    let (mut pool, _) = Pool::live(15, &[agent(1)]);
    pool.refresh(&agent(1), ONE);
    let refresh = pool.flushed();
    pool.answer(&refresh, 481, &[]);
    assert_eq!(pool.failure().kind, FailureKind::Dialog);
    pool.subscribe(&agent(1), TWO);
    let anew = pool.flushed();
    pool.accept_all(&anew);
    pool.told.clear();
    pool.subscribe(&agent(2), ONE);
    pool.refresh(&agent(1), TWO);
    let refresh = pool.flushed();
    pool.subscribe(&agent(3), ONE);
    pool.answer(&refresh, 481, &[]);
    for _ in 0..3 {
        assert_eq!(pool.failure().kind, FailureKind::Endpoint, "nobody is to blame, not even who waited");
    }
    assert!(
        matches!(pool.tell(), SubscriberEffect::PresenceUnavailable(failure) if failure.kind == FailureKind::Endpoint)
    );
    pool.quiet();
}

#[test]
fn a_home_dialog_that_is_lost_again_after_a_minute_is_made_anew() {
    let (mut pool, _) = Pool::live(15, &[agent(1)]);
    for attempt in [ONE, TWO] {
        pool.refresh(&agent(1), attempt);
        let refresh = pool.flushed();
        pool.answer(&refresh, 481, &[]);
        assert_eq!(pool.failure().kind, FailureKind::Dialog);
        pool.pass(seconds(61));
        pool.subscribe(&agent(1), TWO);
        let anew = pool.flushed();
        pool.accept_all(&anew);
        pool.told.clear();
    }
}

#[test]
fn a_pool_dialog_that_is_lost_twice_leaves_home_alone() {
    let (mut pool, home) = Pool::live(15, &[agent(1), agent(2)]);
    let row = "state=\"resubscribe\" poolFqdn=\"sip:pool2.domain.com\"";
    for (attempt, kind) in [(ONE, FailureKind::Dialog), (TWO, FailureKind::Endpoint)] {
        let body = crate::pool::multipart(&[(&agent(1), row)], &[]);
        pool.notify("BENOTIFY", &home, "subscription-state: active", Some(body));
        pool.told.clear();
        pool.refresh(&agent(1), attempt);
        let batch = pool.flushed();
        pool.accept_all(&batch);
        pool.told.clear();
        pool.notify("BENOTIFY", &batch, "subscription-state: active;expires=1", None);
        pool.pass(seconds(2));
        let lost = pool.told.pop_back();
        assert!(matches!(&lost, Some(SubscriberEffect::Failed { failure, .. }) if failure.kind == kind), "{lost:?}");
        pool.told.clear();
        pool.subscribe(&agent(1), TWO);
        let back = pool.flushed();
        assert_eq!(back.call_id(), home.call_id());
        pool.accept_all(&back);
        pool.told.clear();
    }
}

#[test]
fn a_home_dialog_that_the_server_ends_without_a_word_is_its_presence_that_is_down() {
    let (mut pool, home) = Pool::live(15, &[agent(1), agent(2)]);
    pool.notify("NOTIFY", &home, "subscription-state: terminated;expires=0", None);
    assert_eq!(pool.request_or_answer(), Some(200));
    for _ in 0..2 {
        assert_eq!(pool.failure().kind, FailureKind::Endpoint);
    }
    assert!(matches!(pool.tell(), SubscriberEffect::PresenceUnavailable(_)));
    assert_eq!(pool.subject.stats().dialogs, 0);
}

#[test]
fn a_503_pauses_the_pool_and_blames_nobody() {
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    let subscribe = pool.flushed();
    pool.answer(&subscribe, 503, &["Retry-After: 30"]);
    assert_eq!(pool.tell(), SubscriberEffect::Overloaded { retry_after: Some(seconds(30)) });
    assert_eq!(pool.failure().kind, FailureKind::Endpoint);
    // Who has a token waits as well.
    pool.subscribe(&agent(2), ONE);
    pool.pass(seconds(29));
    pool.silent();
    pool.pass(seconds(3));
    assert_eq!(listed(&pool.request(), "subscribe"), ["sip:agent2@domain.com"]);
}

#[test]
fn a_batch_that_fails_for_now_is_held_back_longer_each_time() {
    for status in [480, 504, 500, 408, 486] {
        let mut pool = Pool::registered(15);
        for wait in [5, 10, 20, 40, 60, 60] {
            pool.subscribe(&agent(1), ONE);
            let subscribe = pool.flushed();
            pool.answer(&subscribe, status, &[]);
            if status == 408 {
                assert_eq!(pool.tell(), SubscriberEffect::Congested);
            }
            assert_eq!(pool.failure().kind, FailureKind::Endpoint);
            pool.subscribe(&agent(2), ONE);
            pool.pass(seconds(wait - 1));
            pool.silent();
            pool.pass(seconds(1));
            pool.unsubscribe(&agent(2), ONE);
            assert_eq!(pool.tell(), ended(&agent(2), ONE));
        }
    }
}

#[test]
fn an_accepted_message_ends_the_holding_back() {
    let mut pool = Pool::registered(15);
    for _ in 0..3 {
        pool.subscribe(&agent(1), ONE);
        let subscribe = pool.flushed();
        pool.answer(&subscribe, 500, &[]);
        assert_eq!(pool.failure().kind, FailureKind::Endpoint);
        pool.subscribe(&agent(1), ONE);
        pool.pass(seconds(7));
        let subscribe = pool.request();
        pool.accept_all(&subscribe);
        pool.told.clear();
    }
}

#[test]
fn a_message_without_an_answer_is_congestion() {
    let (mut pool, home) = Pool::live(15, &[agent(1)]);
    pool.subscribe(&agent(2), ONE);
    pool.flushed();
    pool.pass(seconds(33));
    assert_eq!(pool.tell(), SubscriberEffect::Congested);
    match pool.tell() {
        SubscriberEffect::Failed { uri, failure, .. } => {
            assert_eq!((uri, failure.kind), (agent(2), FailureKind::Endpoint));
        }
        other => panic!("{other:?}"),
    }
    pool.quiet();
    pool.subscribe(&agent(2), TWO);
    pool.pass(seconds(7));
    assert_eq!(pool.request().call_id(), home.call_id(), "the others' dialog stands");
}

#[test]
fn a_home_server_that_refuses_us_is_an_alarm() {
    for status in [403, 404, 405, 488, 489, 501, 401, 407] {
        let mut pool = Pool::registered(15);
        pool.subscribe(&agent(1), ONE);
        let subscribe = pool.flushed();
        pool.answer(&subscribe, status, &[]);
        match pool.tell() {
            SubscriberEffect::Unsupported(failure) => {
                assert_eq!(failure.kind, FailureKind::Endpoint);
                let advice = failure.detail.contains("certificate");
                assert_eq!(advice, matches!(status, 401 | 407), "{failure}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(pool.failure().kind, FailureKind::Endpoint, "{status}");
    }
}

#[test]
fn the_watchdog_ends_what_the_server_let_expire_silently() {
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    let subscribe = pool.flushed();
    pool.answer(&subscribe, 200, &[&crate::pool::contact(), "Expires: 600"]);
    assert_eq!(pool.tell(), joined(&agent(1), ONE));
    pool.pass(seconds(300));
    assert_eq!(pool.tell(), wants(&agent(1), ONE));
    pool.pass(seconds(299));
    pool.quiet();
    pool.pass(seconds(2));
    assert_eq!(pool.failure().kind, FailureKind::Dialog);
    pool.subscribe(&agent(1), TWO);
    let anew = pool.flushed();
    assert_ne!(anew.call_id(), subscribe.call_id());
    assert_eq!(listed(&anew, "subscribe"), ["sip:agent1@domain.com"]);
    pool.pass(FLUSH);
    pool.silent();
}

#[test]
fn presence_that_is_back_ends_every_hold_back() {
    let event = |line: &str, cseq: u32| {
        format!(
            "BENOTIFY sip:app@domain.com SIP/2.0\r\nVia: SIP/2.0/TLS 192.0.2.9:5061;branch=z9hG4bKr{cseq}\r\n\
             From: <sip:app@domain.com>;tag=r1\r\nTo: <sip:app@domain.com>;epid=84d3db8c23\r\nCall-ID: r1\r\n\
             CSeq: {cseq} BENOTIFY\r\nEvent: registration-notify\r\nContent-Type: text/registration-event\r\n\
             subscription-state: terminated;expires=0\r\nContent-Length: {}\r\n\r\n{line}",
            line.len()
        )
    };
    for probed in [false, true] {
        let mut pool = Pool::registered(15);
        pool.receive(&event("deregistered;event=userservices-unavailable", 1));
        assert!(matches!(pool.tell(), SubscriberEffect::PresenceUnavailable(_)));
        for _ in 0..4 {
            pool.pass(seconds(60));
            pool.subscribe(&agent(1), ONE);
            let refused = pool.flushed();
            pool.answer(&refused, 480, &[]);
            assert_eq!(pool.failure().kind, FailureKind::Endpoint);
        }
        pool.subscribe(&agent(1), ONE);
        pool.pass(FLUSH);
        pool.silent();
        if probed {
            pool.subject.probe(pool.now);
            pool.drain();
            let options = pool.request();
            pool.answer(&options, 200, &[]);
            assert_eq!(pool.tell(), SubscriberEffect::ProbeAnswered);
        } else {
            pool.receive(&event("registered;event=userservices-available", 2));
            assert_eq!(pool.tell(), SubscriberEffect::PresenceAvailable);
        }
        let back = pool.flushed();
        pool.accept_all(&back);
        assert_eq!(pool.tell(), SubscriberEffect::Joined { uri: agent(1), attempt: ONE });
    }
}

#[test]
fn whose_refresh_fails_with_the_endpoint_stays_in_the_list() {
    // World 805: the machine keeps what it has until the dialog runs out, and it was taken out of the list behind its back.
    for status in [404, 500, 503] {
        let (mut pool, home) = Pool::live(15, &[agent(1), agent(2)]);
        pool.refresh(&agent(1), ONE);
        let refresh = pool.flushed();
        pool.answer(&refresh, status, &[]);
        let told = std::iter::from_fn(|| pool.told.pop_front()).collect::<Vec<_>>();
        let failed = |effect: &SubscriberEffect| {
            matches!(effect, SubscriberEffect::Failed { uri, attempt: ONE, failure }
                if *uri == agent(1) && failure.kind == FailureKind::Endpoint)
        };
        assert_eq!(told.iter().filter(|effect| failed(effect)).count(), 1, "{status}: {told:?}");
        pool.pass(seconds(300));
        assert_eq!(pool.sent.len(), 0, "{status}: nobody is taken out");
        // The server goes on telling how it is, and its machine comes again.
        pool.refresh(&agent(1), ONE);
        let again = pool.flushed();
        assert_eq!((again.call_id(), listed(&again, "subscribe")), (home.call_id(), vec![agent(1).to_string()]));
        pool.accept_all(&again);
        assert_eq!(pool.tell(), SubscriberEffect::Joined { uri: agent(1), attempt: ONE });
    }
}

#[test]
fn a_pool_that_finds_no_way_to_us_is_registered_with_again() {
    // Worlds 775 and 3017: the word that the registration was ended had got lost, and every value stayed as it was for hours.
    let (mut pool, _) = Pool::live(15, &[agent(1), agent(2)]);
    pool.refresh(&agent(1), ONE);
    let refresh = pool.flushed();
    pool.answer(&refresh, 480, &[]);
    assert_eq!(pool.failure().kind, FailureKind::Endpoint);
    let register = pool.request();
    assert_eq!(register.method(), Some(&presence_sip::Method::Register));
    pool.accept_register(&register);
    // Once a minute at most.
    pool.refresh(&agent(2), ONE);
    pool.pass(seconds(10));
    let again = pool.request();
    pool.answer(&again, 480, &[]);
    assert_eq!(pool.failure().kind, FailureKind::Endpoint);
    pool.silent();
    // A pool that had dropped the registration has no dialog of ours either.
    pool.refresh(&agent(1), ONE);
    pool.pass(seconds(12));
    let known = pool.request();
    pool.answer(&known, 481, &[]);
    for _ in 0..2 {
        assert_eq!(pool.failure().kind, FailureKind::Dialog);
    }
}

#[test]
fn who_fails_with_the_endpoint_in_a_living_dialog_is_taken_out_of_it_without_a_token() {
    let (mut pool, home) = Pool::live(15, &[agent(1), agent(2), agent(3)]);
    // Its machine is another one, and knows nothing of the dialog.
    pool.subscribe(&agent(1), TWO);
    pool.unsubscribe(&agent(2), ONE);
    let refresh = pool.flushed();
    pool.answer(&refresh, 480, &[]);
    // The agents are told, and may go to another endpoint; the server still lists both.
    assert_eq!(pool.failure().kind, FailureKind::Endpoint);
    assert_eq!(pool.tell(), SubscriberEffect::Ended { uri: agent(2), attempt: ONE });
    pool.pass(seconds(8));
    let taken_out = pool.request();
    assert_eq!(taken_out.call_id(), home.call_id());
    let (kept, gone) = (listed(&taken_out, "subscribe"), listed(&taken_out, "unsubscribe"));
    assert_eq!((kept.len(), gone), (0, vec![agent(1).to_string(), agent(2).to_string()]));
    // Whoever comes back before the answer is put in again, and its old attempt does not end twice.
    pool.subscribe(&agent(1), Attempt(3));
    pool.quiet();
    pool.answer(&taken_out, 200, &["Expires: 28800"]);
    pool.quiet();
    let back = pool.flushed();
    assert_eq!(listed(&back, "subscribe"), [agent(1).as_str()]);
    pool.accept_all(&back);
    assert_eq!(pool.tell(), SubscriberEffect::Joined { uri: agent(1), attempt: Attempt(3) });
}
