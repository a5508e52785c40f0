use std::sync::Arc;
use std::time::Duration;

use presence_core::{AgentUri, Availability, EndpointKind, Presence, SourceKind, Status};

use super::super::why::why;
use super::*;

/// A user of tenant contoso, asked for and answered.
struct Case {
    subscription: SubscriptionView,
    presence: Presence,
    graph: GraphAgentView,
    tenant: TenantView,
}

impl Case {
    fn of(state: SubscriptionState) -> Self {
        let now = presence_actors::now();
        let via = Some(EndpointKind::Application);
        let mut presence = Presence::unknown(now, SourceKind::MsGraph);
        (presence.status, presence.freshness) = (Status::of(Availability::BUSY), Freshness::Fresh);
        Self {
            subscription: SubscriptionView {
                state,
                via,
                failures: 0,
                next_retry: None,
                last_failure: None,
                expires_at: None,
            },
            presence,
            graph: GraphAgentView {
                tenant: Some("contoso".into()),
                object_id: Some(presence_graph::ObjectId::new([7; 16])),
                account: Some("contoso-poll".into()),
                notified: false,
                heard_at: now.checked_sub(Duration::from_secs(2)),
            },
            tenant: TenantView {
                id: "contoso".into(),
                up: true,
                last_failure: None,
                retry_at: None,
                agents: 8,
                looking_up: 0,
                batches: 1,
                sweep: Duration::from_secs(5),
                swept_at: None,
                accounts: Vec::new(),
            },
        }
    }

    fn freshness(mut self, freshness: Freshness) -> Self {
        self.presence.freshness = freshness;
        self
    }

    fn failed(mut self, failures: u32, failure: Failure) -> Self {
        let again = presence_actors::now() + Duration::from_millis(899_990);
        (self.subscription.failures, self.subscription.last_failure) = (failures, Some(failure));
        self.subscription.next_retry = Some(again);
        self
    }

    fn down(mut self) -> Self {
        let expired = Failure::answered(FailureKind::Endpoint, 401, "AADSTS7000222: the client secret has expired");
        (self.tenant.up, self.tenant.last_failure) = (false, Some(expired));
        self.tenant.retry_at = Some(presence_actors::now() + Duration::from_millis(41_990));
        self
    }

    fn not_looked_up(mut self) -> Self {
        (self.graph.object_id, self.graph.heard_at) = (None, None);
        self.freshness(Freshness::Unknown)
    }

    fn said(&self) -> String {
        let agent = AgentView {
            uri: AgentUri::parse("sip:anna@contoso.example").expect("valid"),
            presence: Arc::new(self.presence.clone()),
            sequence: 3,
            subscription: Some(self.subscription.clone()),
            watchers: Vec::new(),
            graph: Some(self.graph.clone()),
            quarantined_until: None,
        };
        let tenants = [self.tenant.clone()];
        why(
            &agent,
            &Circumstances {
                now: presence_actors::now(),
                failed_via: Some(EndpointKind::Application),
                up: &[],
                queue: (0, None),
                clock: &|_| "14:05:49".to_owned(),
                tenants: &tenants,
            },
        )
    }
}

#[test]
fn what_is_asked_for_says_how_often_and_by_whom() {
    let mut case = Case::of(SubscriptionState::Active);
    let polled = "Microsoft Graph says so since 14:05:49: a user of tenant contoso. It is asked for every 5 s by account \
                  contoso-poll.";
    assert_eq!(case.said(), polled);
    case.graph.notified = true;
    assert!(
        case.said()
            .contains("Microsoft notifies its changes, and it is asked for now and then by account contoso-poll.")
    );
    case.presence.status = Status::unknown();
    assert!(case.said().starts_with("Microsoft itself does not know its presence since 14:05:49 (PresenceUnknown)"));
}

