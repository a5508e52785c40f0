//! Whether the service can start with settings that are valid, and whether it will do well with them.

use std::time::Duration;

use jiff::Timestamp;
use presence_config::{Dialect, Settings};
use presence_core::SourceKind;

use crate::check::FullStart;
use crate::http::{Access, access, tls};
use crate::{assemble, graph};

/// After this long a subscription is refreshed in the dialect `simple`: servers grant an hour, and a tenth of it is kept in
/// hand.
const REFRESHED_EVERY: Duration = Duration::from_secs(3240);

/// The same in the dialect `skype`: pools grant 8 hours, and a quarter of an hour is kept in hand.
const REFRESHED_EVERY_AT_A_POOL: Duration = Duration::from_secs(8 * 3600 - 900);

/// What keeps `run` from starting, one sentence each. Empty when it can start.
///
/// Opens the files that the settings name, and asks no one on the network.
#[must_use]
pub fn obstacles(settings: &Settings) -> Vec<String> {
    let missing_files = settings.missing_files();
    let unusable = if missing_files.is_empty() { unusable_files(settings) } else { Vec::new() };
    let accounts = settings.graph.as_ref().map(graph::obstacles).unwrap_or_default();
    [settings.missing_for_start(), missing_files, unusable, accounts].concat()
}

/// Why files that can be opened cannot be used.
fn unusable_files(settings: &Settings) -> Vec<String> {
    let pool = settings.ucma.iter().flat_map(|ucma| assemble::unusable_files(&ucma.pool));
    let tokens = settings.http.iter().filter_map(|http| Access::load(http.tokens.as_ref()?).err());
    let listener = settings.http.iter().filter_map(|http| {
        let (certificate, key) = (http.certificate.as_ref()?, http.private_key.as_ref()?);
        tls::check(certificate, key).err()
    });
    let listener = listener.map(|error| format!("TLS of the HTTP API: {error}"));
    pool.chain(tokens.map(|error| error.to_string())).chain(listener).collect()
}

/// What the service can start with and its operator will not be happy with, one sentence each.
#[must_use]
pub fn doubts(settings: &Settings) -> Vec<String> {
    let rules = settings.source_rules();
    let subscriptions =
        settings.agents().iter().filter(|uri| rules.select(uri).source == Some(SourceKind::Ucma)).count();
    let skype = settings.ucma.as_ref().is_some_and(|ucma| ucma.pool.dialect == Dialect::Skype);
    let every = if skype { REFRESHED_EVERY_AT_A_POOL } else { REFRESHED_EVERY };
    let load = refresh_load(subscriptions, settings.max_presence_subscriptions_per_second.get(), every);
    let accounts = settings.graph.as_ref().map(graph::doubts).unwrap_or_default();
    load.into_iter().chain(nobody_admitted(settings)).chain(accounts).chain(sweep_load(settings)).collect()
}

/// The accounts together must be able to keep up the sweep, and a tenth must stay free for lookups and news.
fn sweep_load(settings: &Settings) -> Option<String> {
    let graph = settings.graph.as_ref()?;
    let load = FullStart::of(settings).graph?;
    let rate = f64::from(graph.requests_per_second.get()) * graph.accounts.len() as f64;
    (load.requests_per_second > rate * 0.9).then(|| {
        format!(
            "{} agents need {:.1} requests per second to Microsoft Graph for a sweep of {} s, and the accounts together may make \
             {rate}; a longer SweepInterval or more accounts help",
            load.agents, load.requests_per_second, load.sweep_seconds
        )
    })
}

/// A tokens file in which every token has expired, or none is.
fn nobody_admitted(settings: &Settings) -> Option<String> {
    let file = settings.http.as_ref()?.tokens.as_ref()?;
    // A file that cannot be used is an obstacle.
    let tokens = access::read(file).ok()?;
    let now = Timestamp::now();
    tokens.iter().all(|token| token.is_expired(now)).then(|| {
        format!(
            "{} holds no token that is valid, so that nobody can use the HTTP API; `presence-provider token create` makes one",
            file.display()
        )
    })
}

/// Half of the rate must stay free for new agents and for the recovery after a loss.
fn refresh_load(subscriptions: usize, rate: u32, every: Duration) -> Option<String> {
    let per_second = subscriptions as f64 / every.as_secs_f64();
    (per_second > f64::from(rate) / 2.0).then(|| {
        format!(
            "{subscriptions} agents at the pool need {per_second:.1} refreshes per second for ever, which leaves less than \
             half of the {rate} per second for new subscriptions and for the recovery after a loss; \
             MaxPresenceSubscriptionsPerSecond should be {:.0} at least",
            (per_second * 2.0).ceil()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refreshes_may_take_half_of_the_rate() {
        assert_eq!(refresh_load(24_300, 15, REFRESHED_EVERY), None);
        assert_eq!(refresh_load(209_250, 15, REFRESHED_EVERY_AT_A_POOL), None);
        assert!(refresh_load(209_251, 15, REFRESHED_EVERY_AT_A_POOL).is_some());
        let sentence = refresh_load(24_301, 15, REFRESHED_EVERY).expect("too many for the rate");
        assert!(sentence.contains("24301 agents") && sentence.ends_with("should be 16 at least"), "{sentence}");
    }

    #[test]
    fn settings_without_anything_wait_for_queues_of_other_processes_or_lack_one() {
        let settings = Settings::default();
        assert_eq!(doubts(&settings), Vec::<String>::new());
        assert_eq!(obstacles(&settings), Vec::<String>::new());
        let obstacles = obstacles(&Settings { http: None, ..settings });
        assert!(matches!(obstacles.as_slice(), [one] if one.starts_with("no queue: ")), "{obstacles:?}");
    }
}
