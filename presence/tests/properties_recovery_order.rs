//! The order of recovery against a slow and simple one, and what it is worth.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test that fails must say so at once")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use presence_core::{LastKnown, Order, RecoveryOrder, SourceKind, Standing, TokenClass};
use proptest::prelude::*;

#[path = "../examples/recovery_order/world.rs"]
#[allow(dead_code, reason = "the example prints more than is tested")]
mod world;

use world::{Plan, Way, recover};

#[allow(clippy::disallowed_methods, reason = "an instant to count from, far enough from the beginning of time")]
fn start() -> Instant {
    Instant::now() + Duration::from_secs(86_400)
}

#[derive(Clone, Debug)]
enum Event {
    /// An agent stands so: its UCCs, and what is known (0 nothing, 1 and 2 fresh, then stale for so many half minutes).
    Stand(u8, Vec<u32>, u8),
    Put(u8, usize),
    Take(usize),
    Next,
    /// So many milliseconds pass.
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..12_u8, prop::collection::vec(0..6_u32, 0..4), 0..40_u8).prop_map(|(a, u, k)| Event::Stand(a, u, k)),
        4 => (0..12_u8, 0..5_usize).prop_map(|(agent, class)| Event::Put(agent, class)),
        1 => (0..30_usize).prop_map(Event::Take),
        4 => Just(Event::Next),
        1 => (0..400_u64).prop_map(Event::Pass),
    ]
}

/// The order as its documentation has it, by looking at everything every time. Its events are over within a minute.
#[derive(Default)]
struct Simple {
    agents: BTreeMap<u8, (BTreeSet<u32>, LastKnown)>,
    waiting: Vec<(TokenClass, u64, u8)>,
    on_their_way: BTreeMap<u8, Instant>,
    /// How many in a row were on their way to a UCC in vain.
    fruitless: BTreeMap<u32, u8>,
}

fn comes_back(class: TokenClass) -> bool {
    [TokenClass::New, TokenClass::Retry].contains(&class)
}

impl Simple {
    fn wanting(&self, ucc: u32) -> impl Iterator<Item = (u8, LastKnown)> {
        let wanted = self.agents.iter().filter(move |(_, (uccs, _))| uccs.contains(&ucc));
        wanted.map(|(agent, (_, known))| (*agent, *known))
    }

    fn has_somebody(&self, ucc: u32) -> bool {
        self.wanting(ucc).any(|(_, known)| known == LastKnown::Fresh { available: true })
    }

    fn seeks(&self, ucc: u32) -> bool {
        let waits = |agent: u8| self.waiting.iter().any(|(class, _, of)| *of == agent && comes_back(*class));
        let hopes = self.wanting(ucc).any(|(agent, _)| waits(agent) || self.on_their_way.contains_key(&agent));
        !self.has_somebody(ucc) && hopes
    }

    /// Who is on the way for which UCC.
    fn expected(&self) -> BTreeSet<(u32, u8)> {
        let mut expected = BTreeSet::new();
        for (agent, (uccs, _)) in self.agents.iter().filter(|(agent, _)| self.on_their_way.contains_key(agent)) {
            expected.extend(uccs.iter().map(|ucc| (*ucc, *agent)));
        }
        expected
    }

    fn count_the_fruitless(&mut self, before: &BTreeSet<(u32, u8)>) {
        let after = self.expected();
        for (ucc, _) in before.difference(&after) {
            *self.fruitless.entry(*ucc).or_default() += 1;
        }
        let gone = |ucc: &u32| self.has_somebody(*ucc) || self.wanting(*ucc).next().is_none();
        let over: Vec<u32> = self.fruitless.keys().copied().filter(gone).collect();
        for ucc in over {
            self.fruitless.remove(&ucc);
        }
    }

    fn likelihood(known: LastKnown, start: Instant) -> f64 {
        let (then, minutes) = match known {
            LastKnown::Unknown => return 0.28,
            LastKnown::Fresh { available } => (f64::from(available), 0.0),
            LastKnown::Stale { available, confirmed } => {
                (f64::from(available), (start - confirmed).as_secs().div_euclid(60) as f64 + 0.5)
            }
        };
        (0.28 + (then - 0.28) * (-minutes * 60.0 / 1_800.0).exp()).max(0.001)
    }

