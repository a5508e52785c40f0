//! Which remote queues there are.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message};
use presence_actors::{Occurrence, Provider, now, time_of_day};
use presence_config::{HttpSettings, Settings};
use tokio::sync::broadcast::error::RecvError;

use super::actor::{MAX_IN_ALL, Together, UccActor};
use super::lease::Lease;
use super::remote_ucc::{OpenStream, RemoteUcc, no_more};
use crate::http::Problem;
use crate::http::feed::{EndpointChange, Feed, Happening, SharedFeed, SilentLoss};

/// So many remote queues there may be.
const MAX_UCCS: usize = 1_000;
/// A queue that ends in the very moment of a request is registered anew; so often that is tried.
const TRIES: usize = 3;

/// The remote queues by name.
type Directory = Mutex<BTreeMap<Arc<str>, Arc<RemoteUcc>>>;

fn open(directory: &Directory) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<RemoteUcc>>> {
    directory.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The queues that are clients of the API. A handle; clones speak to the same ones.
#[derive(Clone)]
pub struct RemoteUccs {
    registry: Addr<Registry>,
    directory: Arc<Directory>,
    /// Names of queues inside the process, in lower case.
    inside: Arc<BTreeSet<String>>,
    observers: Arc<SharedFeed>,
}

impl RemoteUccs {
    /// Begins to take clients. Call it inside an actix system. The queues of the configuration run inside the process;
    /// no client may take their names.
    #[must_use]
    pub fn start(provider: Provider, http: &HttpSettings, settings: &Settings) -> Self {
        Self::start_for(provider, http, settings, MAX_IN_ALL)
    }

    /// The same for so many agents of all queues together.
    pub(super) fn start_for(provider: Provider, http: &HttpSettings, settings: &Settings, most: usize) -> Self {
        let directory = Arc::new(Directory::default());
        let observers = Arc::new(SharedFeed::new(Feed::new(epoch(), http.events_kept)));
        actix_rt::spawn(observe(provider.clone(), Arc::clone(&observers)));
        let inside: BTreeSet<_> = settings.contact_centers.iter().map(|center| center.name.to_lowercase()).collect();
        let inside = Arc::new(inside);
        let registry = Registry {
            provider,
            inside: Arc::clone(&inside),
            linger: http.ucc_linger,
            events_kept: http.events_kept,
            directory: Arc::clone(&directory),
            together: Rc::new(Together::new(most)),
        };
        Self { registry: registry.start(), directory, inside, observers }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        open(&self.directory).len()
    }

    /// A queue that is registered. That it is asked for prolongs its life.
    pub(in crate::http) fn find(&self, name: &str) -> Option<Arc<RemoteUcc>> {
        let ucc = open(&self.directory).get(name).cloned();
        ucc.filter(|ucc| ucc.hear())
    }

    /// The same for somebody else than the queue: this prolongs nothing.
    pub(in crate::http) fn look_at(&self, name: &str) -> Option<Arc<RemoteUcc>> {
        let ucc = open(&self.directory).get(name).cloned();
        ucc.filter(|ucc| !ucc.lease().is_over())
    }

    /// True for the name of a queue inside the process.
    pub(in crate::http) fn is_inside(&self, name: &str) -> bool {
        self.inside.contains(&name.to_lowercase())
    }

    /// All queues, by name. This prolongs nothing.
    pub(in crate::http) fn list(&self) -> Vec<Arc<RemoteUcc>> {
        open(&self.directory).values().filter(|ucc| !ucc.lease().is_over()).cloned().collect()
    }

    /// A queue, registered if it is not yet; true for a new one.
    ///
    /// # Errors
    /// 409 for the name of a queue inside the process, 503 when there are too many.
    pub(in crate::http) async fn register(&self, name: &str) -> Result<(Arc<RemoteUcc>, bool), Problem> {
        if let Some(ucc) = self.find(name) {
            return Ok((ucc, false));
        }
        self.registry.send(Register(name.into())).await.unwrap_or_else(|_| Err(no_more(name)))
    }

    /// Opens an event stream of a queue, which is registered if it is not yet.
    ///
    /// # Errors
    /// As [`RemoteUccs::register`], and 429 when the queue has too many streams.
    pub(in crate::http) async fn open(&self, name: &str) -> Result<OpenStream, Problem> {
        for _ in 0..TRIES {
            if let Some(opened) = self.register(name).await?.0.open() {
                return opened;
            }
        }
        Err(no_more(name))
    }

    /// What happens in the whole process, for observers.
    pub(in crate::http) const fn observers(&self) -> &Arc<SharedFeed> {
        &self.observers
    }
}

/// The actor that starts the actors of remote queues, on the thread of all actors.
pub(super) struct Registry {
    provider: Provider,
    inside: Arc<BTreeSet<String>>,
    linger: Duration,
    events_kept: usize,
    directory: Arc<Directory>,
    together: Rc<Together>,
}

/// Registers a queue, unless it is already; true for a new one.
#[derive(Message)]
#[rtype(result = "Result<(Arc<RemoteUcc>, bool), Problem>")]
pub(super) struct Register(Arc<str>);

/// The actor of a queue has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Gone(pub(super) Arc<str>);

impl Actor for Registry {
    type Context = Context<Self>;
}

impl Handler<Register> for Registry {
    type Result = Result<(Arc<RemoteUcc>, bool), Problem>;

    fn handle(&mut self, Register(name): Register, ctx: &mut Self::Context) -> Self::Result {
        if self.inside.contains(&name.to_lowercase()) {
            return Err(Problem::conflict(format!(
                "the queue `{name}` runs inside the process (UnifiedContactCenters of Config.xml); take another name"
            )));
        }
        let mut uccs = open(&self.directory);
        if let Some(ucc) = uccs.get(&name)
            && ucc.hear()
        {
            return Ok((Arc::clone(ucc), false));
        }
        if uccs.len() >= MAX_UCCS {
            return Err(Problem::unavailable(
                format!("{MAX_UCCS} remote queues are registered, which is the limit; let some go with DELETE"),
                self.linger.max(Duration::from_secs(1)),
            ));
        }
        let feed = SharedFeed::new(Feed::new(epoch(), self.events_kept));
        let lease = Lease::new(now(), self.linger);
        let (provider, registry, together) = (self.provider.clone(), ctx.address(), Rc::clone(&self.together));
        let mut shared = None;
        let address = UccActor::create(|ctx| {
            let ucc = Arc::new(RemoteUcc::new(Arc::clone(&name), ctx.address(), feed, lease));
            shared = Some(Arc::clone(&ucc));
            UccActor::new(ucc, provider, registry, together)
        });
        drop(address);
        let Some(ucc) = shared else { return Err(no_more(&name)) };
        uccs.insert(name, Arc::clone(&ucc));
        Ok((ucc, true))
    }
}

impl Handler<Gone> for Registry {
    type Result = ();

    fn handle(&mut self, Gone(name): Gone, _: &mut Self::Context) {
        let mut uccs = open(&self.directory);
        // A queue that came back under the same name is another one.
        if uccs.get(&name).is_some_and(|ucc| ucc.lease().is_over()) {
            uccs.remove(&name);
        }
    }
}

/// Tells the observers what happens, until the provider is no more.
async fn observe(provider: Provider, observers: Arc<SharedFeed>) {
    let mut occurrences = provider.occurrences();
    drop(provider);
    loop {
        let happening = match occurrences.recv().await {
            Ok(Occurrence::Changed(change)) => Happening::Told(presence_actors::PresenceEvent::Changed(change)),
            Ok(Occurrence::Endpoint { kind, to, up, failure, at, from: _ }) => {
                Happening::Endpoint(Arc::new(EndpointChange { kind, state: to, up, failure, at }))
            }
            Ok(Occurrence::Graph { report, at }) => Happening::Graph(Arc::new((report, at))),
            Ok(Occurrence::SilentLoss { uri, via, held, said, at }) => {
                Happening::SilentLoss(Arc::new(SilentLoss { uri, via, held, said, at }))
            }
            Ok(Occurrence::Failed { .. } | Occurrence::Abandoned { .. } | Occurrence::Revived { .. }) => continue,
            Err(RecvError::Lagged(missed)) => Happening::Lagged(Some(missed)),
            Err(RecvError::Closed) => return,
        };
        observers.write(|feed| feed.announce(happening));
    }
}

/// A number that no other feed has.
fn epoch() -> u64 {
    // Without the system's randomness the time will do: an epoch is no secret.
    getrandom::u64().unwrap_or_else(|_| {
        let time = time_of_day(now()).duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(time.as_nanos()).unwrap_or_default()
    })
}
