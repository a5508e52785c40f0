//! Which scenes fit into the time that the demo has, and when they begin.

use std::time::Duration;

use super::DemoDialect;

/// How long the lost server stays away.
pub(super) const OUTAGE: Duration = Duration::from_secs(2);
/// A lost connection is tried again this often in the demo.
pub(super) const PROBE: Duration = Duration::from_secs(1);
/// The pause between scenes when nothing limits it.
const PAUSE: Duration = Duration::from_secs(6);
/// The least pause between scenes, so that a person can follow.
const SHORT_PAUSE: Duration = Duration::from_millis(500);
/// How long it takes at most until an ended subscription is back, or until the first of many is.
const TERMINATION: Duration = Duration::from_millis(1500);

/// How long the scene takes at most in which Microsoft asks for less: a sweep, the wait, and its jitter.
const LESS: Duration = Duration::from_millis(4_200);

/// How long the second scene takes at most.
fn interruption(all: Duration, dialect: DemoDialect) -> Duration {
    match dialect {
        DemoDialect::Simple => TERMINATION,
        // Everyone moves to the other endpoint.
        DemoDialect::Skype => TERMINATION + all,
    }
}

/// The scenes behind the first subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timeline {
    /// The pause in front of every scene, and behind the last.
    pub(super) pause: Duration,
    /// There is time for the second scene.
    pub(super) termination: bool,
    /// There is time for the server to go away, come back and get every subscription again.
    pub(super) outage: bool,
    /// There is time for Microsoft to ask for less.
    pub(super) less: bool,
}

impl Timeline {
    /// What fits into `remaining` (none: no end is set), when subscribing to everything takes `all`.
    pub(super) fn plan(remaining: Option<Duration>, all: Duration, dialect: DemoDialect, teams: bool) -> Self {
        let Some(remaining) = remaining else {
            return Self { pause: PAUSE, termination: true, outage: true, less: teams };
        };
        let first = interruption(all, dialect);
        let both = first + outage(all);
        if let Some(spare) = remaining.checked_sub(both + LESS + 4 * SHORT_PAUSE).filter(|_| teams) {
            let pause = (SHORT_PAUSE + spare / 4).min(PAUSE);
            return Self { pause, termination: true, outage: true, less: true };
        }
        if let Some(spare) = remaining.checked_sub(both + 3 * SHORT_PAUSE) {
            return Self { pause: (SHORT_PAUSE + spare / 3).min(PAUSE), termination: true, outage: true, less: false };
        }
        let termination = remaining >= first + 2 * SHORT_PAUSE;
        Self { pause: SHORT_PAUSE, termination, outage: false, less: false }
    }

    /// The shortest `--for` with every scene, in whole seconds.
    pub(super) fn shortest(all: Duration, dialect: DemoDialect) -> Duration {
        let exact = all + Duration::from_millis(200) + interruption(all, dialect) + outage(all) + 3 * SHORT_PAUSE;
        Duration::from_secs(exact.as_secs() + 1)
    }
}

/// The server is away, is found again at the next probe, and gets every subscription again.
fn outage(all: Duration) -> Duration {
    OUTAGE + 2 * PROBE + all
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Duration = Duration::from_millis(1350);

    #[test]
    fn ten_seconds_hold_every_scene_of_the_default_demo() {
        assert_eq!(Timeline::shortest(ALL, DemoDialect::Simple), Duration::from_secs(10));
        for seconds in 9..60 {
            let remaining = Duration::from_secs(seconds);
            let plan = Timeline::plan(Some(remaining), ALL, DemoDialect::Simple, false);
            assert!(plan.termination && plan.outage, "{seconds}: {plan:?}");
            assert!(3 * plan.pause + TERMINATION + outage(ALL) <= remaining, "{seconds}: {plan:?}");
        }
    }

    #[test]
    fn microsoft_asks_for_less_where_there_is_time_beside_the_pool() {
        // What the default demo has left of 20 s, and of 17 s, when everyone is subscribed.
        let all = Duration::from_millis(2_360);
        let plan = |seconds| Timeline::plan(Some(Duration::from_secs_f64(seconds)), all, DemoDialect::Skype, true);
        assert!(plan(17.3).less && plan(17.3).outage);
        assert!(!plan(14.3).less && plan(14.3).outage);
        for tenth in 120..400 {
            let remaining = f64::from(tenth) / 10.0;
            let plan = plan(remaining);
            let less = if plan.less { LESS + plan.pause } else { Duration::ZERO };
            let length = 3 * plan.pause + interruption(all, DemoDialect::Skype) + outage(all) + less;
            assert!(length <= Duration::from_secs_f64(remaining), "{remaining}: {plan:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let plan = Timeline::plan(Some(Duration::from_secs(4)), ALL, DemoDialect::Simple, true);
        assert!(plan.termination && !plan.outage, "{plan:?}");
        let plan = Timeline::plan(Some(Duration::from_secs(1)), ALL, DemoDialect::Simple, true);
        assert!(!plan.termination && !plan.outage, "{plan:?}");
        let slow = Timeline::plan(Some(Duration::from_secs(20)), Duration::from_secs(60), DemoDialect::Simple, true);
        assert!(slow.termination && !slow.outage, "{slow:?}");
    }

    #[test]
    fn without_an_end_there_is_time_for_everything() {
        assert_eq!(
            Timeline::plan(None, Duration::from_secs(600), DemoDialect::Skype, true),
            Timeline { pause: PAUSE, termination: true, outage: true, less: true }
        );
    }
}
