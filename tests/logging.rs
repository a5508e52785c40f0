//! The log lines, held character for character: what operators of the original product search for must be found.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io;
use std::sync::{Arc, Mutex};

use jiff::civil;
use jiff::tz::{Offset, TimeZone};
use presence_provider::logging::{LineLayer, LogFormat, Stamp, thread_number};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

/// Keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The moment and the thread of the seed's second sample line.
fn stamp() -> Stamp {
    let at = civil::date(2018, 5, 8).at(14, 5, 48, 159_000_000);
    Stamp { at: at.to_zoned(TimeZone::fixed(Offset::constant(2))).unwrap(), thread: 5 }
}

/// What the layer writes while `log` runs.
fn logged(format: LogFormat, log: impl FnOnce()) -> String {
    let kept = Kept::default();
    let layer = LineLayer::new(format, kept.clone()).with_stamp(stamp);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
    let bytes = kept.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn text(log: impl FnOnce()) -> String {
    logged(LogFormat::Text, log)
}

fn json(log: impl FnOnce()) -> serde_json::Value {
    serde_json::from_str(&logged(LogFormat::Json, log)).unwrap()
}

#[test]
fn a_line_has_the_form_of_the_original_product() {
    let line =
        text(|| tracing::info!(logger = "ucc_app01", "PresenceProviderClient::Subscribe sipUrisip:user1@domain.com"));
    assert_eq!(
        line,
        "2018-05-08 14:05:48,159 [5] ucc_app01 INFO - PresenceProviderClient::Subscribe sipUrisip:user1@domain.com\n"
    );
}

#[test]
fn every_level_is_written_by_its_name() {
    let lines = text(|| {
        tracing::trace!(logger = "ucc_app01", "a");
        tracing::debug!(logger = "ucc_app01", "b");
        tracing::info!(logger = "ucc_app01", "c");
        tracing::warn!(logger = "ucc_app01", "d");
        tracing::error!(logger = "ucc_app01", "e");
    });
    insta::assert_snapshot!(lines, @r"
    2018-05-08 14:05:48,159 [5] ucc_app01 TRACE - a
    2018-05-08 14:05:48,159 [5] ucc_app01 DEBUG - b
    2018-05-08 14:05:48,159 [5] ucc_app01 INFO - c
    2018-05-08 14:05:48,159 [5] ucc_app01 WARN - d
    2018-05-08 14:05:48,159 [5] ucc_app01 ERROR - e
    ");
}

#[test]
fn other_fields_stand_behind_the_message_in_their_order() {
    let uri = "sip:user1@domain.com";
    let lines = text(|| {
        tracing::warn!(
            logger = %"sip:app@domain.com", %uri, code = 480, attempt = 2_u64, retry = true, wait = 1.5,
            reason = "Temporarily Unavailable", detail = ?Some("x"), nothing = "", r#type = "presence",
            "subscribe failed"
        );
        tracing::info!(logger = "UccStarter", agents = 3);
    });
    insta::assert_snapshot!(lines, @r#"
    2018-05-08 14:05:48,159 [5] sip:app@domain.com WARN - subscribe failed uri=sip:user1@domain.com code=480 attempt=2 retry=true wait=1.5 reason="Temporarily Unavailable" detail="Some(\"x\")" nothing="" type=presence
    2018-05-08 14:05:48,159 [5] UccStarter INFO - agents=3
    "#);
}

#[test]
fn an_event_without_a_logger_is_named_after_its_module() {
    let lines = text(|| {
        tracing::info!("here");
        tracing::info!(target: "presence_actors::transport::tcp", "there");
        tracing::info!(logger = "a name with\u{a0}blanks", "spaced");
        tracing::info!(logger = "", "nameless");
    });
    insta::assert_snapshot!(lines, @r"
    2018-05-08 14:05:48,159 [5] logging INFO - here
    2018-05-08 14:05:48,159 [5] transport.tcp INFO - there
    2018-05-08 14:05:48,159 [5] a_name_with_blanks INFO - spaced
    2018-05-08 14:05:48,159 [5] - INFO - nameless
    ");
}

#[test]
fn the_spans_around_an_event_lend_it_their_fields_and_their_logger() {
    let lines = text(|| {
        let queue = tracing::info_span!("queue", logger = "ucc_app01", uri = "outer", late = tracing::field::Empty);
        let _queue = queue.enter();
        queue.record("late", 7);
        let _agent = tracing::info_span!("agent", uri = "sip:user1@domain.com").entered();
        tracing::info!(code = 200, "inside");
        tracing::info!(logger = "own", uri = "own", "overruled");
    });
    insta::assert_snapshot!(lines, @r"
    2018-05-08 14:05:48,159 [5] ucc_app01 INFO - inside code=200 uri=sip:user1@domain.com late=7
    2018-05-08 14:05:48,159 [5] own INFO - overruled uri=own late=7
    ");
}

#[test]
fn an_error_is_written_with_its_causes_once() {
    #[derive(Debug, thiserror::Error)]
    #[error("connect to the pool")]
    struct Outer(#[source] io::Error);
    let error = Outer(io::Error::other("refused\nforged"));
    let line = text(|| tracing::error!(logger = "x", error = &error as &dyn std::error::Error, "lost"));
    insta::assert_snapshot!(line, @r#"2018-05-08 14:05:48,159 [5] x ERROR - lost error="connect to the pool: refused\nforged""#);
}

/// Text as a hostile peer would send it.
const FORGED: [&str; 8] = [
    "x\r\n2018-05-08 14:05:48,159 [5] ucc_app01 INFO - forged",
    "x\n2018-05-08 14:05:48,159 [5] ucc_app01 INFO - forged",
    "x\rforged",
    "x\u{1b}[2K\u{1b}[1Gforged",
    "x\0forged",
    "x\u{202e}degrof",
    "x\u{2028}forged",
    "x\u{85}forged",
];

fn treacherous(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[test]
fn text_from_the_wire_cannot_forge_a_line_wherever_it_stands() {
    for format in [LogFormat::Text, LogFormat::Json] {
        for forged in FORGED {
            let written = logged(format, || {
                let _span = tracing::info_span!("agent", shown = %forged, said = forged).entered();
                tracing::info!("message {forged}");
                tracing::info!(logger = %forged, "logger");
                tracing::info!(logger = "a", display = %forged, debug = ?forged, text = forged, "fields");
                tracing::info!(logger = "a", error = &io::Error::other(forged) as &dyn std::error::Error, "error");
            });
            let lines: Vec<&str> = written.strip_suffix('\n').unwrap().split('\n').collect();
            assert_eq!(lines.len(), 4, "{forged:?} in {written}");
            for line in lines {
                assert!(!line.chars().any(treacherous), "{forged:?} in {line:?}");
            }
        }
    }
}

#[test]
fn a_value_cannot_forge_a_second_field() {
    let line = text(|| tracing::info!(logger = "a", reason = %"ok code=200 \"x\" y=\"", "m"));
    assert_eq!(line, "2018-05-08 14:05:48,159 [5] a INFO - m reason=\"ok code=200 \\\"x\\\" y=\\\"\"\n");
}

#[test]
fn json_carries_the_same_for_machines() {
    let line = logged(LogFormat::Json, || {
        tracing::warn!(logger = "ucc_app01", code = 480, uri = %"sip:a@b.example", "failed");
    });
    insta::assert_snapshot!(line, @r#"{"timestamp":"2018-05-08T14:05:48.159+02:00","level":"WARN","logger":"ucc_app01","thread":5,"target":"logging","message":"failed","fields":{"code":480,"uri":"sip:a@b.example"}}"#);
}

#[test]
fn json_gives_hostile_text_back_unchanged() {
    for forged in FORGED {
        let line = json(|| tracing::info!(logger = "a", text = forged, "m {forged}"));
        assert_eq!(line["fields"]["text"], forged);
        assert_eq!(line["message"], format!("m {forged}"));
    }
    let line = json(|| tracing::info!(logger = "a", "m"));
    assert!(line.get("fields").is_none());
}

#[test]
fn threads_have_small_numbers_of_their_own() {
    let mine = thread_number();
    let other = std::thread::spawn(|| (thread_number(), thread_number())).join().unwrap();
    assert_eq!(mine, thread_number());
    assert_eq!(other.0, other.1);
    assert_ne!(mine, other.0);
    assert!(mine > 0 && other.0 > 0);
}

#[test]
fn the_four_documented_entries_come_out_character_for_character() {
    use presence_core::log_text::{ConfigurationLine, EventLine, PresenceLine, SubscribeLine};
    use presence_core::{
        Availability, Change, DeviceType, Freshness, Modalities, Modality, Presence, SourceKind, SourceNetwork, Status,
    };

    let uri: presence_core::AgentUri = "sip:user1@domain.com".parse().unwrap();
    let enabled = Modality::Enabled;
    let status = Status {
        device: DeviceType::Computer,
        network: SourceNetwork::SameEnterprise,
        modalities: Modalities { audio: enabled, video: enabled, text: enabled },
        ..Status::of(Availability::new(15_500))
    };
    #[allow(clippy::disallowed_methods, reason = "tests start at a real instant")]
    let since = std::time::Instant::now();
    let presence = Arc::new(Presence { status, since, source: SourceKind::Ucma, freshness: Freshness::Fresh });
    let change = Change { uri: uri.clone(), previous: None, new: Arc::clone(&presence), sequence: 1 };
    let configuration = ConfigurationLine {
        max_failures: 3,
        first_delay: std::time::Duration::from_secs(60),
        per_second: 15,
        application_id: "urn:application:ucc_app14_1",
        application_endpoints: &["sip:ucc_app01@anywhere.now".parse().unwrap()],
        user_endpoints: &[],
    };
    let ucc = "ucc_app01";
    let lines = text(|| {
        tracing::info!(logger = "UccStarter", "{configuration}");
        tracing::info!(logger = ucc, "{}", SubscribeLine(&uri));
        let line = PresenceLine { ucc, uri: &uri, presence: &presence, formal: false, active: true };
        tracing::debug!(logger = ucc, "{line}");
        tracing::info!(logger = ucc, "{}", EventLine(&change));
    });
    let expected = [
        "2018-05-08 14:05:48,159 [5] UccStarter INFO - PresenceProviderConfiguration:: MaxFailedPresenceSubscriptionsPerUri: 3, FailedPresenceSubscriptionsResubscribeDelay: 60MaxPresenceSubscriptionsPerSecond 15, ApplicationId: urn:application:ucc_app14_1, ApplicationEndpoints:[sip:ucc_app01@anywhere.now] UserEndpoints:[]",
        "2018-05-08 14:05:48,159 [5] ucc_app01 INFO - PresenceProviderClient::Subscribe sipUrisip:user1@domain.com",
        "2018-05-08 14:05:48,159 [5] ucc_app01 DEBUG - ucc_app01 Presence change: 'sip:user1@domain.com' Away : 15500 : : Computer : SameEnterprise Formal:False, Active:True. WspModalityCapabilities: (audio: True, video: True, text: True)",
        "2018-05-08 14:05:48,159 [5] ucc_app01 INFO - PresenceProviderClient::event PresenceChangedEventArgs: PreviousPresence: [], NewPresence: [PresenceNotificationEventArgs:: SipUri: sip:user1@domain.com WspModalityCapabilities: (audio: True, video: True, text: True), WspDeviceType: Computer, WspSourceNetwork: SameEnterprise, WspPresenceAvailability: Away, WspPresenceAvailabilityValue: 15500, ActivityToken: ]",
    ];
    assert_eq!(lines.lines().collect::<Vec<_>>(), expected);
}
