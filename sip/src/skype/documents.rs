//! What documents do to the agents that they are about.

use presence_core::{AgentUri, EndedBy, Failure, FailureKind, SourceNetwork};

use super::SkypeSubscriber;
use super::body::Reading;
use super::dialog::{DialogKey, Kind};
use super::member::{Errand, Hold, MemberKey, Route, Wish};
use crate::classify::failure_kind;
use crate::documents::{Category, Instance as ListInstance, InstanceState};
use crate::subscriber::{SubscriberEffect, WireEvent};

/// How often an agent is followed from server to server without a word about it.
const MOST_MOVES: u8 = 3;

/// How often one body makes one thing be counted.
const MOST_COUNTED: usize = 100;

/// The diagnosis of an agent whose server takes no more watchers of categories.
const QUOTA: u32 = 2012;

impl SkypeSubscriber {
    /// What the resource lists of a body say; true when any agent is to be subscribed elsewhere.
    pub(super) fn take_lists(&mut self, dialog: DialogKey, reading: &Reading) -> bool {
        let mut resubscribe = false;
        let mut strangers = 0;
        for resource in reading.lists.iter().flat_map(|list| &list.resources) {
            // One that is active decides; otherwise the last word counts.
            let active = resource.instances.iter().find(|instance| instance.state == InstanceState::Active);
            let Some(instance) = active.or(resource.instances.last()) else { continue };
            if matches!(instance.state, InstanceState::Active | InstanceState::Pending) {
                continue;
            }
            let Some(key) = AgentUri::parse(&resource.uri).ok().and_then(|uri| self.member_in(dialog, &uri)) else {
                strangers += 1;
                continue;
            };
            resubscribe |= instance.state == InstanceState::Resubscribe;
            self.take_instance(dialog, key, instance);
        }
        self.count_some(WireEvent::ForeignResource, strangers);
        resubscribe
    }

    /// Counts what happened so often in one body, but not without an end.
    fn count_some(&mut self, event: WireEvent, times: usize) {
        (0..times.min(MOST_COUNTED)).for_each(|_| self.count(event));
    }

    fn take_instance(&mut self, dialog: DialogKey, key: MemberKey, instance: &ListInstance) {
        let Some(member) = self.members.get(key) else { return };
        match &instance.state {
            InstanceState::Active | InstanceState::Pending => {}
            InstanceState::Resubscribe => self.moved(dialog, key, instance.pool_fqdn.as_deref()),
            // Who has a dialog of its own cannot be polled in a batch, and backs off.
            InstanceState::Terminated if is_quota(instance) && member.route != Route::Single => {
                if !matches!(member.hold, Hold::Polled { .. }) || self.is_subscription(dialog) {
                    self.poll_from_now(key);
                }
            }
            InstanceState::Terminated => {
                let kind = terminated_kind(instance);
                let reason = instance.reason.as_deref().unwrap_or("without a reason");
                let failure = Failure {
                    code: instance.status_code,
                    ms_diagnostics: instance.diagnostics,
                    ..Failure::new(kind, EndedBy::Peer, format!("terminated in the list: {reason}"))
                };
                self.fail(key, &failure);
            }
            InstanceState::Other(word) => {
                let word: String = word.chars().take(64).collect();
                let why = format!("the list says {word:?}");
                self.fail(key, &Failure::new(FailureKind::Transient, EndedBy::Peer, why));
            }
        }
    }

    fn is_subscription(&self, dialog: DialogKey) -> bool {
        self.dialogs.get(dialog).is_some_and(|dialog| !matches!(dialog.kind, Kind::Poll(_)))
    }

    /// An agent is to be subscribed elsewhere: alone, or at another pool.
    fn moved(&mut self, dialog: DialogKey, key: MemberKey, pool: Option<&str>) {
        let Some(member) = self.members.get(key) else { return };
        if member.wish == Wish::Drop {
            return self.end(key);
        }
        let route = match pool {
            Some(pool) => self.batch_for(pool).map(Route::Batch),
            None => Some(Route::Single),
        };
        let single = self.dialogs.get(dialog).is_some_and(|dialog| matches!(dialog.kind, Kind::Single(_)));
        let Some(member) = self.members.get_mut(key) else { return };
        member.moves = member.moves.saturating_add(1);
        let endless = member.moves > MOST_MOVES || route == Some(member.route) || (single && pool.is_none());
        let Some(route) = route.filter(|_| !endless) else {
            let why = "the server sends it on without an end";
            return self.fail(key, &Failure::new(FailureKind::Transient, EndedBy::Peer, why));
        };
        self.detach(key, route, Hold::Nowhere);
        self.ask_anew(key);
    }

    /// The agent's server takes no more watchers: it is asked for now and then, which does not count there.
    fn poll_from_now(&mut self, key: MemberKey) {
        let Some(member) = self.members.get(key) else { return };
        if member.wish == Wish::Drop {
            return self.end(key);
        }
        let (route, hold) = (member.route, Hold::Polled { at: None, rounds: 1 });
        self.detach(key, route, hold);
        self.ask_anew(key);
    }

