//! The real program and a real Kamailio over a network that goes wrong.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test binary has no reader of its docs and may panic")]
#![allow(clippy::disallowed_methods, reason = "Kamailio lives in real time")]

mod process;
mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use presence_simulator::{FaultProxy, FaultProxyHandle, FaultProxySettings, FaultRule, NetworkFault, Way};
use process::{Config, Ended, Service, eventually};
use support::documents::pidf;
use support::kamailio::{DOMAIN, Kamailio, Setup, Store};

const AGENTS: usize = 8;

/// A Kamailio, the program, and the network between them.
struct Stage {
    kamailio: Kamailio,
    proxy: FaultProxyHandle,
    service: Service,
    store: Store,
    tags: BTreeMap<usize, String>,
    _config: Config,
}

fn name(number: usize) -> String {
    format!("agent{number}")
}

impl Stage {
    /// None where Kamailio is not installed.
    fn start(store: Store, transport: &str, rules: Vec<FaultRule>) -> Option<Self> {
        Self::lasting(store, transport, rules, Duration::from_secs(8), "")
    }

    /// With subscriptions of this length, and more attributes of the pool.
    fn lasting(
        store: Store,
        transport: &str,
        rules: Vec<FaultRule>,
        maximum_expires: Duration,
        more: &str,
    ) -> Option<Self> {
        let answer_wait = Duration::from_secs(2);
        let kamailio = Kamailio::start(Setup { store, answer_wait, maximum_expires, ..Setup::default() })?;
        let settings = FaultProxySettings { seed: 1, server: kamailio.tcp(), client_listener: None };
        let proxy = FaultProxy::start_on_own_thread(settings).unwrap();
        let mut tags = BTreeMap::new();
        for number in 1..=AGENTS {
            tags.insert(number, kamailio.publish(&name(number), &document(number, "away"), None));
        }
        rules.into_iter().for_each(|rule| proxy.add(rule));
        let agents: String = (1..=AGENTS).map(|n| format!("<Agent Uri=\"sip:{}@{DOMAIN}\" />", name(n))).collect();
        let config = Config::of(&format!(
            r#"<config version="1.5">
  <PresenceProvider MaxPresenceSubscriptionsPerSecond="200" failedPresenceSubscriptionsResubscribeDelay="1">
    <UcmaPresenceSource enabled="true" ApplicationId="urn:application:ucc_app14_1">
      <ApplicationEndpoint OwnerUri="sip:application@{DOMAIN}" />
      <Pool Address="{}" Transport="{transport}" Dialect="simple" {more} />
    </UcmaPresenceSource>
    <Http enabled="false" />
  </PresenceProvider>
  <UnifiedContactCenters>
    <UnifiedContactCenter Name="ucc_app01">{agents}</UnifiedContactCenter>
  </UnifiedContactCenters>
</config>
"#,
            proxy.address()
        ));
        let service = config.run(&["--log-level", "debug"]);
        Some(Self { kamailio, proxy, service, store, tags, _config: config })
    }

    /// How many subscriptions Kamailio has: the database knows what it has ended without a word.
    fn subscriptions(&self) -> usize {
        if self.store == Store::Memory {
            self.kamailio.observed().live_dialogs().len()
        } else {
            self.kamailio.active_watchers()
        }
    }

    /// Everybody does this from now on.
    fn publish(&mut self, doing: &str) {
        for number in 1..=AGENTS {
            let tag = self.kamailio.publish(
                &name(number),
                &document(number, doing),
                self.tags.get(&number).map(String::as_str),
            );
            self.tags.insert(number, tag);
        }
    }

    /// The queue was told of everybody, last of all, that he does this.
    #[track_caller]
    fn until_told(&self, words: &str, after: &str) {
        let told = || {
            let lines = self.service.lines();
            (1..=AGENTS).all(|number| {
                let change = format!("Presence change: 'sip:{}@{DOMAIN}' ", name(number));
                lines.iter().rev().find(|line| line.contains(&change)).is_some_and(|line| line.contains(words))
            })
        };
        let counters = || self.proxy.counters();
        assert!(eventually(told), "after {after}: {:?}\n{}", counters(), self.service.lines().join("\n"));
    }

