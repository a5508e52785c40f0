//! Each rule by its name.

use presence_core::FailureKind;

use super::*;

#[test]
fn agents_are_gathered_for_250_ms_and_asked_for_together() {
    let (mut now, mut tenant) = (start(), Tenant::default());
    let mut directory = Directory::new(1, UNKNOWN);
    for number in 0..4 {
        tenant.add(number, &format!("User{number}@Domain.com"));
        directory.ask(now, &uri(&format!("sip:user{number}@domain.com")));
    }
    assert!(directory.next_request(now).is_none() && !directory.is_due(now));
    assert_eq!(directory.poll_timeout(), Some(now + Duration::from_millis(250)));
    assert_eq!(directory.waiting(), 4);
    let found = settle(&mut directory, &mut now, &mut tenant);
    assert_eq!(tenant.asked.len(), 1, "{:?}", tenant.asked);
    assert_eq!(
        found.iter().map(|found| found.outcome.clone().unwrap()).collect::<Vec<_>>(),
        [id(0), id(1), id(2), id(3)]
    );
}

#[test]
fn fifteen_agents_do_not_wait_and_the_sixteenth_goes_with_the_next() {
    let now = start();
    let mut directory = Directory::new(1, UNKNOWN);
    for number in 0..16 {
        directory.ask(now, &uri(&format!("sip:user{number}@domain.com")));
    }
    assert!(directory.is_due(now));
    assert_eq!(next(&mut directory, now).1.path.matches("%40domain.com").count(), 15);
    assert!(directory.next_request(now).is_none(), "one alone is gathered again");
    assert_eq!(next(&mut directory, now + Duration::from_millis(250)).1.path.matches("%40domain.com").count(), 1);
}

#[test]
fn who_is_found_is_known_for_a_day_and_who_is_not_for_as_long_as_is_configured() {
    let (mut now, mut tenant) = (start(), Tenant::default());
    let mut directory = Directory::new(1, UNKNOWN);
    tenant.add(7, "known@domain.com");
    let agents = [uri("sip:known@domain.com"), uri("sip:unknown@domain.com")];
    let mut ask = |directory: &mut Directory, now: &mut Instant, agent: &AgentUri| {
        tenant.asked.clear();
        directory.ask(*now, agent);
        let found = settle(directory, now, &mut tenant);
        assert_eq!(found.len(), 1);
        (tenant.asked.len(), found[0].outcome.clone().map_err(|failure| failure.kind))
    };
    assert_eq!(ask(&mut directory, &mut now, &agents[0]), (1, Ok(id(7))));
    let known_at = now;
    assert_eq!(ask(&mut directory, &mut now, &agents[1]), (5, Err(FailureKind::NotFound)), "every place was looked at");
    let unknown_at = now;
    now = unknown_at + UNKNOWN - Duration::from_secs(1);
    assert_eq!(ask(&mut directory, &mut now, &agents[1]), (0, Err(FailureKind::NotFound)));
    now = unknown_at + UNKNOWN;
    assert_eq!(ask(&mut directory, &mut now, &agents[1]), (5, Err(FailureKind::NotFound)));
    now = known_at + Duration::from_secs(86_399);
    assert_eq!(ask(&mut directory, &mut now, &agents[0]), (0, Ok(id(7))));
    directory.distrust(&agents[0]);
    assert_eq!(ask(&mut directory, &mut now, &agents[0]), (1, Ok(id(7))), "distrusted: looked up again");
    now += Duration::from_secs(86_400);
    assert_eq!(ask(&mut directory, &mut now, &agents[0]), (1, Ok(id(7))), "a day has passed");
}

#[test]
fn a_user_is_found_by_every_address_in_order() {
    let (mut now, mut tenant) = (start(), Tenant::default());
    let mut directory = Directory::new(1, UNKNOWN);
    tenant.add(1, "o'im@x.com")["imAddresses"] = json!(["sip:o'im@domain.com"]);
    tenant.add(2, "p@x.com")["proxyAddresses"] = json!(["SMTP:other@domain.com", "SIP:Primary@Domain.com"]);
    tenant.add(3, "s@x.com")["proxyAddresses"] = json!(["sip:second@domain.com"]);
    tenant.add(4, "m@x.com")["mail"] = json!("Mail@Domain.com");
    let mut steps = Vec::new();
    for (number, name) in [(1, "o'im"), (2, "primary"), (3, "second"), (4, "mail")] {
        tenant.asked.clear();
        directory.ask(now, &uri(&format!("sip:{name}@domain.com")));
        assert_eq!(settle(&mut directory, &mut now, &mut tenant)[0].outcome, Ok(id(number)), "{name}");
        steps.push(tenant.asked.len());
    }
    assert_eq!(steps, [2, 3, 4, 5]);
}

