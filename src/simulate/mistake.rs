//! What is wrong with a script, where, and what to write.

use std::ops::Range;

/// A mistake in a script, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// What is wrong, and what to write.
    pub(super) message: String,
    /// Where, in bytes; `None`: nowhere in particular.
    pub(super) span: Option<Range<usize>>,
}

impl Mistake {
    /// A mistake at this place.
    pub(super) fn at(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { message: message.into(), span: Some(span) }
    }

    /// For a person: file, line, column, the line itself, and the place in it.
    pub(super) fn shown(&self, file: &str, text: &str) -> String {
        let message = self.message.trim_end();
        let Some(begin) = self.span.as_ref().map(|span| floor(text, span.start)) else {
            return format!("error: {file}: {message}\n");
        };
        let before = text.get(..begin).unwrap_or_default();
        let line_begin = before.rfind('\n').map_or(0, |at| at + 1);
        let number = before.matches('\n').count() + 1;
        let line = text.get(line_begin..).unwrap_or_default().lines().next().unwrap_or_default();
        let blanks = before.get(line_begin..).unwrap_or_default().chars().count();
        let end = self.span.as_ref().map_or(begin, |span| floor(text, span.end));
        let marked = text.get(begin..end).unwrap_or_default().lines().next().unwrap_or_default().chars().count().max(1);
        let margin = " ".repeat(number.to_string().len());
        format!(
            "error: {message}\n{margin}--> {file}:{number}:{column}\n{margin} |\n{number} | {line}\n{margin} | {blanks}{marks}\n",
            column = blanks + 1,
            blanks = " ".repeat(blanks),
            marks = "^".repeat(marked),
        )
    }
}

impl From<toml::de::Error> for Mistake {
    fn from(error: toml::de::Error) -> Self {
        // The names of numbers in Rust say nothing to who writes a script.
        let message = ["u16", "u32", "u64", "usize"].iter().fold(error.message().to_owned(), |message, kind| {
            message.replace(&format!("expected {kind}"), "expected a whole number")
        });
        Self { message, span: error.span() }
    }
}

/// The nearest beginning of a character at or before this byte.
fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
