//! The script of a simulation, as it is written: TOML. What it means is in [`plan`](super::plan).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use presence_core::AgentUri;
use presence_simulator::Command;
use serde::Deserialize;
use toml::Spanned;

/// A whole script. Everything may be left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Script {
    /// The seed of the dice.
    pub(super) seed: Option<u64>,
    /// The SIP domain of what is not named.
    pub(super) domain: Option<String>,
    /// What connections are made of.
    pub(super) transport: Option<Wire>,
    /// How long an agent stays in a state.
    pub(super) change_every: Option<OrNever>,
    /// Where the control port listens.
    pub(super) control: Option<Control>,
    /// Certificates.
    pub(super) tls: Option<TlsTable>,
    /// Pools, in the order of their numbers.
    #[serde(default)]
    pub(super) pool: Vec<PoolTable>,
    /// Agents.
    #[serde(default)]
    pub(super) agents: Vec<Spanned<AgentsTable>>,
    /// Who may register.
    #[serde(default)]
    pub(super) endpoint: Vec<EndpointTable>,
    /// Everything that may vary.
    #[serde(default)]
    pub(super) switches: super::switches::SwitchesTable,
    /// What happens when.
    #[serde(default)]
    pub(super) at: Vec<StepTable>,
}

/// What connections are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Wire {
    /// Plain.
    #[default]
    Tcp,
    /// Mutual TLS.
    Tls,
}

/// `[tls]`: files in PEM form; a relative name is looked for beside the script.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsTable {
    /// The certificate of all pools with its chain.
    pub(super) certificate: PathBuf,
    /// Its key.
    pub(super) private_key: PathBuf,
    /// Who may have signed the certificate of an application.
    pub(super) trusted_certificates: PathBuf,
    /// Whoever connects must show a certificate.
    #[serde(default = "yes")]
    pub(super) client_certificate: bool,
    /// The name in the application's certificate, when it is not the host in its Contact.
    pub(super) application_name: Option<String>,
}

const fn yes() -> bool {
    true
}

/// `[[pool]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PoolTable {
    /// Its name.
    pub(super) fqdn: Spanned<String>,
    /// Where it listens.
    pub(super) listen: Option<Address>,
}

/// `[[agents]]`: `count` of them by a pattern, or a list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AgentsTable {
    /// How many.
    pub(super) count: Option<u32>,
    /// Their URIs; `{}` is the number.
    pub(super) pattern: Option<String>,
    /// The first number.
    pub(super) first: Option<u32>,
    /// Each by name.
    #[serde(default)]
    pub(super) uris: Vec<Uri>,
    /// Where they are at home.
    pub(super) pool: Option<Spanned<String>>,
    /// They cannot be in a batch.
    #[serde(default)]
    pub(super) legacy: bool,
    /// Their watchers' quota is used up.
    #[serde(default)]
    pub(super) quota_full: bool,
    /// Their first state, as in the command `set`.
    pub(super) state: Option<String>,
    /// A state of their instance in lists that no document explains.
    pub(super) strange: Option<String>,
}

/// `[[endpoint]]`: who may register.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndpointTable {
    /// The owner.
    pub(super) uri: Uri,
    /// The home pool.
    pub(super) pool: Option<Spanned<String>>,
}

/// `[[at]]`: one order at a time, once or again and again.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepTable {
    /// Since the start.
    pub(super) time: Time,
    /// The order.
    #[serde(rename = "do")]
    pub(super) order: Spanned<Order>,
    /// How often it comes again.
    pub(super) every: Option<Spanned<Time>>,
}

/// No duration of a script is longer: a year.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// A value that is written as text and read with rules of its own.
macro_rules! text_value {
    ($(#[$about:meta])* $name:ident($inner:ty): $read:expr) => {
        $(#[$about])*
        #[derive(Clone, Debug, Deserialize)]
        #[serde(try_from = "String")]
        pub(super) struct $name(pub(super) $inner);

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                let read: fn(&str) -> Result<$inner, String> = $read;
                read(&text).map(Self)
            }
        }
    };
}

text_value!(
    /// A duration of at most [`LONGEST`].
    Time(Duration): |text| match humantime::parse_duration(text) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        _ => Err(format!("`{text}` is no duration of at most a year; write \"30s\", \"10m\" or \"2h\"")),
    }
);
text_value!(
    /// A duration, or never.
    OrNever(Option<Duration>): |text| match text {
        "never" => Ok(None),
        text => match humantime::parse_duration(text) {
            Ok(duration) if !duration.is_zero() && duration <= LONGEST => Ok(Some(duration)),
            _ => Err(format!("`{text}` is no duration; write \"8s\", \"1m\" or \"never\"")),
        },
    }
);
text_value!(
    /// An address to listen on.
    Address(SocketAddr): |text| {
        text.parse().map_err(|_| format!("`{text}` is no address to listen on; write \"127.0.0.1:5060\" (port 0: any)"))
    }
);
text_value!(
    /// An address of the control port, or none.
    Control(Option<SocketAddr>): |text| match text {
        "none" => Ok(None),
        text => match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => Ok(Some(address)),
            Ok(_) => Err("the control port obeys everyone, so it listens on loopback only; write \"127.0.0.1:5066\"".into()),
            Err(_) => Err(format!("`{text}` is no address; write \"127.0.0.1:5066\" or \"none\"")),
        },
    }
);
text_value!(
    /// An agent, or the owner of an endpoint.
    Uri(AgentUri): |text| {
        AgentUri::parse(text).map_err(|why| format!("`{text}` is no agent URI: {why}; write \"sip:user@domain\""))
    }
);
/// A status of an answer.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u64")]
pub(super) struct Status(pub(super) u16);

impl TryFrom<u64> for Status {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, String> {
        match u16::try_from(number) {
            Ok(status @ (200 | 300..=699)) => Ok(Self(status)),
            _ => Err(format!("{number} is no status to answer with; write 200, or a number from 300 to 699")),
        }
    }
}

text_value!(
    /// A command.
    Order(Command): |text| text.parse::<Command>().map_err(|why| why.to_string())
);
