//! A Kamailio of one's own: an independent presence server (RFC 3856, 3903, 6665) on loopback.
//!
//! ```ignore
//! let Some(mut kamailio) = Kamailio::start(Setup::default()) else { return };   // not installed: reason is printed
//! let etag = kamailio.publish("alice", &pidf("sip:alice@example.test", true, Some("away")), None);
//! // ... let the provider subscribe to sip:alice@example.test at kamailio.tcp() ...
//! kamailio.fault("SUBSCRIBE", "503");                   // from now on; `clear_fault` ends it
//! kamailio.kill();                                      // -9, the whole process group
//! kamailio.restart();                                   // same ports, same database
//! assert_eq!(kamailio.observed().initial().len(), 1);
//! ```
//!
//! * It listens on UDP and TCP at one port and on TLS (certificates of both sides checked) at the next.
//! * Its domain is [`DOMAIN`]: agents are `sip:NAME@example.test`. The Request-URI decides whose presence it is, whatever
//!   the address that a request was sent to.
//! * It answers SUBSCRIBE with 200 and a NOTIFY at once; without published state that NOTIFY is active and empty.
//! * [`Store::Memory`] forgets its dialogs when it stops or is killed: the next refresh gets 481. The others keep them.
//!   It never says so by itself, neither at shutdown nor after the start.
//! * NOTIFYs go to the Contact: give it `;transport=tcp` (inside the angle brackets), or they go by UDP.
//! * One worker process per transport by default, so that requests of a connection are seen in the order in which they came.
//! * Dropping it kills it; if the test itself is killed, `timeout` ends it after ten minutes.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::certificates::Certificates;
use super::observed::Observed;
use super::phone::{Dialog, Phone};
use super::{eventually, skip_or_fail};

/// The domain that the server serves.
pub const DOMAIN: &str = "example.test";
/// The password of every user when [`Setup::digest`] is set (the user name is free).
pub const PASSWORD: &str = "not a secret";
/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Seconds after which `timeout` ends a server that a killed test left behind.
const LIFETIME: &str = "600";

/// Where the server keeps its subscription dialogs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// In memory: a stop, kill or restart forgets them.
    Memory,
    /// In memory and at once in the database: they survive kill -9.
    WriteThrough,
    /// In the database only: [`Kamailio::forget_dialogs_of`] makes single ones vanish.
    Database,
}

/// The algorithm of a digest challenge (RFC 3261 section 22, RFC 8760).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// `MD5`.
    Md5,
    /// `SHA-256`.
    Sha256,
}

/// How a server is started. Change what matters to the test: `Setup { store: Store::Database, ..Setup::default() }`.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Where dialogs are kept.
    pub store: Store,
    /// Whether each SUBSCRIBE is challenged with 401.
    pub digest: Option<Digest>,
    /// How long a nonce lives before `stale=true`.
    pub nonce_life: Duration,
    /// A shorter Expires is refused with 423 and Min-Expires; zero switches that off.
    pub minimum_expires: Duration,
    /// A longer Expires is cut down to this.
    pub maximum_expires: Duration,
    /// How long a NOTIFY waits for its answer before the dialog is dropped.
    pub answer_wait: Duration,
    /// Worker processes for UDP, and as many for TCP and TLS.
    pub workers: u32,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            store: Store::Memory,
            digest: None,
            nonce_life: Duration::from_secs(300),
            minimum_expires: Duration::ZERO,
            maximum_expires: Duration::from_secs(7_200),
            answer_wait: Duration::from_secs(5),
            workers: 1,
        }
    }
}

/// A running (or killed, or stopped) server and its folder.
#[derive(Debug)]
pub struct Kamailio {
    setup: Setup,
    folder: TempDir,
    certificates: Certificates,
    port: u16,
    process: Option<Child>,
}

