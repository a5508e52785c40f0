//! docs/security.md claims nothing that no test shows.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::path::Path;

#[test]
fn every_test_that_the_page_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/security.md")).unwrap();
    let named: Vec<(&str, &str)> =
        page.split('`').filter_map(|piece| piece.split_once(".rs::").filter(|(file, _)| !file.contains(' '))).collect();
    assert!(named.len() >= 40, "{} tests are named", named.len());
    let missing: Vec<_> = named
        .into_iter()
        .filter(|(file, test)| {
            let text = std::fs::read_to_string(root.join(format!("{file}.rs"))).unwrap_or_default();
            !text.contains(&format!("fn {test}("))
        })
        .collect();
    assert!(missing.is_empty(), "docs/security.md names what is not there: {missing:?}");
}
