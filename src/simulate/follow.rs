//! What happened, in lines for the terminal: the first few of a kind at once, what follows in the next seconds in one line.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use presence_simulator::{Exchange, FrontEndEvent};

/// So long repetitions of a line are gathered.
const GATHER: Duration = Duration::from_secs(5);
/// So many of a kind are told before the others are gathered.
const AT_ONCE: usize = 3;
/// The kind of what changes the list of a dialog.
const GROWS: &str = "in its dialog";
/// More kinds than these are not told apart at a time.
const MOST_KINDS: usize = 200;
/// What is not told apart.
const OTHERS: &str = "other events";

/// Turns events into lines; what comes again and again within a few seconds is counted.
#[derive(Debug, Default)]
pub(super) struct Follow {
    pools: Vec<String>,
    repeated: BTreeMap<String, Repeated>,
}

#[derive(Debug)]
struct Repeated {
    until: Instant,
    /// How many of the kind were told.
    told: usize,
    /// How many were not.
    times: usize,
    subscribe: usize,
    unsubscribe: usize,
}

impl Follow {
    /// For pools with these names.
    pub(super) fn new(pools: Vec<String>) -> Self {
        Self { pools, repeated: BTreeMap::new() }
    }

    /// The line for an event, unless enough like it were told a moment ago.
    pub(super) fn event(&mut self, now: Instant, event: &FrontEndEvent) -> Option<String> {
        match event {
            FrontEndEvent::Connected { pool, peer } => {
                self.tell(now, &format!("connections to {}", self.pool(*pool)), &Exchange::default())?;
                Some(format!("{peer} connects to {}", self.pool(*pool)))
            }
            FrontEndEvent::Refused { pool, peer, why } => {
                self.tell(now, &format!("TLS handshakes failed: {why}"), &Exchange::default())?;
                Some(format!("TLS handshake of {peer} with {} failed: {}", self.pool(*pool), hint(why)))
            }
            FrontEndEvent::Closed { peer } => {
                self.tell(now, "connections closed", &Exchange::default())?;
                Some(format!("the connection with {peer} is closed"))
            }
            FrontEndEvent::Dialled { target } => {
                self.tell(now, &format!("connections to {target} opened"), &Exchange::default())?;
                Some(format!("connected to the application at {target}"))
            }
            FrontEndEvent::NotDialled { target, why } => {
                self.tell(now, &format!("connections to {target} failed"), &Exchange::default())?;
                Some(format!("cannot connect to the application at {target}: {}", hint(why)))
            }
            FrontEndEvent::Command { line, answer } => Some(format!("control: {line} -> {answer}")),
            FrontEndEvent::Answered(exchange) => self.exchange(now, exchange),
        }
    }

    /// What was gathered long enough.
    pub(super) fn gathered(&mut self, now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        self.repeated.retain(|kind, repeated| {
            let waits = repeated.until > now;
            if !waits && repeated.times > 0 {
                lines.push(repeated.line(kind));
            }
            waits
        });
        lines
    }

    fn exchange(&mut self, now: Instant, exchange: &Exchange) -> Option<String> {
        let Exchange { method, from, status, .. } = exchange;
        if *status >= 300 {
            let diagnostics = exchange.diagnostics.as_deref().map(|text| format!(" ({text})")).unwrap_or_default();
            let line = format!("{method} of {from} is refused: {status} {}{diagnostics}", exchange.reason);
            self.tell(now, &line, exchange)?;
            return Some(line);
        }
        let presence = exchange.event.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("presence");
        let over = exchange.expires == Some(Duration::ZERO);
        let agents = counted(exchange.subscribe, "agent");
        let (kind, line) = match (method.as_str(), presence, exchange.in_dialog, over) {
            ("REGISTER", _, _, true) => ("unregisters", format!("{from} is no longer registered")),
            ("REGISTER", ..) => ("registers", format!("{from} is registered{}", lifetime(exchange))),
            ("SUBSCRIBE", true, false, true) => ("asks once", format!("{from} asks once for {agents}")),
            ("SUBSCRIBE", true, false, false) if exchange.subscribe == 0 => {
                ("begins dialogs for one agent", format!("{from} begins a dialog for one agent{}", lifetime(exchange)))
            }
            ("SUBSCRIBE", true, false, false) => {
                ("begins dialogs", format!("{from} begins a presence dialog with {agents}{}", lifetime(exchange)))
            }
            ("SUBSCRIBE", true, true, true) => ("ends dialogs", format!("{from} ends a presence dialog")),
            ("SUBSCRIBE", true, true, false) => {
                (GROWS, format!("{from} in its dialog: {}", changes(exchange.subscribe, exchange.unsubscribe)))
            }
            ("SUBSCRIBE", ..) => ("other subscriptions", format!("{from} subscribes to {}", exchange.event)),
            ("OPTIONS", ..) => ("OPTIONS", format!("{from} asks for a sign of life (OPTIONS)")),
            _ => ("other requests", format!("{method} of {from}: {status}")),
        };
        self.tell(now, &format!("{from} {kind}"), exchange)?;
        Some(line)
    }