impl Kamailio {
    /// Starts a server and waits until it answers. `None`, with the reason printed, where Kamailio is not installed;
    /// with `CI=true` that is a failure instead.
    pub fn start(setup: Setup) -> Option<Self> {
        let missing: Vec<&str> =
            ["kamailio", "kamcmd", "sqlite3"].into_iter().filter(|name| find(name).is_none()).collect();
        if !missing.is_empty() || modules().is_none() {
            skip_or_fail(&format!("Kamailio with its presence, tls and sqlite modules is not installed {missing:?}"));
            return None;
        }
        let folder = tempfile::Builder::new().prefix("kamailio-").tempdir().unwrap();
        let certificates = Certificates::make(folder.path());
        let mut server = Self { setup, folder, certificates, port: 0, process: None };
        server.write_tls();
        server.make_database();
        // Another test may take the ports between the look and the start: then look again.
        for attempt in 0..5 {
            server.port = free_ports(attempt);
            server.write_configuration();
            if server.spawn() {
                return Some(server);
            }
        }
        panic!("Kamailio did not start five times; its log:\n{}", server.log());
    }

    /// Where it listens on UDP.
    pub fn udp(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Where it listens on TCP (the same port).
    pub fn tcp(&self) -> SocketAddr {
        self.udp()
    }

    /// Where it listens on TLS (the next port).
    pub fn tls(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port + 1).into()
    }

    /// The certificates of this server and of its clients.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// The agent `user` as a URI.
    pub fn uri(user: &str) -> String {
        format!("sip:{user}@{DOMAIN}")
    }

    /// Sets a fault: every `method` (SUBSCRIBE, PUBLISH, OPTIONS) is answered with that code, or not at all (`drop`).
    /// 423 carries `Min-Expires: 600`.
    pub fn fault(&self, method: &str, answer: &str) {
        self.set(method, answer);
    }

    /// The same for requests to one agent only; it overrides [`Self::fault`].
    pub fn fault_for(&self, method: &str, user: &str, answer: &str) {
        self.set(&format!("{method}::{user}"), answer);
    }

    /// Adds `Retry-After` to every injected answer.
    pub fn retry_after(&self, seconds: u32) {
        self.set("retryafter", &seconds.to_string());
    }

    /// Ends every injected fault.
    pub fn clear_faults(&self) {
        self.rpc(&["htable.flush", "fault"]).unwrap();
    }

    /// Sends the watcher of `user` one NOTIFY now with that Subscription-State (`terminated;reason=deactivated`). The
    /// server itself keeps the dialog until the watcher unsubscribes or answers 481, or it expires. A dialog that the
    /// watcher begins at once is not touched.
    pub fn notify_state(&self, user: &str, subscription_state: &str) {
        self.set(&format!("once::{user}"), subscription_state);
        self.rpc(&["presence.refreshWatchers", &Self::uri(user), "presence", "1"]).unwrap();
    }

    /// Writes that Subscription-State over every NOTIFY from now on, for `user` or (`None`) for all, without sending one.
    pub fn overwrite_state(&self, user: Option<&str>, subscription_state: &str) {
        self.set(&user.map_or_else(|| "state".to_owned(), |user| format!("state::{user}")), subscription_state);
    }

    /// Makes the dialogs of `user` vanish from [`Store::Database`]: the next refresh of each is answered with 481.
    pub fn forget_dialogs_of(&self, user: &str) {
        assert_eq!(self.setup.store, Store::Database, "dialogs in memory cannot be deleted");
        self.sql(&format!("DELETE FROM active_watchers WHERE presentity_uri = '{}'", Self::uri(user)));
    }

    /// Subscription dialogs in the database. Needs a store with one; for [`Store::Memory`] ask [`Observed::live_dialogs`].
    pub fn active_watchers(&self) -> usize {
        assert_ne!(self.setup.store, Store::Memory, "dialogs are in memory only");
        self.sql("SELECT count(*) FROM active_watchers WHERE event = 'presence'").trim().parse().unwrap()
    }

