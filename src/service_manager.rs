//! What systemd is told of this process: started, alive, how it is, ending (`sd_notify`).
//!
//! Only on Linux, and only when a service manager asks by `NOTIFY_SOCKET`. The words are written by a thread of their own,
//! so that a service manager that does not read holds nobody up.

use std::sync::mpsc::SyncSender;
use std::time::Duration;

use crate::http::Observatory;

/// So many words wait for the service manager; more are dropped.
const MOST_WORDS: usize = 16;
/// We say that we live at most so often.
const SHORTEST: Duration = Duration::from_millis(10);
/// The headline is told again when it has changed, at most so often.
const HEADLINE_EVERY: Duration = Duration::from_secs(5);
/// The longest headline, in characters.
const MAX_HEADLINE: usize = 200;

/// A word to the service manager.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Ready,
    Alive,
    Stopping,
    Status(String),
}

/// The service manager that started this process, or nobody.
#[derive(Clone, Debug)]
pub(crate) struct ServiceManager {
    words: Option<SyncSender<Word>>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// Finds out who started this process.
    pub(crate) fn find() -> Self {
        let asks = cfg!(target_os = "linux") && std::env::var_os("NOTIFY_SOCKET").is_some();
        if !asks {
            return Self { words: None, watchdog: None };
        }
        let (words, heard) = std::sync::mpsc::sync_channel(MOST_WORDS);
        let thread = std::thread::Builder::new().name("service-manager".to_owned()).spawn(move || {
            let mut told = false;
            for word in heard {
                if let Err(error) = platform::tell(&word)
                    && !std::mem::replace(&mut told, true)
                {
                    tracing::warn!(
                        logger = "UccStarter",
                        "the service manager at NOTIFY_SOCKET cannot be told how we are: {error}"
                    );
                }
            }
        });
        Self { words: thread.is_ok().then_some(words), watchdog: platform::watchdog() }
    }

    fn tell(&self, word: Word) {
        if let Some(words) = &self.words {
            // Full: it does not read, and the newest word is dropped.
            let _ = words.try_send(word);
        }
    }

    /// Everything is started. From now on the service manager is told that we live, and how we are, until what is returned
    /// is dropped. `observatory` is asked only when somebody listens. Call it on the thread of the actors: what this tells,
    /// they tell, and its silence is theirs.
    pub(crate) fn ready(&self, observatory: impl FnOnce() -> Observatory) -> Telling {
        if self.words.is_none() {
            return Telling(Vec::new());
        }
        self.tell(Word::Ready);
        let headlines = actix_rt::spawn(self.clone().tell_headlines(observatory()));
        let life = self.watchdog.map(|watchdog| actix_rt::spawn(self.clone().tell_life(watchdog)));
        Telling([headlines].into_iter().chain(life).collect())
    }

    async fn tell_life(self, watchdog: Duration) {
        // Half of what systemd waits for: one late word is no harm.
        let mut pace = tokio::time::interval((watchdog / 2).max(SHORTEST));
        loop {
            pace.tick().await;
            self.tell(Word::Alive);
        }
    }

    async fn tell_headlines(self, observatory: Observatory) {
        let mut looks = observatory.watch();
        let mut pace = tokio::time::interval(HEADLINE_EVERY);
        let mut last = String::new();
        while looks.changed().await.is_ok() {
            pace.tick().await;
            let headline: String = looks.borrow_and_update().status.headline.chars().take(MAX_HEADLINE).collect();
            if headline != last {
                self.tell(Word::Status(headline.clone()));
                last = headline;
            }
        }
    }

    /// The process ends.
    pub(crate) fn stopping(&self) {
        self.tell(Word::Stopping);
    }
}

/// Tells the service manager how we are until it is dropped.
#[derive(Debug)]
pub(crate) struct Telling(Vec<actix_rt::task::JoinHandle<()>>);

impl Drop for Telling {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use std::time::Duration;

    use sd_notify::NotifyState;

    use super::Word;

    pub(super) fn tell(word: &Word) -> std::io::Result<()> {
        sd_notify::notify(&[match word {
            Word::Ready => NotifyState::Ready,
            Word::Alive => NotifyState::Watchdog,
            Word::Stopping => NotifyState::Stopping,
            Word::Status(headline) => NotifyState::Status(headline),
        }])
    }

    pub(super) fn watchdog() -> Option<Duration> {
        sd_notify::watchdog_enabled()
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use std::time::Duration;

    use super::Word;

    pub(super) fn tell(_: &Word) -> std::io::Result<()> {
        Ok(())
    }

    pub(super) fn watchdog() -> Option<Duration> {
        None
    }
}
