//! What a refusal means: every status code and every diagnosis of Microsoft's once, to who owns the failure.

use presence_core::{Failure, FailureKind};

use crate::message::Message;
use crate::response::reason_phrase;

/// The diagnoses that say more than the status code (MS-OCER); the others leave the decision to it.
///
/// Statuses beside them vary between versions, so the number decides.
const fn by_diagnosis(id: u32) -> Option<FailureKind> {
    Some(match id {
        // The subscriber may not: not authorised for PIC or a federated partner, by the agent, as this From.
        1001 | 1002 | 2004 | 4003 | 4004 => FailureKind::Forbidden,
        // There is no such user, or not on this pool.
        1003 | 2005 | 4005 | 4006 | 4007 => FailureKind::NotFound,
        // The route set or the dialog is gone, or a new subscription is asked for.
        1004 | 2014 | 2016 => FailureKind::Dialog,
        // The agent's server cannot be reached for now; the agent has too many watchers.
        1007 | 1008 | 1010..=1014 | 2011 | 2012 | 4008 => FailureKind::Transient,
        // We speak wrongly: the pool wants another dialect or our epid. No agent is to blame.
        2013 | 4001 | 4002 | 4010..=4013 | 2165 => FailureKind::Endpoint,
        _ => return None,
    })
}

const fn by_status(status: u16) -> FailureKind {
    match status {
        // The user may not be watched by us.
        403 | 603 | 606 => FailureKind::Forbidden,
        404 | 410 | 485 | 484 | 604 => FailureKind::NotFound,
        // The notifier knows the dialog no longer, or never did.
        481 => FailureKind::Dialog,
        // The pool: it is overloaded, moves us, wants a name and a password, or does not do presence.
        300..=399 | 401 | 405 | 407 | 430 | 439 | 489 | 494 | 501 | 503 | 505 => FailureKind::Endpoint,
        // All others are this request's, perhaps not for long: 408, 480, 486, 500, 504, 600, ...
        _ => FailureKind::Transient,
    }
}

/// What a status and a diagnosis mean that stand elsewhere than in an answer, such as in a resource list.
pub(crate) fn failure_kind(status: u16, diagnosis: Option<u32>) -> FailureKind {
    diagnosis.and_then(by_diagnosis).unwrap_or_else(|| by_status(status))
}

/// What the failure that this final answer tells of means (the product's failure table): its ms-diagnostics decide
/// first, the status code second. For 3xx to 6xx; requests that can be repaired (401, 407, 423, 420) are the
/// transaction's business before.
///
/// ```
/// use presence_core::FailureKind;
/// use presence_sip::{Limits, Message, classify};
/// let answer = "SIP/2.0 480 Temporarily Unavailable\r\nms-diagnostics: 1003;reason=\"User does not exist\"\r\n\r\n";
/// let answer = Message::parse(answer.into(), &Limits::default())?;
/// let failure = classify(480, &answer);
/// assert_eq!(failure.kind, FailureKind::NotFound);
/// assert_eq!(failure.ms_diagnostics, Some(1003));
/// assert_eq!(failure.to_string(), "480 User does not exist (ms-diagnostics 1003)");
/// # Ok::<(), presence_sip::ParseError>(())
/// ```
#[must_use]
pub fn classify(status: u16, message: &Message) -> Failure {
    let diagnostics = message.ms_diagnostics();
    let kind = failure_kind(status, diagnostics.map(|found| found.id));
    let phrase = if message.reason().is_empty() { reason_phrase(status) } else { message.reason() };
    let detail = match diagnostics {
        Some(found) => format!("{} (ms-diagnostics {})", found.reason.unwrap_or(phrase), found.id),
        None => phrase.to_owned(),
    };
    Failure::answered(kind, status, detail)
        .with_retry_after(message.retry_after())
        .with_ms_diagnostics(diagnostics.map(|found| found.id))
}
