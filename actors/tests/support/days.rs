//! Days of chance: by their seeds, several at a time, and other ones by hand.

use std::num::NonZeroUsize;

/// The days of these seeds, each in a thread of its own and a few at a time; the seeds of those that failed.
pub(crate) fn days(seeds: &[u64], day: impl Fn(u64) + Copy + Send + 'static) -> Vec<u64> {
    let at_a_time = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut failed = Vec::new();
    for some in seeds.chunks(at_a_time) {
        let begin = |seed| std::thread::spawn(move || day(seed));
        let told: Vec<_> = some.iter().map(|seed| (*seed, begin(*seed))).collect();
        failed.extend(told.into_iter().filter_map(|(seed, day)| day.join().is_err().then_some(seed)));
    }
    failed
}

/// The seeds that `PRESENCE_SEED` and `PRESENCE_DAYS` name, or else these.
pub(crate) fn seeds(usual: &[u64]) -> Vec<u64> {
    setting("PRESENCE_SEED")
        .map_or(usual.into(), |first| (first..first + setting("PRESENCE_DAYS").unwrap_or(1)).collect::<Vec<_>>())
}

/// A number in the environment.
pub(crate) fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text}")))
}