    /// Publishes a presence document as `user` (RFC 3903) and returns the entity tag. With the tag of the last one it is
    /// replaced; without, a second document is added, and watchers see both.
    #[track_caller]
    pub fn publish(&self, user: &str, document: &str, replaces: Option<&str>) -> String {
        let mut extra = vec!["Event: presence".to_owned(), "Expires: 3600".to_owned()];
        extra.extend(replaces.map(|tag| format!("SIP-If-Match: {tag}")));
        extra.push("Content-Type: application/pidf+xml".to_owned());
        let uri = Self::uri(user);
        let publish = || {
            let mut phone = Phone::udp(self.udp());
            let request = phone.request("PUBLISH", &uri, &Dialog::new(&uri, &uri), &extra, document);
            phone.call(&request, Duration::from_secs(5)).expect("an answer to PUBLISH")
        };
        // It says 500 when another of its processes has the database, and then nothing was changed.
        let answer = (0..5).map(|_| publish()).find(|answer| answer.status() != Some(500)).unwrap_or_else(publish);
        assert_eq!(answer.status(), Some(200), "PUBLISH was refused: {}", answer.text);
        answer.header("SIP-ETag").expect("a SIP-ETag in the answer to PUBLISH").to_owned()
    }

    /// Everything that it saw and sent since the first start, over restarts too.
    pub fn observed(&self) -> Observed {
        Observed::read(&self.log())
    }

