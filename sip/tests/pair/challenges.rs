//! Digest challenges, and other answers that ask for the same request in another form.

use presence_core::FailureKind;
use presence_sip::{Message, SubscriberEffect, TransportKind};

use crate::notifier::{ONE, Pair, TWO, agent, seconds};

fn pair() -> Pair {
    Pair::with(TransportKind::Tcp, Pair::credentials)
}

fn challenge(nonce: &str) -> String {
    format!(r#"WWW-Authenticate: Digest realm="domain.com", nonce="{nonce}", qop="auth,auth-int", algorithm=MD5"#)
}

fn nonce(request: &Message) -> Option<String> {
    let (_, after) = request.header("Authorization")?.split_once("nonce=\"")?;
    Some(after.split_once('"')?.0.to_owned())
}

#[test]
fn a_challenge_is_answered_by_the_same_subscription_with_a_higher_cseq() {
    let mut pair = pair();
    let first = pair.subscribe(ONE);
    assert_eq!(nonce(&first), None);
    pair.reply(&first, 401, &[&challenge("n1")]);
    let second = pair.request();
    assert_eq!(nonce(&second).as_deref(), Some("n1"));
    assert_eq!((second.call_id(), second.cseq()), (first.call_id(), Some((2, "SUBSCRIBE"))));
    assert_eq!(second.from().unwrap().tag(), first.from().unwrap().tag());
    assert_eq!(second.to().unwrap().tag(), None);
    pair.quiet();
    pair.reply(&second, 200, &[]);
    assert!(matches!(pair.tell(), SubscriberEffect::Accepted { .. }));
}

#[test]
fn sha_256_before_md5_is_answered_with_sha_256() {
    let mut pair = pair();
    let first = pair.subscribe(ONE);
    let strong = r#"WWW-Authenticate: Digest realm="d", nonce="s", qop="auth", algorithm=SHA-256"#;
    pair.reply(&first, 401, &[strong, &challenge("m")]);
    let second = pair.request();
    assert!(second.header("Authorization").unwrap().contains("algorithm=SHA-256"));
}

#[test]
fn the_nonce_is_used_again_and_counted() {
    let mut pair = pair();
    let first = pair.subscribe(ONE);
    pair.reply(&first, 407, &[&challenge("n1").replace("WWW", "Proxy")]);
    let second = pair.request();
    assert!(second.header("Proxy-Authorization").unwrap().contains("nc=00000001"));
    pair.reply(&second, 200, &[]);
    let other = pair.subscribe_to(&agent(2), ONE);
    assert!(other.header("Proxy-Authorization").unwrap().contains("nc=00000002"));
}

#[test]
fn a_second_challenge_with_the_same_nonce_is_the_end() {
    let mut pair = pair();
    let first = pair.subscribe(ONE);
    pair.reply(&first, 401, &[&challenge("n1")]);
    let second = pair.request();
    pair.reply(&second, 401, &[&challenge("n1")]);
    pair.silent();
    let failure = pair.failure();
    assert_eq!((failure.kind, failure.code), (FailureKind::Endpoint, Some(401)));
}

#[test]
fn a_second_challenge_with_a_fresh_nonce_is_the_end_too_unless_the_first_was_stale() {
    for (stale, again) in [("", false), (", stale=TRUE", true)] {
        let mut pair = pair();
        let first = pair.subscribe(ONE);
        pair.reply(&first, 401, &[&challenge("n1")]);
        let second = pair.request();
        pair.reply(&second, 401, &[&format!("{}{stale}", challenge("n2"))]);
        assert_eq!(pair.sent.len() == 1, again);
        assert_eq!(pair.told.len() == 1, !again);
    }
}

#[test]
fn a_peer_that_is_always_stale_does_not_go_on_for_ever() {
    let mut pair = pair();
    let mut request = pair.subscribe(ONE);
    for number in 0..3 {
        pair.reply(&request, 401, &[&format!("{}, stale=true", challenge(&format!("n{number}")))]);
        request = pair.request();
    }
    pair.reply(&request, 401, &[&format!("{}, stale=true", challenge("n4"))]);
    pair.silent();
    assert_eq!(pair.failure().code, Some(401));
}

#[test]
fn requests_that_were_on_their_way_when_the_nonce_was_learned_are_repeated_with_it() {
    let mut pair = pair();
    let first = pair.subscribe_to(&agent(1), ONE);
    let second = pair.subscribe_to(&agent(2), ONE);
    pair.reply(&first, 401, &[&challenge("n1")]);
    assert_eq!(nonce(&pair.request()).as_deref(), Some("n1"));
    pair.reply(&second, 401, &[&challenge("n1")]);
    assert_eq!(nonce(&pair.request()).as_deref(), Some("n1"));
    pair.quiet();
}

#[test]
fn an_expired_nonce_costs_one_more_round_and_no_failure() {
    let mut pair = pair();
    let first = pair.subscribe(ONE);
    pair.reply(&first, 401, &[&challenge("n1")]);
    let second = pair.request();
    pair.reply(&second, 200, &[]);
    pair.told.clear();
    let refresh = pair.refresh(ONE);
    pair.reply(&refresh, 401, &[&challenge("n2")]);
    let again = pair.request();
    assert_eq!((nonce(&again).as_deref(), again.cseq()), (Some("n2"), Some((4, "SUBSCRIBE"))));
    pair.quiet();
}

#[test]
fn without_credentials_or_with_a_scheme_that_we_have_not_a_challenge_is_a_failure() {
    let mut without = Pair::tcp();
    let first = without.subscribe(ONE);
    without.reply(&first, 401, &[&challenge("n1")]);
    assert_eq!(without.failure().kind, FailureKind::Endpoint);
    let mut with = pair();
    let first = with.subscribe(ONE);
    with.reply(&first, 401, &[r#"WWW-Authenticate: NTLM realm="SIP Communications Service", targetname="fe""#]);
    assert_eq!(with.failure().kind, FailureKind::Endpoint);
    with.silent();
}

#[test]
fn too_brief_an_interval_is_asked_for_again_as_long_as_the_notifier_wants() {
    let mut pair = Pair::with(TransportKind::Tcp, |config| config.expires = seconds(60));
    let first = pair.subscribe(ONE);
    pair.reply(&first, 423, &["Min-Expires: 900"]);
    let second = pair.request();
    assert_eq!((second.expires(), second.cseq()), (Some(seconds(900)), Some((2, "SUBSCRIBE"))));
    pair.reply(&second, 200, &[]);
    assert!(matches!(pair.tell(), SubscriberEffect::Accepted { expires, .. } if expires == seconds(900)));
}

#[test]
fn a_423_that_cannot_be_obeyed_is_a_failure() {
    for header in ["X: y", "Min-Expires: 60", "Min-Expires: 4294967295"] {
        let mut pair = Pair::with(TransportKind::Tcp, |config| config.expires = seconds(60));
        let first = pair.subscribe(ONE);
        pair.reply(&first, 423, &[header]);
        pair.silent();
        assert_eq!(pair.failure().code, Some(423), "{header}");
    }
    let mut pair = Pair::tcp();
    let mut request = pair.subscribe(ONE);
    for seconds in [4000, 5000] {
        pair.reply(&request, 423, &[&format!("Min-Expires: {seconds}")]);
        request = pair.request();
    }
    pair.reply(&request, 423, &["Min-Expires: 6000"]);
    pair.silent();
    assert_eq!(pair.failure().code, Some(423));
}

#[test]
fn what_the_notifier_does_not_accept_is_dropped_once() {
    for code in [406, 420, 421] {
        let mut pair = Pair::tcp();
        let first = pair.subscribe(TWO);
        assert!(first.header("Accept").is_some());
        pair.reply(&first, code, &["Unsupported: whatever"]);
        let plain = pair.request();
        for name in ["Accept", "Allow", "User-Agent", "Supported", "Require"] {
            assert_eq!(plain.header(name), None, "{code}");
        }
        assert_eq!(plain.event().unwrap().package, "presence");
        pair.reply(&plain, code, &[]);
        pair.silent();
        assert_eq!(pair.failure().code, Some(code));
    }
}
