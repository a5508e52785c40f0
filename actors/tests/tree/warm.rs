//! A run that is killed, and the one after it, which begins with what the first has left.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use presence_actors::transport::memory::{self, MemoryNetwork};
use presence_actors::{PresenceEvent, Provider, Push, Setup};
use presence_core::{
    AgentUri, Availability, EndpointKind, Freshness, Remembered, RetryPolicy, Status, SubscriptionState,
};
use presence_simulator::{Activity, Faults, Reaction, Refusal};
use tokio::task::LocalSet;

use crate::support::{Ledger, Recorder, Ucc, VirtualPool, agent, endpoint, in_virtual_time, pass, rules, seconds};

/// A pool, and the way to it that one run leaves to the next.
struct World {
    pool: VirtualPool,
    network: Arc<MemoryNetwork>,
}

impl World {
    fn new(agents: usize) -> Rc<Self> {
        let (network, side) = memory::network();
        Rc::new(Self { pool: VirtualPool::start(agents, side), network: Arc::new(network) })
    }

    fn setup(&self) -> Setup {
        let (unused, _) = memory::network();
        let mut endpoint = endpoint(EndpointKind::Application, unused);
        endpoint.memory = Some(Arc::clone(&self.network));
        let mut setup = Setup::new(rules(), vec![endpoint]);
        setup.retry = RetryPolicy::try_new(seconds(100), seconds(1_000)).unwrap();
        setup
    }

    /// A run that is killed after what happens in it, and what it has left.
    async fn life<F: Future<Output = ()>>(
        self: &Rc<Self>,
        then: impl FnOnce(Rc<Self>, Provider, Ucc) -> F,
    ) -> Remembered {
        self.next_life(None, |_| {}, then).await
    }

    async fn next_life<F: Future<Output = ()>>(
        self: &Rc<Self>,
        restored: Option<Remembered>,
        change: impl FnOnce(&mut Setup),
        then: impl FnOnce(Rc<Self>, Provider, Ucc) -> F,
    ) -> Remembered {
        let process = LocalSet::new();
        let remembered = process
            .run_until(async {
                let mut setup = Setup { restored, ..self.setup() };
                change(&mut setup);
                let provider = Provider::start(setup);
                let ucc = Recorder::start(&provider, "ucc");
                then(Rc::clone(self), provider.clone(), ucc).await;
                provider.remember().await
            })
            .await;
        // Nobody has time to say goodbye.
        drop(process);
        remembered
    }

    fn subscribe_times(&self) -> Vec<Instant> {
        self.pool.counters().subscribe_times
    }
}

async fn state(provider: &Provider, uri: &AgentUri) -> (SubscriptionState, u32) {
    let subscription = provider.observe_agent(uri).await.unwrap().subscription.unwrap();
    (subscription.state, subscription.failures)
}

fn current(event: &PresenceEvent) -> (i32, Freshness) {
    match event {
        PresenceEvent::Current { presence, .. } => (presence.status.availability.value(), presence.freshness),
        other => panic!("no present value: {other:?}"),
    }
}

#[test]
fn the_first_that_a_queue_hears_is_the_last_value_and_it_is_stale_until_it_is_confirmed() {
    in_virtual_time(|| async {
        let world = World::new(20);
        let left = world
            .life(|world, _, ucc| async move {
                ucc.subscribe_to(1..=20);
                pass(seconds(5)).await;
                world.pool.set(3, Activity::Busy);
                pass(seconds(5)).await;
            })
            .await;
        assert_eq!(left.agents.len(), 20);
        world
            .next_life(
                Some(left),
                |_| {},
                |world, provider, ucc| async move {
                    ucc.subscribe_to(1..=20);
                    pass(Duration::from_millis(500)).await;
                    let heard = ucc.heard();
                    assert_eq!(heard.len(), 20);
                    for event in &heard {
                        let online =
                            if event.uri() == Some(&agent(3)) { Availability::BUSY } else { Availability::ONLINE };
                        assert_eq!(current(event), (online.value(), Freshness::Stale));
                    }
                    let mut ledger = Ledger::of(heard);
                    let since = ledger.presence(&agent(3)).since;
                    pass(seconds(5)).await;
                    ledger.read(ucc.heard());
                    ledger.assert_all(Freshness::Fresh);
                    assert_eq!(ledger.presence(&agent(3)).since, since, "the same value, the same since");
                    assert_eq!(state(&provider, &agent(1)).await, (SubscriptionState::Active, 0));
                    assert!(world.pool.counters().busiest_second() <= 15);
                },
            )
            .await;
    });
}

