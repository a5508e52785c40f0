//! What the provider's own parts say in their log while they are tried, so that it is told in the report.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// So many are kept.
const MOST: usize = 100;

/// One line of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Remark {
    /// True for a warning or an error.
    pub(super) is_warning: bool,
    /// Whose it is: the URI of an endpoint, or nothing.
    pub(super) logger: String,
    /// What failed, when it names that.
    pub(super) failure: Option<String>,
    /// What it says.
    pub(super) text: String,
}

/// Listens to this thread's log.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard(Arc<Mutex<Vec<Remark>>>);

impl Heard {
    /// Listens until the guard is dropped.
    pub(super) fn listen(&self) -> DefaultGuard {
        tracing::subscriber::set_default(tracing_subscriber::registry().with(self.clone()))
    }

    /// The warnings since the last call.
    pub(super) fn take_warnings(&self) -> Vec<Remark> {
        std::mem::take(&mut *self.remarks()).into_iter().filter(|one| one.is_warning).collect()
    }

    /// What an endpoint has said, apart from its failures.
    pub(super) fn said_by(&self, logger: &str) -> Vec<String> {
        let remarks = self.remarks();
        let said = remarks.iter().filter(|one| one.logger == logger && one.failure.is_none());
        said.map(|one| one.text.clone()).collect()
    }

    /// The last failure that an endpoint has complained about.
    pub(super) fn failure_of(&self, logger: &str) -> Option<String> {
        self.remarks().iter().rev().find_map(|one| one.failure.clone().filter(|_| one.logger == logger))
    }

    fn remarks(&self) -> MutexGuard<'_, Vec<Remark>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber> Layer<S> for Heard {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let about = event.metadata();
        if *about.level() > Level::INFO || !about.target().starts_with("presence_") {
            return;
        }
        let mut remark = Remark { is_warning: *about.level() <= Level::WARN, ..Remark::default() };
        event.record(&mut remark);
        let mut remarks = self.remarks();
        if remarks.len() < MOST {
            remarks.push(remark);
        }
    }
}

impl Visit for Remark {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.keep(field, format!("{value:?}"));
    }
}

impl Remark {
    fn keep(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.text = value,
            "logger" => self.logger = value,
            "failure" => self.failure = Some(value),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_kept_with_whom_it_is_about() {
        let heard = Heard::default();
        let guard = heard.listen();
        tracing::debug!(logger = "sip:a@b.c", "not this");
        tracing::info!(logger = %"sip:a@b.c", "up");
        tracing::error!(logger = %"sip:a@b.c", failure = %"403 no", "do something");
        assert_eq!(heard.failure_of("sip:a@b.c").as_deref(), Some("403 no"));
        assert_eq!(heard.failure_of("sip:x@b.c"), None);
        let text = "do something".to_owned();
        assert_eq!(heard.said_by("sip:a@b.c"), ["up"]);
        let (logger, failure) = ("sip:a@b.c".to_owned(), Some("403 no".to_owned()));
        assert_eq!(heard.take_warnings(), [Remark { is_warning: true, logger, failure, text }]);
        drop(guard);
        tracing::error!("nobody listens");
        assert_eq!(heard.take_warnings(), []);
    }
}
