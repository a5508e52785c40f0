//! The pool, in either dialect, and what goes wrong with it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use presence_simulator::{
    Dice, Faults, FrontEndHandle, FrontEndServer, FrontEndServerSettings, FrontEndSettings, Refusal, Scope, Simulator,
    SimulatorHandle, SimulatorSettings, Termination,
};

use crate::{DOMAIN, Dialect, Failure, Plan};

enum Server {
    Simple(SimulatorHandle),
    Skype(FrontEndHandle),
}

/// The pool of one run.
pub(crate) struct Pool {
    server: Server,
    agents: u64,
    told: RefCell<BTreeMap<&'static str, u32>>,
}

impl Pool {
    /// Starts it on a thread of its own; its agents change about once in five seconds.
    pub(crate) fn start(plan: &Plan) -> Result<Self, Failure> {
        let every = Some(Duration::from_secs(5));
        let server = match plan.dialect {
            Dialect::Simple => {
                let mut settings = SimulatorSettings::with_agents(plan.agents, DOMAIN);
                (settings.change_interval, settings.seed) = (every, plan.seed);
                Server::Simple(Simulator::start_on_own_thread(settings)?)
            }
            Dialect::Skype => {
                let any = SocketAddr::from(([127, 0, 0, 1], 0));
                let mut settings = FrontEndSettings::one_pool("pool.demo.example", any, plan.agents, DOMAIN);
                (settings.change_interval, settings.seed) = (every, plan.seed);
                let settings = FrontEndServerSettings::on_loopback(settings);
                Server::Skype(FrontEndServer::start_on_own_thread(settings)?)
            }
        };
        Ok(Self { server, agents: plan.agents as u64, told: RefCell::default() })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        match &self.server {
            Server::Simple(server) => server.address(),
            Server::Skype(server) => server.address(0),
        }
    }

    /// How many agents it holds a subscription for.
    pub(crate) fn subscriptions(&self) -> usize {
        match &self.server {
            Server::Simple(server) => server.active_subscriptions(),
            Server::Skype(server) => server.live_subscriptions(),
        }
    }

    /// Something goes wrong.
    pub(crate) fn fault(&self, dice: &mut Dice) {
        let what = match &self.server {
            Server::Simple(server) => simple(server, dice, self.agents),
            Server::Skype(server) => skype(server, dice, self.agents),
        };
        *self.told.borrow_mut().entry(what).or_default() += 1;
    }

    /// Nothing goes wrong any more.
    pub(crate) fn heal(&self) {
        match &self.server {
            Server::Simple(server) => server.heal(),
            Server::Skype(server) => drop(server.command("heal")),
        }
    }

    /// What has gone wrong, and how often.
    pub(crate) fn told(&self) -> String {
        let told: Vec<_> = self.told.borrow().iter().map(|(what, times)| format!("{what} {times}")).collect();
        told.join(", ")
    }
}

fn simple(server: &SimulatorHandle, dice: &mut Dice, agents: u64) -> &'static str {
    let who = format!("sip:agent{}@{DOMAIN}", dice.below(agents) + 1);
    match dice.below(8) {
        0 | 1 => {
            server.drop_connections();
            "connections dropped"
        }
        2 => {
            server.forget_dialogs();
            server.drop_connections();
            "dialogs forgotten and connections dropped"
        }
        3 => {
            server.faults(&Scope::Everyone, Faults::refusing(Refusal::with(503).times(50)));
            server.forget_dialogs();
            server.drop_connections();
            "503 for 50 requests after a loss"
        }
        4 => {
            server.terminate_all(&Termination::because("deactivated"));
            "all terminated"
        }
        5 => {
            (0..50).for_each(|_| {
                let who = format!("sip:agent{}@{DOMAIN}", dice.below(agents) + 1);
                server.terminate(&who, &Termination::because("timeout"));
            });
            "50 terminated"
        }
        6 => {
            server.faults(&Scope::Everyone, Faults { duplicate_notify: true, ..Faults::default() });
            "NOTIFYs doubled from now on"
        }
        _ => {
            server.heal();
            server.terminate(&who, &Termination::because("noresource"));
            "healed, one without resource"
        }
    }
}

fn skype(server: &FrontEndHandle, dice: &mut Dice, agents: u64) -> &'static str {
    let who = format!("sip:agent{}@{DOMAIN}", dice.below(agents) + 1);
    let (what, command) = match dice.below(9) {
        0 => ("connections killed", "kill-connections".to_owned()),
        1 => ("connections killed for 5 s", "kill-connections for 5s".to_owned()),
        2 => ("outage of 8 s", "outage 0 8s".to_owned()),
        3 => ("outage of 8 s, all forgotten", "outage 0 8s forget".to_owned()),
        4 => ("dialogs forgotten", "forget-dialogs".to_owned()),
        5 => ("503 for 20 requests", "refuse SUBSCRIBE 503 times 20".to_owned()),
        6 => ("broken documents", "malformed on".to_owned()),
        7 => ("one expired in silence", format!("expire-silently {who}")),
        _ => ("healed", "heal".to_owned()),
    };
    match server.command(&command) {
        Ok(_) => what,
        Err(error) => {
            crate::say(&format!("`{command}`: {error}"));
            "not understood"
        }
    }
}
