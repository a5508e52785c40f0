//! The log of `presence-provider run` tells how far a recovery is, without the API too.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use process::{Config, pool, queue, server};

#[test]
fn a_start_is_told_with_its_cause_its_order_its_queues_and_its_end() {
    let server = server(20);
    let agents: Vec<usize> = (1..=20).collect();
    let config = Config::new(&pool(server.address(), "tcp"), &queue("ucc_app01", &agents));
    let service = config.run(&[]);
    let began = service.says("a recovery begins: ");
    for part in [
        "cause=\"the service was started\"",
        "agents=",
        "rate=15",
        "end=",
        "one available agent for every queue first: ",
    ] {
        assert!(began.contains(part), "{part}: {began}");
    }
    let covered = service.says("every queue whose agents include one has an available agent again, after ");
    assert!(covered.contains("covered=1 queues=1"), "{covered}");
    let over = service.says("the recovery is over after ");
    assert!(over.contains("everybody is back") && over.contains("agents=20 failed=0"), "{over}");
    let ended = service.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(ended.with("the API and the dashboard are at").next().is_none(), "{}", ended.all());
}
