//! From what a pusher writes to what the provider takes.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use presence_core::{Availability, DeviceType, MAX_TIME_TO_LIVE, Modalities, Modality, SourceNetwork, Status};

use super::super::model::{Capabilities, Capability, Pushed, State};
use super::book::Hold;

/// The longest text that a push may hold, in bytes.
const MAX_TEXT_BYTES: usize = 256;
/// The heartbeats that can be kept.
const HEARTBEATS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3_600));
/// The numbers that say something on the scale of availability.
const NUMBERS: (i32, i32) = (3_000, 18_500);

/// The states that can be pushed, by name.
const STATES: [(&str, Availability); 8] = [
    ("Online", Availability::ONLINE),
    ("IdleOnline", Availability::IDLE_ONLINE),
    ("Busy", Availability::BUSY),
    ("IdleBusy", Availability::IDLE_BUSY),
    ("DoNotDisturb", Availability::DO_NOT_DISTURB),
    ("BeRightBack", Availability::BE_RIGHT_BACK),
    ("Away", Availability::AWAY),
    ("Offline", Availability::OFFLINE),
];

/// The devices that can be pushed.
const DEVICES: [DeviceType; 5] =
    [DeviceType::Computer, DeviceType::DeskPhone, DeviceType::Mobile, DeviceType::Web, DeviceType::Custom];

/// What a pusher says of one agent, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// How the agent is.
    pub(super) status: Status,
    /// How long that holds.
    pub(super) hold: Hold,
}

/// Why a push says nothing that can be taken. The text names the field and what to write.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum Unsayable {
    #[error("state: `{0}` is none of {names}, nor a number from 3000 to 18500", names = names())]
    State(String),
    #[error("state: to say that nothing is known, withdraw the push (DELETE); unknown is not Offline")]
    Unknown,
    #[error(
        "state: {0} says nothing on the scale of availability, which goes from 3000 (Online) to 18500 (Offline); \
         to say that nothing is known, withdraw the push (DELETE)"
    )]
    Number(i32),
    #[error("device: `{0}` is none of Computer, DeskPhone, Mobile, Web and Custom")]
    Device(String),
    #[error("{field}: {bytes} bytes are more than the {MAX_TEXT_BYTES} that are taken")]
    TooLong { field: &'static str, bytes: usize },
    #[error(
        "time_to_live or heartbeat: one of them must say for how long it holds, such as `\"time_to_live\": 90`; \
         a state never holds for ever"
    )]
    NoEnd,
    #[error("time_to_live and heartbeat: only one of them can say for how long it holds; leave one out")]
    TwoEnds,
    #[error("time_to_live: {0} is not between 0 and 86400 seconds; write how long it holds, such as 90")]
    TimeToLive(f64),
    #[error("heartbeat: {0} is not from 1 to 3600 seconds; write how far apart your heartbeats are, such as 30")]
    Heartbeat(f64),
}

fn names() -> String {
    let mut text = String::new();
    for (index, (name, _)) in STATES.iter().enumerate() {
        let separator = match index {
            0 => "",
            _ if index + 1 == STATES.len() => " and ",
            _ => ", ",
        };
        let _ = write!(text, "{separator}{name}");
    }
    text
}

/// Reads what a pusher says.
pub(super) fn read(pushed: &Pushed) -> Result<Said, Unsayable> {
    let status = Status {
        availability: availability(&pushed.state)?,
        activity: text("activity", pushed.activity.as_deref())?,
        location: text("location", pushed.location.as_deref())?,
        device: device(pushed.device.as_deref())?,
        network: SourceNetwork::None,
        modalities: pushed.capabilities.map_or_else(Modalities::default, modalities),
    };
    Ok(Said { status, hold: hold(pushed.time_to_live, pushed.heartbeat)? })
}

