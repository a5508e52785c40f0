//! SUBSCRIBE for presence: what it gets.

use std::time::{Duration, Instant};

use presence_core::AgentUri;
use presence_sip::Message;

use super::FrontEnd;
use super::answers::{Answer, Refusal};
use super::batch_body::{Wish, category_count};
use super::dialogs::{Dialog, Kind, Member};
use super::directory::AgentIndex;
use super::documents::{CATEGORIES_TYPE, Instance};
use super::notify::Content;
use super::schedule::Due;
use super::subscribe::Beginning;
use crate::ConnectionId;

/// How many dialogs there may be, all endpoints together; a peer of a test must not take all memory.
const MOST_DIALOGS: usize = 1_000_000;

/// How it stands with the agents of a wish.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// They are told, with these categories.
    active: Vec<(AgentIndex, u8)>,
    /// They are not, and why.
    others: Vec<(String, Instance)>,
}

impl FrontEnd {
    /// How it would stand with one agent in such a dialog. `held` says that the dialog has the agent already; `counts`
    /// that it takes room.
    fn stands(&self, uri: &AgentUri, kind: Kind, pool: usize, categories: u8, held: bool, counts: bool) -> Instance {
        let found = self.directory.find(uri).and_then(|agent| self.directory.get(agent));
        let Some(agent) = found else {
            return Instance::Terminated { reason: "noresource", status: 404, diagnostics: 4005 };
        };
        if agent.disabled {
            return Instance::Terminated { reason: "rejected", status: 403, diagnostics: 2004 };
        }
        if kind == Kind::Batch {
            let strange = agent.strange.and_then(|at| self.settings.switches.strange.get(usize::from(at)));
            if let Some((_, state)) = strange {
                return Instance::Strange(state.clone());
            }
            if agent.legacy {
                return Instance::Resubscribe(None);
            }
            if agent.pool != pool {
                return Instance::Resubscribe(Some(self.pool_uri(agent.pool)));
            }
        }
        let quota = u32::try_from(self.settings.switches.quota).unwrap_or(u32::MAX);
        let full = agent.full || agent.used + category_count(categories) > quota;
        if counts && !held && full {
            return Instance::Terminated { reason: "quotaExceeded", status: 413, diagnostics: 2012 };
        }
        Instance::Active
    }

    /// Puts the agents of a wish into a dialog, as far as they may, and takes out those that may not be in it any more.
    fn join(&mut self, now: Instant, number: u64, wish: &Wish) -> Standing {
        let mut standing = Standing::default();
        let Some(dialog) = self.dialogs.get(number) else { return standing };
        let (kind, pool, lifetime) = (dialog.kind, dialog.pool, dialog.lifetime.as_secs());
        let asked = u32::try_from(now.saturating_duration_since(self.began).as_secs()).unwrap_or(u32::MAX);
        for uri in &wish.subscribe {
            let agent = self.directory.find(uri);
            let member = agent.and_then(|agent| self.dialogs.get(number)?.members.get(&agent)).copied();
            if member.is_some_and(|member| u64::from(asked.saturating_sub(member.asked)) < lifetime / 4) {
                self.counters.asked_twice += 1;
            }
            let instance = self.stands(uri, kind, pool, wish.categories, member.is_some(), true);
            match (agent, instance) {
                (Some(agent), Instance::Active) => {
                    self.part(number, agent);
                    self.enter(number, agent, Member { categories: wish.categories, asked, mute: false });
                    standing.active.push((agent, wish.categories));
                }
                (agent, instance) => {
                    if let Some(agent) = agent {
                        self.part(number, agent);
                    }
                    standing.others.push((uri.as_str().to_owned(), instance));
                }
            }
        }
        standing
    }

    /// One agent becomes part of a dialog.
    fn enter(&mut self, number: u64, agent: AgentIndex, member: Member) {
        let (Some(dialog), Some(found)) = (self.dialogs.get_mut(number), self.directory.get_mut(agent)) else { return };
        dialog.members.insert(agent, member);
        found.watchers.push(number);
        found.used += category_count(member.categories);
        self.live += 1;
        self.counters.most_live_for_one_agent = self.counters.most_live_for_one_agent.max(found.watchers.len());
    }

    /// One agent is not part of a dialog any more.
    pub(super) fn part(&mut self, number: u64, agent: AgentIndex) {
        let Some(member) = self.dialogs.get_mut(number).and_then(|dialog| dialog.members.remove(&agent)) else {
            return;
        };
        self.released(number, agent, member);
    }

