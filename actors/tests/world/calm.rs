//! The calm after a storm: everybody is known as they are, soon; and the end.

use std::time::Duration;

use presence_actors::now;

use crate::site::{Kind, SIDES};
use crate::support::{seconds, settle};
use crate::world::World;

/// The longest rest of an endpoint, an answer that was under way, and a pool that is trusted again step by step.
const RETURN: Duration = Duration::from_secs(60 + 40 + 60);

impl World {
    /// Every fault ends; within the time that all need one after the other everybody is known as they are.
    pub(crate) async fn calm(&mut self) {
        self.ends.clear();
        self.site.heal();
        self.unknown.clear();
        self.announced.healed(now());
        // What was on its way when the storm ended still arrives late; what was late long ago is forgotten.
        let began = now();
        self.late.retain(|(until, late)| began <= *until + *late);
        self.late.iter_mut().for_each(|(until, late)| *until = (*until).min(began + *late));
        if self.process.is_none() {
            self.start().await;
            // Whom a process before had given up is known again when he is wanted again.
            settle().await;
        }
        for queue in &mut self.queues {
            queue.ucc.set_pace(Duration::ZERO);
            queue.slow_until = queue.slow_until.map(|_| now() + seconds(10));
        }
        self.journal.borrow_mut().all_forgiven();
        let process = self.process.as_ref().unwrap();
        process.provider.revive(None).await;
        self.tell("calm".into());
        let began = now();
        // A revival is for who was given up; who backs off does so to the end.
        let bound = self.in_turn() + RETURN + self.settings.longest;
        // A front end's list is refreshed only when nobody joins it: samples find what was lost there, or nobody does.
        let sampled = self.settings.samples.map(|each| each * u32::try_from(2 * self.size.agents).unwrap());
        let with_losses = bound
            + match (self.kind, sampled) {
                (Kind::Simple, _) => self.expires,
                (Kind::Skype, Some(sampled)) => sampled,
                (Kind::Skype, None) => seconds(100_000),
            };
        loop {
            let next = now() + seconds(5);
            self.until(next).await;
            self.look().await;
            let unwell = self.unwell();
            let waited = now() - began;
            if unwell.is_empty() {
                self.tell(format!("all are well after {waited:?}"));
                if self.tally.longest.0 < waited {
                    self.tally.longest = (waited, bound);
                }
                break;
            }
            let sure: Vec<usize> = unwell
                .iter()
                .copied()
                .filter(|who| waited > with_losses || self.site.weather(|weather| weather.doubt(*who)).is_none())
                .collect();
            // What was lost without a sign is found at the refresh.
            assert!(sure.is_empty() || waited <= bound, "{} wait after {waited:?}: {sure:?}", sure.len());
        }
        self.journal.borrow_mut().all_forgiven();
    }

    /// Nobody wants anybody any more, and then everything ends.
    pub(crate) async fn leave(&mut self) {
        for queue in &mut self.queues {
            queue.ucc.end();
            queue.wanted.clear();
        }
        // What processes left behind that were killed runs out, and so does what was given up because no NOTIFY came.
        let weather = self.site.weather(|weather| weather.tally);
        let is_left = self.tally.crashes > 0 || weather.lost + weather.late > 0;
        let wait = self.in_turn() + seconds(60) + if is_left { self.expires } else { Duration::ZERO };
        let next = now() + wait;
        self.until(next).await;
        self.look().await;
        assert_eq!(self.site.live(), 0, "nobody wants anybody");
        let view = self.process().provider.observe().await.unwrap();
        let sip = view.agents().filter(|agent| agent.uri.as_str().starts_with("sip:agent")).count();
        assert_eq!(sip, 0, "nobody wants anybody");
        let process = self.process.take().unwrap();
        assert!(process.shut_down().await);
        assert!((0..SIDES).all(|side| self.site.is_online(side)));
        settle().await;
    }
}
