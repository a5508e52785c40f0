//! One remote queue, as requests and event streams on other threads know it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix::Addr;
use presence_actors::now;
use presence_core::AgentUri;
use tokio_util::sync::CancellationToken;

use super::actor::{Alter, Altered, EndCall, LetGo, Rearm, StartCall, UccActor};
use super::lease::{Lease, LeaseRefusal, MAX_STREAMS};
use crate::http::convert::moment;
use crate::http::feed::{Knowledge, SharedFeed};
use crate::http::{Problem, model};

/// For so long the first answer of an agent is waited for; it needs no SIP.
const ANSWER: Duration = Duration::from_secs(2);

/// A call that is under way.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ongoing {
    pub(super) line: AgentUri,
    pub(super) since: Instant,
}

/// One remote queue, as requests and event streams on other threads know it.
pub(in crate::http) struct RemoteUcc {
    name: Arc<str>,
    actor: Addr<UccActor>,
    feed: SharedFeed,
    lease: Mutex<Lease>,
    calls: Mutex<BTreeMap<Arc<str>, Ongoing>>,
    gone: CancellationToken,
}

/// An event stream of a queue: while it is there, the queue is kept.
pub(in crate::http) struct OpenStream(Arc<RemoteUcc>);

impl RemoteUcc {
    pub(super) fn new(name: Arc<str>, actor: Addr<UccActor>, feed: SharedFeed, lease: Lease) -> Self {
        let calls = Mutex::default();
        Self { name, actor, feed, lease: Mutex::new(lease), calls, gone: CancellationToken::new() }
    }

    /// Its name.
    pub(in crate::http) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its events.
    pub(in crate::http) const fn feed(&self) -> &SharedFeed {
        &self.feed
    }

    /// How many event streams of it are open.
    pub(in crate::http) fn streams(&self) -> usize {
        self.lease().streams()
    }

    /// Cancelled when the queue is no more; then its streams end.
    pub(in crate::http) const fn gone(&self) -> &CancellationToken {
        &self.gone
    }

    pub(super) fn lease(&self) -> MutexGuard<'_, Lease> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn calls(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Ongoing>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request came. False when the queue is no more.
    pub(super) fn hear(&self) -> bool {
        self.lease().hear(now()).is_ok()
    }

    /// Opens a stream; none when the queue is no more.
    pub(super) fn open(self: &Arc<Self>) -> Option<Result<OpenStream, Problem>> {
        let opened = self.lease().open(now());
        match opened {
            Ok(()) => Some(Ok(OpenStream(Arc::clone(self)))),
            Err(LeaseRefusal::Over) => None,
            Err(LeaseRefusal::TooManyStreams) => Some(Err(Problem::too_many(
                format!(
                    "the queue `{}` has {MAX_STREAMS} event streams open, and there are no more; close one",
                    self.name
                ),
                Duration::from_secs(60),
            ))),
        }
    }

    /// Lets agents go, and then wants others.
    pub(in crate::http) async fn alter(&self, alter: Alter) -> Result<Altered, Problem> {
        self.actor.send(alter).await.map_err(|_| no_more(&self.name))?.map_err(Into::into)
    }

    /// A call begins. True when it is a new one.
    pub(in crate::http) async fn start_call(&self, call: Arc<str>, line: AgentUri) -> Result<bool, Problem> {
        self.actor.send(StartCall { call, line }).await.map_err(|_| no_more(&self.name))?.map_err(Into::into)
    }

    /// A call ends. False when there is no such call.
    pub(in crate::http) async fn end_call(&self, call: &str) -> Result<bool, Problem> {
        self.actor.send(EndCall { call: call.into() }).await.map_err(|_| no_more(&self.name))
    }

    /// Lets everything of the queue go.
    pub(in crate::http) async fn let_go(&self) {
        let _it_is_gone_either_way = self.actor.send(LetGo).await;
    }

    /// What is known of one of its agents, once its first answer is there; none when the queue does not want it.
    pub(in crate::http) async fn answer(&self, uri: &AgentUri) -> Option<model::UccAgent> {
        let answered = async {
            loop {
                let written = self.feed.written();
                let known = self.feed.lock().knowledge(uri).cloned();
                if known != Some(Knowledge::Asked) {
                    return known;
                }
                written.await;
            }
        };
        let known = tokio::time::timeout(ANSWER, answered).await.unwrap_or(Some(Knowledge::Asked))?;
        Some(agent(uri, &known))
    }

    /// What is known of one of its agents; none when the queue does not want it.
    pub(in crate::http) fn agent(&self, uri: &AgentUri) -> Option<model::UccAgent> {
        self.feed.lock().knowledge(uri).map(|known| agent(uri, known))
    }

    /// A page of its agents.
    pub(in crate::http) fn agents(&self, offset: usize, limit: usize) -> model::UccAgentPage {
        let (page, total): (Vec<_>, _) = {
            let feed = self.feed.lock();
            let page =
                feed.agents().skip(offset).take(limit).map(|(uri, known)| (uri.clone(), known.clone())).collect();
            (page, feed.wanted())
        };
        let agents = page.iter().map(|(uri, known)| agent(uri, known)).collect();
        model::UccAgentPage { agents, total, offset }
    }

