//! How the process ends, as a number that service managers and scripts can act on.

use std::process::ExitCode;

/// The exit codes of `presence-provider`. The numbers are those of BSD's `sysexits.h`, except 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// 0: done as asked. `check` found no error (warnings are allowed), a signal ended the service in an orderly way.
    Ok = 0,
    /// 1: the question has been answered, and the answer is no: `explain` found no source for the URI, a step of `doctor`
    /// or `graph check` failed, nobody signed in for `graph login`, `status` is degraded or down, `agent` and `revive` found no such agent.
    No = 1,
    /// 64: the command line is wrong.
    Usage = 64,
    /// 69: no provider answers, or it cannot answer now; Microsoft's login host does not, for `graph login`.
    Unavailable = 69,
    /// 70: a fault of this program.
    Internal = 70,
    /// 73: a log file or its directory cannot be created, a file of tokens cannot be written.
    CannotCreate = 73,
    /// 74: the answer could not be written to the standard output.
    Io = 74,
    /// 77: the provider wants a token, or another one.
    NoPermission = 77,
    /// 78: the configuration cannot be read, holds an error, or lacks what `run` needs. A restart does not help; the file must change.
    Config = 78,
}

impl Exit {
    /// Every exit code, in ascending order.
    pub const ALL: [Self; 9] = [
        Self::Ok,
        Self::No,
        Self::Usage,
        Self::Unavailable,
        Self::Internal,
        Self::CannotCreate,
        Self::Io,
        Self::NoPermission,
        Self::Config,
    ];

    /// The number that the shell sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What the code means, in a few words, for the help text.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done as asked",
            Self::No => {
                "explain: no source serves the URI; doctor, graph check: a step failed; status: degraded or down"
            }
            Self::Usage => "the command line is wrong",
            Self::Unavailable => "no provider answers, or it cannot answer now",
            Self::Internal => "a fault of this program",
            Self::CannotCreate => "a log file cannot be created",
            Self::Io => "the answer could not be written",
            Self::NoPermission => "the provider wants a token, or another one",
            Self::Config => "the configuration cannot be read, holds an error, or lacks what run needs",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_distinct_and_ascending() {
        assert!(Exit::ALL.windows(2).all(|pair| pair[0].code() < pair[1].code()));
    }
}
