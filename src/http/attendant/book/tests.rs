use presence_core::Availability;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const BEAT: Hold = Hold::Heartbeat(Duration::from_secs(30));
/// The grace of [`BEAT`].
const GRACE: Duration = Duration::from_secs(3);

struct Desk {
    now: Instant,
    book: PusherBook,
    /// What the provider holds of each agent: until when.
    provider: BTreeMap<AgentUri, Instant>,
    /// How often something was given to the provider.
    given: usize,
}

fn agent(number: usize) -> AgentUri {
    AgentUri::parse(&format!("sip:agent{number}@desk.example")).unwrap()
}

impl Desk {
    fn new() -> Self {
        Self { now: presence_actors::now(), book: PusherBook::default(), provider: BTreeMap::new(), given: 0 }
    }

    fn push(&mut self, pusher: &str, number: usize, hold: Hold) {
        let said = Said { status: Status::of(Availability::BUSY), hold };
        self.book.room(self.now, pusher, &agent(number), 0).unwrap();
        self.book.pushed(self.now, &pusher.into(), &agent(number), said);
        self.give(agent(number), hold.span());
    }

    fn give(&mut self, uri: AgentUri, time_to_live: Duration) {
        self.provider.insert(uri, self.now + time_to_live);
        self.given += 1;
    }

    /// Time passes, and the shell does what the book wants when it wants it.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(wake) = self.book.poll_timeout().filter(|wake| *wake <= end) {
            self.now = self.now.max(wake);
            let due = self.book.due(self.now, 2);
            for repeat in due {
                assert!(self.known(&repeat.uri), "what has run out does not come back: {repeat:?}");
                self.give(repeat.uri, repeat.time_to_live);
            }
        }
        self.now = end;
    }

    fn known(&self, uri: &AgentUri) -> bool {
        self.provider.get(uri).is_some_and(|until| *until > self.now)
    }

    /// What holds, by the book and by the provider, which must be one.
    fn holds(&self, number: usize) -> Option<String> {
        let held = self.book.held(self.now, &agent(number));
        assert_eq!(held.is_some(), self.known(&agent(number)), "book and provider differ: {held:?}");
        held.map(|held| held.pusher.as_ref().to_owned())
    }
}

#[test]
fn a_time_to_live_runs_out_whether_its_pusher_is_heard_of_or_not() {
    let mut desk = Desk::new();
    desk.push("snapper", 1, Hold::TimeToLive(60 * SECOND));
    desk.pass(59 * SECOND);
    assert_eq!(desk.book.heard(desk.now, "snapper"), 0);
    assert_eq!(desk.holds(1).as_deref(), Some("snapper"));
    desk.pass(SECOND);
    assert_eq!(desk.holds(1), None);
    assert_eq!((desk.given, desk.book.poll_timeout()), (1, None));
    assert!(desk.book.pushers.is_empty(), "a pusher without agents is forgotten");
}

#[test]
fn heartbeats_keep_an_agent_and_a_dead_pusher_loses_it_after_heartbeat_and_grace() {
    let mut desk = Desk::new();
    desk.push("snapper", 1, BEAT);
    for _ in 0..100 {
        desk.pass(30 * SECOND);
        assert_eq!(desk.book.heard(desk.now, "snapper"), 1);
    }
    assert_eq!(desk.holds(1).as_deref(), Some("snapper"));
    desk.pass(30 * SECOND + GRACE - Duration::from_nanos(1));
    assert_eq!(desk.holds(1).as_deref(), Some("snapper"));
    desk.pass(Duration::from_nanos(1));
    assert_eq!(desk.holds(1), None);
    assert_eq!(desk.book.heard(desk.now, "snapper"), 0, "a late heartbeat brings nothing back");
    desk.pass(100 * SECOND);
    assert_eq!(desk.holds(1), None);
}

#[test]
fn a_heartbeat_that_is_late_within_the_grace_loses_nothing() {
    let mut desk = Desk::new();
    desk.push("snapper", 1, BEAT);
    for _ in 0..100 {
        desk.pass(30 * SECOND + GRACE - Duration::from_millis(1));
        assert_eq!(desk.book.heard(desk.now, "snapper"), 1);
        assert_eq!(desk.book.poll_timeout(), Some(desk.now), "it is given again at once");
        desk.pass(Duration::ZERO);
        assert_eq!(desk.provider[&agent(1)], desk.now + 30 * SECOND + GRACE);
    }
}

#[test]
fn a_heartbeat_that_comes_too_late_is_too_late_even_when_nobody_has_looked_meanwhile() {
    let mut desk = Desk::new();
    desk.push("snapper", 1, BEAT);
    desk.push("snapper", 2, Hold::Heartbeat(60 * SECOND));
    desk.now += 34 * SECOND;
    assert_eq!(desk.book.heard(desk.now, "snapper"), 1);
    assert_eq!((desk.holds(1), desk.holds(2).as_deref()), (None, Some("snapper")));
}

