//! What a simulated front end is made with, and every point where real front ends differ.

use std::net::SocketAddr;
use std::time::Duration;

use presence_core::AgentUri;
use presence_sip::TransportKind;

/// One pool of the simulated forest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    /// The name of the pool; it stands in Contact, Record-Route, `poolFqdn` and redirects.
    pub fqdn: String,
    /// Where the pool listens; its port stands beside the name.
    pub address: SocketAddr,
}

/// Who is at home on which pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Homed {
    /// The agent, or the owner of an endpoint.
    pub uri: AgentUri,
    /// The index of the pool; one that does not exist means the first.
    pub pool: usize,
}

/// What a simulated front end is made with.
#[derive(Clone, Debug)]
pub struct FrontEndSettings {
    /// The seed of tags, boundaries and agents' moves: the same seed makes the same bytes.
    pub seed: u64,
    /// The pools of the forest; at least one.
    pub pools: Vec<PoolSettings>,
    /// What connections are made of; it stands in Via and Contact. UDP is taken for TCP: no front end speaks it.
    pub wire: TransportKind,
    /// The agents that exist.
    pub agents: Vec<Homed>,
    /// Who may register. Empty: anyone, at home on pool 0.
    pub endpoints: Vec<Homed>,
    /// How long an agent stays in a state, on average; `None`: nothing changes by itself.
    pub change_interval: Option<Duration>,
    /// Everything that may vary.
    pub switches: Switches,
}

impl FrontEndSettings {
    /// One pool `fqdn` at this address, agents `sip:agent1@domain` to `sip:agentN@domain` on it, anyone may register.
    #[must_use]
    pub fn one_pool(fqdn: &str, address: SocketAddr, count: usize, domain: &str) -> Self {
        let agents = (1..=count).filter_map(|number| AgentUri::parse(&format!("sip:agent{number}@{domain}")).ok());
        Self {
            seed: 1,
            pools: vec![PoolSettings { fqdn: fqdn.into(), address }],
            wire: TransportKind::Tcp,
            agents: agents.map(|uri| Homed { uri, pool: 0 }).collect(),
            endpoints: Vec::new(),
            change_interval: None,
            switches: Switches::default(),
        }
    }
}

/// Every open point of the published documents and every variation that a client must bear. The default is strict,
/// piggybacks, and sends BENOTIFY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switches {
    /// Presence only for registered endpoints (rule 9), and the remote target and route set are checked.
    pub strict: bool,
    /// The first notification comes in the 200 when the client supports that; otherwise in a message of its own.
    pub piggyback: bool,
    /// The first notification that does not come in the 200 comes before it instead of after it.
    pub notify_before_answer: bool,
    /// Notifications are BENOTIFYs when the client supports that; otherwise NOTIFYs.
    pub benotify: bool,
    /// The front end dials the registered Contact for what it sends, instead of using the client's connection.
    pub own_connections: bool,
    /// A SUBSCRIBE in a dialog without body keeps the agents; otherwise it empties the dialog (nobody's text says).
    pub bodiless_refresh_keeps: bool,
    /// What presence from an endpoint that is not registered is answered with.
    pub unregistered_status: u16,
    /// What presence is answered with while User Services are off: 480 or 504.
    pub services_off_status: u16,
    /// What an INVITE is answered with: 480, as nobody is there to talk to; 200 keeps clients quiet that insist.
    pub invite_status: u16,
    /// The most agents that one SUBSCRIBE may carry; more get 413 with diagnostics 2011.
    pub longest_list: usize,
    /// The longest body of a SUBSCRIBE, in bytes; longer ones get 413 with diagnostics 4008.
    pub longest_body: usize,
    /// The lifetime of a presence dialog; a shorter wish of the client is granted.
    pub expires: Duration,
    /// Shorter wishes for a presence dialog get 423 with Min-Expires; `None`: any is granted.
    pub shortest_expires: Option<Duration>,
    /// The lifetime of a registration; a shorter wish of the client is granted.
    pub registration_expires: Duration,
    /// The `timeout` of the negotiated keep-alive.
    pub keep_alive: Duration,
    /// How many endpoints one owner may register; the oldest is told `unregistered` when one more comes.
    pub endpoint_limit: usize,
    /// How many category subscriptions an agent's watchers may have together.
    pub quota: usize,
    /// The list of resources leaves out those whose state is active and whose categories are in a part.
    pub rlmi_omits_active: bool,
    /// Notifications of changes carry a list of resources and a part; otherwise the bare categories of one agent.
    pub multipart_updates: bool,
    /// A change of one agent comes as several messages, one per category.
    pub bursts: bool,
    /// CSeq of notifications rises by one to three instead of by one.
    pub sequence_gaps: bool,
    /// Header names change their case and long headers are folded, from message to message.
    pub header_variants: bool,
    /// Contact carries `ms-key-info` and Record-Route `ms-route-sig`; the Route of the client must repeat it.
    pub signed_routes: bool,
    /// Unknown elements behind the delimiter of extensions in documents.
    pub extensions: bool,
    /// Redirects and Contacts name the address of the pool instead of its name, for clients without resolver.
    pub contacts_by_address: bool,
    /// Agents who cannot be in a batch (legacy, federated): `resubscribe` without a pool.
    pub legacy: Vec<AgentUri>,
    /// Agents whose instance in a list has a state that no document explains, and that state.
    pub strange: Vec<(AgentUri, String)>,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            strict: true,
            piggyback: true,
            notify_before_answer: false,
            benotify: true,
            own_connections: false,
            bodiless_refresh_keeps: true,
            unregistered_status: 480,
            services_off_status: 480,
            invite_status: 480,
            longest_list: 1_000,
            longest_body: 512 * 1024,
            expires: Duration::from_secs(28_800),
            shortest_expires: None,
            registration_expires: Duration::from_secs(7_200),
            keep_alive: Duration::from_secs(300),
            endpoint_limit: 8,
            quota: 1_000,
            rlmi_omits_active: false,
            multipart_updates: false,
            bursts: false,
            sequence_gaps: false,
            header_variants: false,
            signed_routes: false,
            extensions: true,
            contacts_by_address: false,
            legacy: Vec::new(),
            strange: Vec::new(),
        }
    }
}
