//! What a script means: the settings of a front end, the orders at the start, and the steps.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use presence_core::AgentUri;
use presence_simulator::{
    Command, CommandError, FrontEndServerSettings, FrontEndSettings, FrontEndTls, Homed, Pem, PoolSettings, Switches,
};
use presence_sip::TransportKind;
use toml::Spanned;

use super::mistake::Mistake;
use super::schedule::Step;
use super::script::{AgentsTable, PoolTable, Script, TlsTable, Wire};

/// The SIP domain of what is not named; reserved for examples (RFC 2606).
pub(super) const DOMAIN: &str = "demo.example";
/// How many agents there are when nobody says.
const AGENTS: u32 = 100;
/// How long an agent stays in a state when nobody says.
const CHANGE_EVERY: Duration = Duration::from_secs(60);
/// Where the control port listens when nobody says and it is free.
const CONTROL_PORT: u16 = 5066;
/// A script may not make more agents than these.
const MOST_AGENTS: usize = 1_000_000;
/// An order comes again after this at the earliest.
const SHORTEST_EVERY: Duration = Duration::from_millis(100);

/// What a table of agents must have.
const EITHER: &str = "write either `count = 100` (with `pattern = \"sip:agent{}@demo.example\"` and `first = 1` where that \
    matters) or `uris = [\"sip:user@domain\"]`";

/// What the command line says, over the script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Overrides {
    /// `--listen`: where the first pool listens.
    pub(super) listen: Option<SocketAddr>,
    /// `--control`.
    pub(super) control: Option<SocketAddr>,
    /// `--seed`.
    pub(super) seed: Option<u64>,
    /// `--agents`: so many, instead of those of the script.
    pub(super) agents: Option<u32>,
    /// `--make-certificates`: TLS, whatever the script says.
    pub(super) tls: Option<FrontEndTls>,
}

/// A simulation that can be started.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The domain.
    pub(super) domain: String,
    /// The front end.
    pub(super) server: FrontEndServerSettings,
    /// For each pool: another free port will do when the one in the settings is taken.
    pub(super) any_port: Vec<bool>,
    /// The same for the control port.
    pub(super) any_control_port: bool,
    /// What is ordered before anything else.
    pub(super) first: Vec<Command>,
    /// What is ordered later.
    pub(super) steps: Vec<Step>,
}

impl Plan {
    /// Reads a script; `folder` is where its certificates are looked for.
    pub(super) fn read(text: &str, folder: &Path, overrides: &Overrides) -> Result<Self, Mistake> {
        let script: Script = toml::from_str(text)?;
        Self::of(&script, folder, overrides)
    }

    fn of(script: &Script, folder: &Path, overrides: &Overrides) -> Result<Self, Mistake> {
        let domain = script.domain.clone().unwrap_or_else(|| DOMAIN.to_owned());
        let tls = match (&overrides.tls, script.transport.unwrap_or_default(), &script.tls) {
            (Some(tls), ..) => Some(tls.clone()),
            (None, Wire::Tcp, _) => None,
            (None, Wire::Tls, Some(table)) => Some(certificates(table, folder)),
            (None, Wire::Tls, None) => return Err(no_certificates()),
        };
        let (wire, port) = if tls.is_some() { (TransportKind::Tls, 5061) } else { (TransportKind::Tcp, 5060) };
        let mut pools = Pools::of(script, &domain, port)?;
        if let Some(listen) = overrides.listen {
            pools.listen[0] = listen;
            pools.any_port[0] = false;
        }
        let mut crowd = Crowd::default();
        match overrides.agents {
            Some(count) => crowd.numbered(count, 1, None, &domain, 0).map_err(nowhere)?,
            None if script.agents.is_empty() => crowd.numbered(AGENTS, 1, None, &domain, 0).map_err(nowhere)?,
            None => {}
        }
        if overrides.agents.is_none() {
            for table in &script.agents {
                crowd.add(table, &pools, &domain)?;
            }
        }
        let mut endpoints = Vec::new();
        for table in &script.endpoint {
            endpoints.push(Homed { uri: table.uri.0.clone(), pool: pools.number(table.pool.as_ref())? });
        }
        // Names of pools that only the script knows resolve nowhere; a script can ask for them all the same.
        let switches =
            Switches { contacts_by_address: true, legacy: crowd.legacy, strange: crowd.strange, ..Switches::default() };
        let settings = FrontEndSettings {
            seed: overrides.seed.or(script.seed).unwrap_or(1),
            pools: pools.settings,
            wire,
            agents: crowd.agents,
            endpoints,
            change_interval: script.change_every.as_ref().map_or(Some(CHANGE_EVERY), |every| every.0),
            switches: script.switches.over(switches),
        };
        let (control, any_control_port) = match (overrides.control, &script.control) {
            (Some(control), _) => (Some(control), false),
            (None, Some(control)) => (control.0, false),
            (None, None) => (Some(loopback(CONTROL_PORT)), true),
        };
        let steps = steps(script, pools.listen.len())?;
        let server = FrontEndServerSettings { settings, listen: pools.listen, tls, control, events: None };
        Ok(Self { domain, server, any_port: pools.any_port, any_control_port, first: crowd.first, steps })
    }
}

