//! What a simulation shows at its end.

use std::fmt::Write as _;

use presence_simulator::FrontEndCounters;

/// Different violations that are shown in words.
const SHOWN: usize = 10;

/// The summary as it is printed.
pub(super) fn text(counters: &FrontEndCounters) -> String {
    let messages: u64 = counters.messages.values().sum();
    let by_method: Vec<_> = counters.messages.iter().map(|(method, count)| format!("{method} {count}")).collect();
    let rows = [
        ("connections accepted", counters.connections.to_string(), String::new()),
        ("connections to the application", counters.dialled.to_string(), String::new()),
        ("requests received", messages.to_string(), by_method.join(", ")),
        ("endpoints registered now", counters.registered_now.to_string(), String::new()),
        ("presence dialogs now", counters.dialogs_now.to_string(), String::new()),
        ("agents subscribed now", counters.live_now.to_string(), String::new()),
        ("most subscriptions of one agent at once", counters.most_live_for_one_agent.to_string(), String::new()),
        ("agents asked for, refreshes included", counters.resources_asked.to_string(), String::new()),
        ("most of them in one second", counters.most_resources_in_a_second.to_string(), String::new()),
        ("most of them in one message", counters.largest_list.to_string(), String::new()),
        ("notifications sent", counters.notifications.to_string(), String::new()),
        ("presence of agents told, answers included", counters.resources_told.to_string(), String::new()),
        ("requests refused", counters.refusals.to_string(), String::new()),
        ("malformed messages", counters.malformed.to_string(), String::new()),
        ("violations", counters.violation_count.to_string(), String::new()),
    ];
    let mut text = String::from("\nSummary\n");
    for (name, value, note) in rows {
        let line = format!("   {name:<44}{value:>9}  {note}");
        // Writing into a String does not fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let (mut kinds, mut told): (Vec<(&str, u64)>, u64) = (Vec::new(), 0);
    for violation in &counters.violations {
        if let Some((_, times)) = kinds.iter_mut().find(|(known, _)| known == violation) {
            *times += 1;
        } else if kinds.len() < SHOWN {
            kinds.push((violation, 1));
        } else {
            continue;
        }
        told += 1;
    }
    for (violation, times) in kinds {
        let again = if times > 1 { format!(" ({times} times)") } else { String::new() };
        let _ = writeln!(text, "   - {violation}{again}");
    }
    if counters.violation_count > told {
        let _ = writeln!(text, "   - ... and {} more", counters.violation_count - told);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_are_shown_in_words_up_to_ten() {
        let violations: Vec<String> = (0..12).map(|number| format!("rule 8: number {number}")).collect();
        let counters = FrontEndCounters { violations, violation_count: 12, ..FrontEndCounters::default() };
        let text = text(&counters);
        assert!(text.contains("\n   violations                                         12\n"), "{text}");
        assert!(text.contains("   - rule 8: number 9\n   - ... and 2 more\n"), "{text}");
        assert!(!text.contains("number 10"), "{text}");
    }

    #[test]
    fn the_same_violation_is_shown_once_with_how_often() {
        let violations: Vec<String> = vec!["rule 6: again".into(); 5];
        let counters = FrontEndCounters { violations, violation_count: 7, ..FrontEndCounters::default() };
        let text = text(&counters);
        assert!(text.ends_with("\n   - rule 6: again (5 times)\n   - ... and 2 more\n"), "{text}");
    }
}
