//! A log file per day.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use jiff::civil::Date;

const BEGIN: &str = "presence-provider.";
const END: &str = ".log";

/// Appends to `presence-provider.YYYY-MM-DD.log` in one directory, begins a new file with the first line of a day (by
/// the wall clock, as in the lines themselves) and then removes the oldest of its files.
///
/// Only files whose whole name has this form are ever removed, and by the day in their name, not by a time stamp that
/// copying changes. A restart on the same day goes on in the same file.
#[derive(Debug)]
pub struct DailyFile {
    directory: PathBuf,
    keep: NonZeroUsize,
    today: fn() -> Date,
    day: Date,
    file: File,
}

impl DailyFile {
    /// Opens the file of today; creates the directory when it is missing. Of all days `keep` files remain, today's
    /// among them.
    ///
    /// # Errors
    /// When the directory cannot be created or the file not be opened.
    pub fn open(directory: &Path, keep: NonZeroUsize) -> io::Result<Self> {
        Self::open_by(directory, keep, || jiff::Zoned::now().date())
    }

    fn open_by(directory: &Path, keep: NonZeroUsize, today: fn() -> Date) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let day = today();
        let file = append_to(directory, day)?;
        let daily = Self { directory: directory.to_owned(), keep, today, day, file };
        daily.remove_oldest();
        Ok(daily)
    }

    /// Removes all files but the newest. What cannot be removed is tried again the next day.
    fn remove_oldest(&self) {
        let Ok(entries) = fs::read_dir(&self.directory) else { return };
        let mut days: Vec<Date> = entries
            .filter_map(|entry| day_of(entry.ok()?.file_name().to_str()?))
            .filter(|&day| day <= self.day)
            .collect();
        days.sort_unstable();
        let surplus = days.len().saturating_sub(self.keep.get());
        for &day in &days[..surplus] {
            let _ = fs::remove_file(self.directory.join(name_of(day)));
        }
    }
}

impl Write for DailyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let today = (self.today)();
        // A new file that cannot be opened is no reason to lose the line: the old one still takes it.
        if today != self.day
            && let Ok(file) = append_to(&self.directory, today)
        {
            self.file = file;
            self.day = today;
            self.remove_oldest();
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append_to(directory: &Path, day: Date) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(directory.join(name_of(day)))
}

fn name_of(day: Date) -> String {
    format!("{BEGIN}{day}{END}")
}

fn day_of(name: &str) -> Option<Date> {
    let day: Date = name.strip_prefix(BEGIN)?.strip_suffix(END)?.parse().ok()?;
    (name_of(day) == name).then_some(day)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use jiff::civil::date;

    use super::*;

    thread_local!(static TODAY: Cell<Date> = const { Cell::new(date(2026, 11, 22)) });

    fn open(directory: &Path, keep: usize) -> DailyFile {
        DailyFile::open_by(directory, NonZeroUsize::new(keep).expect("not zero"), || TODAY.get()).expect("a file")
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("a directory");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
        names.sort();
        names
    }

    #[test]
    fn every_day_begins_a_file_and_the_oldest_go() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut log = open(directory.path(), 2);
        for day in 22..=25 {
            TODAY.set(date(2026, 11, day));
            writeln!(log, "first of {day}").expect("written");
            writeln!(log, "second of {day}").expect("written");
        }
        assert_eq!(names(directory.path()), ["presence-provider.2026-11-24.log", "presence-provider.2026-11-25.log"]);
        let last = fs::read_to_string(directory.path().join("presence-provider.2026-11-25.log")).expect("a file");
        assert_eq!(last, "first of 25\nsecond of 25\n");
    }

    #[test]
    fn a_restart_on_the_same_day_goes_on_in_the_same_file_even_when_only_one_is_kept() {
        let directory = tempfile::tempdir().expect("a directory");
        for line in ["before\n", "after\n"] {
            open(directory.path(), 1).write_all(line.as_bytes()).expect("written");
        }
        let file = fs::read_to_string(directory.path().join("presence-provider.2026-11-22.log")).expect("a file");
        assert_eq!(file, "before\nafter\n");
    }

    #[test]
    fn files_with_other_names_are_never_removed() {
        let directory = tempfile::tempdir().expect("a directory");
        let others = [
            "presence-provider.2020-01-01.log.gz",
            "presence-provider.20200101.log",
            "presence-provider.2999-01-01.log",
            "presence-provider.log",
            "presence-provider.old.log",
        ];
        for name in others.iter().chain(&["presence-provider.2020-01-01.log"]) {
            fs::write(directory.path().join(name), "").expect("written");
        }
        drop(open(directory.path(), 1));
        let mut expected = vec!["presence-provider.2026-11-22.log"];
        expected.extend(others);
        expected.sort_unstable();
        assert_eq!(names(directory.path()), expected);
    }
}
