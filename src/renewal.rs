//! Certificates are read again while the service runs: renewed ones are shown to the next handshake, and connections that
//! stand stay as they are. What cannot be used changes nothing.
//!
//! ```text
//!   every minute, and at SIGHUP --look--> read the files --Found--> Renewal (pure) --> what to say, whether to take it
//! ```
//!
//! `Renewal` decides; [`Certificates`] holds one for each use and talks to the files and to the log.

mod machine;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use presence_actors::transport::TlsIdentity;
use tokio::sync::Notify;

use crate::certificates::Certificate;
pub(crate) use machine::Found;
use machine::{Renewal, Said};

/// The files are looked at so often.
const EVERY: Duration = Duration::from_secs(60);

/// What a certificate of ours is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Use {
    /// It is shown to the pool, in both directions.
    Pool,
    /// It is shown to clients of the HTTP API.
    Http,
}

impl Use {
    /// The word for it in metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Http => "http",
        }
    }
}

/// What can be read again and then used.
pub(crate) trait Renewable: Send + Sync {
    /// Reads the files. The second part uses what was found, and is there when that differs from what is in use.
    ///
    /// # Errors
    /// What is wrong with the files, as a sentence fragment.
    fn read_again(&self) -> Result<(Found, Option<Take>), String>;

    /// What is in use.
    ///
    /// # Errors
    /// What is wrong with it.
    fn in_use(&self) -> Result<Found, String>;
}

/// Uses what was found.
pub(crate) type Take = Box<dyn FnOnce() + Send>;

impl Renewable for TlsIdentity {
    fn read_again(&self) -> Result<(Found, Option<Take>), String> {
        let Some(renewal) = Self::read_again(self).map_err(|error| error.to_string())? else {
            return Ok((Renewable::in_use(self)?, None));
        };
        let found = Found {
            certificate: renewal.certificate().map(|der| Certificate::read(&der)).transpose()?,
            authorities: Some(renewal.authorities()),
        };
        let identity = self.clone();
        Ok((found, Some(Box::new(move || identity.take(renewal)))))
    }

    fn in_use(&self) -> Result<Found, String> {
        let certificate = self.certificate().map(|der| Certificate::read(&der)).transpose()?;
        Ok(Found { certificate, authorities: Some(self.authorities()) })
    }
}

/// What the metrics say of the certificate of one use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CertificateReading {
    /// Until when it is valid, in seconds since 1970; none where we show none.
    pub not_after: Option<i64>,
    /// How often it was renewed since the start.
    pub renewed: u64,
    /// How often something else was found that could not be used.
    pub refused: u64,
}

/// The certificates of the process, by what they are for.
#[derive(Default)]
pub struct Certificates {
    followed: Mutex<BTreeMap<Use, Followed>>,
    asked: Notify,
}

struct Followed {
    holder: Arc<dyn Renewable>,
    renewal: Renewal,
}

impl Certificates {
    /// Says what is in use, and follows its files from now on.
    pub(crate) fn follow(&self, of: Use, holder: Arc<dyn Renewable>, now: Timestamp) {
        // What cannot be read in words is used all the same.
        let found = holder.in_use().unwrap_or_default();
        let (renewal, said) = Renewal::begin(of, found, now);
        tell(&said);
        self.lock().insert(of, Followed { holder, renewal });
    }

    /// Looks at all files now; somebody asked for it. Does not wait.
    pub fn look_soon(&self) {
        self.asked.notify_one();
    }

    /// Looks at the files every minute and whenever somebody asks, for ever.
    pub async fn keep_looking(self: Arc<Self>) {
        loop {
            let asked = tokio::time::timeout(EVERY, self.asked.notified()).await.is_ok();
            let certificates = Arc::clone(&self);
            // Files may be on a network that is away.
            let look = tokio::task::spawn_blocking(move || certificates.look(asked, Timestamp::now()));
            if let Err(error) = look.await {
                tracing::error!(logger = "Certificates", %error, "the certificates could not be looked at");
            }
        }
    }

    fn look(&self, asked: bool, now: Timestamp) {
        let holders: Vec<_> = self.lock().iter().map(|(of, followed)| (*of, Arc::clone(&followed.holder))).collect();
        for (of, holder) in holders {
            let (found, take) = match holder.read_again() {
                Ok((found, take)) => (Ok((found, take.is_some())), take),
                Err(why) => (Err(why), None),
            };
            let mut followed = self.lock();
            let Some(Followed { renewal, .. }) = followed.get_mut(&of) else { continue };
            let (takes, said) = renewal.looked(found, asked, now);
            if takes && let Some(take) = take {
                take();
            }
            drop(followed);
            tell(&said);
        }
    }

    /// What the metrics say.
    #[must_use]
    pub fn read(&self) -> BTreeMap<Use, CertificateReading> {
        self.lock().iter().map(|(of, followed)| (*of, followed.renewal.reading())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Use, Followed>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(said: &[Said]) {
    for one in said {
        match one {
            Said::Info(text) => tracing::info!(logger = "Certificates", "{text}"),
            Said::Warn(text) => tracing::warn!(logger = "Certificates", "{text}"),
        }
    }
}
