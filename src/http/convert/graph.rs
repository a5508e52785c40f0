//! From what the machine of Microsoft Graph shows to what goes over the API.

use presence_graph::{AccountKind, GraphAgentView, GraphCounters, PushState};

use super::moment;
use crate::http::model;

impl From<AccountKind> for model::GraphAccountKind {
    fn from(kind: AccountKind) -> Self {
        match kind {
            AccountKind::Application => Self::Application,
            AccountKind::Delegated => Self::Delegated,
        }
    }
}

impl From<PushState> for model::GraphPushState {
    fn from(state: PushState) -> Self {
        match state {
            PushState::Idle => Self::Idle,
            PushState::Subscribing => Self::Subscribing,
            PushState::Listening => Self::Listening,
            PushState::Deaf => Self::Deaf,
            PushState::BackingOff => Self::BackingOff,
            PushState::Contested => Self::Contested,
        }
    }
}

impl From<&GraphCounters> for model::GraphCounters {
    fn from(counters: &GraphCounters) -> Self {
        Self {
            presence_requests: counters.presence_requests,
            directory_requests: counters.directory_requests,
            token_requests: counters.token_requests,
            subscription_requests: counters.subscription_requests,
            failures: counters.failures,
            throttled: counters.throttled,
            presences: counters.presences,
            changes_polled: counters.changes_polled,
            changes_notified: counters.changes_notified,
            notices: counters.notices,
            notices_dropped: counters.notices_dropped,
            unasked: counters.unasked,
            unreadable: counters.unreadable,
            unknown_values: counters.unknown_values,
            overtaken: counters.overtaken,
        }
    }
}

impl From<&GraphAgentView> for model::GraphAgent {
    fn from(view: &GraphAgentView) -> Self {
        let text = |name: &std::sync::Arc<str>| name.as_ref().to_owned();
        Self {
            tenant: view.tenant.as_ref().map(text),
            object_id: view.object_id.map(|id| id.to_string()),
            account: view.account.as_ref().map(text),
            notified: view.notified,
            heard_at: view.heard_at.map(moment),
        }
    }
}
