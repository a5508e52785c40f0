//! A day of chance: whatever happens, everybody knows in the end what is true.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::time::Instant;

use presence_actors::transport::memory;
use presence_actors::{PresenceEvent, Provider, Setup};
use presence_core::{EndpointKind, Freshness, SubscriptionState};
use presence_simulator::{Dice, Faults, Refusal, Termination};

use crate::support::{
    Ledger, Recorder, Ucc, VirtualPool, agent, endpoint, errors, in_virtual_time, pass, rules, seconds, settle,
};

const AGENTS: usize = 300;
const UCCS: usize = 5;
const REASONS: [&str; 5] = ["deactivated", "timeout", "probation", "giveup", "noresource"];

/// Who plays in the day.
struct Day {
    dice: Dice,
    provider: Provider,
    /// The application endpoint's pool, and perhaps the user endpoint's.
    pools: Vec<VirtualPool>,
    uccs: Vec<(Ucc, Ledger, BTreeSet<usize>)>,
    begin: Instant,
    digest: DefaultHasher,
    /// No agent is refused twice: more than three refusals in a row would rightly give it up.
    refused: BTreeSet<usize>,
    crashes: usize,
}

impl Day {
    fn begin(seed: u64, kinds: &[EndpointKind]) -> Self {
        let (mut pools, mut endpoints) = (Vec::new(), Vec::new());
        for kind in kinds {
            let (network, side) = memory::network();
            pools.push(VirtualPool::start_moving(AGENTS, side, seed, Some(seconds(2_400))));
            endpoints.push(endpoint(*kind, network));
        }
        let mut setup = Setup::new(rules(), endpoints);
        setup.outbox = 20;
        let provider = Provider::start(setup);
        let ucc = |number| (Recorder::start(&provider, &format!("ucc{number}")), Ledger::default(), BTreeSet::new());
        let uccs = (0..UCCS).map(ucc).collect();
        let (begin, digest) = (presence_actors::now(), DefaultHasher::new());
        let (dice, refused) = (Dice::new(seed), BTreeSet::new());
        Self { dice, provider, pools, uccs, begin, digest, refused, crashes: 0 }
    }

    fn someone(&mut self) -> usize {
        usize::try_from(self.dice.below(AGENTS as u64)).unwrap() + 1
    }

    /// Everyone reads what has come.
    fn read(&mut self) {
        for (number, (ucc, ledger, _)) in self.uccs.iter_mut().enumerate() {
            let events = ucc.heard();
            for event in &events {
                let presence = event.presence().map(|presence| {
                    let since = presence.since - self.begin;
                    (presence.status.availability.value(), format!("{:?}", presence.freshness), since)
                });
                let sequence = match event {
                    PresenceEvent::Current { sequence, .. } => *sequence,
                    PresenceEvent::Changed(change) => change.sequence,
                    PresenceEvent::Pending { .. } | PresenceEvent::Lagged { .. } | PresenceEvent::Unserved { .. } => 0,
                };
                (number, event.uri().map(ToString::to_string), presence, sequence).hash(&mut self.digest);
            }
            ledger.read(events);
        }
    }

    async fn something_happens(&mut self) {
        let who = self.someone();
        let pool = self.pools[usize::try_from(self.dice.below(self.pools.len() as u64)).unwrap()].clone();
        let ucc = usize::try_from(self.dice.below(UCCS as u64)).unwrap();
        match self.dice.below(100) {
            0..50 => {
                let (ucc, _, wanted) = &mut self.uccs[ucc];
                if wanted.remove(&who) {
                    ucc.unsubscribe(&agent(who));
                } else {
                    wanted.insert(who);
                    ucc.subscribe(&agent(who));
                }
            }
            50..75 => {
                let reason = REASONS[usize::try_from(self.dice.below(5)).unwrap()];
                let termination = Termination::because(reason);
                pool.with(|server, now| server.terminate(now, Some(&agent(who)), &termination));
            }
            75..82 if !self.refused.insert(who) => {}
            75..82 => pool.fault(&agent(who), Faults::refusing(Refusal::with(480).times(2))),
            82..87 => pool.drop_connections(),
            87..90 => {
                pool.with(|server, _| server.forget_dialogs());
                pool.drop_connections();
            }
            90..93 => {
                pool.set_online(false);
                pass(self.dice.wait(seconds(900))).await;
                pool.set_online(true);
            }
            93..96 => {
                let busy = Refusal::with(503).retry_after(seconds(30)).times(5);
                pool.fault_all(Faults::refusing(busy));
            }
            96 => self.uccs[ucc].0.set_pace(seconds(self.dice.below(3))),
            97 => {
                let (dead, ledger, wanted) = &mut self.uccs[ucc];
                dead.crash();
                *dead = Recorder::start(&self.provider, &format!("ucc{ucc} again"));
                dead.subscribe_to(wanted.iter().copied());
                *ledger = Ledger::default();
            }
            _ => self.crashes += usize::from(self.provider.drill_agent(agent(who)).await),
        }
    }

