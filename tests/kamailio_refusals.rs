//! What each refusal of a real Kamailio, and its silence, costs: the URI, the endpoint or nobody.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test binary has no reader of its docs and may panic")]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use presence_actors::PresenceEvent;
use presence_core::{Availability, EndpointKind, EndpointState, Freshness, SubscriptionState, SubscriptionView};
use presence_sip::{Timers, TransportKind};
use support::documents::pidf;
use support::kamailio::{Kamailio, Setup};
use support::observed::Subscribe;
use support::running::{Queue, Running, application, setup};

/// Kamailio, where alice is away and bob busy, a provider of the application endpoint only, and its one UCC.
struct Bench {
    kamailio: Kamailio,
    provider: Running,
    queue: Queue,
    bobs_tag: String,
}

impl Bench {
    fn start(timers: Timers) -> Option<Self> {
        let kamailio = Kamailio::start(Setup::default())?;
        kamailio.publish("alice", &pidf(&Kamailio::uri("alice"), true, Some("away")), None);
        let bobs_tag = kamailio.publish("bob", &pidf(&Kamailio::uri("bob"), true, Some("busy")), None);
        let mut endpoint = application(&kamailio, TransportKind::Tcp);
        endpoint.timers = timers;
        let provider = Running::start(setup(vec![endpoint]));
        let queue = provider.queue("one");
        Some(Self { kamailio, provider, queue, bobs_tag })
    }

    /// With bob subscribed.
    fn with_bob(timers: Timers) -> Option<Self> {
        let bench = Self::start(timers)?;
        bench.queue.subscribe("bob");
        bench.queue.await_availability("bob", Availability::BUSY);
        Some(bench)
    }

    /// The SUBSCRIBEs for an agent: those that name it, and those of their dialogs, which name the server.
    fn subscribes(&self, user: &str) -> Vec<Subscribe> {
        let (uri, observed) = (Kamailio::uri(user), self.kamailio.observed());
        let calls: BTreeSet<_> =
            observed.initial().iter().filter(|one| one.uri == uri).map(|one| one.call_id.clone()).collect();
        observed.subscribes.into_iter().filter(|subscribe| calls.contains(&subscribe.call_id)).collect()
    }

    /// How alice's subscription stands once it has failed.
    fn failure_of_alice(&self) -> SubscriptionView {
        let agent = self.provider.await_agent("alice", "to have failed", |agent| {
            agent.subscription.as_ref().is_some_and(|subscription| subscription.last_failure.is_some())
        });
        agent.subscription.unwrap()
    }

    /// The fault is over: alice comes back by herself, and nothing counts against her any more.
    fn alice_comes_back(&self) {
        self.kamailio.clear_faults();
        self.queue.await_availability("alice", Availability::AWAY);
        assert_eq!(self.provider.await_state("alice", SubscriptionState::Active).subscription.unwrap().failures, 0);
    }

    fn assert_bob_noticed_nothing(&self) {
        assert_eq!(self.queue.present("bob").unwrap().freshness, Freshness::Fresh);
        assert_eq!(self.queue.heard("bob").len(), 2, "pending and busy: {:?}", self.queue.heard("bob"));
        assert_eq!(self.subscribes("bob").len(), 1);
    }
}

/// Silence is noticed after 3.2 s instead of 32 s, and a silent pool after 1 s.
fn impatient() -> Timers {
    Timers { t1: Duration::from_millis(50), ..Timers::default() }
}

/// Milliseconds between one and the next.
fn gaps(subscribes: &[Subscribe]) -> Vec<u128> {
    subscribes.windows(2).map(|pair| (pair[1].at - pair[0].at).as_millis()).collect()
}

#[test]
fn after_404_the_delays_double_until_the_fourth_failure_abandons_the_agent() {
    let Some(bench) = Bench::with_bob(Timers::default()) else { return };
    bench.kamailio.fault_for("SUBSCRIBE", "alice", "404");
    bench.queue.subscribe("alice");
    let agent = bench.provider.await_state("alice", SubscriptionState::Abandoned);
    assert_eq!(agent.presence.freshness, Freshness::Unknown);
    let subscription = agent.subscription.unwrap();
    assert_eq!((subscription.failures, subscription.last_failure.unwrap().code), (4, Some(404)));
    let subscribes = bench.subscribes("alice");
    let gaps = gaps(&subscribes);
    assert_eq!(gaps.len(), 3, "four attempts: {subscribes:?}");
    for (gap, delay) in gaps.iter().zip([500, 1_000, 2_000]) {
        assert!((delay - 20..2 * delay + 500).contains(gap), "{gaps:?} ms instead of 500, 1000, 2000 ms");
    }
    assert!(subscribes.iter().all(Subscribe::is_initial));
    bench.assert_bob_noticed_nothing();

    bench.kamailio.clear_faults();
    assert_eq!(bench.provider.revive(), 1, "the abandoned agent is tried again without a restart");
    bench.queue.await_availability("alice", Availability::AWAY);
}

#[test]
fn after_403_the_agent_is_abandoned_at_once() {
    let Some(bench) = Bench::with_bob(Timers::default()) else { return };
    bench.kamailio.fault_for("SUBSCRIBE", "alice", "403");
    bench.queue.subscribe("alice");
    let agent = bench.provider.await_state("alice", SubscriptionState::Abandoned);
    assert_eq!(agent.subscription.unwrap().last_failure.unwrap().code, Some(403));
    assert_eq!(bench.subscribes("alice").len(), 1, "asking again would not help");
    assert!(matches!(&bench.queue.heard("alice")[..], [PresenceEvent::Pending { .. }]), "nothing was ever known");
    bench.assert_bob_noticed_nothing();
}

