//! `UcmaPresenceSource`: its two endpoints and, our addition, the pool.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::diagnostic::{Severity, shown};
use crate::document::{Attribute, Element};
use crate::fields::{Context, attribute, given};
use crate::settings::{
    DEFAULT_LISTEN_PORT, DEFAULT_SAMPLE_INTERVAL, Dialect, PoolSettings, Transport, UcmaSettings, UserEndpoint,
};
use crate::{names, values};

/// What to write beside `Certificate`.
pub(crate) const KEY_OF_CERTIFICATE: &str = "write the file of its key; it may be the same file";
/// What to write beside `PrivateKey`.
pub(crate) const CERTIFICATE_OF_KEY: &str = "write the file of the certificate that belongs to this key";
const ALL_ADDRESSES: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), DEFAULT_LISTEN_PORT);
const PEER_NAMES: &str = "write the names that the pool's certificates carry, separated by commas";

/// The source, or `None` when something mandatory is missing or wrong (after a complaint).
pub(crate) fn read(source: &Element<'_>, context: &mut Context<'_>) -> Option<UcmaSettings> {
    let application_id = application_id(source, context);
    let application_endpoint = source.children_named("ApplicationEndpoint").next();
    let owner = match application_endpoint {
        Some(endpoint) => context
            .required(endpoint, "OwnerUri", "sip:ucc_presenceprovider01@example.com")
            .and_then(|owner| context.uri(owner, true)),
        None => {
            let help = "write `<ApplicationEndpoint OwnerUri=\"sip:...\" />` inside it; it needs exactly one";
            context.missing(source, format!("{} has no `ApplicationEndpoint`", shown(source.name)), help);
            None
        }
    };
    let user_endpoint =
        source.children_named("UserEndpoint").next().and_then(|endpoint| user_endpoint(endpoint, context));
    if let (Some(owner), Some(user)) = (&owner, &user_endpoint)
        && *owner == user.uri
        && let Some(place) = source.children_named("UserEndpoint").next().and_then(|user| given(user, "UserUri"))
    {
        let message = format!("the user endpoint is the application endpoint again: {}", shown(owner.as_str()));
        let help = "name another user, or remove `UserEndpoint`; it is needed in hybrid environments only";
        context.findings.warning(place.place(), message, help);
    }
    let pool = match source.children_named("Pool").next() {
        Some(element) => pool(element, context),
        None => {
            context.defaulted.extend([
                "Pool/@Address",
                "Pool/@Transport",
                "Pool/@Dialect",
                "Pool/@Listen",
                "Pool/@UseRegistration",
                "Pool/@SampleInterval",
            ]);
            PoolSettings::default()
        }
    };
    Some(UcmaSettings { application_id: application_id?, application_endpoint: owner?, user_endpoint, pool })
}

fn application_id(source: &Element<'_>, context: &mut Context<'_>) -> Option<String> {
    const PREFIX: &str = "urn:application:";
    let id = context.required(source, "ApplicationId", "urn:application:ucc_presenceprovider01")?;
    let text = id.value.trim();
    if text.contains(char::is_whitespace) {
        context.complain(id.place(), format!("{} contains a blank", shown(id.name)), "remove it");
        return None;
    }
    let prefix = text.get(..PREFIX.len()).unwrap_or_default();
    if !prefix.eq_ignore_ascii_case(PREFIX) || text.len() == PREFIX.len() {
        let name = text.rsplit(':').next().filter(|name| !name.is_empty()).unwrap_or("ucc_presenceprovider01");
        let message = format!("the application id {} does not begin with `{PREFIX}` and a name", shown(text));
        context.findings.warning(id.place(), message, format!("write {}", shown(&format!("{PREFIX}{name}"))));
    }
    Some(text.to_owned())
}

fn user_endpoint(endpoint: &Element<'_>, context: &mut Context<'_>) -> Option<UserEndpoint> {
    let pool = context.value(endpoint, "PoolFqdn", values::address);
    let Some(user) = given(endpoint, "UserUri") else {
        // The makers' own samples write UserUri="" for "no user endpoint".
        if attribute(endpoint, "UserUri").is_none() {
            let help = "write `UserUri=\"sip:user@domain\"`, or remove the element";
            context.missing(endpoint, format!("{} has no `UserUri`", shown(endpoint.name)), help);
        } else if let Some(pool) = given(endpoint, "PoolFqdn") {
            let message = "a pool without a user: `UserUri` is empty, so that there is no user endpoint";
            context.findings.warning(pool.place(), message, "write the user's SIP URI, or empty `PoolFqdn` as well");
        }
        return None;
    };
    Some(UserEndpoint { uri: context.uri(user, true)?, pool })
}