    fn detach(&mut self, key: MemberKey, route: Route, hold: Hold) {
        self.dequeue(key);
        let Some(member) = self.members.get_mut(key) else { return };
        if let Hold::Polled { at: Some(at), .. } = member.hold {
            self.polls.remove(&(at, key));
        }
        member.errand = Errand::None;
        member.refresh_wanted = false;
        member.route = route;
        member.hold = hold;
    }

    /// The agent's machine is served, and takes a token for what is to be asked next.
    pub(super) fn ask_anew(&mut self, key: MemberKey) {
        if let Some(member) = self.members.get_mut(key) {
            member.refreshing = false;
            let (uri, attempt) = (member.uri.clone(), member.attempt);
            self.effects.push_back(SubscriberEffect::Joined { uri, attempt });
        }
        self.want_refresh(key);
    }

    /// What the documents of a body say. Where nothing of it can be read, those that were asked for are asked for again.
    pub(super) fn take_documents(
        &mut self,
        dialog: DialogKey,
        reading: &Reading,
        asked: &[MemberKey],
        overtaken: bool,
        network: SourceNetwork,
    ) {
        let single = match self.dialogs.get(dialog).map(|dialog| dialog.kind) {
            Some(Kind::Single(member)) => Some(member),
            Some(Kind::Batch(_) | Kind::Poll(_)) | None => None,
        };
        let mut strangers = 0;
        for (uri, categories) in &reading.documents {
            let member = match uri {
                Some(uri) => self.member_in(dialog, uri),
                None => single.filter(|key| self.serves(dialog, *key)),
            };
            match member {
                Some(member) => self.take_categories(member, categories, overtaken, network),
                None => strangers += 1,
            }
        }
        self.count_some(WireEvent::ForeignResource, strangers);
        self.count_some(WireEvent::UnparsableBody, reading.unreadable.len());
        for uri in &reading.unreadable {
            let member = uri.as_ref().and_then(|uri| self.member_in(dialog, uri)).or(single);
            member.into_iter().for_each(|member| self.unreadable(member));
        }
        if reading.listless && !reading.broken {
            // What it said of those without a document is not known.
            let unheard = |key: &MemberKey| self.members.get(*key).is_some_and(|member| member.categories.is_empty());
            let unheard: Vec<MemberKey> = asked.iter().copied().filter(unheard).collect();
            unheard.into_iter().for_each(|member| self.unreadable(member));
        }
        if reading.broken {
            self.count(WireEvent::UnparsableBody);
            let asked: Vec<MemberKey> = if asked.is_empty() { single.into_iter().collect() } else { asked.to_vec() };
            asked.into_iter().for_each(|member| self.unreadable(member));
        }
    }

    fn take_categories(&mut self, key: MemberKey, categories: &[Category], overtaken: bool, network: SourceNetwork) {
        let Some(member) = self.members.get_mut(key) else { return };
        if member.wish == Wish::Drop || (overtaken && !member.categories.is_empty()) {
            return;
        }
        member.unreadable = false;
        member.moves = 0;
        member.categories.apply(categories);
        let (uri, attempt) = (member.uri.clone(), member.attempt);
        let status = Some(member.categories.status(network));
        self.effects.push_back(SubscriberEffect::Notified { uri, attempt, status, expires: None });
    }

    /// A document of an agent could not be read: its value stays, and it is asked for once.
    fn unreadable(&mut self, key: MemberKey) {
        let Some(member) = self.members.get_mut(key) else { return };
        // What is on its way will bring another document.
        if !member.unreadable && member.errand == Errand::None {
            member.unreadable = true;
            self.want_refresh(key);
        }
    }

    /// The member of this name, if it is one of this dialog's.
    fn member_in(&self, dialog: DialogKey, uri: &AgentUri) -> Option<MemberKey> {
        self.members.find(uri).filter(|key| self.serves(dialog, *key))
    }

    fn serves(&self, dialog: DialogKey, key: MemberKey) -> bool {
        let Some(member) = self.members.get(key) else { return false };
        let polled = matches!(member.hold, Hold::Polled { .. }) && !self.is_subscription(dialog);
        polled || member.hold == Hold::In(dialog) || member.errand == Errand::Asked(dialog)
    }
}

fn is_quota(instance: &ListInstance) -> bool {
    let said = instance.reason.as_deref().is_some_and(|reason| reason.eq_ignore_ascii_case("quotaExceeded"));
    instance.diagnostics == Some(QUOTA)
        || (instance.diagnostics.is_none() && (said || instance.status_code == Some(413)))
}

/// Who owns the end of a resource: by its diagnosis and status, else by the word that RFC 6665 section 4.1.3 gives.
fn terminated_kind(instance: &ListInstance) -> FailureKind {
    if instance.diagnostics.is_some() || instance.status_code.is_some() {
        return failure_kind(instance.status_code.unwrap_or_default(), instance.diagnostics);
    }
    match instance.reason.as_deref().unwrap_or_default() {
        word if word.eq_ignore_ascii_case("rejected") => FailureKind::Forbidden,
        word if word.eq_ignore_ascii_case("noresource") => FailureKind::NotFound,
        word if word.eq_ignore_ascii_case("deactivated") || word.eq_ignore_ascii_case("timeout") => FailureKind::Dialog,
        _ => FailureKind::Transient,
    }
}
