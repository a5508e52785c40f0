//! What happens in the world, by the dice.

use std::time::Duration;

use presence_actors::{Push, now};
use presence_core::{Availability, EndpointKind, Status};

use crate::site::{Kind, MOST_OWED, SIDES};
use crate::support::{agent, seconds};
use crate::weather::Storm;
use crate::world::{STRANGERS, World, desk, line};

const REASONS: [&str; 5] = ["deactivated", "timeout", "probation", "giveup", "noresource"];

/// What comes to an end by itself.
#[derive(Debug)]
pub(crate) enum Ending {
    Outage { side: usize, slowly: bool },
    Storm,
    Unknown(usize),
    Slow(usize),
    Delay,
    Down,
}

impl World {
    fn ends_in(&mut self, after: Duration, ending: Ending) {
        let number = self.ends.len() as u64 + self.tally.happenings as u64 * 100;
        self.ends.insert((now() + after, number), ending);
    }

    fn between(&mut self, least: u64, most: u64) -> Duration {
        seconds(least + self.dice.below(most - least + 1))
    }

    /// From 20 s to two hours, most of them short.
    fn length(&mut self) -> Duration {
        let doublings = 360_f64.log2() * (self.dice.below(1_000) as f64 / 1_000.0);
        Duration::from_secs_f64(20.0 * doublings.exp2())
    }

    pub(crate) async fn something_happens(&mut self) {
        self.tally.happenings += 1;
        if self.process.is_none() {
            return;
        }
        let (number, who) = (self.below(self.size.uccs), self.below(self.size.agents) + 1);
        match self.dice.below(100) {
            0..24 => self.interest(number),
            24..28 => self.ucc_leaves(number).await,
            28..31 => self.ucc_slows(number),
            31..41 => self.outage(),
            41..45 => {
                let side = self.below(SIDES);
                self.tell(format!("the connections of side {side} break"));
                self.site.cut(side);
            }
            45..53 => {
                let reason = REASONS[self.below(REASONS.len())];
                self.tell(format!("agent{who}'s dialog ends: {reason}"));
                self.site.terminate(who, reason);
            }
            53..58 => self.agent_becomes_unknown(who),
            58..61 => self.overload(),
            61..72 => self.storm(),
            72..77 => self.drill_agent(who).await,
            77..79 => self.drill_endpoint().await,
            79..81 => self.crash().await,
            81..83 => self.restart().await,
            83..90 => self.push().await,
            90..96 => self.call(number),
            96..98 => self.delay(),
            _ => self.endpoint_is_removed(),
        }
    }

    fn interest(&mut self, number: usize) {
        // A slow one would do it long after it was told to.
        if self.queues[number].slow_until.is_some() {
            return;
        }
        // What was told before is of before.
        self.listen(now());
        for _ in 0..=self.below(20) {
            let uri = match self.below(20) {
                0 => desk(self.below(6)),
                1 => line(self.below(6)),
                _ => agent(self.below(self.size.agents + STRANGERS) + 1),
            };
            let queue = &mut self.queues[number];
            if queue.wanted.remove(&uri) {
                queue.ucc.unsubscribe(&uri);
                queue.told.forget(&uri);
            } else {
                queue.wanted.insert(uri.clone());
                queue.ucc.subscribe(&uri);
            }
            self.wanted_changed(&uri);
        }
    }

    async fn ucc_leaves(&mut self, number: usize) {
        let how = self.below(3);
        match how {
            0 => self.queues[number].ucc.end(),
            1 => self.queues[number].ucc.drop_client(),
            _ => self.queues[number].ucc.crash(),
        }
        self.tell(format!("ucc{number} goes ({how}), and another one comes"));
        for uri in std::mem::take(&mut self.queues[number].wanted) {
            self.wanted_changed(&uri);
        }
        self.queues[number] = self.come(number).await;
    }

