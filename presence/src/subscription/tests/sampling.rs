//! Samples: when they are taken, what makes an end of them, and what a silent loss does.

use super::*;
use crate::Freshness::{Fresh, Stale};
use crate::SampleOutcome::{Lost as OutcomeLost, Same, Skipped, Unanswered, Void};
use crate::TokenClass::Sample as ForSample;
use Seen::{Lost, Query, Sampled};

impl Rig {
    fn sample(&mut self, seconds: u64) -> Vec<Seen> {
        self.feed(seconds, SubscriptionInput::Sample)
    }

    fn queried(&mut self, seconds: u64, attempt: u32, availability: Option<i32>) -> Vec<Seen> {
        let status = availability.map(|value| Status::of(Availability::new(value)));
        self.feed(seconds, SubscriptionInput::Queried { attempt: Attempt(attempt), status })
    }

    /// Away is held, and the query is on its way since second 10.
    fn asked() -> Self {
        let mut rig = Self::active();
        assert_eq!(rig.sample(10), [Take(2, ForSample)]);
        assert_eq!(rig.granted(10, 2), [Query(A, 1)]);
        rig
    }

    /// The server has said busy at second 11, and the second query is on its way since second 17.
    fn asked_again() -> Self {
        let mut rig = Self::asked();
        assert_eq!(rig.queried(11, 1, Some(6_500)), []);
        assert_eq!(rig.due(), Some((17, Deadline::Sample)));
        assert_eq!(rig.tick(16), []);
        assert_eq!(rig.tick(17), [Take(3, ForSample)]);
        assert_eq!(rig.granted(17, 3), [Query(A, 1)]);
        rig
    }

    /// The loss was found at second 18.
    fn lost_silently() -> Self {
        let mut rig = Self::asked_again();
        let found = [Sampled(OutcomeLost), Lost(15_500, 6_500, None), Publish(6_500, Fresh), Take(4, Release)];
        assert_eq!(rig.queried(18, 1, Some(6_500)), found);
        rig
    }
}

#[test]
fn what_the_server_says_and_is_held_is_the_same_and_nothing_changes() {
    let mut rig = Rig::asked();
    let before = rig.machine.view();
    assert_eq!(rig.queried(11, 1, Some(15_500)), [Sampled(Same)]);
    assert_eq!(rig.machine.view(), before);
    assert_eq!(rig.sample(20), [Take(3, ForSample)], "the next one begins");
}

#[test]
fn only_a_fresh_value_in_a_standing_dialog_that_is_not_being_refreshed_is_compared() {
    let mut rig = Rig::with(3, &[A]);
    assert_eq!(rig.sample(0), [Sampled(Skipped)], "idle");
    rig.wanted(0);
    assert_eq!(rig.sample(0), [Sampled(Skipped)], "no endpoint");
    rig.up(0, A);
    assert_eq!(rig.sample(0), [Sampled(Skipped)], "awaits a token");
    rig.granted(0, 1);
    assert_eq!(rig.sample(0), [Sampled(Skipped)], "subscribing");
    rig.accepted(0, 1, 3_600);
    assert_eq!(rig.sample(0), [Sampled(Skipped)], "nothing is known");
    rig.notified(0, 1, 15_500);
    rig.feed(1, SubscriptionInput::Doubted { attempt: Attempt(1) });
    assert_eq!(rig.sample(1), [Sampled(Skipped)], "stale");
    rig.notified(2, 1, 15_500);
    rig.paused(3, A);
    assert_eq!(rig.sample(3), [Sampled(Skipped)], "paused");
    rig.up(4, A);
    assert_eq!(rig.tick(3_240), [Take(2, ForRefresh)]);
    assert_eq!(rig.sample(3_240), [Sampled(Skipped)], "waits for its refresh");
    rig.granted(3_240, 2);
    assert_eq!(rig.sample(3_240), [Sampled(Skipped)], "is being refreshed");
    rig.accepted(3_240, 1, 3_600);
    assert_eq!(rig.sample(3_240), [Take(3, ForSample)]);
    assert_eq!(rig.sample(3_240), [Sampled(Skipped)], "one at a time");
}

#[test]
fn a_query_that_is_refused_or_overdue_changes_nothing() {
    let mut rig = Rig::asked();
    assert_eq!(rig.queried(11, 1, None), [Sampled(Unanswered)]);
    assert_eq!(rig.queried(12, 1, Some(6_500)), [], "too late");
    let mut rig = Rig::asked();
    assert_eq!(rig.due(), Some((110, Deadline::Sample)));
    assert_eq!(rig.tick(109), []);
    assert_eq!(rig.tick(110), [Sampled(Unanswered)]);
    assert_eq!((rig.state(), rig.due()), (SubscriptionState::Active, Some((3_240, Deadline::Refresh))));
    let mut rig = Rig::asked_again();
    assert_eq!(rig.queried(18, 1, None), [Sampled(Unanswered)], "a difference alone is not believed");
}