#[test]
fn a_name_that_several_users_have_is_nobodys_and_is_not_remembered() {
    let (mut now, mut tenant) = (start(), Tenant::default());
    let mut directory = Directory::new(1, UNKNOWN);
    for number in 1..4 {
        tenant.add(number, &format!("u{number}@x.com"))["imAddresses"] = json!(["sip:shared@domain.com"]);
    }
    for _ in 0..2 {
        tenant.asked.clear();
        directory.ask(now, &uri("sip:shared@domain.com"));
        let found = settle(&mut directory, &mut now, &mut tenant);
        let failure = found[0].outcome.clone().unwrap_err();
        assert_eq!(failure.kind, FailureKind::Transient);
        assert!(failure.detail.starts_with("ambiguous: 3 users"), "{failure}");
        assert_eq!(tenant.asked.len(), 2);
    }
}

#[test]
fn a_next_page_is_never_fetched_and_makes_a_single_hit_doubtful() {
    let mut now = start();
    let mut directory = Directory::new(1, UNKNOWN);
    let mut tenant = Tenant::default();
    let user = tenant.add(1, "x@x.com").clone();
    let page =
        |users: &[Value]| answer(200, &json!({"value": users, "@odata.nextLink": "https://evil.example/v1.0/users"}));
    directory.ask(now, &uri("sip:a@domain.com"));
    now += Duration::from_secs(1);
    let (id, _) = next(&mut directory, now);
    directory.answered(now, id, &page(&[])).unwrap();
    let (id, request) = next(&mut directory, now);
    assert!(request.path.starts_with("/v1.0/users/a%40domain.com?"), "perhaps on another page: {}", request.path);
    directory.answered(now, id, &answer(404, &json!({}))).unwrap();
    let (id, request) = next(&mut directory, now);
    assert!(request.path.contains("imAddresses%2Fany"), "{}", request.path);
    directory.answered(now, id, &page(&[user])).unwrap();
    let failure = found(&mut directory)[0].outcome.clone().unwrap_err();
    assert!(failure.detail.starts_with("ambiguous: more than 1 users"), "{failure}");
}

#[test]
fn a_refused_list_is_asked_for_one_by_one() {
    let (mut now, mut tenant) = (start(), Tenant { refuses_lists: true, ..Tenant::default() });
    let mut directory = Directory::new(1, UNKNOWN);
    tenant.add(1, "a@domain.com");
    tenant.add(2, "$b'#ext#@domain.com");
    for agent in ["sip:a@domain.com", "sip:$b'%23EXT%23@domain.com", "sip:c@domain.com"] {
        directory.ask(now, &uri(agent));
    }
    let found = settle(&mut directory, &mut now, &mut tenant);
    assert_eq!(
        found.iter().map(|found| found.outcome.clone().ok()).collect::<Vec<_>>(),
        [Some(id(1)), Some(id(2)), None]
    );
    assert!(tenant.asked[1].starts_with("/v1.0/users/a@domain.com?"), "{:?}", tenant.asked);
    assert!(tenant.asked[2].starts_with("/v1.0/users('$b''#ext#@domain.com')?"), "{:?}", tenant.asked);
}

#[test]
fn a_question_that_is_always_refused_says_nothing_about_the_user() {
    let mut now = start();
    let mut directory = Directory::new(1, UNKNOWN);
    directory.ask(now, &uri("sip:a@domain.com"));
    now += Duration::from_secs(1);
    let mut questions = 0;
    while let Some((id, _)) = directory.next_request(now) {
        directory.answered(now, id, &answer(400, &json!({}))).unwrap();
        questions += 1;
    }
    let failure = found(&mut directory)[0].outcome.clone().unwrap_err();
    assert_eq!((questions, failure.kind, failure.code), (6, FailureKind::Transient, Some(400)));
}

#[test]
fn answers_about_users_whom_nobody_asked_for_find_nobody() {
    let mut now = start();
    let mut directory = Directory::new(1, UNKNOWN);
    let mut tenant = Tenant::default();
    let stranger = tenant.add(9, "stranger@domain.com").clone();
    tenant.users[0]["imAddresses"] = json!(["sip:stranger@domain.com"]);
    let with_address = tenant.users[0].clone();
    directory.ask(now, &uri("sip:a@domain.com"));
    now += Duration::from_secs(1);
    let (id, _) = next(&mut directory, now);
    directory.answered(now, id, &answer(200, &json!({"value": [stranger, 7]}))).unwrap();
    let (id, _) = next(&mut directory, now);
    directory.answered(now, id, &answer(200, &json!({"value": [with_address]}))).unwrap();
    assert_eq!(found(&mut directory), []);
    directory.answered(now, id, &answer(200, &json!({"value": []}))).unwrap();
    assert!(next(&mut directory, now).1.path.contains("proxyAddresses"), "the same answer twice changes nothing");
}

#[test]
fn what_could_not_be_asked_goes_back_to_the_front() {
    let now = start();
    let mut directory = Directory::new(1, UNKNOWN);
    for number in 0..30 {
        directory.ask(now, &uri(&format!("sip:user{number:02}@domain.com")));
    }
    let (id, first) = next(&mut directory, now);
    directory.postponed(id);
    assert_eq!(directory.waiting(), 30);
    assert_eq!(next(&mut directory, now).1.path, first.path);
    let (id, _) = next(&mut directory, now);
    assert!(directory.next_request(now).is_none());
    directory.answered(now, id, &answer(503, &json!({}))).unwrap();
    assert!(directory.is_due(now), "what is no answer is as if it had not been asked");
}

