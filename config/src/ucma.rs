//! `UcmaPresenceSource`: its two endpoints and, our addition, the pool.

use std::path::PathBuf;

use crate::diagnostic::{Severity, shown};
use crate::document::{Attribute, Element};
use crate::fields::{Context, attribute, given};
use crate::secrets::PEM;
use crate::settings::{Dialect, PoolSettings, Transport, UcmaSettings, UserEndpoint};
use crate::values;

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
    let listen = context.value(pool, "Listen", values::listen).or(PoolSettings::default_listen(dialect));
    let settings = PoolSettings {
        address,
        transport,
        dialect,
        listen,
        certificate: file(pool, "Certificate", context),
        private_key: file(pool, "PrivateKey", context),
        trusted_certificates: file(pool, "TrustedCertificates", context),
        peer_names: peer_names(pool, context),
        user_name: given(pool, "UserName").map(|name| name.value.trim().to_owned()),
        password_file: file(pool, "PasswordFile", context),
        use_registration: context.value_or(pool, "UseRegistration", "Pool/@UseRegistration", true, values::boolean),
    };
    pairs(pool, &settings, context);
    settings
}

fn file(pool: &Element<'_>, name: &str, context: &mut Context<'_>) -> Option<PathBuf> {
    let attribute = given(pool, name)?;
    let text = attribute.value.trim();
    if text.starts_with(PEM) {
        let message = format!("{} holds a certificate or key itself", shown(attribute.name));
        let help = "put it into a file that only the service may read, and write the name of that file here";
        context.complain(attribute.name_span.clone(), message, help);
        return None;
    }
    if let Some(c) = text.chars().find(|c| c.is_control()) {
        let message = format!(
            "{} is not the name of a file: it has the character {}",
            shown(attribute.name),
            shown(&c.to_string())
        );
        context.complain(attribute.place(), message, "write the name of a file");
        return None;
    }
    Some(PathBuf::from(text))
}

fn peer_names(pool: &Element<'_>, context: &mut Context<'_>) -> Vec<String> {
    let Some(attribute) = given(pool, "PeerNames") else { return Vec::new() };
    let mut names: Vec<String> = Vec::new();
    for name in attribute.value.split([',', ';', ' ', '\t', '\r', '\n']).filter(|name| !name.is_empty()) {
        // A value without references stands in the file as it is, so that the name can be pointed at.
        let at = attribute.value.find(name).filter(|_| attribute.value.len() == attribute.value_span.len());
        let place = at.map_or(attribute.place(), |at| {
            attribute.value_span.start + at..attribute.value_span.start + at + name.len()
        });
        match values::host_name(name) {
            Ok(()) => {
                let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            Err(reason) => {
                let help = "write the names that the pool's certificates carry, separated by commas";
                context.complain(place, format!("{} is no host name: {reason}", shown(name)), help);
            }
        }
    }
    names
}

/// Attributes that need or exclude each other.
fn pairs(pool: &Element<'_>, settings: &PoolSettings, context: &mut Context<'_>) {
    let needs = [
        ("Certificate", settings.certificate.is_some(), "PrivateKey", settings.private_key.is_some()),
        ("PrivateKey", settings.private_key.is_some(), "Certificate", settings.certificate.is_some()),
        ("UserName", settings.user_name.is_some(), "PasswordFile", settings.password_file.is_some()),
        ("PasswordFile", settings.password_file.is_some(), "UserName", settings.user_name.is_some()),
    ];
    for (name, is_there, other, other_is_there) in needs {
        if is_there
            && !other_is_there
            && attribute(pool, other).is_none_or(|other| other.value.trim().is_empty())
            && let Some(place) = given(pool, name)
            && !pool.damaged
        {
            let message = format!("{} without {}", shown(place.name), shown(other));
            let help = match other {
                "PrivateKey" => "write the file of its key; it may be the same file".to_owned(),
                "Certificate" => "write the file of the certificate that belongs to this key".to_owned(),
                "PasswordFile" => "write the file whose first line is the password of this user".to_owned(),
                _ => "write the name of the user whose password this is".to_owned(),
            };
            context.complain(place.name_span.clone(), message, help);
        }
    }
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
