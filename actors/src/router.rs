//! The actor that knows which UCC wants which agent, and which source serves it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

use actix::{
    Actor, ActorFutureExt, Context, Handler, MessageResult, Recipient, ResponseActFuture, ResponseFuture, Supervised,
    WrapFuture,
};
use presence_core::{AgentUri, Considered, Selection, SourceKind, SourceRules, Verdict};

use crate::messages::{
    CallEnded, CallStarted, Declined, Drain, Join, Leave, PresenceEvent, Push, PushRefused, Revive, ReviveAgents,
    Revived, Subscribe, Unsubscribe, Unwatch, Watch, Withdraw,
};
use crate::meters::Meters;
use crate::remember::CollectAgents;
use crate::sources::PanicAgent;
use crate::supervise::Escalation;
use crate::ucc::{UccHandle, UccId, log_source};
use crate::views::{FindAgent, ObserveSource, ObserveUccs, UccView};
use crate::wanted::Wanted;

/// What can be asked of a source whichever it is.
#[derive(Clone)]
pub(crate) struct SourceHandle {
    pub(crate) kind: SourceKind,
    pub(crate) watch: Recipient<Watch>,
    pub(crate) unwatch: Recipient<Unwatch>,
    pub(crate) leave: Recipient<Leave>,
    pub(crate) drain: Recipient<Drain>,
    pub(crate) observe: Recipient<ObserveSource>,
    pub(crate) find: Recipient<FindAgent>,
    pub(crate) revive: Recipient<ReviveAgents>,
    pub(crate) drill: Recipient<PanicAgent>,
    pub(crate) collect: Recipient<CollectAgents>,
}

/// What one UCC wants.
struct Interest {
    handle: Arc<UccHandle>,
    /// Never listed without being sorted; a tree takes three times the memory.
    agents: HashSet<AgentUri>,
}

/// Applies the match rules to every subscription, and lets go what a UCC wanted when the UCC is gone.
pub(crate) struct Router {
    pub(crate) rules: Arc<SourceRules>,
    pub(crate) sources: Vec<SourceHandle>,
    pub(crate) calls: Option<(Recipient<CallStarted>, Recipient<CallEnded>)>,
    pub(crate) push: Option<Recipient<Push>>,
    pub(crate) withdraw: Option<Recipient<Withdraw>>,
    pub(crate) escalation: Escalation,
    /// Why a source that is switched on is not there.
    pub(crate) missing: BTreeMap<SourceKind, Arc<str>>,
    uccs: BTreeMap<UccId, Interest>,
    /// Agents that Microsoft Graph does not know, and how many UCCs want each: another source serves them until nobody does.
    declined: BTreeMap<AgentUri, usize>,
    /// Those that an earlier run knew to be so, until somebody wants them.
    pub(crate) left_declined: BTreeSet<AgentUri>,
    /// All that is wanted, each agent once.
    wanted: Wanted,
    /// Where those are counted that are turned away.
    pub(crate) meters: Option<Arc<Meters>>,
}

impl Router {
    pub(crate) const fn new(
        rules: Arc<SourceRules>,
        sources: Vec<SourceHandle>,
        escalation: Escalation,
        most_agents: NonZeroUsize,
    ) -> Self {
        Self {
            rules,
            sources,
            calls: None,
            push: None,
            withdraw: None,
            escalation,
            missing: BTreeMap::new(),
            uccs: BTreeMap::new(),
            declined: BTreeMap::new(),
            left_declined: BTreeSet::new(),
            wanted: Wanted::new(most_agents),
            meters: None,
        }
    }

    fn select(&self, uri: &AgentUri) -> Selection {
        if self.declined.contains_key(uri) { self.rules.select_declined(uri) } else { self.rules.select(uri) }
    }

    fn source(&self, uri: &AgentUri) -> Option<&SourceHandle> {
        let kind = self.select(uri).source?;
        self.sources.iter().find(|source| source.kind == kind)
    }

    /// Why nobody serves an agent.
    fn why_not(&self, uri: &AgentUri) -> Arc<str> {
        let selection = self.select(uri);
        let missing = selection.source.and_then(|kind| self.missing.get(&kind)).map(Arc::clone);
        missing.unwrap_or_else(|| reasons(&selection))
    }

    /// A UCC that wanted the agent does not any more.
    fn let_go(&mut self, ucc: UccId, uri: AgentUri) {
        self.wanted.remove(&uri);
        if let Some(source) = self.source(&uri) {
            source.unwatch.do_send(Unwatch { ucc, uri: uri.clone() });
        }
        if let Some(wanting) = self.declined.get_mut(&uri) {
            *wanting -= 1;
            if *wanting == 0 {
                self.declined.remove(&uri);
            }
        }
    }

