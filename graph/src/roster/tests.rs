use std::collections::BTreeSet;

use presence_core::Availability;
use proptest::prelude::*;

use super::hearing::Hearing;
use super::*;
use crate::status::Reading;
use crate::wire::PresenceItem;

#[allow(clippy::disallowed_methods, reason = "an instant cannot be made otherwise; the tests only add to it")]
fn start() -> Instant {
    Instant::now()
}

const SWEEP: Duration = Duration::from_secs(5);

fn user(number: u32) -> ObjectId {
    let mut bytes = [0; 16];
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    ObjectId::new(bytes)
}

fn uri(number: u32) -> AgentUri {
    format!("sip:agent{number}@demo.example").parse().expect("a URI")
}

fn roster(users: u32) -> Roster {
    let mut roster = Roster::new(SWEEP, Duration::from_secs(60));
    for number in 0..users {
        assert!(roster.join(user(number), &uri(number)));
    }
    roster
}

fn item(number: u32, availability: Option<i32>, sequence: Option<&str>) -> PresenceItem {
    let status = availability.map(|value| Status::of(Availability::new(value)));
    PresenceItem {
        id: user(number),
        reading: Reading { status, unknown: [None, None] },
        sequence: sequence.map(Into::into),
    }
}

#[test]
fn there_are_exactly_as_many_batches_as_the_members_need() {
    for (users, batches) in [(0, 0), (1, 1), (649, 1), (650, 1), (651, 2), (1_300, 2), (1_301, 3), (15_000, 24)] {
        assert_eq!(roster(users).batches().len(), batches, "{users}");
    }
}

/// Each member is where it thinks it is, once, and no batch is too long.
fn check(roster: &Roster) {
    let mut seen = BTreeSet::new();
    for pace in Pace::ALL {
        let order: Vec<BatchId> = roster.batches.order(pace).collect();
        let members: usize = order.iter().map(|batch| roster.users_of(*batch).len()).sum();
        assert_eq!(order.len(), members.div_ceil(650), "{members}");
        for batch in order {
            let users = roster.users_of(batch);
            assert!(!users.is_empty() && users.len() <= 650);
            for (position, user) in users.into_iter().enumerate() {
                let member = roster.member(user).expect("a member");
                assert_eq!((member.batch, usize::from(member.position)), (batch, position));
                assert!(seen.insert(user), "twice");
            }
        }
    }
    assert_eq!(seen.len(), roster.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn whoever_comes_and_goes_and_changes_pace_is_in_one_batch_and_the_batches_are_few(
        steps in prop::collection::vec((0_u8..4, 0_u32..2_000), 1..120),
    ) {
        let mut roster = roster(1_400);
        for (step, number) in steps {
            match step {
                0 => _ = roster.join(user(number), &uri(number)),
                1 => (0..7).for_each(|more| _ = roster.leave(user(number + more), &uri(number + more))),
                2 => (0..9).for_each(|more| roster.set_pace(user(number + more), Pace::Slow)),
                _ => roster.set_pace(user(number), Pace::Fast),
            }
            check(&roster);
        }
        for number in 0..2_010 {
            roster.remove(user(number));
        }
        check(&roster);
        prop_assert!(roster.is_empty() && roster.batches().len() == 0 && roster.members.is_empty());
    }
}

#[test]
fn two_agents_may_be_one_user_who_stays_until_both_are_gone() {
    let mut roster = roster(1);
    assert!(!roster.join(user(0), &uri(77)));
    assert_eq!(roster.member(user(0)).map(|member| member.agents().count()), Some(2));
    assert!(!roster.leave(user(0), &uri(0)));
    assert!(!roster.leave(user(0), &uri(0)));
    assert!(roster.leave(user(0), &uri(77)));
    check(&roster);
}

#[test]
fn the_first_value_and_each_other_one_is_told_once() {
    let (mut roster, now) = (roster(1), start());
    let mut hear = |asked, value, sequence| roster.hear(now, asked, false, &item(0, Some(value), sequence));
    let told = |value| Some(Status::of(Availability::new(value)));
    assert_eq!(hear(1, 3_500, Some("A1")), Some(Hearing { tell: told(3_500), changed: false, overtaken: false }));
    assert_eq!(hear(2, 3_500, Some("A1")), Some(Hearing::default()));
    assert_eq!(hear(3, 6_500, Some("A2")), Some(Hearing { tell: told(6_500), changed: true, overtaken: false }));
    assert_eq!(hear(4, 3_500, Some("A1")), Some(Hearing { tell: None, changed: false, overtaken: true }));
    assert_eq!(hear(5, 9_500, None), Some(Hearing { tell: told(9_500), changed: true, overtaken: false }));
    let late = hear(4, 3_500, None);
    assert_eq!(late, Some(Hearing { tell: None, changed: false, overtaken: true }), "it was asked for before");
    assert_eq!(roster.hear(now, 9, false, &item(5, Some(0), None)), None);
}

#[test]
fn numbers_that_begin_anew_are_believed_the_third_time() {
    let (mut roster, now) = (roster(1), start());
    roster.hear(now, 1, false, &item(0, Some(3_500), Some("Z9")));
    for asked in 2..4 {
        assert_eq!(roster.hear(now, asked, false, &item(0, Some(6_500), Some("A1"))).and_then(|news| news.tell), None);
    }
    let news = roster.hear(now, 4, false, &item(0, Some(6_500), Some("A1"))).expect("a member");
    assert!(news.changed && news.tell.is_some());
}

#[test]
fn who_is_doubted_is_told_anew_also_when_nothing_has_changed() {
    let (mut roster, now) = (roster(2), start());
    for number in 0..2 {
        roster.hear(now, 1, false, &item(number, Some(3_500), Some("A1")));
    }
    let limit = SWEEP * 3 + PATIENCE;
    assert_eq!(roster.doubt(now + limit - Duration::from_millis(1), false).0.len(), 0);
    roster.hear(now + SWEEP, 2, false, &item(1, Some(3_500), Some("A1")));
    let (doubted, next) = roster.doubt(now + limit, false);
    assert_eq!((doubted, next), (vec![uri(0)], Some(now + SWEEP + limit)));
    assert_eq!((roster.present(user(0)), roster.present(user(1)).is_some()), (None, true));
    assert_eq!(roster.doubt(now + limit, true).0, [uri(1)]);
    for number in 0..2 {
        let news = roster.hear(now + limit, 3, false, &item(number, Some(3_500), Some("A1"))).expect("a member");
        assert!(news.tell.is_some() && !news.changed);
    }
}

#[test]
fn a_wheel_spreads_the_batches_evenly_and_catches_nothing_up() {
    let (mut roster, now) = (roster(6_500), start());
    let mut turns = Vec::new();
    for at in 0..20_000_u64 {
        let at = now + Duration::from_millis(at);
        // Held up for four seconds.
        if (8_000..12_000).contains(&(at - now).as_millis()) {
            continue;
        }
        while let Some(batch) = roster.batches().turn(at, Pace::Fast) {
            roster.batches_mut().asked(at, batch, true);
            roster.batches_mut().get_mut(batch).expect("a batch").in_flight = false;
            turns.push((at - now, batch));
        }
    }
    let apart: Vec<Duration> = turns.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(apart.iter().all(|apart| *apart >= Duration::from_millis(499)), "{apart:?}");
    assert_eq!(turns.len(), 16 + 16, "two turns in a second, and nothing for the four seconds");
    let round: BTreeSet<BatchId> = turns.iter().rev().take(10).map(|(_, batch)| *batch).collect();
    assert_eq!(round.len(), 10);
}
