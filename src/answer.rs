//! What a command that asks a question gets back.

use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use crate::exit::Exit;
use crate::logging::escape::escape_json;

/// The answer of a command: what goes to which stream, and how the process ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What was asked for.
    pub stdout: String,
    /// What the person at the terminal must be told beside it.
    pub stderr: String,
    /// How the process ends.
    pub exit: Exit,
}

impl Answer {
    /// An answer that went well.
    #[must_use]
    pub const fn ok(stdout: String) -> Self {
        Self { stdout, stderr: String::new(), exit: Exit::Ok }
    }

    /// No answer, but the reason why not.
    #[must_use]
    pub const fn failed(exit: Exit, stderr: String) -> Self {
        Self { stdout: String::new(), stderr, exit }
    }

    /// Writes the answer and says how the process ends. A reader that has heard enough (`check | head`) is no error.
    pub fn write(self, mut stdout: impl Write, mut stderr: impl Write) -> Exit {
        // Whoever closed the standard error does not want to know.
        let _ = stderr.write_all(self.stderr.as_bytes());
        let written = stdout.write_all(self.stdout.as_bytes()).and_then(|()| stdout.flush());
        match written {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                let _ = writeln!(stderr, "error: failed to write the answer: {error}");
                Exit::Io
            }
            Ok(()) | Err(_) => self.exit,
        }
    }

    /// Writes the answer to the streams of the process.
    #[must_use]
    pub fn print(self) -> Exit {
        self.write(io::stdout().lock(), io::stderr().lock())
    }
}

/// A value as indented JSON with a line break behind it. What could move a cursor or reorder a line is `\uXXXX` in it.
pub(crate) fn json(value: &impl Serialize) -> String {
    // Plain structs with text keys: serialising them does not fail.
    let json = serde_json::to_string_pretty(value).unwrap_or_default();
    escape_json(json) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_heard_enough_is_no_error_but_a_full_disk_is() {
        let answer = Answer::ok("text".into());
        assert_eq!(answer.clone().write(Broken(ErrorKind::BrokenPipe), io::sink()), Exit::Ok);
        let mut said = Vec::new();
        assert_eq!(answer.write(Broken(ErrorKind::StorageFull), &mut said), Exit::Io);
        assert!(String::from_utf8(said).expect("text").starts_with("error: failed to write the answer: "));
    }
}
