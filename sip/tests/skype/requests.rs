//! What goes out, header by header.

use std::path::Path;

use presence_sip::{Dialect, Limits, Message, Method};

use crate::pool::{GRUU, ONE, Pool, TARGET, agent, carried, listed, reply, seconds};

#[test]
fn the_first_subscribe_of_a_batch_goes_to_ourselves_with_all_that_a_front_end_checks() {
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    pool.silent();
    let subscribe = pool.flushed();
    assert_eq!(subscribe.request_uri(), Some("sip:app@domain.com"));
    assert_eq!(subscribe.header("To"), Some("<sip:app@domain.com>"));
    let from = subscribe.from().unwrap();
    assert_eq!((from.uri, from.param("epid")), ("sip:app@domain.com", Some("84d3db8c23")));
    assert_eq!(subscribe.contact().unwrap().uri, GRUU);
    assert_eq!(subscribe.header("Event"), Some("presence"));
    assert_eq!(subscribe.header("Require"), Some("adhoclist, categoryList"));
    assert_eq!(subscribe.header("Proxy-Require"), Some("ms-benotify"));
    let supported: Vec<&str> = subscribe.values("Supported").collect();
    assert_eq!(supported, ["ms-benotify", "ms-piggyback-first-notify", "eventlist"]);
    assert_eq!(subscribe.expires(), None, "the server chooses");
    let body = std::str::from_utf8(subscribe.body()).unwrap();
    assert!(body.contains("<category name=\"state\"/>") && body.contains("<category name=\"services\"/>"));
    assert!(!body.contains("subscriptionContext"));
    assert_eq!(listed(&subscribe, "subscribe"), ["sip:agent1@domain.com"]);
}

#[test]
fn without_a_gruu_the_contact_is_our_address() {
    let mut pool = Pool::with(15, |config| config.use_registration = false);
    pool.subject.probe(pool.now);
    pool.drain();
    let options = pool.request();
    assert_eq!(options.method(), Some(&Method::Options));
    assert_eq!(options.from().unwrap().param("epid"), Some("84d3db8c23"));
    pool.answer(&options, 200, &[]);
    assert_eq!(pool.tell(), presence_sip::SubscriberEffect::ProbeAnswered);
    pool.subscribe(&agent(1), ONE);
    assert_eq!(pool.flushed().contact().unwrap().uri, "sip:192.0.2.1:6120;transport=tcp");
}

#[test]
fn a_request_in_the_dialog_goes_to_the_contact_of_the_200_as_it_was_written_along_the_route() {
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    let first = pool.flushed();
    let contact = format!("Contact: <{TARGET}>");
    let route = "<sip:fe02.domain.com:5061;transport=tls;opaque=state:T:F:Ci.R2f00;lr;ms-route-sig=aab:c~d=>";
    let record = format!("Record-Route: {route}");
    pool.answer(&first, 200, &[&contact, &record, "Expires: 28800"]);
    pool.subscribe(&agent(2), ONE);
    let second = pool.flushed();
    assert_eq!(second.request_uri(), Some(TARGET));
    assert_eq!(second.header("Route"), Some(route));
    assert_eq!((second.call_id(), second.to().unwrap().tag()), (first.call_id(), Some("fe")));
    assert_eq!(second.from().unwrap().tag(), first.from().unwrap().tag());
    assert_eq!((first.cseq().unwrap().0, second.cseq().unwrap().0), (1, 2));
    assert_eq!(second.header("Require"), Some("adhoclist, categoryList"));
    assert_ne!(first.top_via().unwrap().branch(), second.top_via().unwrap().branch());
}

#[test]
fn one_message_takes_in_and_lets_go() {
    let (mut pool, _) = Pool::live(15, &[agent(1), agent(2)]);
    pool.unsubscribe(&agent(1), ONE);
    pool.subscribe(&agent(3), ONE);
    let message = pool.flushed();
    assert_eq!(listed(&message, "unsubscribe"), ["sip:agent1@domain.com"]);
    assert_eq!(listed(&message, "subscribe"), ["sip:agent3@domain.com"]);
    assert_eq!(carried(&message), 2);
    pool.quiet();
    pool.accept_all(&message);
    assert_eq!(pool.tell(), crate::pool::ended(&agent(1), ONE));
    assert_eq!(pool.tell(), crate::pool::joined(&agent(3), ONE));
    pool.silent();
}

/// Microsoft's own example (MS-PRES 2.2.2.4.1): each header of it that is not about the machine or the person is ours.
#[test]
fn our_batch_is_worded_like_the_published_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/ms-pres-2.2.2.4.1-subscribe-batch.sip");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: there is no {}", path.display());
        return;
    };
    let (head, body) = text.split_once("<batchSub").unwrap();
    let lines = head.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with("Content-Length"));
    let theirs = lines.collect::<Vec<_>>().join("\r\n") + "\r\n\r\n";
    let theirs = Message::parse(theirs.into(), &Limits::default()).unwrap();
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    let ours = pool.flushed();
    for name in ["Event", "Accept", "Proxy-Require", "Require", "Content-Type", "Max-Forwards", "CSeq"] {
        assert_eq!(ours.header(name), theirs.header(name), "{name}");
    }
    let supported = |message: &Message| message.values("Supported").map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(supported(&ours), supported(&theirs));
    for message in [&ours, &theirs] {
        let (from, to) = (message.from().unwrap(), message.to().unwrap());
        assert_eq!(Some(from.uri), message.request_uri());
        assert_eq!((from.uri, to.tag()), (to.uri, None));
        assert!(from.param("epid").is_some_and(|epid| epid.len() <= 16) && from.tag().is_some());
        assert!(message.contact().unwrap().uri.ends_with(";gruu"));
        assert_eq!(message.expires(), None);
    }
    let names = |message: &Message| {
        let mut names: Vec<String> = message.headers().map(|(name, _)| name.to_owned()).collect();
        names.retain(|name| !["Proxy-Authorization", "Content-Length"].contains(&name.as_str()));
        names.sort_unstable();
        names.dedup();
        names
    };
    assert_eq!(names(&ours), names(&theirs));
    let own = std::str::from_utf8(ours.body()).unwrap();
    let open = |text: &str| text.split('>').next().unwrap().replace("bob@contoso.com", "app@domain.com");
    assert_eq!(open(own.split_once("<batchSub").unwrap().1), open(body));
}

#[test]
fn a_challenge_is_answered_where_there_is_a_password() {
    let mut pool = Pool::with_credentials();
    pool.subscribe(&agent(1), ONE);
    let first = pool.flushed();
    let challenge = "WWW-Authenticate: Digest realm=\"SIP Communications Service\", nonce=\"n1\", qop=\"auth\"";
    pool.answer(&first, 401, &[challenge]);
    let second = pool.request();
    assert!(second.header("Authorization").unwrap().contains("username=\"app\""));
    assert_eq!(second.call_id(), first.call_id());
    pool.accept_all(&second);
    assert_eq!(pool.tell(), crate::pool::joined(&agent(1), ONE));
}

#[test]
fn an_interval_that_is_too_brief_is_prolonged() {
    let mut pool = Pool::registered(15);
    pool.subscribe(&agent(1), ONE);
    let first = pool.flushed();
    pool.receive(&reply(&first, 423, &["Min-Expires: 1200"], None));
    let second = pool.request();
    assert_eq!(second.expires(), Some(seconds(1_200)));
    pool.answer(&second, 423, &["Min-Expires: 1200"]);
    pool.silent();
    assert_eq!(pool.failure().kind, presence_core::FailureKind::Endpoint);
}
