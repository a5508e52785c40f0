//! What a subscriber must be told.

use std::time::Duration;

use presence_core::AgentUri;

use crate::auth::Credentials;
use crate::flow::TransportKind;
use crate::timers::Timers;

/// How one local endpoint (application or user) subscribes in the dialect `simple`.
#[derive(Clone, Debug)]
pub struct SubscriberConfig {
    /// Who subscribes: the From of every request.
    pub endpoint: AgentUri,
    /// The pool, as a SIP URI or `host[:port]`: the Request-URI of an OPTIONS. `None` takes the endpoint's host.
    pub target: Option<String>,
    /// Our Contact: a URI such as `sip:user@192.0.2.1:5060;transport=tcp`, without angle brackets.
    pub contact: String,
    /// Our address in the Via: `ip:port`.
    pub sent_by: String,
    /// What carries the messages.
    pub transport: TransportKind,
    /// How long a subscription is asked for; 3600 s is the default of RFC 3856 section 6.4.
    pub expires: Duration,
    /// What a digest challenge (401, 407) is answered with.
    pub credentials: Option<Credentials>,
    /// The User-Agent header.
    pub user_agent: String,
    /// The durations of the transactions.
    pub timers: Timers,
}

impl SubscriberConfig {
    /// The usual configuration of an endpoint: TLS, 3600 s, no credentials, RFC timers.
    #[must_use]
    pub fn new(endpoint: AgentUri, contact: impl Into<String>, sent_by: impl Into<String>) -> Self {
        Self {
            endpoint,
            target: None,
            contact: contact.into(),
            sent_by: sent_by.into(),
            transport: TransportKind::Tls,
            expires: Duration::from_secs(3600),
            credentials: None,
            user_agent: concat!("presence-provider/", env!("CARGO_PKG_VERSION")).into(),
            timers: Timers::default(),
        }
    }
}
