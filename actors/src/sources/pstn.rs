//! PstnPresenceSource: an agent on a telephone line is busy while one of our UCCs is in a call with it.

use std::time::Instant;

use actix::{Context, Handler};
use presence_core::{AgentUri, Calls, Line, LineInput, SourceKind};

use super::{Serves, Source};
use crate::agent::{Birth, FeedLine, Life, Memory};
use crate::messages::{CallEnded, CallStarted};
use crate::ucc::UccId;

/// The calls of all UCCs, counted per line.
#[derive(Default)]
pub(crate) struct Pstn {
    calls: Calls,
}

impl Serves for Pstn {
    const KIND: SourceKind = SourceKind::Pstn;

    fn life(&self, now: Instant, uri: &AgentUri, birth: Birth) -> Life {
        let mut line = match birth.memory {
            Some(Memory::Line(line)) => line,
            Some(Memory::Subscribed(_) | Memory::Pushed(_)) | None => Line::new(now, uri.clone()),
        };
        line.handle(now, LineInput::InCalls(self.calls.in_call(uri)));
        Life::Line(line)
    }

    fn left(source: &mut Source<Self>, ucc: UccId) {
        for line in source.serves.calls.release(&name(ucc)) {
            source.tell(&line);
        }
    }
}

/// Whose call it is; two UCCs may have the same name, and never the same number.
fn name(ucc: UccId) -> String {
    ucc.0.to_string()
}

impl Source<Pstn> {
    /// Tells an agent whether it is in a call now.
    fn tell(&self, line: &AgentUri) {
        if let Some(agent) = self.children.get(line) {
            agent.do_send(FeedLine(LineInput::InCalls(self.serves.calls.in_call(line))));
        }
    }
}

impl Handler<CallStarted> for Source<Pstn> {
    type Result = ();

    fn handle(&mut self, message: CallStarted, _: &mut Context<Self>) {
        self.serves.calls.start(&name(message.ucc), &message.line, &message.call);
        self.tell(&message.line);
    }
}

impl Handler<CallEnded> for Source<Pstn> {
    type Result = ();

    fn handle(&mut self, message: CallEnded, _: &mut Context<Self>) {
        self.serves.calls.end(&name(message.ucc), &message.line, &message.call);
        self.tell(&message.line);
    }
}
