//! All dialogs of one endpoint, found by Call-ID, by agent and by what falls due.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use presence_core::AgentUri;

use super::dialog::{Dialog, DialogState};
use crate::identity::Identifier;
use crate::message::Message;
use crate::timers::Deadlines;

/// The place of a dialog.
pub(super) type Key = u32;

/// The dialogs. Every look-up takes the same time however many there are, except by deadline (logarithmic).
#[derive(Debug)]
pub(super) struct Book {
    places: Vec<Option<Box<Dialog>>>,
    free: Vec<Key>,
    by_call: HashMap<Identifier, Key>,
    /// The dialog that serves an agent. One that is being closed is not here any more.
    by_uri: HashMap<AgentUri, Key>,
    deadlines: Deadlines<Key>,
    live: usize,
    /// The last route set; most dialogs have the same.
    routes: Arc<[Box<str>]>,
    /// The last target; most dialogs have the same.
    target: Arc<str>,
}

impl Book {
    pub(super) fn new() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            by_call: HashMap::new(),
            by_uri: HashMap::new(),
            deadlines: Deadlines::new(),
            live: 0,
            routes: Arc::from([]),
            target: Arc::from(""),
        }
    }

    /// Adds a dialog, which serves its agent from now on.
    pub(super) fn insert(&mut self, dialog: Dialog) -> Key {
        let key = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            // More than 2^32 dialogs do not fit into memory.
            Key::try_from(self.places.len() - 1).unwrap_or(Key::MAX)
        });
        self.by_call.insert(dialog.call_id, key);
        self.by_uri.insert(dialog.uri.clone(), key);
        if let Some(place) = self.place(key) {
            *place = Some(Box::new(dialog));
        }
        key
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Box<Dialog>> {
        let mut dialog = self.place(key)?.take()?;
        self.deadlines.rearm(key, &mut dialog.armed, None);
        self.by_call.remove(&dialog.call_id);
        if self.by_uri.get(&dialog.uri) == Some(&key) {
            self.by_uri.remove(&dialog.uri);
        }
        self.live -= usize::from(dialog.state.is_live());
        self.free.push(key);
        Some(dialog)
    }

    pub(super) fn get(&self, key: Key) -> Option<&Dialog> {
        self.places.get(usize::try_from(key).ok()?)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Dialog> {
        self.place(key)?.as_deref_mut()
    }

    pub(super) fn by_call(&self, call_id: &str) -> Option<Key> {
        self.by_call.get(&Identifier::read(call_id)?).copied()
    }

    pub(super) fn by_uri(&self, uri: &AgentUri) -> Option<Key> {
        self.by_uri.get(uri).copied()
    }

    /// The dialog serves its agent no longer; it is only found by its Call-ID until it is removed.
    pub(super) fn retire(&mut self, key: Key) {
        let Some(uri) = self.get(key).map(|dialog| dialog.uri.clone()) else { return };
        if self.by_uri.get(&uri) == Some(&key) {
            self.by_uri.remove(&uri);
        }
    }

    /// The only way from one state to another.
    pub(super) fn enter(&mut self, key: Key, next: DialogState, why: &'static str) {
        let Some(dialog) = self.place(key).and_then(|place| place.as_deref_mut()) else { return };
        let before = dialog.state;
        if before == next {
            return;
        }
        tracing::trace!(uri = %dialog.uri, from = before.name(), to = next.name(), why, "subscription dialog");
        dialog.state = next;
        self.live += usize::from(next.is_live());
        self.live -= usize::from(before.is_live());
    }

    /// Arms the earliest deadline of a dialog. To be called after everything that may move one.
    pub(super) fn rearm(&mut self, key: Key) {
        let Some(place) = usize::try_from(key).ok().and_then(|at| self.places.get_mut(at)) else { return };
        if let Some(dialog) = place.as_deref_mut() {
            let next = dialog.next_deadline();
            self.deadlines.rearm(key, &mut dialog.armed, next);
        }
    }

    /// One dialog with a deadline that has come.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Key> {
        let key = self.deadlines.pop_due(now)?;
        if let Some(dialog) = self.get_mut(key) {
            dialog.armed = None;
        }
        Some(key)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// All places that are taken, in a fixed order. For what happens to all dialogs at once, never per message.
    pub(super) fn keys(&self) -> Vec<Key> {
        let taken = self.places.iter().enumerate().filter(|(_, place)| place.is_some());
        taken.filter_map(|(at, _)| Key::try_from(at).ok()).collect()
    }

    /// The same route set for all dialogs that have the same.
    pub(super) fn share<'a>(&mut self, routes: impl DoubleEndedIterator<Item = &'a str> + Clone) -> Arc<[Box<str>]> {
        if !routes.clone().eq(self.routes.iter().map(|route| &**route)) {
            self.routes = routes.map(Box::from).collect();
        }
        Arc::clone(&self.routes)
    }

    /// Takes the notifier's Contact of a NOTIFY or a 2xx as the target of what follows: both are target refreshes
    /// (RFC 6665).
    pub(super) fn refresh_target(&mut self, key: Key, message: &Message) {
        let Some(contact) = message.contact() else { return };
        let Some(place) = usize::try_from(key).ok().and_then(|at| self.places.get_mut(at)) else { return };
        let Some(dialog) = place.as_deref_mut() else { return };
        if dialog.remote_target.as_deref() != Some(contact.uri) {
            if *self.target != *contact.uri {
                self.target = contact.uri.into();
            }
            dialog.remote_target = Some(Arc::clone(&self.target));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_call.len()
    }

    pub(super) const fn live(&self) -> usize {
        self.live
    }

    fn place(&mut self, key: Key) -> Option<&mut Option<Box<Dialog>>> {
        self.places.get_mut(usize::try_from(key).ok()?)
    }
}
