//! Several tenants: each has its own failures.

use presence_core::Freshness;
use presence_graph::{AccountKind, GraphSettings, Secret};
use presence_simulator::{GraphServiceSettings, ServiceTenant, ServiceUser};

use crate::support::{Ledger, agent, errors, in_virtual_time, pass, seconds};
use crate::world::{World, account, settings, tenant};

const OTHER: &str = "5229ee5e-f566-4646-8e56-c4646f695dbe";
const CLIENT: &str = "8b2d6ce1-06fa-4e8c-b4b2-2f1f6b4eAd22";

/// Two tenants; `domains` says whether the configuration names their domains.
fn world(domains: bool) -> World {
    let mut service = GraphServiceSettings::with_users(50, "example.test");
    let mut theirs = service.tenants[0].accounts[0].clone();
    (theirs.name, theirs.client_id) = ("account2".to_owned(), CLIENT.to_owned());
    service.tenants.push(ServiceTenant {
        id: OTHER.to_owned(),
        domains: vec!["other.test".to_owned()],
        accounts: vec![theirs],
        users: (1..=50).map(|number| ServiceUser::numbered(1, number, "other.test")).collect(),
    });
    let mut tenants = vec![
        tenant(GraphServiceSettings::TENANT, vec![account("account1", AccountKind::Application)]),
        tenant(OTHER, vec![account("account2", AccountKind::Application)]),
    ];
    if domains {
        tenants[0].domains = ["example.test".to_owned()].into();
        tenants[1].domains = ["other.test".to_owned()].into();
    }
    let world = World::with(service, GraphSettings { tenants, ..settings() }, |_| {});
    let secret = GraphServiceSettings::SECRET.to_owned().into();
    world.secrets.set("account2", Some(Secret::ClientSecret { client_id: CLIENT.to_owned(), secret }));
    world
}

fn theirs(number: usize) -> presence_core::AgentUri {
    format!("sip:agent{number}@other.test").parse().unwrap()
}

#[test]
fn a_tenant_that_is_down_makes_its_own_agents_stale_and_no_others() {
    in_virtual_time(|| async {
        let world = world(true);
        let ucc = world.ucc(1..=50);
        (1..=50).for_each(|number| ucc.subscribe(&theirs(number)));
        pass(seconds(10)).await;
        let mut ledger = Ledger::of(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        world.microsoft.command("outage 503 for 300s tenant other.test");
        pass(seconds(60)).await;
        ledger.read(ucc.heard());
        for number in 1..=50 {
            assert_eq!(ledger.presence(&agent(number)).freshness, Freshness::Fresh);
            assert_eq!(ledger.presence(&theirs(number)).freshness, Freshness::Stale);
        }
        let view = world.graph().await;
        assert_eq!([view.tenants[0].up, view.tenants[1].up], [true, false]);
        world.microsoft.set(1, "Busy", "Busy");
        pass(seconds(6)).await;
        ledger.read(ucc.heard());
        assert_eq!(ledger.presence(&agent(1)).status.availability.value(), 6500);
        pass(seconds(300 + 300)).await;
        ledger.read(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        errors::take();
    });
}

#[test]
fn without_domains_the_tenants_are_asked_one_after_the_other_and_who_it_is_is_remembered() {
    in_virtual_time(|| async {
        let world = world(false);
        let ucc = world.ucc([1]);
        ucc.subscribe(&theirs(1));
        pass(seconds(10)).await;
        let ledger = Ledger::of(ucc.heard());
        ledger.assert_all(Freshness::Fresh);
        assert_eq!(world.agent(1).await.graph.unwrap().tenant.as_deref(), Some(GraphServiceSettings::TENANT));
        let other = world.provider.observe_agent(&theirs(1)).await.unwrap();
        assert_eq!(other.graph.unwrap().tenant.as_deref(), Some(OTHER));
    });
}
