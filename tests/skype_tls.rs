//! The whole provider against a simulated Skype for Business pool over mutual TLS on loopback, in both directions.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test binary has no reader of its docs and may panic")]

mod support;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use presence_actors::transport::{TlsFiles, TlsIdentity};
use presence_actors::{DialectSetup, EndpointSetup, Pool};
use presence_core::{Availability, EndpointKind, EndpointState};
use presence_simulator::{
    Activity, AgentState, FrontEndHandle, FrontEndServer, FrontEndServerSettings, FrontEndSettings, FrontEndTls, Pem,
};
use presence_sip::TransportKind;
use support::certificates::{APPLICATION_NAME, Certificates, POOL_NAME};
use support::eventually;
use support::running::{Queue, Running, SOON, setup};

/// Ten thousand agents take their time on two cores that others use as well.
const PATIENCE: Duration = Duration::from_secs(60);

/// A pool of this name with so many agents `sip:agentN@example.test`, over mutual TLS.
fn pool(certificates: &Certificates, agents: usize, change: impl FnOnce(&mut FrontEndSettings)) -> FrontEndHandle {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut settings = FrontEndSettings::one_pool(POOL_NAME, anywhere, agents, "example.test");
    settings.wire = TransportKind::Tls;
    change(&mut settings);
    let mut server = FrontEndServerSettings::on_loopback(settings);
    server.tls = Some(FrontEndTls {
        certificate: Pem::File(certificates.pool.certificate.clone()),
        key: Pem::File(certificates.pool.key.clone()),
        trusted: Pem::File(certificates.authority.clone()),
        client_auth: true,
        application_name: Some(APPLICATION_NAME.into()),
    });
    FrontEndServer::start_on_own_thread(server).unwrap()
}

/// An endpoint of ours there, with a listener of its own for the pool's connections.
fn endpoint(kind: EndpointKind, certificates: &Certificates, pool: &FrontEndHandle) -> EndpointSetup {
    let uri = match kind {
        EndpointKind::Application => "sip:application@example.test",
        EndpointKind::User => "sip:user@example.test",
    };
    let address = pool.address(0);
    let at = Pool::Address { host: address.ip().to_string(), port: Some(address.port()) };
    let mut endpoint = EndpointSetup::new(kind, uri.parse().unwrap(), at, TransportKind::Tls);
    endpoint.dialect = DialectSetup::Skype { registers: true };
    endpoint.listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    endpoint.tls = Some(
        TlsIdentity::load(&TlsFiles {
            certificate: Some(certificates.application.certificate.clone()),
            private_key: Some(certificates.application.key.clone()),
            trusted_certificates: Some(certificates.authority.clone()),
            peer_names: vec![POOL_NAME.into()],
        })
        .unwrap(),
    );
    endpoint
}

fn user(number: usize) -> String {
    format!("agent{number}")
}

fn agent(number: usize) -> String {
    format!("sip:agent{number}@example.test")
}

/// Fifty queues; each agent is wanted by two of them.
fn fifty_queues(provider: &Running, agents: usize) -> Vec<Queue> {
    let wants = |queue: usize| (1..=agents).filter(move |agent| agent % 50 == queue || (agent + 7) % 50 == queue);
    (0..50)
        .map(|number| {
            let queue = provider.queue(&format!("queue{number}"));
            wants(number).for_each(|number| queue.subscribe(&user(number)));
            queue
        })
        .collect()
}

#[test]
fn ten_thousand_agents_in_fifty_queues_cost_one_dialog_and_at_most_25_subscribes() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let pool = pool(&certificates, 10_000, |_| {});
    let mut setup = setup(vec![endpoint(EndpointKind::Application, &certificates, &pool)]);
    setup.subscriptions_per_second = NonZeroU32::new(20_000).unwrap();
    let provider = Running::start(setup);
    let queues = fifty_queues(&provider, 10_000);
    eventually("all to be subscribed", PATIENCE, || (pool.live_subscriptions() == 10_000).then_some(()));
    assert!(pool.set_presence(&agent(4_711), AgentState::of(Activity::Away)));
    queues[4_711 % 50].await_availability(&user(4_711), Availability::AWAY);
    let counters = pool.counters();
    println!("{counters:?}");
    let messages = counters.subscribes_initial + counters.subscribes_in_dialog;
    assert!(messages <= 25, "{messages} SUBSCRIBEs");
    assert_eq!((counters.dialogs_now, counters.resources_asked, counters.asked_twice), (1, 10_000, 0));
    assert!(counters.largest_list <= 500);
    assert_eq!(counters.most_live_for_one_agent, 1);
    assert_eq!(counters.violations, Vec::<String>::new());
}

#[test]
fn at_fifteen_per_second_the_wire_sees_fifteen_agents_per_second() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let pool = pool(&certificates, 90, |_| {});
    let mut setup = setup(vec![endpoint(EndpointKind::Application, &certificates, &pool)]);
    setup.subscriptions_per_second = NonZeroU32::new(15).unwrap();
    let provider = Running::start(setup);
    let queue = provider.queue("one");
    (1..=90).for_each(|number| queue.subscribe(&user(number)));
    eventually("all to be subscribed", SOON, || (pool.live_subscriptions() == 90).then_some(()));
    let counters = pool.counters();
    assert_eq!(counters.most_resources_in_a_second, 15);
    assert_eq!((counters.resources_asked, counters.dialogs_now), (90, 1));
}

#[test]
fn both_endpoints_register_and_the_pool_speaks_to_us_on_connections_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let pool = pool(&certificates, 10, |settings| settings.switches.own_connections = true);
    let endpoints = EndpointKind::ALL.map(|kind| endpoint(kind, &certificates, &pool));
    let provider = Running::start(setup(endpoints.into()));
    EndpointKind::ALL.iter().for_each(|kind| provider.await_endpoint(*kind, EndpointState::Established));
    let queue = provider.queue("one");
    (1..=10).for_each(|number| queue.subscribe(&user(number)));
    eventually("all to be subscribed", SOON, || (pool.live_subscriptions() == 10).then_some(()));
    assert!(pool.set_presence(&agent(3), AgentState::of(Activity::OnThePhone)));
    queue.await_availability(&user(3), Availability::BUSY);
    let counters = pool.counters();
    assert_eq!(counters.registered_now, 2);
    assert!(counters.dialled >= 1, "the pool connects to our listener: {counters:?}");
    assert_eq!(counters.violations, Vec::<String>::new());
}

#[test]
fn a_registration_that_the_pool_ends_moves_everyone_to_the_other_endpoint_over_real_connections() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let pool = pool(&certificates, 30, |_| {});
    let endpoints = EndpointKind::ALL.map(|kind| endpoint(kind, &certificates, &pool));
    let provider = Running::start(setup(endpoints.into()));
    EndpointKind::ALL.iter().for_each(|kind| provider.await_endpoint(*kind, EndpointState::Established));
    let queue = provider.queue("one");
    (1..=30).for_each(|number| queue.subscribe(&user(number)));
    eventually("all to be subscribed", SOON, || (pool.live_subscriptions() == 30).then_some(()));
    pool.command("deregister sip:application@example.test rejected").unwrap();
    let by_user = |number: usize| {
        let all = pool.subscriptions_of(&agent(number));
        all.len() == 1 && all[0].0.as_str() == "sip:user@example.test"
    };
    eventually("all to be served by the user endpoint", SOON, || (1..=30).all(by_user).then_some(()));
    assert_eq!(pool.counters().most_live_for_one_agent, 1);
    provider.await_endpoint(EndpointKind::Application, EndpointState::Terminated);
}
