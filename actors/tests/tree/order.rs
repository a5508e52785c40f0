//! After an outage: one available agent for every queue first, then the rest, and all of it as fast as the rate allows.

use std::collections::BTreeMap;
use std::time::Instant;

use presence_actors::PresenceEvent;
use presence_core::{Freshness, is_available};
use presence_simulator::{Activity, Dice};

use crate::support::{Recorder, Ucc, agent, in_virtual_time, pass, provider_with, seconds};

const QUEUES: usize = 40;
const RATE: f64 = 15.0;
const OUTAGE: u64 = 120;
/// The ears of this test: how exactly it measures.
const LISTENS_EVERY: std::time::Duration = std::time::Duration::from_millis(100);

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// How many agents there are: with `PP_LONG_TESTS=1` as many as the targets are for, which takes a minute or so.
fn size() -> (usize, f64) {
    if std::env::var_os("PP_LONG_TESTS").is_some() { (10_000, 1.05) } else { (1_000, 1.3) }
}

/// The queues that want each agent, one to four; the n-th is wanted 1/n times as often as the first.
fn wishes(agents: usize, dice: &mut Dice) -> Vec<Vec<usize>> {
    let ladder: Vec<f64> = (1..=QUEUES)
        .scan(0.0, |sum, rank| {
            *sum += 1.0 / rank as f64;
            Some(*sum)
        })
        .collect();
    let queue = |dice: &mut Dice| {
        let at = dice.below(1_000_000) as f64 / 1_000_000.0 * ladder[QUEUES - 1];
        ladder.partition_point(|sum| *sum <= at)
    };
    let mut wishes = vec![Vec::new(); QUEUES];
    for number in 1..=agents {
        for _ in 0..=dice.below(4) {
            let queue: &mut Vec<usize> = &mut wishes[queue(dice)];
            if queue.last() != Some(&number) {
                queue.push(number);
            }
        }
    }
    wishes
}

/// What the queues hear.
#[derive(Default)]
struct Ears {
    /// When each agent was fresh again.
    back: BTreeMap<String, Instant>,
    /// When each queue knew of its first available agent.
    covered: BTreeMap<usize, Instant>,
}

impl Ears {
    fn listen(&mut self, queues: &[Ucc]) {
        for (queue, ucc) in queues.iter().enumerate() {
            for event in ucc.heard() {
                let (Some(uri), Some(presence)) = (event.uri(), event.presence()) else { continue };
                let changed = matches!(event, PresenceEvent::Changed(_));
                if !changed || presence.freshness != Freshness::Fresh {
                    continue;
                }
                self.back.entry(uri.as_str().to_owned()).or_insert_with(now);
                if is_available(presence.status.availability) {
                    self.covered.entry(queue).or_insert_with(now);
                }
            }
        }
    }
}

