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

/// Runs the sampler for this long; what it picked when, and what came of each by `outcome` at once.
fn run(
    sampler: &mut Sampler,
    crowd: &Crowd,
    from: Instant,
    time: Duration,
    mut outcome: impl FnMut(&AgentUri) -> SampleOutcome,
) -> Vec<(Duration, AgentUri)> {
    let mut picked = Vec::new();
    loop {
        let now = sampler.poll_timeout();
        if now > from + time {
            return picked;
        }
        while let Some(uri) = sampler.pick(now, crowd) {
            let via = crowd.0[&uri].expect("somebody stands behind it");
            let came = outcome(&uri);
            sampler.sampled(now, &uri, via, came);
            picked.push((now - from, uri));
        }
        assert!(sampler.poll_timeout() > now, "it would be called for ever");
    }
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
    assert_eq!(one.pick(now + seconds(10), &crowd), Some(uri(0)));
    assert_eq!(one.pick(now + seconds(20), &crowd), None, "it is under way");
    assert_eq!(one.pick(now + seconds(320), &crowd), Some(uri(0)), "nothing was heard of it for too long");
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
