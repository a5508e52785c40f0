//! What a server says of a registration that it ended or restored (MS-SIPREGE 2.2.1.13).

/// The body of a NOTIFY of the event `registration-notify`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistrationEvent {
    /// `deregistered;event=unregistered`: too many endpoints, or another one took the place (diagnostics 4140).
    Unregistered,
    /// `deregistered;event=rejected`: the user was disabled or removed (4141).
    Rejected,
    /// `deregistered;event=deactivated`: the user was moved, or is unavailable for a while (4142).
    Deactivated,
    /// `deregistered;event=userservices-unavailable`: presence is down, the registration is not (4165).
    UserServicesUnavailable,
    /// `deregistered;event=preferred-registrar-change`: register where `P-Preferred-Registrar` says (4166, 4167).
    PreferredRegistrarChange,
    /// `registered;event=userservices-…`: presence is back. No source has the last word in full.
    UserServicesAvailable,
    /// Anything else, as written.
    Other(Box<str>),
}

/// The longest line that is looked at, in bytes.
const LONGEST: usize = 256;

/// Reads a `text/registration-event` body: its first line that is not empty. `None` when there is none, or when it is
/// longer than 256 bytes or not UTF-8.
#[must_use]
pub fn read_registration_event(body: &[u8]) -> Option<RegistrationEvent> {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    let line =
        body.split(|byte| matches!(byte, b'\r' | b'\n')).map(<[u8]>::trim_ascii).find(|line| !line.is_empty())?;
    if line.len() > LONGEST {
        return None;
    }
    let line = std::str::from_utf8(line).ok()?;
    Some(known(line).unwrap_or_else(|| RegistrationEvent::Other(line.into())))
}

fn known(line: &str) -> Option<RegistrationEvent> {
    let lower = line.to_ascii_lowercase();
    let mut parts = lower.split(';').map(str::trim);
    let state = parts.next()?;
    let (_, event) = parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.trim_end() == "event")?;
    let event = event.trim().trim_matches('"');
    match (state, event) {
        ("deregistered", "unregistered") => Some(RegistrationEvent::Unregistered),
        ("deregistered", "rejected") => Some(RegistrationEvent::Rejected),
        ("deregistered", "deactivated") => Some(RegistrationEvent::Deactivated),
        ("deregistered", "userservices-unavailable") => Some(RegistrationEvent::UserServicesUnavailable),
        ("deregistered", "preferred-registrar-change") => Some(RegistrationEvent::PreferredRegistrarChange),
        ("registered", event) if event.starts_with("userservices-") => Some(RegistrationEvent::UserServicesAvailable),
        _ => None,
    }
}
