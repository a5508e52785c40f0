//! `presence-provider run`: the standalone process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::Actor;
use jiff::Timestamp;
use presence_actors::{GraphClientError, GraphNetwork, Provider, Setup, graph_client};
use presence_config::{ContactCenter, HttpSettings, Settings};
use presence_core::UccMemory;
use presence_core::log_text::ConfigurationLine;

use crate::assemble::{self, AssembleError};
use crate::exit::Exit;
use crate::hosted_ucc::HostedUcc;
use crate::http::{self, Access, Api, Observatory, RemoteUccs, Serving};
use crate::pulse::{self, Pulse};
use crate::renewal::{Certificates, Use};
use crate::service_manager::ServiceManager;
use crate::shutdown::{Ending, Signal, Signals, within_grace};
use crate::state::{self, Beginning, Keeper, Keeping};

/// So long the end may take when the API cannot be opened.
const LONGEST_UNDOING: Duration = Duration::from_secs(2);

/// Why the process could not run. The text fits after "failed to run: ".
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The settings cannot be started from.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// Nothing can carry requests to Microsoft Graph.
    #[error("prepare for Microsoft Graph: {0}")]
    Graph(#[from] GraphClientError),
    /// The system does not let us listen to its signals.
    #[error("listen to signals: {0}")]
    Signals(#[from] std::io::Error),
    /// The HTTP API cannot be opened.
    #[error("serve HTTP: {0}")]
    Http(#[from] http::ServeError),
    /// The tokens of the HTTP API cannot be used.
    #[error(transparent)]
    Tokens(#[from] http::TokensError),
    /// Everyone could do everything.
    #[error(
        "serve HTTP on {0} without tokens: other computers can reach it; name a tokens file, or listen on loopback"
    )]
    Exposed(SocketAddr),
}

impl RunError {
    /// The exit code that tells a service manager whether a restart helps.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Assemble(_) | Self::Graph(_) | Self::Http(_) | Self::Tokens(_) | Self::Exposed(_) => Exit::Config,
            Self::Signals(_) => Exit::Internal,
        }
    }
}

/// Runs the provider and the configured queues until a signal ends it. Call it inside an actix system, after the log
/// has been set up. `cold`: without what the previous run has left.
///
/// # Errors
/// When what the settings name cannot be used.
pub async fn run(settings: &Settings, grace: Duration, cold: bool) -> Result<Exit, RunError> {
    let mut setup = assemble::setup(settings)?;
    prepare_graph(&mut setup)?;
    let access = settings.http.as_ref().map(access).transpose()?;
    let mut signals = Signals::listen()?;
    log_configuration(settings);
    let certificates = pool_certificates(&setup);
    let folder = settings.state.as_ref().and_then(|state| state.directory.clone());
    let Beginning { restored, uccs, file, keeping } = state::begin(folder, cold);
    setup.restored = restored;
    let provider = Provider::start(setup);
    let pulse = Pulse::start(Arc::clone(provider.meters()), pulse::end_the_process);
    let queues: Vec<_> =
        settings.contact_centers.iter().map(|center| HostedUcc::new(center, provider.clone()).start()).collect();
    log_queues(&settings.contact_centers);
    let http = match open_http(settings, access, &provider, &certificates, (&keeping, uccs)).await {
        Ok(http) => http,
        Err(error) => {
            // What has begun is ended: actors whose runtime goes away under them would be told as a fault.
            provider.shutdown(grace.min(LONGEST_UNDOING)).await;
            return Err(error);
        }
    };
    let remote = http.as_ref().map(|(_, _, uccs)| uccs.clone());
    let keeper = file.map(|file| Keeper::start(file, keeping.clone(), provider.clone(), remote));
    let looking = actix::spawn(Arc::clone(&certificates).keep_looking());
    let service_manager = ServiceManager::find();
    // Without the API too: it tells the log how far a recovery is.
    let observatory = match &http {
        Some((_, observatory, _)) => observatory.clone(),
        None => Observatory::start(provider.clone(), keeping),
    };
    let telling = service_manager.ready(|| observatory.clone());

    let signal = tokio::select! {
        biased;
        what = provider.fatal() => {
            tracing::error!(logger = "UccStarter", "the {what} cannot be mended inside this process; it ends so that the service manager starts it afresh");
            return Ok(Exit::Internal);
        }
        signal = signals.end_or_reload(|| reload(&certificates)) => signal,
    };
    looking.abort();
    service_manager.stopping();
    // What is ended is not forgotten: the next run begins with what holds now.
    let leaving = match keeper {
        Some(keeper) => Some(keeper.leave().await),
        None => None,
    };
    end(&provider, &mut signals, signal, grace).await;
    if let Some(leaving) = leaving {
        leaving.end().await;
    }
    drop((queues, telling, pulse));
    if let Some((http, ..)) = http {
        http.end().await;
    }
    Ok(Exit::Ok)
}

