//! What is said of the earlier run at a start.

use std::path::PathBuf;
use std::time::Duration;

use humantime::format_duration;
use presence_core::snapshot::Snapshot;
use presence_core::{LONGEST_SERVED, Remembered, RememberedLife, UccMemory};

use super::{Found, Keeping, StateFile, anchor};

/// What a start begins with.
#[derive(Debug, Default)]
pub struct Beginning {
    /// What the earlier run has left to the tree of actors.
    pub restored: Option<Remembered>,
    /// The queues of other processes that it had.
    pub uccs: Vec<UccMemory>,
    /// Where the state is written from now on.
    pub file: Option<StateFile>,
    /// Whether that works.
    pub keeping: Keeping,
}

/// Takes the folder and reads what the earlier run has left; `cold`: without using it. Nothing here is fatal: at the worst
/// the start is a cold one, and nothing is kept.
#[must_use]
pub fn begin(folder: Option<PathBuf>, cold: bool) -> Beginning {
    let Some(folder) = folder else { return Beginning::default() };
    let file = match StateFile::open(folder) {
        Ok(file) => file,
        Err(error) => {
            tracing::warn!(
                logger = "UccStarter",
                "failed to keep the state: {error}; the service starts cold, and the next start will know nothing of this run"
            );
            let keeping = Keeping::unusable(presence_actors::now(), error.to_string());
            return Beginning { keeping, ..Beginning::default() };
        }
    };
    let keeping = Keeping::begun(presence_actors::now());
    if cold {
        tracing::info!(logger = "UccStarter", file = %file.path().display(), "told to start cold: the state of the previous run is not used");
        return Beginning { restored: nothing(&file), uccs: Vec::new(), file: Some(file), keeping };
    }
    let found = file.read(anchor());
    tell_damaged(&found);
    match found.snapshot {
        Some(snapshot) => {
            tell(&file, &snapshot);
            let mut remembered = snapshot.remembered;
            let uccs = std::mem::take(&mut remembered.uccs);
            Beginning { restored: Some(remembered), uccs, file: Some(file), keeping }
        }
        None => {
            tracing::info!(logger = "UccStarter", file = %file.path().display(), "no state of a previous run; a cold start");
            Beginning { restored: nothing(&file), uccs: Vec::new(), file: Some(file), keeping }
        }
    }
}

/// Of an earlier run nothing but that it may have sent something in its last second.
fn nothing(file: &StateFile) -> Option<Remembered> {
    file.has_earlier_run().then(Remembered::default)
}

fn tell_damaged(found: &Found) {
    let mut left = found.set_aside.iter().peekable();
    while let Some(aside) = left.next() {
        let next = if left.peek().is_some() || found.snapshot.is_some() {
            "the one before it is used"
        } else {
            "the start is a cold one"
        };
        let now = aside
            .now
            .as_ref()
            .map_or_else(|| "it stays where it is".to_owned(), |now| format!("it is kept as {}", now.display()));
        tracing::warn!(
            logger = "UccStarter",
            file = %aside.path.display(),
            "the state of the previous run is damaged: {}; {now}, and {next}",
            aside.why
        );
    }
}

fn tell(file: &StateFile, snapshot: &Snapshot) {
    let age = Duration::from_secs(snapshot.age.as_secs());
    if let Some(written) = snapshot.from_the_future.and_then(|at| jiff::Timestamp::try_from(at).ok()) {
        tracing::warn!(
            logger = "UccStarter",
            "the time of day has gone back: the state of the previous run was written at {written:.0}; it is taken for one of this moment"
        );
    }
    let remembered = &snapshot.remembered;
    let (mut stale, mut old, mut backing_off, mut abandoned) = (0, 0, 0, 0);
    for agent in &remembered.agents {
        match &agent.life {
            RememberedLife::Pushed(_) => stale += 1,
            RememberedLife::Subscribed(memory) => {
                let served = memory
                    .confirmed
                    .is_some_and(|at| presence_actors::now().saturating_duration_since(at) <= LONGEST_SERVED);
                if served {
                    stale += 1
                } else {
                    old += 1
                }
                backing_off += usize::from(memory.retry_at.is_some_and(|at| at > presence_actors::now()));
                abandoned += usize::from(memory.abandoned.is_some());
            }
        }
    }
    tracing::info!(
        logger = "UccStarter",
        file = %file.path().display(),
        written_by = %snapshot.program,
        age = %format_duration(age),
        agents = remembered.agents.len(),
        stale,
        too_old = old,
        backing_off,
        abandoned,
        queues = remembered.uccs.len(),
        ended = if remembered.last_sent.is_some() { "in order" } else { "suddenly" },
        "a warm start: the values of the previous run are served as stale until they are confirmed"
    );
    if snapshot.not_understood > 0 {
        tracing::warn!(
            logger = "UccStarter",
            records = snapshot.not_understood,
            "some records of the state were not understood; a newer version may have written them, and they are lost"
        );
    }
}
