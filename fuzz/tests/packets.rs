//! SIP packets along the groups of PROTOS c07-sip, through everything that reads them.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "tests")]

use presence_fuzz::packets::{Counts, GROUPS, Gauntlet};

#[test]
fn what_is_wrong_by_law_is_refused_and_what_is_right_is_read() {
    let mut gauntlet = Gauntlet::default();
    gauntlet.run();
    let mut sum = Counts::default();
    for group in GROUPS {
        let counts = gauntlet.counts[group.name];
        println!("{:24} {counts}", group.name);
        sum.accepted += counts.accepted;
        sum.insane += counts.insane;
        sum.unreadable += counts.unreadable;
    }
    println!("{:24} {sum}", "all");
    assert!(gauntlet.findings.is_empty(), "{} findings\n{}", gauntlet.findings.len(), gauntlet.findings.join("\n"));
    assert!(sum.all() > 30_000);
}
