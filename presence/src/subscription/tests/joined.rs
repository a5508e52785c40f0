//! Agents that are members of a dialog which their endpoint keeps alive.

use super::*;

fn joined(rig: &mut Rig, seconds: u64, attempt: u32) -> Vec<Seen> {
    rig.feed(seconds, SubscriptionInput::Joined { attempt: Attempt(attempt) })
}

fn refresh_wanted(rig: &mut Rig, seconds: u64, attempt: u32) -> Vec<Seen> {
    rig.feed(seconds, SubscriptionInput::RefreshWanted { attempt: Attempt(attempt) })
}

/// Wanted, a member through the application endpoint, with the status away.
fn member(endpoints: &[EndpointKind]) -> Rig {
    let mut rig = Rig::with(3, endpoints);
    for &endpoint in endpoints {
        rig.up(0, endpoint);
    }
    rig.subscribing(0, A);
    assert_eq!(joined(&mut rig, 0, 1), []);
    assert_eq!(rig.notified(0, 1, 15_500), [Publish(15_500, Freshness::Fresh)]);
    rig
}

#[test]
fn a_member_has_no_expiry_and_no_refresh_of_its_own() {
    let mut rig = member(&[A]);
    assert_eq!((rig.state(), rig.due()), (SubscriptionState::Active, None));
    assert_eq!(rig.tick(1_000_000), []);
    assert_eq!(rig.machine.view().expires_at, None);
    assert_eq!(rig.machine.presence().freshness, Freshness::Fresh);
}

#[test]
fn a_member_is_refreshed_when_its_endpoint_says_so_and_with_a_token() {
    let mut rig = member(&[A]);
    assert_eq!(refresh_wanted(&mut rig, 27_900, 1), [Take(2, ForRefresh)]);
    assert_eq!(refresh_wanted(&mut rig, 27_901, 1), [], "one token is enough");
    assert_eq!(rig.due(), None, "the endpoint watches the end of the dialog");
    assert_eq!(rig.granted(27_950, 2), [Refresh(A, 1)]);
    assert_eq!(rig.due(), Some((28_050, Deadline::Answer)));
    assert_eq!(joined(&mut rig, 27_951, 1), []);
    assert_eq!(rig.due(), None);
}

#[test]
fn an_answer_to_all_members_makes_a_token_that_is_still_waited_for_needless() {
    let mut rig = member(&[A]);
    assert_eq!(refresh_wanted(&mut rig, 27_900, 1), [Take(2, ForRefresh)]);
    assert_eq!(joined(&mut rig, 27_910, 1), [Cancel(2)]);
    assert_eq!(rig.granted(27_911, 2), []);
}

#[test]
fn the_wish_for_a_refresh_of_another_attempt_is_dropped() {
    let mut rig = member(&[A]);
    assert_eq!(refresh_wanted(&mut rig, 5, 2), []);
    assert_eq!(joined(&mut rig, 5, 2), []);
    assert_eq!(rig.due(), None);
}

#[test]
fn a_membership_that_fails_for_reasons_of_the_endpoint_is_stale_and_moves() {
    let mut rig = member(&[A, U]);
    let moved = rig.failed(100, 1, FailureKind::Endpoint);
    let expected = [Failed(0, None), Publish(15_500, Freshness::Stale), Take(2, New), Take(3, Release)];
    assert_eq!(moved, expected, "what may be left there is ended");
    assert_eq!(rig.ended(101, 1), [Cancel(3)], "the endpoint holds nothing of it any more");
    assert_eq!(rig.granted(102, 2), [Subscribe(U, 2)]);
    joined(&mut rig, 103, 2);
    assert_eq!(rig.notified(103, 2, 15_500), [Publish(15_500, Freshness::Fresh)]);
}

#[test]
fn a_membership_without_another_endpoint_to_move_to_comes_again_after_a_rest() {
    let mut rig = member(&[A]);
    let failed = rig.failed(100, 1, FailureKind::Endpoint);
    assert_eq!(failed, [Failed(0, Some(5)), Publish(15_500, Freshness::Stale)]);
    assert_eq!(rig.tick(105), [Take(2, New)]);
    assert_eq!(rig.granted(105, 2), [Subscribe(A, 2)]);
    assert_eq!(rig.ended(105, 1), [], "the end of the old membership is no news");
    assert_eq!(joined(&mut rig, 106, 2), []);
    assert_eq!(rig.state(), SubscriptionState::Active);
}

#[test]
fn a_refresh_that_fails_for_reasons_of_the_endpoint_leaves_the_membership_and_is_tried_again() {
    let mut rig = member(&[A, U]);
    refresh_wanted(&mut rig, 100, 1);
    rig.granted(100, 2);
    assert_eq!(rig.failed(101, 1, FailureKind::Endpoint), []);
    assert_eq!((rig.state(), rig.due()), (SubscriptionState::Active, Some((106, Deadline::Refresh))));
    assert_eq!(rig.tick(106), [Take(3, ForRefresh)]);
    assert_eq!(rig.granted(106, 3), [Refresh(A, 1)]);
}

#[test]
fn a_refresh_that_is_never_answered_is_left_after_a_while() {
    let mut rig = member(&[A, U]);
    refresh_wanted(&mut rig, 100, 1);
    rig.granted(100, 2);
    let left = rig.tick(200);
    assert_eq!(left[..2], [Failed(0, None), Publish(15_500, Freshness::Stale)]);
    assert!(left.contains(&Take(3, New)), "{left:?}");
}

#[test]
fn a_dialog_that_is_lost_brings_its_members_back_at_once_and_without_a_count() {
    let mut rig = member(&[A]);
    let lost = rig.failed(100, 1, FailureKind::Dialog);
    assert_eq!(lost, [Failed(0, None), Publish(15_500, Freshness::Stale), Take(2, New)]);
    assert_eq!(rig.granted(101, 2), [Subscribe(A, 2)]);
    assert_eq!(joined(&mut rig, 102, 2), []);
}

