//! The doors and windows of the process: the HTTP API, live events, the dashboard, metrics and health.
//!
//! | what | where |
//! |---|---|
//! | what goes over the API | [`model`] |
//! | who may do what | [`Access`], [`Caller`], [`Scope`] |
//! | how errors are said | [`Problem`] |

pub(crate) mod access;
mod agents;
mod attendant;
mod body;
mod calls;
pub mod convert;
mod dashboard;
#[doc(hidden)]
pub mod door;
mod events;
mod feed;
mod health;
mod hosts;
mod limits;
mod metrics;
pub mod model;
mod notifications;
mod observatory;
mod openapi;
mod problem;
mod server;
mod status;
pub(crate) mod tls;
mod uccs;

use std::sync::Arc;
use std::time::Instant;

use presence_actors::Provider;
use presence_config::{HttpSettings, Settings};
use tokio_util::sync::CancellationToken;

use crate::renewal::Certificates;
use crate::state::Keeping;

pub use access::{Access, Caller, Scope, ScopeError, TokensError};
pub use attendant::Pushers;
pub use limits::{Admission, RequestRate, StreamPermit};
pub use metrics::HttpMeters;
pub use observatory::{Observatory, Recorded, Snapshot};
pub use openapi::description;
pub use problem::Problem;
pub use server::{ServeError, Serving, serve};
pub use uccs::RemoteUccs;

/// What every handler may use; one for all threads, as `web::Data<Api>`.
pub struct Api {
    /// The provider behind the API.
    pub provider: Provider,
    /// Who may do what.
    pub access: Access,
    /// How the API is set.
    pub settings: HttpSettings,
    /// The whole configuration, to be shown.
    pub configuration: Settings,
    /// What the process looks like, and looked like.
    pub observatory: Observatory,
    /// The queues that are clients of the API.
    pub uccs: RemoteUccs,
    /// Who pushed what.
    pub pushers: Pushers,
    /// Lets event streams of queues in.
    pub admission: Admission,
    /// Lets event streams of observers in.
    pub observers: Admission,
    /// Counts what each client asks.
    pub rate: Arc<RequestRate>,
    /// What the API counts about itself.
    pub meters: Arc<HttpMeters>,
    /// The certificates of the process, which are read again while it runs.
    pub certificates: Arc<Certificates>,
    /// Whether the state of the next start is being written.
    pub keeping: Keeping,
    /// When the process began.
    pub started: Instant,
    /// Cancelled when the service ends: streams of events say goodbye.
    pub closing: CancellationToken,
}

impl Api {
    /// Everything behind the API. Call it inside an actix system.
    #[must_use]
    pub fn start(
        provider: Provider,
        access: Access,
        settings: HttpSettings,
        configuration: Settings,
        keeping: Keeping,
    ) -> Self {
        Self {
            observatory: Observatory::start(provider.clone(), keeping.clone()),
            uccs: RemoteUccs::start(provider.clone(), &settings, &configuration),
            pushers: Pushers::new(provider.clone()),
            admission: Admission::default(),
            observers: Admission::of_observers(),
            rate: Arc::new(RequestRate::new(settings.requests_per_second)),
            meters: Arc::default(),
            certificates: Arc::default(),
            keeping,
            started: presence_actors::now(),
            closing: CancellationToken::new(),
            provider,
            access,
            settings,
            configuration,
        }
    }
}

/// True for a name that a queue may have over the API: 1 to 64 letters, digits, dots, hyphens and underscores.
#[must_use]
pub fn is_ucc_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        && !name.bytes().all(|byte| byte == b'.')
}
