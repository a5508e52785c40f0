//! Which user of one tenant an agent is.

mod cache;
mod legacy;
mod name;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use presence_core::{AgentUri, EndedBy, Failure, FailureKind};

use self::cache::{Cache, MOST_NAMES};
use self::name::{Name, name_of};
use crate::dice::Dice;
use crate::wire::{MAX_NAMES, Place, User, UserList, parse_user, parse_users, user_request, users_request};
use crate::{Answer, ObjectId, Request};

/// How long a new name waits for others that are asked for in the same request.
const GATHER: Duration = Duration::from_millis(250);

/// How long a user is known by a name.
const KNOWN_FOR: Duration = Duration::from_secs(24 * 3_600);

/// The first and the longest wait after an answer that cannot be read.
const UNREADABLE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// Numbers the questions of one [`Directory`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LookupId(pub(crate) u64);

/// Which user an agent is, or why that cannot be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The agent.
    pub(crate) uri: AgentUri,
    /// The user. A failure is the URI's own: NotFound (no user has this name, or none can have it) or Transient (several have
    /// it, or Microsoft refuses the question).
    pub(crate) outcome: Result<ObjectId, Failure>,
}

/// Finds the users of agents in one tenant.
///
/// An agent whose user part is a GUID is that user. The others are looked up by `user@domain`, several in a request first, by
/// userPrincipalName; who is not found goes on alone from place to place ([`Place`]). What is found is known for a day, what is
/// not found for as long as is configured. Two agents may be the same user. A name that several users have is nobody's.
#[derive(Debug)]
pub(crate) struct Directory {
    dice: Dice,
    forget_unknown_after: Duration,
    cache: Cache,
    /// What is being looked up, by name.
    searches: BTreeMap<Arc<str>, Search>,
    /// The names that wait for a common question, and those that wait for one of their own, by their turn.
    together: BTreeMap<u64, Arc<str>>,
    alone: BTreeMap<u64, Arc<str>>,
    questions: BTreeMap<LookupId, Question>,
    /// Counts turns and questions.
    number: u64,
    /// Nothing is asked before: an answer could not be read.
    not_before: Option<Instant>,
    unreadable: u32,
    found: VecDeque<Found>,
}

/// One name on its way.
#[derive(Debug)]
struct Search {
    /// Who wants to know; nobody any more while the last question is open.
    agents: Vec<AgentUri>,
    since: Instant,
    turn: u64,
    /// Where it is looked for alone; none: together with others.
    place: Option<Place>,
    /// A place was looked at, and nobody was there.
    looked: bool,
    /// Microsoft refused the question.
    refusal: Option<Failure>,
}

/// A question that is open.
#[derive(Debug)]
enum Question {
    Together(Vec<Arc<str>>),
    Alone(Arc<str>, Place),
}

impl Directory {
    /// `seed` is for request ids; an agent that nobody knows is not looked up again before `forget_unknown_after` has passed.
    pub(crate) const fn new(seed: u64, forget_unknown_after: Duration) -> Self {
        Self {
            dice: Dice::new(seed),
            forget_unknown_after,
            cache: Cache::new(MOST_NAMES),
            searches: BTreeMap::new(),
            together: BTreeMap::new(),
            alone: BTreeMap::new(),
            questions: BTreeMap::new(),
            number: 0,
            not_before: None,
            unreadable: 0,
            found: VecDeque::new(),
        }
    }

    /// Whose user is it? Answered by [`Directory::poll_found`], at once when it is known already. Once per agent until answered
    /// or forgotten; asking twice is asking once.
    pub(crate) fn ask(&mut self, now: Instant, uri: &AgentUri) {
        let name: Arc<str> = match name_of(uri) {
            Ok(Name::Look(name)) => name.into(),
            Ok(Name::User(id)) => return self.tell(uri, Ok(id)),
            Err(failure) => return self.tell(uri, Err(failure)),
        };
        match self.cache.get(now, &name) {
            Some(Some(id)) => return self.tell(uri, Ok(id)),
            Some(None) => return self.tell(uri, Err(nobody(&name))),
            None => {}
        }
        if let Some(search) = self.searches.get_mut(&name) {
            if !search.agents.contains(uri) {
                search.agents.push(uri.clone());
            }
            return;
        }
        let turn = self.count();
        self.together.insert(turn, Arc::clone(&name));
        let agents = vec![uri.clone()];
        self.searches.insert(name, Search { agents, since: now, turn, place: None, looked: false, refusal: None });
    }

    /// Nobody wants to know any more. What is known stays known.
    pub(crate) fn forget(&mut self, uri: &AgentUri) {
        self.found.retain(|found| found.uri != *uri);
        let Ok(Name::Look(name)) = name_of(uri) else { return };
        let Some(search) = self.searches.get_mut(name.as_str()) else { return };
        search.agents.retain(|agent| agent != uri);
        if search.agents.is_empty() {
            let turn = search.turn;
            let waits = self.together.remove(&turn).is_some() | self.alone.remove(&turn).is_some();
            if waits {
                self.searches.remove(name.as_str());
            }
        }
    }