#[test]
fn a_lost_endpoint_makes_its_members_stale_and_they_join_the_other_one() {
    let mut rig = member(&[A, U]);
    assert_eq!(rig.lost(100, A), [Publish(15_500, Freshness::Stale), Take(2, New)]);
    assert_eq!(rig.granted(101, 2), [Subscribe(U, 2)]);
    assert_eq!(joined(&mut rig, 102, 2), []);
    assert_eq!(rig.up(200, A), [Take(3, Release)], "the dialog there may still have it");
    assert_eq!(rig.ended(201, 1), [Cancel(3)]);
    assert!(rig.machine.presence().freshness == Freshness::Stale);
}

#[test]
fn a_paused_endpoint_keeps_its_members_and_their_refreshes_wait() {
    let mut rig = member(&[A, U]);
    assert_eq!(rig.paused(100, A), []);
    assert_eq!(rig.due(), None);
    assert_eq!(refresh_wanted(&mut rig, 101, 1), []);
    assert_eq!(rig.due(), Some((106, Deadline::Refresh)));
    assert_eq!(rig.tick(106), []);
    rig.up(108, A);
    assert_eq!(rig.tick(111), [Take(2, ForRefresh)]);
}

#[test]
fn a_member_that_nobody_wants_is_released_and_stays_one_when_it_is_wanted_again() {
    let mut rig = member(&[A]);
    assert_eq!(rig.unwanted(5), [Take(2, Release)]);
    assert_eq!(rig.wanted(6), [Cancel(2)]);
    assert_eq!((rig.state(), rig.due()), (SubscriptionState::Active, None));
    assert_eq!(rig.unwanted(7), [Take(3, Release)]);
    assert_eq!(rig.granted(8, 3), [Unsubscribe(A, 1), Publish(15_500, Freshness::Stale)]);
    assert_eq!(rig.ended(9, 1), [Publish(-1, Freshness::Unknown)]);
    assert!(rig.machine.is_settled());
}

#[test]
fn a_refresh_that_was_to_come_is_made_up_for_when_the_member_is_wanted_again() {
    let mut rig = member(&[A]);
    refresh_wanted(&mut rig, 5, 1);
    assert_eq!(rig.unwanted(6), [Cancel(2), Take(3, Release)]);
    assert_eq!(rig.wanted(7), [Cancel(3)]);
    assert_eq!(rig.tick(7), [Take(4, ForRefresh)]);
}

#[test]
fn an_agent_that_nobody_wants_any_more_when_it_joins_is_released() {
    let mut rig = Rig::with(3, &[A]);
    rig.up(0, A);
    rig.subscribing(0, A);
    assert_eq!(rig.unwanted(1), []);
    assert_eq!(joined(&mut rig, 2, 1), [Take(2, Release)]);
    assert_eq!(rig.granted(3, 2), [Unsubscribe(A, 1)]);
}

#[test]
fn a_dialog_of_its_own_that_becomes_a_membership_forgets_its_expiry() {
    let mut rig = Rig::active();
    assert_eq!(rig.due(), Some((3_240, Deadline::Refresh)));
    assert_eq!(joined(&mut rig, 10, 1), []);
    assert_eq!((rig.due(), rig.machine.view().expires_at), (None, None));
    rig.accepted(20, 1, 3_600);
    assert_eq!(rig.due(), Some((3_260, Deadline::Refresh)), "and the other way round");
}

#[test]
fn a_refresh_that_is_wanted_while_a_member_waits_to_be_released_is_made_up_for_too() {
    let mut rig = member(&[A]);
    rig.unwanted(5);
    assert_eq!(refresh_wanted(&mut rig, 6, 1), []);
    assert_eq!(rig.wanted(7), [Cancel(2)]);
    assert_eq!(rig.tick(7), [Take(3, ForRefresh)]);
}

#[test]
fn a_refresh_that_is_wanted_when_an_unwanted_agent_joins_is_made_up_for_too() {
    let mut rig = Rig::with(3, &[A]);
    rig.up(0, A);
    rig.subscribing(0, A);
    rig.unwanted(1);
    assert_eq!(joined(&mut rig, 2, 1), [Take(2, Release)]);
    assert_eq!(refresh_wanted(&mut rig, 2, 1), []);
    assert_eq!(rig.wanted(3), [Cancel(2)]);
    assert_eq!(rig.tick(3), [Take(3, ForRefresh)]);
}

#[test]
fn what_a_notify_says_of_the_end_is_no_news_for_a_member() {
    let mut rig = member(&[A]);
    let expires = Some(Duration::from_secs(60));
    rig.feed(10, SubscriptionInput::Notified { attempt: Attempt(1), status: None, expires });
    assert_eq!(rig.due(), None);
}

#[test]
fn a_member_that_is_doubted_is_stale_until_it_is_heard_of_and_stays_a_member() {
    let mut rig = member(&[A]);
    let doubted = |rig: &mut Rig, attempt| rig.feed(5, SubscriptionInput::Doubted { attempt: Attempt(attempt) });
    assert_eq!(doubted(&mut rig, 2), [], "another attempt's");
    assert_eq!(doubted(&mut rig, 1), [Publish(15_500, Freshness::Stale)]);
    assert_eq!(doubted(&mut rig, 1), [], "it is stale already");
    assert_eq!((rig.state(), rig.machine.view().failures), (SubscriptionState::Active, 0));
    assert_eq!(rig.notified(6, 1, 15_500), [Publish(15_500, Freshness::Fresh)]);
}
