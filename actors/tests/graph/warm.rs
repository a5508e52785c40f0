//! A run that is killed, and the one after it: who is who is not asked again, and Microsoft's Retry-After holds.

use std::sync::Arc;
use std::time::Duration;

use presence_actors::transport::memory;
use presence_actors::{GraphNetwork, PresenceEvent, Setup};
use presence_core::{EndpointKind, Freshness, Remembered, SourceKind};
use presence_graph::GraphSettings;
use presence_simulator::GraphServiceSettings;
use tokio::task::LocalSet;

use crate::microsoft::Microsoft;
use crate::support::{Ledger, VirtualPool, agent, endpoint, errors, in_virtual_time, pass, seconds};
use crate::world::{World, settings};

/// A life at this Microsoft that ends without a goodbye, and what it has left.
async fn life<F: Future<Output = ()>>(
    microsoft: &Microsoft,
    restored: Option<Remembered>,
    then: impl FnOnce(World) -> F,
) -> Remembered {
    let process = LocalSet::new();
    let network = GraphNetwork::Memory(Arc::new(microsoft.clone()));
    let remembered = process
        .run_until(async {
            let service = GraphServiceSettings::with_users(1, "example.test");
            let world = World::with(service, settings(), |setup: &mut Setup| {
                setup.graph.as_mut().unwrap().network = network;
                setup.restored = restored;
            });
            let provider = world.provider.clone();
            then(world).await;
            provider.remember().await
        })
        .await;
    drop(process);
    remembered
}

#[test]
fn who_is_who_is_not_asked_again_and_the_last_values_are_there_at_once() {
    in_virtual_time(|| async {
        let microsoft = Microsoft::start(GraphServiceSettings::with_users(40, "example.test"));
        let left = life(&microsoft, None, |world| async move {
            let _ucc = world.ucc(1..=41);
            pass(seconds(20)).await;
        })
        .await;
        assert_eq!(left.graph.names.len(), 41, "forty are known, and that one is nobody");
        let lookups = microsoft.count("users") + microsoft.count("user");
        assert!(lookups > 0, "{}", microsoft.counters());
        let asked = microsoft.clone();
        life(&microsoft, Some(left), |world| async move {
            let ucc = world.ucc(1..=40);
            pass(Duration::from_millis(200)).await;
            let heard = ucc.heard();
            assert!(heard.len() == 40 && heard.iter().all(is_stale), "{heard:?}");
            let mut ledger = Ledger::of(heard);
            pass(seconds(20)).await;
            ledger.read(ucc.heard());
            ledger.assert_all(Freshness::Fresh);
            assert_eq!(asked.count("users") + asked.count("user"), lookups, "{}", asked.counters());
        })
        .await;
    });
}

#[test]
fn a_wait_that_microsoft_asked_for_is_kept_by_the_next_run() {
    in_virtual_time(|| async {
        let microsoft = Microsoft::start(GraphServiceSettings::with_users(10, "example.test"));
        let throttling = microsoft.clone();
        let left = life(&microsoft, None, |world| async move {
            let _ucc = world.ucc(1..=10);
            pass(seconds(20)).await;
            throttling.command("throttle 600 times 1 on presence");
            pass(seconds(20)).await;
        })
        .await;
        assert_eq!(left.graph.accounts.len(), 1);
        assert!(left.graph.accounts[0].asked);
        let (before, asked) = (microsoft.count("presences"), microsoft.clone());
        life(&microsoft, Some(left), |world| async move {
            let ucc = world.ucc(1..=10);
            pass(seconds(570)).await;
            assert_eq!(asked.count("presences"), before, "Retry-After is kept");
            let mut ledger = Ledger::of(ucc.heard());
            ledger.assert_all(Freshness::Stale);
            pass(seconds(120)).await;
            ledger.read(ucc.heard());
            ledger.assert_all(Freshness::Fresh);
        })
        .await;
        errors::take();
    });
}

#[test]
fn whom_microsoft_had_declined_is_at_the_pool_at_once_also_while_microsoft_is_away() {
    in_virtual_time(|| async {
        let left = lived_with_a_pool(None, |world| async move {
            let _ucc = world.ucc([1, 7, 8]);
            pass(seconds(20)).await;
        })
        .await;
        let declined = left.agents.iter().filter(|agent| agent.source == SourceKind::Ucma).count();
        assert_eq!((declined, left.graph.names.len()), (2, 3));
        lived_with_a_pool(Some(left.clone()), |world| async move {
            world.microsoft.command("outage silence for 600s");
            let ucc = world.ucc([7, 1]);
            pass(Duration::from_millis(200)).await;
            let heard = ucc.heard();
            assert!(heard.len() == 2 && heard.iter().all(is_stale), "{heard:?}");
            let mut ledger = Ledger::of(heard);
            pass(seconds(20)).await;
            ledger.read(ucc.heard());
            assert_eq!(ledger.presence(&agent(7)).freshness, Freshness::Fresh, "the pool is asked at once");
            // Whom nobody wants any more is asked for at Microsoft when somebody wants him again.
            ucc.unsubscribe(&agent(7));
            pass(seconds(1)).await;
            ucc.heard();
            ucc.subscribe(&agent(7));
            pass(seconds(1)).await;
            assert!(matches!(ucc.heard().first(), Some(PresenceEvent::Pending { .. })));
        })
        .await;
        // The earlier run has never asked this tenant.
        let mut of_another = left;
        of_another.graph.names.clear();
        lived_with_a_pool(Some(of_another), |world| async move {
            let ucc = world.ucc([7]);
            pass(Duration::from_millis(200)).await;
            assert!(matches!(&ucc.heard()[..], [PresenceEvent::Pending { .. }]));
        })
        .await;
        errors::take();
    });
}

fn is_stale(event: &PresenceEvent) -> bool {
    matches!(event, PresenceEvent::Current { presence, .. } if presence.freshness == Freshness::Stale)
}

/// The same where Microsoft knows the agents 1 to 5, and a pool 1 to 10.
async fn lived_with_a_pool<F: Future<Output = ()>>(
    restored: Option<Remembered>,
    then: impl FnOnce(World) -> F,
) -> Remembered {
    let process = LocalSet::new();
    let remembered = process
        .run_until(async {
            let (network, side) = memory::network();
            let _pool = VirtualPool::start(10, side);
            let service = GraphServiceSettings::with_users(5, "example.test");
            let world = World::with(service, GraphSettings { declines: true, ..settings() }, |setup: &mut Setup| {
                setup.rules.ucma = true;
                setup.endpoints = vec![endpoint(EndpointKind::Application, network)];
                setup.restored = restored;
            });
            let provider = world.provider.clone();
            then(world).await;
            provider.remember().await
        })
        .await;
    drop(process);
    remembered
}