    /// What is known of the agent's user seems to be wrong (it is in no answer any more): the next one who asks makes it be
    /// looked up again.
    pub(crate) fn distrust(&mut self, uri: &AgentUri) {
        if let Ok(Name::Look(name)) = name_of(uri) {
            self.cache.remove(&name);
        }
    }

    /// True when [`Directory::next_request`] has something to send.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.poll_timeout().is_some_and(|due| due <= now)
    }

    /// The next question that is due, without `bearer`. Each ends with [`Directory::answered`] or [`Directory::postponed`].
    pub(crate) fn next_request(&mut self, now: Instant) -> Option<(LookupId, Request)> {
        if self.not_before.is_some_and(|not_before| now < not_before) {
            return None;
        }
        let together = self.together_due().is_some_and(|due| due <= now);
        // Those who are looked for alone have their share while there are many new ones.
        let alone = !self.alone.is_empty() && (!together || self.number % 4 == 3);
        let (request, question) = if alone {
            let (_, name) = self.alone.pop_first()?;
            let place = self.searches.get(&name)?.place?;
            (user_request(place, &name), Question::Alone(name, place))
        } else if together {
            let names: Vec<&str> = self.together.values().take(MAX_NAMES).map(AsRef::as_ref).collect();
            let (request, count) = users_request(&names);
            (
                request,
                Question::Together(
                    (0..count).filter_map(|_| self.together.pop_first()).map(|(_, name)| name).collect(),
                ),
            )
        } else {
            return None;
        };
        let id = LookupId(self.count());
        self.questions.insert(id, question);
        Some((id, Request { request_id: self.dice.guid(), ..request }))
    }

    /// What came of a question, with status 2xx, 400 or 404; everything else is [`Directory::postponed`].
    ///
    /// # Errors
    /// The answer is not what Microsoft's would be. The question waits at the front, with a back-off, and the failure is the
    /// account's or the tenant's, as if there were no answer ([`crate::wire::Ruling::Unavailable`]).
    pub(crate) fn answered(&mut self, now: Instant, id: LookupId, answer: &Answer) -> Result<(), Failure> {
        let Some(question) = self.questions.get(&id) else { return Ok(()) };
        let read = match (question, answer.status) {
            (Question::Together(_), 200..=299) => parse_users(&answer.body).map(Told::Users),
            (Question::Alone(_, Place::PrincipalName), 200..=299) => {
                parse_user(&answer.body).map(|user| Told::Users(UserList { users: vec![user], has_more: false }))
            }
            (Question::Alone(..), 200..=299) => parse_users(&answer.body).map(Told::Users),
            (Question::Alone(..), 404) => Ok(Told::Users(UserList::default())),
            (_, 400 | 404) => Ok(Told::Refused),
            _ => {
                self.postponed(id);
                return Ok(());
            }
        };
        let told = match read {
            Ok(told) => told,
            Err(text) => {
                // What was asked at the same time tells nothing more.
                if self.not_before.is_none_or(|not_before| not_before <= now) {
                    let (first, longest) = UNREADABLE;
                    self.not_before = Some(now + first.saturating_mul(1 << self.unreadable.min(16)).min(longest));
                    self.unreadable = self.unreadable.saturating_add(1);
                }
                self.postponed(id);
                return Err(Failure::answered(FailureKind::Endpoint, answer.status, text));
            }
        };
        (self.unreadable, self.not_before) = (0, None);
        match (self.questions.remove(&id), told) {
            (Some(Question::Together(names)), Told::Users(list)) => {
                for name in names {
                    self.look_through(now, &name, &list);
                }
            }
            (Some(Question::Together(names)), Told::Refused) => {
                for name in names {
                    self.go_on(now, &name, Some(Place::PrincipalName));
                }
            }
            (Some(Question::Alone(name, place)), Told::Users(list)) => self.look_at(now, &name, place, &list),
            (Some(Question::Alone(name, place)), Told::Refused) => {
                if let Some(search) = self.searches.get_mut(&name) {
                    let text = format!("Microsoft Graph refuses to look for {name}");
                    search.refusal = Some(Failure::answered(FailureKind::Transient, answer.status, text));
                }
                self.go_on(now, &name, place.next());
            }
            (None, _) => {}
        }
        Ok(())
    }

    /// The question could not be asked, or not be answered: it goes back to the front.
    pub(crate) fn postponed(&mut self, id: LookupId) {
        let names = match self.questions.remove(&id) {
            Some(Question::Together(names)) => names,
            Some(Question::Alone(name, _)) => vec![name],
            None => return,
        };
        for name in names {
            self.wait(name);
        }
    }

    /// The next agent whose user is known, or is known not to exist.
    pub(crate) fn poll_found(&mut self) -> Option<Found> {
        self.found.pop_front()
    }

    /// When [`Directory::next_request`] has something to send; in the past while something waits to be sent already.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let (_, name) = self.alone.first_key_value().unzip();
        let alone = name.and_then(|name| self.searches.get(name)).map(|search| search.since);
        let due = alone.into_iter().chain(self.together_due()).min()?;
        Some(self.not_before.map_or(due, |not_before| due.max(not_before)))
    }

    /// How many entries are kept: names and questions.
    pub(crate) fn kept(&self) -> usize {
        self.cache.len() + self.searches.len() + self.together.len() + self.alone.len() + self.questions.len()
    }

    /// How many agents' users are being looked up.
    pub(crate) fn waiting(&self) -> usize {
        self.searches.values().map(|search| search.agents.len()).sum()
    }

    /// When those who wait together have waited enough.
    fn together_due(&self) -> Option<Instant> {
        let (_, name) = self.together.first_key_value()?;
        let since = self.searches.get(name)?.since;
        Some(if self.together.len() < MAX_NAMES { since + GATHER } else { since })
    }

    /// A name of a common question.
    fn look_through(&mut self, now: Instant, name: &Arc<str>, list: &UserList) {
        let has = |user: &&User| user.principal_name.as_deref() == Some(name);
        match (distinct(list.users.iter().filter(has)).as_slice(), list.has_more) {
            // It may be among those who did not fit into the answer.
            ([], true) => self.go_on(now, name, Some(Place::PrincipalName)),
            ([], false) => {
                if let Some(search) = self.searches.get_mut(name) {
                    search.looked = true;
                }
                self.go_on(now, name, Place::PrincipalName.next());
            }
            ([id], _) => self.finish(now, name, Ok(*id)),
            (several, more) => self.finish(now, name, Err(ambiguous(name, several.len(), more))),
        }
    }

    /// A name of a question of its own.
    fn look_at(&mut self, now: Instant, name: &Arc<str>, place: Place, list: &UserList) {
        match (distinct(list.users.iter().filter(|user| user.has(place, name))).as_slice(), list.has_more) {
            ([], false) => {
                if let Some(search) = self.searches.get_mut(name) {
                    search.looked = true;
                }
                self.go_on(now, name, place.next());
            }
            ([id], false) => self.finish(now, name, Ok(*id)),
            (several, more) => self.finish(now, name, Err(ambiguous(name, several.len(), more))),
        }
    }

    /// Looks for it there, or gives up when there is no other place.
    fn go_on(&mut self, now: Instant, name: &Arc<str>, place: Option<Place>) {
        let Some(search) = self.searches.get_mut(name) else { return };
        search.place = place;
        if place.is_some() {
            return self.wait(Arc::clone(name));
        }
        let refusal = search.refusal.take().filter(|_| !search.looked);
        self.finish(now, name, Err(refusal.unwrap_or_else(|| nobody(name))));
    }

    /// It waits for its turn, which is that of when it was asked for first.
    fn wait(&mut self, name: Arc<str>) {
        let Some(search) = self.searches.get(&name) else { return };
        if search.agents.is_empty() {
            self.searches.remove(&name);
            return;
        }
        let queue = if search.place.is_some() { &mut self.alone } else { &mut self.together };
        queue.insert(search.turn, name);
    }

    fn finish(&mut self, now: Instant, name: &Arc<str>, outcome: Result<ObjectId, Failure>) {
        match &outcome {
            Ok(id) => self.cache.put(now, name, Some(*id), KNOWN_FOR),
            Err(failure) if failure.kind == FailureKind::NotFound => {
                self.cache.put(now, name, None, self.forget_unknown_after);
            }
            Err(_) => {}
        }
        let Some(search) = self.searches.remove(name) else { return };
        for agent in search.agents {
            self.tell(&agent, outcome.clone());
        }
    }

    fn tell(&mut self, uri: &AgentUri, outcome: Result<ObjectId, Failure>) {
        self.found.push_back(Found { uri: uri.clone(), outcome });
    }

    const fn count(&mut self) -> u64 {
        self.number += 1;
        self.number
    }
}

/// What an answer says.
enum Told {
    Users(UserList),
    /// The question is no good.
    Refused,
}

fn distinct<'a>(users: impl Iterator<Item = &'a User>) -> Vec<ObjectId> {
    let mut ids: Vec<ObjectId> = users.map(|user| user.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn nobody(name: &str) -> Failure {
    let text = format!("no user of Microsoft Graph has the name {name} or the address sip:{name}");
    Failure::new(FailureKind::NotFound, EndedBy::Peer, text)
}

fn ambiguous(name: &str, users: usize, more: bool) -> Failure {
    let users = if more { format!("more than {users}") } else { users.to_string() };
    let text = format!("ambiguous: {users} users of Microsoft Graph have the address sip:{name}");
    Failure::new(FailureKind::Transient, EndedBy::Peer, text)
}
