//! The program, what the system says of it, and its log.

use std::fmt;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::{DOMAIN, Dialect, Failure, Plan};

/// What the system says of the program at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Resident memory in bytes.
    pub(crate) resident: f64,
    /// Open files and sockets.
    pub(crate) files: usize,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} MiB resident, {} files", self.resident / 1_048_576.0, self.files)
    }
}

/// The running program; it is killed when this is dropped.
pub(crate) struct Program {
    child: Child,
    log: PathBuf,
    _directory: tempfile::TempDir,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _it_may_have_ended = self.child.kill();
        let _so = self.child.wait();
    }
}

impl Program {
    /// Starts it, with a configuration for this pool.
    pub(crate) fn start(plan: &Plan, pool: SocketAddr) -> Result<Self, Failure> {
        let directory = tempfile::tempdir()?;
        let (file, log) = (directory.path().join("Config.xml"), directory.path().join("log"));
        std::fs::write(&file, configuration(plan, pool)?)?;
        let beside = || Some(std::env::current_exe().ok()?.parent()?.parent()?.join("presence-provider"));
        let program = plan.program.clone().or_else(beside).ok_or("say where the program is: --program")?;
        let child = Command::new(&program)
            .args(["run", "--config"])
            .arg(&file)
            .args(["--log-level", "warn", "--log-file"])
            .arg(&log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}; `cargo build --release` makes it", program.display()))?;
        Ok(Self { child, log, _directory: directory })
    }

    /// What the system says now; none when the program has ended.
    pub(crate) fn sample(&self) -> Option<Sample> {
        let id = self.child.id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: f64 = line.split_whitespace().next()?.parse().ok()?;
        let files = std::fs::read_dir(format!("/proc/{id}/fd")).ok()?.count();
        Some(Sample { resident: kibibytes * 1024.0, files })
    }

    /// The ERROR lines of its log.
    pub(crate) fn errors(&self) -> Vec<String> {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().filter(|line| line.contains(" ERROR ")).map(str::to_owned).collect()
    }
}

fn configuration(plan: &Plan, pool: SocketAddr) -> Result<String, fmt::Error> {
    let mut queues = String::new();
    for queue in 0..4 {
        writeln!(queues, r#"    <UnifiedContactCenter Name="queue{queue}">"#)?;
        // Each agent is wanted by two of the four.
        for agent in (1..=plan.agents).filter(|agent| agent % 4 == queue || (agent + 1) % 4 == queue) {
            writeln!(queues, r#"      <Agent Uri="sip:agent{agent}@{DOMAIN}" />"#)?;
        }
        queues.push_str("    </UnifiedContactCenter>\n");
    }
    let dialect = match plan.dialect {
        Dialect::Simple => "simple",
        Dialect::Skype => "skype",
    };
    Ok(format!(
        r#"<?xml version="1.0" encoding="utf-8"?>
<config version="1.5">
  <PresenceProvider MaxPresenceSubscriptionsPerSecond="500" failedPresenceSubscriptionsResubscribeDelay="5"
      MaxFailedPresenceSubscriptionsPerUri="0">
    <Http enabled="false" />
    <UcmaPresenceSource enabled="true" ApplicationId="urn:application:soak">
      <ApplicationEndpoint OwnerUri="sip:soak@{DOMAIN}" />
      <Pool Address="{pool}" Transport="tcp" Dialect="{dialect}" />
    </UcmaPresenceSource>
  </PresenceProvider>
  <UnifiedContactCenters>
{queues}  </UnifiedContactCenters>
</config>
"#
    ))
}
