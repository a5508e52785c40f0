//! The book of the pushers, and the provider that it speaks to.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use presence_actors::{Provider, Push, PushRefused, now};
use presence_core::{AgentUri, Freshness, SourceKind};
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::book::{Full, Held, Owner, PusherBook};
use super::said::Said;

/// So many pushes are under way to the provider at once; a bulk lets others in between.
const AT_ONCE: usize = 64;

/// Who pushed what, and by when it must be heard of again.
///
/// The book is locked while the provider answers, so that both see the pushes of one agent in the same order.
pub struct Pushers {
    provider: Provider,
    book: Arc<Mutex<PusherBook>>,
    changed: Arc<Notify>,
    _end: DropGuard,
}

/// Why a push was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error(transparent)]
    Provider(#[from] PushRefused),
    #[error(transparent)]
    Full(#[from] Full),
}

impl Pushers {
    /// Nobody has pushed anything. Call it inside an actix system.
    #[must_use]
    pub fn new(provider: Provider) -> Self {
        let (book, changed, end) = (Arc::default(), Arc::new(Notify::new()), CancellationToken::new());
        let repeats = repeat(provider.clone(), Arc::clone(&book), Arc::clone(&changed));
        let ended = end.clone();
        actix_rt::spawn(async move {
            let _ = ended.run_until_cancelled(repeats).await;
        });
        Self { provider, book, changed, _end: end.drop_guard() }
    }

    /// Takes pushes, in order; the answers are in the same order.
    pub(super) async fn push(&self, pusher: &Arc<str>, pushes: Vec<(AgentUri, Said)>) -> Vec<Result<(), Refused>> {
        let mut answers = Vec::with_capacity(pushes.len());
        let mut pushes = pushes.into_iter().peekable();
        while pushes.peek().is_some() {
            // Two pushes of one agent are never under way together: their order is what counts.
            let (mut chunk, mut agents) = (Vec::new(), BTreeSet::new());
            while chunk.len() < AT_ONCE
                && let Some(push) = pushes.next_if(|(uri, _)| agents.insert(uri.clone()))
            {
                chunk.push(push);
            }
            answers.extend(self.push_together(pusher, chunk).await);
        }
        self.changed.notify_one();
        answers
    }

    async fn push_together(&self, pusher: &Arc<str>, pushes: Vec<(AgentUri, Said)>) -> Vec<Result<(), Refused>> {
        let mut book = self.book.lock().await;
        // Before the provider counts from it: what the book holds, the provider holds.
        let at = now();
        let mut coming = 0;
        let mut room = |uri| {
            book.room(at, pusher, uri, coming)?;
            coming += 1;
            Ok::<_, Full>(())
        };
        let room: Vec<_> = pushes.iter().map(|(uri, _)| room(uri)).collect();
        let answers = join_all(pushes.iter().zip(room).map(async |((uri, said), room)| {
            room?;
            let (uri, status, time_to_live) = (uri.clone(), said.status.clone(), said.hold.span());
            Ok(self.provider.push(Push { uri, status, time_to_live }).await?)
        }));
        let answers: Vec<Result<(), Refused>> = answers.await;
        for ((uri, said), answer) in pushes.into_iter().zip(&answers) {
            if answer.is_ok() {
                book.pushed(at, pusher, &uri, said);
            }
        }
        answers
    }

    /// A pusher lives; says how many of its agents hold because of that.
    pub(super) async fn heard(&self, pusher: &str) -> usize {
        let kept = self.book.lock().await.heard(now(), pusher);
        self.changed.notify_one();
        kept
    }

    /// Of how many agents a push holds, and how many pushers they have.
    pub(in crate::http) async fn counts(&self) -> (usize, usize) {
        self.book.lock().await.counts(now())
    }

    /// What is held of an agent.
    pub(super) async fn held(&self, uri: &AgentUri) -> Option<Held> {
        self.book.lock().await.held(now(), uri)
    }

    /// Whether what is served of an agent was pushed before this process began.
    pub(super) async fn is_from_before(&self, uri: &AgentUri) -> bool {
        let view = self.provider.observe_agent(uri).await;
        view.is_some_and(|view| {
            view.presence.source == SourceKind::Attendant && view.presence.freshness == Freshness::Stale
        })
    }

    /// Takes a push back, when it is this pusher's, or from before the restart and so nobody's.
    pub(super) async fn withdraw(&self, pusher: &str, uri: &AgentUri) -> Result<Owner, PushRefused> {
        let mut book = self.book.lock().await;
        let mut owner = book.owner(now(), pusher, uri);
        if owner == Owner::Nobody && self.is_from_before(uri).await {
            owner = Owner::Asking;
        }
        if owner == Owner::Asking {
            self.provider.withdraw(uri.clone()).await?;
            book.forget(uri);
        }
        Ok(owner)
    }
}

/// Gives the provider again what it would forget although the pusher lives.
async fn repeat(provider: Provider, book: Arc<Mutex<PusherBook>>, changed: Arc<Notify>) {
    loop {
        let wake = book.lock().await.poll_timeout();
        let wake = wake.map_or(Duration::MAX, |wake| wake.saturating_duration_since(now()));
        // The time being over, or something being new, it looks again.
        let _ = tokio::time::timeout(wake, changed.notified()).await;
        loop {
            let mut book = book.lock().await;
            let due = book.due(now(), AT_ONCE);
            if due.is_empty() {
                break;
            }
            let pushes = due.into_iter().map(|repeat| {
                let (uri, status, time_to_live) = (repeat.uri, repeat.status, repeat.time_to_live);
                provider.push(Push { uri, status, time_to_live })
            });
            // The provider refuses only while it ends.
            let _ = join_all(pushes).await;
        }
    }
}
