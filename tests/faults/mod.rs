//! The real program, a server, and the fault proxy between them; and what has to be so when the faults are over.
#![allow(dead_code, reason = "every test binary uses its part of it")]

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};

use presence_simulator::{
    Activity, AgentState, Dice, FaultProxy, FaultProxyHandle, FaultProxySettings, FaultRule, FrontEndHandle,
    FrontEndServer, FrontEndServerSettings, FrontEndSettings, NetworkFault, SimulatorHandle, Way,
};

use crate::process::http::Client;
use crate::process::{Config, DOMAIN, Service, eventually, queue, server};

/// What agents do in these tests, and what that is on the scale.
const DOINGS: [(Activity, i64); 4] =
    [(Activity::Available, 3_500), (Activity::Busy, 6_500), (Activity::DoNotDisturb, 9_500), (Activity::Away, 15_500)];

/// The provider's settings: a retry after a second, and a rate that lets nobody wait.
const PROVIDER: &str = r#"MaxPresenceSubscriptionsPerSecond="200""#;

/// The faults that can lose an answer.
const LOSSES: [&str; 6] = ["drop", "reset", "silence", "truncate", "close after", "half open"];

/// The URI of an agent, from 1.
pub(crate) fn agent(number: usize) -> String {
    format!("sip:agent{number}@{DOMAIN}")
}

/// A server whose agents can be moved and whose subscriptions can be counted.
pub(crate) trait Server {
    fn set(&self, number: usize, activity: Activity);
    fn activity(&self, number: usize) -> Activity;
    /// How many subscriptions it has for an agent that can be told of a change.
    fn live(&self, number: usize) -> usize;
    /// How many it has in all, those included whose answer was lost with its connection, so that nobody could end them.
    fn in_all(&self) -> usize;
    /// What a client may not do and did.
    fn violations(&self) -> Vec<String>;
}

impl Server for SimulatorHandle {
    fn set(&self, number: usize, activity: Activity) {
        assert!(self.set_presence(&agent(number), AgentState::of(activity)));
    }

    fn activity(&self, number: usize) -> Activity {
        self.presence(&agent(number)).unwrap().activity
    }

    fn live(&self, number: usize) -> usize {
        self.deliverable_subscriptions().get(&agent(number)).copied().unwrap_or(0)
    }

    fn in_all(&self) -> usize {
        self.active_subscriptions()
    }

