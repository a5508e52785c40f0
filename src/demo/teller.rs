//! How the story is told on the standard output, between the log lines.

use std::io::{IsTerminal, Write, stdout};

/// No line of the story is longer than this.
const WIDTH: usize = 100;

/// Tells one part of the story: the first line stands out from the log. A closed standard output does not end the demo.
pub(super) fn say(text: &str) {
    let _closed = stdout().write_all(styled(text, stands_out()).as_bytes());
}

/// Prints something whose lines are laid out already.
pub(super) fn show(text: &str) {
    let _closed = stdout().write_all(text.as_bytes());
}

/// True when the story may be in bold type.
fn stands_out() -> bool {
    stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// One piece of text for one write, so that no log line comes between.
fn styled(text: &str, bold: bool) -> String {
    let text = wrapped(text);
    if bold { format!("\n\u{1b}[1m{text}\u{1b}[0m\n") } else { format!("\n{text}\n") }
}

/// `== text`, broken between words; further lines are indented as deep as the first.
fn wrapped(text: &str) -> String {
    let mut lines = String::from("==");
    let mut column = 2;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column + 1 + width > WIDTH && column > 3 {
            lines.push_str("\n  ");
            column = 2;
        }
        lines.push(' ');
        lines.push_str(word);
        column += 1 + width;
    }
    lines
}

/// `1 queue`, `20 agents`.
pub(super) fn counted(count: usize, name: &str) -> String {
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_sentences_are_broken_between_words() {
        let text = wrapped(&"word ".repeat(50));
        assert!(text.lines().count() > 1);
        assert!(
            text.lines()
                .all(|line| line.chars().count() <= WIDTH && (line.starts_with("== ") || line.starts_with("   w"))),
            "{text}"
        );
        assert_eq!(text.split_whitespace().filter(|word| *word == "word").count(), 50);
    }

    #[test]
    fn a_part_of_the_story_is_one_write_with_an_empty_line_in_front() {
        assert_eq!(styled("the end", false), "\n== the end\n");
        assert_eq!(styled("the end", true), "\n\u{1b}[1m== the end\u{1b}[0m\n");
    }
}
