//! Bad input: what reads from sockets and files is fed everything that a stranger may send.
//!
//! | part | what it is |
//! |---|---|
//! | [`TARGETS`] | one function per reader and per dialog layer; it panics where a rule is broken |
//! | [`mutate`] | seeded mutations, for the replay on stable |
//! | [`bombs`] | the costliest inputs at the caps of each reader |
//! | [`packets`] | SIP packets along the groups of PROTOS c07-sip |
//!
//! The targets know no fuzzer: `fuzz/libfuzzer` wraps each for cargo-fuzz, `fuzz/tests/replay.rs` plays the corpora of
//! `fuzz/corpus` through them on stable, with mutations (docs/decisions/0030).

pub mod bombs;
mod categories;
mod config;
mod dialog;
pub mod dice;
mod framing;
mod graph;
#[cfg(feature = "http")]
mod http;
mod lists;
mod message;
pub mod mutate;
pub mod packets;
mod pidf;
mod script;
mod snapshot;
mod typed;

/// A reader, or a layer with a memory, and how it is fed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its corpus in `fuzz/corpus` and of its wrapper in `fuzz/libfuzzer/fuzz_targets`.
    pub name: &'static str,
    /// Reads the bytes, and panics where a rule is broken.
    pub run: fn(&[u8]),
    /// The words that mean something to it: a file in `fuzz/dictionaries`, without its ending.
    pub dictionary: &'static str,
}

const fn target(name: &'static str, run: fn(&[u8]), dictionary: &'static str) -> Target {
    Target { name, run, dictionary }
}

/// Everything that is fuzzed.
pub const TARGETS: &[Target] = &[
    target("framing", framing::run, "sip"),
    target("message", message::run, "sip"),
    target("typed", typed::run, "sip"),
    target("pidf", pidf::run, "xml"),
    target("categories", categories::run, "xml"),
    target("lists", lists::run, "xml"),
    target("config", config::run, "config"),
    target("graph", graph::run, "json"),
    #[cfg(feature = "http")]
    target("http", http::run, "json"),
    target("snapshot", snapshot::run, "snapshot"),
    target("simple", dialog::run_simple, "sip"),
    target("skype", dialog::run_skype, "sip"),
];

/// Runs one target by its name, for the wrappers of the fuzzer.
///
/// # Panics
/// Where the target finds a rule broken, and where there is no such target.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("the wrapper names a target");
    (target.run)(data);
}
