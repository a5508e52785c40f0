//! No input at the caps takes more memory than a stated multiple of itself. Counted by the allocator: no clock, no chance.
//! One test only, so that nobody else allocates meanwhile.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "tests")]

use peak_alloc::PeakAlloc;
use presence_fuzz::bombs::all;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// What a reader may hold at once beside the input, in multiples of the input; by the beginning of its name.
const MULTIPLES: &[(&str, f64)] = &[];
/// What any reader may hold however short its input is.
const FREE: usize = 512 * 1024;

#[test]
fn no_input_at_a_cap_takes_more_than_its_multiple() {
    let mut findings = Vec::new();
    let mut worst = std::collections::BTreeMap::<&str, (f64, &str)>::new();
    for bomb in all() {
        let held = ALLOCATOR.current_usage();
        ALLOCATOR.reset_peak_usage();
        (bomb.read)(&bomb.bytes);
        let peak = ALLOCATOR.peak_usage().saturating_sub(held);
        let left = ALLOCATOR.current_usage().saturating_sub(held);
        let multiple = peak.saturating_sub(FREE) as f64 / bomb.bytes.len().max(1) as f64;
        let (_, most) = MULTIPLES.iter().find(|(reader, _)| bomb.reader.starts_with(reader)).unwrap_or(&("", 1.0));
        if multiple > *most || left > FREE {
            findings.push(format!("{bomb:?} held {peak} bytes, {multiple:.1} times the input; {left} are left"));
        }
        let worst = worst.entry(bomb.reader).or_default();
        if multiple >= worst.0 {
            *worst = (multiple, bomb.name);
        }
    }
    for (reader, (multiple, name)) in worst {
        println!("{reader:<36} {multiple:>6.2} {name}");
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}
