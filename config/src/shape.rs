//! Which names the file knows, and where each belongs. Values are not looked at here.

use crate::diagnostic::{Findings, shown};
use crate::document::Element;
use crate::secrets::is_secret_name;

/// An element that means something to us.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    parent: &'static str,
    pub(crate) attributes: &'static [&'static str],
    /// At most one inside its parent.
    once: bool,
}

const fn kind(name: &'static str, parent: &'static str, attributes: &'static [&'static str], once: bool) -> Kind {
    Kind { name, parent, attributes, once }
}

/// The outermost element.
pub(crate) const ROOT: &str = "config";
/// The element of the presence provider.
pub(crate) const PROVIDER: &str = "PresenceProvider";
/// The element of the Microsoft Graph source.
pub(crate) const GRAPH: &str = "MsGraphPresenceSource";
/// The element of the HTTP API.
pub(crate) const HTTP: &str = "Http";
/// The element of what a restart begins with.
pub(crate) const STATE: &str = "State";
/// The element of the queues.
pub(crate) const QUEUES: &str = "UnifiedContactCenters";

/// The other spelling of a name in the documentation, and the name.
const ALIASES: [(&str, &str); 2] = [
    ("FailedPresenceSubscriptionResubscribeDelay", "FailedPresenceSubscriptionsResubscribeDelay"),
    ("MaxFailedPresenceSubscriptionResubscribeDelay", "MaxFailedPresenceSubscriptionsResubscribeDelay"),
];

/// Every element that we know; the root itself has no entry.
pub(crate) const KINDS: [Kind; 20] = [
    kind(
        PROVIDER,
        ROOT,
        &[
            "MaxPresenceSubscriptionsPerSecond",
            "FailedPresenceSubscriptionsResubscribeDelay",
            "MaxFailedPresenceSubscriptionsResubscribeDelay",
            "MaxFailedPresenceSubscriptionsPerUri",
        ],
        true,
    ),
    kind("UcmaPresenceSource", PROVIDER, &["enabled", "ApplicationId"], true),
    kind("ApplicationEndpoint", "UcmaPresenceSource", &["OwnerUri"], true),
    kind("UserEndpoint", "UcmaPresenceSource", &["UserUri", "PoolFqdn"], true),
    kind(
        "Pool",
        "UcmaPresenceSource",
        &[
            "Address",
            "Transport",
            "Dialect",
            "Listen",
            "Certificate",
            "PrivateKey",
            "TrustedCertificates",
            "PeerNames",
            "UserName",
            "PasswordFile",
            "UseRegistration",
            "SampleInterval",
        ],
        true,
    ),
    kind("PstnPresenceSource", PROVIDER, &["enabled"], true),
    kind("AttendantServiceSource", PROVIDER, &["enabled"], true),
    kind("Match", "AttendantServiceSource", &["pattern"], false),
    kind(
        GRAPH,
        PROVIDER,
        &[
            "enabled",
            "Cloud",
            "LoginUrl",
            "GraphUrl",
            "SweepInterval",
            "RequestsPerSecond",
            "AgentsPerSecond",
            "Credentials",
            "StateDirectory",
            "Proxy",
            "TrustedCertificates",
        ],
        true,
    ),
    kind("Accounts", GRAPH, &[], true),
    kind("Account", "Accounts", &["Id", "TenantId", "Domains"], false),
    kind("Match", GRAPH, &["pattern"], false),
    kind("Users", GRAPH, &[], true),
    kind("User", "Users", &["Uri", "ObjectId"], false),
    kind("Notifications", GRAPH, &["enabled", "Url", "SweepInterval"], true),
    kind(
        HTTP,
        PROVIDER,
        &[
            "enabled",
            "Listen",
            "Tokens",
            "Certificate",
            "PrivateKey",
            "HostNames",
            "UccLinger",
            "EventsKept",
            "RequestsPerSecond",
            "MaxConnections",
        ],
        true,
    ),
    kind(STATE, PROVIDER, &["enabled", "Directory"], true),
    kind(QUEUES, ROOT, &[], false),
    kind("UnifiedContactCenter", QUEUES, &["Name"], false),
    kind("Agent", "UnifiedContactCenter", &["Uri", "Formal", "Active"], false),
];

/// The name that is meant by an alias, or the name itself.
pub(crate) fn canonical(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name)).map_or(name, |&(_, name)| name)
}

fn known(name: &str) -> Option<&'static Kind> {
    kinds(name).next()
}

/// Every place of an element: `Match` has two.
fn kinds(name: &str) -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().filter(move |kind| kind.name.eq_ignore_ascii_case(name))
}

/// Names that the Core's own elements may have for something else.
fn is_common(kind: &Kind) -> bool {
    kind.parent == GRAPH || ["Account", "User", STATE].contains(&kind.name)
}

/// The known name that `name` was probably meant to be.
pub(crate) fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let lower = name.to_lowercase();
    names
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|&(distance, candidate)| distance <= 1.max(candidate.len() / 4))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Whether unknown names are worth a warning: ours alone, or an element that the Core's own file may share with us.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Neighbours {
    Ours,
    Shared,
}

/// Checks every name of the file that is our business.
pub(crate) fn check(root: &Element<'_>, findings: &mut Findings) {
    if !root.is(ROOT) {
        return;
    }
    let mut provider: Option<&Element<'_>> = None;
    for child in &root.children {
        if child.is(PROVIDER) {
            repeated(&mut provider, child, findings);
            element(child, known(PROVIDER), Neighbours::Ours, findings);
        } else if child.is(QUEUES) {
            element(child, known(QUEUES), Neighbours::Shared, findings);
        } else if let Some(kind) = known(child.name).filter(|kind| kind.parent == PROVIDER) {
            misplaced(child, kind, ROOT, findings);
        }
    }
}