    /// Has everyone who wants the agent watch it at the source that serves it now; nobody watches it anywhere.
    fn watch_all(&mut self, uri: &AgentUri, uccs: Vec<Arc<UccHandle>>) {
        if let Some(source) = self.source(uri) {
            for ucc in uccs {
                source.watch.do_send(Watch { ucc, uri: uri.clone() });
            }
            return;
        }
        let why = self.why_not(uri);
        for ucc in uccs {
            ucc.post(PresenceEvent::Unserved { uri: uri.clone(), why: Arc::clone(&why) });
            if let Some(interest) = self.uccs.get_mut(&ucc.id())
                && interest.agents.remove(uri)
            {
                self.wanted.remove(uri);
            }
        }
        self.declined.remove(uri);
    }

    /// There are as many agents as there may be.
    fn turn_away(&self, ucc: &UccHandle, uri: AgentUri, why: Arc<str>) {
        let times = self.meters.as_ref().map_or(1, |meters| meters.count_turned_away());
        // Whoever asks for too many asks for very many.
        if times.is_power_of_two() {
            tracing::warn!(logger = %ucc.name(), uri = %uri, why = %why, times, "an agent more cannot be served");
        }
        ucc.post(PresenceEvent::Unserved { uri, why });
    }

    fn wanting(&self, uri: &AgentUri) -> Vec<Arc<UccHandle>> {
        let wanting = self.uccs.values().filter(|interest| interest.agents.contains(uri));
        wanting.map(|interest| Arc::clone(&interest.handle)).collect()
    }
}

/// Why no source takes an agent, source by source.
fn reasons(selection: &Selection) -> Arc<str> {
    let reason = |considered: &Considered| match &considered.verdict {
        Verdict::Disabled => format!("{} is not enabled", considered.source),
        Verdict::NoMatch { why } => format!("{}: {why}", considered.source),
        Verdict::Matched { .. }
        | Verdict::Taken(_)
        | Verdict::Tentative(_)
        | Verdict::Otherwise(_)
        | Verdict::NotReached => String::new(),
    };
    let reasons: Vec<_> = selection.considered.iter().map(reason).filter(|reason| !reason.is_empty()).collect();
    reasons.join("; ").into()
}

impl Actor for Router {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Self::Context) {
        self.escalation.escalate_a_panic("router");
    }
}

impl Supervised for Router {}

impl Handler<Join> for Router {
    type Result = ();

    fn handle(&mut self, message: Join, _: &mut Self::Context) {
        self.uccs.insert(message.ucc.id(), Interest { handle: message.ucc, agents: HashSet::new() });
    }
}

impl Handler<Subscribe> for Router {
    type Result = ();

    fn handle(&mut self, message: Subscribe, _: &mut Self::Context) {
        let Subscribe { ucc, uri } = message;
        if ucc.is_gone() {
            return;
        }
        if let Err(why) = self.wanted.admit(&uri) {
            return self.turn_away(&ucc, uri, why);
        }
        if self.left_declined.remove(&uri) {
            self.declined.insert(uri.clone(), 0);
        }
        match self.source(&uri) {
            Some(source) => {
                log_source(&ucc, &uri, source.kind);
                source.watch.do_send(Watch { ucc: Arc::clone(&ucc), uri: uri.clone() });
                if let Some(interest) = self.uccs.get_mut(&ucc.id())
                    && interest.agents.insert(uri.clone())
                {
                    self.wanted.add(&uri);
                    if let Some(wanting) = self.declined.get_mut(&uri) {
                        *wanting += 1;
                    }
                }
            }
            None => {
                let why = self.why_not(&uri);
                tracing::warn!(logger = %ucc.name(), uri = %uri, why = %why, "no presence source serves the agent");
                ucc.post(PresenceEvent::Unserved { uri, why });
            }
        }
    }
}

impl Handler<Unsubscribe> for Router {
    type Result = ();

    fn handle(&mut self, message: Unsubscribe, _: &mut Self::Context) {
        let known = self.uccs.get_mut(&message.ucc).is_some_and(|interest| interest.agents.remove(&message.uri));
        if known {
            self.let_go(message.ucc, message.uri);
        }
    }
}

impl Handler<Leave> for Router {
    type Result = ();

    fn handle(&mut self, message: Leave, _: &mut Self::Context) {
        if let Some(interest) = self.uccs.remove(&message.ucc) {
            interest.handle.retire();
            for uri in interest.agents.into_iter().collect::<BTreeSet<_>>() {
                self.let_go(message.ucc, uri);
            }
        }
        for source in &self.sources {
            source.leave.do_send(message);
        }
    }
}

impl Handler<Declined> for Router {
    type Result = ();