    fn ucc_slows(&mut self, number: usize) {
        let (pace, time) = (Duration::from_millis(100 + self.dice.below(2_900)), self.between(20, 900));
        self.tell(format!("ucc{number} takes {pace:?} over each event for {time:?}"));
        self.queues[number].ucc.set_pace(pace);
        self.queues[number].slow_until = Some(now() + seconds(1_000_000));
        self.ends_in(time, Ending::Slow(number));
    }

    fn outage(&mut self) {
        let (length, slowly, forgets) = (self.length(), self.dice.chance(1, 3), self.dice.chance(1, 2));
        let both = self.dice.chance(2, 3);
        let one = self.below(SIDES);
        let sides: Vec<usize> = (0..SIDES).filter(|side| both || *side == one).collect();
        self.tally.outages += 1;
        self.tell(format!("sides {sides:?} are away for {length:?}, slowly back: {slowly}, forgetting: {forgets}"));
        for side in sides {
            self.site.set_online(side, false);
            self.ends_in(length, Ending::Outage { side, slowly });
        }
        if forgets && both {
            self.site.forget();
            (0..SIDES).for_each(|side| self.site.set_online(side, false));
        }
    }

    fn agent_becomes_unknown(&mut self, who: usize) {
        if !self.unknown.insert(who) {
            return;
        }
        let time = self.between(20, 1_200);
        self.tell(format!("agent{who} is unknown for {time:?}"));
        if self.kind == Kind::Skype {
            self.announced.expect("failure=404", 1_000);
        }
        self.site.refuse(who, Some(404));
        self.site.terminate(who, "noresource");
        self.journal.borrow_mut().refused(who);
        self.ends_in(time, Ending::Unknown(who));
    }

    fn overload(&mut self) {
        let most = if self.kind == Kind::Skype { MOST_OWED as usize } else { 60 };
        let times = 1 + u32::try_from(self.below(most)).unwrap();
        let wait = self.dice.chance(1, 2).then(|| seconds(1 + self.dice.below(30)));
        self.tell(format!("{times} requests get 503, {wait:?}"));
        self.site.overload(times, wait);
    }

    fn storm(&mut self) {
        let storm = Storm {
            lost: self.dice.below(2) * self.dice.below(30),
            late: self.dice.below(60),
            twice: self.dice.below(30),
            longest: Duration::from_millis(1 + self.dice.below(60_000)),
        };
        let time = self.between(20, 900);
        self.tell(format!("{storm:?} for {time:?}"));
        self.site.weather(|weather| weather.break_out(storm));
        self.late.push((now() + time + storm.longest, storm.longest));
        self.ends_in(time, Ending::Storm);
    }

    async fn drill_agent(&mut self, who: usize) {
        let uri = match self.below(10) {
            0 => desk(self.below(6)),
            1 => line(self.below(6)),
            _ => agent(who),
        };
        self.announced.expect("died of a bug", 1);
        let there = self.process().provider.drill_agent(uri.clone()).await;
        self.journal.borrow_mut().forgiven(who);
        self.tally.drills += usize::from(there);
        self.tell(format!("{uri} panics: {there}"));
    }

    async fn drill_endpoint(&mut self) {
        let kind = if self.dice.chance(1, 2) { EndpointKind::Application } else { EndpointKind::User };
        self.announced.expect("died of a bug", 1);
        self.journal.borrow_mut().new_life();
        self.site.died(usize::from(kind == EndpointKind::User), self.expires + seconds(60));
        let there = self.process().provider.drill_endpoint(kind).await;
        self.tally.drills += usize::from(there);
        self.tell(format!("the {kind} panics: {there}"));
    }

    async fn crash(&mut self) {
        let down = self.between(2, 120);
        self.tell(format!("the process is killed, for {down:?}"));
        self.tally.crashes += 1;
        (0..SIDES).for_each(|side| self.site.died(side, self.expires + seconds(60)));
        self.queues.clear();
        let warm = self.dice.chance(1, 2);
        self.left = if warm { Some(self.process().provider.remember().await) } else { None };
        self.process.take().unwrap().kill().await;
        self.ends_in(down, Ending::Down);
    }

