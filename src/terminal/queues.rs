//! `presence-provider queues`: who watches agents.

use super::arguments::QueuesArguments;
use super::asked;
use super::screen::{Screen, Tone, counted};
use super::table::{Cell, Column, Table, record};
use crate::answer::{Answer, json};
use crate::http::model::{Ucc, UccList};

/// Answers `presence-provider queues`.
#[must_use]
pub fn queues(arguments: &QueuesArguments) -> Answer {
    asked(&arguments.api, |api| {
        let list: UccList = api.get("/api/v1/uccs")?;
        Ok(Answer::ok(if arguments.json { json(&list) } else { text(&list, &Screen::standard()) }))
    })
}

/// A queue where it runs: `inside` the process, `connected` over the API, or `away` until its interest is released.
const fn place(ucc: &Ucc) -> (&'static str, Tone) {
    match (ucc.remote, ucc.connections) {
        (false, _) => ("inside", Tone::Plain),
        (true, 0) => ("away", Tone::Doubtful),
        (true, _) => ("connected", Tone::Good),
    }
}

fn text(list: &UccList, screen: &Screen) -> String {
    let Some(width) = screen.width else { return list.uccs.iter().map(piped).collect() };
    if list.uccs.is_empty() {
        return "No queue watches any agent.\n".to_owned();
    }
    let column = |name, rank| Column { name, rank, longest: 19 };
    let columns = vec![
        column("QUEUE", 0),
        column("AGENTS", 0),
        column("PLACE", 0),
        column("STREAMS", 3),
        column("CALLS", 2),
        column("LAGGED", 4),
        column("RELEASED AT", 1),
    ];
    let now = jiff::Timestamp::now();
    let rows = list.uccs.iter().map(|ucc| row(ucc, screen, now)).collect();
    let agents = list.uccs.iter().map(|ucc| ucc.agents).sum::<usize>();
    let total = format!("{}, {} wanted in all\n", counted(list.uccs.len(), "queue"), counted(agents, "agent"));
    Table { columns, rows }.text(width, screen) + &screen.paint(Tone::Faint, &total)
}

fn row(ucc: &Ucc, screen: &Screen, now: jiff::Timestamp) -> Vec<Cell> {
    let (place, tone) = place(ucc);
    let some = |count: u64| if count == 0 { String::new() } else { count.to_string() };
    vec![
        Cell::new(&ucc.name),
        Cell::new(ucc.agents.to_string()),
        Cell::toned(place, tone),
        Cell::new(some(ucc.connections as u64)),
        Cell::new(some(ucc.calls as u64)),
        Cell::toned(some(ucc.lagged), Tone::Doubtful),
        Cell::new(ucc.released_at.as_deref().map(|at| screen.clock(at, now)).unwrap_or_default()),
    ]
}

fn piped(ucc: &Ucc) -> String {
    record([
        ucc.name.as_str(),
        &ucc.agents.to_string(),
        place(ucc).0,
        &ucc.connections.to_string(),
        &ucc.calls.to_string(),
        &ucc.lagged.to_string(),
        ucc.released_at.as_deref().unwrap_or_default(),
    ])
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn list() -> UccList {
        let ucc = |name: &str, remote, connections| Ucc {
            name: name.into(),
            remote,
            agents: 40,
            connections,
            released_at: (remote && connections == 0).then(|| "2026-11-22T14:05:49.222Z".into()),
            calls: connections,
            lagged: 0,
        };
        UccList { uccs: vec![ucc("sales", false, 0), ucc("support", true, 2), ucc("night", true, 0)] }
    }

    #[test]
    fn queues_are_told_by_where_they_run() {
        let screen = Screen { width: Some(80), color: false, zone: TimeZone::UTC };
        let text = text(&list(), &screen);
        // The date stands there or not, by today.
        let text = text.replace("2026-11-22 ", "");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_pipe_gets_a_record_per_queue() {
        let screen = Screen { width: None, color: false, zone: TimeZone::UTC };
        insta::assert_snapshot!(text(&list(), &screen));
    }
}
