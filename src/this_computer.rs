//! The name of the computer that the program runs on.

/// The name as far as the system knows it without asking a name server: fully qualified where it can be told.
#[must_use]
pub(crate) fn name() -> Option<String> {
    let name = if cfg!(windows) {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let host = variable("COMPUTERNAME")?;
        variable("USERDNSDOMAIN").map_or(host.clone(), |domain| format!("{host}.{domain}"))
    } else {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
        let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
        complete(host.trim(), &hosts)
    };
    is_host_name(&name).then(|| name.to_ascii_lowercase())
}

/// The first name with a domain that the table of hosts has beside a short one.
fn complete(host: &str, hosts: &str) -> String {
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default());
    let mut entries = lines.map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>());
    let entry = (!host.contains('.')).then(|| {
        entries.find_map(|names| {
            let full = names
                .iter()
                .find(|name| name.split_once('.').is_some_and(|(first, _)| first.eq_ignore_ascii_case(host)));
            full.map(|full| (*full).to_owned())
        })
    });
    entry.flatten().unwrap_or_else(|| host.to_owned())
}

/// True for a name of a host: letters, digits, dots and hyphens. Nothing in it means anything to a shell.
#[must_use]
pub(crate) fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// True for a host name with a domain that is no address.
#[must_use]
pub(crate) fn is_fully_qualified(text: &str) -> bool {
    is_host_name(text) && text.contains('.') && text.parse::<std::net::IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_completed_from_the_table_of_hosts() {
        let hosts = "127.0.0.1 localhost\n# 10.0.0.1 ucc01.old.example\n10.0.0.1 UCC01.example.com ucc01\n";
        assert_eq!(complete("ucc01", hosts), "UCC01.example.com");
        assert_eq!(complete("other", hosts), "other");
        assert_eq!(complete("ucc01.example.net", hosts), "ucc01.example.net");
    }

    #[test]
    fn only_what_means_nothing_to_a_shell_is_a_host_name() {
        assert!(is_fully_qualified("trust-pool.example.com") && is_host_name("vm"));
        for bad in ["", "a b", "a'b.c", "a;b.c", "$(x).c", "-a.c", "a..c", "192.0.2.1", "vm"] {
            assert!(!is_fully_qualified(bad), "{bad}");
        }
    }
}
