//! What a Kamailio saw and said, read back from the lines that its configuration writes for us.

use std::collections::BTreeMap;
use std::time::Duration;

/// A SUBSCRIBE as it came in, retransmissions included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// Kamailio's clock when its script saw the request, since 1970; microseconds.
    pub at: Duration,
    /// `udp`, `tcp` or `tls`.
    pub transport: String,
    /// Call-ID.
    pub call_id: String,
    /// The tag in To: absent in the first SUBSCRIBE of a dialog.
    pub to_tag: Option<String>,
    /// The Expires header.
    pub expires: Option<u32>,
    /// CSeq number.
    pub sequence: u32,
    /// URI in From: the endpoint that asks.
    pub from: String,
    /// Request-URI: the agent.
    pub uri: String,
}

impl Subscribe {
    /// Whether it asks for a new dialog.
    pub fn is_initial(&self) -> bool {
        self.to_tag.is_none()
    }
}

/// A NOTIFY as it left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// Kamailio's clock, since 1970; microseconds.
    pub at: Duration,
    /// Call-ID.
    pub call_id: String,
    /// Subscription-State, whole.
    pub state: String,
    /// URI in From: the agent.
    pub from: String,
    /// Request-URI: the watcher's Contact.
    pub contact: String,
}

/// Every line of interest in the order in which it was written.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// What came in.
    pub subscribes: Vec<Subscribe>,
    /// What went out.
    pub notifies: Vec<Notify>,
}

impl Observed {
    /// Reads Kamailio's log; lines that are not ours are passed over.
    pub fn read(log: &str) -> Self {
        let mut observed = Self::default();
        for line in log.lines() {
            if let Some((_, fields)) = line.split_once("@@in|") {
                observed.subscribes.extend(read_subscribe(fields));
            } else if let Some((_, fields)) = line.split_once("@@out|") {
                observed.notifies.extend(read_notify(fields));
            }
        }
        observed
    }

    /// SUBSCRIBEs that ask for a new dialog, retransmissions taken out (same Call-ID and CSeq).
    pub fn initial(&self) -> Vec<&Subscribe> {
        let mut seen = BTreeMap::new();
        self.subscribes
            .iter()
            .filter(|subscribe| subscribe.is_initial())
            .filter(|subscribe| seen.insert((&subscribe.call_id, subscribe.sequence), ()).is_none())
            .collect()
    }

    /// Call-IDs of dialogs whose last NOTIFY did not say `terminated`, each with its agent's URI.
    pub fn live_dialogs(&self) -> BTreeMap<&str, &str> {
        let mut live = BTreeMap::new();
        for notify in &self.notifies {
            if notify.state.starts_with("terminated") {
                live.remove(notify.call_id.as_str());
            } else {
                live.insert(notify.call_id.as_str(), notify.from.as_str());
            }
        }
        live
    }

    /// The largest number of SUBSCRIBEs, retransmissions included, in any window of that length.
    pub fn most_in_any(&self, window: Duration) -> usize {
        most_in_any(window, self.subscribes.iter().map(|subscribe| subscribe.at))
    }
}

/// The largest number of instants in any half-open window of that length.
pub fn most_in_any(window: Duration, instants: impl Iterator<Item = Duration>) -> usize {
    let mut instants: Vec<Duration> = instants.collect();
    instants.sort_unstable();
    let mut first = 0;
    let mut most = 0;
    for (last, instant) in instants.iter().enumerate() {
        while instants[first] + window <= *instant {
            first += 1;
        }
        most = most.max(last - first + 1);
    }
    most
}

/// Kamailio prints `<null>` for what a message does not have.
fn present(field: &str) -> Option<&str> {
    (field != "<null>" && !field.is_empty()).then_some(field)
}

/// `1700000000.123456`, where Kamailio does not pad the microseconds.
fn read_time(field: &str) -> Option<Duration> {
    let (seconds, micros) = field.split_once('.')?;
    Some(Duration::new(seconds.parse().ok()?, micros.parse::<u32>().ok()?.checked_mul(1_000)?))
}

fn read_subscribe(fields: &str) -> Option<Subscribe> {
    let fields: Vec<&str> = fields.splitn(8, '|').collect();
    let [at, transport, call_id, to_tag, expires, sequence, from, uri] = fields[..] else { return None };
    Some(Subscribe {
        at: read_time(at)?,
        transport: transport.to_owned(),
        call_id: call_id.to_owned(),
        to_tag: present(to_tag).map(str::to_owned),
        expires: present(expires).and_then(|value| value.parse().ok()),
        sequence: sequence.parse().ok()?,
        from: from.to_owned(),
        uri: uri.to_owned(),
    })
}

fn read_notify(fields: &str) -> Option<Notify> {
    let fields: Vec<&str> = fields.splitn(5, '|').collect();
    let [at, call_id, state, from, contact] = fields[..] else { return None };
    Some(Notify {
        at: read_time(at)?,
        call_id: call_id.to_owned(),
        state: state.to_owned(),
        from: from.to_owned(),
        contact: contact.to_owned(),
    })
}
