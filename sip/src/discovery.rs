//! Where the pool is: which names to ask for, and in which order to try what they say. Pure; the asking is not here.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::flow::TransportKind;
use crate::identity::Entropy;

/// How long a server that could not be reached is passed over while others are left (facts A.1 of the design).
pub const SKIPPED_FOR: Duration = Duration::from_secs(600);

/// By whose rules the pool of a domain is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// RFC 3263: the service of the transport, then the addresses of the domain itself.
    Rfc3263,
    /// Skype for Business: the internal service, the external one, then well-known names.
    SkypeForBusiness,
}

/// One question to the DNS, and what to do with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Ask for the SRV records of this name and [`order`] them.
    Service(String),
    /// Ask for the addresses of this server.
    Address(Server),
}

/// A host, which may be an address, and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Server {
    /// The name or the address; an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrvRecord {
    /// The smaller one is tried first.
    pub priority: u16,
    /// The share among records of the same priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host; with or without a dot at its end.
    pub target: String,
}

/// What to ask for, in the order of trying. The first question with an answer decides, the others are for later.
///
/// A port, or a host that is an address, leaves nothing to discover: only its addresses are asked for
/// (RFC 3263 section 4.2).
///
/// ```
/// use presence_sip::TransportKind;
/// use presence_sip::discovery::{Convention, Question, questions};
/// let first = &questions("domain.com", None, TransportKind::Tls, Convention::SkypeForBusiness)[0];
/// assert_eq!(*first, Question::Service("_sipinternaltls._tcp.domain.com".into()));
/// ```
#[must_use]
pub fn questions(host: &str, port: Option<u16>, transport: TransportKind, convention: Convention) -> Vec<Question> {
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    let address = |host: String, port: u16| Question::Address(Server { host, port });
    let numeric = host.parse::<std::net::IpAddr>().is_ok();
    if port.is_some() || numeric {
        return vec![address(host.into(), port.unwrap_or(transport.default_port()))];
    }
    let service = |name: &str| Question::Service(format!("{name}.{host}"));
    match (convention, transport) {
        (Convention::Rfc3263, TransportKind::Udp) => vec![service("_sip._udp"), address(host.into(), 5060)],
        (Convention::Rfc3263, TransportKind::Tcp) => vec![service("_sip._tcp"), address(host.into(), 5060)],
        (Convention::Rfc3263, TransportKind::Tls) => vec![service("_sips._tcp"), address(host.into(), 5061)],
        (Convention::SkypeForBusiness, TransportKind::Tls) => {
            let known =
                |port| ["sipinternal", "sip", "sipexternal"].map(|name| address(format!("{name}.{host}"), port));
            let services = [service("_sipinternaltls._tcp"), service("_sip._tls")];
            services.into_iter().chain(known(5061)).chain(known(443)).collect()
        }
        (Convention::SkypeForBusiness, TransportKind::Tcp | TransportKind::Udp) => {
            let known = ["sipinternal", "sip", "sipexternal"].map(|name| address(format!("{name}.{host}"), 5060));
            [service("_sipinternal._tcp")].into_iter().chain(known).collect()
        }
    }
}

/// The servers of a service in the order of trying (RFC 2782): by priority, and among equals by chance in proportion
/// to the weights, weight 0 having a very small one. A record whose target is the root says that there is no service.
#[must_use]
pub fn order(mut records: Vec<SrvRecord>, entropy: &mut Entropy) -> Vec<Server> {
    records.retain(|record| !matches!(record.target.as_str(), "." | ""));
    // Weight 0 first, so that it has a chance at all; the name makes the order independent of the answer's.
    records.sort_by(|a, b| (a.priority, a.weight, &a.target, a.port).cmp(&(b.priority, b.weight, &b.target, b.port)));
    let mut servers = Vec::with_capacity(records.len());
    while let Some(priority) = records.first().map(|record| record.priority) {
        let peers = records.partition_point(|record| record.priority == priority);
        let weights = records.iter().take(peers).map(|record| u64::from(record.weight));
        let chosen = choose(weights, entropy);
        let SrvRecord { port, target, .. } = records.remove(chosen.min(peers - 1));
        servers.push(Server { host: target.trim_end_matches('.').to_ascii_lowercase(), port });
    }
    servers
}

/// The place of the first weight at which the running sum reaches a random number of 0 to the whole sum.
fn choose(weights: impl Iterator<Item = u64> + Clone, entropy: &mut Entropy) -> usize {
    let sum: u64 = weights.clone().sum();
    let mut bytes = [0; 8];
    entropy(&mut bytes);
    let number = u64::from_be_bytes(bytes) % (sum + 1);
    let mut running = 0;
    weights
        .take_while(|weight| {
            running += weight;
            running < number
        })
        .count()
}

