//! Outages of secrets, accounts and tenants: who pays, and how soon everybody is back.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod world;

use std::time::Duration;

use presence_graph::{AccountState, GraphInput, Report};
use presence_simulator::{GraphServiceSettings, ServiceAccount, ServiceCredential};
use world::{World, agent, agent_of, client_secret, secs, service_tenant, settings};

const A: &str = "aaaaaaaa-0000-4000-8000-000000000000";
const B: &str = "bbbbbbbb-0000-4000-8000-000000000000";

#[test]
fn a_secret_that_expires_for_three_hours_abandons_nobody_and_all_are_fresh_within_a_sweep_after_it() {
    let mut world = World::with_users(2_000);
    world.register_all(2_000);
    world.command("secret expired account1");
    world.command("expire-tokens account1");
    let from = world.elapsed();
    world.run(secs(3 * 3_600));
    assert!(world.agents.values().all(|seen| seen.failures.is_empty() && seen.registered && seen.doubted));
    let latest = world.agents.values().map(|seen| seen.doubts[0] - from).max().unwrap();
    assert!(latest <= secs(25), "all were doubted in time: {latest:?}");
    assert!(world.agents.values().all(|seen| seen.doubts.len() == 1 && seen.values.len() == 1));
    let failed =
        |(_, report): &&(Duration, Report)| matches!(report, Report::AccountFailed { needs_a_person: true, .. });
    assert_eq!(world.reports.iter().filter(failed).count(), 1, "{:?}", world.reports);
    assert!(world.view().counters.token_requests <= 8, "a refused secret is not tried again and again");
    assert!(world.loads.len() >= 170, "the secret is read once a minute");
    // Somebody puts another secret in its place.
    world.command("secret renewed account1 another~secret");
    world.secrets.insert("account1".to_owned(), Ok(client_secret("another~secret")));
    let took =
        world.run_until(secs(61), |world| matches!(world.view().tenants[0].accounts[0].state, AccountState::Working));
    assert!(took <= secs(61), "{took:?}");
    world.run(secs(5) + Duration::from_millis(100));
    assert!(world.all_fresh(), "within one sweep");
    assert!(world.agents.values().all(|seen| seen.failures.is_empty()));
}

#[test]
fn a_person_who_wants_it_tried_ends_the_wait_for_a_secret_and_for_a_permission() {
    let renewed = format!("secret renewed account1 {}", GraphServiceSettings::SECRET);
    for (trouble, mend) in [("secret expired account1", renewed.as_str()), ("refuse 403", "heal")] {
        let mut world = World::with_users(700);
        let secret = world.secrets["account1"].clone();
        world.register_all(700);
        world.command(trouble);
        world.command("expire-tokens account1");
        world.run(secs(2 * 3_600 + 100));
        assert!(world.agents.values().all(|seen| seen.doubted), "{trouble}");
        // The same secret is good again, or the permission is given back: nothing here shows it.
        world.secrets.insert("account1".to_owned(), secret);
        world.command(mend);
        world.handle(GraphInput::Retry);
        world.run(secs(5) + Duration::from_millis(600));
        assert!(world.all_fresh(), "{trouble}: within one sweep");
    }
}

#[test]
fn a_token_that_is_still_good_is_used_while_its_renewal_fails() {
    let mut world = World::with_users(5);
    world.register_all(5);
    world.command("secret expired account1");
    world.run(secs(3_400));
    assert!(world.all_fresh() && world.agents.values().all(|seen| seen.doubts.is_empty()));
    world.run(secs(300));
    assert!(world.agents.values().all(|seen| seen.doubted));
}

fn two_tenants() -> World {
    let mut service = GraphServiceSettings::with_users(0, "unused.example");
    service.tenants =
        vec![service_tenant(0, A, "a.example", 50, &["a1"]), service_tenant(1, B, "b.example", 50, &["b1"])];
    let mut world = World::new(settings(&[(A, &["a.example"], &["a1"]), (B, &["b.example"], &["b1"])]), service);
    for number in 1..=50 {
        world.register(&agent_of(number, "a.example"));
        world.register(&agent_of(number, "b.example"));
    }
    world.run_until(secs(30), World::all_fresh);
    world
}

#[test]
fn one_tenants_trouble_costs_another_nothing() {
    for trouble in ["throttle 600 tenant", "outage silence tenant", "refuse 403 tenant", "outage reset tenant"] {
        let mut world = two_tenants();
        world.command(&format!("{trouble} {A}"));
        world.run(secs(60));
        let other = || (1..=50).map(|number| agent_of(number, "b.example"));
        assert!(other().all(|uri| world.agents[&uri].is_fresh() && world.agents[&uri].doubts.is_empty()), "{trouble}");
        world.command("set agent7@b.example Away");
        world.run(secs(5) + Duration::from_millis(100));
        assert_eq!(world.agents[&agent_of(7, "b.example")].number(), Some(15_500), "{trouble}");
        assert!((1..=50).all(|number| world.agents[&agent_of(number, "a.example")].doubted), "{trouble}");
        let view = world.view();
        assert!(!view.tenants[0].up && view.tenants[1].up, "{trouble}");
    }
}

