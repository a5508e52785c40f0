//! How a running service is asked to end, and how long it may take to do so.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

/// How long an orderly end may take: every subscription on the wire is taken back in this time.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// A request of the system or the operator that the process receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// The service manager ends the service (SIGTERM; on Windows the end of the session or the machine).
    Terminate,
    /// The operator ends it at the keyboard (SIGINT, Ctrl-C; on Windows also Ctrl-Break and the closed window).
    Interrupt,
    /// The operator has changed files (SIGHUP): certificates are read again; the configuration only at a start.
    Reload,
}

impl Signal {
    /// The name that operators know.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
            Self::Reload => "SIGHUP",
        }
    }
}

/// The signals that the process listens to, from [`Signals::listen`] on.
#[derive(Debug)]
pub struct Signals(system::Signals);

impl Signals {
    /// Begins to listen; from now on the signals no longer end the process by themselves. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn listen() -> io::Result<Self> {
        system::Signals::listen().map(Self)
    }

    /// The next signal. Cancelling the future loses none.
    pub async fn next(&mut self) -> Signal {
        self.0.next().await
    }

    /// Waits until the process is asked to end. A request to reload is answered in the log: there is nothing that could
    /// be read again, and ending instead would be a surprise.
    pub async fn end(&mut self) -> Signal {
        let nothing = || {
            tracing::warn!(
                logger = "UccStarter",
                "SIGHUP changes nothing: restart the service for a new configuration"
            );
        };
        self.end_or_reload(nothing).await
    }

    /// Waits until the process is asked to end, and does this at each request to reload.
    pub async fn end_or_reload(&mut self, mut reload: impl FnMut()) -> Signal {
        loop {
            match self.next().await {
                Signal::Reload => reload(),
                end @ (Signal::Terminate | Signal::Interrupt) => return end,
            }
        }
    }
}

/// How the orderly end went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// Everything was done within the grace period.
    Orderly,
    /// The grace period ran out; what was left is left to the peer's own expiry.
    OutOfTime,
    /// A second signal asked not to wait any longer.
    Hurried,
}

/// Lets `work` finish, but not longer than `grace` and not beyond the moment at which `hurry` is done (a second signal).
/// `work` says whether it has done everything; when not, it has run out of time by its own measure.
pub async fn within_grace(grace: Duration, work: impl Future<Output = bool>, hurry: impl Future) -> Ending {
    let (work, hurry) = (pin!(work), pin!(hurry));
    let ending = async {
        tokio::select! {
            biased;
            done = work => if done { Ending::Orderly } else { Ending::OutOfTime },
            _ = hurry => Ending::Hurried,
        }
    };
    tokio::time::timeout(grace, ending).await.unwrap_or(Ending::OutOfTime)
}

#[cfg(unix)]
mod system {
    use std::io;

    use tokio::signal::unix::{self, SignalKind};

    use super::Signal;

    #[derive(Debug)]
    pub(super) struct Signals {
        terminate: unix::Signal,
        interrupt: unix::Signal,
        reload: unix::Signal,
    }

    impl Signals {
        pub(super) fn listen() -> io::Result<Self> {
            Ok(Self {
                terminate: unix::signal(SignalKind::terminate())?,
                interrupt: unix::signal(SignalKind::interrupt())?,
                reload: unix::signal(SignalKind::hangup())?,
            })
        }

        pub(super) async fn next(&mut self) -> Signal {
            tokio::select! {
                biased;
                _ = self.terminate.recv() => Signal::Terminate,
                _ = self.interrupt.recv() => Signal::Interrupt,
                _ = self.reload.recv() => Signal::Reload,
            }
        }
    }
}

#[cfg(windows)]
mod system {
    use std::io;

    use tokio::signal::windows;

    use super::Signal;

    #[derive(Debug)]
    pub(super) struct Signals {
        ctrl_c: windows::CtrlC,
        ctrl_break: windows::CtrlBreak,
        close: windows::CtrlClose,
        shutdown: windows::CtrlShutdown,
    }

    impl Signals {
        pub(super) fn listen() -> io::Result<Self> {
            Ok(Self {
                ctrl_c: windows::ctrl_c()?,
                ctrl_break: windows::ctrl_break()?,
                close: windows::ctrl_close()?,
                shutdown: windows::ctrl_shutdown()?,
            })
        }

        pub(super) async fn next(&mut self) -> Signal {
            tokio::select! {
                biased;
                _ = self.shutdown.recv() => Signal::Terminate,
                _ = self.ctrl_c.recv() => Signal::Interrupt,
                _ = self.ctrl_break.recv() => Signal::Interrupt,
                _ = self.close.recv() => Signal::Interrupt,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn work_that_is_done_in_time_ends_orderly() {
        let work = async {
            let _ = tokio::time::timeout(Duration::from_secs(9), pending::<()>()).await;
            true
        };
        assert_eq!(within_grace(GRACE, work, pending::<()>()).await, Ending::Orderly);
    }

    #[tokio::test]
    async fn work_that_gives_up_by_itself_is_not_called_orderly() {
        assert_eq!(within_grace(GRACE, ready(false), pending::<()>()).await, Ending::OutOfTime);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_takes_too_long_is_left_when_the_grace_period_is_over() {
        let ending = within_grace(GRACE, pending(), pending::<()>());
        let just_before = Duration::from_millis(9_999);
        let mut ending = pin!(ending);
        assert!(tokio::time::timeout(just_before, &mut ending).await.is_err(), "it waits for the whole period");
        assert_eq!(ending.await, Ending::OutOfTime);
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_signal_ends_the_waiting() {
        assert_eq!(within_grace(GRACE, pending(), ready(Signal::Interrupt)).await, Ending::Hurried);
    }
}