/// Says again what a pusher said, in our own spelling.
pub(super) fn write(said: &Said) -> Pushed {
    let Said { status, hold } = said;
    let name = STATES.iter().find(|(_, availability)| *availability == status.availability);
    let capability = |modality| match modality {
        Modality::Unknown => Capability::Unknown,
        Modality::Enabled => Capability::Enabled,
        Modality::Disabled => Capability::Disabled,
    };
    let Modalities { audio, video, text } = status.modalities;
    let capabilities = Capabilities { audio: capability(audio), video: capability(video), text: capability(text) };
    let (time_to_live, heartbeat) = match hold {
        Hold::TimeToLive(time) => (Some(time.as_secs_f64()), None),
        Hold::Heartbeat(every) => (None, Some(every.as_secs_f64())),
    };
    Pushed {
        state: name
            .map_or_else(|| State::Number(status.availability.value()), |(name, _)| State::Name((*name).to_owned())),
        activity: status.activity.as_deref().map(str::to_owned),
        location: status.location.as_deref().map(str::to_owned),
        device: (status.device != DeviceType::Undefined).then(|| status.device.to_string()),
        capabilities: (status.modalities != Modalities::default()).then_some(capabilities),
        time_to_live,
        heartbeat,
    }
}

fn availability(state: &State) -> Result<Availability, Unsayable> {
    match state {
        State::Number(number) if (NUMBERS.0..=NUMBERS.1).contains(number) => Ok(Availability::new(*number)),
        State::Number(number) => Err(Unsayable::Number(*number)),
        State::Name(name) => {
            let name = name.trim();
            let known = STATES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            match known {
                Some((_, availability)) => Ok(*availability),
                None if name.eq_ignore_ascii_case("unknown") => Err(Unsayable::Unknown),
                None => Err(Unsayable::State(beginning(name))),
            }
        }
    }
}

fn device(name: Option<&str>) -> Result<DeviceType, Unsayable> {
    let Some(name) = name.map(str::trim) else { return Ok(DeviceType::Undefined) };
    let known = DEVICES.into_iter().find(|device| device.to_string().eq_ignore_ascii_case(name));
    known.ok_or_else(|| Unsayable::Device(beginning(name)))
}

fn text(field: &'static str, text: Option<&str>) -> Result<Option<Arc<str>>, Unsayable> {
    match text.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) if text.len() > MAX_TEXT_BYTES => Err(Unsayable::TooLong { field, bytes: text.len() }),
        text => Ok(text.map(Arc::from)),
    }
}

fn modalities(capabilities: Capabilities) -> Modalities {
    let modality = |capability| match capability {
        Capability::Unknown => Modality::Unknown,
        Capability::Enabled => Modality::Enabled,
        Capability::Disabled => Modality::Disabled,
    };
    Modalities {
        audio: modality(capabilities.audio),
        video: modality(capabilities.video),
        text: modality(capabilities.text),
    }
}

fn hold(time_to_live: Option<f64>, heartbeat: Option<f64>) -> Result<Hold, Unsayable> {
    match (time_to_live, heartbeat) {
        (None, None) => Err(Unsayable::NoEnd),
        (Some(_), Some(_)) => Err(Unsayable::TwoEnds),
        (Some(seconds), None) => match Duration::try_from_secs_f64(seconds) {
            Ok(time) if !time.is_zero() && time <= MAX_TIME_TO_LIVE => Ok(Hold::TimeToLive(time)),
            Ok(_) | Err(_) => Err(Unsayable::TimeToLive(seconds)),
        },
        (None, Some(seconds)) => match Duration::try_from_secs_f64(seconds) {
            Ok(time) if (HEARTBEATS.0..=HEARTBEATS.1).contains(&time) => Ok(Hold::Heartbeat(time)),
            Ok(_) | Err(_) => Err(Unsayable::Heartbeat(seconds)),
        },
    }
}

