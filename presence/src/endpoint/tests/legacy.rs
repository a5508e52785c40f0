//! What an earlier process has left.

use super::*;

fn next(until: Option<f64>, troubles: u32) -> Rig {
    let mut rig = rig();
    rig.machine.resume(rig.start, until.map(|until| rig.start + Duration::from_secs_f64(until)), troubles);
    rig
}

#[test]
fn a_pool_that_was_to_be_left_alone_is_left_alone_until_then() {
    let mut rig = next(Some(90.0), 2);
    assert_eq!(rig.feed(0.0, EndpointInput::Start), []);
    assert_eq!(
        (rig.machine.state(), rig.due()),
        (EndpointState::Establishing, Some((90.0, EndpointDeadline::Attempt)))
    );
    assert_eq!(rig.machine.legacy(), (Some(rig.at(90.0)), 2));
    assert_eq!(rig.tick(89.9), []);
    assert_eq!(rig.tick(90.0), [EndpointEffect::Connect { attempt: 1 }]);
}

#[test]
fn a_time_that_has_passed_or_lies_far_ahead_does_no_harm() {
    let mut rig = next(Some(-0.0), 0);
    assert_eq!(rig.feed(0.0, EndpointInput::Start), [EndpointEffect::Connect { attempt: 1 }]);
    let mut rig = next(Some(1e9), 0);
    assert_eq!(rig.feed(0.0, EndpointInput::Start), []);
    assert_eq!(rig.due(), Some((3_600.0, EndpointDeadline::Attempt)));
}

#[test]
fn it_leaves_the_pace_of_its_attempts_and_nothing_when_it_is_up() {
    let mut rig = rig();
    rig.feed(0.0, EndpointInput::Start);
    assert_eq!(rig.machine.legacy(), (Some(rig.at(5.0)), 0), "one attempt in five seconds, also across a restart");
    rig.feed(1.0, EndpointInput::ConnectFailed { attempt: 1, failure: failure("refused") });
    assert_eq!(rig.machine.legacy().0, Some(rig.at(5.0)));
    assert_eq!(super::rig().established().machine.legacy(), (None, 0));
}
