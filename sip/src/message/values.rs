//! The headers of subscriptions and of Microsoft's diagnostics, read.

use std::time::Duration;

use super::text::{self, Params, is_token, saturating_number, trim};

/// The Event header (RFC 6665 section 8.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventHeader<'a> {
    /// The package with its templates, such as `presence` or `presence.winfo`. Compared with regard to case.
    pub package: &'a str,
    /// The `id`, which tells two subscriptions of one dialog apart.
    pub id: Option<&'a str>,
}

impl<'a> EventHeader<'a> {
    /// Reads the header; `None` when it is malformed.
    #[must_use]
    pub fn parse(value: &'a str) -> Option<Self> {
        let (package, params) = head_and_params(value)?;
        is_token(package).then_some(Self { package, id: params.get("id") })
    }
}

/// The first word of the Subscription-State header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionPhase {
    /// Accepted and authorised.
    Active,
    /// Accepted, and a decision is still to come.
    Pending,
    /// Over.
    Terminated,
    /// A word that RFC 6665 does not know; to be treated as active with regard to the dialog.
    Other,
}

/// The Subscription-State header (RFC 6665 section 8.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionState<'a> {
    /// Its first word, compared without regard to case.
    pub state: SubscriptionPhase,
    /// Why it is terminated.
    pub reason: Option<&'a str>,
    /// How long to wait before another attempt.
    pub retry_after: Option<Duration>,
    /// How long the subscription still lives; binding (RFC 6665 section 4.1.3).
    pub expires: Option<Duration>,
}

impl<'a> SubscriptionState<'a> {
    /// Reads the header; `None` when it is malformed.
    #[must_use]
    pub fn parse(value: &'a str) -> Option<Self> {
        let (word, params) = head_and_params(value)?;
        let state = match word {
            _ if word.eq_ignore_ascii_case("active") => SubscriptionPhase::Active,
            _ if word.eq_ignore_ascii_case("pending") => SubscriptionPhase::Pending,
            _ if word.eq_ignore_ascii_case("terminated") => SubscriptionPhase::Terminated,
            _ if is_token(word) => SubscriptionPhase::Other,
            _ => return None,
        };
        let seconds = |name| params.get(name).and_then(delta_seconds);
        Some(Self {
            state,
            reason: params.get("reason"),
            retry_after: seconds("retry-after"),
            expires: seconds("expires"),
        })
    }
}

/// The ms-diagnostics header (MS-OCER): `1003;reason="User does not exist";source="fe.example.com"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MsDiagnostics<'a> {
    /// The number before an eventual dot: 1xxx the SIP stack, 2xxx presence, 4xxx user services.
    pub id: u32,
    /// The text for a person.
    pub reason: Option<&'a str>,
    /// The server that says it.
    pub source: Option<&'a str>,
}

impl<'a> MsDiagnostics<'a> {
    /// Reads the header; `None` when it does not begin with a number.
    #[must_use]
    pub fn parse(value: &'a str) -> Option<Self> {
        let (id, params) = head_and_params(value)?;
        let id = saturating_number(id.split('.').next().unwrap_or_default())?;
        Some(Self { id, reason: params.get("reason"), source: params.get("source") })
    }
}

fn head_and_params(value: &str) -> Option<(&str, Params<'_>)> {
    let (head, params) = text::cut(value, value.find(';').unwrap_or(value.len()));
    Some((trim(head), Params::parse(params)?))
}

/// Seconds; a number beyond 2^32 - 1 is that (RFC 3261 section 20.19 allows no more).
pub(crate) fn delta_seconds(text: &str) -> Option<Duration> {
    saturating_number(text).map(|seconds| Duration::from_secs(seconds.into()))
}

/// The number of a CSeq, below 2^31 (RFC 3261 section 8.1.1.5), and its method.
pub(crate) fn cseq(value: &str) -> Option<(u32, &str)> {
    let (number, method) = value.split_once([' ', '\t'])?;
    let method = trim(method);
    let digits = number.bytes().all(|b| b.is_ascii_digit());
    let number = digits.then(|| number.parse().ok())??;
    (number < 1 << 31 && is_token(method)).then_some((number, method))
}