#[test]
fn a_query_that_was_not_put_to_the_server_says_nothing_about_it() {
    let not_queried = |attempt: u32| SubscriptionInput::NotQueried { attempt: Attempt(attempt) };
    let mut rig = Rig::asked();
    assert_eq!(rig.feed(11, not_queried(9)), [], "of another dialog");
    assert_eq!(rig.feed(11, not_queried(1)), [Sampled(Skipped)]);
    assert_eq!(rig.feed(11, not_queried(1)), [], "once");
    let mut rig = Rig::active();
    rig.sample(10);
    assert_eq!(rig.feed(11, not_queried(1)), [], "it waits for its token");
    assert_eq!(rig.granted(12, 2), [Query(A, 1)]);
}

#[test]
fn a_notification_at_any_moment_makes_an_end_of_the_sample() {
    let mut rig = Rig::active();
    rig.sample(10);
    assert_eq!(rig.notified(10, 1, 6_500), [Cancel(2), Sampled(Void), Publish(6_500, Fresh)]);
    let mut rig = Rig::asked();
    assert_eq!(rig.notified(10, 1, 6_500), [Sampled(Void), Publish(6_500, Fresh)]);
    assert_eq!(rig.queried(11, 1, Some(15_500)), [], "the answer is older");
    let mut rig = Rig::asked();
    rig.queried(11, 1, Some(6_500));
    assert_eq!(rig.notified(12, 1, 15_500), [Sampled(Void)], "the same value, and it was told");
    assert_eq!(rig.due(), Some((3_240, Deadline::Refresh)));
    let mut rig = Rig::asked_again();
    assert_eq!(rig.notified(17, 1, 6_500), [Sampled(Void), Publish(6_500, Fresh)]);
    assert_eq!(rig.queried(18, 1, Some(3_500)), []);
    assert_eq!(rig.presence_value(), 6_500);
}

#[test]
fn a_difference_that_has_gone_when_it_is_asked_again_is_none() {
    let mut rig = Rig::asked_again();
    assert_eq!(rig.queried(18, 1, Some(15_500)), [Sampled(Same)]);
    assert_eq!(rig.presence_value(), 15_500);
}

#[test]
fn a_silent_loss_publishes_what_the_server_says_ends_the_dialog_and_begins_anew_at_once() {
    let mut rig = Rig::lost_silently();
    assert_eq!(rig.state(), SubscriptionState::Active, "until there is a token");
    assert_eq!(rig.machine.view().failures, 0);
    assert_eq!(rig.granted(18, 4), [Unsubscribe(A, 1), Publish(6_500, Stale)]);
    assert_eq!(rig.ended(19, 1), [Take(5, New)]);
    assert_eq!(rig.granted(19, 5), [Subscribe(A, 2)]);
    rig.accepted(19, 2, 3_600);
    assert_eq!(rig.notified(19, 2, 6_500), [Publish(6_500, Fresh)]);
    assert_eq!((rig.state(), rig.machine.view().failures), (SubscriptionState::Active, 0));
}

#[test]
fn another_value_at_the_second_query_is_a_loss_as_well_and_the_later_word_holds() {
    let mut rig = Rig::asked_again();
    assert_eq!(rig.queried(18, 1, Some(9_500))[1..3], [Lost(15_500, 9_500, None), Publish(9_500, Fresh)]);
}

#[test]
fn a_second_silent_loss_within_a_minute_backs_off_and_counts_against_nobody() {
    let mut rig = Rig::lost_silently();
    rig.granted(18, 4);
    rig.ended(19, 1);
    rig.granted(19, 5);
    rig.accepted(19, 2, 3_600);
    rig.notified(19, 2, 6_500);
    assert_eq!(rig.sample(40), [Take(6, ForSample)]);
    rig.granted(40, 6);
    rig.queried(41, 2, Some(3_500));
    rig.tick(47);
    rig.granted(47, 7);
    let found = rig.queried(48, 2, Some(3_500));
    let expected = [
        Sampled(OutcomeLost),
        Lost(6_500, 3_500, Some(10)),
        Publish(3_500, Fresh),
        Publish(3_500, Stale),
        Take(8, Release),
    ];
    assert_eq!(found, expected);
    assert_eq!((rig.state(), rig.machine.view().failures), (SubscriptionState::BackingOff, 0));
    assert_eq!(rig.granted(48, 8), [Unsubscribe(A, 2)], "the dialog is not left behind alive");
    assert_eq!(rig.tick(58), [Take(9, New)]);
    // A third one waits for longer.
    rig.granted(58, 9);
    rig.accepted(58, 3, 3_600);
    rig.notified(58, 3, 3_500);
    rig.sample(70);
    rig.granted(70, 10);
    rig.queried(71, 3, Some(6_500));
    rig.tick(77);
    rig.granted(77, 11);
    assert_eq!(rig.queried(78, 3, Some(6_500))[1], Lost(3_500, 6_500, Some(20)));
    // An hour later it is news again, and mended at once.
    rig.granted(78, 12);
    rig.tick(98);
    rig.granted(98, 13);
    rig.accepted(98, 4, 86_400);
    rig.notified(98, 4, 6_500);
    rig.sample(3_700);
    rig.granted(3_700, 14);
    rig.queried(3_701, 4, Some(3_500));
    rig.tick(3_707);
    rig.granted(3_707, 15);
    assert_eq!(rig.queried(3_708, 4, Some(3_500))[1], Lost(6_500, 3_500, None));
}

