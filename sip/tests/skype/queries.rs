//! One-time queries beside the standing dialog (MS-PRES: a list for no time; UCMA's `IsQueryOnly`).

use presence_core::{AgentUri, Availability, Status};
use presence_sip::{Dialect, Message, SubscriberEffect};

use crate::pool::{FLUSH, ONE, Pool, TWO, agent, listed, multipart, seconds, state};

const SUBSCRIBED: usize = 3;

fn live() -> (Pool, Message) {
    Pool::live(15, &[agent(0), agent(1), agent(2)])
}

impl Pool {
    fn query(&mut self, uri: &AgentUri) {
        self.subject.query(self.now, uri, ONE);
        self.drain();
    }

    fn queried(&mut self) -> (AgentUri, Option<Status>) {
        match self.tell() {
            SubscriberEffect::Queried { uri, attempt, status } => {
                assert_eq!(attempt, ONE);
                (uri, status)
            }
            other => panic!("{other:?}"),
        }
    }

    /// Nobody was asked.
    fn not_queried(&mut self) -> AgentUri {
        match self.tell() {
            SubscriberEffect::NotQueried { uri, attempt: ONE } => uri,
            other => panic!("{other:?}"),
        }
    }

    fn availability(&mut self) -> (AgentUri, Option<i32>) {
        let (uri, status) = self.queried();
        (uri, status.map(|status| status.availability.value()))
    }
}

#[test]
fn those_who_are_asked_for_in_one_period_go_in_one_list_for_no_time_with_a_call_id_of_its_own() {
    let (mut pool, home) = live();
    let dialogs = pool.subject.stats();
    pool.query(&agent(0));
    pool.query(&agent(2));
    pool.silent();
    let question = pool.flushed();
    pool.silent();
    assert_eq!(question.expires(), Some(seconds(0)));
    assert_eq!(question.request_uri(), home.request_uri());
    assert_eq!(question.header("Require"), Some("adhoclist, categoryList"));
    assert_ne!(question.call_id(), home.call_id());
    assert_eq!(question.to().unwrap().tag(), None);
    assert_eq!(listed(&question, "subscribe"), ["sip:agent0@domain.com", "sip:agent2@domain.com"]);
    pool.accept(&question, &[], &[state("sip:agent0@domain.com", 6_500), state("sip:agent2@domain.com", 3_500)]);
    assert_eq!(pool.availability(), (agent(0), Some(6_500)));
    assert_eq!(pool.availability(), (agent(2), Some(3_500)));
    pool.quiet();
    assert_eq!(pool.subject.stats().live, dialogs.live);
    // The standing dialog goes on as if nothing had been.
    pool.benotify(&home, state("sip:agent1@domain.com", 9_500));
    assert!(matches!(pool.tell(), SubscriberEffect::Notified { .. }));
    pool.pass(seconds(60));
    pool.silent();
    pool.quiet();
}

