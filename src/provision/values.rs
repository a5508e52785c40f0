//! The values of the commands, each with the place that it was taken from.

use presence_config::{PoolAddress, Settings, UcmaSettings};
use presence_core::log_text::Safe;
use serde::Serialize;

use crate::args::ProvisionArguments;
use crate::certificates::Certificate;
use crate::this_computer;

/// One value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Value {
    /// What it is, such as `trusted pool`.
    pub name: &'static str,
    /// The value, or its placeholder in angle brackets.
    pub value: String,
    /// Where it was taken from; for a placeholder where to find it.
    pub source: String,
    /// False for a placeholder.
    pub known: bool,
}

impl Value {
    fn known(name: &'static str, value: impl Into<String>, source: impl Into<String>) -> Self {
        Self { name, value: value.into(), source: source.into(), known: true }
    }

    fn unknown(name: &'static str, placeholder: &str, source: impl Into<String>) -> Self {
        Self { name, value: placeholder.to_owned(), source: source.into(), known: false }
    }
}

/// Everything that the commands need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Values {
    /// The application id without `urn:application:`.
    pub(super) application: Value,
    /// The SIP address of the application endpoint.
    pub(super) owner: Value,
    /// The port of the trusted application.
    pub(super) port: Value,
    /// The FQDN of the trusted application pool.
    pub(super) trusted_pool: Value,
    /// The FQDN of this computer.
    pub(super) computer: Value,
    /// The FQDN of the front end pool.
    pub(super) registrar: Value,
    /// The site of the topology.
    pub(super) site: Value,
}

impl Values {
    pub(super) fn gather(ucma: &UcmaSettings, settings: &Settings, arguments: &ProvisionArguments) -> Self {
        let certificate = certificate(ucma);
        let port = ucma.pool.listen.map_or(presence_config::DEFAULT_LISTEN_PORT, |listen| listen.port());
        let default = if settings.defaulted.contains("Pool/@Listen") { ", by default" } else { "" };
        Self {
            application: application(ucma),
            owner: Value::known(
                "application endpoint",
                ucma.application_endpoint.as_str(),
                "OwnerUri of <ApplicationEndpoint>",
            ),
            port: match port {
                0 => {
                    Value::unknown("port", "<PORT>", "Listen of <Pool> has port 0, which is another one at each start")
                }
                port => Value::known("port", port.to_string(), format!("Listen of <Pool>{default}")),
            },
            trusted_pool: trusted_pool(arguments, &certificate),
            computer: computer(arguments),
            registrar: registrar(ucma),
            site: match &arguments.site {
                Some(site) => Value::known("site", site, "--site"),
                None => Value::unknown("site", "<SITE>", "Get-CsSite lists them; --site NAME fills it in"),
            },
        }
    }

    /// In the order in which they are told.
    pub(super) fn all(&self) -> [&Value; 7] {
        [&self.application, &self.owner, &self.port, &self.trusted_pool, &self.computer, &self.registrar, &self.site]
    }

    /// The names that the certificate must carry: the trusted pool first, each once.
    pub(super) fn certificate_names(&self) -> Vec<&str> {
        let mut names = vec![self.trusted_pool.value.as_str()];
        if !names.contains(&self.computer.value.as_str()) {
            names.push(&self.computer.value);
        }
        names
    }
}

fn application(ucma: &UcmaSettings) -> Value {
    const NAME: &str = "application id";
    match without_prefix(&ucma.application_id) {
        "" => Value::unknown(
            NAME,
            "<APPLICATION-ID>",
            "ApplicationId of <UcmaPresenceSource> has nothing behind `urn:application:`",
        ),
        id => Value::known(NAME, id, "ApplicationId of <UcmaPresenceSource>, without `urn:application:`"),
    }
}

/// The first certificate of the file, or why there is none.
fn certificate(ucma: &UcmaSettings) -> Result<Certificate, String> {
    let Some(path) = &ucma.pool.certificate else { return Err("there is no Certificate in <Pool>".to_owned()) };
    let shown = Safe(&path.display().to_string()).to_string();
    let pem = std::fs::read(path).map_err(|why| format!("Certificate {shown} cannot be read: {why}"))?;
    let chain = Certificate::read_pem(&pem).map_err(|why| format!("Certificate {shown} cannot be used: {why}"))?;
    chain.into_iter().next().ok_or_else(|| format!("Certificate {shown} is empty"))
}

fn trusted_pool(arguments: &ProvisionArguments, certificate: &Result<Certificate, String>) -> Value {
    const NAME: &str = "trusted pool";
    const PLACEHOLDER: &str = "<TRUSTED-POOL-FQDN>";
    const OPTION: &str = "--trusted-pool FQDN fills it in";
    if let Some(name) = &arguments.trusted_pool {
        return Value::known(NAME, name, "--trusted-pool");
    }
    let certificate = match certificate {
        Ok(certificate) => certificate,
        Err(why) => return Value::unknown(NAME, PLACEHOLDER, format!("{why}; {OPTION}")),
    };
    let good = |name: &&String| this_computer::is_fully_qualified(name);
    if let Some(name) = certificate.common_name.as_ref().filter(good) {
        return Value::known(NAME, name.to_ascii_lowercase(), "the subject of Certificate");
    }
    match certificate.names.iter().find(good) {
        Some(name) => Value::known(NAME, name, "the first subject alternative name of Certificate"),
        None => {
            let why = "Certificate names no fully qualified host";
            Value::unknown(NAME, PLACEHOLDER, format!("{why}; {OPTION}"))
        }
    }
}

fn computer(arguments: &ProvisionArguments) -> Value {
    const NAME: &str = "computer";
    const PLACEHOLDER: &str = "<COMPUTER-FQDN>";
    const OPTION: &str = "--computer FQDN fills it in";
    if let Some(name) = &arguments.computer {
        return Value::known(NAME, name, "--computer");
    }
    match this_computer::name() {
        Some(name) if this_computer::is_fully_qualified(&name) => Value::known(NAME, name, "the name of this computer"),
        Some(name) => {
            let why = format!("this computer calls itself `{name}`, without a domain");
            Value::unknown(NAME, PLACEHOLDER, format!("{why}; {OPTION}"))
        }
        None => Value::unknown(NAME, PLACEHOLDER, format!("the name of this computer cannot be told; {OPTION}")),
    }
}

fn registrar(ucma: &UcmaSettings) -> Value {
    const NAME: &str = "front end pool";
    let why = match &ucma.pool.address {
        Some(PoolAddress { host, .. }) if this_computer::is_fully_qualified(host) => {
            return Value::known(NAME, host, "Address of <Pool>");
        }
        Some(_) => "Address of <Pool> is no fully qualified name",
        None => "<Pool> has no Address",
    };
    Value::unknown(NAME, "<FRONT-END-POOL-FQDN>", format!("{why}; Get-CsPool lists the pools"))
}

/// The name behind `urn:application:`, in any case.
fn without_prefix(id: &str) -> &str {
    const PREFIX: &str = "urn:application:";
    match id.get(..PREFIX.len()) {
        Some(start) if start.eq_ignore_ascii_case(PREFIX) => &id[PREFIX.len()..],
        _ => id,
    }
}