#[test]
fn an_outage_of_its_tenant_is_the_tenants_and_says_when_it_goes_on() {
    let case = Case::of(SubscriptionState::Active).freshness(Freshness::Stale).down();
    let said = "Its tenant contoso cannot be asked: Microsoft said `401 AADSTS7000222: the client secret has expired`; next \
                attempt in 42 s at 14:05:49. It was last answered 3 s ago at 14:05:49. Queues see its last value, from \
                14:05:49, as stale.";
    assert_eq!(case.said(), said);
    let case = Case::of(SubscriptionState::Active).not_looked_up().down();
    let said = "It cannot be looked up: tenant contoso cannot be asked: Microsoft said `401 AADSTS7000222: the client \
                secret has expired`; next attempt in 42 s at 14:05:49. Queues see it as unknown.";
    assert_eq!(case.said(), said);
}

#[test]
fn everything_that_can_be_in_between_has_its_sentence() {
    let mut nowhere = Case::of(SubscriptionState::Active).not_looked_up();
    assert_eq!(nowhere.said(), "Its user is being looked up in tenant contoso. Queues see it as unknown.");
    nowhere.graph.tenant = None;
    assert_eq!(nowhere.said(), "Its user is being looked up. Queues see it as unknown.");
    let new = Case::of(SubscriptionState::Active).freshness(Freshness::Unknown).said();
    let said = "A user of tenant contoso who is being asked for, and of whom nothing has been told yet. Queues see it as \
                unknown.";
    assert_eq!(new, said);
    let silent = Case::of(SubscriptionState::Active).freshness(Freshness::Stale).said();
    assert!(silent.starts_with("A user of tenant contoso, of whom there has been no answer for too long."), "{silent}");
    let queued = Case::of(SubscriptionState::AwaitingToken).freshness(Freshness::Unknown).said();
    assert_eq!(queued, "Waits for its turn to be asked for (AgentsPerSecond). Queues see it as unknown.");
}

#[test]
fn a_failure_of_its_own_is_told_and_when_it_is_looked_up_again() {
    let failed = |kind, by, text: &str| {
        let failure = Failure::new(kind, by, text.to_owned());
        Case::of(SubscriptionState::BackingOff).freshness(Freshness::Unknown).failed(2, failure).said()
    };
    assert_eq!(
        failed(FailureKind::NotFound, EndedBy::Us, "no user has this address"),
        "Not known in any tenant: no user has this address; it is looked up again in 15 min at 14:05:49 (after 2 failures). \
         Queues see it as unknown."
    );
    assert_eq!(
        failed(FailureKind::Transient, EndedBy::Us, "ambiguous: 2 users have this address"),
        "Backing off after 2 failures: ambiguous: 2 users have this address; next attempt in 15 min at 14:05:49. Queues see \
         it as unknown."
    );
    let failure = Failure::answered(FailureKind::NotFound, 404, "Request_ResourceNotFound");
    let given_up = Case::of(SubscriptionState::Abandoned).freshness(Freshness::Unknown).failed(4, failure).said();
    assert_eq!(
        given_up,
        "Given up after 4 failures: Microsoft said `404 Request_ResourceNotFound`; it is not tried again until it is \
         revived or the service is started anew. Queues see it as unknown."
    );
}

#[test]
fn a_teams_agent_is_never_told_of_an_endpoint_of_the_pool() {
    let states = [
        SubscriptionState::Idle,
        SubscriptionState::WaitingForEndpoint,
        SubscriptionState::AwaitingToken,
        SubscriptionState::Subscribing,
        SubscriptionState::Active,
        SubscriptionState::BackingOff,
        SubscriptionState::Abandoned,
        SubscriptionState::Withdrawing,
        SubscriptionState::Releasing,
        SubscriptionState::Unsubscribing,
    ];
    for state in states {
        for freshness in [Freshness::Fresh, Freshness::Stale, Freshness::Unknown] {
            let failure = Failure::new(FailureKind::Transient, EndedBy::Network, "connection reset");
            let said = Case::of(state).freshness(freshness).failed(1, failure).said();
            assert!(!said.contains("endpoint") && !said.contains("pool"), "{state:?}: {said}");
        }
    }
}
