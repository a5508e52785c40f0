//! What holds whatever happens.

use std::collections::BTreeMap;

use presence_core::FailureKind;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Ask(u8),
    Forget(u8),
    Send,
    /// Answers the oldest open question.
    Answer,
    Postpone,
    Unreadable,
    Refuse,
    Pass(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..24_u8).prop_map(Step::Ask),
        2 => (0..24_u8).prop_map(Step::Forget),
        6 => Just(Step::Send),
        5 => Just(Step::Answer),
        1 => Just(Step::Postpone),
        1 => Just(Step::Unreadable),
        1 => Just(Step::Refuse),
        4 => (0..2_000_u16).prop_map(Step::Pass),
    ]
}

fn agent(number: u8) -> AgentUri {
    uri(&format!("sip:user{number}@domain.com"))
}

/// Agents by number modulo 6: nobody, or found in one of five places.
fn tenant() -> Tenant {
    let mut tenant = Tenant::default();
    for number in 0..24_u8 {
        let address = format!("user{number}@domain.com");
        match number % 6 {
            1 => drop(tenant.add(number, &address)),
            2 => tenant.add(number, &format!("x{number}@x.com"))["imAddresses"] = json!([format!("sip:{address}")]),
            3 => tenant.add(number, &format!("x{number}@x.com"))["proxyAddresses"] = json!([format!("SIP:{address}")]),
            4 => tenant.add(number, &format!("x{number}@x.com"))["proxyAddresses"] = json!([format!("sip:{address}")]),
            5 => tenant.add(number, &format!("x{number}@x.com"))["mail"] = json!(address),
            _ => {}
        }
    }
    tenant
}

/// How often each agent is to be answered, and is.
#[derive(Default)]
struct Ledger {
    wanted: BTreeMap<AgentUri, bool>,
}

impl Ledger {
    fn take(&mut self, directory: &mut Directory, refused: bool) {
        for found in found(directory) {
            let wanted = self.wanted.insert(found.uri.clone(), false);
            assert_eq!(wanted, Some(true), "{} was told without being asked for", found.uri);
            let number: u8 = found.uri.user().unwrap()[4..].parse().unwrap();
            match found.outcome {
                Ok(user) => assert_eq!(user, id(number)),
                Err(failure) if number.is_multiple_of(6) => {
                    assert!(matches!(failure.kind, FailureKind::NotFound | FailureKind::Transient))
                }
                Err(failure) => assert!(refused, "{}: {failure}", found.uri),
            }
        }
    }
}

proptest! {
    #[test]
    fn every_agent_that_is_asked_for_is_told_once(steps in proptest::collection::vec(step(), 0..200)) {
        let mut now = start();
        let (mut directory, mut tenant, mut ledger) = (Directory::new(3, UNKNOWN), tenant(), Ledger::default());
        let mut open: Vec<(LookupId, Request)> = Vec::new();
        let mut refused = false;
        for step in steps {
            match step {
                Step::Ask(number) => {
                    directory.ask(now, &agent(number));
                    ledger.wanted.insert(agent(number), true);
                }
                Step::Forget(number) => {
                    directory.forget(&agent(number));
                    ledger.wanted.insert(agent(number), false);
                }
                Step::Send => {
                    prop_assert_eq!(directory.is_due(now), directory.poll_timeout().is_some_and(|due| due <= now));
                    let (due, request) = (directory.is_due(now), directory.next_request(now));
                    prop_assert_eq!(due, request.is_some(), "it says when it has something to send");
                    open.extend(request);
                }
                Step::Pass(milliseconds) => now += Duration::from_millis(milliseconds.into()),
                Step::Answer | Step::Postpone | Step::Unreadable | Step::Refuse if open.is_empty() => {}
                Step::Answer => {
                    let (id, request) = open.remove(0);
                    directory.answered(now, id, &tenant.answer(&request)).unwrap();
                }
                Step::Postpone => directory.postponed(open.remove(0).0),
                Step::Unreadable => prop_assert!(directory.answered(now, open.remove(0).0, &answer(200, &json!([]))).is_err()),
                Step::Refuse => {
                    refused = true;
                    directory.answered(now, open.remove(0).0, &answer(400, &json!({}))).unwrap();
                }
            }
            ledger.take(&mut directory, refused);
            let wanted = ledger.wanted.values().filter(|wanted| **wanted).count();
            prop_assert_eq!(directory.waiting(), wanted);
            prop_assert!(directory.searches.len() <= 24 && directory.together.len() + directory.alone.len() <= 24);
        }
        for (id, request) in open {
            directory.answered(now, id, &tenant.answer(&request)).unwrap();
        }
        ledger.take(&mut directory, refused);
        while let Some(due) = directory.poll_timeout() {
            now = now.max(due);
            let (id, request) = next(&mut directory, now);
            directory.answered(now, id, &tenant.answer(&request)).unwrap();
            ledger.take(&mut directory, refused);
        }
        prop_assert!(ledger.wanted.values().all(|wanted| !wanted), "somebody was never told");
        prop_assert_eq!((directory.waiting(), directory.searches.len(), directory.questions.len()), (0, 0, 0));
    }
}