#[test]
fn an_answer_that_cannot_be_read_is_nobodys_failure_and_backs_off() {
    let mut now = start();
    let mut directory = Directory::new(1, UNKNOWN);
    directory.ask(now, &uri("sip:a@domain.com"));
    now += Duration::from_secs(1);
    for wait in [1, 2, 4] {
        let (id, _) = next(&mut directory, now);
        let failure = directory.answered(now, id, &answer(200, &json!({"value": 7}))).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Endpoint);
        assert!(directory.next_request(now).is_none());
        assert_eq!(directory.poll_timeout(), Some(now + Duration::from_secs(wait)));
        now += Duration::from_secs(wait);
    }
    let (id, _) = next(&mut directory, now);
    directory.answered(now, id, &answer(200, &json!({"value": []}))).unwrap();
    assert!(directory.is_due(now));
    assert_eq!(found(&mut directory), []);
}

#[test]
fn who_is_forgotten_is_not_asked_for_and_not_told_of() {
    let (mut now, mut tenant) = (start(), Tenant::default());
    let mut directory = Directory::new(1, UNKNOWN);
    let agent = uri("sip:a@domain.com");
    tenant.add(1, "a@domain.com");
    directory.ask(now, &agent);
    directory.forget(&agent);
    assert_eq!((directory.waiting(), directory.poll_timeout()), (0, None));
    // Forgotten while the question is open: the answer is remembered.
    directory.ask(now, &agent);
    now += Duration::from_secs(1);
    let (id, request) = next(&mut directory, now);
    directory.forget(&agent);
    assert_eq!(directory.waiting(), 0);
    directory.answered(now, id, &tenant.answer(&request)).unwrap();
    assert_eq!(found(&mut directory), []);
    directory.ask(now, &agent);
    assert_eq!(found(&mut directory)[0].outcome, Ok(super::id(1)));
    // Forgotten while the question is open, and nobody is found: nothing goes on.
    let agent = uri("sip:b@domain.com");
    directory.ask(now, &agent);
    now += Duration::from_secs(1);
    let (id, request) = next(&mut directory, now);
    directory.forget(&agent);
    directory.answered(now, id, &tenant.answer(&request)).unwrap();
    assert_eq!((directory.poll_timeout(), directory.searches.len()), (None, 0));
    // Forgotten, and wanted again while the question is open.
    directory.ask(now, &agent);
    now += Duration::from_secs(1);
    let (id, request) = next(&mut directory, now);
    directory.forget(&agent);
    directory.ask(now, &agent);
    directory.answered(now, id, &tenant.answer(&request)).unwrap();
    assert_eq!(settle(&mut directory, &mut now, &mut tenant).len(), 1);
}

#[test]
fn two_ways_to_write_one_user_are_one_question_and_two_answers() {
    let (mut now, mut tenant) = (start(), Tenant::default());
    let mut directory = Directory::new(1, UNKNOWN);
    tenant.add(1, "A@Domain.com");
    for agent in ["sip:a@domain.com", "sips:A@domain.com", "sip:a@domain.com:5061", "sip:a@domain.com"] {
        directory.ask(now, &uri(agent));
    }
    let found = settle(&mut directory, &mut now, &mut tenant);
    assert_eq!((found.len(), tenant.asked.len()), (3, 1));
    assert!(found.iter().all(|found| found.outcome == Ok(id(1))));
}

#[test]
fn who_needs_no_question_is_answered_at_once() {
    let now = start();
    let mut directory = Directory::new(1, UNKNOWN);
    directory.ask(now, &uri(&format!("sip:{}@domain.com", id(5))));
    directory.ask(now, &uri("tel:+31612345678"));
    directory.ask(now, &uri("sip:a%00@domain.com"));
    let outcomes: Vec<_> =
        found(&mut directory).into_iter().map(|found| found.outcome.map_err(|failure| failure.kind)).collect();
    assert_eq!(outcomes, [Ok(id(5)), Err(FailureKind::NotFound), Err(FailureKind::NotFound)]);
    assert_eq!(directory.poll_timeout(), None);
}

#[test]
fn who_is_looked_for_alone_has_a_share_while_many_are_new() {
    let mut now = start();
    let mut directory = Directory::new(1, UNKNOWN);
    let mut alone = 0;
    for number in 0..3_000 {
        directory.ask(now, &uri(&format!("sip:user{number}@domain.com")));
    }
    for _ in 0..100 {
        now += Duration::from_millis(10);
        let (id, request) = next(&mut directory, now);
        alone += usize::from(!request.path.contains("%20in%20"));
        directory.answered(now, id, &answer(200, &json!({"value": []}))).unwrap();
    }
    assert!((20..30).contains(&alone), "{alone}");
}