    async fn live(mut self, hours: u64) -> u64 {
        for number in 0..UCCS {
            let (ucc, _, wanted) = &mut self.uccs[number];
            wanted.extend((1..=AGENTS).filter(|agent| agent % UCCS != number || agent % 2 == 0));
            ucc.subscribe_to(wanted.iter().copied());
        }
        let end = self.begin + seconds(hours * 3_600);
        while presence_actors::now() < end {
            pass(self.dice.wait(seconds(240))).await;
            self.something_happens().await;
            settle().await;
            self.read();
        }
        // What was refused is tried again within the hour; what the pool kept without us runs out.
        self.pools.iter().for_each(VirtualPool::heal);
        self.uccs.iter().for_each(|(ucc, _, _)| ucc.set_pace(seconds(0)));
        pass(seconds(3_900)).await;
        self.read();
        self.check().await;
        self.digest.finish()
    }

    async fn check(&mut self) {
        let wanted: BTreeSet<usize> = self.uccs.iter().flat_map(|(_, _, wanted)| wanted).copied().collect();
        let view = self.provider.observe().await.unwrap();
        assert_eq!(view.agents().count(), wanted.len());
        for agent in view.agents() {
            let subscription = agent.subscription.as_ref().unwrap();
            assert_eq!(subscription.state, SubscriptionState::Active, "{}: {subscription:?}", agent.uri);
        }
        for (number, (_, ledger, wanted)) in self.uccs.iter().enumerate() {
            for uri in wanted.iter().map(|number| agent(*number)) {
                let believed = ledger.presence(&uri);
                let via = view.agents().find(|agent| agent.uri == uri).unwrap().subscription.as_ref().unwrap().via;
                let pool = &self.pools[usize::from(via == Some(EndpointKind::User))];
                let truth = pool.with(|server, _| server.presence(&uri)).unwrap().availability();
                assert_eq!(
                    (believed.freshness, believed.status.availability),
                    (Freshness::Fresh, truth),
                    "{uri} at {number}"
                );
            }
        }
        let mut subscriptions: Vec<_> = self.pools.iter().flat_map(VirtualPool::subscriptions).collect();
        subscriptions.sort();
        let mut once: Vec<_> = wanted.iter().map(|number| (agent(*number).to_string(), 1)).collect();
        once.sort();
        assert_eq!(subscriptions, once);
        let changes: u64 = self.uccs.iter().map(|(_, ledger, _)| ledger.changes).sum();
        let missed: u64 = self.uccs.iter().map(|(_, ledger, _)| ledger.missed).sum();
        println!("{changes} changes heard, {missed} missed by slow UCCs, {} crashes", self.crashes);
        for counters in self.pools.iter().map(VirtualPool::counters) {
            println!(
                "{} SUBSCRIBEs, {} refreshes, {} NOTIFYs, {} connections",
                counters.subscribes, counters.refreshes, counters.notifies_sent, counters.connections
            );
            assert!(counters.busiest_second() <= 15);
            assert!(counters.connections > 2);
        }
        assert!(changes > 1_000);
        assert_eq!(errors::take().len(), self.crashes, "every crash is an error, and nothing else is");
    }
}

fn day(seed: u64, hours: u64, kinds: &'static [EndpointKind]) -> u64 {
    println!("seed {seed}");
    let digest = Rc::new(Cell::new(0));
    let result = Rc::clone(&digest);
    in_virtual_time(move || async move { result.set(Day::begin(seed, kinds).live(hours).await) });
    digest.get()
}

fn seed() -> u64 {
    std::env::var("PRESENCE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_122)
}

const ONE: &[EndpointKind] = &[EndpointKind::Application];
const BOTH: &[EndpointKind] = &[EndpointKind::Application, EndpointKind::User];

#[test]
fn after_a_day_of_chance_everyone_believes_what_is_true() {
    let begin = Instant::now();
    day(seed(), 12, ONE);
    println!("took {:?}", begin.elapsed());
}

#[test]
fn after_a_day_of_chance_with_two_endpoints_everyone_believes_what_is_true() {
    day(seed(), 12, BOTH);
}

#[test]
fn the_same_seed_tells_the_same_story() {
    assert_eq!(day(5, 4, ONE), day(5, 4, ONE));
    assert_ne!(day(5, 4, ONE), day(6, 4, ONE));
}
