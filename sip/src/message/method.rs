//! The method of a request; an open set.

use std::fmt;

/// The method of a request. Compared with regard to case (RFC 3261 section 7.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// RFC 3261
    Register,
    /// RFC 6665
    Subscribe,
    /// RFC 6665
    Notify,
    /// MS-SIP: a NOTIFY that is never answered.
    Benotify,
    /// RFC 3261
    Options,
    /// RFC 3903
    Publish,
    /// MS-SIP
    Service,
    /// RFC 3428
    Message,
    /// RFC 3261
    Invite,
    /// RFC 3261
    Ack,
    /// RFC 3261
    Bye,
    /// RFC 3261
    Cancel,
    /// RFC 6086
    Info,
    /// Any other token.
    Other(Box<str>),
}

impl Method {
    /// The method that this token names.
    #[must_use]
    pub fn from_token(token: &str) -> Self {
        match token {
            "REGISTER" => Self::Register,
            "SUBSCRIBE" => Self::Subscribe,
            "NOTIFY" => Self::Notify,
            "BENOTIFY" => Self::Benotify,
            "OPTIONS" => Self::Options,
            "PUBLISH" => Self::Publish,
            "SERVICE" => Self::Service,
            "MESSAGE" => Self::Message,
            "INVITE" => Self::Invite,
            "ACK" => Self::Ack,
            "BYE" => Self::Bye,
            "CANCEL" => Self::Cancel,
            "INFO" => Self::Info,
            other => Self::Other(other.into()),
        }
    }

    /// The token on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Register => "REGISTER",
            Self::Subscribe => "SUBSCRIBE",
            Self::Notify => "NOTIFY",
            Self::Benotify => "BENOTIFY",
            Self::Options => "OPTIONS",
            Self::Publish => "PUBLISH",
            Self::Service => "SERVICE",
            Self::Message => "MESSAGE",
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Info => "INFO",
            Self::Other(token) => token,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