/// Makes what carries requests to Microsoft Graph: what cannot be used ends the program before anything has begun.
fn prepare_graph(setup: &mut Setup) -> Result<(), GraphClientError> {
    if let Some(graph) = &mut setup.graph {
        let client = graph_client(&graph.network, &graph.login_url, &graph.graph_url)?;
        graph.network = GraphNetwork::Memory(client);
    }
    Ok(())
}

/// The certificate that the pool sees is followed; both endpoints show the same.
fn pool_certificates(setup: &Setup) -> Arc<Certificates> {
    let certificates = Arc::<Certificates>::default();
    if let Some(identity) = setup.endpoints.iter().find_map(|endpoint| endpoint.tls.clone()) {
        certificates.follow(Use::Pool, Arc::new(identity), Timestamp::now());
    }
    certificates
}

/// SIGHUP.
fn reload(certificates: &Certificates) {
    tracing::info!(
        logger = "UccStarter",
        "SIGHUP: the certificates are read again; a changed Config.xml takes effect at a restart"
    );
    certificates.look_soon();
}

/// Who may use the HTTP API.
fn access(http: &HttpSettings) -> Result<Access, RunError> {
    match &http.tokens {
        Some(file) => Ok(Access::load(file)?),
        None if http.is_loopback() => Ok(Access::open()),
        None => Err(RunError::Exposed(http.listen)),
    }
}

/// Opens the HTTP API. Where the file does not say where it listens, a taken port costs the API and not the queues; without
/// queues there is nothing else to do.
async fn open_http(
    settings: &Settings,
    access: Option<Access>,
    provider: &Provider,
    certificates: &Arc<Certificates>,
    (keeping, restored): (&Keeping, Vec<UccMemory>),
) -> Result<Option<(Serving, Observatory, RemoteUccs)>, RunError> {
    let (Some(http), Some(access)) = (&settings.http, access) else { return Ok(None) };
    let mut api = Api::start(provider.clone(), access, http.clone(), settings.clone(), keeping.clone());
    api.certificates = Arc::clone(certificates);
    let (observatory, uccs) = (api.observatory.clone(), api.uccs.clone());
    uccs.restore(restored).await;
    match http::serve(api).await {
        Ok(serving) => {
            tracing::info!(logger = "UccStarter", "the API and the dashboard are at {}", serving.url());
            Ok(Some((serving, observatory, uccs)))
        }
        Err(error) if http.listen_given || settings.contact_centers.is_empty() => Err(error.into()),
        Err(error) => {
            tracing::error!(
                logger = "UccStarter",
                "the API and the dashboard are not available: failed to {error}; \
                say `<Http Listen=\"127.0.0.1:PORT\" />` in the PresenceProvider of Config.xml, or `<Http enabled=\"false\" />`"
            );
            Ok(None)
        }
    }
}

/// Takes every subscription back, within the grace period.
async fn end(provider: &Provider, signals: &mut Signals, signal: Signal, grace: Duration) {
    tracing::info!(
        logger = "UccStarter",
        "{}: ending the subscriptions, for at most {} s",
        signal.name(),
        grace.as_secs()
    );
    match within_grace(grace, provider.shutdown(grace), signals.next()).await {
        Ending::Orderly => tracing::info!(logger = "UccStarter", "every subscription is ended; goodbye"),
        Ending::OutOfTime => tracing::warn!(
            logger = "UccStarter",
            "the grace period is over; the subscriptions that are left run out at the pool by themselves"
        ),
        Ending::Hurried => tracing::warn!(logger = "UccStarter", "a second signal; ending at once"),
    }
}

/// The documented line of the configuration at start (seed, "Logging").
fn log_configuration(settings: &Settings) {
    let ucma = settings.ucma.as_ref();
    let application: Vec<_> = ucma.iter().map(|ucma| ucma.application_endpoint.clone()).collect();
    let user: Vec<_> =
        ucma.iter().filter_map(|ucma| ucma.user_endpoint.as_ref()).map(|user| user.uri.clone()).collect();
    let line = ConfigurationLine {
        max_failures: settings.max_failed_presence_subscriptions_per_uri,
        first_delay: settings.failed_presence_subscriptions_resubscribe_delay,
        per_second: settings.max_presence_subscriptions_per_second.get(),
        application_id: ucma.map_or("", |ucma| &ucma.application_id),
        application_endpoints: &application,
        user_endpoints: &user,
    };
    tracing::info!(logger = "UccStarter", "{line}");
    if let Some(graph) = &settings.graph {
        let accounts: Vec<_> = graph.accounts.iter().map(|account| account.id.as_str()).collect();
        tracing::info!(logger = "UccStarter", sweep = %humantime::format_duration(graph.sweep),
            notifications = graph.notifications.is_some(), "Teams users are asked for with the accounts {}", accounts.join(", "));
    }
}

fn log_queues(centers: &[ContactCenter]) {
    let agents: usize = centers.iter().map(|center| center.agents.len()).sum();
    tracing::info!(logger = "UccStarter", queues = centers.len(), wanted = agents, "the queues are started");
}
