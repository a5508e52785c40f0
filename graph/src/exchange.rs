//! One request to Microsoft and its answer, without anything that carries them.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use secrecy::SecretString;

/// Numbers the requests of one [`crate::Graph`]; an answer with a number that is not open is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(pub u64);

/// Which of the cloud's two hosts. Nothing is ever sent to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// The one that gives tokens, such as login.microsoftonline.com.
    Login,
    /// Microsoft Graph, such as graph.microsoft.com.
    Graph,
}

/// The HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
}

/// What a request carries. `Debug` never shows it: a document may hold a `clientState`.
#[derive(Clone)]
pub enum Body {
    /// Nothing.
    Empty,
    /// `application/json`
    Json(Bytes),
    /// `application/x-www-form-urlencoded`; forms carry secrets and are never shown.
    Form(SecretString),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Json(document) => write!(f, "Json({} bytes)", document.len()),
            Self::Form(_) => f.write_str("Form(***)"),
        }
    }
}

/// A request that is to be sent once, as it is. Redirects are not followed.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where to.
    pub host: Host,
    /// Path and query, percent-encoded, beginning with `/` (`/v1.0/...` for Graph, `/{tenant}/oauth2/...` for tokens).
    pub path: String,
    /// The access token of `Authorization: Bearer`, where the request has one.
    pub bearer: Option<SecretString>,
    /// Header fields beside those that the body and the token need.
    pub headers: Vec<(&'static str, String)>,
    /// What it carries.
    pub body: Body,
    /// Our own number of it (`client-request-id`), a GUID that the log shows and Microsoft's support asks for.
    pub request_id: String,
    /// How long the whole may take.
    pub timeout: Duration,
}

/// The answer to a request, whatever it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After` as it came.
    pub retry_after: Option<String>,
    /// `Date` as it came.
    pub date: Option<String>,
    /// `request-id`: Microsoft's number of it.
    pub request_id: Option<String>,
    /// The body, uncompressed, within the limit.
    pub body: Bytes,
}

/// Why there is no answer. The text fits after "no answer: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The name of the host is not found.
    #[error("{0}")]
    Name(String),
    /// Nobody takes the connection.
    #[error("{0}")]
    Connect(String),
    /// The certificates do not fit.
    #[error("{0}")]
    Tls(String),
    /// It took too long.
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The body is longer than what is read.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// The connection broke, or what came is not HTTP.
    #[error("{0}")]
    Broken(String),
}
