//! Whether the state of the next start is being written.

use super::collect::{since_1970, truth};
use super::exposition::{Exposition, labelled};
use crate::state::KeepingReading;

/// How the keeping of the state stands; no rows where none is to be kept.
pub(super) fn state(answer: &mut Exposition, keeping: Option<&KeepingReading>) {
    let one = |value: f64| (Vec::new(), value);
    let written = keeping.and_then(|keeping| keeping.written);
    answer.gauge(
        "presence_state_kept",
        "1 while the state of the next start is written, 0 when it cannot be or has not been for three minutes",
        keeping.map(|keeping| one(truth(keeping.not_kept.is_none()))),
    );
    answer.gauge(
        "presence_state_written_timestamp_seconds",
        "When the state was written the last time, in seconds since 1970",
        written.map(|written| one(since_1970(written.at))),
    );
    answer.gauge(
        "presence_state_write_seconds",
        "How long the last writing of the state took",
        written.map(|written| one(written.took.as_secs_f64())),
    );
    answer.gauge("presence_state_bytes", "How large the state is", written.map(|written| one(written.bytes as f64)));
    let outcomes = keeping.map(|keeping| [("written", keeping.writes), ("failed", keeping.failures)]);
    let outcomes = outcomes.into_iter().flatten().map(|(outcome, count)| (labelled("outcome", outcome), count as f64));
    answer.counter("presence_state_writes", "Writings of the state, by how they ended", outcomes);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::state::{NotKept, Written};

    fn text(keeping: Option<&KeepingReading>) -> String {
        let mut answer = Exposition::default();
        state(&mut answer, keeping);
        answer.classic().unwrap()
    }

    #[test]
    fn a_state_is_told_by_whether_when_and_how_large_and_a_failure_does_not_hide_what_was_written() {
        let now = presence_actors::now();
        let mut keeping = KeepingReading { writes: 7, failures: 2, ..KeepingReading::default() };
        keeping.written = Some(Written { at: now, bytes: 12_800_000, took: Duration::from_millis(20) });
        let kept = text(Some(&keeping));
        for row in [
            "presence_state_kept 1",
            "presence_state_write_seconds 0.02",
            "presence_state_bytes 12800000",
            "presence_state_writes_total{outcome=\"written\"} 7",
            "presence_state_writes_total{outcome=\"failed\"} 2",
        ] {
            assert!(kept.contains(row), "{row}: {kept}");
        }
        let row = kept.lines().find_map(|line| line.strip_prefix("presence_state_written_timestamp_seconds "));
        assert!(row.unwrap().parse::<f64>().unwrap() > 1.7e9, "{kept}");
        keeping.not_kept = Some(NotKept { since: now, why: "full".to_owned() });
        let not_kept = text(Some(&keeping));
        assert!(not_kept.contains("presence_state_kept 0"), "{not_kept}");
        assert!(not_kept.contains("presence_state_bytes 12800000"), "{not_kept}");
    }

    #[test]
    fn where_no_state_is_kept_there_are_no_rows() {
        let text = text(None);
        assert!(text.lines().all(|line| line.starts_with('#')), "{text}");
    }
}
