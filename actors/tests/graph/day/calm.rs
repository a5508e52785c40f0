//! The calm after a storm: who is to be fresh by when, and whether what everybody believes is true.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use presence_actors::ProviderView;
use presence_core::{AgentUri, Freshness, SubscriptionState};
use presence_graph::{AccountState, GraphView, Secret};
use presence_simulator::GraphServiceSettings;

use super::{AGENTS, Day, SLOW_SWEEP, SWEEP, TIMEOUT, USERS, address, uri};
use crate::chance::ACCOUNTS;
use crate::support::{pass, seconds};
use crate::world::refresh_token;

/// The longest back-off of questions about users, and a sweep.
const LOOKUPS: Duration = Duration::from_secs(310);

impl Day {
    /// All faults end; everybody is fresh soon, and what everybody believes is true.
    pub(super) async fn calm(&mut self) {
        for command in ["heal", "limit 1500 30s", "retry-after fraction", "strangers drop-out", "token-lifetime 1h"] {
            self.command(command);
        }
        self.world.microsoft.cut_off(false);
        for user in std::mem::take(&mut self.removed) {
            self.command(&format!("restore {user}"));
        }
        for person in std::mem::take(&mut self.contested) {
            self.command(&format!("forget-subscriptions {person}"));
        }
        for (name, _) in ACCOUNTS {
            self.mend(name);
        }
        self.announced.healed(presence_actors::now());
        self.tell("calm".into());
        self.until_fresh().await;
        // A slow sweep and a little more: what was missed is found.
        pass(seconds(SLOW_SWEEP + SWEEP)).await;
        let (view, graph) = self.look().await;
        self.check(&view);
        // Names, in both tenants; those of users who failed once more for each time within the last day.
        assert!(graph.kept <= 8 * AGENTS, "{} entries are kept", graph.kept);
        self.tally.kept.push(graph.kept);
        self.blamed.retain(|uri| !view.agents().any(|agent| agent.uri == *uri && is_well(agent)));
        self.blamed.extend([uri(USERS[0]), uri(AGENTS - 1)]);
        self.overtaken.clear();
        for history in self.history.values_mut() {
            history.drain(..history.len() - 1);
        }
        self.world.provider.revive(None).await;
    }

    /// Somebody puts another secret in the place of what may have expired.
    fn mend(&mut self, name: &str) {
        self.secrets += 1;
        match name {
            "person1" | "person2" => {
                self.command(&format!("secret renewed {name}"));
                let first = if name == "person1" { "first-token" } else { "second-token" };
                self.world.secrets.set(name, Some(refresh_token(first)));
            }
            _ => {
                let secret = format!("secret-{}", self.secrets);
                self.command(&format!("secret renewed {name} {secret}"));
                let secret =
                    Secret::ClientSecret { client_id: GraphServiceSettings::CLIENT.to_owned(), secret: secret.into() };
                self.world.secrets.set(name, Some(secret));
            }
        }
    }

    /// Waits until everybody is fresh who is not blamed: one sweep after the back-off that is shown, and no longer.
    async fn until_fresh(&mut self) {
        let began = presence_actors::now();
        let mut extensions = 0;
        let mut until = began;
        loop {
            let (view, graph) = self.look().await;
            let now = presence_actors::now();
            let waiting: Vec<AgentUri> = view
                .agents()
                .filter(|agent| !is_well(agent) && !self.is_excused(&agent.uri))
                .map(|agent| agent.uri.clone())
                .collect();
            if waiting.is_empty() {
                self.tally.longest = self.tally.longest.max(now - began);
                self.tell(format!("all are well after {:?}", now - began));
                return;
            }
            let mut by = by_when(began, &graph);
            if graph.tenants.iter().any(|tenant| tenant.looking_up > 0) {
                by = by.max(began + LOOKUPS);
            }
            if by > until {
                (until, extensions) = (by, extensions + 1);
                assert!(extensions <= 6, "it is put off for ever: {graph:#?}");
            }
            let first = view.agents().find(|agent| agent.uri == waiting[0]);
            assert!(now <= until, "{} wait after {:?}: {first:?}\n{graph:#?}", waiting.len(), now - began);
            pass(seconds(2)).await;
        }
    }

    /// Who failed for a reason of their own, or of whom Microsoft knows nothing: what was known before is held for two sweeps.
    fn is_excused(&self, uri: &AgentUri) -> bool {
        self.blamed.contains(uri) || self.history[uri].last().is_some_and(|(_, known)| known.is_none())
    }

    fn check(&mut self, view: &ProviderView) {
        let now = presence_actors::now();
        let wanted: BTreeSet<usize> = self.queues.iter().flat_map(|queue| &queue.wanted).copied().collect();
        assert_eq!(view.agents().count(), wanted.len(), "agents that are known");
        let failing: BTreeSet<AgentUri> =
            view.agents().filter(|agent| !is_well(agent)).map(|agent| agent.uri.clone()).collect();
        assert!(failing.iter().all(|uri| self.is_excused(uri)), "{failing:?}");
        for (number, queue) in self.queues.iter().enumerate() {
            for who in queue.wanted.iter().filter(|who| !failing.contains(&uri(**who))) {
                let believed = queue.ledger.presence(&uri(*who));
                let (since, truth) = self.history[&uri(*who)].last().unwrap();
                let value = i64::from(believed.status.availability.value());
                let context =
                    || format!("{} at ucc{number}: {:?}", uri(*who), self.world.microsoft.presence_of(&address(*who)));
                assert_eq!(believed.freshness, Freshness::Fresh, "{}", context());
                let unknown = presence_core::Status::unknown();
                match truth {
                    Some(truth) => assert_eq!(value, *truth, "{}", context()),
                    // The value before is held for two sweeps, which may be slow ones.
                    None if now - *since < seconds(3 * SLOW_SWEEP + SWEEP) => {}
                    None => assert_eq!(believed.status.availability, unknown.availability, "{}", context()),
                }
            }
        }
    }
}

fn is_well(agent: &presence_actors::AgentView) -> bool {
    agent.presence.freshness == Freshness::Fresh
        && agent.subscription.as_ref().is_some_and(|it| it.state == SubscriptionState::Active && it.failures == 0)
}

/// By when everybody is to be fresh: one sweep after the first account of each tenant can ask again.
fn by_when(began: Instant, graph: &GraphView) -> Instant {
    let of_account = |account: &presence_graph::AccountView| match &account.state {
        AccountState::Failed { retry_at, .. } => *retry_at,
        AccountState::Working | AccountState::Starting => began,
    };
    let of_tenant = |tenant: &presence_graph::TenantView| tenant.accounts.iter().map(of_account).min();
    let last = graph.tenants.iter().filter_map(of_tenant).max().unwrap_or(began);
    last.max(began) + TIMEOUT + seconds(SWEEP + 5)
}
