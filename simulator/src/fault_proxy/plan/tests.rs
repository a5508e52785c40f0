use super::*;

fn message(method: &str, code: Option<u16>, text: &'static str) -> Piece {
    Piece { kind: Kind::Message { method: method.to_owned(), code }, bytes: Bytes::from_static(text.as_bytes()) }
}

fn notify(text: &'static str) -> Piece {
    message("NOTIFY", None, text)
}

fn plan(rule: FaultRule) -> (Plan, Course) {
    let mut plan = Plan::new(1);
    plan.rules.push(rule);
    (plan, Course::default())
}

/// What is written, as text, and what else is done.
fn told(steps: Vec<Step>) -> (String, Vec<Step>) {
    let mut text = String::new();
    let mut others = Vec::new();
    for step in steps {
        match step {
            Step::Write(bytes) => text.push_str(std::str::from_utf8(&bytes).expect("text")),
            other => others.push(other),
        }
    }
    (text, others)
}

#[test]
fn without_rules_everything_goes_through_and_is_counted() {
    let (mut plan, mut course) = (Plan::new(1), Course::default());
    assert_eq!(told(plan.carry(&mut course, Way::ToClient, notify("abc"))), ("abc".to_owned(), vec![]));
    assert_eq!(plan.counters.messages, BTreeMap::from([((Way::ToClient, "NOTIFY".to_owned(), false), 1)]));
    assert_eq!(plan.counters.faults, BTreeMap::new());
}

#[test]
fn a_rule_meets_only_what_it_names_and_only_so_often() {
    let rule = FaultRule::new(NetworkFault::Drop).way(Way::ToClient).method("notify").requests().times(1);
    let (mut plan, mut course) = plan(rule);
    let mut carry = |way, piece| told(plan.carry(&mut course, way, piece)).0;
    assert_eq!(carry(Way::ToServer, notify("1")), "1", "the other way");
    assert_eq!(carry(Way::ToClient, message("NOTIFY", Some(200), "2")), "2", "an answer");
    assert_eq!(carry(Way::ToClient, message("OPTIONS", None, "3")), "3", "another method");
    let blank = Piece { kind: Kind::KeepAlive, bytes: Bytes::from_static(b"\r\n") };
    assert_eq!(carry(Way::ToClient, blank), "\r\n", "no message");
    assert_eq!(carry(Way::ToClient, notify("4")), "");
    assert_eq!(carry(Way::ToClient, notify("5")), "5", "once");
    assert_eq!(plan.counters.done("drop"), 1);
}

#[test]
fn the_same_seed_meets_the_same_messages() {
    let met = |seed| {
        let mut plan = Plan::new(seed);
        plan.rules.push(FaultRule::new(NetworkFault::Drop).chance(1, 3));
        let mut course = Course::default();
        (0..60).map(|_| plan.carry(&mut course, Way::ToServer, notify("x")).is_empty()).collect::<Vec<_>>()
    };
    assert_eq!(met(5), met(5));
    assert_ne!(met(5), met(6));
    let hits = met(5).iter().filter(|met| **met).count();
    assert!((8..32).contains(&hits), "{hits} of 60 at one in three");
}

#[test]
fn the_next_message_overtakes_one_that_is_reordered() {
    let (mut plan, mut course) = plan(FaultRule::new(NetworkFault::Reorder));
    assert_eq!(plan.carry(&mut course, Way::ToClient, notify("1")), []);
    assert!(course.holds());
    assert_eq!(told(plan.carry(&mut course, Way::ToClient, notify("2"))).0, "21");
    assert!(!course.holds());
    assert_eq!(plan.carry(&mut course, Way::ToClient, notify("3")), []);
    assert_eq!(told(course.release()).0, "3", "nothing comes any more");
}

#[test]
fn a_delay_is_between_its_bounds_and_a_duplicate_comes_twice() {
    let (least, most) = (Duration::from_millis(10), Duration::from_millis(20));
    let (mut plan, mut course) = plan(FaultRule::new(NetworkFault::Delay { least, most }).times(50));
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let steps = plan.carry(&mut course, Way::ToClient, notify("x"));
        let [Step::Wait(wait), Step::Write(_)] = steps[..] else { panic!("{steps:?}") };
        assert!((least..=most).contains(&wait), "{wait:?}");
        seen.insert(wait);
    }
    assert!(seen.len() > 10, "by chance: {seen:?}");
    plan.rules.push(FaultRule::new(NetworkFault::Duplicate));
    assert_eq!(told(plan.carry(&mut course, Way::ToClient, notify("ab"))).0, "abab");
}

#[test]
fn pieces_and_single_bytes_lose_nothing() {
    let (mut plan, mut course) = plan(FaultRule::new(NetworkFault::Split));
    for _ in 0..50 {
        let steps = plan.carry(&mut course, Way::ToClient, notify("abcdefghij"));
        assert_eq!(told(steps).0, "abcdefghij");
    }
    let pause = Duration::from_millis(3);
    plan.rules[0] = FaultRule::new(NetworkFault::Trickle { pause });
    let (text, waits) = told(plan.carry(&mut course, Way::ToClient, notify("abc")));
    assert_eq!((text.as_str(), waits), ("abc", vec![Step::Wait(pause); 3]));
}

#[test]
fn what_is_truncated_is_never_whole_and_closes() {
    let (mut plan, mut course) = plan(FaultRule::new(NetworkFault::Truncate));
    for _ in 0..50 {
        let (text, others) = told(plan.carry(&mut course, Way::ToClient, notify("abcdef")));
        assert!(!text.is_empty() && text.len() < 6 && "abcdef".starts_with(&text), "{text}");
        assert_eq!(others, [Step::Close]);
    }
    assert_eq!(told(plan.carry(&mut course, Way::ToClient, notify("a"))), ("a".to_owned(), vec![Step::Close]));
}

#[test]
fn so_many_bytes_go_and_then_no_more() {
    let (mut plan, mut course) = plan(FaultRule::new(NetworkFault::CloseAfter { bytes: 5 }));
    assert_eq!(told(plan.carry(&mut course, Way::ToClient, notify("abc"))), ("abc".to_owned(), vec![]));
    assert_eq!(told(plan.carry(&mut course, Way::ToClient, notify("defg"))), ("de".to_owned(), vec![Step::Close]));
    assert_eq!(plan.counters.done("close after"), 1);
}

#[test]
fn what_has_begun_ends_when_everything_is_healed() {
    let (mut plan, mut course) = plan(FaultRule::new(NetworkFault::CloseAfter { bytes: 5 }));
    assert_eq!(told(plan.carry(&mut course, Way::ToClient, notify("abc"))).0, "abc");
    plan.heal();
    assert_eq!(told(plan.carry(&mut course, Way::ToClient, notify("defg"))), ("defg".to_owned(), vec![]));
}

#[test]
fn a_reset_and_a_silence_take_the_message_with_them() {
    for (fault, step) in [(NetworkFault::Reset, Step::Reset), (NetworkFault::Silence, Step::Silence)] {
        let (mut plan, mut course) = plan(FaultRule::new(fault));
        assert_eq!(plan.carry(&mut course, Way::ToServer, notify("abc")), [step]);
    }
}
