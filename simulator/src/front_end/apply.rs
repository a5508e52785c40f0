//! Orders carried out.

use std::time::{Duration, Instant};

use presence_core::AgentUri;

use super::FrontEnd;
use super::command::{Command, CommandError, EndpointEvent};
use super::directory::AgentIndex;
use super::documents::Instance;
use super::faults::SlowStart;

impl FrontEnd {
    /// Carries out an order, and says what came of it.
    ///
    /// # Errors
    /// When it names somebody or something that does not exist; nothing was changed then.
    pub fn apply(&mut self, now: Instant, command: &Command) -> Result<String, CommandError> {
        Ok(match command {
            Command::KillConnections { pool, refuse_for } => {
                pool.map_or(Ok(()), |pool| self.existing(pool))?;
                self.kill_connections(now, *pool, *refuse_for)
            }
            Command::Outage { pool, time, forget } => {
                self.existing(*pool)?;
                self.outage(now, *pool, *time, *forget)
            }
            Command::Deregister { endpoint, event, pool } => {
                pool.map_or(Ok(()), |pool| self.existing(pool))?;
                self.deregister(now, endpoint, *event, *pool)?
            }
            Command::UserServices { on } => self.user_services(now, *on),
            Command::Refuse(rule) => {
                self.faults.add(rule.clone());
                format!("from now on: {rule}")
            }
            Command::Quota { agent, full } => {
                let found = self.directory.with(agent, |found| found.full = *full);
                found.ok_or_else(|| nobody("agent", agent))?;
                format!("{} has {} room for watchers", agent.as_str(), if *full { "no" } else { "again" })
            }
            Command::Move { uri, pool } => {
                self.existing(*pool)?;
                self.relocate(now, uri.as_ref(), *pool)?
            }
            Command::Disable { uri } => self.disable(now, uri)?,
            Command::ExpireSilently { agents } => self.expire_silently(agents)?,
            Command::Mute { agents } => self.mute(agents)?,
            Command::Terminate { endpoint, resubscribe } => {
                let numbers = self.dialogs.which(|dialog| dialog.owner == *endpoint);
                for number in &numbers {
                    self.end_by_us(now, *number, *resubscribe);
                }
                format!("{} terminated", counted(numbers.len(), "dialog"))
            }
            Command::Malformed { on } => {
                self.faults.malformed = *on;
                format!("documents are {}", if *on { "malformed" } else { "well-formed" })
            }
            Command::Delay { time } => {
                self.faults.delay = *time;
                format!("everything leaves {} ms late", time.as_millis())
            }
            Command::Set { agent, state } => {
                if !self.set_presence(now, agent, *state) {
                    return Err(nobody("agent", agent));
                }
                format!("{} is {:?}", agent.as_str(), state.activity)
            }
            Command::SlowStart { from, to, time, retry_after } => {
                self.faults.slow_start = Some(SlowStart::new(now, *from, *to, *time, *retry_after));
                format!("{} per second, {to} in {} s", counted(*from as usize, "agent"), time.as_secs())
            }
            Command::ForgetDialogs => {
                let numbers = self.dialogs.which(|_| true);
                numbers.iter().for_each(|number| drop(self.drop_dialog(*number)));
                format!("{} forgotten", counted(numbers.len(), "dialog"))
            }
            Command::Heal => self.heal(now),
            Command::Count => self.summary(),
        })
    }

    fn existing(&self, pool: usize) -> Result<(), CommandError> {
        let last = self.pools.len().saturating_sub(1);
        if pool <= last { Ok(()) } else { Err(CommandError::Pool { pool, last }) }
    }

    fn kill_connections(&mut self, now: Instant, pool: Option<usize>, refuse_for: Duration) -> String {
        let closed = self.close_connections(pool);
        if !refuse_for.is_zero() {
            let all = 0..self.pools.len();
            for pool in all.filter(|one| pool.is_none_or(|pool| pool == *one)) {
                self.close_pool(now, pool, refuse_for);
            }
        }
        format!("{} closed", counted(closed, "connection"))
    }

    fn outage(&mut self, now: Instant, pool: usize, time: Duration, forget: bool) -> String {
        let closed = self.close_connections(Some(pool));
        self.close_pool(now, pool, time);
        if forget {
            for (owner, epid) in self.registrations.which(|one| one.pool == pool) {
                self.drop_endpoint(&owner, &epid, true);
            }
            for number in self.dialogs.which(|dialog| dialog.pool == pool) {
                self.drop_dialog(number);
            }
            self.answered.clear();
        }
        format!("pool {pool} is away for {} s; {} closed", time.as_secs(), counted(closed, "connection"))
    }

    fn deregister(
        &mut self,
        now: Instant,
        endpoint: &AgentUri,
        event: EndpointEvent,
        pool: Option<usize>,
    ) -> Result<String, CommandError> {
        let mut elsewhere = None;
        match event {
            EndpointEvent::Rejected => {
                self.directory.with_owner(endpoint, |owner| owner.disabled = true);
            }
            EndpointEvent::PreferredRegistrarChange => {
                let home = self.directory.owner(endpoint).map_or(0, |owner| owner.pool);
                let next = pool.unwrap_or((home + 1) % self.pools.len().max(1));
                self.directory.with_owner(endpoint, |owner| owner.pool = next);
                elsewhere = Some(next);
            }
            EndpointEvent::Unregistered | EndpointEvent::Deactivated | EndpointEvent::UserServicesUnavailable => {}
        }
        match self.tell_endpoints(now, Some(endpoint), Some(event), elsewhere) {
            0 => Err(nobody("registration of", endpoint)),
            told => Ok(format!("{} told {}", counted(told, "endpoint"), event.word())),
        }
    }

