//! The line for machines: one JSON object per line.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::escape::escape_json;
use super::record::{Fields, Record};
use super::stamp::Stamp;

#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'a str,
    logger: &'a str,
    thread: u32,
    target: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Fields::is_empty")]
    fields: &'a Fields,
}

impl Fields {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The event as one JSON object: `timestamp` (RFC 3339 with milliseconds and offset), `level`, `logger`, `thread`,
/// `target` (the module), `message`, and `fields` when there are any. Characters that could end or reorder a line are
/// written as `\uXXXX`.
pub(super) fn line(stamp: &Stamp, logger: &str, level: &str, target: &str, record: &Record) -> String {
    let timestamp = stamp.at.strftime("%Y-%m-%dT%H:%M:%S.%3f%:z").to_string();
    let fields = &record.fields;
    let line = Line { timestamp, level, logger, thread: stamp.thread, target, message: &record.message, fields };
    // Strings, numbers and booleans under text keys: serialising them does not fail.
    let json = serde_json::to_string(&line).unwrap_or_default();
    escape_json(json)
}
