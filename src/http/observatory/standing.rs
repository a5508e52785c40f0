//! Whether the next start would begin with what holds now, in words.

use super::words::Clock;
use crate::http::convert::moment;
use crate::http::model::RestartState;
use crate::state::KeepingReading;

/// As the API has it.
pub(super) fn told(keeping: &KeepingReading) -> RestartState {
    let not_kept = keeping.not_kept.as_ref();
    RestartState {
        kept: not_kept.is_none(),
        why: not_kept.map(|not_kept| not_kept.why.clone()),
        since: not_kept.map(|not_kept| moment(not_kept.since)),
        written: keeping.written.map(|written| moment(written.at)),
        bytes: keeping.written.map_or(0, |written| written.bytes),
        failures: keeping.failures,
    }
}

/// What needs a look: a sentence, where something does.
pub(super) fn trouble(keeping: Option<&KeepingReading>, clock: Clock<'_>) -> Option<String> {
    let keeping = keeping?;
    let not_kept = keeping.not_kept.as_ref()?;
    let next = match keeping.written {
        Some(written) => format!("a restart would begin with what was known at {}", clock(written.at)),
        None => "a restart would know nothing of this run".to_owned(),
    };
    Some(format!(
        "The state for the next start is not written since {} ({}): {next}.",
        clock(not_kept.since),
        not_kept.why
    ))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::state::{NotKept, Written};

    #[test]
    fn a_state_that_is_not_written_is_told_with_its_reason_and_what_a_restart_would_begin_with() {
        let now = presence_actors::now();
        let clock = |at: Instant| if at == now { "14:05:49".to_owned() } else { "14:05:41".to_owned() };
        let mut keeping = KeepingReading::default();
        assert_eq!(trouble(None, &clock), None);
        assert_eq!(trouble(Some(&keeping), &clock), None);
        keeping.not_kept = Some(NotKept { since: now, why: "no space".to_owned() });
        let text = "The state for the next start is not written since 14:05:49 (no space): a restart would know nothing of this run.";
        assert_eq!(trouble(Some(&keeping), &clock).as_deref(), Some(text));
        let at = now + Duration::from_secs(1);
        keeping.written = Some(Written { at, bytes: 42, took: Duration::ZERO });
        let text = trouble(Some(&keeping), &clock).expect("a sentence");
        assert!(text.ends_with("(no space): a restart would begin with what was known at 14:05:41."), "{text}");
        let told = told(&keeping);
        assert_eq!((told.kept, told.why.as_deref(), told.bytes), (false, Some("no space"), 42));
    }
}
