//! No input at the caps takes more memory than a stated multiple of itself. Counted by the allocator: no clock, no chance.
//! One test only, so that nobody else allocates meanwhile.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "tests")]

use peak_alloc::PeakAlloc;
use presence_fuzz::bombs::all;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// What a reader may hold at once beside the input, in multiples of the input, and what it may hold however short that is; by
/// the beginning of its name.
const MULTIPLES: &[(&str, f64, usize)] = &[
    ("pidf", 12.0, FREE),
    ("categories", 14.0, FREE),
    ("rlmi", 8.0, FREE),
    ("multipart", 3.0, FREE),
    // A tree with its places and up to a hundred messages: it is the operator's own file.
    ("Config.xml", 50.0, FREE),
    // Values of JSON; 64 KiB and 256 KiB at most. Longer answers of Graph are looked at before they are read.
    ("login", 60.0, FREE),
    ("Graph: users 256 KiB", 60.0, FREE),
    ("Graph: user 256 KiB", 60.0, FREE),
    ("Graph", 2.0, FREE),
    // Texts of nothing, each with its place: who may send so much has a token, and is told that it is too many.
    ("API: interest", 24.0, FREE),
    ("API", 12.0, FREE),
    ("simple", 14.0, FREE),
    ("skype", 6.0, FREE),
    ("pattern", 0.0, 8 << 20),
];
/// For buffers.
const FREE: usize = 64 * 1024;

#[test]
fn no_input_at_a_cap_takes_more_than_its_multiple() {
    let mut findings = Vec::new();
    let mut worst = std::collections::BTreeMap::<&str, (f64, &str)>::new();
    // The multiples are the same at a fraction of the caps, in a fraction of the time.
    let part = if std::env::var_os("PP_LONG_TESTS").is_some() { 1 } else { 8 };
    for bomb in all(part) {
        let held = ALLOCATOR.current_usage();
        ALLOCATOR.reset_peak_usage();
        (bomb.read)(&bomb.bytes);
        let peak = ALLOCATOR.peak_usage().saturating_sub(held);
        let left = ALLOCATOR.current_usage().saturating_sub(held);
        let of_reader = MULTIPLES.iter().find(|(reader, ..)| bomb.reader.starts_with(reader));
        let (_, most, free) = of_reader.unwrap_or(&("", 1.0, FREE));
        let multiple = peak.saturating_sub(*free) as f64 / bomb.bytes.len().max(1) as f64;
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
