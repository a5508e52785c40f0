//! A process of ours: the provider with all its actors in a set of tasks of its own, so that it can be killed.

use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

use presence_actors::transport::memory;
use presence_actors::{DialectSetup, Provider, RandomBytes, Setup};
use presence_core::{EndpointKind, Remembered, RetryPolicy};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, LocalSet};

use crate::site::{Kind, Site};
use crate::support::{Recorder, Ucc, endpoint, rules, seconds};

/// With what a process is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) rate: u32,
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
    pub(crate) max_failures: u32,
    pub(crate) outbox: usize,
    pub(crate) endpoints: usize,
    /// How often somebody is sampled.
    pub(crate) samples: Option<Duration>,
}

pub(crate) struct Process {
    house: Rc<LocalSet>,
    stop: oneshot::Sender<()>,
    driver: JoinHandle<()>,
    pub(crate) provider: Provider,
}

impl Process {
    pub(crate) async fn start(
        site: &Site,
        kind: Kind,
        settings: Settings,
        seed: u64,
        left: Option<Remembered>,
    ) -> Self {
        let mut endpoints = Vec::new();
        for (side, kind_of_endpoint) in
            [EndpointKind::Application, EndpointKind::User].into_iter().enumerate().take(settings.endpoints)
        {
            let (network, pool) = memory::network();
            site.attach(side, pool);
            let mut endpoint = endpoint(kind_of_endpoint, network);
            endpoint.random = RandomBytes::seeded(seed ^ (side as u64) << 60);
            if kind == Kind::Skype {
                endpoint.dialect = DialectSetup::Skype { registers: true };
            }
            endpoints.push(endpoint);
        }
        let mut setup = Setup::new(rules(), endpoints);
        setup.subscriptions_per_second = NonZeroU32::new(settings.rate).unwrap();
        setup.retry = RetryPolicy::try_new(settings.first, settings.longest).unwrap();
        setup.max_failures = settings.max_failures;
        setup.outbox = settings.outbox;
        setup.sample_interval = settings.samples;
        setup.restored = left;
        let house = Rc::new(LocalSet::new());
        let provider = house.run_until(async move { Provider::start(setup) }).await;
        let (stop, stopped) = oneshot::channel();
        let inside = Rc::clone(&house);
        let driver = actix_rt::spawn(async move {
            let _ = inside.run_until(stopped).await;
        });
        Self { house, stop, driver, provider }
    }

    /// A UCC inside the process.
    pub(crate) async fn ucc(&self, name: &str) -> Ucc {
        // Not by `run_until`: whoever calls that last is woken for all tasks, and only the driver is always there.
        let (provider, name) = (self.provider.clone(), name.to_owned());
        self.house.spawn_local(async move { Recorder::start(&provider, &name) }).await.unwrap()
    }

    /// It ends in order.
    pub(crate) async fn shut_down(self) -> bool {
        let in_order = self.provider.shutdown(seconds(600)).await;
        self.kill().await;
        in_order
    }

    /// It is gone from one moment to the next.
    pub(crate) async fn kill(self) {
        let Self { house, stop, driver, provider } = self;
        let _ = stop.send(());
        driver.await.unwrap();
        drop(provider);
        assert_eq!(Rc::strong_count(&house), 1);
        drop(house);
    }
}
