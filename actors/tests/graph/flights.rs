//! Which requests to Graph are under way at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use presence_graph::{Body, Host, Request};

/// The requests to Graph that are under way, and the most that were at once.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    /// By what they ask for.
    now: BTreeMap<Vec<u8>, usize>,
    pub(crate) most: usize,
    /// The most requests for the same users.
    pub(crate) most_alike: usize,
}

impl Flights {
    /// The most since the last time.
    pub(crate) fn read(&mut self) -> Self {
        let most = Self { most: self.most, most_alike: self.most_alike, ..Self::default() };
        self.most = self.now.values().sum();
        self.most_alike = self.now.values().max().copied().unwrap_or(0);
        most
    }
}

/// One of them; it has landed when this is dropped.
pub(crate) struct Flight(Arc<Mutex<Flights>>, Vec<u8>);

impl Flight {
    pub(crate) fn of(flights: &Arc<Mutex<Flights>>, request: &Request) -> Option<Self> {
        if request.host == Host::Login {
            return None;
        }
        let what = match &request.body {
            Body::Json(json) => json.to_vec(),
            Body::Empty | Body::Form(_) => request.path.clone().into_bytes(),
        };
        let mut known = flights.lock().unwrap();
        *known.now.entry(what.clone()).or_default() += 1;
        known.most = known.most.max(known.now.values().sum());
        known.most_alike = known.most_alike.max(known.now[&what]);
        Some(Self(Arc::clone(flights), what))
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut known = self.0.lock().unwrap();
        *known.now.get_mut(&self.1).unwrap() -= 1;
        known.now.retain(|_, count| *count > 0);
    }
}
