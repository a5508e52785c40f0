//! Samples of the UCMA source: one timer, a [`Sampler`], and the agents that it may choose from.

use std::num::NonZeroU32;
use std::time::Duration;

use actix::{AsyncContext, Context, Handler, SpawnHandle};
use presence_core::{AgentUri, EndpointSet, Pick, Sampleable, Sampler, SubscriptionInput};

use super::children::Children;
use super::{Serves, Source, Ucma};
use crate::clock;
use crate::entropy::RandomBytes;
use crate::messages::{Adopted, Feed, Sampled};

/// Who is sampled when; nobody when it is switched off.
pub(super) struct Sampling {
    sampler: Option<Sampler>,
    timer: Option<SpawnHandle>,
}

impl Sampling {
    pub(super) fn new(interval: Option<Duration>, per_second: NonZeroU32, random: &RandomBytes) -> Self {
        let sampler = interval.map(|interval| {
            let mut bytes = [0; 8];
            random.fill(&mut bytes);
            Sampler::new(clock::now(), interval, per_second, u64::from_le_bytes(bytes))
        });
        Self { sampler, timer: None }
    }
}

impl Sampleable for Children {
    fn len(&self) -> usize {
        Self::len(self)
    }

    fn at(&self, place: usize) -> Option<AgentUri> {
        self.known(place)
    }

    fn next(&self, behind: Option<&AgentUri>, through: EndpointSet) -> Option<AgentUri> {
        self.behind(behind, |memory| memory.vouched_via().is_some_and(|via| through.contains(via)))
    }
}

impl Source<Ucma> {
    /// Samples whoever is due, and arms the timer for the next one.
    pub(super) fn sample(&mut self, ctx: &mut Context<Self>) {
        let Some(sampler) = self.serves.sampling.sampler.as_mut() else { return };
        if self.leaving {
            return;
        }
        while let Some(pick) = sampler.pick(clock::now(), &self.children) {
            let (uri, input) = match pick {
                Pick::Compare(uri) => (uri, SubscriptionInput::Sample),
                Pick::Refresh(uri, attempt) => (uri, SubscriptionInput::RefreshWanted { attempt }),
            };
            if let Some(agent) = self.children.get(&uri) {
                agent.do_send(Feed(input));
            }
        }
        if let Some(timer) = self.serves.sampling.timer.take() {
            ctx.cancel_future(timer);
        }
        let due = clock::until(sampler.poll_timeout());
        self.serves.sampling.timer = Some(ctx.run_later(due, |source, ctx| source.sample(ctx)));
    }

    /// What came of a sample.
    pub(super) fn was_sampled(&mut self, message: &Sampled, ctx: &mut Context<Self>) {
        let Some(sampler) = self.serves.sampling.sampler.as_mut() else { return };
        let was_alarmed = sampler.is_alarmed();
        sampler.sampled(clock::now(), &message.uri, message.via, message.outcome);
        match (was_alarmed, sampler.is_alarmed()) {
            (false, true) => tracing::warn!(
                logger = "PresenceProvider",
                "samples are taken more often until so many in a row find nothing"
            ),
            (true, false) => {
                tracing::info!(logger = "PresenceProvider", "samples find nothing any more: they are taken as usual")
            }
            (true, true) | (false, false) => {}
        }
        self.sample(ctx);
    }
}

impl Handler<Adopted> for Source<Ucma> {
    type Result = ();

    fn handle(&mut self, message: Adopted, _: &mut Self::Context) {
        if let Some(sampler) = self.serves.sampling.sampler.as_mut() {
            sampler.adopted(clock::now(), &message.uri, message.attempt);
        }
    }
}

impl<S: Serves> Handler<Sampled> for Source<S> {
    type Result = ();

    fn handle(&mut self, message: Sampled, ctx: &mut Self::Context) {
        S::sampled(self, &message, ctx);
    }
}
