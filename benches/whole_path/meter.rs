//! What the kernel says about this process, and the middle of several measurements.

use std::fs;
use std::time::Duration;

/// The CPU time that all threads of this process have had, user and kernel: the first number of their `schedstat`,
/// in nanoseconds. Threads that have ended are not in it; none ends while something is measured.
pub(crate) fn cpu() -> Duration {
    let of_task = |task: fs::DirEntry| -> Option<u64> {
        fs::read_to_string(task.path().join("schedstat")).ok()?.split(' ').next()?.parse().ok()
    };
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    Duration::from_nanos(tasks.filter_map(|task| of_task(task.unwrap())).sum())
}

/// Resident memory of this process in bytes.
pub(crate) fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// The least, the middle and the greatest of several measurements.
pub(crate) struct Spread(Vec<f64>);

impl Spread {
    pub(crate) fn of(measured: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = measured.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Self(sorted)
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = |place: usize| self.0.get(place).copied().unwrap_or(f64::NAN);
        let digits = if at(0) < 1_000.0 { 1 } else { 0 };
        let (last, middle) = (self.0.len().saturating_sub(1), self.0.len() / 2);
        write!(f, "min {:.digits$}, median {:.digits$}, max {:.digits$}", at(0), at(middle), at(last))
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// Microseconds for each of `count`.
pub(crate) fn each(whole: Duration, count: u64) -> f64 {
    whole.as_secs_f64() * 1e6 / float(count)
}
