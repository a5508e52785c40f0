//! The operator's commands: what a running provider says about itself over its API, on a terminal or in a pipe.
//!
//! | what | where |
//! |---|---|
//! | the request and its failures | `api`, `address`, `unanswered` |
//! | live events | `sse` (their text), `backoff`, `watch` (the loop), `line` (one change) |
//! | what is shown | `glance` (`status`), `follow` (its progress bar), `agents`, `agent`, `queues`, on a `screen`, in a `table` |
//!
//! What is shown is made by functions from a value of the API and a `screen::Screen` to text; only `api`, `follow` and
//! `watch` touch the outside.

mod address;
mod agent;
mod agents;
mod api;
pub mod arguments;
mod backoff;
mod completions;
pub(crate) mod examples;
mod follow;
mod glance;
mod line;
mod queues;
mod revive;
#[cfg(test)]
mod samples;
mod screen;
mod sse;
mod table;
mod unanswered;
mod watch;

pub use address::ApiUrl;
pub use agent::agent;
pub use agents::agents;
pub use completions::completions;
pub use glance::status;
pub use queues::queues;
pub use revive::revive;
pub use watch::watch;

use crate::answer::Answer;
use crate::terminal::api::Api;
use crate::terminal::arguments::ApiOptions;
use crate::terminal::unanswered::Unanswered;

/// Asks a provider, and puts what a person must be told about the way there in front of the standard error.
fn asked(options: &ApiOptions, ask: impl FnOnce(&Api) -> Result<Answer, Unanswered>) -> Answer {
    let api = match Api::open(options) {
        Ok(api) => api,
        Err(unanswered) => return unanswered.into(),
    };
    let mut answer = ask(&api).unwrap_or_else(Answer::from);
    if let Some(warning) = api.warning() {
        answer.stderr.insert_str(0, &warning);
    }
    answer
}