    /// `Some` for the first few of a kind; the others are counted.
    fn tell(&mut self, now: Instant, kind: &str, exchange: &Exchange) -> Option<()> {
        let told_apart = self.repeated.contains_key(kind) || self.repeated.len() < MOST_KINDS;
        let kind = if told_apart { kind } else { OTHERS };
        if let Some(repeated) = self.repeated.get_mut(kind) {
            // A dialog that grows at a steady pace is a long list of the same line.
            let at_once = if kind.ends_with(GROWS) { 1 } else { AT_ONCE };
            if repeated.told < at_once {
                repeated.told += 1;
                return Some(());
            }
            repeated.times += 1;
            repeated.subscribe += exchange.subscribe;
            repeated.unsubscribe += exchange.unsubscribe;
            return None;
        }
        let fresh = Repeated { until: now + GATHER, told: 1, times: 0, subscribe: 0, unsubscribe: 0 };
        self.repeated.insert(kind.to_owned(), fresh);
        Some(())
    }

    /// Everything that was gathered, however long.
    pub(super) fn rest(&mut self) -> Vec<String> {
        let lines = self.repeated.iter().filter(|(_, repeated)| repeated.times > 0);
        let lines = lines.map(|(kind, repeated)| repeated.line(kind)).collect();
        self.repeated.clear();
        lines
    }

    fn pool(&self, pool: usize) -> &str {
        self.pools.get(pool).map_or("a pool", String::as_str)
    }
}

impl Repeated {
    fn line(&self, kind: &str) -> String {
        let agents = match (self.subscribe, self.unsubscribe) {
            (0, 0) => String::new(),
            (subscribe, unsubscribe) => format!(" ({})", changes(subscribe, unsubscribe)),
        };
        format!("{kind}: {} more{agents}", self.times)
    }
}

fn changes(subscribe: usize, unsubscribe: usize) -> String {
    match (subscribe, unsubscribe) {
        (0, 0) => "nothing but a longer life".to_owned(),
        (subscribe, 0) => format!("asks for {}", counted(subscribe, "agent")),
        (0, unsubscribe) => format!("gives back {}", counted(unsubscribe, "agent")),
        (subscribe, unsubscribe) => format!("asks for {}, gives back {unsubscribe}", counted(subscribe, "agent")),
    }
}

fn lifetime(exchange: &Exchange) -> String {
    exchange.lifetime.map(|time| format!(" for {} s", time.as_secs())).unwrap_or_default()
}

