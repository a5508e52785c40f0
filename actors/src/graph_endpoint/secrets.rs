//! Reads secrets and keeps tokens: one after the other, on a thread that may block.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::WeakAddr;
use secrecy::SecretString;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::GraphEndpoint;
use super::handlers::SecretLoaded;
use crate::graph_setup::SecretStore;
use crate::messages::Done;

enum Order {
    Load(Arc<str>),
    Store(Arc<str>, SecretString),
    Finish(Done),
}

/// The way to the secrets. Orders are carried out in their order.
pub(super) struct Secrets(UnboundedSender<Order>);

impl Secrets {
    /// What is read comes to the endpoint as [`SecretLoaded`].
    pub(super) fn start(store: Arc<dyn SecretStore>, endpoint: WeakAddr<GraphEndpoint>) -> Self {
        let (sender, orders) = unbounded_channel();
        actix_rt::spawn(carry_out(store, endpoint, orders));
        Self(sender)
    }

    /// Reads the secret of an account.
    pub(super) fn load(&self, account: Arc<str>) {
        self.order(Order::Load(account));
    }

    /// Keeps the refresh token of an account.
    pub(super) fn store(&self, account: Arc<str>, token: SecretString) {
        self.order(Order::Store(account, token));
    }

    /// Drops this when everything before is done.
    pub(super) fn finish(&self, done: Done) {
        self.order(Order::Finish(done));
    }

    fn order(&self, order: Order) {
        let _the_process_ends = self.0.send(order);
    }
}

/// So long after a token could not be kept it is tried again: the disk may have room again.
const AGAIN: Duration = Duration::from_secs(60);

async fn carry_out(
    store: Arc<dyn SecretStore>,
    endpoint: WeakAddr<GraphEndpoint>,
    mut orders: UnboundedReceiver<Order>,
) {
    let mut unkept = BTreeMap::new();
    loop {
        let next = match unkept.is_empty() {
            true => orders.recv().await,
            false => match tokio::time::timeout(AGAIN, orders.recv()).await {
                Ok(next) => next,
                Err(_) => {
                    keep_all(&store, &mut unkept).await;
                    continue;
                }
            },
        };
        let Some(order) = next else {
            // The endpoint has crashed: the next one reads what is kept.
            keep_all(&store, &mut unkept).await;
            break;
        };
        match order {
            Order::Load(account) => {
                let (store, name) = (Arc::clone(&store), Arc::clone(&account));
                let read = tokio::task::spawn_blocking(move || store.load(&name)).await;
                let secret = read.unwrap_or_else(|_| Err("what reads it died of a bug".to_owned()));
                if let Some(endpoint) = endpoint.upgrade() {
                    endpoint.do_send(SecretLoaded { account, secret });
                }
            }
            Order::Store(account, token) => {
                if let Err(why) = keep(&store, &account, &token).await {
                    tracing::error!(logger = "MsGraphPresenceSource", account = %account, why = %why,
                        "the new refresh token of the account is not kept; it is tried again every minute, and works until the provider \
                         restarts");
                    unkept.insert(account, token);
                } else {
                    unkept.remove(&account);
                }
            }
            Order::Finish(done) => {
                keep_all(&store, &mut unkept).await;
                drop(done);
            }
        }
    }
}

async fn keep(store: &Arc<dyn SecretStore>, account: &Arc<str>, token: &SecretString) -> Result<(), String> {
    let (store, account, token) = (Arc::clone(store), Arc::clone(account), token.clone());
    let kept = tokio::task::spawn_blocking(move || store.store(&account, &token)).await;
    kept.unwrap_or_else(|_| Err("what keeps it died of a bug".to_owned()))
}

/// Tries once more to keep what could not be kept.
async fn keep_all(store: &Arc<dyn SecretStore>, unkept: &mut BTreeMap<Arc<str>, SecretString>) {
    for (account, token) in std::mem::take(unkept) {
        match keep(store, &account, &token).await {
            Ok(()) => {
                tracing::info!(logger = "MsGraphPresenceSource", account = %account, "the new refresh token is kept now");
            }
            Err(_) => drop(unkept.insert(account, token)),
        }
    }
}
