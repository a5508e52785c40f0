//! PstnPresenceSource: an agent on a telephone line is busy while one of our UCCs is in a call with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use actix::{Context, Handler, MessageResult};
use presence_core::{AgentUri, CallStart, Calls, Line, LineInput, MAX_CALLS_PER_UCC, SourceKind};

use super::{Serves, Source};
use crate::agent::{Birth, FeedLine, Life, Memory};
use crate::clock;
use crate::messages::{CallEnded, CallStarted};
use crate::ucc::UccId;
use crate::views::{CallView, CountCalls, ObserveCalls};

/// The calls of all UCCs, counted per line.
#[derive(Default)]
pub(crate) struct Pstn {
    calls: Calls<UccId>,
    /// What the UCCs that have had calls are named.
    names: BTreeMap<UccId, Arc<str>>,
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
        source.serves.names.remove(&ucc);
        for line in source.serves.calls.release(&ucc) {
            source.tell(&line);
        }
    }
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
        let CallStarted { ucc, line, call } = message;
        match self.serves.calls.start(clock::now(), ucc.id(), &line, &call) {
            CallStart::New => {
                self.serves.names.entry(ucc.id()).or_insert_with(|| Arc::clone(ucc.name()));
                self.tell(&line);
            }
            CallStart::Known => {}
            CallStart::TooMany => tracing::warn!(logger = %ucc.name(), uri = %line, call = %call,
                "the UCC has {MAX_CALLS_PER_UCC} calls under way already; this one does not count: does it tell the ends of its calls?"),
        }
    }
}

impl Handler<CallEnded> for Source<Pstn> {
    type Result = ();

    fn handle(&mut self, message: CallEnded, _: &mut Context<Self>) {
        self.serves.calls.end(message.ucc, &message.line, &message.call);
        self.tell(&message.line);
    }
}

impl Handler<ObserveCalls> for Source<Pstn> {
    type Result = MessageResult<ObserveCalls>;

    fn handle(&mut self, _: ObserveCalls, _: &mut Context<Self>) -> Self::Result {
        let Pstn { calls, names } = &self.serves;
        let view = |(ucc, call, line, since): (&UccId, &Arc<str>, &AgentUri, Instant)| {
            let ucc = names.get(ucc).map(Arc::clone)?;
            Some(CallView { ucc, call: Arc::clone(call), line: line.clone(), since })
        };
        MessageResult(calls.iter().filter_map(view).collect())
    }
}

impl Handler<CountCalls> for Source<Pstn> {
    type Result = MessageResult<CountCalls>;

    fn handle(&mut self, _: CountCalls, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.serves.calls.per_ucc().map(|(ucc, count)| (*ucc, count)).collect())
    }
}