    fn handle(&mut self, Declined { uri }: Declined, _: &mut Self::Context) {
        let uccs = self.wanting(&uri);
        if uccs.is_empty() || self.declined.contains_key(&uri) {
            return;
        }
        // A UCC that came while this was on its way has been sent to the source that declines.
        if let Some(source) = self.source(&uri) {
            for ucc in &uccs {
                source.unwatch.do_send(Unwatch { ucc: ucc.id(), uri: uri.clone() });
            }
        }
        self.declined.insert(uri.clone(), uccs.len());
        tracing::info!(logger = "PresenceProvider", uri = %uri,
            source = self.source(&uri).map_or("none", |source| source.kind.element()),
            "no tenant of Microsoft Graph knows the agent; the next source serves it");
        self.watch_all(&uri, uccs);
    }
}

impl Handler<Revive> for Router {
    type Result = ResponseActFuture<Self, usize>;

    /// An agent that two sources have given up begins anew with the first of them.
    fn handle(&mut self, message: Revive, _: &mut Self::Context) -> Self::Result {
        let declined = Arc::new(self.declined.keys().cloned().collect());
        let order = ReviveAgents { uri: message.uri, declined };
        let answers: Vec<_> = self.sources.iter().map(|source| source.revive.send(order.clone())).collect();
        let all = async move {
            let mut all = Revived::default();
            for answer in answers {
                let revived = answer.await.unwrap_or_default();
                all.count += revived.count;
                all.given_back.extend(revived.given_back);
            }
            all
        };
        Box::pin(all.into_actor(self).map(|revived, router, _| {
            for uri in &revived.given_back {
                router.declined.remove(uri);
                tracing::info!(logger = "PresenceProvider", uri = %uri, "the agent is revived; Microsoft Graph is asked for it anew");
                let uccs = router.wanting(uri);
                router.watch_all(uri, uccs);
            }
            revived.count + revived.given_back.len()
        }))
    }
}

impl Handler<CallStarted> for Router {
    type Result = ();

    fn handle(&mut self, message: CallStarted, _: &mut Self::Context) {
        if let Some((started, _)) = self.calls.as_ref().filter(|_| !message.ucc.is_gone()) {
            started.do_send(message);
        }
    }
}

impl Handler<CallEnded> for Router {
    type Result = ();

    fn handle(&mut self, message: CallEnded, _: &mut Self::Context) {
        if let Some((_, ended)) = &self.calls {
            ended.do_send(message);
        }
    }
}

impl Handler<Push> for Router {
    type Result = ResponseFuture<Result<(), PushRefused>>;

    fn handle(&mut self, message: Push, _: &mut Self::Context) -> Self::Result {
        let attendant = self.rules.select(&message.uri).source == Some(SourceKind::Attendant);
        let push = self.push.clone().filter(|_| attendant);
        Box::pin(async move {
            match push {
                _ if message.time_to_live.is_zero() => Err(PushRefused::NoTimeToLive),
                Some(push) => push.send(message).await.unwrap_or(Err(PushRefused::ShuttingDown)),
                None => Err(PushRefused::NotAttendant(message.uri)),
            }
        })
    }
}

impl Handler<Withdraw> for Router {
    type Result = ResponseFuture<Result<bool, PushRefused>>;

    fn handle(&mut self, message: Withdraw, _: &mut Self::Context) -> Self::Result {
        let attendant = self.rules.select(&message.uri).source == Some(SourceKind::Attendant);
        let withdraw = self.withdraw.clone().filter(|_| attendant);
        Box::pin(async move {
            match withdraw {
                Some(withdraw) => withdraw.send(message).await.unwrap_or(Err(PushRefused::ShuttingDown)),
                None => Err(PushRefused::NotAttendant(message.uri)),
            }
        })
    }
}

impl Handler<Drain> for Router {
    type Result = ();

    fn handle(&mut self, message: Drain, _: &mut Self::Context) {
        for source in &self.sources {
            source.drain.do_send(message.clone());
        }
    }
}

impl Handler<ObserveUccs> for Router {
    type Result = MessageResult<ObserveUccs>;

    fn handle(&mut self, _: ObserveUccs, _: &mut Self::Context) -> Self::Result {
        let view = |interest: &Interest| UccView { agents: interest.agents.len(), ..interest.handle.view() };
        MessageResult(self.uccs.values().map(view).collect())
    }
}

/// How many UCCs there are.
#[derive(actix::Message)]
#[rtype(result = "usize")]
pub(crate) struct CountUccs;

impl Handler<CountUccs> for Router {
    type Result = MessageResult<CountUccs>;

    fn handle(&mut self, _: CountUccs, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.uccs.len())
    }
}
