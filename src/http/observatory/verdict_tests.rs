use presence_core::EndpointSet;

use super::*;
use crate::http::model::AgentCounts;

/// A house, by what differs from one where all is well.
struct House {
    now: Instant,
    tally: Tally,
    endpoints: Vec<Standing>,
    graph: GraphMemory,
    recovery: Option<Recovering>,
    keeping: Option<KeepingReading>,
}

impl House {
    /// So many agents, all fresh, one endpoint that is up.
    fn of(total: usize) -> Self {
        let now = presence_actors::now();
        let counts = AgentCounts { total, fresh: total, ..AgentCounts::default() };
        let tally = Tally { counts, ..Tally::default() };
        Self {
            now,
            tally,
            endpoints: vec![standing(now, EndpointKind::Application, true)],
            graph: GraphMemory::new(now),
            recovery: None,
            keeping: Some(KeepingReading::default()),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Tally)) -> Self {
        change(&mut self.tally);
        self
    }

    fn with_user_endpoint(mut self, is_up: bool) -> Self {
        self.endpoints.push(standing(self.now, EndpointKind::User, is_up));
        self
    }

    fn with_application_endpoint_down(mut self) -> Self {
        self.endpoints[0].is_up = false;
        self
    }

    fn recovering(mut self, cause: Cause, done: usize, left: Option<f64>) -> Self {
        let predicted_end = left.map(|left| self.now + Duration::from_secs_f64(left));
        let coverage = presence_core::Coverage::default();
        let (failed, rate) = (0, 15.0);
        self.recovery =
            Some(Recovering { cause, since: self.now, total: 1_000, done, predicted_end, failed, rate, coverage });
        self
    }

    fn judged(&self) -> (Verdict, String) {
        judge(&Scene {
            now: self.now,
            tally: &self.tally,
            endpoints: &self.endpoints,
            graph: &self.graph,
            recovery: self.recovery.as_ref(),
            keeping: self.keeping.as_ref(),
            clock: &|_| "14:05:49".to_owned(),
        })
    }

    #[track_caller]
    fn is(&self, verdict: Verdict, headline: &str) {
        assert_eq!(self.judged(), (verdict, headline.to_owned()));
    }
}

/// It has been so for an hour.
fn standing(now: Instant, kind: EndpointKind, is_up: bool) -> Standing {
    let since = now.checked_sub(Duration::from_secs(3_600)).unwrap_or(now);
    Standing { kind, is_up, was_up: true, since, why: Some("connection refused".to_owned()) }
}

#[test]
fn all_is_well() {
    House::of(0).is(Verdict::Well, "All is well; no queue asks for an agent.");
    House::of(1).is(Verdict::Well, "The only agent is fresh.");
    House::of(9_998).is(Verdict::Well, "All 9,998 agents are fresh.");
    let no_pool = House { endpoints: Vec::new(), ..House::of(2) };
    no_pool.is(Verdict::Well, "All 2 agents are fresh.");
}

#[test]
fn what_mends_itself_is_said_and_all_is_well() {
    let house = House::of(1_000).with(|tally| {
        (tally.counts.fresh, tally.aside, tally.unpushed, tally.missing) = (983, 2, 12, 1);
        (tally.counts.unknown, tally.counts.backing_off, tally.silent) = (17, 2, 1);
    });
    let headline = "983 of 1,000 agents are fresh; 2 could not be subscribed, and will be tried again; \
                    12 unknown because no third party has pushed a state; 1 being subscribed; \
                    1 subscribed, with nothing told by the pool yet; 1 without a present value.";
    house.is(Verdict::Well, headline);
}

#[test]
fn attendant_agents_that_nobody_pushes_never_make_the_verdict_bad() {
    let house = House::of(50).with(|tally| (tally.counts.fresh, tally.counts.unknown, tally.unpushed) = (0, 50, 50));
    house.is(Verdict::Well, "0 of 50 agents are fresh; 50 unknown because no third party has pushed a state.");
}

#[test]
fn what_was_pushed_before_a_restart_is_told_until_it_is_pushed_again() {
    let house =
        House::of(50).with(|tally| (tally.counts.fresh, tally.counts.stale, tally.not_pushed_again) = (48, 2, 2));
    let headline =
        "48 of 50 agents are fresh; 2 as third parties had pushed them before the restart, until they push again.";
    house.is(Verdict::Well, headline);
}

