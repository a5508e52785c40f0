//! Why the API gave no answer, and what an operator does about it.

use std::fmt::Write;

use presence_core::log_text::Safe;

use crate::answer::Answer;
use crate::exit::Exit;

/// So begins the reason when TLS does not come about.
pub(crate) const TLS_FAILED: &str = "TLS failed";

/// Why there is no answer. Texts are shown through [`Safe`] only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// What the operator gave cannot be used: a file, a variable of the environment.
    Usage(String),
    /// Nothing answers there.
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        why: String,
    },
    /// What answers is no provider, or one of another version.
    Foreign {
        /// Where.
        url: String,
        /// What was wrong with the answer.
        why: String,
    },
    /// The provider says what is wrong (RFC 9457).
    Problem {
        /// The HTTP status.
        status: u16,
        /// What is wrong.
        detail: String,
        /// Wait for so many seconds before the next try.
        retry_after: Option<u64>,
        /// True when a token was sent.
        with_token: bool,
    },
}

impl Unanswered {
    /// In how many seconds it is worth to try again at the earliest; nothing when trying again does not help.
    pub(crate) const fn again(&self) -> Option<u64> {
        match self {
            Self::Unreachable { .. } => Some(0),
            Self::Problem { status: 429 | 500.., retry_after, .. } => match retry_after {
                Some(seconds) => Some(*seconds),
                None => Some(0),
            },
            Self::Usage(_) | Self::Foreign { .. } | Self::Problem { .. } => None,
        }
    }

    /// In one line, without what to do.
    pub(crate) fn line(&self) -> String {
        match self {
            Self::Usage(why) => Safe(why).to_string(),
            Self::Unreachable { url, why } => format!("no provider answers at {}: {}", Safe(url), Safe(why)),
            Self::Foreign { url, why } => {
                format!("what answers at {} is no presence-provider of this version: {}", Safe(url), Safe(why))
            }
            Self::Problem { detail, .. } => Safe(detail).to_string(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Usage(_) => None,
            Self::Unreachable { why, .. } if why.starts_with(TLS_FAILED) => Some(
                "--ca names a file (PEM) with the authority that issued the provider's certificate; the name in --url must \
                 be one that the certificate holds"
                    .into(),
            ),
            Self::Foreign { url, .. } if url.starts_with("http://") => {
                Some("say where the provider is with --url or PRESENCE_PROVIDER_URL; one that speaks TLS is at https://".into())
            }
            Self::Unreachable { .. } => Some(
                "start it with `presence-provider run`, or say where it is with --url or PRESENCE_PROVIDER_URL".into(),
            ),
            Self::Foreign { .. } => Some("say where the provider is with --url or PRESENCE_PROVIDER_URL".into()),
            Self::Problem { status: 401, with_token: false, .. } => Some(
                "create a token with `presence-provider token create` on the computer of the provider, and give it with \
                 --token-file or in PRESENCE_PROVIDER_TOKEN"
                    .into(),
            ),
            Self::Problem { status: 401, .. } => Some(
                "the token is not known there: see `presence-provider token list`, or create one with \
                 `presence-provider token create`"
                    .into(),
            ),
            Self::Problem { status: 403, .. } => Some(
                "use a token with more scopes: `read` is needed to look, `operate` to revive".into(),
            ),
            Self::Problem { retry_after: Some(seconds), .. } => Some(format!("try again in {seconds} s")),
            Self::Problem { .. } => None,
        }
    }

    /// How the process ends because of it.
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Problem { status: 400, .. } => Exit::Usage,
            Self::Problem { status: 401 | 403, .. } => Exit::NoPermission,
            Self::Problem { status: 404 | 409 | 422, .. } => Exit::No,
            Self::Unreachable { .. } | Self::Foreign { .. } | Self::Problem { .. } => Exit::Unavailable,
        }
    }

    /// The text for the standard error.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("error: {}\n", self.line());
        if let Some(hint) = self.hint() {
            // Writing into a String does not fail.
            let _ = writeln!(text, "hint: {hint}");
        }
        text
    }
}

impl From<Unanswered> for Answer {
    fn from(unanswered: Unanswered) -> Self {
        Self::failed(unanswered.exit(), unanswered.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(status: u16, with_token: bool) -> Unanswered {
        Unanswered::Problem { status, detail: "it is \u{1b}[31mso".into(), retry_after: None, with_token }
    }

    #[test]
    fn the_end_says_who_must_act() {
        let unreachable = Unanswered::Unreachable { url: "http://x".into(), why: "connection refused".into() };
        let foreign = Unanswered::Foreign { url: "http://x".into(), why: "it is HTML".into() };
        for (unanswered, exit, again) in [
            (Unanswered::Usage("x".into()), Exit::Usage, false),
            (unreachable, Exit::Unavailable, true),
            (foreign, Exit::Unavailable, false),
            (problem(400, true), Exit::Usage, false),
            (problem(401, true), Exit::NoPermission, false),
            (problem(403, true), Exit::NoPermission, false),
            (problem(404, true), Exit::No, false),
            (problem(429, true), Exit::Unavailable, true),
            (problem(500, true), Exit::Unavailable, true),
            (problem(503, true), Exit::Unavailable, true),
        ] {
            assert_eq!((unanswered.exit(), unanswered.again().is_some()), (exit, again), "{unanswered:?}");
        }
    }

    #[test]
    fn what_the_other_side_wrote_cannot_command_the_terminal() {
        let text = problem(500, false).text();
        assert_eq!(text, "error: it is \\u{1b}[31mso\n");
    }

    #[test]
    fn who_does_not_trust_the_certificate_or_speaks_no_tls_is_told_what_to_write() {
        let why = format!("{TLS_FAILED}: invalid peer certificate: UnknownIssuer");
        let untrusted = Unanswered::Unreachable { url: "https://x".into(), why }.text();
        assert!(untrusted.contains("hint: --ca names a file") && !untrusted.contains("start it"), "{untrusted}");
        let plain = Unanswered::Foreign { url: "http://x".into(), why: "it does not speak HTTP".into() }.text();
        assert!(plain.contains("https://"), "{plain}");
    }

    #[test]
    fn who_lacks_a_token_is_told_how_to_get_one() {
        assert!(problem(401, false).text().contains("hint: create a token with `presence-provider token create`"));
        assert!(problem(401, true).text().contains("hint: the token is not known there"));
    }
}
