//! What went over the loopback interface, as tshark saw it: an instrument that neither side of the talk can influence.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::kamailio::find;
use super::phone::{Dialog, Phone};
use super::skip_or_fail;

/// A running tshark on one port, UDP and TCP; dropping it ends it.
pub struct Capture {
    process: Child,
    folder: TempDir,
}

impl Capture {
    /// Begins to capture and waits until packets arrive in the capture, by sending OPTIONS to `server`. `None`, with the
    /// reason printed, where tshark cannot capture; with `CI=true` that is a failure instead.
    pub fn start(server: SocketAddr) -> Option<Self> {
        let Some(tshark) = find("tshark") else {
            skip_or_fail("tshark is not installed");
            return None;
        };
        let port = server.port();
        let folder = tempfile::Builder::new().prefix("capture-").tempdir().unwrap();
        let log = |name: &str| File::create(folder.path().join(name)).unwrap();
        let process = Command::new(tshark)
            .args(["-i", "lo", "-f", &format!("port {port}"), "-l", "-n", "-a", "duration:300"])
            .args(["-d", &format!("udp.port=={port},sip"), "-d", &format!("tcp.port=={port},sip")])
            .args(["-Y", "sip", "-T", "fields", "-e", "frame.time_epoch", "-e", "sip.Method"])
            .stdin(Stdio::null())
            .stdout(log("packets"))
            .stderr(log("complaints"))
            .spawn()
            .unwrap();
        let mut capture = Self { process, folder };
        let deadline = Instant::now() + Duration::from_secs(15);
        while Instant::now() < deadline && capture.process.try_wait().unwrap().is_none() {
            if !capture.times_of("OPTIONS").is_empty() {
                return Some(capture);
            }
            let mut phone = Phone::udp(server);
            let dialog = Dialog::new("sip:capture@example.test", "sip:example.test");
            let request = phone.request("OPTIONS", "sip:example.test", &dialog, &[], "");
            phone.call(&request, Duration::from_millis(200));
            std::thread::sleep(Duration::from_millis(100));
        }
        skip_or_fail(&format!("tshark cannot capture: {}", capture.read("complaints")));
        None
    }

    /// When each request of this method was on the wire, since 1970; copies included.
    pub fn times_of(&self, method: &str) -> Vec<Duration> {
        let mut times = Vec::new();
        for line in self.read("packets").lines() {
            let Some((at, methods)) = line.split_once('\t') else { continue };
            let Some(at) = at.parse::<f64>().ok() else { continue };
            let messages = methods.split(',').filter(|found| *found == method).count();
            times.extend(std::iter::repeat_n(Duration::from_secs_f64(at), messages));
        }
        times
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(Path::new(self.folder.path()).join(name)).unwrap_or_default()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // By SIGTERM, so that it ends the process that captures for it.
        let _ = Command::new("kill").arg(self.process.id().to_string()).stderr(Stdio::null()).status();
        let _ = self.process.wait();
    }
}
