//! The presence dialogs that a front end keeps.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use presence_core::AgentUri;

use super::directory::AgentIndex;
use crate::ConnectionId;

/// For whom a dialog is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A list of agents of one pool.
    Batch,
    /// One agent.
    Single,
}

/// One agent in a dialog.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    /// Which categories are wanted, see [`super::batch_body::STATE`] and the following.
    pub(super) categories: u8,
    /// When the agent was asked for last, in seconds since the front end was made.
    pub(super) asked: u32,
    /// Changes are not told any more, until the agent is asked for again.
    pub(super) mute: bool,
}

/// One presence dialog.
#[derive(Clone, Debug)]
pub(super) struct Dialog {
    pub(super) owner: AgentUri,
    pub(super) epid: Box<str>,
    pub(super) pool: usize,
    pub(super) kind: Kind,
    pub(super) call_id: Box<str>,
    /// The tag of the client's From.
    pub(super) remote_tag: Box<str>,
    /// Our tag.
    pub(super) local_tag: Box<str>,
    /// The client's From, whole.
    pub(super) remote: Box<str>,
    /// The To of the first SUBSCRIBE, without our tag.
    pub(super) local: Box<str>,
    /// The client's Contact URI.
    pub(super) target: Box<str>,
    /// Our Contact URI, which the client must address from then on.
    pub(super) contact: Box<str>,
    /// Our Record-Route, which the client must repeat as Route.
    pub(super) route: Option<Box<str>>,
    /// Over what the last SUBSCRIBE came.
    pub(super) connection: ConnectionId,
    /// CSeq of the last notification.
    pub(super) sequence: u32,
    /// CSeq of the last SUBSCRIBE.
    pub(super) remote_sequence: u32,
    /// When it ends unless it is refreshed.
    pub(super) expires_at: Instant,
    /// What it was granted last.
    pub(super) lifetime: Duration,
    /// Notifications are BENOTIFYs.
    pub(super) benotify: bool,
    /// The number of the registration under which it was made; 0 when the client may take it for lost.
    pub(super) registration: u64,
    pub(super) members: BTreeMap<AgentIndex, Member>,
}

impl Dialog {
    /// A copy without the members.
    pub(super) fn head(&self) -> Self {
        Self {
            owner: self.owner.clone(),
            epid: self.epid.clone(),
            call_id: self.call_id.clone(),
            remote_tag: self.remote_tag.clone(),
            local_tag: self.local_tag.clone(),
            remote: self.remote.clone(),
            local: self.local.clone(),
            target: self.target.clone(),
            contact: self.contact.clone(),
            route: self.route.clone(),
            members: BTreeMap::new(),
            ..*self
        }
    }
}

/// By what a list's dialog is the only one: owner, epid and pool.
type Seat = (Arc<str>, Box<str>, usize);

/// All presence dialogs: by number, by the names in messages, and the lists by who may have only one.
#[derive(Clone, Debug, Default)]
pub(super) struct Dialogs {
    last: u64,
    by_number: BTreeMap<u64, Dialog>,
    by_names: BTreeMap<(Box<str>, Box<str>), u64>,
    seats: BTreeMap<Seat, u64>,
}

fn seat(dialog: &Dialog) -> Seat {
    (dialog.owner.shared(), dialog.epid.clone(), dialog.pool)
}

impl Dialogs {
    /// Adds a dialog; its number. One of the same seat must have been removed before.
    pub(super) fn add(&mut self, dialog: Dialog) -> u64 {
        self.last += 1;
        let number = self.last;
        self.by_names.insert((dialog.call_id.clone(), dialog.remote_tag.clone()), number);
        if dialog.kind == Kind::Batch {
            self.seats.insert(seat(&dialog), number);
        }
        self.by_number.insert(number, dialog);
        number
    }

    /// Removes a dialog.
    pub(super) fn remove(&mut self, number: u64) -> Option<Dialog> {
        let dialog = self.by_number.remove(&number)?;
        let names = (dialog.call_id.clone(), dialog.remote_tag.clone());
        if self.by_names.get(&names) == Some(&number) {
            self.by_names.remove(&names);
        }
        let seat = seat(&dialog);
        if self.seats.get(&seat) == Some(&number) {
            self.seats.remove(&seat);
        }
        Some(dialog)
    }

    /// The dialog of a message, by Call-ID and the client's tag.
    pub(super) fn find(&self, call_id: &str, remote_tag: &str) -> Option<u64> {
        self.by_names.get(&(call_id.into(), remote_tag.into())).copied()
    }

    /// The list's dialog of an endpoint at a pool.
    pub(super) fn seated(&self, owner: &AgentUri, epid: &str, pool: usize) -> Option<u64> {
        self.seats.get(&(owner.shared(), epid.into(), pool)).copied()
    }

    pub(super) fn get(&self, number: u64) -> Option<&Dialog> {
        self.by_number.get(&number)
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Dialog> {
        self.by_number.get_mut(&number)
    }

    /// The numbers of the dialogs that are so.
    pub(super) fn which(&self, so: impl Fn(&Dialog) -> bool) -> Vec<u64> {
        self.by_number.iter().filter(|(_, dialog)| so(dialog)).map(|(number, _)| *number).collect()
    }

    /// Says nothing any more of these members' changes, of all for `None`, or tells them again; how many are concerned.
    pub(super) fn mute(&mut self, agents: Option<&[AgentIndex]>, mute: bool) -> usize {
        let members = self.by_number.values_mut().flat_map(|dialog| &mut dialog.members);
        let concerned = members.filter(|(agent, _)| agents.is_none_or(|agents| agents.contains(agent)));
        concerned.map(|(_, member)| member.mute = mute).count()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Dialog> {
        self.by_number.values()
    }

    pub(super) fn len(&self) -> usize {
        self.by_number.len()
    }
}