/// Whether a server belongs to a domain: it is the domain or below it. Skype for Business refuses an SRV record that
/// leads elsewhere (ms-diagnostics 1009), as whoever answers the DNS could otherwise name its own server.
#[must_use]
pub fn belongs_to(server: &str, domain: &str) -> bool {
    let plain = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
    let (server, domain) = (plain(server), plain(domain));
    !domain.is_empty() && server.strip_suffix(&domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// The servers that could not be reached lately.
#[derive(Debug, Default)]
pub struct Unreachable {
    since: BTreeMap<Server, Instant>,
}

impl Unreachable {
    /// All servers are thought to be reachable.
    #[must_use]
    pub const fn new() -> Self {
        Self { since: BTreeMap::new() }
    }

    /// This server could not be reached, or did not answer.
    pub fn failed(&mut self, now: Instant, server: Server) {
        self.since.retain(|_, since| now.saturating_duration_since(*since) < SKIPPED_FOR);
        self.since.insert(server, now);
    }

    /// This server was reached.
    pub fn reached(&mut self, server: &Server) {
        self.since.remove(server);
    }

    /// The servers in the order of trying: those that failed within [`SKIPPED_FOR`] go to the end, the one that failed
    /// longest ago first, so that there is always one to try.
    #[must_use]
    pub fn arrange(&self, now: Instant, servers: Vec<Server>) -> Vec<Server> {
        let failed = |server: &Server| {
            self.since.get(server).copied().filter(|since| now.saturating_duration_since(*since) < SKIPPED_FOR)
        };
        let mut servers = servers;
        // A stable sort: those without a failure keep their order in front.
        servers.sort_by_key(failed);
        servers
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test begins now")]
mod tests {
    use super::*;

    fn seeded(mut state: u64) -> Entropy {
        Box::new(move |bytes| {
            for byte in bytes {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                *byte = state.to_be_bytes()[0];
            }
        })
    }

    fn record(priority: u16, weight: u16, target: &str) -> SrvRecord {
        SrvRecord { priority, weight, port: 5061, target: target.into() }
    }

    #[test]
    fn the_documented_names_are_asked_for_in_their_order() {
        let text = |questions: Vec<Question>| -> Vec<String> {
            let line = |question| match question {
                Question::Service(name) => name,
                Question::Address(server) => format!("{}:{}", server.host, server.port),
            };
            questions.into_iter().map(line).collect()
        };
        let skype = text(questions("d.com.", None, TransportKind::Tls, Convention::SkypeForBusiness));
        let expected = [
            "_sipinternaltls._tcp.d.com",
            "_sip._tls.d.com",
            "sipinternal.d.com:5061",
            "sip.d.com:5061",
            "sipexternal.d.com:5061",
            "sipinternal.d.com:443",
            "sip.d.com:443",
            "sipexternal.d.com:443",
        ];
        assert_eq!(skype, expected);
        let plain = text(questions("d.com", None, TransportKind::Udp, Convention::Rfc3263));
        assert_eq!(plain, ["_sip._udp.d.com", "d.com:5060"]);
        let secure = text(questions("d.com", None, TransportKind::Tls, Convention::Rfc3263));
        assert_eq!(secure, ["_sips._tcp.d.com", "d.com:5061"]);
    }

    #[test]
    fn a_port_or_an_address_leaves_nothing_to_discover() {
        let one = |host: &str, port| Question::Address(Server { host: host.into(), port });
        let ask = |host, port| questions(host, port, TransportKind::Tls, Convention::SkypeForBusiness);
        assert_eq!(ask("pool.d.com", Some(6000)), [one("pool.d.com", 6000)]);
        assert_eq!(ask("192.0.2.1", None), [one("192.0.2.1", 5061)]);
        assert_eq!(ask("[2001:db8::1]", None), [one("2001:db8::1", 5061)]);
    }

    #[test]
    fn priority_comes_before_weight_and_weight_is_a_share() {
        let mut entropy = seeded(7);
        let mut first = BTreeMap::new();
        for _ in 0..4000 {
            let records = vec![
                record(20, 9, "last."),
                record(10, 30, "A"),
                record(10, 10, "b"),
                record(10, 0, "z"),
                record(5, 1, "."),
            ];
            let servers = order(records, &mut entropy);
            assert_eq!(servers.len(), 4);
            assert_eq!(servers[3].host, "last");
            *first.entry(servers[0].host.clone()).or_insert(0) += 1;
        }
        let (a, b, z) = (first["a"], first["b"], first["z"]);
        assert!((2700..3100).contains(&a), "30 of 41: {a}");
        assert!((850..1150).contains(&b), "10 of 41: {b}");
        assert!((30..200).contains(&z), "weight 0 has a small chance: {z}");
    }

    #[test]
    fn a_service_that_is_the_root_is_none() {
        assert_eq!(order(vec![record(0, 0, ".")], &mut seeded(1)), []);
        assert_eq!(order(Vec::new(), &mut seeded(1)), []);
    }

    #[test]
    fn a_server_outside_of_the_domain_is_known() {
        assert!(belongs_to("fe.d.com.", "D.com"));
        assert!(belongs_to("d.com", "d.com"));
        assert!(!belongs_to("evild.com", "d.com"));
        assert!(!belongs_to("d.com.evil.example", "d.com"));
    }

    #[test]
    fn a_failed_server_is_passed_over_for_ten_minutes_and_never_lost() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let servers = || ["a", "b", "c"].map(|host| Server { host: host.into(), port: 5061 }).to_vec();
        let names = |servers: Vec<Server>| servers.into_iter().map(|server| server.host).collect::<String>();
        let mut unreachable = Unreachable::new();
        unreachable.failed(now, servers()[0].clone());
        assert_eq!(names(unreachable.arrange(at(1), servers())), "bca");
        unreachable.failed(at(1), servers()[1].clone());
        unreachable.failed(at(2), servers()[2].clone());
        assert_eq!(names(unreachable.arrange(at(3), servers())), "abc");
        unreachable.reached(&servers()[2]);
        assert_eq!(names(unreachable.arrange(at(4), servers())), "cab");
        assert_eq!(names(unreachable.arrange(at(601), servers())), "abc");
    }
}