fn pool(pool: &Element<'_>, context: &mut Context<'_>) -> PoolSettings {
    if given(pool, "Address").is_none() {
        context.defaulted.insert("Pool/@Address");
    }
    let address = context.value(pool, "Address", values::address);
    let transport = context.value_or(pool, "Transport", "Pool/@Transport", Transport::default(), |text| {
        values::word(text, &["udp", "tcp", "tls"])
    });
    let dialect = context.value_or(pool, "Dialect", "Pool/@Dialect", Dialect::default(), |text| {
        values::word(text, &["skype", "simple"])
    });
    if given(pool, "Listen").is_none() {
        context.defaulted.insert("Pool/@Listen");
    }
    let listen = context
        .value(pool, "Listen", |text| values::listen(text, ALL_ADDRESSES))
        .or(PoolSettings::default_listen(dialect));
    let settings = PoolSettings {
        address,
        transport,
        dialect,
        listen,
        certificate: names::file(pool, "Certificate", context),
        private_key: names::file(pool, "PrivateKey", context),
        trusted_certificates: names::file(pool, "TrustedCertificates", context),
        peer_names: names::hosts(pool, "PeerNames", PEER_NAMES, context),
        user_name: given(pool, "UserName").map(|name| name.value.trim().to_owned()),
        password_file: names::file(pool, "PasswordFile", context),
        use_registration: context.value_or(pool, "UseRegistration", "Pool/@UseRegistration", true, values::boolean),
        sample_interval: context.value_or(
            pool,
            "SampleInterval",
            "Pool/@SampleInterval",
            Some(DEFAULT_SAMPLE_INTERVAL),
            values::sample_interval,
        ),
    };
    pairs(pool, &settings, context);
    settings
}

/// Attributes that need or exclude each other.
fn pairs(pool: &Element<'_>, settings: &PoolSettings, context: &mut Context<'_>) {
    let certificate = ("Certificate", settings.certificate.is_some());
    let key = ("PrivateKey", settings.private_key.is_some());
    let user = ("UserName", settings.user_name.is_some());
    let password = ("PasswordFile", settings.password_file.is_some());
    names::needs(pool, certificate, key, KEY_OF_CERTIFICATE, context);
    names::needs(pool, key, certificate, CERTIFICATE_OF_KEY, context);
    names::needs(pool, user, password, "write the file whose first line is the password of this user", context);
    names::needs(pool, password, user, "write the name of the user whose password this is", context);
    if settings.transport != Transport::Tls && context.severity == Severity::Error {
        for name in ["Certificate", "PrivateKey", "TrustedCertificates", "PeerNames"] {
            if let Some(place) = given(pool, name) {
                let message = format!(
                    "{} is not used with the transport {}",
                    shown(place.name),
                    shown(settings.transport.as_str())
                );
                context.findings.warning(place.name_span.clone(), message, "write `Transport=\"tls\"`, or remove it");
            }
        }
    }
    dialect(pool, settings, context);
}

/// What only one of the two dialects takes.
fn dialect(pool: &Element<'_>, settings: &PoolSettings, context: &mut Context<'_>) {
    const HELP: &str = "write `Transport=\"tls\"`, or `Dialect=\"simple\"` for another presence server";
    // A dialect or transport that cannot be read has its own complaint.
    let unread =
        |name: &str, read: &str| given(pool, name).is_some_and(|it| !it.value.trim().eq_ignore_ascii_case(read));
    if unread("Dialect", settings.dialect.as_str()) || unread("Transport", settings.transport.as_str()) {
        return;
    }
    let transport = || given(pool, "Transport").map_or(pool.name_span.clone(), Attribute::place);
    // Inside a source that is not enabled a mistake is a warning, and the finer points are left out.
    let enabled = context.severity == Severity::Error;
    match (settings.dialect, settings.transport) {
        (Dialect::Skype, Transport::Udp) => {
            context.complain(transport(), "Skype for Business speaks TLS, never udp; tcp is for tests", HELP);
        }
        (Dialect::Skype, Transport::Tcp) if enabled => {
            context.findings.warning(transport(), "Skype for Business speaks TLS; tcp is for tests", HELP);
        }
        (Dialect::Skype | Dialect::Simple, _) => {}
    }
    if !enabled {
        return;
    }
    match settings.dialect {
        Dialect::Skype => {
            if let Some(user) = given(pool, "UserName") {
                let message = "a Skype for Business pool does not ask a trusted application for a password";
                let help = "leave `UserName` and `PasswordFile` out, unless the pool does challenge this endpoint";
                context.findings.add(Severity::Hint, user.name_span.clone(), message, help);
            }
            if let Some(place) = given(pool, "UseRegistration")
                && !settings.use_registration
            {
                let message = "an endpoint that is not registered gets no presence from a Skype for Business pool";
                let help = "leave `UseRegistration` out, unless the pool is known to serve endpoints without it";
                context.findings.warning(place.place(), message, help);
            }
        }
        Dialect::Simple => {
            if let Some(place) = given(pool, "UseRegistration") {
                let message = format!("{} is not used with the dialect `simple`", shown(place.name));
                context.findings.warning(
                    place.name_span.clone(),
                    message,
                    "remove it, or write `Dialect=\"skype\"` for a Skype for Business pool",
                );
            }
        }
    }
}
