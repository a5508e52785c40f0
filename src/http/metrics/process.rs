//! What the system says of this process.

/// What the system says of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Process {
    /// Time of all processors that it has used, in seconds.
    pub(super) cpu: f64,
    /// Memory that it has in RAM, in bytes.
    pub(super) resident: f64,
    /// Memory that it has asked for, in bytes.
    pub(super) virtual_memory: f64,
    /// Files and sockets that are open.
    pub(super) open_files: f64,
    /// How many may be open; infinite without a limit.
    pub(super) max_files: f64,
    /// Its threads.
    pub(super) threads: f64,
}

/// Ticks of the processor's clock per second in `/proc` (USER_HZ), which is 100 on every Linux that we run on.
const TICKS: f64 = 100.0;

impl Process {
    /// Asks the system; nothing where there is no `/proc`.
    pub(super) fn read() -> Option<Self> {
        let file = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).ok();
        let (stat, status, limits) = (file("stat")?, file("status")?, file("limits")?);
        let open_files = std::fs::read_dir("/proc/self/fd").ok()?.count();
        Some(Self { open_files: open_files as f64, ..Self::parse(&stat, &status, &limits)? })
    }

    fn parse(stat: &str, status: &str, limits: &str) -> Option<Self> {
        // The name of the program stands in parentheses and may hold anything.
        let (_, after_name) = stat.rsplit_once(')')?;
        let ticks = |place: usize| after_name.split_whitespace().nth(place)?.parse::<f64>().ok();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            line.split_whitespace().next()?.parse::<f64>().ok()
        };
        let most = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
        let most = most.split_whitespace().next()?;
        Some(Self {
            cpu: (ticks(11)? + ticks(12)?) / TICKS,
            resident: field("VmRSS")? * 1024.0,
            virtual_memory: field("VmSize")? * 1024.0,
            open_files: 0.0,
            max_files: if most == "unlimited" { f64::INFINITY } else { most.parse().ok()? },
            threads: field("Threads")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "42 (a ) b) S 1 42 42 0 -1 4194560 900 0 0 0 150 25 0 0 20 0 7 0 900 123 456";
    const STATUS: &str = "Name:\tx\nVmSize:\t  2048 kB\nVmRSS:\t  1024 kB\nThreads:\t7\n";
    const LIMITS: &str = "Limit                     Soft Limit           Hard Limit           Units     \n\
                          Max open files            1024                 524288               files     \n";

    #[test]
    fn what_linux_says_is_read_in_seconds_and_bytes() {
        let process = Process::parse(STAT, STATUS, LIMITS).unwrap();
        assert_eq!((process.cpu, process.threads, process.max_files), (1.75, 7.0, 1024.0));
        assert_eq!((process.resident, process.virtual_memory), (1024.0 * 1024.0, 2048.0 * 1024.0));
        let unlimited = LIMITS.replace("1024", "unlimited");
        assert_eq!(Process::parse(STAT, STATUS, &unlimited).unwrap().max_files, f64::INFINITY);
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        for (stat, status, limits) in [("", STATUS, LIMITS), (STAT, "", LIMITS), (STAT, STATUS, ""), ("42 (x", "", "")]
        {
            assert_eq!(Process::parse(stat, status, limits), None);
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_found() {
        let process = Process::read().unwrap();
        assert!(process.resident > 1e6 && process.open_files >= 3.0 && process.threads >= 1.0, "{process:?}");
    }
}