#[test]
fn a_recovery_tells_how_far_it_is_and_how_long_it_takes() {
    let loss = || Cause::Loss { kinds: EndpointSet::EMPTY.with(EndpointKind::Application), why: None };
    House::of(1_000)
        .recovering(loss(), 812, Some(12.6))
        .is(Verdict::Recovering, "Recovering: 812 of 1,000 agents are back, the rest in about 13 s.");
    House::of(1_000)
        .recovering(Cause::Start, 999, Some(0.2))
        .is(Verdict::Recovering, "Starting: 999 of 1,000 agents are known, the rest in a moment.");
    House::of(1_000)
        .recovering(Cause::NewAgents, 0, Some(4_000.0))
        .is(Verdict::Recovering, "Subscribing: 0 of 1,000 agents are known, the rest in about 67 min.");
    House::of(1_000).with_user_endpoint(true).with_application_endpoint_down().recovering(loss(), 5, Some(30.0)).is(
        Verdict::Recovering,
        "Recovering: 5 of 1,000 agents are back, the rest in about 30 s. \
             The application endpoint is down since 14:05:49; its agents are served by the user endpoint.",
    );
}

#[test]
fn what_needs_a_look_is_said() {
    House::of(10).with_user_endpoint(true).with_application_endpoint_down().is(
        Verdict::Degraded,
        "The application endpoint is down since 14:05:49; its agents are served by the user endpoint.",
    );
    House::of(1_000)
        .with(|tally| (tally.counts.fresh, tally.counts.abandoned, tally.aside) = (997, 3, 3))
        .is(Verdict::Degraded, "3 agents are abandoned: they are not tried again until revived.");
    House::of(1_000).with(|tally| (tally.counts.abandoned, tally.counts.quarantined, tally.aside) = (1, 1, 2)).is(
        Verdict::Degraded,
        "1 agent is abandoned: it is not tried again until revived. \
         1 agent is left alone for an hour because of a bug of this program; its log says more.",
    );
}

#[test]
fn more_than_one_in_twenty_without_presence_is_not_well() {
    let failing = |aside| House::of(100).with(|tally| tally.aside = aside).judged();
    assert_eq!(failing(5).0, Verdict::Well);
    let said = "6 of 100 agents could not be subscribed; they are tried again by themselves.";
    assert_eq!(failing(6), (Verdict::Degraded, said.to_owned()));
    let silent = |silent| House::of(100).with(|tally| tally.silent = silent).judged();
    assert_eq!(silent(5).0, Verdict::Well);
    let said = "6 of 100 agents are subscribed, and the pool does not tell their presence.";
    assert_eq!(silent(6), (Verdict::Degraded, said.to_owned()));
}

#[test]
fn without_an_endpoint_the_house_is_down_whatever_else_is() {
    let house = House::of(1_000).with_application_endpoint_down().with(|tally| {
        (tally.counts.fresh, tally.counts.stale, tally.counts.unknown, tally.unpushed) = (0, 987, 13, 12);
    });
    let headline = "The application endpoint is down since 14:05:49 (connection refused): \
                    987 agents keep their last presence as stale, 1 agent is unknown.";
    house.is(Verdict::Down, headline);
    let loss = Cause::Loss { kinds: EndpointSet::EMPTY.with(EndpointKind::Application), why: None };
    house.recovering(loss, 0, None).is(Verdict::Down, headline);
    House::of(0)
        .with_user_endpoint(false)
        .with_application_endpoint_down()
        .is(Verdict::Down, "No endpoint is up since 14:05:49 (connection refused).");
}

#[test]
fn at_the_start_the_pool_is_given_ten_seconds_before_the_house_is_called_down() {
    let mut house = House::of(0).with_application_endpoint_down();
    let begun = house.now;
    house.endpoints[0] = Standing { was_up: false, since: begun, ..house.endpoints[0].clone() };
    house.now = begun + Duration::from_secs(9);
    house.is(Verdict::Recovering, "Starting: the pool is being connected to.");
    house.now = begun + Duration::from_secs(10);
    let headline = "The application endpoint has not come up since the start at 14:05:49 (connection refused).";
    house.is(Verdict::Down, headline);
}