/// The mistakes of the command line stand nowhere in the script.
fn nowhere(message: String) -> Mistake {
    Mistake { message, span: None }
}

fn no_certificates() -> Mistake {
    nowhere(
        "`transport = \"tls\"` needs certificates: write a table [tls] with certificate, private_key and \
         trusted_certificates, or start with --make-certificates DIR"
            .to_owned(),
    )
}

/// TLS without certificates, for asking what they must name.
pub(super) fn no_tls_yet() -> FrontEndTls {
    let nothing = || Pem::Text(Vec::new());
    FrontEndTls {
        certificate: nothing(),
        key: nothing(),
        trusted: nothing(),
        client_auth: true,
        application_name: None,
    }
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

fn certificates(table: &TlsTable, folder: &Path) -> FrontEndTls {
    FrontEndTls {
        certificate: Pem::File(folder.join(&table.certificate)),
        key: Pem::File(folder.join(&table.private_key)),
        trusted: Pem::File(folder.join(&table.trusted_certificates)),
        client_auth: table.client_certificate,
        application_name: table.application_name.clone(),
    }
}

fn steps(script: &Script, pools: usize) -> Result<Vec<Step>, Mistake> {
    let step = |table: &super::script::StepTable| {
        let every = match &table.every {
            Some(every) if every.get_ref().0 < SHORTEST_EVERY => {
                return Err(Mistake::at(
                    every.span(),
                    "an order comes again after 100ms at the earliest; write \"100ms\" or more",
                ));
            }
            every => every.as_ref().map(|every| every.get_ref().0),
        };
        let command = table.order.get_ref().0.clone();
        if let Some(pool) = command.pool().filter(|pool| *pool >= pools) {
            let message =
                format!("there is no pool {pool}; they are counted from 0, and the last one is {}", pools - 1);
            return Err(Mistake::at(table.order.span(), message));
        }
        Ok(Step { after: table.time.0, every, command })
    };
    script.at.iter().map(step).collect()
}

/// The pools, by number.
struct Pools {
    settings: Vec<PoolSettings>,
    listen: Vec<SocketAddr>,
    any_port: Vec<bool>,
}

impl Pools {
    fn of(script: &Script, domain: &str, port: u16) -> Result<Self, Mistake> {
        let mut pools = Self { settings: Vec::new(), listen: Vec::new(), any_port: Vec::new() };
        if script.pool.is_empty() {
            pools.add(format!("pool01.{domain}"), None, port);
        }
        for (number, PoolTable { fqdn, listen }) in script.pool.iter().enumerate() {
            let name = fqdn.get_ref();
            let sane = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if !name.split('.').all(sane) {
                return Err(Mistake::at(fqdn.span(), format!("`{name}` is no host name; write \"pool01.{domain}\"")));
            }
            if pools.settings.iter().any(|pool| pool.fqdn.eq_ignore_ascii_case(name)) {
                return Err(Mistake::at(
                    fqdn.span(),
                    format!("there is a pool `{name}` already; give it another name"),
                ));
            }
            let step = u16::try_from(number).unwrap_or(u16::MAX).saturating_mul(10);
            pools.add(name.clone(), listen.as_ref().map(|address| address.0), port.saturating_add(step));
        }
        Ok(pools)
    }

    fn add(&mut self, fqdn: String, listen: Option<SocketAddr>, port: u16) {
        let address = listen.unwrap_or(loopback(port));
        self.settings.push(PoolSettings { fqdn, address });
        self.listen.push(address);
        self.any_port.push(listen.is_none());
    }

    /// The number of the pool with this name; without a name the first.
    fn number(&self, name: Option<&Spanned<String>>) -> Result<usize, Mistake> {
        let Some(name) = name else { return Ok(0) };
        let found = self.settings.iter().position(|pool| pool.fqdn.eq_ignore_ascii_case(name.get_ref()));
        found.ok_or_else(|| {
            let known: Vec<_> = self.settings.iter().map(|pool| format!("\"{}\"", pool.fqdn)).collect();
            let message = format!("there is no [[pool]] `{}`; write {}", name.get_ref(), known.join(" or "));
            Mistake::at(name.span(), message)
        })
    }
}

/// The agents, and what holds for some of them.
#[derive(Default)]
struct Crowd {
    agents: Vec<Homed>,
    legacy: Vec<AgentUri>,
    strange: Vec<(AgentUri, String)>,
    first: Vec<Command>,
    known: BTreeSet<AgentUri>,
}

impl Crowd {
    /// Adds the agents of one table.
    fn add(&mut self, table: &Spanned<AgentsTable>, pools: &Pools, domain: &str) -> Result<(), Mistake> {
        let here = |message: String| Mistake::at(table.span(), message);
        let table = table.get_ref();
        let pool = pools.number(table.pool.as_ref())?;
        let begin = self.agents.len();
        match (table.count, table.uris.is_empty()) {
            (Some(count), true) => {
                let pattern = table.pattern.as_deref();
                self.numbered(count, table.first.unwrap_or(1), pattern, domain, pool).map_err(here)?;
            }
            (None, false) if table.pattern.is_none() && table.first.is_none() => {
                self.agents.extend(table.uris.iter().map(|uri| Homed { uri: uri.0.clone(), pool }));
            }
            _ => return Err(here(EITHER.to_owned())),
        }
        let added = self.agents.get(begin..).unwrap_or_default().iter().map(|agent| agent.uri.clone());
        for uri in added.collect::<Vec<_>>() {
            if !self.known.insert(uri.clone()) {
                return Err(here(format!("{uri} is there already; with `count`, write another `first` or `pattern`")));
            }
            if let Some(state) = &table.state {
                let set: Command =
                    format!("set {uri} {state}").parse().map_err(|why: CommandError| here(why.to_string()))?;
                self.first.push(set);
            }
            if table.quota_full {
                self.first.push(Command::Quota { agent: uri.clone(), full: true });
            }
            if let Some(state) = &table.strange {
                self.strange.push((uri.clone(), state.clone()));
            }
            if table.legacy {
                self.legacy.push(uri);
            }
        }
        Ok(())
    }

    fn numbered(
        &mut self,
        count: u32,
        first: u32,
        pattern: Option<&str>,
        domain: &str,
        pool: usize,
    ) -> Result<(), String> {
        let pattern = pattern.map_or_else(|| format!("sip:agent{{}}@{domain}"), str::to_owned);
        if !pattern.contains("{}") {
            return Err(format!("the pattern `{pattern}` has no place for the number; write {{}} where it belongs"));
        }
        if self.agents.len() + usize::try_from(count).unwrap_or(usize::MAX) > MOST_AGENTS {
            return Err(format!("more than {MOST_AGENTS} agents; make the count smaller"));
        }
        for number in 0..count {
            let text = pattern.replace("{}", &(u64::from(first) + u64::from(number)).to_string());
            let uri = AgentUri::parse(&text).map_err(|why| format!("`{text}` is no agent URI: {why}"))?;
            self.agents.push(Homed { uri, pool });
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