    async fn restart(&mut self) {
        self.tally.restarts += 1;
        self.queues.clear();
        let warm = self.dice.chance(1, 2);
        self.left = if warm { Some(self.process().provider.remember().await) } else { None };
        // A pool that cannot be reached is told of no end (world 781).
        for side in (0..SIDES).filter(|side| !self.site.is_connected(*side)) {
            self.site.died(side, self.expires + seconds(60));
        }
        let in_order = self.process.take().unwrap().shut_down().await;
        let settings = self.settings;
        let endpoints = 1 + self.below(2);
        self.settings.endpoints = endpoints;
        self.settings.max_failures = 3 * u32::try_from(self.below(2)).unwrap();
        self.settings.outbox = 20 + self.below(200);
        self.tell(format!("restart in order: {in_order}, from {settings:?} to {:?}", self.settings));
        self.ends_in(seconds(2), Ending::Down);
    }

    async fn push(&mut self) {
        let uri = desk(self.below(6));
        let availability = [Availability::ONLINE, Availability::BUSY, Availability::AWAY][self.below(3)];
        let time_to_live = self.between(1, 900);
        if self.dice.chance(1, 6) {
            self.process().provider.withdraw(uri.clone()).await.unwrap();
            self.tell(format!("{uri} is withdrawn"));
        } else {
            let push = Push { uri: uri.clone(), status: Status::of(availability), time_to_live };
            self.process().provider.push(push).await.unwrap();
            self.tell(format!("{uri} is {availability:?} for {time_to_live:?}"));
        }
    }

    fn call(&mut self, number: usize) {
        let uri = line(self.below(6));
        let begins = self.dice.chance(1, 2);
        let call = ["a", "b"][self.below(2)];
        self.tell(format!("ucc{number}: call {call} on {uri}: {begins}"));
        self.queues[number]
            .ucc
            .with(move |client| if begins { client.call_started(&uri, call) } else { client.call_ended(&uri, call) });
    }

    fn delay(&mut self) {
        let (delay, time) = (Duration::from_millis(self.dice.below(5_000)), self.between(20, 300));
        self.tell(format!("answers are {delay:?} late for {time:?}"));
        self.site.delay(delay);
        self.late.push((now() + time + delay, delay));
        self.ends_in(time, Ending::Delay);
    }

    /// The pool takes an endpoint away.
    fn endpoint_is_removed(&mut self) {
        if self.kind == Kind::Simple {
            return;
        }
        let endpoint = [crate::forest::APPLICATION, crate::forest::USER][self.below(2)];
        let event = ["unregistered", "deactivated", "rejected"][self.below(3)];
        match event {
            "unregistered" => self.announced.expect(endpoint, 1),
            "rejected" => self.announced.expect(endpoint, 1_000),
            _ => {}
        }
        let done = self.site.command(&format!("deregister {endpoint} {event}"));
        self.tell(format!("{endpoint} is {event}: {done}"));
    }

    pub(crate) async fn end_of(&mut self, ending: Ending) {
        self.tell(format!("the end of {ending:?}"));
        match ending {
            Ending::Outage { side, slowly } => {
                if slowly {
                    let (from, over) = (1 + self.dice.below(3), self.between(60, 600));
                    self.site.return_slowly(from, 30, over);
                }
                self.site.set_online(side, true);
            }
            Ending::Storm => self.site.weather(crate::weather::Weather::clear),
            Ending::Unknown(who) => {
                self.unknown.remove(&who);
                self.journal.borrow_mut().forgiven(who);
                self.site.refuse(who, None);
                if let Some(process) = &self.process {
                    process.provider.revive(Some(agent(who))).await;
                }
            }
            Ending::Slow(number) => {
                if let Some(queue) = self.queues.get_mut(number).filter(|queue| queue.slow_until.is_some()) {
                    queue.ucc.set_pace(Duration::ZERO);
                    queue.slow_until = Some(now() + seconds(10));
                }
            }
            Ending::Delay => self.site.delay(Duration::ZERO),
            Ending::Down => self.start().await,
        }
    }
}
