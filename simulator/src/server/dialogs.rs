//! The subscriptions that a server has granted.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;

use super::{ConnectionId, Wire};

/// One granted subscription.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    /// Index of the agent.
    pub(crate) agent: usize,
    /// Call-ID, as the subscriber chose it.
    pub(crate) call_id: Box<str>,
    /// The tag of the subscriber's From.
    pub(crate) remote_tag: Box<str>,
    /// Our tag.
    pub(crate) local_tag: Box<str>,
    /// The subscriber's From, whole.
    pub(crate) remote: Box<str>,
    /// The To of the SUBSCRIBE, without our tag.
    pub(crate) local: Box<str>,
    /// The subscriber's Contact URI: where NOTIFYs go.
    pub(crate) target: Box<str>,
    /// The Event of the SUBSCRIBE, as it was written.
    pub(crate) event: Box<str>,
    /// Over what the last SUBSCRIBE came; that is where NOTIFYs go out.
    pub(crate) connection: ConnectionId,
    /// What that is.
    pub(crate) wire: Wire,
    /// CSeq of our last NOTIFY.
    pub(crate) sequence: u32,
    /// CSeq of the last SUBSCRIBE.
    pub(crate) remote_sequence: u32,
    /// What it was answered, for the case that it comes again.
    pub(crate) last_answer: Bytes,
    /// When it ends unless it is refreshed.
    pub(crate) expires_at: Instant,
    /// The dialog was made through two Record-Routes.
    pub(crate) routed: bool,
    /// Changes are not told any more.
    pub(crate) mute: bool,
}

/// The subscriptions that a server has granted, found by number, by the dialog's names and by agent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dialogs {
    last: u64,
    by_number: BTreeMap<u64, Dialog>,
    by_names: BTreeMap<(Box<str>, Box<str>), u64>,
    by_agent: BTreeMap<usize, Vec<u64>>,
}

impl Dialogs {
    /// Adds a dialog; says its number and how many its agent now has.
    pub(crate) fn add(&mut self, dialog: Dialog) -> (u64, usize) {
        self.last += 1;
        let number = self.last;
        self.by_names.insert((dialog.call_id.clone(), dialog.remote_tag.clone()), number);
        let of_agent = self.by_agent.entry(dialog.agent).or_default();
        of_agent.push(number);
        let count = of_agent.len();
        self.by_number.insert(number, dialog);
        (number, count)
    }

    /// Takes a dialog out.
    pub(crate) fn remove(&mut self, number: u64) -> Option<Dialog> {
        let dialog = self.by_number.remove(&number)?;
        self.by_names.remove(&(dialog.call_id.clone(), dialog.remote_tag.clone()));
        if let Some(of_agent) = self.by_agent.get_mut(&dialog.agent) {
            of_agent.retain(|other| *other != number);
            if of_agent.is_empty() {
                self.by_agent.remove(&dialog.agent);
            }
        }
        Some(dialog)
    }

    /// The number of the dialog with this Call-ID and this tag of the subscriber.
    pub(crate) fn find(&self, call_id: &str, remote_tag: &str) -> Option<u64> {
        self.by_names.get(&(call_id.into(), remote_tag.into())).copied()
    }

    /// The dialog.
    pub(crate) fn get(&self, number: u64) -> Option<&Dialog> {
        self.by_number.get(&number)
    }

    /// The dialog, to change it.
    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut Dialog> {
        self.by_number.get_mut(&number)
    }

    /// The numbers of the dialogs of an agent.
    pub(crate) fn of_agent(&self, agent: usize) -> Vec<u64> {
        self.by_agent.get(&agent).cloned().unwrap_or_default()
    }

    /// The agents that have dialogs, and how many.
    pub(crate) fn agents(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.by_agent.iter().map(|(agent, dialogs)| (*agent, dialogs.len()))
    }

    /// The agent of each dialog and its connection, by agent.
    pub(crate) fn connections(&self) -> impl Iterator<Item = (usize, ConnectionId)> + '_ {
        let dialogs = self.by_agent.iter().flat_map(|(agent, numbers)| numbers.iter().map(|number| (*agent, *number)));
        dialogs.filter_map(|(agent, number)| Some((agent, self.by_number.get(&number)?.connection)))
    }

    /// The numbers of all dialogs.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.by_number.keys().copied().collect()
    }

    /// The first dialog with a greater number, or the first of all.
    pub(crate) fn next_after(&self, number: u64) -> Option<u64> {
        let after = self.by_number.range(number.saturating_add(1)..).next();
        after.or_else(|| self.by_number.iter().next()).map(|(number, _)| *number)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_number.len()
    }
}
