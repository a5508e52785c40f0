//! Accounts: tokens that are refused, secrets that run out, refresh tokens that roll.

use presence_actors::Occurrence;
use presence_core::{Freshness, SubscriptionState};
use presence_graph::{AccountKind, AccountState, Report};
use presence_simulator::GraphServiceSettings;

use crate::support::{Ledger, agent, errors, in_virtual_time, pass, seconds};
use crate::world::{ACCOUNT, World, account, client_secret, refresh_token, settings, tenant};

#[test]
fn a_secret_that_is_expired_for_three_hours_abandons_nobody_and_all_are_fresh_within_one_sweep_after_it() {
    in_virtual_time(|| async {
        const AGENTS: usize = 700;
        let world = World::of(AGENTS as u32);
        let ucc = world.ucc(1..=AGENTS);
        pass(seconds(30)).await;
        let mut ledger = Ledger::of(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        world.microsoft.command("secret expired account1");
        world.microsoft.command("expire-tokens account1");
        pass(seconds(60)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Stale);
        assert_eq!(ledger.len(), AGENTS);
        let asked = world.microsoft.count("token");
        pass(seconds(3 * 3_600)).await;
        assert!(world.microsoft.count("token") - asked <= 12, "no hot retries");
        let view = world.graph().await;
        assert!(matches!(&view.tenants[0].accounts[0].state, AccountState::Failed { .. }), "{view:?}");
        assert!(!errors::take().is_empty(), "somebody is called");
        world.microsoft.command("secret renewed account1");
        // The file is looked at while somebody is waited for; a new secret in it is tried at once.
        world.secrets.set(ACCOUNT, Some(client_secret(GraphServiceSettings::SECRET)));
        let mut waited = 0;
        let asked = world.microsoft.count("presences");
        while world.microsoft.count("presences") == asked {
            waited += 1;
            assert!(waited < 8 * 3_600, "nobody tries again");
            pass(seconds(1)).await;
        }
        pass(seconds(5)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        let observed = world.provider.observe().await.unwrap();
        assert!(observed.agents().all(|agent| {
            let subscription = agent.subscription.as_ref().unwrap();
            (subscription.failures, subscription.state) == (0, SubscriptionState::Active)
        }));
        let meters = world.provider.meters().read();
        assert_eq!(meters.abandoned, 0);
        assert!(meters.failures.values().all(|count| *count == 0), "{:?}", meters.failures);
        errors::take();
    });
}

#[test]
fn tokens_that_are_taken_back_are_fetched_anew_at_once_and_nobody_notices() {
    in_virtual_time(|| async {
        let world = World::of(10);
        let ucc = world.ucc(1..=10);
        pass(seconds(10)).await;
        ucc.heard();
        world.microsoft.command("expire-tokens");
        pass(seconds(30)).await;
        assert_eq!(ucc.heard(), []);
        assert_eq!(world.microsoft.count("token"), 2);
    });
}

#[test]
fn a_token_that_is_refused_again_when_it_is_new_fails_the_account() {
    in_virtual_time(|| async {
        let world = World::of(10);
        let ucc = world.ucc(1..=10);
        pass(seconds(10)).await;
        let mut ledger = Ledger::of(ucc.heard());
        let mut occurrences = world.provider.occurrences();
        world.microsoft.command("refuse 401 for 120s on presence");
        pass(seconds(60)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Stale);
        let told: Vec<_> = std::iter::from_fn(|| occurrences.try_recv().ok()).collect();
        let is_told = |wanted: fn(&Report) -> bool| {
            told.iter().filter(|told| matches!(told, Occurrence::Graph { report, .. } if wanted(report))).count()
        };
        assert_eq!(is_told(|report| matches!(report, Report::AccountFailed { .. })), 1);
        assert_eq!(is_told(|report| matches!(report, Report::TenantDown { .. })), 1);
        assert!(world.microsoft.count("token") <= 3, "no hot retries");
        pass(seconds(2 * 900)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        errors::take();
    });
}

#[test]
fn an_account_whose_credential_is_missing_waits_for_it() {
    in_virtual_time(|| async {
        let world = World::of(3);
        world.secrets.set(ACCOUNT, None);
        let ucc = world.ucc(1..=3);
        pass(seconds(60)).await;
        assert_eq!(ucc.heard().len(), 3, "pending is all that is known");
        let view = world.graph().await;
        let AccountState::Failed { failure, .. } = &view.tenants[0].accounts[0].state else { panic!("{view:?}") };
        assert!(failure.to_string().contains("there is no credential `account1`"), "{failure}");
        assert_eq!(world.microsoft.count("token"), 0);
        world.secrets.set(ACCOUNT, Some(client_secret(GraphServiceSettings::SECRET)));
        pass(seconds(2 * 900)).await;
        assert_eq!(ucc.heard().len(), 3, "and then it works");
        errors::take();
    });
}

#[test]
fn a_refresh_token_that_rolls_is_kept_each_time_before_anything_else_and_read_again_after_a_crash() {
    in_virtual_time(|| async {
        let service = GraphServiceSettings::with_users(3, "example.test").and_user("person", "first-token");
        let person = tenant(GraphServiceSettings::TENANT, vec![account("person", AccountKind::Delegated)]);
        let world = World::with(service, presence_graph::GraphSettings { tenants: vec![person], ..settings() }, |_| {});
        world.secrets.set("person", Some(refresh_token("first-token")));
        let ucc = world.ucc(1..=3);
        pass(seconds(4 * 3_600)).await;
        let ledger = Ledger::of(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        let stored = world.secrets.stored();
        assert!((4..=6).contains(&stored.len()), "{}", stored.len());
        assert!(stored.iter().all(|(account, _)| account == "person"));
        assert!(world.provider.drill_graph().await);
        pass(seconds(60)).await;
        assert_eq!(world.secrets.stored().len(), stored.len() + 1, "the last one was good");
        assert_eq!(world.agent(1).await.presence.freshness, Freshness::Fresh);
        assert_eq!(errors::take().len(), 1, "the crash");
    });
}

#[test]
fn a_refresh_token_that_a_full_disk_did_not_take_is_kept_as_soon_as_there_is_room() {
    in_virtual_time(|| async {
        let service = GraphServiceSettings::with_users(3, "example.test").and_user("person", "first-token");
        let person = tenant(GraphServiceSettings::TENANT, vec![account("person", AccountKind::Delegated)]);
        let world = World::with(service, presence_graph::GraphSettings { tenants: vec![person], ..settings() }, |_| {});
        world.secrets.set("person", Some(refresh_token("first-token")));
        world.secrets.set_full(true);
        let ucc = world.ucc(1..=3);
        pass(seconds(600)).await;
        Ledger::of(ucc.heard()).assert_all(Freshness::Fresh);
        assert_eq!(world.secrets.stored().len(), 0);
        let told = errors::take();
        assert_eq!(told.len(), 1, "once, not every minute: {told:?}");
        world.secrets.set_full(false);
        pass(seconds(61)).await;
        assert_eq!(world.secrets.stored().len(), 1, "long before it is renewed");
    });
}

#[test]
fn one_of_two_accounts_that_fails_is_stood_in_for_by_the_other() {
    in_virtual_time(|| async {
        let mut service = GraphServiceSettings::with_users(1_500, "example.test");
        let mut second = service.tenants[0].accounts[0].clone();
        second.name = "account2".to_owned();
        second.client_id = "7a1c5bd0-95f9-4d7b-a3a1-1f0f5a3d9c12".to_owned();
        service.tenants[0].accounts.push(second.clone());
        let both = ["account1", "account2"].map(|name| account(name, AccountKind::Application)).to_vec();
        let tenants = vec![tenant(GraphServiceSettings::TENANT, both)];
        let world = World::with(service, presence_graph::GraphSettings { tenants, ..settings() }, |_| {});
        let secret = GraphServiceSettings::SECRET.to_owned().into();
        world
            .secrets
            .set("account2", Some(presence_graph::Secret::ClientSecret { client_id: second.client_id, secret }));
        let ucc = world.ucc(1..=1_500);
        pass(seconds(30)).await;
        let shares = world.microsoft.counters().by_account;
        assert!(shares["account1"] > 3 && shares["account2"] > 3, "{shares:?}");
        Ledger::of(ucc.heard()).assert_all(Freshness::Fresh);
        world.microsoft.command("secret expired account2");
        world.microsoft.command("expire-tokens account2");
        pass(seconds(120)).await;
        assert_eq!(ucc.heard(), [], "nobody is stale");
        world.microsoft.set(1_400, "Busy", "Busy");
        world.microsoft.set(3, "Busy", "Busy");
        pass(seconds(6)).await;
        assert_eq!(ucc.heard().len(), 2);
        assert_eq!(world.agent(1_400).await.graph.unwrap().account.as_deref(), Some("account1"));
        assert_eq!(world.agent(3).await.presence.status.availability.value(), 6500);
        assert_eq!(agent(3), world.agent(3).await.uri);
        errors::take();
    });
}

#[test]
fn a_refresh_token_that_we_stored_ourselves_is_no_reason_to_try_again() {
    in_virtual_time(|| async {
        let service = GraphServiceSettings::with_users(3, "example.test").and_user("person", "first-token");
        let person = tenant(GraphServiceSettings::TENANT, vec![account("person", AccountKind::Delegated)]);
        let world = World::with(service, presence_graph::GraphSettings { tenants: vec![person], ..settings() }, |_| {});
        world.secrets.set("person", Some(refresh_token("first-token")));
        let _ucc = world.ucc(1..=3);
        pass(seconds(10)).await;
        world.microsoft.command("refuse 401 for 3600s on presence");
        pass(seconds(800)).await;
        assert!(world.microsoft.count("token") <= 3, "no hot retries: {}", world.microsoft.count("token"));
        assert_eq!(errors::take().len(), 1, "somebody is called once");
    });
}