    fn next(&mut self, now: Instant, start: Instant) -> Option<(u8, u64)> {
        let before = self.expected();
        self.on_their_way.retain(|_, granted| *granted + Duration::from_secs(3) > now);
        self.count_the_fruitless(&before);
        let nobody = |ucc: &&u32| {
            let awaited = self.wanting(**ucc).any(|(agent, _)| self.on_their_way.contains_key(&agent))
                && self.fruitless.get(*ucc).copied().unwrap_or(0) < 4;
            !self.has_somebody(**ucc) && !awaited
        };
        let worth = |(class, number, agent): (TokenClass, u64, u8)| {
            let (uccs, known) = self.agents.get(&agent).cloned().unwrap_or_default();
            let likelihood = if comes_back(class) { Self::likelihood(known, start) } else { 0.0 };
            let bare = likelihood * uccs.iter().filter(nobody).count() as f64;
            let smith = likelihood * uccs.len().max(1) as f64;
            (class, Reverse(bare.to_bits()), Reverse(smith.to_bits()), number)
        };
        let (at, &(class, number, agent)) = self.waiting.iter().enumerate().min_by_key(|(_, waits)| worth(**waits))?;
        self.waiting.remove(at);
        if comes_back(class) && self.agents.contains_key(&agent) {
            self.on_their_way.insert(agent, now);
        }
        Some((agent, number))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn it_is_the_order_of_its_documentation(events in prop::collection::vec(event(), 1..120)) {
        let start = start();
        let mut now = start;
        let (mut order, mut simple) = (RecoveryOrder::<(u8, u64)>::new(start), Simple::default());
        for (number, event) in events.into_iter().enumerate() {
            let (number, before) = (number as u64, simple.expected());
            match event {
                Event::Stand(agent, uccs, known) => {
                    let known = match known {
                        0 => LastKnown::Unknown,
                        1 | 2 => LastKnown::Fresh { available: known == 1 },
                        age => {
                            let confirmed = start - Duration::from_secs(30 * u64::from(age / 2));
                            LastKnown::Stale { available: age % 2 == 0, confirmed }
                        }
                    };
                    order.stand(now, &agent, Standing { source: SourceKind::Ucma, uccs: uccs.clone().into(), known });
                    if uccs.is_empty() {
                        simple.agents.remove(&agent);
                    } else {
                        simple.agents.insert(agent, (uccs.into_iter().collect(), known));
                    }
                    if !simple.agents.contains_key(&agent) || matches!(known, LastKnown::Fresh { .. }) {
                        simple.on_their_way.remove(&agent);
                    }
                }
                Event::Put(agent, class) => {
                    let class = TokenClass::ALL[class];
                    order.put(now, class, number, (agent, number));
                    simple.waiting.push((class, number, agent));
                    if comes_back(class) {
                        simple.on_their_way.remove(&agent);
                    }
                }
                Event::Take(at) if at < simple.waiting.len() => {
                    let (class, number, agent) = simple.waiting.remove(at);
                    prop_assert!(order.take(now, class, number, &(agent, number)));
                    prop_assert!(!order.take(now, class, number, &(agent, number)));
                }
                Event::Take(_) => {}
                Event::Next => {
                    prop_assert_eq!(order.next(now), simple.next(now, start));
                    continue;
                }
                Event::Pass(length) => now += Duration::from_millis(length),
            }
            simple.count_the_fruitless(&before);
            let coverage = order.coverage(now);
            let uccs: BTreeSet<u32> = simple.agents.values().flat_map(|(uccs, _)| uccs).copied().collect();
            let count = |is: &dyn Fn(u32) -> bool| uccs.iter().filter(|ucc| is(**ucc)).count();
            // Who has not answered in time is noticed when the next one is chosen.
            let expected = (uccs.len(), count(&|ucc| simple.has_somebody(ucc)), count(&|ucc| simple.seeks(ucc)));
            prop_assert_eq!((coverage.uccs, coverage.covered, coverage.seeking), expected);
            let in_class = |class| simple.waiting.iter().filter(|(of, ..)| *of == class).count();
            prop_assert_eq!(TokenClass::ALL.map(|class| order.len_in(class)), TokenClass::ALL.map(in_class));
            prop_assert_eq!(order.len(), simple.waiting.len());
        }
    }
}

fn plan(outage: u64, seed: u64) -> Plan {
    let per_second = NonZeroU32::new(15).unwrap();
    Plan { agents: 10_000, uccs: 200, per_second, outage: Duration::from_secs(outage), seed }
}

/// R5 and R1 of the issue, at their full size.
#[test]
fn after_two_minutes_a_calls_queue_waits_a_second_and_a_half_at_most_for_its_first_agent() {
    let start = start();
    for seed in [1, 2] {
        let ours = recover(plan(120, seed), Way::Ours, start);
        let oracle = recover(plan(120, seed), Way::Oracle, start);
        assert!(ours.first_agent <= 1.5 && ours.worst <= 10.0, "{ours:?}");
        assert!(ours.over_optimum <= 1.05, "{ours:?}");
        assert!(ours.available_seconds <= 1.1 * oracle.available_seconds, "{ours:?} {oracle:?}");
        let random = recover(plan(120, seed), Way::Random, start);
        assert!(
            random.first_agent >= 8.0 * ours.first_agent,
            "chance is much worse, or this measures nothing: {random:?}"
        );
    }
}

#[test]
fn after_an_hour_in_which_all_is_forgotten_it_is_still_some_seconds() {
    let ours = recover(plan(3_600, 3), Way::Ours, start());
    assert!(ours.first_agent <= 4.0 && ours.worst <= 30.0 && ours.over_optimum <= 1.05, "{ours:?}");
}
