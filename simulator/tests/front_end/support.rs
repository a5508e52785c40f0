//! A client made of text, and what it reads: with the readers of presence-sip, which the front end does not use.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use presence_core::AgentUri;
use presence_simulator::{
    Command, ConnectionId, FrontEnd, FrontEndEffect, FrontEndSettings, Homed, PoolSettings, Switches,
};
use presence_sip::documents::{
    CategoriesDocument, DocumentLimits, ResourceList, read_categories, read_rlmi, split_multipart,
};
use presence_sip::{Epid, Limits, Message, TransportKind};

pub(crate) const APP: &str = "sip:app@sim.example";
pub(crate) const LIST_TAGS: &str = "Require: adhoclist, categoryList\r\nSupported: eventlist\r\n";
pub(crate) const USUAL: &str =
    "Supported: ms-benotify\r\nProxy-Require: ms-benotify\r\nSupported: ms-piggyback-first-notify\r\n";

pub(crate) fn uri(text: &str) -> AgentUri {
    text.parse().unwrap()
}

pub(crate) fn agent(number: usize) -> String {
    format!("sip:agent{number}@sim.example")
}

pub(crate) fn parse(bytes: Bytes) -> Message {
    Message::parse(bytes, &Limits { body: 8 << 20, ..Limits::default() }).unwrap()
}

/// The body that asks for these agents.
pub(crate) fn batch(own: &str, action: &str, agents: &[String]) -> String {
    let resources: String = agents.iter().map(|agent| format!("<resource uri=\"{agent}\"/>")).collect();
    format!(
        "<batchSub xmlns=\"http://schemas.microsoft.com/2006/01/sip/batch-subscribe\" uri=\"{own}\" name=\"\">\
         <action name=\"{action}\" id=\"63792024\"><adhocList>{resources}</adhocList>\
         <categoryList xmlns=\"http://schemas.microsoft.com/2006/09/sip/categorylist\"><category name=\"state\"/>\
         <category name=\"services\"/></categoryList></action></batchSub>"
    )
}

pub(crate) fn body(own: &str, agents: &[String]) -> String {
    batch(own, "subscribe", agents)
}

