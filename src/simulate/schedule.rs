//! Which orders of a script are due when.

use std::time::{Duration, Instant};

use presence_simulator::Command;

/// One order of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step<C = Command> {
    /// Since the start.
    pub(super) after: Duration,
    /// How often it comes again; never zero.
    pub(super) every: Option<Duration>,
    /// The order.
    pub(super) command: C,
}

/// The orders that are still to come, each once or again and again.
///
/// ```text
///  waiting --due, every--> waiting again
///     |
///     +--due, once--> gone
/// ```
#[derive(Clone, Debug)]
pub(super) struct Schedule<C = Command> {
    waiting: Vec<(Instant, Step<C>)>,
}

impl<C: Clone> Schedule<C> {
    /// Steps counted from this start.
    pub(super) fn new(start: Instant, steps: Vec<Step<C>>) -> Self {
        Self { waiting: steps.into_iter().map(|step| (start + step.after, step)).collect() }
    }

    /// When the next order is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.waiting.iter().map(|(due, _)| *due).min()
    }

    /// The orders that are due, in the order of their times, then of the script. One that is late by several of its
    /// periods comes once.
    pub(super) fn due(&mut self, now: Instant) -> Vec<C> {
        let mut due: Vec<_> = self.waiting.extract_if(.., |(at, _)| *at <= now).collect();
        due.sort_by_key(|(at, _)| *at);
        let mut commands = Vec::new();
        for (mut at, step) in due {
            commands.push(step.command.clone());
            if let Some(every) = step.every {
                while at <= now {
                    at += every;
                }
                self.waiting.push((at, step));
            }
        }
        commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_come_in_time_once_or_again() {
        let start = presence_actors::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let step = |after, every: Option<u64>, line: &str| Step {
            after: Duration::from_secs(after),
            every: every.map(Duration::from_secs),
            command: line.parse::<Command>().expect("a command"),
        };
        let mut schedule = Schedule::new(
            start,
            vec![step(30, Some(60), "kill-connections"), step(10, None, "heal"), step(0, None, "forget-dialogs")],
        );
        let mut due = |seconds| schedule.due(at(seconds)).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(due(0), ["forget-dialogs"]);
        assert_eq!(due(9), Vec::<String>::new());
        assert_eq!(due(31), ["heal", "kill-connections"]);
        assert_eq!(due(89), Vec::<String>::new());
        assert_eq!(due(300), ["kill-connections"], "once, however late");
        assert_eq!(schedule.next(), Some(at(330)));
    }
}
