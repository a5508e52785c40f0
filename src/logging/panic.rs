//! Panics are faults of ours: each is logged and counted, and the actor that had it is re-created.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicU64, Ordering};

use super::stamp::thread_number;

static PANICS: AtomicU64 = AtomicU64::new(0);

/// How many panics this process has had since [`install`]. In a process without faults it stays 0.
#[must_use]
pub fn count() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

/// Replaces the process's panic hook by one that writes the panic to the log, at level ERROR with the place and the
/// thread, and counts it.
///
/// With `RUST_BACKTRACE=1` the backtrace follows, a log line per line of it. A panic unwinds to the border of its
/// task, so without this hook one actor would end in silence. Nothing is written to the standard error beside the log:
/// the text of a panic may hold text from the wire.
pub fn install() {
    std::panic::set_hook(Box::new(report));
}

fn report(panic: &PanicHookInfo<'_>) {
    let count = PANICS.fetch_add(1, Ordering::Relaxed) + 1;
    let what = message(panic);
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current().name().map_or_else(|| thread_number().to_string(), str::to_owned);
    tracing::error!(logger = "panic", %place, %thread, count, "a fault of this program, please report it: {what}");
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        for line in backtrace.to_string().lines() {
            tracing::error!(logger = "panic", "{line}");
        }
    }
}

fn message<'a>(panic: &'a PanicHookInfo<'_>) -> &'a str {
    let payload = panic.payload();
    let owned = || payload.downcast_ref::<String>().map(String::as_str);
    payload.downcast_ref::<&str>().copied().or_else(owned).unwrap_or("a panic without a text")
}
