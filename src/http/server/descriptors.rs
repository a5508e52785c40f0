//! How many files and sockets the process may have open.

/// So many are needed beside the connections of the API: pools, logs, the listener itself.
#[cfg(target_os = "linux")]
const OTHERS: u64 = 128;

/// Raises the limit of open files as far as the system lets us, and says in the log when so many connections do not fit.
#[cfg(target_os = "linux")]
pub(super) fn make_room(connections: u32) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let limit = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < hard {
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        }
        Ok(hard)
    });
    match limit {
        Ok(limit) => {
            if let Some(complaint) = complaint(limit, connections) {
                tracing::warn!(logger = "Http", "{complaint}");
            }
        }
        Err(error) => tracing::warn!(logger = "Http", "the limit of open files cannot be raised: {error}"),
    }
}

/// Elsewhere the system has no such limit, or none that we know.
#[cfg(not(target_os = "linux"))]
pub(super) const fn make_room(_connections: u32) {}

#[cfg(target_os = "linux")]
fn complaint(limit: u64, connections: u32) -> Option<String> {
    let needed = u64::from(connections) + OTHERS;
    (limit < needed).then(|| {
        format!(
            "MaxConnections {connections} does not fit the limit of {limit} open files: set `LimitNOFILE={needed}` in the \
             service's unit (or `ulimit -Hn {needed}`), or a lower MaxConnections of Http in Config.xml"
        )
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn connections_that_do_not_fit_are_said_with_what_to_do() {
        assert_eq!(complaint(10_128, 10_000), None);
        let said = complaint(1_024, 10_000).expect("it does not fit");
        assert!(said.contains("limit of 1024 open files") && said.contains("LimitNOFILE=10128"), "{said}");
    }
}
