//! A recovery that is followed to its end.

use std::io;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use presence_core::log_text::Safe;

use super::api::Api;
use super::screen::span;
use super::unanswered::Unanswered;
use crate::http::model::{Recovery, Status};
use crate::shutdown::Signals;

/// How often the provider is asked.
const GLANCE: Duration = Duration::from_secs(1);
/// So many times in a row it may fail to answer.
const PATIENCE: usize = 30;

/// Asks until there is no recovery any more, or Ctrl-C; the last status is the answer. On a terminal a bar shows how far
/// it is, on the standard error.
pub(crate) fn to_the_end(api: &Api, first: Status) -> Result<Status, Unanswered> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(refused)?;
    // It hides itself where the standard error is no terminal.
    let bar = ProgressBar::new(0);
    bar.set_style(style());
    let end = runtime.block_on(async {
        let mut signals = Signals::listen().map_err(refused)?;
        let (mut status, mut silent) = (first, 0);
        while let Some(recovery) = &status.recovery {
            if silent == 0 {
                show(&bar, recovery);
            }
            if tokio::time::timeout(GLANCE, signals.next()).await.is_ok() {
                break;
            }
            match api.get::<Status>("/api/v1/status") {
                Ok(next) => (status, silent) = (next, 0),
                Err(unanswered) if unanswered.again().is_some() && silent < PATIENCE => {
                    silent += 1;
                    bar.set_message(unanswered.line());
                }
                Err(unanswered) => return Err(unanswered),
            }
        }
        Ok(status)
    });
    bar.finish_and_clear();
    end
}

fn refused(error: io::Error) -> Unanswered {
    Unanswered::Usage(format!("the system does not let us follow: {error}"))
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("Recovery    {bar:30}  {percent:>3} %  {pos} of {len}, {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("██░")
}

fn show(bar: &ProgressBar, recovery: &Recovery) {
    bar.set_length(recovery.total as u64);
    bar.set_position(recovery.done.min(recovery.total) as u64);
    bar.set_message(match recovery.predicted_end_in {
        Some(seconds) => format!("{} to go", span(seconds)),
        None => format!("no endpoint is up: {}", Safe(&recovery.cause)),
    });
}
