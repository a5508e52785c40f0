//! What the Microsoft Graph source is built from, beside what its machine is.

use std::fmt;
use std::future::Future;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use presence_graph::{Answer, GraphSettings, Request, Secret, Trouble};
use secrecy::SecretString;

/// What the Microsoft Graph source is started with.
#[derive(Clone, Debug)]
pub struct GraphSetup {
    /// What its machine is made from.
    pub settings: GraphSettings,
    /// How many agents are registered at most in any second.
    pub agents_per_second: NonZeroU32,
    /// Where tokens are asked for: `https://host[:port]`, without a path; `http` only on loopback.
    pub login_url: String,
    /// Where Graph is, likewise.
    pub graph_url: String,
    /// Where the accounts' secrets are read and refresh tokens are kept.
    pub secrets: Arc<dyn SecretStore>,
    /// What carries the requests.
    pub network: GraphNetwork,
    /// The seed of its jitter and its request ids; `None`: chance of the operating system.
    pub seed: Option<u64>,
}

/// What carries requests to Microsoft.
#[derive(Clone)]
pub enum GraphNetwork {
    /// HTTP over TLS (or plain, on loopback).
    Http {
        /// `http://host:port`; without it the environment's.
        proxy: Option<String>,
        /// Authorities beside those of the system, PEM.
        trusted_certificates: Option<PathBuf>,
    },
    /// What carries them is there already: made beforehand by [`crate::graph_client`], or a test's own.
    Memory(Arc<dyn Exchange>),
}

impl fmt::Debug for GraphNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http { .. } => "Http",
            Self::Memory(_) => "Memory",
        })
    }
}

/// The answer that is to come.
pub type Exchanged = Pin<Box<dyn Future<Output = Result<Answer, Trouble>> + Send>>;

/// Carries one request and brings its answer.
pub trait Exchange: Send + Sync {
    /// Sends it; the answer is the future's.
    fn exchange(&self, request: Request) -> Exchanged;
}

/// Where secrets are. Its functions may block for as long as a file takes.
pub trait SecretStore: Send + Sync + fmt::Debug {
    /// The secret of an account.
    ///
    /// # Errors
    /// Why it cannot be had, with the place and what to do, and without any part of it.
    fn load(&self, account: &str) -> Result<Secret, String>;

    /// Keeps the refresh token of an account in place of the one before: after a crash there is the one or the other, whole.
    ///
    /// # Errors
    /// Why it could not be kept, with the place.
    fn store(&self, account: &str, token: &SecretString) -> Result<(), String>;
}
