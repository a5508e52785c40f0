//! A pool that comes back slowly, in virtual time: what the throttle costs and saves.

use std::collections::VecDeque;

use super::*;

const AGENTS: usize = 1_000;
const ROUND_TRIP: Duration = Duration::from_millis(20);

/// What the pool takes: 2 agents per second at first, 30 after five minutes.
fn capacity(seconds: f64) -> f64 {
    (2.0 + 28.0 * seconds / 300.0).min(30.0)
}

/// Takes what its capacity allows, with room for what arrives within half a second, and refuses the rest with 503.
struct Pool {
    credit: f64,
    at: f64,
}

impl Pool {
    fn accepts(&mut self, seconds: f64) -> bool {
        let earned = capacity(seconds) * (seconds - self.at);
        self.credit = (self.credit + earned).min((capacity(seconds) * 0.5).max(1.0));
        self.at = seconds;
        let accepts = self.credit >= 1.0;
        self.credit -= if accepts { 1.0 } else { 0.0 };
        accepts
    }
}

#[derive(Debug)]
struct Outcome {
    rejections: usize,
    /// When the last agent was accepted.
    last: f64,
    /// How long all agents together were without presence.
    agent_seconds: f64,
}

fn recover(heeds_congestion: bool) -> Outcome {
    let start = crate::test_clock::start();
    let mut throttle = Throttle::new(rate(15));
    for agent in 0..AGENTS {
        throttle.request(start, agent, TokenClass::New);
    }
    let mut pool = Pool { credit: 1.0, at: 0.0 };
    let mut answers: VecDeque<(Instant, usize, bool)> = VecDeque::new();
    let mut outcome = Outcome { rejections: 0, last: 0.0, agent_seconds: 0.0 };
    let (mut now, mut accepted) = (start, 0);
    while accepted < AGENTS {
        while let Some(agent) = throttle.poll_granted() {
            throttle.sent(now);
            answers.push_back((now + ROUND_TRIP, agent, pool.accepts((now - start).as_secs_f64())));
        }
        let due = throttle.poll_timeout().into_iter().chain(answers.front().map(|answer| answer.0)).min();
        now = due.expect("there is a token or an answer to wait for").max(now);
        while answers.front().is_some_and(|answer| answer.0 <= now) {
            let (_, agent, is_accepted) = answers.pop_front().expect("it was there");
            let seconds = (now - start).as_secs_f64();
            if is_accepted {
                accepted += 1;
                outcome.last = seconds;
                outcome.agent_seconds += seconds;
            } else {
                outcome.rejections += 1;
                throttle.request(now, agent, TokenClass::Retry);
            }
            match (heeds_congestion, is_accepted) {
                (true, true) => throttle.relieved(now, 1),
                (true, false) => throttle.congested(now),
                (false, _) => {}
            }
        }
        throttle.handle_timeout(now);
    }
    outcome
}

#[test]
fn a_pool_that_comes_back_slowly_is_hardly_ever_asked_in_vain_and_everyone_is_back_as_soon() {
    let (fixed, heeding) = (recover(false), recover(true));
    println!("fixed rate {fixed:?}\nheeding {heeding:?}");
    assert!(fixed.rejections > 700, "the pool is not slow: {fixed:?}");
    assert!(heeding.rejections * 20 < fixed.rejections, "{heeding:?} against {fixed:?}");
    assert!(heeding.last <= fixed.last * 1.05, "{heeding:?} against {fixed:?}");
    assert!(heeding.agent_seconds <= fixed.agent_seconds * 1.1, "{heeding:?} against {fixed:?}");
}