#[test]
fn after_an_outage_every_queue_has_an_available_agent_first_and_nobody_is_back_later_for_it() {
    in_virtual_time(|| async {
        let (agents, most) = size();
        let (provider, pool) = provider_with(agents, |_| {});
        let mut dice = Dice::new(6);
        for number in 1..=agents {
            if dice.below(100) >= 28 {
                pool.set(number, Activity::Away);
            }
        }
        let queues: Vec<Ucc> = (0..QUEUES).map(|queue| Recorder::start(&provider, &format!("queue {queue}"))).collect();
        for (ucc, wishes) in queues.iter().zip(wishes(agents, &mut dice)) {
            ucc.subscribe_to(wishes);
        }
        let whole = std::time::Duration::from_secs_f64(agents as f64 / RATE * 1.02);
        pass(whole + seconds(5)).await;
        let coverage = provider.observe().await.unwrap().throttle.coverage;
        assert_eq!((coverage.uccs, coverage.covered, coverage.seeking), (QUEUES, QUEUES, 0));

        pool.set_online(false);
        let dialled = pool.dialled();
        pass(seconds(OUTAGE)).await;
        for number in 1..=agents {
            if dice.below(20) == 0 {
                pool.set(number, if dice.below(100) < 28 { Activity::Available } else { Activity::Away });
            }
        }
        let attempts = pool.dialled() - dialled;
        assert!(attempts as u64 <= OUTAGE / 5 + 1, "a dead pool is tried once in five seconds: {attempts}");
        let view = provider.observe().await.unwrap().throttle;
        assert_eq!((view.coverage.covered, view.coverage.seeking), (0, 0), "nobody is known to be available");
        let mut ears = Ears::default();
        ears.listen(&queues);
        ears = Ears::default();

        pool.set_online(true);
        let begun = now();
        while now() < begun + seconds(10) {
            pass(LISTENS_EVERY).await;
            ears.listen(&queues);
        }
        let first_back = ears.back.values().min().copied().unwrap();
        let view = provider.observe().await.unwrap().throttle;
        assert_eq!((view.coverage.covered, view.predicted_cover), (QUEUES, None));
        let waits: Vec<f64> = ears.covered.values().map(|at| (*at - first_back).as_secs_f64()).collect();
        assert_eq!(waits.len(), QUEUES);
        let weights = |queue: &usize| 1.0 / (queue + 1) as f64;
        let all: f64 = (0..QUEUES).map(|queue| weights(&queue)).sum();
        let first: f64 =
            ears.covered.iter().map(|(queue, at)| weights(queue) * (*at - first_back).as_secs_f64()).sum::<f64>() / all;
        let worst = waits.iter().copied().fold(0.0, f64::max);
        assert!(first <= 1.5 && worst <= 4.0, "{first} on average, {worst} at worst");
        assert!(ears.back.len() < agents / 2, "most are not back yet");
        assert!(view.coverage.found >= 2 * QUEUES as u64, "{:?}", view.coverage);

        while now() < begun + whole + seconds(10) {
            pass(LISTENS_EVERY).await;
            ears.listen(&queues);
        }
        assert_eq!(ears.back.len(), agents);
        let without: f64 = ears.back.values().map(|at| (*at - begun).as_secs_f64()).sum();
        let optimum = agents as f64 * (agents as f64 - 1.0) / 2.0 / RATE;
        let over = without / optimum;
        println!(
            "{agents} agents: {first:.2} s for the first available agent, {worst:.1} s at worst; {over:.3} of the optimum"
        );
        assert!(over <= most, "agent-seconds without presence: {over} of the optimum");
        assert!(pool.counters().busiest_second() <= 15);
        let view = provider.observe().await.unwrap();
        assert_eq!((view.throttle.waiting, pool.counters().most_for_one_agent), (0, 1));
    });
}

#[test]
fn an_agents_actor_that_dies_or_that_nobody_wants_counts_for_no_queue_and_a_new_one_counts_again() {
    in_virtual_time(|| async {
        let (provider, _pool) = provider_with(3, |_| {});
        let (sales, support) = (Recorder::start(&provider, "sales"), Recorder::start(&provider, "support"));
        sales.subscribe_to([1]);
        support.subscribe_to([1, 2]);
        pass(seconds(2)).await;
        let coverage = async || {
            let coverage = provider.observe().await.unwrap().throttle.coverage;
            (coverage.uccs, coverage.covered)
        };
        assert_eq!(coverage().await, (2, 2));
        assert!(provider.drill_agent(agent(1)).await);
        pass(seconds(2)).await;
        assert_eq!(crate::support::errors::take().len(), 1, "it is told that it is created again");
        assert_eq!(coverage().await, (2, 2), "it was created again and said how it stands");
        sales.unsubscribe(&agent(1));
        pass(seconds(2)).await;
        assert_eq!(coverage().await, (1, 1));
        support.end();
        pass(seconds(30)).await;
        assert_eq!(coverage().await, (0, 0));
        // A line of the service is available without a pool.
        sales.subscribe(&"tel:+31201234567".parse().unwrap());
        pass(seconds(1)).await;
        assert_eq!(coverage().await, (1, 1));
    });
}
