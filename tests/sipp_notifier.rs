//! The provider against SIPp with scenarios of our own: what no well-behaved server does.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test binary has no reader of its docs, shows what the other process said, and may panic"
)]

mod support;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use presence_core::{Availability, EndpointKind, SubscriptionState};
use presence_sip::TransportKind;
use support::eventually;
use support::kamailio::find;
use support::running::{Running, SOON, endpoint, setup};
use support::skip_or_fail;
use tempfile::TempDir;

/// A SIPp that plays a scenario of `tests/sipp/` as a server.
struct Sipp {
    process: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl Sipp {
    /// Starts it; it ends by itself after this many calls, with exit code 0 if all of them went as the scenario says.
    fn start(scenario: &str, transport: TransportKind, calls: u32) -> Option<Self> {
        let Some(sipp) = find("sipp") else {
            skip_or_fail("SIPp is not installed");
            return None;
        };
        let address = free_port();
        let folder = tempfile::Builder::new().prefix("sipp-").tempdir().unwrap();
        let mode = if transport == TransportKind::Udp { "u1" } else { "t1" };
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sipp").join(scenario);
        let process = Command::new(sipp)
            .arg("-sf")
            .arg(file)
            .args(["-i", "127.0.0.1", "-p", &address.port().to_string(), "-t", mode, "-m", &calls.to_string()])
            .args(["-nostdin", "-timeout", "60", "-trace_err", "-error_file", "errors", "-trace_msg", "-message_file"])
            .arg("messages")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Some(Self { process, address, folder })
    }

    /// Waits for its end and asserts that every call went as the scenario says.
    fn assert_satisfied(mut self) {
        let status = eventually("SIPp to end", SOON, || {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_some() || self.read("errors").is_empty(), "{}", self.read("errors"));
            ended
        });
        assert_eq!(status.code(), Some(0), "{}\n{}", self.read("errors"), self.read("messages"));
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            println!("SIPp's errors:\n{}\nits messages:\n{}", self.read("errors"), self.read("messages"));
        }
    }
}

/// A port that is free on UDP and TCP, below the range that the kernel gives to clients.
fn free_port() -> SocketAddr {
    let start = u16::try_from(std::process::id() % 1_000).unwrap();
    let candidates = (start..2_000).map(|offset| SocketAddr::from((Ipv4Addr::LOCALHOST, 14_000 + offset)));
    let mut free = candidates.filter(|address| TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok());
    free.next().expect("a free port on loopback")
}

fn a_misbehaving_notifier_is_understood_over(transport: TransportKind) {
    // Two calls: our OPTIONS, and the subscription.
    let Some(sipp) = Sipp::start("misbehaving_notifier.xml", transport, 2) else { return };
    let provider = Running::start(setup(vec![endpoint(EndpointKind::Application, transport, sipp.address)]));
    let queue = provider.queue("one");
    queue.subscribe("alice");
    queue.await_availability("alice", Availability::BUSY);
    let subscription = provider.await_state("alice", SubscriptionState::Active).subscription.unwrap();
    assert_eq!((subscription.failures, subscription.last_failure), (0, None));
    queue.unsubscribe("alice");
    sipp.assert_satisfied();
    let seen: Vec<_> = queue.changes("alice").iter().map(|change| change.new.status.availability).collect();
    assert_eq!(seen[..2], [Availability::AWAY, Availability::BUSY], "the older NOTIFY changed nothing");
    assert!(seen.iter().all(|availability| *availability != Availability::OFFLINE), "{seen:?}");
    eventually("the agent to go", SOON, || provider.view().agents().next().is_none().then_some(()));
}

#[test]
fn a_notifier_that_overtakes_itself_and_skips_numbers_is_understood_over_udp() {
    a_misbehaving_notifier_is_understood_over(TransportKind::Udp);
}

#[test]
fn a_notifier_that_overtakes_itself_and_skips_numbers_is_understood_over_tcp() {
    a_misbehaving_notifier_is_understood_over(TransportKind::Tcp);
}
