//! What the costliest inputs cost each reader: bytes, time, and the most memory that is held beside the input.
//!
//! `cargo run --release -p presence-fuzz --example worst_case [WORD]`: all, or those whose reader or name holds the word. The
//! time is the median of five runs (of three where one takes more than 20 ms). Ends with 1 when one takes more than 20 ms.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program that measures and prints")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;
use presence_fuzz::bombs::{Bomb, all};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// At the caps every input is read within this.
const MOST: Duration = Duration::from_millis(20);

/// Time on a processor, where the system tells it (Linux); else the time that passes: on a busy machine that is more.
enum Clock {
    Processor(Duration),
    Wall(Instant),
}

impl Clock {
    fn now() -> Self {
        on_processor().map_or_else(|| Self::Wall(Instant::now()), Self::Processor)
    }

    fn elapsed(&self) -> Duration {
        match self {
            Self::Processor(begun) => on_processor().unwrap_or_default().saturating_sub(*begun),
            Self::Wall(begun) => begun.elapsed(),
        }
    }
}

fn on_processor() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?))
}

/// The median time, and the peak of memory beside what was held before.
fn measure(bomb: &Bomb) -> (Duration, usize, bool) {
    let mut times = Vec::new();
    let (mut peak, mut accepted) = (0, false);
    for _ in 0..5 {
        let held = ALLOCATOR.current_usage();
        ALLOCATOR.reset_peak_usage();
        let begun = Clock::now();
        accepted = (bomb.read)(&bomb.bytes);
        times.push(begun.elapsed());
        peak = peak.max(ALLOCATOR.peak_usage().saturating_sub(held));
        if times.len() == 3 && times.iter().any(|time| *time > MOST) {
            break;
        }
    }
    times.sort();
    (times[times.len() / 2], peak, accepted)
}

fn main() -> ExitCode {
    let word = std::env::args().nth(1).unwrap_or_default();
    let (mut worst, mut own) = (Duration::ZERO, Duration::ZERO);
    let mut rows: Vec<(Duration, String)> = Vec::new();
    println!("{:<34} {:<36} {:>9} {:>9} {:>11} {:>6}", "reader", "bomb", "bytes", "ms", "peak bytes", "times");
    for bomb in all(1).iter().filter(|bomb| format!("{bomb:?}").contains(&word)) {
        let (time, peak, accepted) = measure(bomb);
        let times = peak as f64 / bomb.bytes.len().max(1) as f64;
        let row = format!(
            "{:<34} {:<36} {:>9} {:>9.3} {peak:>11} {times:>6.1}{}",
            bomb.reader,
            bomb.name,
            bomb.bytes.len(),
            time.as_secs_f64() * 1_000.0,
            if accepted { "" } else { "  refused" }
        );
        println!("{row}");
        // The operator's own file, read at the start: it may take its time, in proportion to its size.
        if bomb.reader.starts_with("Config.xml") {
            own = own.max(time);
            continue;
        }
        worst = worst.max(time);
        rows.push((time, row));
    }
    rows.sort();
    println!("\nConfig.xml: at most {:.3} ms for 1 MiB, once", own.as_secs_f64() * 1_000.0);
    println!("\nthe ten that take longest:");
    rows.iter().rev().take(10).for_each(|(_, row)| println!("{row}"));
    let over = rows.iter().filter(|(time, _)| *time > MOST).count();
    println!(
        "\n{} inputs, the worst takes {:.3} ms, {over} take more than 20 ms",
        rows.len(),
        worst.as_secs_f64() * 1_000.0
    );
    ExitCode::from(u8::from(over > 0))
}
