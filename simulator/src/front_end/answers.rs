//! Answers: Via with what was received, diagnostics, and a memory of what was said.

use std::fmt::Write as _;
use std::time::Instant;

use bytes::Bytes;
use presence_sip::{Message, reason_phrase};

use super::FrontEnd;
use crate::ConnectionId;

/// The software that answers: Skype for Business Server.
pub(super) const SERVER: &str = "RTC/6.0";

/// A refusal, before it becomes an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// The number in `ms-diagnostics`.
    pub(super) diagnostics: u32,
    /// One header that belongs to it.
    pub(super) header: Option<(&'static str, String)>,
}

impl Refusal {
    pub(super) const fn new(status: u16, diagnostics: u32) -> Self {
        Self { status, diagnostics, header: None }
    }

    pub(super) fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        Self { header: Some((name, value.into())), ..self }
    }

    /// With the number that is usual for the status.
    pub(super) const fn of_status(status: u16) -> Self {
        let diagnostics = match status {
            400 => 4001,
            403 => 2004,
            404 => 1003,
            413 => 4008,
            480 => 1007,
            481 => 2014,
            488 => 2165,
            504 => 1008,
            _ => 1000,
        };
        Self::new(status, diagnostics)
    }
}

/// What a number in `ms-diagnostics` means, in words of ours (numbers: MS-OCER).
const fn words(diagnostics: u32) -> &'static str {
    match diagnostics {
        1003 => "The user does not exist here",
        1004 => "The route set is not valid any more",
        1007 | 1008 => "There is no way to the destination for the moment",
        2004 => "The watcher may not see this user",
        2011 => "The list is longer than what one answer can hold",
        2012 => "The user has as many watchers as are allowed",
        2013 => "The extensions for lists of categories are required",
        2014 => "There is no such subscription dialog",
        2016 => "A new subscription is required",
        2165 => "The contact list lives elsewhere",
        4001 | 4002 => "The body is not what it should be",
        4003 | 4004 => "The sender may not act for this user",
        4005 | 2005 => "The user is not known in this pool",
        4008 => "The body is too large",
        4010 => "The epid is missing",
        4011 => "The epid is not one",
        4012 | 4013 => "The content type does not fit the request",
        4140 => "There are too many endpoints",
        4141 => "The user is disabled",
        4142 => "The user was moved or cannot be served now",
        4165 => "User Services are not available",
        4166 => "Another registrar is preferred",
        _ => "Simulated",
    }
}

/// An answer in the making.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    /// Content type and body.
    pub(super) body: Option<(String, String)>,
    /// Our tag, when the request begins a dialog; otherwise one is made up.
    pub(super) tag: Option<Box<str>>,
}

impl Answer {
    pub(super) const fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None, tag: None }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl FrontEnd {
    /// The value of `ms-diagnostics`, from this pool. The order of what follows the number varies, as it really does.
    pub(super) fn diagnostics(&mut self, pool: usize, number: u32) -> String {
        let (source, words) = (self.fqdn(pool), words(number));
        if number.is_multiple_of(2) {
            format!("{number};reason=\"{words}\";source=\"{source}\"")
        } else {
            format!("{number};source=\"{source}\";reason=\"{words}\"")
        }
    }

    /// Refuses a request.
    pub(super) fn refuse(&mut self, now: Instant, connection: ConnectionId, request: &Message, refusal: Refusal) {
        let mut answer = Answer::new(refusal.status);
        if let Some((name, value)) = refusal.header {
            answer.headers.push((name, value));
        }
        if refusal.status >= 400 {
            let pool = self.pool_of(connection);
            answer.headers.push(("ms-diagnostics", self.diagnostics(pool, refusal.diagnostics)));
        }
        self.answer(now, connection, request, answer);
    }

    /// Answers a request, and remembers it.
    pub(super) fn answer(&mut self, now: Instant, connection: ConnectionId, request: &Message, answer: Answer) {
        if answer.status >= 300 {
            self.counters.refusals += 1;
        }
        let bytes = self.written(connection, request, &answer);
        self.answered.remember(now, request, bytes.clone());
        self.transmit(now, connection, bytes);
    }

    fn written(&mut self, connection: ConnectionId, request: &Message, answer: &Answer) -> Bytes {
        let body = answer.body.as_ref().map_or("", |(_, body)| body);
        let mut text = String::with_capacity(900 + body.len());
        // Writing to a String cannot fail.
        let _ = write!(text, "SIP/2.0 {} {}\r\n", answer.status, reason_phrase(answer.status));
        for (index, via) in request.values("Via").enumerate() {
            let _ = write!(text, "Via: {via}");
            if index == 0 {
                // The machine does not see ports; a number that stays with the connection stands for it.
                let (port, cid) = (49_152 + connection.0 % 16_384, connection.0);
                let _ = write!(text, ";ms-received-port={port};ms-received-cid={cid:X}00");
            }
            text.push_str("\r\n");
        }
        for name in ["From", "To", "Call-ID", "CSeq"] {
            let _ = write!(text, "{name}: {}", request.header(name).unwrap_or_default());
            if name == "To" && request.to().is_none_or(|to| to.tag().is_none()) {
                match &answer.tag {
                    Some(tag) => text.extend([";tag=", tag]),
                    None => text.extend([";tag=", &self.dice.word()]),
                }
            }
            text.push_str("\r\n");
        }
        let _ = write!(text, "Server: {SERVER}\r\n");
        for (name, value) in &answer.headers {
            text.extend([*name, ": ", value, "\r\n"]);
        }
        if let Some((kind, _)) = &answer.body {
            text.extend(["Content-Type: ", kind, "\r\n"]);
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
        Bytes::from(text)
    }
}
