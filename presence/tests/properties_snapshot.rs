//! A snapshot that was written is read as it was, and one that was damaged is not read at all.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use presence_core::snapshot::{Anchor, Encoded, SnapshotError, decode, encode};
use presence_core::{
    AccountMemory, AgentUri, Attempt, Availability, DeviceType, EndedBy, EndpointKind, EndpointMemory, Failure,
    FailureKind, Freshness, GraphMemory, Modalities, Modality, NameMemory, Presence, PushedMemory, Remembered,
    RememberedAgent, RememberedLife, SourceKind, SourceNetwork, Status, SubscriptionMemory, Ticket, UccMemory,
};
use proptest::prelude::*;
use proptest::sample::select;

/// Long enough after the beginning of both clocks.
fn anchor() -> Anchor {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "some moment, once")]
    let now = *START.get_or_init(Instant::now) + Duration::from_secs(1_000_000);
    Anchor { now, wall: UNIX_EPOCH + Duration::from_millis(1_795_000_000_123) }
}

fn bytes(encoded: &Encoded) -> Vec<u8> {
    encoded.parts.concat()
}

fn past() -> impl Strategy<Value = Instant> {
    (0_u64..900_000_000).prop_map(|millis| anchor().now - Duration::from_millis(millis))
}

fn moment() -> impl Strategy<Value = Instant> {
    (0_u64..1_800_000_000)
        .prop_map(|millis| anchor().now + Duration::from_millis(millis) - Duration::from_secs(900_000))
}

fn text() -> impl Strategy<Value = Arc<str>> {
    "(?s).{0,40}".prop_map(Arc::from)
}

fn uri() -> impl Strategy<Value = AgentUri> {
    prop_oneof![
        "sip:[a-z]{1,8}@[a-z]{1,8}\\.example".prop_map(|text| text.parse().unwrap()),
        "SIP:[A-Z]{1,8}@Example\\.com".prop_map(|text| text.parse().unwrap()),
        "tel:\\+[1-9][0-9]{6,12}".prop_map(|text| text.parse().unwrap()),
    ]
}

fn status() -> impl Strategy<Value = Status> {
    use Modality::{Disabled, Enabled, Unknown};
    let modality = || select(vec![Unknown, Enabled, Disabled]);
    let device = select(vec![DeviceType::Undefined, DeviceType::DeskPhone, DeviceType::Custom]);
    let network = select(vec![SourceNetwork::None, SourceNetwork::Federated, SourceNetwork::SameEnterprise]);
    let texts = (prop::option::of(text()), prop::option::of(text()));
    (-1..20_000, texts, device, network, modality(), modality(), modality()).prop_map(
        |(availability, (activity, location), device, network, audio, video, text)| Status {
            availability: Availability::new(availability),
            activity,
            location,
            device,
            network,
            modalities: Modalities { audio, video, text },
        },
    )
}

fn failure() -> impl Strategy<Value = Failure> {
    let kind = select(vec![FailureKind::Transient, FailureKind::NotFound, FailureKind::Forbidden, FailureKind::Dialog]);
    let by = select(vec![EndedBy::Us, EndedBy::Peer, EndedBy::Network]);
    let numbers = (any::<Option<u16>>(), any::<Option<u32>>(), prop::option::of(0_u64..1_000_000));
    (kind, by, numbers, text()).prop_map(|(kind, by, (code, ms_diagnostics, wait), detail)| Failure {
        kind,
        by,
        code,
        ms_diagnostics,
        retry_after: wait.map(Duration::from_millis),
        detail,
    })
}

fn subscribed() -> impl Strategy<Value = RememberedAgent> {
    let source = select(vec![SourceKind::Ucma, SourceKind::MsGraph]);
    let confirmed = prop_oneof![Just(None), Just(Some(anchor().now)), past().prop_map(Some)];
    let numbers = (any::<u64>(), any::<u32>(), any::<u32>());
    let home = select(vec![EndpointKind::Application, EndpointKind::User]);
    let freshness = select(vec![Freshness::Stale, Freshness::Unknown]);
    let times = (past(), confirmed, prop::option::of(moment()));
    (uri(), source, status(), times, numbers, home, freshness, prop::option::of(failure())).prop_map(
        |(
            uri,
            source,
            status,
            (since, confirmed, retry_at),
            (sequence, failures, postponed),
            home,
            freshness,
            abandoned,
        )| {
            let presence = Arc::new(Presence { status, since, source, freshness });
            let (attempt, ticket, dialogs) = (Attempt(0), Ticket(0), [None; 2]);
            let memory = SubscriptionMemory {
                presence,
                sequence,
                failures,
                home,
                abandoned: abandoned.map(Box::new),
                attempt,
                ticket,
                dialogs,
                confirmed,
                postponed,
                retry_at,
            };
            RememberedAgent { uri, source, life: RememberedLife::Subscribed(memory) }
        },
    )
}

