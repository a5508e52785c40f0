//! The example runs to its end, and what docs/ucc.md shows is cut from it.
#![allow(missing_docs, reason = "a test binary")]

#[path = "../examples/ucc.rs"]
mod ucc;

const EXAMPLE: &str = include_str!("../examples/ucc.rs");
const PAGE: &str = include_str!("../docs/ucc.md");

#[test]
fn the_example_runs_to_its_end() {
    ucc::main().expect("a day at the helpdesk");
}

#[test]
fn every_piece_of_code_in_the_page_is_cut_from_the_example() {
    let pieces: Vec<&str> =
        PAGE.split("```rust\n").skip(1).map(|rest| rest.split("```").next().expect("the first part")).collect();
    assert!(pieces.len() >= 6, "{} pieces", pieces.len());
    for piece in pieces {
        assert!(EXAMPLE.contains(piece), "not in examples/ucc.rs any more:\n{piece}");
    }
}