#[test]
fn what_a_query_says_does_not_touch_what_the_dialog_has_said() {
    let (mut pool, home) = live();
    pool.query(&agent(0));
    let question = pool.flushed();
    pool.accept(&question, &[], &[state("sip:agent0@domain.com", 15_500)]);
    assert_eq!(pool.availability(), (agent(0), Some(15_500)));
    let note = "<categories xmlns=\"http://schemas.microsoft.com/2006/09/sip/categories\" uri=\"sip:agent0@domain.com\">\
                <category name=\"note\" instance=\"0\" publishTime=\"2026-01-01T00:00:00\"/></categories>";
    pool.benotify(&home, note.to_owned());
    match pool.tell() {
        SubscriberEffect::Notified { status: Some(status), .. } => {
            assert_eq!(status.availability, Availability::new(3_500), "as the dialog said last");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_documents_may_follow_in_a_notification() {
    let (mut pool, _) = live();
    pool.query(&agent(0));
    let question = pool.flushed();
    pool.answer(&question, 200, &["Expires: 0"]);
    pool.quiet();
    let body = multipart(&[], &[state("sip:agent0@domain.com", 6_500)]);
    pool.notify("NOTIFY", &question, "subscription-state: terminated;expires=0", Some(body));
    assert_eq!(pool.request_or_answer(), Some(200));
    assert_eq!(pool.availability(), (agent(0), Some(6_500)));
    pool.quiet();
}

#[test]
fn an_agent_of_whom_the_answer_says_nothing_is_not_compared() {
    let (mut pool, _) = live();
    pool.query(&agent(0));
    pool.query(&agent(1));
    let question = pool.flushed();
    let rows = [(&agent(1), "state=\"terminated\" reason=\"rejected\"")];
    pool.accept(&question, &rows, &[state("sip:agent0@domain.com", 6_500), state("sip:stranger@domain.com", 1)]);
    assert_eq!(pool.availability(), (agent(0), Some(6_500)));
    assert_eq!(pool.availability(), (agent(1), None));
    pool.quiet();
}

#[test]
fn a_question_that_is_refused_or_not_answered_says_nothing_and_everything_stands() {
    for code in [400, 403, 404, 413, 480, 481, 488, 500, 503, 603] {
        let (mut pool, _) = live();
        pool.query(&agent(0));
        let question = pool.flushed();
        pool.answer(&question, code, &["Retry-After: 30"]);
        assert_eq!(pool.queried(), (agent(0), None), "{code}");
        pool.quiet();
        assert_eq!(pool.subject.stats().live, 1);
    }
    let (mut pool, _) = live();
    pool.query(&agent(0));
    pool.flushed();
    pool.pass(seconds(33));
    assert_eq!(pool.queried(), (agent(0), None));
    pool.quiet();
    pool.silent();
}

#[test]
fn questions_go_behind_everything_else_and_count_against_the_rate() {
    let (mut pool, _) = Pool::live(4, &[agent(0), agent(1), agent(2)]);
    pool.pass(FLUSH);
    (0..SUBSCRIBED).for_each(|number| pool.query(&agent(number)));
    (10..13).for_each(|number| pool.subscribe(&agent(number), ONE));
    let subscribe = pool.flushed();
    assert_eq!(listed(&subscribe, "subscribe").len(), 3);
    let question = pool.request();
    assert_eq!((question.expires(), listed(&question, "subscribe").len()), (Some(seconds(0)), 1), "four in a period");
    pool.silent();
    assert_eq!(listed(&pool.flushed(), "subscribe").len(), 2);
}

#[test]
fn only_a_settled_member_is_asked_for() {
    let (mut pool, _) = live();
    pool.query(&agent(7));
    assert_eq!(pool.not_queried(), agent(7), "nobody knows it");
    pool.subject.query(pool.now, &agent(0), TWO);
    pool.drain();
    assert!(matches!(pool.tell(), SubscriberEffect::NotQueried { attempt: TWO, .. }));
    pool.refresh(&agent(0), ONE);
    pool.query(&agent(0));
    assert_eq!(pool.not_queried(), agent(0), "it is asked for anyway");
    pool.query(&agent(1));
    pool.unsubscribe(&agent(1), ONE);
    pool.pass(FLUSH);
    assert_eq!(pool.not_queried(), agent(1), "nobody wants it any more");
}

#[test]
fn a_lost_connection_and_a_departure_answer_every_question() {
    let (mut pool, _) = live();
    pool.query(&agent(0));
    pool.flushed();
    pool.query(&agent(1));
    pool.lose_transport();
    assert_eq!(
        (pool.not_queried(), pool.queried()),
        (agent(1), (agent(0), None)),
        "one was asked for, and not answered"
    );
    let (mut pool, _) = live();
    pool.query(&agent(0));
    pool.subject.leave(pool.now);
    pool.drain();
    assert_eq!(pool.not_queried(), agent(0));
}

#[test]
fn a_challenge_to_a_question_is_answered() {
    let mut pool = Pool::with_credentials();
    pool.subscribe(&agent(0), ONE);
    let home = pool.flushed();
    pool.accept_all(&home);
    pool.told.clear();
    pool.query(&agent(0));
    let question = pool.flushed();
    pool.answer(&question, 401, &["WWW-Authenticate: Digest realm=\"d\", nonce=\"n9\", algorithm=MD5"]);
    let again = pool.request();
    assert!(again.header("Authorization").unwrap().contains("n9"));
    assert_eq!((again.call_id(), again.expires()), (question.call_id(), Some(seconds(0))));
    pool.accept(&again, &[], &[state("sip:agent0@domain.com", 6_500)]);
    assert_eq!(pool.availability(), (agent(0), Some(6_500)));
}
