//! What comes to the service and what it says, without anything that carries it.

use std::time::Duration;

/// Which of the cloud's two hosts a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceHost {
    /// The one that gives tokens.
    Login,
    /// Microsoft Graph.
    Graph,
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRequest {
    /// To this host.
    pub host: ServiceHost,
    /// `GET`, `POST`, `PATCH` or `DELETE`.
    pub method: String,
    /// Path and query, percent-encoded.
    pub path: String,
    /// Header fields; names in any case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl ServiceRequest {
    /// The value of the header field with this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// What a request gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceReply {
    /// This answer.
    Answer(ServiceAnswer),
    /// Nothing, ever: the connection stands.
    Silence,
    /// The connection breaks.
    Reset,
    /// Later: [`ServiceEffect::Answer`] with this number brings it (a handshake comes first).
    Held(u64),
}

impl ServiceReply {
    /// The answer, where there is one at once.
    #[must_use]
    pub const fn answer(&self) -> Option<&ServiceAnswer> {
        match self {
            Self::Answer(answer) => Some(answer),
            Self::Silence | Self::Reset | Self::Held(_) => None,
        }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Header fields, names in lower case: `content-type`, `date`, `request-id`, and `retry-after`, `location` where they
    /// belong.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// So long after the request it leaves.
    pub after: Duration,
}

impl ServiceAnswer {
    /// The value of the header field with this name (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What the service wants done by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceEffect {
    /// POST this, and hand the outcome to [`GraphService::posted`](super::GraphService::posted): a handshake
    /// (`?validationToken=`, no body, `text/plain`) or notifications (`application/json`).
    Post {
        /// The number of it.
        id: u64,
        /// Where to.
        url: String,
        /// `Content-Type`.
        content_type: &'static str,
        /// The body.
        body: Vec<u8>,
    },
    /// The request that was [`ServiceReply::Held`] under this number is answered.
    Answer {
        /// The number.
        held: u64,
        /// The reply; never [`ServiceReply::Held`].
        reply: ServiceReply,
    },
}

/// What a POST of the service was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostAnswer {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type`; empty: none.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

impl PostAnswer {
    /// An answer with this status and this plain text.
    #[must_use]
    pub fn plain(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8".to_owned(), body: body.into() }
    }
}
