use super::*;
use proptest::prelude::*;

/// What a person would write down from the table of facts: availability, activity, number, token.
const TABLE: [(&str, &str, i32, &str); 42] = [
    ("Available", "Available", 3500, ""),
    ("Available", "", 3500, ""),
    ("Available", "OutOfOffice", 3500, "out-of-office"),
    ("Available", "Inactive", 5000, ""),
    ("Available", "AvailableInactive", 5000, ""),
    ("AvailableIdle", "", 5000, ""),
    ("AvailableIdle", "AvailableIdle", 5000, ""),
    ("AvailableIdle", "OutOfOffice", 5000, "out-of-office"),
    ("Busy", "Busy", 6500, ""),
    ("Busy", "", 6500, ""),
    ("Busy", "InACall", 6500, "on-the-phone"),
    ("InACall", "", 6500, "on-the-phone"),
    ("InACall", "Busy", 6500, "on-the-phone"),
    ("InACall", "OutOfOffice", 6500, "out-of-office"),
    ("Busy", "InAConferenceCall", 7000, "in-a-conference"),
    ("InACall", "InAConferenceCall", 7000, "in-a-conference"),
    ("Busy", "InAMeeting", 6500, "in-a-meeting"),
    ("InAMeeting", "InAMeeting", 6500, "in-a-meeting"),
    ("InAMeeting", "", 6500, "in-a-meeting"),
    ("Busy", "UrgentInterruptionsOnly", 6900, "urgent-interruptions-only"),
    ("BusyIdle", "", 7500, ""),
    ("BusyIdle", "InAConferenceCall", 7500, "in-a-conference"),
    ("BusyIdle", "InAMeeting", 7500, "in-a-meeting"),
    ("DoNotDisturb", "DoNotDisturb", 9500, ""),
    ("DoNotDisturb", "Presenting", 9500, "in-presentation"),
    ("Presenting", "", 9500, "in-presentation"),
    ("DoNotDisturb", "Focusing", 9500, ""),
    ("Focusing", "Focusing", 9500, ""),
    ("DoNotDisturb", "UrgentInterruptionsOnly", 9500, "urgent-interruptions-only"),
    ("DoNotDisturb", "InACall", 9500, "on-the-phone"),
    ("BeRightBack", "BeRightBack", 12500, ""),
    ("BeRightBack", "", 12500, ""),
    ("Away", "BeRightBack", 12500, ""),
    ("Away", "Away", 15500, ""),
    ("Away", "OutOfOffice", 15500, "out-of-office"),
    ("OutOfOffice", "OutOfOffice", 15500, "out-of-office"),
    ("Away", "OffWork", 15500, "off-work"),
    ("Offline", "OffWork", 18500, "off-work"),
    ("Offline", "Offline", 18500, ""),
    ("Offline", "", 18500, ""),
    ("Offline", "OutOfOffice", 18500, "out-of-office"),
    ("OffWork", "OffWork", 15500, "off-work"),
];

/// As the pages write it, as the newer ones do, and as nobody does.
fn spellings(word: &str) -> [String; 3] {
    let (first, rest) = word.split_at(word.len().min(1));
    [word.to_owned(), format!("{}{rest}", first.to_ascii_lowercase()), word.to_ascii_uppercase()]
}

#[test]
fn the_table_is_read_in_every_spelling() {
    for (availability, activity, number, token) in TABLE {
        for (availability, activity) in
            spellings(availability).iter().flat_map(|a| spellings(activity).map(|b| (a.clone(), b)))
        {
            let reading = read_status(Some(&availability), Some(&activity));
            let expected = Status::of(Availability::new(number)).with_activity(token);
            assert_eq!(reading.status, Some(expected), "{availability} {activity}");
            assert_eq!(reading.unknown, [None, None]);
        }
    }
}

#[test]
fn every_pair_of_known_words_is_in_the_band_of_its_availability() {
    let floor = |word: &str| match word {
        "Available" => &[3500, 5000][..],
        "AvailableIdle" | "AvailableInactive" | "Inactive" => &[5000],
        "Busy" | "InACall" | "InAMeeting" | "InAConferenceCall" | "UrgentInterruptionsOnly" => &[6500, 6900, 7000],
        "BusyIdle" => &[7500],
        "DoNotDisturb" | "Presenting" | "Focusing" => &[9500],
        "BeRightBack" => &[12500],
        "Away" => &[12500, 15500],
        "OutOfOffice" | "OffWork" => &[15500],
        "Offline" => &[18500],
        "PresenceUnknown" => &[],
        other => panic!("{other} has no band"),
    };
    for (availability, _) in WORDS {
        for (activity, _) in WORDS {
            for (availability, activity) in spellings(availability).iter().zip(spellings(activity)) {
                let name = WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(availability)).unwrap().0;
                let reading = read_status(Some(availability), Some(&activity));
                let numbers = floor(name);
                match reading.status {
                    Some(status) => {
                        assert!(numbers.contains(&status.availability.value()), "{availability} {activity}")
                    }
                    None => assert!(numbers.is_empty(), "{availability} {activity}"),
                }
            }
        }
    }
}

#[test]
fn what_microsoft_does_not_know_is_unknown_whatever_the_activity_says() {
    for availability in [None, Some(""), Some(" "), Some("PresenceUnknown"), Some("presenceUnknown")] {
        for activity in [None, Some("Busy"), Some("Available"), Some("PresenceUnknown"), Some("Levitating")] {
            assert_eq!(read_status(availability, activity).status, None, "{availability:?} {activity:?}");
        }
    }
}

#[test]
fn an_availability_that_we_do_not_know_is_taken_from_the_activity() {
    let reading = read_status(Some("Levitating"), Some("InAConferenceCall"));
    assert_eq!(reading.status, Some(Status::of(Availability::new(7_000)).with_activity("in-a-conference")));
    assert_eq!(reading.unknown, [Some("Levitating".into()), None]);
    let reading = read_status(Some("Levitating"), Some("Floating"));
    assert_eq!(reading.status, None);
    assert_eq!(reading.unknown, [Some("Levitating".into()), Some("Floating".into())]);
    assert_eq!(read_status(Some("Levitating"), Some("PresenceUnknown")).status, None);
}

#[test]
fn an_activity_that_we_do_not_know_leaves_the_availability_alone() {
    let reading = read_status(Some("Busy"), Some("Juggling"));
    assert_eq!(reading.status, Some(Status::of(Availability::BUSY)));
    assert_eq!(reading.unknown, [None, Some("Juggling".into())]);
}

#[test]
fn an_unknown_word_is_cut_at_64_characters() {
    let reading = read_status(Some(&"é".repeat(70)), None);
    assert_eq!(reading.unknown[0].as_deref(), Some("é".repeat(64).as_str()));
}

#[test]
fn two_agents_with_one_activity_share_its_token() {
    let token = || read_status(Some("Busy"), Some("InACall")).status.unwrap().activity.unwrap();
    assert!(Arc::ptr_eq(&token(), &token()));
}

proptest! {
    #[test]
    fn a_status_is_unknown_or_in_a_band_and_never_below_3000(
        availability in word(), activity in word(),
    ) {
        if let Some(status) = read_status(availability.as_deref(), activity.as_deref()).status {
            prop_assert!(status.availability.value() >= 3_000);
            let only = Status { activity: status.activity.clone(), ..Status::of(status.availability) };
            prop_assert_eq!(status, only);
        }
    }
}

fn word() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(prop_oneof![
        2 => proptest::sample::select(WORDS.map(|(name, _)| name.to_owned()).to_vec()),
        1 => ".{0,80}",
    ])
}