/// One request of the client; every part may be changed before it is said.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) to: String,
    pub(crate) own: String,
    pub(crate) epid: String,
    pub(crate) call_id: String,
    pub(crate) cseq: u32,
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl Ask {
    pub(crate) fn register(own: &str) -> Self {
        let epid = Epid::of(own);
        let urn = epid.instance().urn();
        Self {
            method: "REGISTER",
            target: "sip:sim.example".into(),
            to: format!("<{own}>"),
            own: own.into(),
            epid: epid.as_str().into(),
            call_id: format!("reg-{epid}"),
            cseq: 1,
            headers: format!(
                "Contact: <sip:192.0.2.7:6120;transport=tcp;ms-opaque=1a2b3c4d5e>;proxy=replace;+sip.instance=\"<{urn}>\"\r\n\
                 Supported: gruu-10, adhoclist, msrtc-event-categories\r\nEvent: registration\r\n\
                 ms-keep-alive: UAC;hop-hop=yes\r\n"
            ),
            body: String::new(),
        }
    }

    /// A SUBSCRIBE for the list of one's own URI.
    pub(crate) fn list(own: &str, agents: &[String]) -> Self {
        let epid = Epid::of(own);
        let gruu = format!("{own};opaque=user:epid:{};gruu", epid.instance().gruu_opaque());
        Self {
            method: "SUBSCRIBE",
            target: own.into(),
            to: format!("<{own}>"),
            own: own.into(),
            epid: epid.as_str().into(),
            call_id: "list".into(),
            cseq: 1,
            headers: format!("Contact: <{gruu}>\r\nEvent: presence\r\n{USUAL}{LIST_TAGS}"),
            body: body(own, agents),
        }
    }

    /// A SUBSCRIBE for one agent alone.
    pub(crate) fn single(own: &str, agent: &str) -> Self {
        let mut ask = Self::list(own, &[agent.to_owned()]);
        ask.target = agent.into();
        ask.to = format!("<{agent}>");
        ask.call_id = format!("single-{agent}");
        ask.headers = ask.headers.replace(LIST_TAGS, "");
        ask
    }

    /// The same for a pool by its URI.
    pub(crate) fn at_pool(mut self, pool: &str) -> Self {
        self.target = pool.into();
        self.to = format!("<{pool}>");
        self.call_id = "at-pool".into();
        self
    }

    pub(crate) fn with(mut self, headers: &str) -> Self {
        self.headers.push_str(headers);
        self
    }

    pub(crate) fn without(mut self, text: &str) -> Self {
        assert!(self.headers.contains(text));
        self.headers = self.headers.replace(text, "");
        self
    }

    pub(crate) fn call(mut self, call_id: &str) -> Self {
        self.call_id = call_id.into();
        self
    }

    pub(crate) fn text(&self) -> String {
        let Self { method, target, to, own, epid, call_id, cseq, headers, body } = self;
        let epid = if epid.is_empty() { String::new() } else { format!(";epid={epid}") };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/msrtc-adrl-categorylist+xml\r\n" };
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/tcp 192.0.2.7:6120\r\nMax-Forwards: 70\r\n\
             From: <{own}>;tag=t-{call_id}{epid}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n{headers}\
             {kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

/// An answer of the client to a request of the front end.
pub(crate) fn answer(request: &Message, status: u16) -> Bytes {
    presence_sip::respond(request, status, None, "", &[], None)
}

/// A front end with a forest of two pools under virtual time, and one connection to the first.
pub(crate) struct Bench {
    pub(crate) front: FrontEnd,
    pub(crate) now: Instant,
    pub(crate) connection: ConnectionId,
    pub(crate) others: Vec<FrontEndEffect>,
}

pub(crate) fn settings(switches: Switches) -> FrontEndSettings {
    let pool =
        |fqdn: &str, address: &str| PoolSettings { fqdn: fqdn.into(), address: address.parse::<SocketAddr>().unwrap() };
    // The last two of twenty are at home on the other pool.
    let homed = |number: usize| Homed { uri: uri(&agent(number)), pool: usize::from(number > 18) };
    FrontEndSettings {
        seed: 1,
        pools: vec![pool("pool0.sim.example", "192.0.2.1:5061"), pool("pool1.sim.example", "192.0.2.2:5061")],
        wire: TransportKind::Tcp,
        agents: (1..=20).map(homed).collect(),
        endpoints: vec![
            Homed { uri: uri(APP), pool: 0 },
            Homed { uri: uri("sip:user@sim.example"), pool: 0 },
            Homed { uri: uri("sip:far@sim.example"), pool: 1 },
        ],
        change_interval: None,
        switches,
    }
}

impl Bench {
    pub(crate) fn bare(switches: Switches) -> Self {
        Self::of(settings(switches))
    }

    pub(crate) fn of(settings: FrontEndSettings) -> Self {
        let now = Instant::now();
        let mut front = FrontEnd::new(now, settings);
        let connection = ConnectionId(1);
        front.connected(connection, 0);
        Self { front, now, connection, others: Vec::new() }
    }

    /// With the application registered.
    pub(crate) fn new() -> Self {
        Self::with(Switches::default())
    }

    pub(crate) fn with(switches: Switches) -> Self {
        let mut bench = Self::bare(switches);
        assert_eq!(bench.ask(&Ask::register(APP)).status(), Some(200));
        bench
    }

    pub(crate) fn drain(&mut self) -> Vec<Message> {
        let mut sent = Vec::new();
        while let Some(effect) = self.front.poll_effect() {
            match effect {
                FrontEndEffect::Transmit { bytes, .. } => sent.push(parse(bytes)),
                other => self.others.push(other),
            }
        }
        sent
    }

    pub(crate) fn say(&mut self, text: impl Into<Bytes>) -> Vec<Message> {
        self.front.receive(self.now, self.connection, &parse(text.into()));
        self.drain()
    }

    /// The one answer, and nothing else.
    pub(crate) fn ask(&mut self, ask: &Ask) -> Message {
        let mut sent = self.say(ask.text());
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0)
    }

    /// Status and diagnostics of the one answer.
    pub(crate) fn refused(&mut self, ask: &Ask) -> (u16, u32) {
        let answer = self.ask(ask);
        (answer.status().unwrap(), answer.ms_diagnostics().map_or(0, |found| found.id))
    }

    pub(crate) fn order(&mut self, line: &str) -> Vec<Message> {
        let command: Command = line.parse().unwrap();
        self.front.apply(self.now, &command).unwrap();
        self.drain()
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.front.counters().violations
    }

    /// The one violation begins so.
    pub(crate) fn violated(&self, rule: &str) {
        let violations = self.violations();
        assert!(violations.len() == 1 && violations[0].starts_with(rule), "{rule}: {violations:?}");
    }

    /// Lets time pass, from deadline to deadline; what was sent.
    pub(crate) fn pass(&mut self, time: Duration) -> Vec<(Duration, Message)> {
        let (start, end) = (self.now, self.now + time);
        let mut all = Vec::new();
        while let Some(at) = self.front.poll_timeout().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.front.handle_timeout(self.now);
            let since = self.now - start;
            all.extend(self.drain().into_iter().map(|message| (since, message)));
        }
        self.now = end;
        all
    }

    /// The list with agents 1 to `count`; the next request in its dialog.
    pub(crate) fn listed(&mut self, count: usize) -> Ask {
        let agents: Vec<_> = (1..=count).map(agent).collect();
        let ask = Ask::list(APP, &agents);
        let answer = self.ask(&ask);
        assert_eq!(answer.status(), Some(200));
        next(&ask, &answer)
    }
}

/// The next request in the dialog that this one began or went on with, with the same body.
pub(crate) fn next(ask: &Ask, answer: &Message) -> Ask {
    let mut next = ask.clone();
    next.to = answer.header("To").unwrap().to_owned();
    next.target = answer.contact().unwrap().uri.to_owned();
    next.cseq += 1;
    if let Some(route) = answer.header("Record-Route") {
        next.headers.push_str(&format!("Route: {route}\r\n"));
    }
    next
}

/// What a message carries: the list, and the categories by agent.
pub(crate) fn content(message: &Message) -> (ResourceList, Vec<CategoriesDocument>) {
    let limits = DocumentLimits::list();
    let kind = message.content_type().unwrap();
    if !kind.starts_with("multipart") {
        return (ResourceList::default(), vec![read_categories(message.body(), &limits).unwrap()]);
    }
    let parts = split_multipart(kind, message.body(), &limits).unwrap();
    let mut list = ResourceList::default();
    let mut documents = Vec::new();
    for part in parts {
        if &*part.content_type == "application/rlmi+xml" {
            list = read_rlmi(&part.body, &limits).unwrap();
        } else {
            let document = read_categories(&part.body, &limits).unwrap();
            assert!(document.uri.as_deref().unwrap().ends_with(part.content_id.as_deref().unwrap()));
            documents.push(document);
        }
    }
    (list, documents)
}

/// The one instance of the one resource of a list.
pub(crate) fn instance(message: &Message) -> String {
    let (list, documents) = content(message);
    assert!(documents.is_empty() && list.resources.len() == 1, "{list:?}");
    let instance = &list.resources[0].instances[0];
    format!(
        "{:?} {} {} {} {}",
        instance.state,
        instance.reason.as_deref().unwrap_or("-"),
        instance.status_code.unwrap_or_default(),
        instance.diagnostics.unwrap_or_default(),
        instance.pool_fqdn.as_deref().unwrap_or("-"),
    )
}
