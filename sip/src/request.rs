//! Requests of ours: rsip's headers as the model, our own printer, and nothing leaves that was not meant.
#![warn(clippy::indexing_slicing)]

use bytes::{BufMut, Bytes, BytesMut};
use rsip::headers::UntypedHeader;

use crate::error::BuildError;
use crate::message::text::is_token;
use crate::message::{Method, is_request_uri};
use crate::response::finish;

/// A request that we send.
///
/// The headers are rsip's ([`rsip::Header`]); the method and the Request-URI are ours, because rsip's method is a
/// closed set without BENOTIFY and SERVICE, and its URI knows neither `tel:` nor IPv6 and cuts URIs of Skype for
/// Business. Values go out verbatim or not at all.
///
/// ```
/// use presence_sip::{Method, Request};
/// let request = Request::new(Method::Subscribe, "sip:user1@domain.com")
///     .header("Via", "SIP/2.0/TCP 192.0.2.1:6120;branch=z9hG4bK776")
///     .header("Event", "presence")
///     .header("X-Trace", "one\r\nRoute: <sip:evil.example>");
/// assert!(request.to_bytes().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    method: Method,
    uri: String,
    headers: Vec<rsip::Header>,
    body: Option<(String, Bytes)>,
}

impl Request {
    /// A request without headers. `uri` goes out verbatim.
    #[must_use]
    pub fn new(method: Method, uri: impl Into<String>) -> Self {
        Self { method, uri: uri.into(), headers: Vec::with_capacity(16), body: None }
    }

    /// Adds a header behind those that are there. Content-Length is never given; it is counted.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push(model(name, value.into()));
        self
    }

    /// Adds one of rsip's headers, typed ones by `.into()`.
    #[must_use]
    pub fn typed(mut self, header: impl Into<rsip::Header>) -> Self {
        self.headers.push(header.into());
        self
    }

    /// Sets the body and its Content-Type.
    #[must_use]
    pub fn body(mut self, content_type: impl Into<String>, body: impl Into<Bytes>) -> Self {
        self.body = Some((content_type.into(), body.into()));
        self
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// The Request-URI.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The headers, without Content-Type and Content-Length.
    #[must_use]
    pub fn headers(&self) -> &[rsip::Header] {
        &self.headers
    }

    /// The bytes for the wire.
    ///
    /// # Errors
    /// [`BuildError`] when a name, a value or the URI would not be read as what it is meant to be.
    pub fn to_bytes(&self) -> Result<Bytes, BuildError> {
        if !is_token(self.method.as_str()) {
            return Err(BuildError::Name(self.method.as_str().into()));
        }
        if !is_request_uri(&self.uri) {
            return Err(BuildError::Uri(self.uri.clone()));
        }
        let body = self.body.as_ref().map(|(content_type, bytes)| (content_type.as_str(), bytes.as_ref()));
        let mut out = BytesMut::with_capacity(1024 + body.map_or(0, |(_, bytes)| bytes.len()));
        out.put_slice(self.method.as_str().as_bytes());
        out.put_u8(b' ');
        out.put_slice(self.uri.as_bytes());
        out.put_slice(b" SIP/2.0\r\n");
        let mut line = String::new();
        for header in &self.headers {
            use std::fmt::Write;
            line.clear();
            // Writing into a String cannot fail; if it did, the guard would refuse the empty line.
            let _ = write!(line, "{header}");
            guard(&line)?;
            out.put_slice(line.as_bytes());
            out.put_slice(b"\r\n");
        }
        if let Some((content_type, _)) = body {
            guard_value("Content-Type", content_type)?;
        }
        finish(&mut out, body);
        Ok(out.freeze())
    }
}

/// The round-trip guard: what rsip printed reads back as one header with a token for a name.
fn guard(line: &str) -> Result<(), BuildError> {
    let (name, value) = line.split_once(": ").ok_or_else(|| BuildError::RoundTrip(line.into()))?;
    if !is_token(name) {
        return Err(BuildError::Name(name.into()));
    }
    if name.eq_ignore_ascii_case("Content-Length") || name.eq_ignore_ascii_case("Content-Type") {
        return Err(BuildError::RoundTrip(name.into()));
    }
    guard_value(name, value)
}

fn guard_value(name: &str, value: &str) -> Result<(), BuildError> {
    match value.chars().find(|c| matches!(c, '\r' | '\n' | '\0')) {
        Some(character) => Err(BuildError::Character { name: name.into(), character }),
        None => Ok(()),
    }
}

/// rsip's variant for a name, so that a reader of the model finds the header where rsip puts it.
fn model(name: &str, value: String) -> rsip::Header {
    use rsip::headers as h;
    macro_rules! known {
        ($($text:literal => $variant:ident),* $(,)?) => {
            match name {
                $(_ if name.eq_ignore_ascii_case($text) => h::$variant::new(value).into(),)*
                _ => rsip::Header::Other(name.into(), value),
            }
        };
    }
    known! {
        "Accept" => Accept, "Allow" => Allow, "Authorization" => Authorization, "Call-ID" => CallId,
        "Contact" => Contact, "CSeq" => CSeq, "Event" => Event, "Expires" => Expires, "From" => From,
        "Max-Forwards" => MaxForwards, "Proxy-Authorization" => ProxyAuthorization, "Proxy-Require" => ProxyRequire,
        "Record-Route" => RecordRoute, "Require" => Require, "Route" => Route, "Server" => Server,
        "Subscription-State" => SubscriptionState, "Supported" => Supported, "To" => To,
        "User-Agent" => UserAgent, "Via" => Via,
    }
}