#[test]
fn any_push_is_a_heartbeat_for_the_other_agents_of_its_pusher() {
    let mut desk = Desk::new();
    desk.push("snapper", 1, BEAT);
    for _ in 0..10 {
        desk.pass(20 * SECOND);
        desk.push("snapper", 2, Hold::TimeToLive(SECOND));
    }
    assert_eq!(desk.holds(1).as_deref(), Some("snapper"));
    desk.pass(30 * SECOND);
    desk.push("other", 3, BEAT);
    desk.pass(GRACE);
    assert_eq!(desk.holds(1), None);
}

#[test]
fn an_agent_is_given_again_once_per_heartbeat_however_often_its_pusher_is_heard_of() {
    let mut desk = Desk::new();
    for number in 0..10 {
        desk.push("snapper", number, BEAT);
    }
    for _ in 0..3_000 {
        desk.pass(Duration::from_millis(100));
        assert_eq!(desk.book.heard(desk.now, "snapper"), 10);
    }
    assert_eq!(desk.given, 110, "300 s are ten heartbeats");
}

#[test]
fn the_last_pusher_owns_an_agent_and_the_heartbeats_of_the_one_before_no_longer_count() {
    let mut desk = Desk::new();
    desk.push("first", 1, BEAT);
    desk.pass(10 * SECOND);
    desk.push("second", 1, BEAT);
    assert_eq!(desk.holds(1).as_deref(), Some("second"));
    assert_eq!(desk.book.owner(desk.now, "first", &agent(1)), Owner::Another);
    assert_eq!(desk.book.owner(desk.now, "second", &agent(1)), Owner::Asking);
    for _ in 0..4 {
        assert_eq!(desk.book.heard(desk.now, "first"), 0);
        desk.pass(10 * SECOND);
    }
    assert_eq!(desk.holds(1), None);
    assert_eq!(desk.book.owner(desk.now, "second", &agent(1)), Owner::Nobody);
}

#[test]
fn what_is_withdrawn_is_forgotten_and_never_given_again() {
    let mut desk = Desk::new();
    desk.push("snapper", 1, BEAT);
    desk.book.forget(&agent(1));
    desk.provider.clear();
    assert_eq!(desk.book.heard(desk.now, "snapper"), 0);
    desk.pass(100 * SECOND);
    assert_eq!((desk.holds(1), desk.given), (None, 1));
    assert_eq!(desk.book.poll_timeout(), None);
}

#[test]
fn a_late_shell_gives_again_what_was_kept_and_not_what_was_lost() {
    let mut desk = Desk::new();
    desk.push("alive", 1, BEAT);
    desk.push("dead", 2, BEAT);
    desk.now += 20 * SECOND;
    desk.book.heard(desk.now, "alive");
    // Nobody could look for 20 s.
    desk.now += 20 * SECOND;
    let due = desk.book.due(desk.now, 100);
    assert_eq!(due.iter().map(|repeat| &repeat.uri).collect::<Vec<_>>(), [&agent(1)]);
    assert_eq!(due[0].time_to_live, 13 * SECOND);
    assert_eq!(desk.book.held(desk.now, &agent(2)), None);
}

#[test]
fn the_book_is_bounded_and_has_room_again_when_something_runs_out() {
    let mut desk = Desk::new();
    for pusher in 0..MAX_PUSHERS {
        desk.push(&format!("pusher{pusher}"), pusher, Hold::TimeToLive(10 * SECOND));
    }
    assert_eq!(desk.book.room(desk.now, "one-more", &agent(1), 0), Err(Full::Pushers));
    for number in MAX_PUSHERS..MAX_AGENTS {
        desk.push("pusher1", number, BEAT);
    }
    assert_eq!(desk.book.room(desk.now, "pusher1", &agent(MAX_AGENTS), 0), Err(Full::Agents));
    desk.book.forget(&agent(MAX_AGENTS - 1));
    assert_eq!(desk.book.room(desk.now, "pusher1", &agent(MAX_AGENTS), 0), Ok(()));
    assert_eq!(desk.book.room(desk.now, "pusher1", &agent(MAX_AGENTS), 1), Err(Full::Agents));
    desk.push("pusher1", MAX_AGENTS - 1, BEAT);
    assert_eq!(desk.book.room(desk.now, "pusher1", &agent(7), 0), Ok(()), "an agent that is held can be pushed again");
    desk.now += 10 * SECOND;
    assert_eq!(desk.book.room(desk.now, "one-more", &agent(MAX_AGENTS), 0), Ok(()));
}

#[test]
fn the_grace_is_a_tenth_within_limits() {
    assert_eq!(grace(SECOND), Duration::from_millis(250));
    assert_eq!(grace(20 * SECOND), 2 * SECOND);
    assert_eq!(grace(3_600 * SECOND), 5 * SECOND);
}