#[test]
fn an_agent_of_any_domain_is_found_in_the_second_tenant_also_while_the_first_is_down() {
    let mut service = GraphServiceSettings::with_users(0, "unused.example");
    service.tenants =
        vec![service_tenant(0, A, "a.example", 5, &["a1"]), service_tenant(1, B, "b.example", 5, &["b1"])];
    let mut world = World::new(settings(&[(A, &[], &["a1"]), (B, &[], &["b1"])]), service);
    world.register(&agent_of(1, "b.example"));
    world.run_until(secs(10), World::all_fresh);
    let tenant = world.graph.inspect(&agent_of(1, "b.example")).unwrap().tenant;
    assert_eq!(tenant.as_deref(), Some(B));
    world.command(&format!("outage reset tenant {A}"));
    world.register(&agent_of(2, "b.example"));
    world.run_until(secs(60), |world| world.agents[&agent_of(2, "b.example")].is_fresh());
    world.register(&agent_of(3, "a.example"));
    world.run(secs(60));
    assert!(world.agents[&agent_of(3, "a.example")].failures.is_empty(), "only the tenant that is down can know it");
    world.command("heal");
    world.run_until(secs(310), World::all_fresh);
}

fn two_accounts(agents: u32) -> World {
    let mut service = GraphServiceSettings::with_users(0, "unused.example");
    service.tenants = vec![service_tenant(0, A, "demo.example", agents, &["one", "two"])];
    let mut world = World::new(settings(&[(A, &[], &["one", "two"])]), service);
    world.register_all(agents);
    world.run(secs(20));
    world
}

fn loads(world: &World) -> Vec<usize> {
    world.view().tenants[0].accounts.iter().map(|account| account.batches).collect()
}

#[test]
fn accounts_share_the_batches_and_one_takes_over_from_the_other_and_gives_back() {
    let troubles = [
        ("refuse 403 account one", 1_000),
        ("throttle 300 account one", 350),
        ("outage 503 account one", 150),
        ("refuse 401 on presence account one", 1_000),
    ];
    for (trouble, time) in troubles {
        let mut world = two_accounts(700);
        assert_eq!(loads(&world), [1, 1]);
        world.command(&format!("{trouble} for 90s"));
        world.run(secs(60));
        assert_eq!(loads(&world), [0, 2], "{trouble}");
        assert!(world.agents.values().all(|seen| seen.is_fresh() && seen.doubts.is_empty()), "{trouble}");
        assert!(world.view().tenants[0].up, "{trouble}");
        world.run(secs(time));
        assert_eq!(loads(&world), [1, 1], "{trouble}");
        assert!(world.agents.values().all(|seen| seen.doubts.is_empty() && seen.failures.is_empty()), "{trouble}");
    }
}

#[test]
fn notifications_bring_a_change_before_the_sweep_and_the_end_leaves_nothing_behind() {
    let mut service = GraphServiceSettings::with_users(20, "demo.example").and_user("user1", "first-refresh-token");
    service.tenants[0]
        .accounts
        .retain(|account: &ServiceAccount| matches!(account.credential, ServiceCredential::User(_)));
    let mut settings = settings(&[(GraphServiceSettings::TENANT, &[], &["user1"])]);
    settings.tenants[0].accounts[0].kind = presence_graph::AccountKind::Delegated;
    settings.notifications = Some(presence_graph::NotificationSettings {
        url: "https://provider.example/graph/notifications".to_owned(),
        key: [7; 32],
    });
    let mut world = World::new(settings, service);
    world.register_all(20);
    world.run(secs(120));
    let view = world.graph.inspect(&agent(3)).unwrap();
    assert!(view.notified, "{:#?} {:?}", world.view(), world.reports);
    let polls = world.polls.len();
    world.run(secs(300));
    assert!(world.polls.len() - polls <= 6, "once a minute: {}", world.polls.len() - polls);
    world.command("set agent3@demo.example Busy");
    let took = world.run_until(secs(30), |world| world.seen(3).number() == Some(6_500));
    assert!(took <= secs(4), "{took:?}");
    assert_eq!(world.view().counters.changes_notified, 1);
    assert!(world.agents.values().all(|seen| seen.doubts.is_empty()));
    assert_eq!(world.service.counters().live_subscriptions, 1);
    world.handle(GraphInput::Stop);
    let took = world.run_until(secs(3), |world| world.graph.is_stopped(world.now));
    assert!(took <= secs(2), "{took:?}");
    assert_eq!((world.service.counters().live_subscriptions, world.graph.poll_timeout()), (0, None));
}
