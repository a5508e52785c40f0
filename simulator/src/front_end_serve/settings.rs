//! What a simulated front end is started with, and why it did not start.

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::sync::mpsc;

use super::event::FrontEndEvent;
use crate::FrontEndSettings;

/// What a simulated front end is started with.
#[derive(Clone, Debug)]
pub struct FrontEndServerSettings {
    /// What the machine is made with. The addresses of its pools are replaced by those that were really bound.
    pub settings: FrontEndSettings,
    /// Where each pool listens, in the order of `settings.pools`; port 0 lets the system choose.
    pub listen: Vec<SocketAddr>,
    /// Certificates; mandatory when the wire is TLS, and of no use when it is TCP.
    pub tls: Option<FrontEndTls>,
    /// Where the control port listens; loopback only. `None`: there is none.
    pub control: Option<SocketAddr>,
    /// Who wants to hear what happens. What does not fit into the channel is lost; nobody waits for the listener.
    pub events: Option<mpsc::Sender<FrontEndEvent>>,
}

impl FrontEndServerSettings {
    /// Every pool on a free port of 127.0.0.1, no certificates, no control port.
    #[must_use]
    pub fn on_loopback(settings: FrontEndSettings) -> Self {
        let listen = vec![SocketAddr::from(([127, 0, 0, 1], 0)); settings.pools.len()];
        Self { settings, listen, tls: None, control: None, events: None }
    }
}

/// A text in PEM form, or where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pem {
    /// In this file.
    File(PathBuf),
    /// In memory.
    Text(Vec<u8>),
}

/// The certificates of a simulated front end. Every pool shows the same one, so it must name them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontEndTls {
    /// The certificate with its chain, the end entity first. Shown in both directions.
    pub certificate: Pem,
    /// Its private key: PKCS#8, PKCS#1 or SEC1.
    pub key: Pem,
    /// The authorities that may have signed the certificates of the peers.
    pub trusted: Pem,
    /// Whoever connects must show a certificate that they signed, as between servers. Without it one is asked for, and
    /// checked when it comes: a client such as a person's needs none.
    pub client_auth: bool,
    /// The name that the certificate of an application must have where we connect to it; `None`: the host in its
    /// Contact. (A real front end looks the name up in its topology: the FQDN of the trusted application pool.)
    pub application_name: Option<String>,
}

/// Why a simulated front end did not start. The text fits after "failed to start the simulated front end: ".
#[derive(Debug, thiserror::Error)]
pub enum FrontEndStartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {why}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        why: std::io::Error,
    },
    /// Not every pool has exactly one address.
    #[error("{pools} pools need as many addresses to listen on, and {listen} are given")]
    Pools {
        /// How many pools there are.
        pools: usize,
        /// How many addresses.
        listen: usize,
    },
    /// The control port obeys whoever can connect to it.
    #[error("the control port obeys everyone: it listens on loopback only, such as 127.0.0.1, and {0} is none")]
    Control(SocketAddr),
    /// TLS without certificates.
    #[error("TLS needs a certificate, its key, and the authorities that are trusted")]
    NoCertificates,
    /// A PEM text cannot be read or used.
    #[error("cannot use {what} {path}: {why}")]
    Pem {
        /// What it is for.
        what: &'static str,
        /// The file, or "given in memory".
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is no thread to be had, or it ended at once.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}
