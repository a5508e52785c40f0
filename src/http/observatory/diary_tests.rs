use presence_core::Coverage;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn recovering(since: Instant, done: usize, up: bool, (covered, seeking): (usize, usize)) -> Recovering {
    let coverage = Coverage { uccs: 200, covered, seeking, ..Coverage::default() };
    let predicted_end = up.then_some(since + 100 * SECOND);
    Recovering { cause: Cause::Start, since, total: 1_000, done, predicted_end, failed: 3, rate: 15.0, coverage }
}

/// What is said in these seconds, each with its second, in a word.
fn told(
    diary: &mut Diary,
    start: Instant,
    seconds: std::ops::Range<u32>,
    seen: Option<&Recovering>,
) -> Vec<(u32, &'static str)> {
    let word = |line: &Line| match line {
        Line::Began(_) => "began",
        Line::Progress(_) => "progress",
        Line::Covered { .. } => "covered",
        Line::Ended { .. } => "ended",
    };
    seconds
        .flat_map(|second| {
            let lines = diary.look(start + second * SECOND, seen);
            lines.iter().map(|line| (second, word(line))).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn a_recovery_is_told_when_it_begins_every_ten_seconds_when_the_queues_are_covered_and_when_it_is_over() {
    let (start, mut diary) = (presence_actors::now(), Diary::default());
    let down = recovering(start, 0, false, (0, 0));
    assert_eq!(told(&mut diary, start, 0..120, Some(&down)), [(0, "began")], "nothing moves while no endpoint is up");
    let seeking = recovering(start, 100, true, (143, 50));
    assert_eq!(told(&mut diary, start, 120..125, Some(&seeking)), [(120, "progress")], "now its end is known");
    let covered = recovering(start, 400, true, (193, 0));
    assert_eq!(
        told(&mut diary, start, 125..141, Some(&covered)),
        [(125, "covered"), (130, "progress"), (140, "progress")]
    );
    let lines = diary.look(start + 150 * SECOND, None);
    let [Line::Ended { last, after }] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((last.failed, *after), (3, 150 * SECOND));
    assert_eq!(told(&mut diary, start, 151..300, None), []);
}

#[test]
fn a_pool_that_is_lost_once_more_has_the_queues_covered_once_more() {
    let (start, mut diary) = (presence_actors::now(), Diary::default());
    let seen = [
        (recovering(start, 0, true, (0, 200)), vec![(0, "began")]),
        (recovering(start, 9, true, (200, 0)), vec![(1, "covered")]),
        (recovering(start, 0, false, (0, 0)), vec![]),
        (recovering(start, 0, true, (0, 0)), vec![(3, "progress")]),
        (recovering(start, 0, true, (0, 180)), vec![]),
        (recovering(start, 9, true, (200, 0)), vec![(5, "covered")]),
    ];
    for (second, (seen, expected)) in (0..).zip(seen) {
        assert_eq!(told(&mut diary, start, second..second + 1, Some(&seen)), expected);
    }
}

#[test]
fn a_few_agents_are_no_news() {
    let (start, mut diary) = (presence_actors::now(), Diary::default());
    let few = Recovering { total: 9, ..recovering(start, 0, true, (0, 1)) };
    assert_eq!(told(&mut diary, start, 0..60, Some(&few)), []);
    assert_eq!(told(&mut diary, start, 60..61, None), []);
}

#[test]
fn the_order_is_told_with_how_far_it_is() {
    let start = presence_actors::now();
    let order = |up, coverage| recovering(start, 0, up, coverage).order();
    let first =
        "one available agent for every queue first: 143 of 200 queues have one; then the likeliest for most queues";
    assert_eq!(order(true, (143, 7)), first);
    assert_eq!(order(false, (143, 0)), first);
    let then =
        "the likeliest for most queues; of available agents every queue has one that can: 187 of 200 queues have one";
    assert_eq!(order(true, (187, 0)), then);
}

#[test]
fn queues_that_find_somebody_between_two_looks_are_told_too() {
    let (start, mut diary) = (presence_actors::now(), Diary::default());
    let down = recovering(start, 0, false, (0, 0));
    assert_eq!(told(&mut diary, start, 0..5, Some(&down)), [(0, "began")]);
    let mut up = recovering(start, 900, true, (200, 0));
    up.coverage.found = 200;
    assert_eq!(told(&mut diary, start, 5..8, Some(&up)), [(5, "progress"), (5, "covered")]);
}