#[test]
fn the_end_of_the_dialog_makes_an_end_of_the_sample() {
    let ends: [fn(&mut Rig) -> Vec<Seen>; 6] = [
        |rig| rig.unwanted(12),
        |rig| rig.lost(12, A),
        |rig| rig.paused(12, A),
        |rig| rig.failed(12, 1, FailureKind::Dialog),
        |rig| rig.ended(12, 1),
        |rig| rig.feed(12, SubscriptionInput::Doubted { attempt: Attempt(1) }),
    ];
    for (number, end) in ends.into_iter().enumerate() {
        let mut awaiting = Rig::active();
        awaiting.sample(10);
        let seen = end(&mut awaiting);
        assert!(seen.contains(&Sampled(Void)) && seen.contains(&Cancel(2)), "{number}: {seen:?}");
        let mut asked = Rig::asked();
        assert!(end(&mut asked).contains(&Sampled(Void)), "{number}");
        assert_eq!(asked.queried(13, 1, Some(6_500)), [], "{number}: of another dialog, or of none");
        let mut doubting = Rig::asked();
        doubting.queried(11, 1, Some(6_500));
        assert!(end(&mut doubting).contains(&Sampled(Void)), "{number}");
    }
    let mut rig = Rig::asked();
    assert_eq!(rig.queried(11, 7, Some(6_500)), [], "of another attempt");
}

#[test]
fn nobody_wants_the_agent_any_more_while_it_is_to_be_begun_anew() {
    let mut rig = Rig::lost_silently();
    assert_eq!(rig.unwanted(18), [Take(5, Release), Cancel(4)]);
    assert_eq!(rig.granted(18, 4), [], "cancelled");
    assert_eq!(rig.granted(18, 5), [Unsubscribe(A, 1), Publish(6_500, Stale)]);
    rig.ended(19, 1);
    assert_eq!(rig.state(), SubscriptionState::Idle);
    let mut rig = Rig::lost_silently();
    rig.granted(18, 4);
    assert_eq!(rig.unwanted(18), []);
    rig.ended(19, 1);
    assert_eq!(rig.state(), SubscriptionState::Idle, "and it is not begun anew");
}

#[test]
fn an_endpoint_that_is_lost_while_it_is_to_be_begun_anew_has_the_last_word() {
    let mut rig = Rig::lost_silently();
    assert_eq!(rig.lost(18, A), [Publish(6_500, Stale), Cancel(4)]);
    assert_eq!(rig.up(20, A), [Take(5, New)]);
    assert_eq!(rig.granted(20, 5), [Subscribe(A, 2)]);
}

#[test]
fn a_notification_while_it_is_to_be_begun_anew_is_taken_and_stops_nothing() {
    let mut rig = Rig::lost_silently();
    assert_eq!(rig.notified(18, 1, 3_500), [Publish(3_500, Fresh)]);
    assert_eq!(rig.granted(18, 4), [Unsubscribe(A, 1), Publish(3_500, Stale)]);
}

#[test]
fn a_refresh_that_is_due_goes_on_beside_a_sample() {
    let mut rig = Rig::active();
    rig.sample(3_239);
    rig.granted(3_239, 2);
    assert_eq!(rig.tick(3_240), [Take(3, ForRefresh)]);
    assert_eq!(rig.granted(3_240, 3), [Refresh(A, 1)]);
    assert_eq!(rig.queried(3_240, 1, Some(15_500)), [Sampled(Same)]);
    rig.accepted(3_240, 1, 3_600);
    assert_eq!(rig.due(), Some((6_480, Deadline::Refresh)));
}

#[test]
fn a_member_of_a_list_is_sampled_as_well() {
    let mut rig = Rig::with(3, &[A]);
    rig.up(0, A);
    rig.subscribing(0, A);
    rig.feed(0, SubscriptionInput::Joined { attempt: Attempt(1) });
    rig.notified(0, 1, 15_500);
    assert_eq!(rig.sample(10), [Take(2, ForSample)]);
    assert_eq!(rig.granted(10, 2), [Query(A, 1)]);
    rig.queried(11, 1, Some(6_500));
    rig.tick(17);
    rig.granted(17, 3);
    assert_eq!(rig.queried(18, 1, Some(6_500))[1], Lost(15_500, 6_500, None));
    assert_eq!(rig.granted(18, 4), [Unsubscribe(A, 1), Publish(6_500, Stale)]);
}

/// The design has bytes per agent to give (docs/performance.md): a sample costs a word while there is none.
#[test]
fn a_sample_costs_a_word_while_there_is_none() {
    assert_eq!(size_of::<Option<Box<Sampling>>>(), size_of::<usize>());
    assert!(size_of::<Sampling>() <= 40, "{}", size_of::<Sampling>());
}
