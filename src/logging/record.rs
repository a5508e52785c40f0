//! What one event says: its message, its logger and its fields, taken apart.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Write};

use serde_json::Value;
use tracing::field::{Field, Visit};

/// Named values in the order in which they were given.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(pub(super) Vec<(&'static str, Value)>);

impl Fields {
    /// Adds the values whose names are not there yet.
    pub(super) fn add_missing(&mut self, more: &Self) {
        for (name, value) in &more.0 {
            if self.0.iter().all(|(known, _)| known != name) {
                self.0.push((name, value.clone()));
            }
        }
    }
}

/// An event or the fields of a span, read.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    /// The message as it was given.
    pub(super) message: String,
    /// The value of the field `logger`.
    pub(super) logger: Option<String>,
    /// The target that an event of the `log` crate carries in a field.
    pub(super) log_target: Option<String>,
    /// All other fields.
    pub(super) fields: Fields,
}

impl Record {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("logger", Value::String(name)) => self.logger = Some(name),
            ("log.target", Value::String(target)) => self.log_target = Some(target),
            (name, _) if name.starts_with("log.") => {}
            (name, value) => {
                let name = name.strip_prefix("r#").unwrap_or(name);
                match self.fields.0.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, old)) => *old = value,
                    None => self.fields.0.push((name, value)),
                }
            }
        }
    }
}

impl Visit for Record {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing into a String fails only when the value's own Debug does; what it wrote so far is kept.
            let _ = write!(self.message, "{value:?}");
        } else {
            self.put(field, format!("{value:?}").into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.put(field, value.into());
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            // Many errors repeat their cause in their own text.
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            source = cause.source();
        }
        self.put(field, text.into());
    }
}

/// The logger's name of an event that names none: the module without our crate's name, `presence_actors::router`
/// being `router`; of a crate alone its last word; of other crates the whole path, with dots.
pub(super) fn logger_of(target: &str) -> Cow<'_, str> {
    let name = match target.split_once("::") {
        Some((krate, module)) if krate.starts_with("presence_") => module,
        Some(_) => target,
        None => target.strip_prefix("presence_").unwrap_or(target),
    };
    if name.contains("::") { name.replace("::", ".").into() } else { name.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logger_of_an_event_without_one_is_its_module() {
        for (target, logger) in [
            ("presence_actors::router", "router"),
            ("presence_actors::transport::tcp", "transport.tcp"),
            ("presence_provider", "provider"),
            ("rustls::client::hs", "rustls.client.hs"),
            ("log", "log"),
        ] {
            assert_eq!(logger_of(target), logger, "{target}");
        }
    }
}
