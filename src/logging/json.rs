//! The line for machines: one JSON object per line.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::escape::is_treacherous;
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
    if json.chars().any(is_treacherous) { escape(&json) } else { json }
}

/// Treacherous characters can only stand inside the strings of `json`, where `\uXXXX` means the same.
fn escape(json: &str) -> String {
    let mut safe = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_treacherous(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            safe.push(c);
        }
    }
    safe
}
