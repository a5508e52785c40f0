//! Everybody's turn comes, and the rate rises and falls.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use proptest::prelude::*;

use super::*;
use crate::test_clock::start;

const A: EndpointKind = EndpointKind::Application;
const U: EndpointKind = EndpointKind::User;

/// Agents, and the endpoint that stands behind each of them, if one does.
#[derive(Clone, Debug)]
struct Crowd(BTreeMap<AgentUri, Option<EndpointKind>>);

fn uri(number: usize) -> AgentUri {
    format!("sip:agent{number:05}@domain.com").parse().expect("valid")
}

impl Crowd {
    fn of(count: usize, via: impl Fn(usize) -> Option<EndpointKind>) -> Self {
        Self((0..count).map(|number| (uri(number), via(number))).collect())
    }
}

impl Sampleable for Crowd {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn at(&self, place: usize) -> Option<AgentUri> {
        self.0.keys().nth(place).cloned()
    }

    fn next(&self, behind: Option<&AgentUri>, through: EndpointSet) -> Option<AgentUri> {
        let begin = behind.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.0.range::<AgentUri, _>((begin, Bound::Unbounded));
        rest.find(|(_, via)| via.is_some_and(|via| through.contains(via))).map(|(uri, _)| uri.clone())
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Runs the sampler for this long, and does with each pick at once what `answer` does; what it picked, and when.
fn play(
    sampler: &mut Sampler,
    crowd: &Crowd,
    from: Instant,
    time: Duration,
    mut answer: impl FnMut(&mut Sampler, Instant, &Pick),
) -> Vec<(Duration, Pick)> {
    let mut picked = Vec::new();
    loop {
        let now = sampler.poll_timeout();
        if now > from + time {
            return picked;
        }
        while let Some(pick) = sampler.pick(now, crowd) {
            answer(sampler, now, &pick);
            picked.push((now - from, pick));
        }
        assert!(sampler.poll_timeout() > now, "it would be called for ever");
    }
}

fn compared(pick: Pick) -> AgentUri {
    let Pick::Compare(uri) = pick else { panic!("nothing was adopted") };
    uri
}

/// The same where nothing was adopted, with what came of each sample by `outcome`.
fn run(
    sampler: &mut Sampler,
    crowd: &Crowd,
    from: Instant,
    time: Duration,
    mut outcome: impl FnMut(&AgentUri) -> SampleOutcome,
) -> Vec<(Duration, AgentUri)> {
    let answer = |sampler: &mut Sampler, now, pick: &Pick| {
        let uri = compared(pick.clone());
        let via = crowd.0[&uri].expect("somebody stands behind it");
        sampler.sampled(now, &uri, via, outcome(&uri));
    };
    let picked = play(sampler, crowd, from, time, answer);
    picked.into_iter().map(|(at, pick)| (at, compared(pick))).collect()
}

fn sampler(now: Instant, per_second: u32, random: u64) -> Sampler {
    Sampler::new(now, seconds(10), NonZeroU32::new(per_second).expect("not zero"), random)
}

proptest! {
    #[test]
    fn everybody_who_can_be_is_sampled_within_as_many_intervals_as_there_are_agents(
        standing in prop::collection::vec(prop::option::of(any::<bool>()), 1..60),
        random in any::<u64>(),
    ) {
        let crowd = Crowd::of(standing.len(), |n| standing[n].map(|user| if user { U } else { A }));
        let can = standing.iter().flatten().count();
        let now = start();
        let mut sampler = sampler(now, 15, random);
        let time = seconds(10) * u32::try_from(can).expect("few");
        let picked = run(&mut sampler, &crowd, now, time, |_| SampleOutcome::Same);
        prop_assert_eq!(picked.len(), can, "one per interval");
        let different: BTreeSet<_> = picked.iter().map(|(_, uri)| uri.clone()).collect();
        prop_assert_eq!(different.len(), can, "nobody twice before everybody once");
    }

    #[test]
    fn however_much_is_lost_samples_keep_to_their_share_and_calm_down_afterwards(
        per_second in 1_u32..200,
        losses in prop::collection::vec(any::<bool>(), 50..200),
        random in any::<u64>(),
    ) {
        let crowd = Crowd::of(200, |n| Some(if n % 2 == 0 { A } else { U }));
        let now = start();
        let mut sampler = sampler(now, per_second, random);
        let mut next = losses.iter();
        let picked = run(&mut sampler, &crowd, now, seconds(3_600), |_| match next.next() {
            Some(true) => SampleOutcome::Lost,
            Some(false) => SampleOutcome::Same,
            None => SampleOutcome::Same,
        });
        // A quarter of the rate for the alarm, and one for the calm round.
        for (at, _) in &picked {
            let window = picked.iter().filter(|(then, _)| *then >= *at && *then < *at + seconds(10)).count();
            let most = f64::from(per_second) / 4.0 * 10.0 + 3.0;
            prop_assert!((window as f64) <= most.max(5.0), "{} in ten seconds from {:?}", window, at);
        }
        prop_assert!(next.next().is_none(), "all of it was used");
        prop_assert!(!sampler.is_alarmed(), "clean for long enough");
        let late = picked.iter().filter(|(at, _)| *at > seconds(3_500)).count();
        prop_assert_eq!(late, 10, "calm again");
    }
}

#[test]
fn a_loss_raises_the_rate_to_one_per_second_and_each_further_one_doubles_it_up_to_a_quarter() {
    let now = start();
    let mut sampler = sampler(now, 15, 7);
    assert_eq!((sampler.gap(), sampler.is_alarmed()), (seconds(10), false));
    let mut gaps = Vec::new();
    for number in 0..4 {
        sampler.sampled(now, &uri(number), A, SampleOutcome::Lost);
        gaps.push(sampler.gap().as_millis());
    }
    assert_eq!(gaps, [1_000, 500, 266, 266]);
    // And back, 20 clean ones for each step.
    let mut falling = Vec::new();
    for _ in 0..3 {
        (0..20).for_each(|number| sampler.sampled(now, &uri(number), A, SampleOutcome::Same));
        falling.push(sampler.gap().as_millis());
    }
    assert_eq!(falling, [533, 10_000, 10_000]);
}

#[test]
fn an_alarm_is_about_the_endpoints_with_losses_and_begins_behind_the_first_and_the_calm_round_goes_on() {
    let crowd = Crowd::of(100, |n| Some(if n < 50 { A } else { U }));
    let now = start();
    let mut sampler = sampler(now, 100, 0);
    sampler.sampled(now, &uri(60), U, SampleOutcome::Lost);
    let picked = run(&mut sampler, &crowd, now, seconds(15), |_| SampleOutcome::Void);
    let (calm, alarm): (Vec<_>, Vec<_>) = picked.iter().partition(|(_, uri)| crowd.0[uri] == Some(A));
    assert_eq!(calm.len(), 1, "the one of the tenth second");
    assert_eq!(alarm[0], &(seconds(1), uri(61)));
    assert_eq!(alarm.len(), 15);
}

#[test]
fn nobody_is_sampled_twice_at_a_time_and_64_at_most() {
    let crowd = Crowd::of(1, |_| Some(A));
    let now = start();
    let mut one = sampler(now, 15, 0);
    assert_eq!(one.pick(now + seconds(10), &crowd), Some(Pick::Compare(uri(0))));
    assert_eq!(one.pick(now + seconds(20), &crowd), None, "it is under way");
    assert_eq!(
        one.pick(now + seconds(320), &crowd),
        Some(Pick::Compare(uri(0))),
        "nothing was heard of it for too long"
    );
    let crowd = Crowd::of(500, |_| Some(A));
    let mut many = sampler(now, 1_000, 0);
    (0..20).for_each(|number| many.sampled(now, &uri(number), A, SampleOutcome::Lost));
    let picked = (0..10_000).filter(|tick| many.pick(now + Duration::from_millis(*tick), &crowd).is_some()).count();
    assert_eq!(picked, 64);
}

#[test]
fn nobody_can_be_sampled_and_it_asks_again_an_interval_later() {
    let crowd = Crowd::of(3, |_| None);
    let now = start();
    let mut sampler = sampler(now, 15, 5);
    assert_eq!(sampler.poll_timeout(), now + seconds(10));
    assert_eq!(sampler.pick(now + seconds(10), &crowd), None);
    assert_eq!(sampler.poll_timeout(), now + seconds(20));
    assert_eq!(sampler.pick(now + seconds(20), &Crowd::of(0, |_| None)), None);
    assert_eq!(sampler.pick(now + seconds(29), &Crowd::of(3, |_| Some(A))), None, "not due");
    assert!(sampler.pick(now + seconds(30), &Crowd::of(3, |_| Some(A))).is_some());
}

/// Everything that is picked in this time, and when; samples find nothing.
fn picks(sampler: &mut Sampler, crowd: &Crowd, from: Instant, time: Duration) -> Vec<(u64, Pick)> {
    let picked = play(sampler, crowd, from, time, |sampler, now, pick| {
        if let Pick::Compare(uri) = pick {
            sampler.sampled(now, uri, A, SampleOutcome::Same);
        }
    });
    picked.into_iter().map(|(at, pick)| (at.as_secs(), pick)).collect()
}

fn refreshed(picked: &[(u64, Pick)]) -> Vec<(u64, AgentUri, u32)> {
    let refreshed = picked.iter().filter_map(|(at, pick)| match pick {
        Pick::Refresh(uri, attempt) => Some((*at, uri.clone(), attempt.0)),
        Pick::Compare(_) => None,
    });
    refreshed.collect()
}

#[test]
fn adopted_dialogs_are_asked_about_first_the_oldest_before_the_others_at_the_same_rate() {
    let crowd = Crowd::of(30, |_| Some(A));
    let now = start();
    let mut sampler = sampler(now, 15, 3);
    for (second, number) in [(0, 9), (1, 4), (1, 20), (20, 2)] {
        sampler.adopted(now + seconds(second), &uri(number), Attempt(7));
    }
    let picked = picks(&mut sampler, &crowd, now, seconds(150));
    let expected = [(40, uri(9), 7), (50, uri(4), 7), (60, uri(20), 7), (70, uri(2), 7)];
    assert_eq!(refreshed(&picked), expected);
    let times: Vec<_> = picked.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, (1..=15).map(|turn| turn * 10).collect::<Vec<_>>(), "never more than one in ten seconds");
    let compared: Vec<_> =
        picked.iter().filter_map(|(_, pick)| matches!(pick, Pick::Compare(_)).then_some(pick)).collect();
    let round: Vec<_> = (4..15).map(|number| Pick::Compare(uri(number))).collect();
    assert_eq!(compared, round.iter().collect::<Vec<_>>(), "and then it goes on as before");
}

#[test]
fn a_dialog_that_is_adopted_again_is_asked_about_once_and_in_its_last_attempt() {
    let crowd = Crowd::of(3, |_| Some(A));
    let now = start();
    let mut sampler = sampler(now, 15, 0);
    sampler.adopted(now, &uri(1), Attempt(1));
    sampler.adopted(now + seconds(1), &uri(2), Attempt(1));
    sampler.adopted(now + seconds(30), &uri(1), Attempt(2));
    let picked = picks(&mut sampler, &crowd, now, seconds(200));
    assert_eq!(refreshed(&picked), [(40, uri(2), 1), (70, uri(1), 2)]);
}

#[test]
fn so_many_adopted_dialogs_are_remembered_and_none_for_longer_than_its_own_refresh() {
    let crowd = Crowd::of(5_000, |_| Some(A));
    let now = start();
    let mut sampler = sampler(now, 15, 0);
    (0..5_000).for_each(|number| sampler.adopted(now, &uri(number), Attempt(1)));
    let asked = refreshed(&picks(&mut sampler, &crowd, now, seconds(7_200)));
    // From 40 s to 3,590 s, one every ten seconds.
    assert_eq!((asked.len(), &asked[355]), (356, &(3_590, uri(355), 1)));
    let mut quick = Sampler::new(now, seconds(1), NonZeroU32::new(15).expect("not zero"), 0);
    let longer = |number: usize| seconds(u64::try_from(number).expect("few"));
    (0..5_000).for_each(|number| quick.adopted(now + longer(number), &uri(number), Attempt(1)));
    assert_eq!(refreshed(&picks(&mut quick, &crowd, now, seconds(9_000))).len(), 4_096);
}