    fn released(&mut self, number: u64, agent: AgentIndex, member: Member) {
        self.live = self.live.saturating_sub(1);
        if let Some(found) = self.directory.get_mut(agent) {
            found.watchers.retain(|watcher| *watcher != number);
            found.used = found.used.saturating_sub(category_count(member.categories));
        }
    }

    /// A dialog is gone, without a word.
    pub(super) fn drop_dialog(&mut self, number: u64) -> Option<Dialog> {
        let dialog = self.dialogs.remove(number)?;
        self.schedule.cancel(dialog.expires_at, Due::Expiry(number));
        for (agent, member) in &dialog.members {
            self.released(number, *agent, *member);
        }
        Some(dialog)
    }

    /// Begins a dialog, or answers once.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        request: &Message,
        beginning: Beginning,
    ) -> Result<(), Refusal> {
        let Beginning { owner, epid, pool, kind, wish, tagged, query, granted } = beginning;
        let supports = |tag: &str| request.values("Supported").any(|value| value.eq_ignore_ascii_case(tag));
        let contact = request.contact().ok_or(Refusal::of_status(400))?;
        let registration = self.registrations.get(&owner, &epid).map_or(0, |found| found.number);
        let dialog = Dialog {
            pool,
            kind,
            call_id: request.call_id().into(),
            remote_tag: request.from().and_then(|from| from.tag()).unwrap_or_default().into(),
            local_tag: self.dice.word().into(),
            remote: request.header("From").unwrap_or_default().into(),
            local: request.header("To").unwrap_or_default().into(),
            target: contact.uri.into(),
            contact: self.signed_contact(pool).into(),
            route: self.record_route(pool),
            connection,
            sequence: 0,
            remote_sequence: request.cseq().map_or(0, |(number, _)| number),
            expires_at: now + granted,
            lifetime: granted,
            benotify: self.settings.switches.benotify && supports("ms-benotify"),
            registration,
            members: std::collections::BTreeMap::new(),
            owner,
            epid,
        };
        if tagged {
            let uri = wish.subscribe.first().map_or_else(String::new, |uri| uri.as_str().to_owned());
            let others = vec![(uri, Instance::Resubscribe(None))];
            self.tell_once(now, request, dialog, Standing { others, ..Standing::default() });
            return Ok(());
        }
        let whole = |status: u16, diagnostics: u32| Err(Refusal::new(status, diagnostics));
        if kind == Kind::Single
            && let Some(uri) = wish.subscribe.first()
            && let Instance::Terminated { status, diagnostics, .. } =
                self.stands(uri, kind, pool, wish.categories, false, !query)
        {
            return whole(status, diagnostics);
        }
        if self.dialogs.len() >= MOST_DIALOGS {
            return Err(Refusal::of_status(503));
        }
        if query {
            let standing = self.query(&dialog, &wish);
            self.tell_once(now, request, dialog, standing);
            return Ok(());
        }
        self.replace(&dialog);
        let expires_at = dialog.expires_at;
        let number = self.dialogs.add(dialog);
        self.schedule.add(expires_at, Due::Expiry(number));
        let standing = self.join(now, number, &wish);
        let content = self.told(now, number, standing);
        self.accept(now, request, number, content);
        Ok(())
    }

    /// Rule 6: a second list from the same endpoint for the same pool silently drops the first.
    fn replace(&mut self, dialog: &Dialog) {
        if dialog.kind != Kind::Batch {
            return;
        }
        let Some(first) = self.dialogs.seated(&dialog.owner, &dialog.epid, dialog.pool) else { return };
        let Some(first) = self.drop_dialog(first) else { return };
        self.counters.replaced_dialogs += 1;
        // An endpoint that was started again cannot know of the first.
        if first.registration == dialog.registration && !first.members.is_empty() {
            let (owner, members) = (dialog.owner.as_str(), first.members.len());
            self.violation(6, format_args!("a second list of {owner} while the first lives with {members} agents"));
        }
    }

    /// How it stands with the agents of a query; nothing is kept and nothing counts.
    fn query(&self, dialog: &Dialog, wish: &Wish) -> Standing {
        let mut standing = Standing::default();
        for uri in &wish.subscribe {
            match (self.directory.find(uri), self.stands(uri, dialog.kind, dialog.pool, wish.categories, false, false))
            {
                (Some(agent), Instance::Active) => standing.active.push((agent, wish.categories)),
                (_, instance) => standing.others.push((uri.as_str().to_owned(), instance)),
            }
        }
        standing
    }

    /// What a dialog is told about the agents that it asked for.
    fn told(&mut self, now: Instant, number: u64, standing: Standing) -> Option<Content> {
        let dialog = self.dialogs.get(number)?.head();
        self.told_as(now, &dialog, &standing)
    }

    fn told_as(&mut self, now: Instant, dialog: &Dialog, standing: &Standing) -> Option<Content> {
        self.counters.resources_told += u64::try_from(standing.active.len()).unwrap_or_default();
        match (dialog.kind, standing.active.as_slice(), standing.others.as_slice()) {
            (_, [], []) => None,
            (Kind::Single, [(agent, which)], []) => {
                self.document(now, *agent, *which).map(|document| (CATEGORIES_TYPE.to_owned(), document))
            }
            (_, active, others) => self.content(now, dialog.owner.as_str(), active, others),
        }
    }

    /// Answers a query, or a single subscription that must come again.
    fn tell_once(&mut self, now: Instant, request: &Message, mut dialog: Dialog, standing: Standing) {
        dialog.expires_at = now;
        let content = self.told_as(now, &dialog, &standing);
        self.accept_as(now, request, &mut dialog, content, true);
    }

    /// 200 in a dialog that is kept.
    pub(super) fn accept(&mut self, now: Instant, request: &Message, number: u64, content: Option<Content>) {
        let Some(mut dialog) = self.dialogs.get(number).map(Dialog::head) else { return };
        self.accept_as(now, request, &mut dialog, content, false);
        if let Some(kept) = self.dialogs.get_mut(number) {
            kept.sequence = dialog.sequence;
        }
    }

    /// 200, with the content in it or in a notification of its own.
    pub(super) fn accept_as(
        &mut self,
        now: Instant,
        request: &Message,
        dialog: &mut Dialog,
        content: Option<Content>,
        ended: bool,
    ) {
        let supports = |tag: &str| request.values("Supported").any(|value| value.eq_ignore_ascii_case(tag));
        let piggyback = self.settings.switches.piggyback && supports("ms-piggyback-first-notify");
        let left = dialog.expires_at.saturating_duration_since(now).as_secs();
        let state = if ended { "terminated;expires=0".into() } else { format!("active;expires={left}") };
        let mut answer = Answer::new(200)
            .header("Contact", format!("<{}>", dialog.contact))
            .header("Expires", left.to_string())
            .header("Event", "presence")
            .header("subscription-state", state)
            .header("Supported", "ms-piggyback-first-notify, ms-benotify");
        answer.tag = Some(dialog.local_tag.clone());
        if let Some(route) = &dialog.route {
            answer = answer.header("Record-Route", &**route);
        }
        let mut later = None;
        if let Some((kind, body)) = content {
            dialog.sequence += 1;
            if piggyback {
                answer = answer.header("ms-piggyback-cseq", dialog.sequence.to_string());
                if kind.starts_with("multipart") {
                    answer = answer.header("Require", "eventlist");
                }
                answer.body = Some((kind, body));
            } else {
                later = Some((kind, body));
            }
        }
        let connection = dialog.connection;
        let before = self.settings.switches.notify_before_answer;
        if later.is_some() && before {
            self.notify_as(now, dialog, later.take(), ended);
        }
        self.answer(now, connection, request, answer);
        if later.is_some() {
            self.notify_as(now, dialog, later, ended);
        }
    }

    /// Applies an update or a refresh to a dialog that passed all checks.
    pub(super) fn update(
        &mut self,
        now: Instant,
        request: &Message,
        number: u64,
        wish: Option<&Wish>,
        granted: Duration,
    ) {
        let Some(dialog) = self.dialogs.get_mut(number) else { return };
        self.schedule.cancel(dialog.expires_at, Due::Expiry(number));
        (dialog.expires_at, dialog.lifetime) = (now + granted, granted);
        self.schedule.add(dialog.expires_at, Due::Expiry(number));
        let content = match wish {
            Some(wish) => {
                for uri in &wish.unsubscribe {
                    if let Some(agent) = self.directory.find(uri) {
                        self.part(number, agent);
                    }
                }
                let standing = self.join(now, number, wish);
                self.told(now, number, standing)
            }
            None => {
                if !self.settings.switches.bodiless_refresh_keeps
                    && let Some(dialog) = self.dialogs.get_mut(number)
                {
                    for (agent, member) in std::mem::take(&mut dialog.members) {
                        self.released(number, agent, member);
                    }
                }
                None
            }
        };
        self.accept(now, request, number, content);
    }
}