    /// What it looks like.
    pub(in crate::http) fn describe(&self) -> model::Ucc {
        let (agents, lagged) = {
            let feed = self.feed.lock();
            (feed.wanted(), feed.lagged())
        };
        let (connections, ends_at) = {
            let lease = self.lease();
            (lease.streams(), lease.ends_at())
        };
        model::Ucc {
            name: self.name.as_ref().to_owned(),
            remote: true,
            agents,
            connections,
            released_at: ends_at.map(moment),
            calls: self.calls().len(),
            lagged,
        }
    }

    /// Its calls that are under way, by id.
    pub(in crate::http) fn list_calls(&self) -> Vec<model::Call> {
        self.calls().iter().map(|(id, call)| self.call(id, call)).collect()
    }

    /// One of its calls.
    pub(in crate::http) fn list_call(&self, id: &str) -> Option<model::Call> {
        self.calls().get(id).map(|call| self.call(id, call))
    }

    fn call(&self, id: &str, call: &Ongoing) -> model::Call {
        model::Call {
            ucc: self.name.as_ref().to_owned(),
            call: id.to_owned(),
            line: call.line.as_str().to_owned(),
            since: moment(call.since),
        }
    }
}

impl OpenStream {
    /// The queue.
    pub(in crate::http) const fn ucc(&self) -> &Arc<RemoteUcc> {
        &self.0
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.lease().close(now());
        self.0.actor.do_send(Rearm);
    }
}

/// What was between a request and the end of the queue.
pub(super) fn no_more(name: &str) -> Problem {
    Problem::unavailable(
        format!("the queue `{name}` was let go just now; send the request again"),
        Duration::from_secs(1),
    )
}

fn agent(uri: &AgentUri, known: &Knowledge) -> model::UccAgent {
    let (presence, sequence, unserved) = match known {
        Knowledge::Asked | Knowledge::Pending | Knowledge::Released => (None, 0, None),
        Knowledge::Current(presence, sequence) => (Some(presence.as_ref().into()), *sequence, None),
        Knowledge::Unserved(why) => (None, 0, Some(why.as_ref().to_owned())),
    };
    model::UccAgent { uri: uri.as_str().to_owned(), presence, sequence, unserved }
}

#[cfg(test)]
mod tests {
    use actix::{Context, Handler, Message};
    use presence_actors::{Provider, Setup};
    use presence_config::{HttpSettings, Settings};
    use presence_core::SourceRules;

    use super::super::RemoteUccs;
    use super::*;

    /// Makes the actor of a queue panic.
    #[derive(Message)]
    #[rtype(result = "()")]
    struct Fail;

    impl Handler<Fail> for UccActor {
        type Result = ();

        fn handle(&mut self, _: Fail, _: &mut Context<Self>) {
            panic!("on purpose");
        }
    }

    #[actix_web::test]
    async fn a_queue_whose_actor_panics_ends_its_streams_and_is_registered_anew_by_the_next_request() {
        let rules = SourceRules { attendant: None, pstn: true, graph: None, ucma: false };
        let provider = Provider::start(Setup::new(rules, Vec::new()));
        let uccs = RemoteUccs::start(provider.clone(), &HttpSettings::default(), &Settings::default());
        let stream = uccs.open("sales").await.expect("a stream");
        let line: AgentUri = "tel:+31612345678".parse().expect("a URI");
        assert_eq!(stream.ucc().start_call("1".into(), line.clone()).await, Ok(true));
        assert_eq!(provider.calls().await.len(), 1);
        assert!(stream.ucc().actor.send(Fail).await.is_err(), "it answers nobody");
        let ended = tokio::time::timeout(ANSWER, stream.ucc().gone().cancelled()).await;
        assert!(ended.is_ok(), "its streams end");
        assert_eq!(provider.calls().await.len(), 0, "its calls are over");
        let (again, new) = uccs.register("sales").await.expect("the name is free");
        assert!(new);
        drop(stream);
        assert_eq!(again.start_call("1".into(), line).await, Ok(true));
        assert_eq!(uccs.count(), 1);
    }

    #[actix_web::test]
    async fn all_queues_together_want_no_more_than_a_bounded_number_and_what_is_let_go_makes_room() {
        let rules = SourceRules { attendant: None, pstn: true, graph: None, ucma: false };
        let provider = Provider::start(Setup::new(rules, Vec::new()));
        let uccs = RemoteUccs::start_for(provider, &HttpSettings::default(), &Settings::default(), 5);
        let agents = |numbers: std::ops::Range<usize>| -> Vec<AgentUri> {
            numbers.map(|number| format!("sip:{number}@absent.example").parse().expect("a URI")).collect()
        };
        let want = |subscribe| Alter { subscribe, unsubscribe: Vec::new() };
        let (first, _) = uccs.register("first").await.expect("room");
        let (other, _) = uccs.register("other").await.expect("room");
        let altered = first.alter(want(agents(0..4))).await.expect("taken");
        assert_eq!((altered.agents, altered.beyond.len()), (4, 0));
        let altered = other.alter(want(agents(0..4))).await.expect("taken");
        assert_eq!((altered.agents, altered.beyond), (1, agents(1..4)), "one place is left");
        let altered = first.alter(want(agents(0..5))).await.expect("taken");
        assert_eq!((altered.agents, altered.beyond), (4, agents(4..5)), "what it wants already it keeps");
        first.alter(Alter { subscribe: Vec::new(), unsubscribe: agents(0..1) }).await.expect("taken");
        assert_eq!(other.alter(want(agents(0..4))).await.expect("taken").agents, 2);
        first.let_go().await;
        first.gone().cancelled().await;
        assert_eq!(other.alter(want(agents(0..9))).await.expect("taken").agents, 5);
    }
}