/// `1 agent`, `20 agents`.
pub(super) fn counted(count: usize, name: &str) -> String {
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

/// What a TLS failure means for whoever writes the other side.
fn hint(why: &str) -> String {
    let means = [
        ("peer sent no certificates", "it must show the application's certificate"),
        ("UnknownIssuer", "its certificate is not signed by an authority that this side trusts"),
        ("UnknownCA", "it does not trust the authority that signed the pool's certificate"),
        ("unknown certificate authority", "it does not trust the authority that signed the pool's certificate"),
        ("BadCertificate", "it does not accept the pool's certificate, perhaps because of its name"),
        ("received corrupt message", "it does not speak TLS"),
        ("NotValidForName", "its certificate does not have the name of the host that was dialled"),
    ];
    match means.iter().find(|(text, _)| why.contains(text)) {
        Some((_, means)) => format!("{why} ({means})"),
        None => why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscribe(in_dialog: bool, agents: usize) -> FrontEndEvent {
        FrontEndEvent::Answered(Exchange {
            method: "SUBSCRIBE".into(),
            from: "sip:app@demo.example".into(),
            event: "presence".into(),
            in_dialog,
            subscribe: agents,
            status: 200,
            lifetime: (!in_dialog).then_some(Duration::from_secs(28_800)),
            ..Exchange::default()
        })
    }

    #[test]
    fn the_first_of_a_kind_is_told_at_once_and_the_others_in_one_line() {
        let start = presence_actors::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut follow = Follow::new(vec!["pool01.demo.example".into()]);
        let begin = follow.event(at(0), &subscribe(false, 15)).expect("told");
        assert_eq!(begin, "sip:app@demo.example begins a presence dialog with 15 agents for 28800 s");
        let told: Vec<_> = (1..=4).filter_map(|second| follow.event(at(second), &subscribe(true, 15))).collect();
        assert_eq!(told, ["sip:app@demo.example in its dialog: asks for 15 agents"]);
        assert_eq!(follow.gathered(at(5)), Vec::<String>::new(), "the dialog was begun once");
        assert_eq!(follow.gathered(at(6)), ["sip:app@demo.example in its dialog: 3 more (asks for 45 agents)"]);
        assert!(follow.event(at(7), &subscribe(true, 1)).is_some(), "told anew");
    }

    #[test]
    fn a_few_of_a_kind_are_told_each_and_nothing_is_lost_at_the_end() {
        let now = presence_actors::now();
        let mut follow = Follow::new(vec!["pool01.demo.example".into()]);
        let peer = "127.0.0.1:4000".parse().expect("an address");
        let told = (0..10).filter_map(|_| follow.event(now, &FrontEndEvent::Connected { pool: 0, peer })).count();
        assert_eq!(told, AT_ONCE);
        assert_eq!(follow.rest(), ["connections to pool01.demo.example: 7 more"]);
        assert_eq!(follow.rest(), Vec::<String>::new());
    }

    #[test]
    fn a_refusal_says_why_and_a_handshake_what_to_do() {
        let mut follow = Follow::new(vec!["pool01.demo.example".into()]);
        let now = presence_actors::now();
        let refused = FrontEndEvent::Answered(Exchange {
            method: "SUBSCRIBE".into(),
            from: "sip:app@demo.example".into(),
            status: 400,
            reason: "Bad Request".into(),
            diagnostics: Some("4010;reason=\"epid\"".into()),
            ..Exchange::default()
        });
        let line = follow.event(now, &refused).expect("told");
        assert_eq!(line, "SUBSCRIBE of sip:app@demo.example is refused: 400 Bad Request (4010;reason=\"epid\")");
        let peer = "127.0.0.1:4000".parse().expect("an address");
        let why = "peer sent no certificates".to_owned();
        let line = follow.event(now, &FrontEndEvent::Refused { pool: 0, peer, why }).expect("told");
        assert!(line.ends_with("(it must show the application's certificate)"), "{line}");
    }

    #[test]
    fn thousands_of_endpoints_do_not_fill_the_terminal() {
        let mut follow = Follow::new(vec!["pool01.demo.example".into()]);
        let now = presence_actors::now();
        let told = (0..5_000).filter(|number| {
            let line = format!("REGISTER of sip:user{number}@demo.example is refused");
            follow.tell(now, &line, &Exchange::default()).is_some()
        });
        assert_eq!(told.count(), MOST_KINDS + AT_ONCE);
        assert!(follow.event(now, &FrontEndEvent::Closed { peer: "192.0.2.1:5".parse().unwrap() }).is_none());
        assert_eq!(follow.gathered(now + GATHER), ["other events: 4798 more"]);
    }
}