    /// The faults are over: everybody who does something else is told, each by one subscription, and the program ends in
    /// good order.
    #[track_caller]
    fn ends_well(mut self, after: &str) {
        self.proxy.heal();
        for (doing, words) in [("busy", "Busy"), ("away", "Away")] {
            self.publish(doing);
            self.until_told(words, after);
        }
        // Kamailio ends a dialog 2 s after a NOTIFY that nobody answered, and tells nobody: a refresh finds out.
        let one_each = || self.subscriptions() == AGENTS;
        let settled = eventually(|| self.kamailio.observed().subscribes.len() >= 2 * AGENTS) && eventually(one_each);
        assert!(settled, "after {after}: {} subscriptions", self.subscriptions());
        self.service.signal("TERM");
        let none = eventually(|| self.subscriptions() == 0);
        assert!(none, "after {after}: {} subscriptions are left", self.subscriptions());
        let ended: Ended = self.service.end();
        assert_eq!(ended.code, Some(0), "after {after}: {}", ended.all());
        let bad: Vec<_> = ended.with(" ERROR ").chain(ended.with("abandoned")).collect();
        assert_eq!(bad, Vec::<&str>::new(), "after {after}");
    }
}

fn document(number: usize, doing: &str) -> String {
    pidf(&Kamailio::uri(&name(number)), true, Some(doing))
}

#[test]
fn mishaps_on_the_way_to_kamailio_cost_nobody_anything() {
    for transport in ["tcp", "udp"] {
        let delay = NetworkFault::Delay { least: Duration::ZERO, most: Duration::from_millis(40) };
        let mut faults = vec![delay, NetworkFault::Duplicate, NetworkFault::Reorder];
        if transport == "tcp" {
            faults.extend([NetworkFault::Split, NetworkFault::Trickle { pause: Duration::from_micros(200) }]);
        } else {
            faults.push(NetworkFault::Drop);
        }
        let rules = faults.iter().map(|fault| FaultRule::new(*fault).chance(1, 8)).collect();
        let Some(mut stage) = Stage::start(Store::Memory, transport, rules) else { return };
        stage.until_told("Away", transport);
        for doing in ["busy", "away", "busy", "away"] {
            stage.publish(doing);
        }
        let counters = stage.proxy.counters();
        assert!(faults.iter().all(|fault| counters.done(fault.name()) > 0), "{counters:?}");
        assert_eq!(counters.connections, 1, "{counters:?}");
        stage.ends_well(transport);
    }
}

#[test]
fn connections_to_kamailio_that_break_are_made_again_and_what_it_ended_in_silence_is_found() {
    let (reset, truncate, close) =
        (NetworkFault::Reset, NetworkFault::Truncate, NetworkFault::CloseAfter { bytes: 1_000 });
    let usual = [(reset, Way::ToClient), (truncate, Way::ToServer), (close, Way::ToClient)];
    let with_time = [(reset, Way::ToServer), (truncate, Way::ToClient), (close, Way::ToServer)];
    let more = if std::env::var_os("PP_LONG_TESTS").is_some() { &with_time[..] } else { &[] };
    for (fault, way) in usual.iter().chain(more) {
        let rule = FaultRule::new(*fault).way(*way).method("NOTIFY").times(1);
        let after = format!("{fault:?} {way:?}");
        let Some(stage) = Stage::start(Store::Database, "tcp", vec![rule]) else { return };
        let again = || stage.proxy.counters().connections == 2;
        assert!(eventually(again), "after {after}: {:?}", stage.proxy.counters());
        stage.until_told("Away", &after);
        stage.ends_well(&after);
    }
}

/// Kamailio ends a dialog 2 s after a NOTIFY that was cut with the connection, and tells nobody; we adopted it before. Nobody
/// changes, so that no sample can find it, and the next refresh is an hour away.
#[test]
fn what_kamailio_ended_in_silence_is_found_before_anybody_changes() {
    if std::env::var_os("PP_LONG_TESTS").is_none() {
        return;
    }
    let rule = FaultRule::new(NetworkFault::Reset).way(Way::ToClient).method("NOTIFY").times(1);
    let hour = Duration::from_secs(3_600);
    let stage = Stage::lasting(Store::Database, "tcp", vec![rule], hour, "SampleInterval=\"1s\"");
    let Some(mut stage) = stage else { return };
    let again = || stage.proxy.counters().connections == 2;
    assert!(eventually(again), "{:?}", stage.proxy.counters());
    let since = std::time::Instant::now();
    stage.until_told("Away", "a reset");
    let short = eventually(|| stage.subscriptions() < AGENTS);
    assert!(short, "Kamailio has ended none");
    println!("Kamailio has {} of {AGENTS} subscriptions", stage.subscriptions());
    let found = (0..3).any(|_| eventually(|| stage.subscriptions() == AGENTS));
    println!("all again {:?} after the connection came back", since.elapsed());
    assert!(found, "{} subscriptions\n{}", stage.subscriptions(), stage.service.lines().join("\n"));
    stage.publish("busy");
    stage.until_told("Busy", "a reset");
    let ended = stage.service.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert_eq!(ended.with(" ERROR ").count(), 0, "{}", ended.all());
}
