//! What carries messages: the kind of transport and the connection.

use std::fmt;

/// How messages are carried to the pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransportKind {
    /// Datagrams; requests are repeated until they are answered.
    Udp,
    /// A TCP connection.
    Tcp,
    /// TLS over TCP.
    #[default]
    Tls,
}

impl TransportKind {
    /// True when the transport itself repeats what is lost (RFC 3261 section 17).
    #[must_use]
    pub const fn reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// The name in a Via header (RFC 3261 section 20.42).
    #[must_use]
    pub const fn via_name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// The value of the URI parameter `transport` (RFC 3261 section 19.1.1).
    #[must_use]
    pub const fn uri_param(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }

    /// The port where none is named: 5061 for TLS, otherwise 5060 (RFC 3261 section 19.1.2).
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }
}

/// The name as Config.xml writes it.
impl fmt::Display for TransportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.uri_param())
    }
}

/// One connection, or the UDP socket; an answer goes out on the flow on which its request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u64);

impl FlowId {
    /// Our outbound connection, or the UDP socket. All other flows are connections that the pool opened to our listener.
    pub const PRIMARY: Self = Self(0);
}