#[test]
fn after_423_it_asks_for_as_long_as_the_server_wants_and_nothing_failed() {
    let peer = Setup { minimum_expires: Duration::from_secs(120), ..Setup::default() };
    let Some(kamailio) = Kamailio::start(peer) else { return };
    let mut endpoint = application(&kamailio, TransportKind::Tcp);
    endpoint.expires = Duration::from_secs(60);
    let provider = Running::start(setup(vec![endpoint]));
    let queue = provider.queue("one");
    queue.subscribe("alice");
    let subscription = provider.await_state("alice", SubscriptionState::Active).subscription.unwrap();
    assert_eq!((subscription.failures, subscription.last_failure), (0, None));
    let asked: Vec<_> = kamailio.observed().subscribes.iter().map(|subscribe| subscribe.expires).collect();
    assert_eq!(asked, [Some(60), Some(120)]);
}

#[test]
fn after_480_the_agent_backs_off_and_comes_back_by_itself() {
    let Some(bench) = Bench::with_bob(Timers::default()) else { return };
    bench.kamailio.fault_for("SUBSCRIBE", "alice", "480");
    bench.queue.subscribe("alice");
    let subscription = bench.failure_of_alice();
    assert_eq!((subscription.failures, subscription.last_failure.unwrap().code), (1, Some(480)));
    bench.alice_comes_back();
    bench.assert_bob_noticed_nothing();
}

#[test]
fn after_489_with_nothing_subscribed_the_endpoint_pauses_and_no_agent_pays() {
    let Some(bench) = Bench::start(Timers::default()) else { return };
    bench.kamailio.fault("SUBSCRIBE", "489");
    bench.queue.subscribe("alice");
    let subscription = bench.failure_of_alice();
    assert_eq!((subscription.failures, subscription.last_failure.unwrap().code), (0, Some(489)));
    bench.provider.await_endpoint(EndpointKind::Application, EndpointState::Reestablishing);
    bench.queue.subscribe("bob");
    bench.provider.await_state("bob", SubscriptionState::WaitingForEndpoint);
    assert_eq!(bench.kamailio.observed().subscribes.len(), 1, "the pool is left alone");
}

#[test]
fn after_489_for_one_agent_of_many_it_rests_and_is_never_abandoned() {
    let Some(bench) = Bench::with_bob(Timers::default()) else { return };
    bench.kamailio.fault_for("SUBSCRIBE", "alice", "489");
    bench.queue.subscribe("alice");
    let subscription = bench.failure_of_alice();
    assert_eq!((subscription.state, subscription.failures), (SubscriptionState::WaitingForEndpoint, 0));
    bench.assert_bob_noticed_nothing();
    bench.alice_comes_back();
}

#[test]
fn after_503_nothing_is_sent_for_anybody_until_retry_after_is_over() {
    let Some(bench) = Bench::with_bob(Timers::default()) else { return };
    bench.kamailio.retry_after(3);
    bench.kamailio.fault_for("SUBSCRIBE", "alice", "503");
    bench.queue.subscribe("alice");
    bench.provider.await_endpoint(EndpointKind::Application, EndpointState::Reestablishing);
    bench.queue.subscribe("carol");
    bench.provider.await_state("carol", SubscriptionState::WaitingForEndpoint);
    assert_eq!(bench.failure_of_alice().failures, 0);
    // What stands, stands: bob is served all the time.
    bench.kamailio.publish("bob", &pidf(&Kamailio::uri("bob"), true, Some("away")), Some(&bench.bobs_tag));
    bench.queue.await_availability("bob", Availability::AWAY);
    bench.alice_comes_back();
    bench.provider.await_state("carol", SubscriptionState::Active);
    let refused = bench.subscribes("alice")[0].at;
    let all = bench.kamailio.observed().subscribes;
    let later = all.iter().map(|subscribe| subscribe.at).filter(|at| *at > refused).min();
    assert!(later.unwrap() - refused >= Duration::from_millis(2_990), "all of the pool waits");
    assert_eq!(bench.subscribes("bob").len(), 1);
    assert_eq!(bench.queue.heard("bob").len(), 3, "pending, busy, away: {:?}", bench.queue.heard("bob"));
}

#[test]
fn no_reply_for_one_agent_of_a_living_pool_is_that_agents_failure() {
    let Some(bench) = Bench::with_bob(impatient()) else { return };
    bench.kamailio.fault_for("SUBSCRIBE", "alice", "drop");
    bench.queue.subscribe("alice");
    let subscription = bench.failure_of_alice();
    assert_eq!((subscription.failures, subscription.last_failure.unwrap().code), (1, None));
    bench.assert_bob_noticed_nothing();
    bench.alice_comes_back();
    bench.assert_bob_noticed_nothing();
}

#[test]
fn no_reply_at_all_is_the_pools_failure_and_everybody_comes_back() {
    let Some(bench) = Bench::with_bob(impatient()) else { return };
    bench.kamailio.fault("OPTIONS", "drop");
    bench.kamailio.fault("SUBSCRIBE", "drop");
    bench.queue.subscribe("alice");
    bench.provider.await_freshness("bob", Freshness::Stale);
    let subscription = bench.failure_of_alice();
    assert_eq!((subscription.state, subscription.failures), (SubscriptionState::WaitingForEndpoint, 0));
    bench.alice_comes_back();
    bench.queue.await_availability("bob", Availability::BUSY);
}
