//! The layers with a memory: a dialect, driven by a sequence of bytes, and a pool that answers what was really sent.

mod ledger;
mod pool;
mod scene;

pub(crate) use scene::{Kind, Scene};

/// Subscribers of RFC 6665.
pub(crate) fn run_simple(data: &[u8]) {
    Scene::new(Kind::Simple).play(data);
}

/// Endpoints at a pool of Skype for Business, with their registration.
pub(crate) fn run_skype(data: &[u8]) {
    Scene::new(Kind::Skype).play(data);
}