/// One element of ours and everything inside it.
fn element(element: &Element<'_>, kind: Option<&Kind>, neighbours: Neighbours, findings: &mut Findings) {
    let Some(kind) = kind else { return };
    attributes(element, kind, neighbours, findings);
    if let Some(text) = &element.text
        && neighbours == Neighbours::Ours
    {
        let message = format!("text inside {}; it is ignored", shown(element.name));
        findings.warning(text.clone(), message, "remove it, or make it a comment: `<!-- ... -->`");
    }
    let here: Vec<&Kind> = KINDS.iter().filter(|other| other.parent == kind.name).collect();
    let mut first: Vec<Option<&Element<'_>>> = vec![None; here.len()];
    for child in &element.children {
        if let Some(at) = here.iter().position(|kind| child.is(kind.name)) {
            if here[at].once {
                repeated(&mut first[at], child, findings);
            }
            self::element(child, Some(here[at]), neighbours, findings);
        } else if let Some(other) =
            known(child.name).filter(|other| neighbours == Neighbours::Ours || !is_common(other))
        {
            misplaced(child, other, kind.name, findings);
        } else {
            unknown_element(child, kind.name, here.iter().map(|kind| kind.name), neighbours, findings);
        }
    }
}

fn repeated<'e, 'a>(first: &mut Option<&'e Element<'a>>, element: &'e Element<'a>, findings: &mut Findings) {
    let Some(earlier) = first else {
        *first = Some(element);
        return;
    };
    let line = findings.line(earlier.name_span.start);
    let message = format!("a second {}; the first is in line {line}", shown(element.name));
    let help = "only one is allowed here: put everything into one, or remove one";
    findings.error(element.name_span.clone(), message, help);
}

fn misplaced(child: &Element<'_>, kind: &Kind, parent: &str, findings: &mut Findings) {
    let message = format!("{} does not belong directly into {}", shown(child.name), shown(parent));
    let beside = if kind.name == QUEUES { ", beside `<PresenceProvider>`" } else { "" };
    let places: Vec<String> = kinds(kind.name).map(|kind| shown(&format!("<{}>", kind.parent))).collect();
    let help = format!("move it into {}{beside}", places.join(" or "));
    findings.error(child.name_span.clone(), message, help);
}

fn unknown_element<'n>(
    child: &Element<'_>,
    parent: &str,
    names: impl Iterator<Item = &'n str> + Clone,
    neighbours: Neighbours,
    findings: &mut Findings,
) {
    let span = child.name_span.clone();
    if neighbours == Neighbours::Ours && is_secret_name(child.name) {
        secret(span, child.name, findings);
        return;
    }
    let near = nearest(child.name, names.clone());
    if near.is_none() && neighbours == Neighbours::Shared {
        return;
    }
    let message = format!("unknown element {} inside {}; it is ignored", shown(child.name), shown(parent));
    findings.warning(span, message, advice(near, names, "elements", parent));
}

fn attributes(element: &Element<'_>, kind: &Kind, neighbours: Neighbours, findings: &mut Findings) {
    for (index, attribute) in element.attributes.iter().enumerate() {
        let name = canonical(attribute.name);
        let span = attribute.name_span.clone();
        if is_secret_name(name) {
            secret(span, attribute.name, findings);
            continue;
        }
        if name == "xmlns" || name.contains(':') {
            continue;
        }
        let mut earlier = element.attributes[..index].iter();
        if let Some(first) = earlier.find(|other| canonical(other.name).eq_ignore_ascii_case(name)) {
            let place = match findings.line(first.name_span.start) {
                line if line == findings.line(span.start) => "earlier in this line".to_owned(),
                line => format!("in line {line}"),
            };
            let message = format!("a second {}; the first, {place}, is {}", shown(attribute.name), shown(&first.value));
            let help = "keep one of them; upper and lower case make no difference";
            findings.error(span, message, help);
            continue;
        }
        if kind.attributes.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            continue;
        }
        let names = kind.attributes.iter().copied();
        let near = nearest(name, names.clone());
        if near.is_some() || neighbours == Neighbours::Ours {
            let message =
                format!("unknown attribute {} of {}; it is ignored", shown(attribute.name), shown(element.name));
            findings.warning(span, message, advice(near, names, "attributes", kind.name));
        }
    }
}

fn advice<'n>(near: Option<&str>, names: impl Iterator<Item = &'n str>, what: &str, owner: &str) -> String {
    if let Some(near) = near {
        return format!("did you mean {}?", shown(near));
    }
    let names: Vec<String> = names.map(shown).collect();
    if names.is_empty() {
        return format!("{} has no {what}; remove it", shown(owner));
    }
    format!("the {what} of {} are {}", shown(owner), names.join(", "))
}

fn secret(span: std::ops::Range<usize>, name: &str, findings: &mut Findings) {
    let message = format!("{} is a secret, and secrets do not belong into this file", shown(name));
    let help = "put it into a file of its own that only the service may read (the password of a pool: `PasswordFile` \
                of `Pool` names it; the secret of an account: the credential file of that account), and change it, because \
                it has been readable here";
    findings.error(span, message, help);
}
