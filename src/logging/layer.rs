//! The layer that turns every event into one line.

use std::fmt::Write as _;
use std::io::Write as _;

use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::LogFormat;
use super::escape::{is_treacherous, push_escaped, push_value};
use super::json;
use super::record::{Record, logger_of};
use super::stamp::Stamp;

/// Writes every event as one line, with one call to the writer.
///
/// The text form is the one documented for the original product:
/// `2018-05-08 14:05:48,159 [5] ucc_app01 INFO - text`, and behind the text ` key=value` for every other field of the
/// event and of the spans around it. The name before the level is the field `logger` of the event or of the nearest
/// span that has one, otherwise the module. Nothing in a field or a message can end the line or begin another one.
#[derive(Debug)]
pub struct LineLayer<W> {
    format: LogFormat,
    writer: W,
    stamp: fn() -> Stamp,
}

impl<W> LineLayer<W> {
    /// A layer that writes to what `writer` makes.
    #[must_use]
    pub const fn new(format: LogFormat, writer: W) -> Self {
        Self { format, writer, stamp: Stamp::now }
    }

    /// The same with another clock and thread number, for tests of exact lines.
    #[must_use]
    pub const fn with_stamp(mut self, stamp: fn() -> Stamp) -> Self {
        self.stamp = stamp;
        self
    }
}

/// The fields of a span, kept beside it.
struct SpanRecord(Record);

impl<S, W> Layer<S> for LineLayer<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut record = Record::default();
        attributes.record(&mut record);
        span.extensions_mut().replace(SpanRecord(record));
    }

    fn on_record(&self, id: &Id, values: &tracing::span::Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(SpanRecord(record)) = span.extensions_mut().get_mut() {
            values.record(record);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut record = Record::default();
        event.record(&mut record);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(SpanRecord(around)) = span.extensions().get() {
                if record.logger.is_none() {
                    record.logger.clone_from(&around.logger);
                }
                record.fields.add_missing(&around.fields);
            }
        }
        let metadata = event.metadata();
        let target = record.log_target.as_deref().unwrap_or_else(|| metadata.target());
        let logger = record.logger.as_deref().map_or_else(|| logger_of(target), Into::into);
        let stamp = (self.stamp)();
        let mut line = match self.format {
            LogFormat::Text => text(&stamp, &logger, metadata.level().as_str(), &record),
            LogFormat::Json => json::line(&stamp, &logger, metadata.level().as_str(), target, &record),
        };
        line.push('\n');
        // A log that cannot be written has nowhere to say so; the non-blocking writer counts what it drops.
        let _ = self.writer.make_writer_for(metadata).write_all(line.as_bytes());
    }
}

fn text(stamp: &Stamp, logger: &str, level: &str, record: &Record) -> String {
    let mut line = String::with_capacity(64 + record.message.len() + 32 * record.fields.0.len());
    stamp.push_second(&mut line);
    // Writing into a String does not fail.
    let _ = write!(line, ",{:03} [{}] ", stamp.at.millisecond(), stamp.thread);
    push_logger(&mut line, logger);
    let _ = write!(line, " {level} - ");
    push_escaped(&mut line, &record.message);
    for (name, value) in &record.fields.0 {
        if !line.ends_with(' ') {
            line.push(' ');
        }
        line.push_str(name);
        line.push('=');
        match value.as_str() {
            Some(value) => push_value(&mut line, value),
            None => push_value(&mut line, &value.to_string()),
        }
    }
    line
}

/// The logger's name is one word: a blank in it is written `_`, so that the level is always the next word.
fn push_logger(line: &mut String, logger: &str) {
    for c in logger.chars() {
        match c {
            c if is_treacherous(c) => line.extend(c.escape_default()),
            c if c.is_whitespace() => line.push('_'),
            c => line.push(c),
        }
    }
    if logger.is_empty() {
        line.push('-');
    }
}
