//! One thing that a reader of Config.xml must be told: where it is, what is wrong, what to write instead.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use presence_core::log_text::is_treacherous;
use serde::Serialize;

/// At most so many diagnostics of one file are kept; one more says how many are missing.
pub(crate) const MAX_DIAGNOSTICS: usize = 100;

/// The widest line that is drawn, in columns; longer lines are cut around the place that is meant.
const WIDTH: usize = 140;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file is fine; this could be written better.
    Hint,
    /// The file is accepted, but probably not what its writer meant.
    Warning,
    /// The file is refused.
    Error,
}

/// A located message about a configuration file.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, without a final stop.
    pub message: String,
    /// The file's name as it was given.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// The place that is meant, in bytes of the decoded text (UTF-8, without byte order mark).
    #[serde(skip)]
    pub span: Range<usize>,
    /// What to write instead.
    pub help: Option<String>,
    #[serde(skip)]
    source: Arc<str>,
}

impl Diagnostic {
    /// The message with file, line, column, the source line and a caret under the place; several lines, no final
    /// line break. `color` adds ANSI colours. Values of attributes that look like secrets are printed as asterisks.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Hint => Level::NOTE.with_name("hint"),
        };
        let (line, span) = self.source_line();
        let snippet = Snippet::source(line)
            .line_start(self.line)
            .path(self.file.as_str())
            .fold(false)
            .annotation(AnnotationKind::Primary.span(span));
        let mut group = level.primary_title(self.message.as_str()).element(snippet);
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if color { Renderer::styled().decor_style(DecorStyle::Ascii) } else { Renderer::plain() };
        let drawn = renderer.term_width(WIDTH).render(&[group]);
        // The renderer replaces what moves a cursor, but not what is merely invisible; it draws lines and colours itself.
        let kept = |c: char| c == '\n' || (color && c == '\x1b') || !is_treacherous(c);
        if drawn.chars().all(kept) {
            return drawn;
        }
        drawn.chars().map(|c| if kept(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
    }

    /// The line that is meant without its line break, and the span within it.
    fn source_line(&self) -> (&str, Range<usize>) {
        let (start, end) = line_around(&self.source, self.span.start);
        let line = self.source.get(start..end).unwrap_or_default();
        let from = floor(line, self.span.start.saturating_sub(start));
        let to = floor(line, self.span.end.saturating_sub(start)).max(from);
        (line, from..to)
    }
}

/// `Config.xml:5:12: error: message; help`, on one line.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Hint => "hint",
        };
        write!(f, "{}:{}:{}: {severity}: {}", self.file, self.line, self.column, self.message)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "; {help}"))
    }
}

/// Where the line of `offset` begins and ends, without its line break.
fn line_around(source: &str, offset: usize) -> (usize, usize) {
    let offset = floor(source, offset);
    let start = source[..offset].rfind('\n').map_or(0, |at| at + 1);
    let end = source[offset..].find('\n').map_or(source.len(), |at| offset + at);
    let end = if source[start..end].ends_with('\r') { end - 1 } else { end };
    (start, end.max(start))
}

/// The nearest character boundary at or before `offset`.
fn floor(source: &str, offset: usize) -> usize {
    let mut offset = offset.min(source.len());
    while !source.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// Everything that was found in one file.
pub(crate) struct Findings {
    file: String,
    source: Arc<str>,
    found: Vec<Diagnostic>,
    dropped: usize,
}

impl Findings {
    pub(crate) fn new(file: &str, source: Arc<str>) -> Self {
        Self { file: file.to_owned(), source, found: Vec::new(), dropped: 0 }
    }

    pub(crate) fn error(&mut self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.add(Severity::Error, span, message, help);
    }

    pub(crate) fn warning(&mut self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.add(Severity::Warning, span, message, help);
    }

    pub(crate) fn add(
        &mut self,
        severity: Severity,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if self.found.len() >= MAX_DIAGNOSTICS {
            self.dropped += 1;
            // An error must never be lost to a flood of warnings: the file would be accepted.
            let Some(spare) = self.found.iter().rposition(|found| found.severity < severity) else { return };
            self.found.remove(spare);
        }
        let (line, column) = self.place(span.start);
        let help = Some(help.into()).filter(|help| !help.is_empty());
        let (file, source) = (self.file.clone(), Arc::clone(&self.source));
        self.found.push(Diagnostic { severity, message: message.into(), file, line, column, span, help, source });
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.found.iter().any(|found| found.severity == Severity::Error)
    }

    /// True when there are so many errors that reading on is of no use.
    pub(crate) fn is_full(&self) -> bool {
        self.dropped > 0 && self.found.iter().all(|found| found.severity == Severity::Error)
    }

    /// Line of a place, counted from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.place(offset).0
    }

    /// True when another finding of this severity would only be counted. Whoever looks up lines for its words need not.
    pub(crate) fn would_drop(&self, severity: Severity) -> bool {
        self.found.len() >= MAX_DIAGNOSTICS && self.found.iter().all(|found| found.severity >= severity)
    }

    /// Counts a finding that nobody will see.
    pub(crate) const fn drop_one(&mut self) {
        self.dropped += 1;
    }

    fn place(&self, offset: usize) -> (usize, usize) {
        let offset = floor(&self.source, offset);
        let line = self.source[..offset].bytes().filter(|&b| b == b'\n').count() + 1;
        // Within the line as it is drawn: what ends it, one character or two, is one place.
        let (start, end) = line_around(&self.source, offset);
        let drawn = self.source.get(start..end).unwrap_or_default();
        let before = &drawn[..floor(drawn, offset.saturating_sub(start))];
        (line, before.chars().count() + 1)
    }

    /// All of them in the order of the file.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|found| found.span.start);
        if self.dropped > 0 {
            let dropped = self.dropped;
            self.dropped = 0;
            let end = self.source.len();
            let (line, column) = self.place(end);
            let message = format!("{dropped} or more further problems of this file are not shown");
            self.found.push(Diagnostic {
                severity: Severity::Warning,
                message,
                file: self.file,
                line,
                column,
                span: end..end,
                help: Some("correct those above and check again".to_owned()),
                source: self.source,
            });
        }
        self.found
    }
}

/// A text of the file as it may stand in a message: in back ticks, shortened, without control or bidi characters.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    match text.char_indices().nth(LONGEST) {
        None => format!("`{}`", harmless(text)),
        Some((end, _)) => format!("`{}...`", harmless(&text[..end])),
    }
}

/// The text with control and bidi characters written as numbers, so that it stays on its line.
pub(crate) fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_treacherous(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}
