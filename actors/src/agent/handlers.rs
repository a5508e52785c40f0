//! What an agent does with each message: it feeds the machine, and then drives its effects.

use actix::{ActorContext, Handler, MessageResult};
use presence_core::{LineInput, PushedInput, SubscriptionInput};

use super::{Agent, Life};
use crate::clock;
use crate::messages::{Feed, Granted, LetGo, PanicNow, Stop, Unwatch, Watch};
use crate::views::ObserveAgent;
use crate::watchers::{Watchers, first_event};

impl Handler<Watch> for Agent {
    type Result = ();

    fn handle(&mut self, message: Watch, ctx: &mut Self::Context) {
        self.orders += 1;
        if self.watchers.is_empty() {
            self.wanted(true);
            self.drive(ctx);
        }
        let (presence, sequence) = self.life.presence();
        if message.ucc.post(first_event(&self.uri, presence, sequence)) {
            self.watchers.add(message.ucc);
            self.tell_standing();
        } else if self.watchers.is_empty() {
            self.wanted(false);
            self.drive(ctx);
        }
    }
}

impl Handler<Unwatch> for Agent {
    type Result = ();

    fn handle(&mut self, message: Unwatch, ctx: &mut Self::Context) {
        self.orders += 1;
        self.watchers.remove(message.ucc);
        if self.watchers.is_empty() {
            self.wanted(false);
        }
        self.drive(ctx);
    }
}

impl Handler<LetGo> for Agent {
    type Result = ();

    fn handle(&mut self, _: LetGo, ctx: &mut Self::Context) {
        self.orders += 1;
        self.leaving = true;
        self.watchers = Watchers::default();
        self.wanted(false);
        self.drive(ctx);
    }
}

impl Handler<Granted> for Agent {
    type Result = ();

    fn handle(&mut self, message: Granted, ctx: &mut Self::Context) {
        if let Life::Subscribed(machine) = &mut self.life {
            machine.handle(clock::now(), SubscriptionInput::TokenGranted(message.ticket));
        }
        if !self.drive(ctx) {
            self.shared.give_back();
        }
    }
}

impl Handler<Feed> for Agent {
    type Result = ();

    fn handle(&mut self, message: Feed, ctx: &mut Self::Context) {
        if let Life::Subscribed(machine) = &mut self.life {
            machine.handle(clock::now(), message.0);
        }
        self.drive(ctx);
    }
}

/// The number of calls of a PSTN agent went from none to some, or back.
#[derive(Clone, Copy, Debug, actix::Message)]
#[rtype(result = "()")]
pub(crate) struct FeedLine(pub(crate) LineInput);

impl Handler<FeedLine> for Agent {
    type Result = ();

    fn handle(&mut self, message: FeedLine, ctx: &mut Self::Context) {
        if let Life::Line(machine) = &mut self.life {
            machine.handle(clock::now(), message.0);
        }
        self.drive(ctx);
    }
}

/// A third party said how the agent is.
#[derive(Clone, Debug, actix::Message)]
#[rtype(result = "()")]
pub(crate) struct FeedPushed(pub(crate) PushedInput);

impl Handler<FeedPushed> for Agent {
    type Result = ();

    fn handle(&mut self, message: FeedPushed, ctx: &mut Self::Context) {
        self.orders += 1;
        if let Life::Pushed(machine) = &mut self.life {
            machine.handle(clock::now(), message.0);
        }
        self.drive(ctx);
    }
}

/// A third party takes back what it said of the agent. True when something held.
#[derive(Clone, Copy, Debug, actix::Message)]
#[rtype(result = "bool")]
pub(crate) struct TakeBack;

impl Handler<TakeBack> for Agent {
    type Result = bool;

    fn handle(&mut self, _: TakeBack, ctx: &mut Self::Context) -> Self::Result {
        self.orders += 1;
        let held = match &mut self.life {
            Life::Pushed(machine) => {
                let held = machine.poll_timeout().is_some();
                machine.handle(clock::now(), PushedInput::Withdraw);
                held
            }
            Life::Subscribed(_) | Life::Line(_) => false,
        };
        self.drive(ctx);
        held
    }
}

impl Handler<ObserveAgent> for Agent {
    type Result = MessageResult<ObserveAgent>;

    fn handle(&mut self, _: ObserveAgent, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.view())
    }
}

impl Handler<Stop> for Agent {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        self.told_to_stop = true;
        ctx.stop();
    }
}

impl Handler<PanicNow> for Agent {
    type Result = ();

    fn handle(&mut self, _: PanicNow, _: &mut Self::Context) {
        panic!("the agent {} was told to panic", self.uri);
    }
}
