//! SUBSCRIBE for presence: what is checked before it is served.

use std::time::{Duration, Instant};

use presence_core::AgentUri;
use presence_sip::{Message, Method, uri_param};

use super::FrontEnd;
use super::answers::Refusal;
use super::batch_body::{Wish, read_wish};
use super::dialogs::Kind;
use crate::ConnectionId;

/// The content type of a wish.
const WISH_TYPE: &str = "application/msrtc-adrl-categorylist+xml";

/// The option tags that a front end knows.
const KNOWN_PROXY: [&str; 1] = ["ms-benotify"];
const KNOWN: [&str; 3] = ["adhoclist", "categorylist", "eventlist"];

/// A SUBSCRIBE that passed the checks, outside a dialog.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) owner: AgentUri,
    pub(super) epid: Box<str>,
    pub(super) pool: usize,
    pub(super) kind: Kind,
    pub(super) wish: Wish,
    /// Single, but with the option tags of a list: it is told to subscribe again.
    pub(super) tagged: bool,
    /// `Expires: 0`: asks once.
    pub(super) query: bool,
    pub(super) granted: Duration,
}

/// What is wrong with a body: the refusal, and the violation that it is, if it is one.
type BodyFault = (Refusal, Option<&'static str>);

impl FrontEnd {
    pub(super) fn on_subscribe(&mut self, now: Instant, connection: ConnectionId, request: &Message) {
        let package = request.event().map(|event| event.package).unwrap_or_default();
        let served = if package.eq_ignore_ascii_case("presence") {
            let body = self.body_of(request);
            let inside = request.to().is_some_and(|to| to.tag().is_some());
            self.count_subscribe(now, request, inside, body.as_ref().ok().and_then(Option::as_ref));
            if inside {
                self.inside(now, connection, request, body)
            } else {
                self.outside(now, connection, request, body)
            }
        } else {
            self.on_roaming(now, connection, request, package)
        };
        if let Err(refusal) = served {
            self.refuse(now, connection, request, refusal);
        }
    }

    /// Rule 5: the body, if there is one.
    fn body_of(&self, request: &Message) -> Result<Option<Wish>, BodyFault> {
        let (body, switches) = (request.body(), &self.settings.switches);
        if body.is_empty() {
            return Ok(None);
        }
        if body.len() > switches.longest_body {
            return Err((Refusal::new(413, 4008), None));
        }
        let kind = request.content_type().unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case(WISH_TYPE) {
            return Err((Refusal::new(400, 4012), Some("the content type of the body is another")));
        }
        let wish = read_wish(body).map_err(|why| (Refusal::new(400, 4001), Some(why)))?;
        if wish.subscribe.len() > switches.longest_list {
            return Err((Refusal::new(413, 2011), None));
        }
        Ok(Some(wish))
    }

    fn count_subscribe(&mut self, now: Instant, request: &Message, inside: bool, wish: Option<&Wish>) {
        let counters = &mut self.counters;
        match inside {
            true => counters.subscribes_in_dialog += 1,
            false => {
                counters.subscribes_initial += 1;
                counters.queries += u64::from(request.expires().is_some_and(|expires| expires.is_zero()));
            }
        }
        let Some(wish) = wish else { return };
        let asked = wish.subscribe.len();
        counters.resources_asked += u64::try_from(asked).unwrap_or_default();
        counters.largest_list = counters.largest_list.max(asked);
        counters.asked_twice += wish.doubled;
        counters.needless_wishes += wish.needless;
        if asked > 0 {
            counters.most_resources_in_a_second = counters.most_resources_in_a_second.max(self.second.add(now, asked));
        }
    }

    /// What every SUBSCRIBE for presence must pass: faults, rules 1, 4 and 9. Owner and epid of the endpoint.
    ///
    /// # Errors
    /// How it is refused.
    pub(super) fn admit(&mut self, request: &Message, wish: Option<&Wish>) -> Result<(AgentUri, Box<str>), Refusal> {
        let target = request.request_uri().and_then(|uri| AgentUri::parse(uri).ok());
        let is_about = |agent: &AgentUri| {
            target.as_ref() == Some(agent) || wish.is_some_and(|wish| wish.subscribe.contains(agent))
        };
        if let Some(refusal) = self.faults.refusal(&Method::Subscribe, is_about) {
            return Err(refusal);
        }
        let epid = self.epid_of(request)?;
        let from = request.from().and_then(|from| AgentUri::parse(from.uri).ok());
        let owner = from.ok_or(Refusal::of_status(400))?;
        self.known_tags(request)?;
        let strict = self.settings.switches.strict;
        if strict && self.registrations.get(&owner, epid.as_str()).is_none() {
            if !self.lost.contains(&(owner.shared(), epid.as_str().into())) {
                self.violation(9, format_args!("presence for {} from an endpoint not registered", owner.as_str()));
            }
            return Err(Refusal::of_status(self.settings.switches.unregistered_status));
        }
        if self.faults.services_off {
            return Err(Refusal::new(self.settings.switches.services_off_status, 4165));
        }
        Ok((owner, epid.as_str().into()))
    }

    /// Rule 4: nothing is required that a front end does not know.
    fn known_tags(&mut self, request: &Message) -> Result<(), Refusal> {
        for (name, known) in [("Proxy-Require", &KNOWN_PROXY[..]), ("Require", &KNOWN[..])] {
            let unknown = |tag: &&str| !known.iter().any(|known| known.eq_ignore_ascii_case(tag));
            let unknown: Vec<&str> = request.values(name).filter(|tag| !tag.is_empty()).filter(unknown).collect();
            if !unknown.is_empty() {
                let unknown = unknown.join(", ");
                self.violation(4, format_args!("{name} of the unknown {unknown}"));
                return Err(Refusal::new(420, 1000).with("Unsupported", unknown));
            }
        }
        Ok(())
    }

    /// The body that passed, or its refusal with the violation recorded.
    pub(super) fn passed(&mut self, body: Result<Option<Wish>, BodyFault>) -> Result<Option<Wish>, Refusal> {
        body.map_err(|(refusal, violation)| {
            if let Some(why) = violation {
                self.violation(5, format_args!("{why}"));
            }
            refusal
        })
    }

    /// The lifetime that is granted.
    pub(super) fn lifetime(&self, request: &Message) -> Result<Duration, Refusal> {
        let switches = &self.settings.switches;
        let wish = request.expires().unwrap_or(switches.expires);
        match switches.shortest_expires {
            Some(least) if wish < least && !wish.is_zero() => {
                Err(Refusal::new(423, 1000).with("Min-Expires", least.as_secs().to_string()))
            }
            Some(_) | None => Ok(wish.min(switches.expires)),
        }
    }

    /// A slow start refuses what is too much.
    pub(super) fn within_capacity(&mut self, now: Instant, wish: &Wish) -> Result<(), Refusal> {
        let Some(slow_start) = &mut self.faults.slow_start else { return Ok(()) };
        slow_start.take(now, wish.subscribe.len()).inspect_err(|_| self.counters.overloads += 1)
    }

    /// A SUBSCRIBE outside a dialog: rules 2, 3 and 5 decide what it is for.
    fn outside(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        request: &Message,
        body: Result<Option<Wish>, BodyFault>,
    ) -> Result<(), Refusal> {
        let (owner, epid) = self.admit(request, body.as_ref().ok().and_then(Option::as_ref))?;
        let Some(wish) = self.passed(body)? else {
            self.violation(5, format_args!("a first SUBSCRIBE without body"));
            return Err(Refusal::new(400, 4012));
        };
        if wish.subscribe.is_empty() || wish.own.as_ref() != Some(&owner) {
            self.violation(5, format_args!("a first SUBSCRIBE that subscribes nobody, or a body of somebody else"));
            return Err(Refusal::new(400, 4001));
        }
        let tags = ListTags::of(request);
        let (kind, pool) = self.what_for(connection, request, &owner, &wish, tags)?;
        let granted = self.lifetime(request)?;
        self.within_capacity(now, &wish)?;
        let tagged = kind == Kind::Single && tags != ListTags::None;
        let query = granted.is_zero();
        let beginning = Beginning { owner, epid, pool, kind, wish, tagged, query, granted };
        self.begin(now, connection, request, beginning)
    }

    /// What a first SUBSCRIBE is for, by its addresses and option tags.
    fn what_for(
        &mut self,
        connection: ConnectionId,
        request: &Message,
        owner: &AgentUri,
        wish: &Wish,
        tags: ListTags,
    ) -> Result<(Kind, usize), Refusal> {
        let target = request.request_uri().unwrap_or_default();
        let to = request.to().map(|to| to.uri).unwrap_or_default();
        let needs_tags = |this: &mut Self, pool: usize| {
            if tags == ListTags::Both {
                return Ok((Kind::Batch, pool));
            }
            this.violation(3, format_args!("a list without Require: adhoclist, categoryList"));
            Err(Refusal::new(400, 2013))
        };
        if uri_param(target, "opaque").is_some_and(|opaque| opaque.starts_with("srvr:HomeServer:")) {
            let pool = self.pool_named(target).ok_or(Refusal::of_status(404))?;
            if self.pool_named(to) != Some(pool) {
                self.violation(2, format_args!("a list for a pool whose To is another"));
                return Err(Refusal::of_status(403));
            }
            return needs_tags(self, pool);
        }
        let target = AgentUri::parse(target).ok();
        let to = AgentUri::parse(to).ok();
        let alone = wish.subscribe.len() == 1 && wish.subscribe.first() == target.as_ref();
        if target == to && alone && (target.as_ref() != Some(owner) || tags == ListTags::None) {
            if tags != ListTags::None {
                self.violation(3, format_args!("a single subscription with the option tags of a list"));
            }
            return Ok((Kind::Single, self.pool_of(connection)));
        }
        if target.as_ref() != Some(owner) || to.as_ref() != Some(owner) {
            self.violation(2, format_args!("a list of {} that is not From = To = Request-URI", owner.as_str()));
            return Err(Refusal::of_status(403));
        }
        let home = self.directory.owner(owner).map_or_else(|| self.pool_of(connection), |found| found.pool);
        needs_tags(self, home)
    }
}

/// Which of the two option tags of a list a request requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListTags {
    None,
    One,
    Both,
}

impl ListTags {
    pub(super) fn of(request: &Message) -> Self {
        let has = |tag: &str| request.values("Require").any(|value| value.eq_ignore_ascii_case(tag));
        match (has("adhoclist"), has("categoryList")) {
            (true, true) => Self::Both,
            (false, false) => Self::None,
            _ => Self::One,
        }
    }
}
