//! The documented log lines, character for character.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test that fails must say so at once")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use presence_core::log_text::{ConfigurationLine, EventLine, PresenceLine, Quoted, Safe, SubscribeLine};
use presence_core::{
    AgentUri, Availability, Change, DeviceType, Freshness, Modalities, Modality, Presence, SourceKind, SourceNetwork,
    Status,
};

const CONFIGURATION: &str = "PresenceProviderConfiguration:: MaxFailedPresenceSubscriptionsPerUri: 3, FailedPresenceSubscriptionsResubscribeDelay: 60MaxPresenceSubscriptionsPerSecond 15, ApplicationId: urn:application:ucc_app14_1, ApplicationEndpoints:[sip:ucc_app01@anywhere.now] UserEndpoints:[]";
const SUBSCRIBE: &str = "PresenceProviderClient::Subscribe sipUrisip:user1@domain.com";
const PRESENCE: &str = "ucc_app01 Presence change: 'sip:user1@domain.com' Away : 15500 : : Computer : SameEnterprise Formal:False, Active:True. WspModalityCapabilities: (audio: True, video: True, text: True)";
const EVENT: &str = "PresenceProviderClient::event PresenceChangedEventArgs: PreviousPresence: [], NewPresence: [PresenceNotificationEventArgs:: SipUri: sip:user1@domain.com WspModalityCapabilities: (audio: True, video: True, text: True), WspDeviceType: Computer, WspSourceNetwork: SameEnterprise, WspPresenceAvailability: Away, WspPresenceAvailabilityValue: 15500, ActivityToken: ]";

fn uri(text: &str) -> AgentUri {
    text.parse().unwrap()
}

#[allow(clippy::disallowed_methods, reason = "an instant to count from; it is not printed")]
fn away() -> Presence {
    let enabled = Modality::Enabled;
    let status = Status {
        device: DeviceType::Computer,
        network: SourceNetwork::SameEnterprise,
        modalities: Modalities { audio: enabled, video: enabled, text: enabled },
        ..Status::of(Availability::AWAY)
    };
    Presence { status, since: Instant::now(), source: SourceKind::Ucma, freshness: Freshness::Fresh }
}

fn presence_line(presence: &Presence) -> String {
    let uri = uri("sip:user1@domain.com");
    PresenceLine { ucc: "ucc_app01", uri: &uri, presence, formal: false, active: true }.to_string()
}

#[test]
fn the_configuration_line_is_the_seeds() {
    let line = ConfigurationLine {
        max_failures: 3,
        first_delay: Duration::from_secs(60),
        per_second: 15,
        application_id: "urn:application:ucc_app14_1",
        application_endpoints: &[uri("sip:ucc_app01@anywhere.now")],
        user_endpoints: &[],
    };
    assert_eq!(line.to_string(), CONFIGURATION);
    let with_user = ConfigurationLine { user_endpoints: &[uri("sip:a@x"), uri("sip:b@x")], ..line };
    assert!(with_user.to_string().ends_with(" UserEndpoints:[sip:a@x, sip:b@x]"));
}

#[test]
fn the_subscribe_line_is_the_seeds() {
    assert_eq!(SubscribeLine(&uri("sip:user1@domain.com")).to_string(), SUBSCRIBE);
}

#[test]
fn the_presence_line_is_the_seeds() {
    assert_eq!(presence_line(&away()), PRESENCE);
}

#[test]
fn an_activity_stands_between_the_value_and_the_device() {
    let mut presence = away();
    presence.status = presence.status.with_activity("on-the-phone");
    presence.status.modalities = Modalities::default();
    assert_eq!(
        presence_line(&presence),
        PRESENCE
            .replace(": : Computer", ": on-the-phone : Computer")
            .replace("True, video: True, text: True", "Unknown, video: Unknown, text: Unknown")
    );
    assert!(
        presence_line(&Presence::unknown(presence.since, SourceKind::Pstn))
            .contains("' Unknown : -1 : : Undefined : None ")
    );
}

#[test]
fn the_event_line_is_the_seeds_and_carries_the_previous_presence_when_there_is_one() {
    let new = Arc::new(away());
    let mut change = Change { uri: uri("sip:user1@domain.com"), previous: None, new: Arc::clone(&new), sequence: 1 };
    assert_eq!(EventLine(&change).to_string(), EVENT);
    change.previous =
        Some(Arc::new(Presence { status: new.status.clone().with_activity("in-a-call"), ..(*new).clone() }));
    let line = EventLine(&change).to_string();
    let arguments = EVENT.split_once("NewPresence: [").unwrap().1.strip_suffix(']').unwrap();
    assert!(line.contains(&format!("PreviousPresence: [{arguments}in-a-call], NewPresence: [{arguments}]")), "{line}");
}

#[test]
fn text_from_the_wire_cannot_forge_a_line() {
    let cases = [
        ("plain, with ünïcode", "plain, with ünïcode"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("a\u{0}\u{1b}[31m\u{7f}\u{85}", "a\\u{0}\\u{1b}[31m\\u{7f}\\u{85}"),
        ("a\u{202e}b\u{2066}c\u{200f}d", "a\\u{202e}b\\u{2066}c\\u{200f}d"),
        ("a\u{2028}b\u{2029}c\u{feff}\u{200b}", "a\\u{2028}b\\u{2029}c\\u{feff}\\u{200b}"),
    ];
    for (text, safe) in cases {
        assert_eq!(Safe(text).to_string(), safe);
    }
    assert_eq!(Quoted("say \"hi\" \\ \n").to_string(), "\"say \\\"hi\\\" \\\\ \\n\"");
    let mut presence = away();
    presence.status = presence.status.with_activity("x\n2018-05-08 14:05:48,159 [5] ucc_app01 INFO - forged");
    assert_eq!(presence_line(&presence).lines().count(), 1);
}
