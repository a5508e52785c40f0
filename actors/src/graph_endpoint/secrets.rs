//! Reads secrets and keeps tokens: one after the other, on a thread that may block.

use std::sync::Arc;

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

async fn carry_out(
    store: Arc<dyn SecretStore>,
    endpoint: WeakAddr<GraphEndpoint>,
    mut orders: UnboundedReceiver<Order>,
) {
    while let Some(order) = orders.recv().await {
        let store = Arc::clone(&store);
        match order {
            Order::Load(account) => {
                let name = Arc::clone(&account);
                let read = tokio::task::spawn_blocking(move || store.load(&name)).await;
                let secret = read.unwrap_or_else(|_| Err("what reads it died of a bug".to_owned()));
                if let Some(endpoint) = endpoint.upgrade() {
                    endpoint.do_send(SecretLoaded { account, secret });
                }
            }
            Order::Store(account, token) => {
                let name = Arc::clone(&account);
                let kept = tokio::task::spawn_blocking(move || store.store(&name, &token)).await;
                if let Err(why) = kept.unwrap_or_else(|_| Err("what keeps it died of a bug".to_owned())) {
                    tracing::error!(logger = "MsGraphPresenceSource", account = %account, why = %why,
                        "the new refresh token of the account is not kept; it works until the provider restarts, then sign in again");
                }
            }
            Order::Finish(done) => drop(done),
        }
    }
}