    fn user_services(&mut self, now: Instant, on: bool) -> String {
        self.faults.services_off = !on;
        let event = if on { None } else { Some(EndpointEvent::UserServicesUnavailable) };
        let told = self.tell_endpoints(now, None, event, None);
        format!("User Services are {}; {} told", if on { "on" } else { "off" }, counted(told, "endpoint"))
    }

    fn relocate(&mut self, now: Instant, uri: Option<&AgentUri>, pool: usize) -> Result<String, CommandError> {
        let mut moved = Vec::new();
        if let Some(uri) = uri {
            let agent = self.directory.with(uri, |agent| agent.pool = pool);
            let endpoints = self.registrations.which(|one| one.owner == *uri);
            // Whoever is an agent is not made an owner by the way.
            let owner =
                (agent.is_none() || !endpoints.is_empty()) && self.directory.with_owner(uri, |owner| owner.pool = pool);
            if agent.is_none() && !owner {
                return Err(nobody("agent or endpoint", uri));
            }
            moved.extend(agent);
            for (owner, epid) in endpoints {
                self.tell_endpoint(now, &owner, &epid, Some(EndpointEvent::Deactivated), None);
            }
        } else {
            for (number, agent) in self.directory.agents_mut().iter_mut().enumerate() {
                if agent.pool != pool {
                    agent.pool = pool;
                    moved.extend(AgentIndex::try_from(number));
                }
            }
        }
        let home = Instance::Resubscribe(Some(self.pool_uri(pool)));
        let told = self.expel(now, &moved, &home, Some(pool));
        Ok(format!("{} moved to pool {pool}; {} told", counted(moved.len(), "agent"), counted(told, "subscription")))
    }

    fn disable(&mut self, now: Instant, uri: &AgentUri) -> Result<String, CommandError> {
        let agent = self.directory.with(uri, |agent| agent.disabled = true);
        let endpoints = self.registrations.which(|one| one.owner == *uri);
        let owner =
            (agent.is_none() || !endpoints.is_empty()) && self.directory.with_owner(uri, |owner| owner.disabled = true);
        if agent.is_none() && !owner {
            return Err(nobody("agent or endpoint", uri));
        }
        for (owner, epid) in endpoints {
            self.tell_endpoint(now, &owner, &epid, Some(EndpointEvent::Rejected), None);
        }
        let refused = Instance::Terminated { reason: "rejected", status: 403, diagnostics: 2004 };
        self.expel(now, agent.as_slice(), &refused, None);
        Ok(format!("{} is disabled", uri.as_str()))
    }

    fn expire_silently(&mut self, agents: &[AgentUri]) -> Result<String, CommandError> {
        let mut numbers = Vec::new();
        for uri in agents {
            let found = self.directory.find(uri).and_then(|agent| self.directory.get(agent));
            numbers.extend_from_slice(&found.ok_or_else(|| nobody("agent", uri))?.watchers);
        }
        if agents.is_empty() {
            numbers = self.dialogs.which(|_| true);
        }
        numbers.sort_unstable();
        numbers.dedup();
        for number in &numbers {
            self.drop_dialog(*number);
        }
        Ok(format!("{} expired", counted(numbers.len(), "dialog")))
    }

    fn mute(&mut self, agents: &[AgentUri]) -> Result<String, CommandError> {
        let found = agents.iter().map(|uri| self.directory.find(uri).ok_or_else(|| nobody("agent", uri)));
        let found = found.collect::<Result<Vec<AgentIndex>, CommandError>>()?;
        let count = self.dialogs.mute(if agents.is_empty() { None } else { Some(&found) }, true);
        Ok(format!("{} told of no change any more", counted(count, "subscription")))
    }

    fn heal(&mut self, now: Instant) -> String {
        if self.faults.services_off {
            self.user_services(now, true);
        }
        self.faults = super::faults::Faults::default();
        self.directory.heal();
        self.dialogs.mute(None, false);
        for pool in 0..self.pools.len() {
            if let Some(Some(until)) = self.closed_until.get(pool).copied() {
                self.reopen(until, pool);
            }
        }
        "no fault is in force".into()
    }

    fn summary(&self) -> String {
        let counters = self.counters();
        format!(
            "registered {} dialogs {} (lists {}) live {} most for one agent {} asked {} most in a second {} \
             notifications {} refusals {} violations {}",
            counters.registered_now,
            counters.dialogs_now,
            counters.batch_dialogs_now,
            counters.live_now,
            counters.most_live_for_one_agent,
            counters.resources_asked,
            counters.most_resources_in_a_second,
            counters.notifications,
            counters.refusals,
            counters.violation_count,
        )
    }
}

/// "1 agent", "0 agents".
fn counted(count: usize, name: &str) -> String {
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

fn nobody(what: &str, uri: &AgentUri) -> CommandError {
    CommandError::Nobody(format!("{what} {}", uri.as_str()))
}
