//! What a simulation says when it starts: what listens where, who is there, and how to connect.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use presence_simulator::{FrontEndHandle, FrontEndServerSettings, Homed};
use presence_sip::TransportKind;

use super::certificates::Certificates;
use super::follow::counted;
use super::plan::Plan;

/// The opening text.
pub(super) fn text(
    plan: &Plan,
    running: &FrontEndHandle,
    certificates: Option<&Certificates>,
    until: Option<Duration>,
) -> String {
    let settings = &plan.server.settings;
    let mut rows = Vec::new();
    for (number, pool) in settings.pools.iter().enumerate() {
        let agents: Vec<&Homed> = settings.agents.iter().filter(|agent| agent.pool == number).collect();
        let wire = if settings.wire == TransportKind::Tls { "mutual TLS" } else { "TCP" };
        let listens = format!("{} at {}, {wire}, {}", pool.fqdn, running.address(number), who(&agents));
        rows.push((format!("pool {number}"), listens));
    }
    let endpoints = match settings.endpoints.as_slice() {
        [] => "anyone".to_owned(),
        some => some.iter().map(|endpoint| endpoint.uri.as_str()).collect::<Vec<_>>().join(", "),
    };
    rows.push(("may register".to_owned(), endpoints));
    let moves = match settings.change_interval {
        Some(interval) => {
            let interval = humantime::format_duration(interval);
            format!("each agent changes every {interval} on average, by dice with the seed {}", settings.seed)
        }
        None => "nothing by itself".to_owned(),
    };
    rows.push(("changes".to_owned(), moves));
    if let Some(control) = running.control() {
        let (host, port) = (control.ip(), control.port());
        rows.push(("control port".to_owned(), format!("{control}; try  echo help | nc {host} {port}")));
    }
    if let Some(certificates) = certificates {
        let folder = certificates.authority.parent().unwrap_or(&certificates.authority);
        let how = if certificates.found { "those found in" } else { "made in" };
        rows.push(("certificates".to_owned(), format!("{how} {}", folder.display())));
    }
    let mut text = String::from("A simulated Skype for Business front end\n\n");
    for (name, value) in rows {
        // Writing into a String does not fail.
        let _ = writeln!(text, "  {name:<14}{value}");
    }
    let _ = write!(text, "\nFor presence-provider, in Config.xml:\n\n{}\n", config(plan, running, certificates));
    let end = until.map(|time| format!(" after {}, or earlier with Ctrl-C", humantime::format_duration(time)));
    let _ = writeln!(
        text,
        "It ends{}. What happens, by seconds since the start:\n",
        end.as_deref().unwrap_or(" with Ctrl-C")
    );
    text
}

/// `100 agents sip:agent1@demo.example to sip:agent100@demo.example`
fn who(agents: &[&Homed]) -> String {
    match agents {
        [] => "no agents".to_owned(),
        [one] => format!("1 agent {}", one.uri),
        [first, .., last] => format!("{} {} to {}", counted(agents.len(), "agent"), first.uri, last.uri),
    }
}

/// The element `UcmaPresenceSource` for the running simulator, and a queue with a few of its agents.
pub(super) fn config(plan: &Plan, running: &FrontEndHandle, certificates: Option<&Certificates>) -> String {
    let FrontEndServerSettings { settings, tls, .. } = &plan.server;
    let first = settings.endpoints.first();
    let owner = first.map_or_else(|| format!("sip:ucc_app01@{}", plan.domain), |endpoint| endpoint.uri.to_string());
    let second = settings.endpoints.get(1).map(|user| format!("\n      <UserEndpoint UserUri=\"{}\" />", user.uri));
    let home = first.map_or(0, |endpoint| endpoint.pool);
    let address = reachable(running.address(home));
    let names: Vec<_> = settings.pools.iter().map(|pool| pool.fqdn.as_str()).collect();
    let wire = match (tls, certificates) {
        (None, _) => "Transport=\"tcp\" Dialect=\"skype\" Listen=\"127.0.0.1:6120\"".to_owned(),
        (Some(_), made) => {
            let file = |path: Option<&std::path::Path>, otherwise: &str| {
                let path = path.map_or_else(|| otherwise.to_owned(), |path| path.display().to_string());
                path.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
            };
            let certificate = file(made.map(|made| made.application.0.as_path()), "application.pem");
            let key = file(made.map(|made| made.application.1.as_path()), "application.key");
            let authority = file(made.map(|made| made.authority.as_path()), "authority.pem");
            format!(
                "Transport=\"tls\" Dialect=\"skype\" Listen=\"127.0.0.1:6120\"\n            Certificate=\"{certificate}\"\n            \
                 PrivateKey=\"{key}\"\n            TrustedCertificates=\"{authority}\"\n            PeerNames=\"{}\"",
                names.join(", ")
            )
        }
    };
    let agents: String =
        settings.agents.iter().take(3).map(|agent| format!("      <Agent Uri=\"{}\" />\n", agent.uri)).collect();
    format!(
        "<config version=\"1.5\">\n  <PresenceProvider>\n    <UcmaPresenceSource enabled=\"true\" \
         ApplicationId=\"urn:application:ucc_presenceprovider01\">\n      <ApplicationEndpoint OwnerUri=\"{owner}\" />{}\n      \
         <Pool Address=\"{address}\" {wire} />\n    </UcmaPresenceSource>\n  </PresenceProvider>\n  \
         <UnifiedContactCenters>\n    <UnifiedContactCenter Name=\"ucc_app01\">\n{agents}    </UnifiedContactCenter>\n  \
         </UnifiedContactCenters>\n</config>\n",
        second.unwrap_or_default()
    )
}

/// The address that a client on this machine connects to.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