fn pushed() -> impl Strategy<Value = RememberedAgent> {
    (uri(), status(), past(), any::<u64>(), moment()).prop_map(|(uri, status, since, sequence, expires_at)| {
        let source = SourceKind::Attendant;
        let presence = Arc::new(Presence { status, since, source, freshness: Freshness::Stale });
        RememberedAgent { uri, source, life: RememberedLife::Pushed(PushedMemory { presence, sequence, expires_at }) }
    })
}

fn graph() -> impl Strategy<Value = GraphMemory> {
    let account = (text(), moment(), any::<bool>(), any::<u32>())
        .prop_map(|(id, held_until, asked, opened)| AccountMemory { id, held_until, asked, opened });
    let name = (text(), text(), any::<Option<[u8; 16]>>(), moment())
        .prop_map(|(tenant, name, user, until)| NameMemory { tenant, name, user, until });
    (prop::collection::vec(account, 0..3), prop::collection::vec(name, 0..5))
        .prop_map(|(accounts, names)| GraphMemory { accounts, names })
}

fn remembered() -> impl Strategy<Value = Remembered> {
    let endpoint = (
        select(vec![EndpointKind::Application, EndpointKind::User]),
        uri(),
        text(),
        prop::option::of(moment()),
        any::<u32>(),
    )
        .prop_map(|(kind, uri, pool, next_attempt, troubles)| EndpointMemory {
            kind,
            uri,
            pool,
            next_attempt,
            troubles,
        });
    let uccs = prop::collection::btree_map(text(), prop::collection::vec(uri(), 0..150), 0..3)
        .prop_map(|uccs| uccs.into_iter().map(|(name, agents)| UccMemory { name, agents }).collect());
    let agents = prop::collection::vec(prop_oneof![subscribed(), pushed()], 0..12);
    let rates = prop::collection::vec(
        (
            select(vec![SourceKind::Ucma, SourceKind::MsGraph]),
            (200_u32..1_000_000).prop_map(|rate| f64::from(rate) / 1_000.0),
        ),
        0..3,
    );
    (prop::option::of(past()), rates, prop::collection::vec(endpoint, 0..3), agents, graph(), uccs).prop_map(
        |(last_sent, rates, endpoints, agents, graph, uccs)| Remembered {
            collected: Some(anchor().now),
            last_sent,
            rates,
            endpoints,
            agents,
            graph,
            uccs,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn what_was_written_is_read_as_it_was(remembered in remembered()) {
        let encoded = encode(&remembered, anchor(), "1.2.3");
        let snapshot = decode(&bytes(&encoded), anchor()).unwrap();
        prop_assert_eq!(&snapshot.remembered, &remembered);
        prop_assert_eq!((snapshot.age, snapshot.not_understood, &*snapshot.program), (Duration::ZERO, 0, "1.2.3"));
        // The records say the same when only the time has changed.
        let later = Duration::from_secs(100);
        let moved = Anchor { now: anchor().now + later, wall: anchor().wall + later };
        prop_assert_eq!(encode(&remembered, moved, "1.2.3").records, encoded.records);
    }

    #[test]
    fn nothing_of_it_is_used_when_any_byte_is_another_or_the_end_is_missing(
        remembered in remembered(), place in any::<prop::sample::Index>(), other in 1_u8..=255
    ) {
        let whole = bytes(&encode(&remembered, anchor(), "1.2.3"));
        let mut damaged = whole.clone();
        damaged[place.index(whole.len())] ^= other;
        prop_assert!(decode(&damaged, anchor()).is_err());
        prop_assert!(decode(&whole[..place.index(whole.len())], anchor()).is_err());
    }

    #[test]
    fn no_bytes_whatever_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(decode(&bytes, anchor()).is_err());
    }
}

fn agent() -> RememberedAgent {
    let presence = Presence {
        status: Status::of(Availability::ONLINE).with_activity("in \"a\" meeting\n"),
        since: anchor().now - Duration::from_secs(3_600),
        source: SourceKind::Ucma,
        freshness: Freshness::Stale,
    };
    let memory = SubscriptionMemory {
        presence: Arc::new(presence),
        sequence: 7,
        failures: 2,
        home: EndpointKind::User,
        abandoned: None,
        attempt: Attempt(0),
        ticket: Ticket(0),
        dialogs: [None; 2],
        confirmed: Some(anchor().now),
        postponed: 1,
        retry_at: Some(anchor().now + Duration::from_secs(90)),
    };
    let uri = "sip:User1@domain.com".parse().unwrap();
    RememberedAgent { uri, source: SourceKind::Ucma, life: RememberedLife::Subscribed(memory) }
}

fn one() -> Remembered {
    Remembered { collected: Some(anchor().now), agents: vec![agent()], ..Remembered::default() }
}

#[test]
fn it_can_be_read_by_a_person() {
    let lines = String::from_utf8(bytes(&encode(&one(), anchor(), "1.2.3"))).unwrap();
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!(
        lines[..2],
        [
            r#"{"magic":"presence-provider state","version":[1,0],"written":1795000000123,"program":"1.2.3","records":1}"#,
            r#"{"k":"agent","uri":"sip:User1@domain.com","source":"ucma","status":{"availability":3500,"activity":"in \"a\" meeting\n"},"since":1794996400123,"sequence":7,"fresh":true,"failures":2,"postponed":1,"user":true,"retry_at":1795000090123}"#,
        ]
    );
    assert!(lines[2].starts_with(r#"{"crc32":""#) && lines.len() == 3);
}

#[test]
fn every_byte_counts() {
    let whole = bytes(&encode(&one(), anchor(), "1.2.3"));
    for place in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[place] ^= 1 << bit;
            assert!(decode(&damaged, anchor()).is_err(), "byte {place}, bit {bit}");
        }
        assert!(decode(&whole[..place], anchor()).is_err(), "the first {place} bytes");
        let mut longer = whole.clone();
        longer.insert(place, b' ');
        assert!(decode(&longer, anchor()).is_err(), "one more byte at {place}");
    }
    assert!(decode(&[&*whole, b"\n"].concat(), anchor()).is_err());
}

#[test]
fn each_kind_of_mistake_has_its_word() {
    let whole = bytes(&encode(&one(), anchor(), "1.2.3"));
    assert_eq!(decode(b"", anchor()), Err(SnapshotError::Empty));
    assert_eq!(decode(b"<config version=\"1.5\">\n", anchor()), Err(SnapshotError::Foreign));
    assert_eq!(decode(&whole[..whole.len() - 1], anchor()), Err(SnapshotError::CutOff));
    let newer = String::from_utf8(whole.clone()).unwrap().replace("\"version\":[1,", "\"version\":[2,");
    assert_eq!(decode(newer.as_bytes(), anchor()), Err(SnapshotError::Version(2)));
    let other = String::from_utf8(whole).unwrap().replace("3500", "6500");
    assert_eq!(decode(other.as_bytes(), anchor()), Err(SnapshotError::Checksum));
}

/// The same bytes with these records, as another version of the program would write them.
fn resealed(records: &[&str], promised: usize) -> Vec<u8> {
    let head = format!(
        "{{\"magic\":\"presence-provider state\",\"version\":[1,9],\"written\":1795000000123,\"program\":\"2\",\"records\":{promised},\"mood\":\"good\"}}\n"
    );
    let body: String = records.iter().map(|record| format!("{record}\n")).collect();
    let text = format!("{head}{body}");
    format!("{text}{{\"crc32\":\"{:08x}\"}}\n", crc32fast::hash(text.as_bytes())).into_bytes()
}

#[test]
fn what_a_newer_minor_version_adds_is_left_out_and_the_rest_is_read() {
    let records = [
        r#"{"k":"horoscope","uri":"sip:a@b.example"}"#,
        r#"{"k":"ucc","name":"sales","agents":["sip:a@b.example","no URI"],"mood":"good"}"#,
        r#"{"k":"rate","source":"ucma","per_1000_s":"fast"}"#,
        r#"{"k":"agent","uri":"no URI","source":"ucma","status":{"availability":1},"since":1,"sequence":1}"#,
        "not JSON",
    ];
    let snapshot = decode(&resealed(&records, 5), anchor()).unwrap();
    assert_eq!(snapshot.not_understood, 4);
    let uccs = vec![UccMemory { name: "sales".into(), agents: vec!["sip:a@b.example".parse().unwrap()] }];
    assert_eq!(snapshot.remembered.uccs, uccs);
    assert_eq!(decode(&resealed(&records, 6), anchor()), Err(SnapshotError::Count { promised: 6, found: 5 }));
    let long = format!("{{\"k\":\"agent\",\"x\":\"{}\"}}", "x".repeat(128 * 1024));
    assert_eq!(decode(&resealed(&[&long], 1), anchor()), Err(SnapshotError::TooLarge));
}

#[test]
fn moments_are_those_of_the_day_also_in_a_process_with_another_clock() {
    let whole = bytes(&encode(&one(), anchor(), "1.2.3"));
    let (pause, other) = (Duration::from_secs(60), anchor().now + Duration::from_secs(500_000));
    let snapshot = decode(&whole, Anchor { now: other, wall: anchor().wall + pause }).unwrap();
    assert_eq!((snapshot.age, snapshot.from_the_future), (pause, None));
    let RememberedLife::Subscribed(memory) = &snapshot.remembered.agents[0].life else { panic!("a subscription") };
    assert_eq!(memory.confirmed, Some(other - pause));
    assert_eq!(memory.presence.since, other - pause - Duration::from_secs(3_600));
    assert_eq!(memory.retry_at, Some(other + Duration::from_secs(30)));
}

#[test]
fn a_time_of_day_that_has_gone_back_makes_nothing_wait_for_longer_than_it_was_to() {
    let whole = bytes(&encode(&one(), anchor(), "1.2.3"));
    let snapshot = decode(&whole, Anchor { wall: SystemTime::UNIX_EPOCH, ..anchor() }).unwrap();
    assert_eq!((snapshot.age, snapshot.from_the_future), (Duration::ZERO, Some(anchor().wall)));
    let RememberedLife::Subscribed(memory) = &snapshot.remembered.agents[0].life else { panic!("a subscription") };
    assert_eq!(memory.retry_at, Some(anchor().now + Duration::from_secs(90)));
    assert_eq!(memory.confirmed, Some(anchor().now));
}
