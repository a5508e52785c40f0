//! The remote queues that a run leaves to the next one.

use std::sync::Arc;

use presence_core::{AgentUri, UccMemory};

use super::actor::Alter;
use super::registry::RemoteUccs;
use crate::http::is_ucc_name;

/// So many agents are read while nobody can write the feed, and subscribed in one order.
const AGENTS_AT_ONCE: usize = 4_096;

impl RemoteUccs {
    /// All queues and whom they want. Takes its time with many of them: not on the thread of the actors.
    #[must_use]
    pub fn remember(&self) -> Vec<UccMemory> {
        let memory = |ucc: &Arc<super::RemoteUcc>| {
            let mut agents: Vec<AgentUri> = Vec::new();
            loop {
                let next = ucc.feed().lock().agents_after(agents.last(), AGENTS_AT_ONCE);
                let is_last = next.len() < AGENTS_AT_ONCE;
                agents.extend(next);
                if is_last {
                    return UccMemory { name: Arc::clone(ucc.name()), agents };
                }
            }
        };
        self.list().iter().map(memory).collect()
    }

    /// Registers the queues of the previous run again, with what they wanted: their agents are asked for before they come
    /// back. Each is kept for the linger, like a queue that was heard of just now; its events begin anew, and a reader of the
    /// previous run is told that it has missed some.
    pub async fn restore(&self, uccs: Vec<UccMemory>) {
        for UccMemory { name, agents } in uccs {
            if !is_ucc_name(&name) {
                continue;
            }
            let ucc = match self.register(&name).await {
                Ok((ucc, _)) => ucc,
                Err(problem) => {
                    tracing::info!(logger = %name, why = ?problem.detail, "the queue of the previous run is not taken up again");
                    continue;
                }
            };
            for subscribe in agents.chunks(AGENTS_AT_ONCE) {
                let order = Alter { unsubscribe: Vec::new(), subscribe: subscribe.to_vec() };
                if ucc.alter(order).await.is_err() {
                    break;
                }
            }
        }
    }
}