/// The beginning of a text that somebody wrote, for an error.
fn beginning(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(state: State) -> Pushed {
        Pushed {
            state,
            activity: None,
            location: None,
            device: None,
            capabilities: None,
            time_to_live: Some(90.0),
            heartbeat: None,
        }
    }

    fn state(state: State) -> Result<i32, Unsayable> {
        read(&pushed(state)).map(|said| said.status.availability.value())
    }

    fn name(name: &str) -> Result<i32, Unsayable> {
        state(State::Name(name.to_owned()))
    }

    #[test]
    fn a_state_is_known_by_its_name_in_any_case_and_by_its_number() {
        assert_eq!(name("Busy"), Ok(6_500));
        assert_eq!(name(" donotdisturb "), Ok(9_500));
        assert_eq!(name("OFFLINE"), Ok(18_500));
        for (known, availability) in STATES {
            assert_eq!(name(known), Ok(availability.value()));
            assert_eq!(availability.name().to_string(), known);
        }
        assert_eq!(state(State::Number(3_000)), Ok(3_000));
        assert_eq!(state(State::Number(18_500)), Ok(18_500));
    }

    #[test]
    fn numbers_that_say_nothing_are_refused_and_never_become_available() {
        for number in [i32::MIN, -1, 0, 2_999, 18_501, i32::MAX] {
            assert_eq!(state(State::Number(number)), Err(Unsayable::Number(number)));
        }
        assert_eq!(name("unknown"), Err(Unsayable::Unknown));
        let error = name("Bsy").unwrap_err().to_string();
        assert!(error.contains("Online, IdleOnline, Busy") && error.contains("Away and Offline"), "{error}");
        assert!(name(&"x".repeat(100_000)).unwrap_err().to_string().len() < 300);
    }

    #[test]
    fn a_push_says_for_how_long_it_holds_in_exactly_one_way() {
        let end = |time_to_live, heartbeat| hold(time_to_live, heartbeat).map_err(|error| error.to_string());
        assert_eq!(end(Some(0.25), None), Ok(Hold::TimeToLive(Duration::from_millis(250))));
        assert_eq!(end(Some(86_400.0), None), Ok(Hold::TimeToLive(MAX_TIME_TO_LIVE)));
        assert_eq!(end(None, Some(30.0)), Ok(Hold::Heartbeat(Duration::from_secs(30))));
        assert_eq!(hold(None, None), Err(Unsayable::NoEnd));
        assert_eq!(hold(Some(1.0), Some(1.0)), Err(Unsayable::TwoEnds));
        for wrong in [0.0, -1.0, 86_401.0, 1e300, f64::NAN, f64::INFINITY, 1e-300] {
            assert!(matches!(hold(Some(wrong), None), Err(Unsayable::TimeToLive(_))), "{wrong}");
        }
        for wrong in [0.0, 0.5, -30.0, 3_601.0, f64::NAN, f64::NEG_INFINITY] {
            assert!(matches!(hold(None, Some(wrong)), Err(Unsayable::Heartbeat(_))), "{wrong}");
        }
    }

    #[test]
    fn a_device_is_known_in_any_case_and_texts_are_bounded() {
        let mut pushed = pushed(State::Number(6_500));
        pushed.device = Some("deskphone".to_owned());
        pushed.activity = Some(" on-the-phone ".to_owned());
        pushed.location = Some(" ".to_owned());
        let status = read(&pushed).unwrap().status;
        assert_eq!(status.device, DeviceType::DeskPhone);
        assert_eq!((status.activity.as_deref(), status.location), (Some("on-the-phone"), None));
        let again = write(&read(&pushed).unwrap());
        assert_eq!(again.state, State::Name("Busy".to_owned()));
        assert_eq!(again.device.as_deref(), Some("DeskPhone"));
        assert_eq!(read(&again), read(&pushed));
        pushed.device = Some("toaster".to_owned());
        assert_eq!(read(&pushed), Err(Unsayable::Device("toaster".to_owned())));
        pushed.device = None;
        pushed.location = Some("x".repeat(257));
        assert_eq!(read(&pushed), Err(Unsayable::TooLong { field: "location", bytes: 257 }));
    }
}
