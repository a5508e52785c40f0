//! The metrics of who has an available agent.

use std::time::Instant;

use presence_actors::ThrottleView;

use super::exposition::{Exposition, plain};

/// Which queues have an available agent, and how long those took that had none.
pub(super) fn seen(answer: &mut Exposition, now: Instant, throttle: &ThrottleView) {
    let coverage = &throttle.coverage;
    answer.gauge(
        "presence_uccs_covered",
        "Queues that have an agent who is available for sure",
        plain(coverage.covered as f64),
    );
    answer.gauge(
        "presence_uccs_seeking",
        "Queues that have none, and agents who might be on their way to the wire",
        plain(coverage.seeking as f64),
    );
    answer.gauge(
        "presence_ucc_longest_search_seconds",
        "For how long the queue has sought that has sought longest",
        plain(coverage.longest_search.as_secs_f64()),
    );
    answer.counter(
        "presence_ucc_searches",
        "How often a queue that sought an available agent has found one",
        plain(coverage.found as f64),
    );
    answer.counter(
        "presence_ucc_search_seconds",
        "How long these searches took, all together",
        plain(coverage.found_after.as_secs_f64()),
    );
    let left = throttle.predicted_cover.map_or(0.0, |end| end.saturating_duration_since(now).as_secs_f64());
    answer.gauge(
        "presence_uccs_predicted_cover_seconds",
        "In how many seconds every queue that seeks an available agent will have one",
        plain(left),
    );
}