#[test]
fn the_rate_holds_across_the_restart() {
    in_virtual_time(|| async {
        for killed_after in [1_000, 1_250, 1_777, 2_040] {
            let world = World::new(100);
            let left = world
                .life(|_, _, ucc| async move {
                    ucc.subscribe_to(1..=100);
                    pass(Duration::from_millis(killed_after)).await;
                })
                .await;
            let before = world.subscribe_times();
            world
                .next_life(
                    Some(left),
                    |_| {},
                    |world, _, ucc| async move {
                        ucc.subscribe_to(1..=100);
                        pass(seconds(15)).await;
                        let (last, first) = (before.last().unwrap(), world.subscribe_times()[before.len()]);
                        assert!(first - *last >= Duration::from_millis(1_010), "{killed_after}: {:?}", first - *last);
                        let counters = world.pool.counters();
                        assert!(counters.busiest_second() <= 15, "{killed_after}: {}", counters.busiest_second());
                        assert_eq!(counters.subscribes, 100 + before.len() as u64);
                    },
                )
                .await;
        }
    });
}

#[test]
fn nobody_is_tried_before_its_time_and_failures_count_on_until_the_agent_is_given_up() {
    in_virtual_time(|| async {
        let world = World::new(2);
        world.pool.refuse(&agent(1), 404);
        let mut left = world
            .life(|_, provider, ucc| async move {
                ucc.subscribe_to(1..=2);
                pass(seconds(10)).await;
                assert_eq!(state(&provider, &agent(1)).await, (SubscriptionState::BackingOff, 1));
            })
            .await;
        let first = world.subscribe_times()[0];
        for failures in [2, 3, 4] {
            // Killed half-way, each time.
            let wait = seconds(100 << (failures - 2));
            let due = left.agents.iter().find(|left| left.uri == agent(1)).map(|left| left.life.clone()).unwrap();
            let presence_core::RememberedLife::Subscribed(memory) = due else { panic!("a subscription") };
            let due = memory.retry_at.unwrap();
            assert_eq!(memory.failures, failures - 1);
            pass(wait / 2).await;
            let sent = world.subscribe_times().len();
            left = world
                .next_life(
                    Some(left),
                    |_| {},
                    |world, provider, ucc| async move {
                        ucc.subscribe_to(1..=2);
                        pass(seconds(3)).await;
                        assert_eq!(state(&provider, &agent(1)).await, (SubscriptionState::BackingOff, failures - 1));
                        assert_eq!(world.subscribe_times().len(), sent + 1, "only the other agent was asked for");
                        pass(due.saturating_duration_since(tokio::time::Instant::now().into_std())).await;
                        assert_eq!(world.subscribe_times().len(), sent + 1, "not a moment too early");
                        pass(seconds(2)).await;
                        assert_eq!(world.subscribe_times().len(), sent + 2, "and then at once");
                        assert_eq!(state(&provider, &agent(1)).await.1, failures);
                    },
                )
                .await;
        }
        assert!(world.subscribe_times().last().unwrap().duration_since(first) >= seconds(700));
        let sent = world.subscribe_times().len();
        for _ in 0..2 {
            left = world
                .next_life(
                    Some(left),
                    |_| {},
                    |_, provider, ucc| async move {
                        ucc.subscribe_to(1..=1);
                        pass(seconds(5_000)).await;
                        assert_eq!(state(&provider, &agent(1)).await.0, SubscriptionState::Abandoned);
                        let why = provider.observe_agent(&agent(1)).await.unwrap().subscription.unwrap().last_failure;
                        assert_eq!(why.unwrap().code, Some(404));
                    },
                )
                .await;
        }
        assert_eq!(world.subscribe_times().len(), sent, "whoever was given up stays given up");
        world.pool.heal();
        world
            .next_life(
                Some(left),
                |_| {},
                |_, provider, ucc| async move {
                    ucc.subscribe(&agent(1));
                    pass(seconds(2)).await;
                    assert_eq!(provider.revive(None).await, 1);
                    pass(seconds(5)).await;
                    assert_eq!(state(&provider, &agent(1)).await, (SubscriptionState::Active, 0));
                },
            )
            .await;
    });
}

#[test]
fn what_nobody_asks_for_again_is_kept_for_the_run_after_the_next() {
    in_virtual_time(|| async {
        let world = World::new(5);
        let left = world
            .life(|_, _, ucc| async move {
                ucc.subscribe_to(1..=5);
                pass(seconds(3)).await;
            })
            .await;
        let again = world.next_life(Some(left.clone()), |_| {}, |_, _, _| pass(seconds(5))).await;
        assert_eq!(again.agents, left.agents);
        let much_later = world.next_life(Some(again), |_| {}, |_, _, _| pass(seconds(16 * 60))).await;
        assert_eq!(much_later.agents, []);
    });
}

