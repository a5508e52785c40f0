//! The throttle, and everything that goes wrong on request.

use presence_simulator::{GraphServiceSettings, ServiceReply};

use crate::support::{SECRET, TENANT, World, seconds};

#[test]
fn one_request_too_many_must_wait_as_long_as_it_is_told() {
    let mut settings = GraphServiceSettings::with_users(10, "demo.example");
    settings.throttle = 3;
    let mut world = World::new(settings);
    let token = world.app_token();
    for _ in 0..3 {
        assert_eq!(world.presences(&token, &[1]).status, 200);
        world.pass(seconds(1));
    }
    let refused = world.presences(&token, &[1]);
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("27.001")));
    for (form, expected) in [("seconds", "27"), ("date", "Sun, 22 Nov 2026 08:00:31 GMT")] {
        world.order(&format!("retry-after {form}"));
        assert_eq!(world.presences(&token, &[1]).header("retry-after"), Some(expected));
    }
    world.order("retry-after absent");
    assert_eq!(world.presences(&token, &[1]).header("retry-after"), None);
    assert_eq!(world.service.counters().throttled, 4);
    world.pass(seconds(27));
    assert_eq!(world.presences(&token, &[1]).status, 200);
    world.order("limit 0 30s");
    assert!((0..100).all(|_| world.presences(&token, &[1]).status == 200));
}

#[test]
fn an_outage_lasts_as_long_as_it_was_ordered() {
    let mut world = World::small();
    let token = world.app_token();
    let path = "/subscriptions";
    world.order("outage reset for 20s");
    assert_eq!(world.graph(&token, "GET", path, ""), ServiceReply::Reset);
    world.pass(seconds(20));
    assert_eq!(world.answer(&token, "GET", path, "").status, 200);
    world.order("outage silence times 1");
    assert_eq!(world.graph(&token, "GET", path, ""), ServiceReply::Silence);
    world.order("outage 503");
    assert_eq!(world.answer(&token, "GET", path, "").status, 503);
    assert_eq!(world.by_secret(SECRET).status, 503, "the login host too");
    world.order("heal");
    assert_eq!(world.answer(&token, "GET", path, "").status, 200);
}

#[test]
fn a_fault_may_be_of_one_account_tenant_or_part() {
    let mut world = World::small();
    let (app, user) = (world.app_token(), world.user_token());
    world.order("refuse 401 times 1 account account1");
    assert_eq!(world.presences(&user, &[1]).status, 200);
    assert_eq!(world.presences(&app, &[1]).status, 401);
    assert_eq!(world.presences(&app, &[1]).status, 200);
    world.order("refuse 403 on subscriptions");
    assert_eq!(world.answer(&user, "GET", "/subscriptions", "").status, 403);
    assert_eq!(world.presences(&user, &[1]).status, 200);
    world.order(&format!("throttle 2.5 tenant {TENANT} on presence for 10s"));
    let refused = world.presences(&app, &[1]);
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("2.5")));
    world.order("heal");
    world.order("outage 500 account account1 on token");
    assert_eq!(world.by_secret(SECRET).status, 500);
    assert_eq!(world.by_refresh("first").status, 200);
}

#[test]
fn an_answer_may_be_anything() {
    let mut world = World::small();
    let token = world.app_token();
    for (kind, status, length) in [
        ("garbage", 200, 16),
        ("too-long", 200, 6 << 20),
        ("redirect", 302, 0),
        ("wrong-content", 200, 37),
        ("empty", 200, 0),
    ] {
        world.order(&format!("answer {kind} times 1"));
        let answer = world.presences(&token, &[1]);
        assert_eq!(answer.status, status, "{kind}");
        assert!(answer.body.len() >= length && (length > 0 || answer.body.is_empty()), "{kind}: {}", answer.body.len());
        assert_eq!(answer.header("location").is_some(), kind == "redirect");
    }
    assert_eq!(world.presences(&token, &[1]).status, 200);
}

#[test]
fn the_date_may_be_wrong_and_answers_slow() {
    let mut world = World::small();
    let token = world.app_token();
    assert_eq!(world.presences(&token, &[1]).header("date"), Some("Sun, 22 Nov 2026 08:00:00 GMT"));
    world.order("skew -600");
    assert_eq!(world.presences(&token, &[1]).header("date"), Some("Sun, 22 Nov 2026 07:50:00 GMT"));
    world.order("delay 250ms");
    assert_eq!(world.presences(&token, &[1]).after.as_millis(), 250);
}

#[test]
fn requests_are_counted_by_account_second_and_kind() {
    let mut world = World::small();
    let (app, user) = (world.app_token(), world.user_token());
    for _ in 0..5 {
        world.presences(&app, &[1]);
    }
    world.pass(seconds(1));
    world.presences(&user, &[1, 2]);
    let counters = world.service.counters();
    assert_eq!(counters.by_second.into_iter().collect::<Vec<_>>(), [(0, 5), (1, 1)]);
    assert_eq!((counters.most_in_a_second, counters.by_account["account1"], counters.by_account["anna"]), (5, 5, 1));
    assert_eq!(counters.most_in_a_second_by_account["anna"], 1);
    assert_eq!((counters.by_kind["token"], counters.by_kind["presences"], counters.ids_asked), (2, 6, 7));
    assert!(world.order("count").starts_with("presences=6 token=2 200=8 ids=7 "));
}

#[test]
fn a_command_that_is_wrong_says_what_to_write() {
    let mut world = World::small();
    let mut wrong = |line: &str| world.service.command(world.start, line).expect_err(line);
    assert_eq!(
        wrong("lifecycle gone"),
        "`lifecycle` does not know the event `gone`; write `lifecycle reauthorizationRequired|subscriptionRemoved|missed [ACCOUNT]`"
    );
    assert!(wrong("dance").starts_with("there is no command `dance`; write one of set, secret, "));
    assert!(wrong("set nobody Busy").contains("knows no user `nobody`"));
    assert!(wrong("delay soon").contains("a time such as 200ms"));
    assert!(wrong("refuse 200").contains("refuses nothing"));
    assert!(wrong("heal everyone").contains("does not understand `everyone`"));
    assert!(wrong("outage 503 account nobody").contains("knows no account"));
    assert!(wrong("page-size 0").contains("a number above 0"));
    for line in ["", "sign-in account1", "overtake agent1@demo.example times 0", "notices early", "silent-push perhaps"]
    {
        wrong(line);
    }
}
