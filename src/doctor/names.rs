//! Where the names of the pools lead.

use std::time::Duration;

use presence_actors::transport::{DiscoveryError, Resolver, Server};
use presence_actors::{Pool, find_pool};
use presence_config::UcmaSettings;
use presence_core::EndpointKind;
use presence_sip::TransportKind;
use presence_sip::discovery::{Convention, Question, belongs_to, questions};

use super::report::{Outcome, Step};
use crate::assemble;

/// For everything about one pool.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks up the pool of each endpoint: a step for each, and all the servers that were found, each once.
pub(super) async fn names(ucma: &UcmaSettings) -> (Vec<Step>, Vec<Server>) {
    let kind = assemble::transport_kind(ucma.pool.transport);
    let pools = match assemble::pools(ucma) {
        Ok(pools) => pools,
        Err(why) => {
            return (vec![Step::fail("names", why.to_string(), "name the pool in Address of <Pool>")], Vec::new());
        }
    };
    let mut steps = Vec::new();
    let mut found: Vec<Server> = Vec::new();
    let mut seen: Vec<Pool> = Vec::new();
    for (endpoint, pool) in pools {
        if seen.contains(&pool) {
            continue;
        }
        let own = endpoint == EndpointKind::User && ucma.user_endpoint.as_ref().is_some_and(|user| user.pool.is_some());
        let (step, servers) = one(&pool, kind, own).await;
        steps.push(step);
        for server in servers {
            if found.iter().all(|known| known.address != server.address) {
                found.push(server);
            }
        }
        seen.push(pool);
    }
    (steps, found)
}

async fn one(pool: &Pool, kind: TransportKind, own_pool_of_the_user: bool) -> (Step, Vec<Server>) {
    let (host, port, convention) = match pool {
        Pool::Address { host, port } => (host.as_str(), *port, Convention::Rfc3263),
        Pool::Discover { domain } => (domain.as_str(), None, Convention::SkypeForBusiness),
    };
    let what = match pool {
        Pool::Address { .. } => format!("the pool {}", pool.target().unwrap_or_default()),
        Pool::Discover { domain } => format!("the pool of the domain {domain}"),
    };
    let cure = match pool {
        Pool::Discover { .. } => {
            "write the pool's name into Address of <Pool>, or have one of the records above entered"
        }
        Pool::Address { .. } if own_pool_of_the_user => {
            "correct PoolFqdn of <UserEndpoint>, or have the name entered in DNS"
        }
        Pool::Address { .. } => "correct Address of <Pool>, or have the name entered in DNS",
    };
    if let Ok(address) = host.parse::<std::net::IpAddr>() {
        let server = Server {
            address: std::net::SocketAddr::new(address, port.unwrap_or(kind.default_port())),
            name: host.to_owned(),
        };
        return (Step::ok("names", format!("{what} is an address; nothing is looked up")), vec![server]);
    }
    // Which of several equal servers comes first does not matter here.
    let mut order: presence_sip::Entropy = Box::new(|bytes: &mut [u8]| bytes.fill(0));
    let look_up = async {
        let details = asked(host, port, kind, convention).await;
        (details, find_pool(pool, kind, &mut order).await)
    };
    let Ok((details, answer)) = tokio::time::timeout(PATIENCE, look_up).await else {
        let why = format!("{what} is not found: the name servers of this computer do not answer");
        return (Step::fail("names", why, "check the name servers of this computer"), Vec::new());
    };
    let (mut step, servers) = match answer {
        Ok(servers) => {
            let addresses = servers.iter().map(|server| server.address.to_string()).collect::<Vec<_>>().join(", ");
            (Step::ok("names", format!("{what} is found: {addresses}")), servers)
        }
        Err(DiscoveryError::NotFound { .. }) => {
            (Step::fail("names", format!("{what} is not found: no such name exists in DNS"), cure), Vec::new())
        }
        Err(error) => {
            let step = Step::fail(
                "names",
                format!("{what} is not found: failed to {error}"),
                "check the name servers of this computer",
            );
            (step.advise(cure), Vec::new())
        }
    };
    step.details = details;
    (step, servers)
}

/// The documented names in their order, up to a service that answers, each with what was answered.
async fn asked(host: &str, port: Option<u16>, kind: TransportKind, convention: Convention) -> Vec<String> {
    let resolver = match Resolver::of_this_machine() {
        Ok(resolver) => resolver,
        Err(error) => return vec![format!("failed to {error}")],
    };
    let mut lines = Vec::new();
    for question in questions(host, port, kind, convention) {
        let (name, answer) = match question {
            Question::Service(name) => {
                let answer = resolver.services(&name).await.map(|records| {
                    let (inside, outside): (Vec<_>, Vec<_>) = records
                        .into_iter()
                        .partition(|record| convention == Convention::Rfc3263 || belongs_to(&record.host, host));
                    let text = |record: &presence_actors::transport::ServiceRecord| {
                        format!(
                            "{}:{} (priority {}, weight {})",
                            record.host, record.port, record.priority, record.weight
                        )
                    };
                    match (inside.as_slice(), outside.first()) {
                        ([], None) => Err("does not exist".to_owned()),
                        ([], Some(other)) => {
                            Err(format!("leads out of the domain, to {}, and is not followed", other.host))
                        }
                        (records, _) => Ok(records.iter().map(text).collect::<Vec<_>>().join(", ")),
                    }
                });
                (format!("SRV {name}"), answer)
            }
            Question::Address(server) => {
                let answer = resolver.addresses(&server.host).await.map(|addresses| {
                    let text = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                    if addresses.is_empty() { Err("does not exist".to_owned()) } else { Ok(text) }
                });
                (format!("A   {}, port {}", server.host, server.port), answer)
            }
        };
        match answer {
            Ok(Ok(text)) => {
                lines.push(format!("{name}: {text}"));
                // A service decides; of the well-known names all are dialled.
                if name.starts_with("SRV") {
                    return lines;
                }
            }
            Ok(Err(why)) => lines.push(format!("{name}: {why}")),
            Err(error) => lines.push(format!("{name}: no answer; failed to {error}")),
        }
    }
    lines
}

/// True when a step said that no server is known.
pub(super) fn failed(steps: &[Step]) -> bool {
    steps.iter().any(|step| step.result == Outcome::Fail)
}