#[test]
fn a_value_that_was_last_confirmed_long_ago_is_not_served_but_still_remembered() {
    in_virtual_time(|| async {
        let world = World::new(1);
        let left = world
            .life(|_, _, ucc| async move {
                ucc.subscribe(&agent(1));
                pass(seconds(3)).await;
            })
            .await;
        world.pool.set_online(false);
        pass(seconds(15 * 60 + 1)).await;
        let left = world
            .next_life(
                Some(left),
                |_| {},
                |_, _, ucc| async move {
                    ucc.subscribe(&agent(1));
                    pass(seconds(3)).await;
                    assert!(matches!(ucc.heard()[..], [PresenceEvent::Pending { .. }]));
                },
            )
            .await;
        let presence_core::RememberedLife::Subscribed(memory) = &left.agents[0].life else { panic!("a subscription") };
        let last = (memory.presence.status.availability, memory.presence.freshness);
        assert_eq!(last, (Availability::ONLINE, Freshness::Unknown));
        assert!(memory.confirmed.is_some());
    });
}

#[test]
fn with_another_pool_than_before_only_values_are_taken_over() {
    in_virtual_time(|| async {
        let world = World::new(2);
        let left = world
            .life(|world, _, ucc| async move {
                ucc.subscribe_to(1..=2);
                pass(seconds(3)).await;
                world.pool.refuse(&agent(1), 404);
                world.pool.drop_connections();
                pass(seconds(10)).await;
            })
            .await;
        world.pool.heal();
        world
            .next_life(
                Some(left),
                |setup| setup.endpoints[0].uri = "sip:another@example.test".parse().unwrap(),
                |_, provider, ucc| async move {
                    ucc.subscribe_to(1..=2);
                    pass(Duration::from_millis(500)).await;
                    let heard = ucc.heard();
                    assert!(heard.iter().all(|event| current(event).1 == Freshness::Stale), "{heard:?}");
                    pass(seconds(5)).await;
                    assert_eq!(state(&provider, &agent(1)).await, (SubscriptionState::Active, 0));
                },
            )
            .await;
    });
}

#[test]
fn a_pool_that_asked_to_be_left_alone_is_left_alone_by_the_next_run() {
    in_virtual_time(|| async {
        let world = World::new(3);
        let busy = Refusal { code: 503, retry_after: Some(seconds(120)), min_expires: None, times: None };
        let left = world
            .life(|world, _, ucc| async move {
                pass(seconds(1)).await;
                world.pool.fault_all(Faults { subscribe: Reaction::Refuse(busy), ..Faults::default() });
                ucc.subscribe_to(1..=3);
                pass(seconds(2)).await;
            })
            .await;
        let held = left.endpoints[0].next_attempt.unwrap();
        assert!(left.rates[0].1 < 15.0, "{:?}", left.rates);
        world.pool.heal();
        let (dialled, sent) = (world.pool.dialled(), world.subscribe_times().len());
        world
            .next_life(
                Some(left),
                |_| {},
                |world, provider, ucc| async move {
                    ucc.subscribe_to(1..=3);
                    let rate = provider.observe().await.unwrap().throttle.rate;
                    assert!(rate < 15.0, "{rate}");
                    pass(held - tokio::time::Instant::now().into_std()).await;
                    assert_eq!((world.pool.dialled(), world.subscribe_times().len()), (dialled, sent));
                    pass(seconds(5)).await;
                    Ledger::of(ucc.heard()).assert_all(Freshness::Fresh);
                },
            )
            .await;
    });
}

#[test]
fn a_push_holds_as_stale_until_it_is_pushed_again_or_has_run_out() {
    in_virtual_time(|| async {
        let world = World::new(1);
        let uri: AgentUri = "sip:desk@console.test".parse().unwrap();
        let desk = uri.clone();
        let push =
            move |availability| Push { uri: uri.clone(), status: Status::of(availability), time_to_live: seconds(100) };
        let first = push(Availability::AWAY);
        let left = world
            .life(|_, provider, _| async move {
                provider.push(first).await.unwrap();
                pass(seconds(10)).await;
            })
            .await;
        world
            .next_life(
                Some(left.clone()),
                |_| {},
                |_, provider, ucc| async move {
                    ucc.subscribe(&desk);
                    pass(seconds(1)).await;
                    assert_eq!(current(&ucc.heard()[0]), (15_500, Freshness::Stale));
                    provider.push(push(Availability::AWAY)).await.unwrap();
                    pass(seconds(1)).await;
                    let heard = ucc.heard();
                    let [PresenceEvent::Changed(change)] = &heard[..] else { panic!("{heard:?}") };
                    assert_eq!((change.new.freshness, change.changes_status()), (Freshness::Fresh, false));
                },
            )
            .await;
        let over = world.next_life(Some(left), |_| {}, |_, _, _| pass(seconds(100))).await;
        assert_eq!(over.agents, []);
    });
}
