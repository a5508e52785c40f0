//! Why bytes are not a message, a stream is no stream of messages, or a message of ours may not leave.

/// Why the bytes are not a SIP message. The text fits after "failed to read the message: ".
///
/// It costs the one message: drop and count it, and answer it where [`crate::Frame::Malformed`] holds an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The start line is neither a request line nor a status line.
    #[error("the start line is malformed: {0}")]
    StartLine(&'static str),
    /// A header line is malformed.
    #[error("a header is malformed: {0}")]
    Header(&'static str),
    /// A header that identifies the message or its way is not UTF-8.
    #[error("the {0} header is not UTF-8")]
    NotUtf8(&'static str),
    /// A part is larger than [`crate::Limits`] allow.
    #[error("the {what} is larger than {limit}")]
    TooLarge {
        /// Which part.
        what: &'static str,
        /// The limit that it broke, in bytes (in headers for the number of headers).
        limit: usize,
    },
    /// No number, a negative one, or several of them.
    #[error("the content length is not one number")]
    ContentLength,
    /// The body is shorter than its Content-Length says.
    #[error("the body is shorter than announced")]
    Truncated,
    /// No blank line ends the headers.
    #[error("no blank line ends the headers")]
    NoBlankLine,
}

/// Where the next message of a stream begins is not known any more: close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the framing is lost: {0}")]
pub struct FramingLost(
    /// What the peer sent.
    #[from]
    pub ParseError,
);

/// Why a message of ours may not leave. The text fits after "failed to build the message: ".
///
/// Each of them is a header injection that was stopped, or a mistake of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The name is not a token (RFC 3261 section 25.1).
    #[error("`{0:?}` is not the name of a header or of a method")]
    Name(String),
    /// The value holds a CR, LF or NUL.
    #[error("the value of {name} holds the character {character:?}")]
    Character {
        /// The header, or `Request-URI`.
        name: String,
        /// The character.
        character: char,
    },
    /// The Request-URI is not one: no scheme, or a blank, quote or angle bracket inside.
    #[error("`{0:?}` is not a request URI")]
    Uri(String),
    /// What was printed does not read back to what was meant.
    #[error("the header {0} does not survive printing")]
    RoundTrip(String),
}

/// What is wrong with a message that could be read, and what a request like it is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status} {reason}")]
pub struct Refusal {
    /// The status code for the answer, when the message is a request. A response is dropped instead.
    pub status: u16,
    /// The reason phrase for the answer.
    pub reason: &'static str,
}

/// Why a challenge cannot be answered. The text fits after "failed to authenticate: ".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// The answer is no 401 or 407, or holds no challenge.
    #[error("the answer holds no challenge")]
    NoChallenge,
    /// Only schemes, algorithms or qualities of protection that we have not: NTLM, Kerberos, TLS-DSK, auth-int.
    #[error("the peer offers no digest that is supported")]
    Unsupported,
    /// The same nonce again, and not because it was stale: the user name or the password is wrong.
    #[error("the user name or the password is refused")]
    Refused,
}
