//! `Http`, an addition of ours: the API, the dashboard and the metrics.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use crate::diagnostic::{Severity, shown};
use crate::document::Element;
use crate::fields::{Context, given};
use crate::shape::HTTP;
use crate::ucma::{CERTIFICATE_OF_KEY, KEY_OF_CERTIFICATE};
use crate::{names, values};

/// How long the interest of a remote queue may outlive it at most.
const LONGEST_LINGER: Duration = Duration::from_secs(3600);

/// What is at its default in a file without `Http`.
pub(crate) const DEFAULTED: [&str; 7] = [
    HTTP,
    "Http/@Listen",
    "Http/@Tokens",
    "Http/@UccLinger",
    "Http/@EventsKept",
    "Http/@RequestsPerSecond",
    "Http/@MaxConnections",
];

/// How the HTTP API is reached and what it takes. All defaults when the file has no `Http`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// `Listen`: where it listens.
    pub listen: SocketAddr,
    /// True when the file says `Listen`: then a start fails when nothing can listen there.
    pub listen_given: bool,
    /// `Tokens`: the file of the tokens; without it no token is required, which only a listener on loopback may do.
    pub tokens: Option<PathBuf>,
    /// `Certificate`: certificate and chain, PEM; with `PrivateKey` the listener speaks TLS.
    pub certificate: Option<PathBuf>,
    /// `PrivateKey`: the key of the certificate, PEM.
    pub private_key: Option<PathBuf>,
    /// `HostNames`: names by which clients reach us, beside the addresses and `localhost`; lower case. Requests for other
    /// hosts are refused where no token is required (they come from a page that somebody else's name server sent here).
    pub host_names: Vec<String>,
    /// `UccLinger`: how long the interest of a remote queue outlives its last connection or request.
    pub ucc_linger: Duration,
    /// `EventsKept`: how many events are kept per remote queue for a reader that comes back.
    pub events_kept: usize,
    /// `RequestsPerSecond`: how many requests one token (or address, without tokens) may make; bursts of twice as many.
    pub requests_per_second: NonZeroU32,
    /// `MaxConnections`: how many connections are open at most.
    pub max_connections: NonZeroU32,
}

impl HttpSettings {
    /// The port without `Listen`.
    pub const DEFAULT_PORT: u16 = 8365;

    const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), Self::DEFAULT_PORT);

    /// True when the listener can be reached from this computer only.
    #[must_use]
    pub const fn is_loopback(&self) -> bool {
        self.listen.ip().is_loopback()
    }
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            listen: Self::DEFAULT_LISTEN,
            listen_given: false,
            tokens: None,
            certificate: None,
            private_key: None,
            host_names: Vec::new(),
            ucc_linger: Duration::from_secs(60),
            events_kept: 10_000,
            requests_per_second: NonZeroU32::new(100).unwrap_or(NonZeroU32::MIN),
            max_connections: NonZeroU32::new(10_000).unwrap_or(NonZeroU32::MIN),
        }
    }
}

/// What the element says; complaints go to the context's findings.
pub(crate) fn read(http: &Element<'_>, context: &mut Context<'_>) -> HttpSettings {
    let default = HttpSettings::default();
    let listen_given = given(http, "Listen").is_some();
    let listen = context.value_or(http, "Listen", "Http/@Listen", default.listen, |text| {
        values::listen(text, HttpSettings::DEFAULT_LISTEN)
    });
    if given(http, "Tokens").is_none() {
        context.defaulted.insert("Http/@Tokens");
    }
    let mut number = |name, key, default: usize, bounds| {
        let default = u32::try_from(default).unwrap_or(u32::MAX);
        context.value_or(http, name, key, default, |text| values::count_within(text, bounds))
    };
    let events_kept = number("EventsKept", "Http/@EventsKept", default.events_kept, 100..=1_000_000);
    let requests = number("RequestsPerSecond", "Http/@RequestsPerSecond", 100, 1..=100_000);
    let connections = number("MaxConnections", "Http/@MaxConnections", 10_000, 10..=100_000);
    let settings = HttpSettings {
        listen,
        listen_given,
        tokens: names::file(http, "Tokens", context),
        certificate: names::file(http, "Certificate", context),
        private_key: names::file(http, "PrivateKey", context),
        host_names: names::hosts(http, "HostNames", "write names of this computer, separated by commas", context),
        ucc_linger: context.value_or(http, "UccLinger", "Http/@UccLinger", default.ucc_linger, |text| {
            values::duration_up_to(text, LONGEST_LINGER)
        }),
        events_kept: usize::try_from(events_kept).unwrap_or(default.events_kept),
        requests_per_second: NonZeroU32::new(requests).unwrap_or(default.requests_per_second),
        max_connections: NonZeroU32::new(connections).unwrap_or(default.max_connections),
    };
    let certificate = ("Certificate", settings.certificate.is_some());
    let key = ("PrivateKey", settings.private_key.is_some());
    names::needs(http, certificate, key, KEY_OF_CERTIFICATE, context);
    names::needs(http, key, certificate, CERTIFICATE_OF_KEY, context);
    exposed(http, &settings, context);
    settings
}

/// What a listener needs that other computers can reach.
fn exposed(http: &Element<'_>, settings: &HttpSettings, context: &mut Context<'_>) {
    let Some(listen) = given(http, "Listen").filter(|_| !settings.is_loopback() && !http.damaged) else { return };
    let address = shown(&settings.listen.to_string());
    if given(http, "Tokens").is_none() {
        let message = format!(
            "{}: other computers can reach {address}, and without {} everyone there may see and change everything",
            shown(listen.name),
            shown("Tokens")
        );
        let help = format!(
            "write `Tokens=\"tokens.json\"` (`presence-provider token create` makes that file), or {} for this computer alone",
            shown(&format!(
                "Listen=\"{}\"",
                SocketAddr::new(HttpSettings::DEFAULT_LISTEN.ip(), settings.listen.port())
            ))
        );
        context.complain(listen.place(), message, help);
    }
    // A mistake about the certificate has its own complaint, and inside a disabled element the finer points are left out.
    let tls = given(http, "Certificate").is_some() || given(http, "PrivateKey").is_some();
    if !tls && context.severity == Severity::Error {
        let message = format!(
            "{}: other computers can reach {address} without TLS, so that tokens and presence travel in clear text",
            shown(listen.name)
        );
        let help = "write `Certificate` and `PrivateKey`, or listen on loopback behind a server that speaks TLS";
        context.findings.warning(listen.place(), message, help);
    }
}
