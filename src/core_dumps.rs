//! A process that holds secrets leaves no core: whoever found one would find them in it.

/// Has the system write no core when this process crashes, and none of what it starts.
#[cfg(target_os = "linux")]
pub fn forbid() {
    use nix::sys::resource::{Resource, setrlimit};

    // Everyone may lower a limit; where a sandbox forbids even that, the service manager's (`LimitCORE=0`) holds.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
}

/// Elsewhere the administrator says so.
#[cfg(not(target_os = "linux"))]
pub const fn forbid() {}