    fn violations(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Server for FrontEndHandle {
    fn set(&self, number: usize, activity: Activity) {
        assert!(self.set_presence(&agent(number), AgentState::of(activity)));
    }

    fn activity(&self, number: usize) -> Activity {
        self.presence(&agent(number)).unwrap().activity
    }

    fn live(&self, number: usize) -> usize {
        self.subscriptions_of(&agent(number)).len()
    }

    fn in_all(&self) -> usize {
        self.live_subscriptions()
    }

    fn violations(&self) -> Vec<String> {
        self.counters().violations
    }
}

/// Waits for what takes as long as a message that nobody answers (32 s), and what comes after it: two minutes.
pub(crate) fn patiently(condition: impl Fn() -> bool) -> bool {
    (0..4).any(|_| eventually(&condition))
}

/// A proxy in front of a server.
pub(crate) fn proxy(server: SocketAddr, client_listener: Option<SocketAddr>, seed: u64) -> FaultProxyHandle {
    FaultProxy::start_on_own_thread(FaultProxySettings { seed, server, client_listener }).unwrap()
}

/// The program, its server and the network between them.
pub(crate) struct Stage {
    pub(crate) proxy: FaultProxyHandle,
    pub(crate) server: Box<dyn Server>,
    pub(crate) service: Service,
    agents: usize,
    client: Client,
    _config: Config,
}

impl Stage {
    /// At the simulated presence server, in the dialect `simple`, over `tcp` or `udp`.
    pub(crate) fn simple(agents: usize, transport: &str, rules: Vec<FaultRule>, seed: u64) -> Self {
        let server = server(agents);
        let proxy = proxy(server.address(), None, seed);
        let pool = crate::process::pool(proxy.address(), transport);
        Self::start(agents, Box::new(server), proxy, &pool, rules)
    }

    /// At the simulated Skype for Business front end, whose changes come over its own connections, or over ours.
    pub(crate) fn skype(agents: usize, own_connections: bool, rules: Vec<FaultRule>, seed: u64) -> Self {
        let mut settings =
            FrontEndSettings::one_pool("pool.demo.example", SocketAddr::from(([127, 0, 0, 1], 0)), agents, DOMAIN);
        settings.switches.contacts_by_address = true;
        settings.switches.own_connections = own_connections;
        let server = FrontEndServer::start_on_own_thread(FrontEndServerSettings::on_loopback(settings)).unwrap();
        let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let proxy = proxy(server.address(0), Some(listen), seed);
        let address = proxy.address();
        let pool = format!(r#"Address="{address}" Transport="tcp" Dialect="skype" Listen="{listen}""#);
        Self::start(agents, Box::new(server), proxy, &pool, rules)
    }

    fn start(
        agents: usize,
        server: Box<dyn Server>,
        proxy: FaultProxyHandle,
        pool: &str,
        rules: Vec<FaultRule>,
    ) -> Self {
        let numbers: Vec<_> = (1..=agents).collect();
        let http = r#"<Http Listen="127.0.0.1:0" />"#;
        let text = Config::text_with_http(http, PROVIDER, "", pool, &queue("ucc_app01", &numbers))
            .replace(r#"ResubscribeDelay="60""#, r#"ResubscribeDelay="1""#);
        let config = Config::of(&text);
        rules.into_iter().for_each(|rule| proxy.add(rule));
        let service = config.run(&["--log-level", "debug"]);
        let said = service.says("the API and the dashboard are at ");
        let client = Client::new(said.rsplit(' ').next().unwrap().trim_end_matches('/'), None);
        Self { proxy, server, service, agents, client, _config: config }
    }

    /// One agent by chance does one thing by chance.
    pub(crate) fn move_one(&self, dice: &mut Dice) {
        let below = |dice: &mut Dice, sides: usize| usize::try_from(dice.below(sides as u64)).unwrap();
        let number = 1 + below(dice, self.agents);
        self.server.set(number, DOINGS[below(dice, DOINGS.len())].0);
    }

    /// Everybody does something else than before.
    pub(crate) fn move_all(&self) {
        for number in 1..=self.agents {
            let at = DOINGS.iter().position(|(doing, _)| *doing == self.server.activity(number)).unwrap();
            self.server.set(number, DOINGS[(at + 1) % DOINGS.len()].0);
        }
    }

    /// What is not as it should be, if anything.
    pub(crate) fn complaint(&self) -> Option<String> {
        let unequal = |number: usize| {
            let live = self.server.live(number);
            (live != 1).then(|| format!("the server has {live} subscriptions of {}", agent(number)))
        };
        self.untold().or_else(|| (1..=self.agents).find_map(unequal))
    }

    /// Who is not known as he is at the server, if anybody.
    pub(crate) fn untold(&self) -> Option<String> {
        let page = self.client.get(&format!("/api/v1/agents?limit={}", self.agents)).json;
        let shown: BTreeMap<_, _> = page["agents"]
            .as_array()?
            .iter()
            .map(|agent| (agent["uri"].as_str().unwrap_or_default().to_owned(), agent))
            .collect();
        (1..=self.agents).find_map(|number| {
            let (uri, doing) = (agent(number), self.server.activity(number));
            let expected = DOINGS.iter().find(|(activity, _)| *activity == doing)?.1;
            let Some(agent) = shown.get(&uri) else { return Some(format!("{uri} is not shown: {page}")) };
            let presence = &agent["presence"];
            let so = agent["state"] == "active"
                && presence["freshness"] == "fresh"
                && presence["availability"]["value"] == expected;
            (!so).then(|| format!("{uri} should be {expected}: {agent}"))
        })
    }

    /// Everyone is fresh and has the server's value.
    #[track_caller]
    pub(crate) fn until_told(&self, after: &str) {
        let told = patiently(|| self.untold().is_none());
        let (untold, lines) = (self.untold(), self.service.lines());
        assert!(told, "after {after}: {untold:?}\n{:?}\n{}", self.proxy.counters(), last(&lines, 60));
    }

    /// Everyone is fresh, has the server's value, and exactly one subscription at the server.
    #[track_caller]
    pub(crate) fn until_well(&self, after: &str) {
        let well = patiently(|| self.complaint().is_none());
        let (complaint, lines) = (self.complaint(), self.service.lines());
        assert!(well, "after {after}: {complaint:?}\n{:?}\n{}", self.proxy.counters(), last(&lines, 60));
    }

    /// The faults are over: everyone is as it should be, also when every agent has moved once more, which shows the
    /// server the dialogs that nobody knows any more; and the program lives and ends in good order.
    #[track_caller]
    pub(crate) fn ends_well(self, after: &str) {
        self.proxy.heal();
        let there = patiently(|| (1..=self.agents).all(|number| self.server.live(number) > 0));
        assert!(there, "after {after}: not everyone is subscribed\n{}", last(&self.service.lines(), 60));
        self.move_all();
        self.until_well(after);
        let Self { server, service, proxy, agents, .. } = self;
        let nobodys = server.in_all().saturating_sub(agents);
        let ended = service.terminate();
        assert_eq!(ended.code, Some(0), "after {after}: {}", ended.all());
        let bad: Vec<_> = ended.with(" ERROR ").chain(ended.with("abandoned")).chain(ended.with("panicked")).collect();
        assert_eq!(bad, Vec::<&str>::new(), "after {after}");
        assert!(eventually(|| server.in_all() <= nobodys), "after {after}: {} subscriptions are left", server.in_all());
        // A list whose answer was lost has no name by which it could be ended: the next one replaces it.
        let answers_lost = LOSSES.iter().any(|name| proxy.counters().done(name) > 0);
        let mut violations = server.violations();
        violations.retain(|violation| !(answers_lost && violation.contains("a second list of")));
        assert_eq!(violations, Vec::<String>::new(), "after {after}");
    }
}

/// The last lines.
fn last(lines: &[String], count: usize) -> String {
    let lines: Vec<_> = lines.iter().map(String::as_str).filter(|line| !line.contains(" Http ")).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// Every kind of fault that needs no repair, each for some of the messages of both directions.
pub(crate) fn mishaps() -> Vec<FaultRule> {
    use std::time::Duration;
    let delay = NetworkFault::Delay { least: Duration::ZERO, most: Duration::from_millis(40) };
    let trickle = NetworkFault::Trickle { pause: Duration::from_micros(200) };
    let faults = [delay, NetworkFault::Duplicate, NetworkFault::Reorder, NetworkFault::Split, trickle];
    faults.into_iter().map(|fault| FaultRule::new(fault).chance(1, 8)).collect()
}

/// What breaks a connection when this message comes along that way.
pub(crate) fn breaks(method: &str, ways: &[Way]) -> Vec<FaultRule> {
    let faults = [NetworkFault::Reset, NetworkFault::Truncate, NetworkFault::CloseAfter { bytes: 1_000 }];
    let rule = |fault, way: &Way| FaultRule::new(fault).way(*way).method(method).times(1);
    faults.into_iter().flat_map(|fault| ways.iter().map(move |way| rule(fault, way))).collect()
}

/// Plays several stages at the same time; each says what it was when it fails.
pub(crate) fn together(stages: Vec<(String, Box<dyn FnOnce() + Send>)>) {
    let running: Vec<_> = stages.into_iter().map(|(name, stage)| (name, std::thread::spawn(stage))).collect();
    let failed: Vec<_> =
        running.into_iter().filter_map(|(name, stage)| stage.join().is_err().then_some(name)).collect();
    assert!(failed.is_empty(), "failed: {failed:?}");
}