    /// Its whole log, for the message of a failed assertion.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.path("log")).unwrap_or_default()).into_owned()
    }

    /// Any other RPC command, by `kamcmd`.
    pub fn rpc(&self, command: &[&str]) -> Result<String, String> {
        let socket = format!("unix:{}", self.path("ctl").display());
        let output = Command::new(find("kamcmd").unwrap())
            .args(["-s", &socket])
            .args(command)
            .output()
            .map_err(|e| e.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // kamcmd prints refusals as `error: CODE - TEXT` and still exits with 0.
        if output.status.success() && !text.starts_with("error:") {
            Ok(text)
        } else {
            Err(format!("{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr)))
        }
    }

    /// Kills it with -9, every process at once, as a crash would. Nothing listens on its ports afterwards.
    pub fn kill(&mut self) {
        self.signal("KILL");
    }

    /// Ends it in good order (SIGTERM). It sends no NOTIFY then.
    pub fn stop(&mut self) {
        self.signal("TERM");
    }

    /// Starts it again on the same ports with the same database, killing it first if it runs. Faults are forgotten.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill();
        // The ports may be held for a moment by a socket of the killed process that the kernel still closes.
        eventually("Kamailio to start again", PATIENCE, || self.spawn().then_some(()));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn set(&self, key: &str, value: &str) {
        // kamcmd guesses the type of an argument: `s:` makes a string of `503`.
        self.rpc(&["htable.sets", "fault", key, &format!("s:{value}")]).unwrap();
    }

    fn sql(&self, statement: &str) -> String {
        let output = Command::new("sqlite3")
            .args(["-cmd", ".timeout 5000"])
            .arg(self.path("presence.db"))
            .arg(statement)
            .output()
            .unwrap();
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Starts the process; false when it ends or does not answer.
    fn spawn(&mut self) -> bool {
        let log = OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", LIFETIME]).arg(find("kamailio").unwrap());
        command.args(["-DD", "-E", "-m", "64", "-M", "8", "-f"]);
        command.arg(self.path("kamailio.cfg")).arg("-w").arg(self.folder.path()).arg("-Y").arg(self.folder.path());
        if self.setup.digest.is_some() {
            command.args(["-A", "WITH_DIGEST"]);
        }
        let _ = std::fs::remove_file(self.path("ctl"));
        command.stdin(Stdio::null()).stdout(clone(&log)).stderr(log).process_group(0);
        let mut process = command.spawn().unwrap();
        let deadline = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < deadline {
            if process.try_wait().unwrap().is_some() {
                return false;
            }
            if self.path("ctl").exists() && self.rpc(&["core.uptime"]).is_ok() && self.answers() {
                self.process = Some(process);
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.process = Some(process);
        self.kill();
        false
    }

    /// Whether OPTIONS over UDP is answered.
    fn answers(&self) -> bool {
        let mut phone = Phone::udp(self.udp());
        let dialog = Dialog::new("sip:harness@example.test", "sip:example.test");
        let request = phone.request("OPTIONS", "sip:example.test", &dialog, &[], "");
        phone.call(&request, Duration::from_secs(2)).is_some_and(|answer| answer.status() == Some(200))
    }

    /// Signals the process group that this value started, and waits until the process is gone.
    fn signal(&mut self, name: &str) {
        let Some(mut process) = self.process.take() else { return };
        let group = format!("-{}", process.id());
        let _ = Command::new("kill").args(["-s", name, "--", &group]).stderr(Stdio::null()).status();
        let _ = process.wait();
        let _ = Command::new("kill").args(["-s", "KILL", "--", &group]).stderr(Stdio::null()).status();
    }

    fn write_configuration(&self) {
        let setup = &self.setup;
        let (store, publish_cache) = match setup.store {
            Store::Memory => ("0", "2"),
            Store::WriteThrough => ("1", "1"),
            Store::Database => ("3", "0"),
        };
        let algorithm = match setup.digest {
            Some(Digest::Sha256) => "SHA-256",
            Some(Digest::Md5) | None => "MD5",
        };
        let mut text = include_str!("kamailio.cfg.in").to_owned();
        for (name, value) in [
            ("PORT", self.port.to_string()),
            ("TLSPORT", (self.port + 1).to_string()),
            ("FOLDER", self.folder.path().display().to_string()),
            ("MODULES", modules().unwrap().display().to_string()),
            ("DOMAIN", DOMAIN.to_owned()),
            ("PASSWORD", PASSWORD.to_owned()),
            ("ALGORITHM", algorithm.to_owned()),
            ("NONCELIFE", setup.nonce_life.as_secs().to_string()),
            ("STORE", store.to_owned()),
            ("PUBLISHCACHE", publish_cache.to_owned()),
            ("MINEXPIRES", setup.minimum_expires.as_secs().to_string()),
            ("MAXEXPIRES", setup.maximum_expires.as_secs().to_string()),
            ("ANSWERWAIT", setup.answer_wait.as_millis().to_string()),
            ("WORKERS", setup.workers.to_string()),
        ] {
            text = text.replace(&format!("@{name}@"), &value);
        }
        std::fs::write(self.path("kamailio.cfg"), text).unwrap();
    }

    fn write_tls(&self) {
        let Certificates { authority, pool, .. } = &self.certificates;
        let side = format!(
            "method = TLSv1.2+\nverify_certificate = yes\nrequire_certificate = yes\nprivate_key = {}\ncertificate = {}\n\
             ca_list = {}\n",
            pool.key.display(),
            pool.certificate.display(),
            authority.display()
        );
        std::fs::write(self.path("tls.cfg"), format!("[server:default]\n{side}\n[client:default]\n{side}")).unwrap();
    }

    /// The tables of Debian's schema; write-ahead logging, so that a count does not stop the server.
    fn make_database(&self) {
        for schema in ["standard", "presence"] {
            let text = std::fs::read_to_string(format!("/usr/share/kamailio/db_sqlite/{schema}-create.sql")).unwrap();
            self.sql(&text);
        }
        self.sql("PRAGMA journal_mode = WAL");
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        self.kill();
    }
}

fn clone(file: &File) -> File {
    file.try_clone().unwrap()
}

/// The program of that name, in PATH or where Debian keeps servers, which is not in everybody's PATH.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Debian's folder of modules, if it holds all that the configuration loads.
fn modules() -> Option<PathBuf> {
    let libraries = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path().join("kamailio/modules"));
    let needed = ["presence.so", "presence_xml.so", "tls.so", "db_sqlite.so"];
    libraries.into_iter().find(|folder| needed.iter().all(|module| Path::new(folder).join(module).is_file()))
}

/// Two neighbouring ports that are free on UDP and TCP, below the range that the kernel gives to clients: a client that
/// tries a dead server there could otherwise end up connected to itself.
fn free_ports(attempt: u32) -> u16 {
    let start = std::process::id().wrapping_mul(14).wrapping_add(attempt * 2_000) % 12_000;
    (0..6_000)
        .map(|step| u16::try_from(20_000 + (start + step * 2) % 12_000).expect("below 32,000"))
        .find(|port| [*port, *port + 1].into_iter().all(is_free))
        .expect("two free ports on loopback")
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() && UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
