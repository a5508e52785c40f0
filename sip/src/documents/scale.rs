//! From the parts of a presence document to one status on the availability scale.

use std::sync::Arc;

use presence_core::{Availability, DeviceType, Modalities, Modality, SourceNetwork, Status};

/// How much an activity keeps an agent from taking a call; the greater one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Available,
    Away,
    BeRightBack,
    Busy,
    DoNotDisturb,
}

/// What an agent does, as RPID names it (RFC 4480 section 3.2), weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Activity {
    weight: Weight,
    token: Option<&'static str>,
}

impl Activity {
    /// The activity of this RPID name; `None` for `unknown` and names of nobody.
    ///
    /// Where Skype for Business has a token for the same thing the token is that one; an activity that says no more
    /// than the availability itself has none.
    pub(super) fn named(name: &str) -> Option<Self> {
        use Weight::{Available, Away, BeRightBack, Busy};
        let (weight, token) = match name {
            "busy" => (Busy, None),
            "on-the-phone" => (Busy, Some("on-the-phone")),
            "meeting" | "appointment" => (Busy, Some("in-a-meeting")),
            "presentation" => (Busy, Some("in-presentation")),
            "performance" => (Busy, Some("performance")),
            "meal" => (BeRightBack, Some("meal")),
            "breakfast" => (BeRightBack, Some("breakfast")),
            "lunch" => (BeRightBack, Some("out-to-lunch")),
            "dinner" => (BeRightBack, Some("dinner")),
            "away" => (Away, None),
            "vacation" | "holiday" => (Away, Some("out-of-office")),
            "sleeping" => (Away, Some("sleeping")),
            "permanent-absence" => (Away, Some("permanent-absence")),
            "travel" => (Away, Some("travel")),
            "in-transit" => (Away, Some("in-transit")),
            "steering" => (Away, Some("steering")),
            "shopping" => (Away, Some("shopping")),
            "working" => (Available, Some("working")),
            "looking-for-work" => (Available, Some("looking-for-work")),
            "playing" => (Available, Some("playing")),
            "spectator" => (Available, Some("spectator")),
            "tv" => (Available, Some("tv")),
            "worship" => (Available, Some("worship")),
            _ => return None,
        };
        Some(Self { weight, token })
    }

    pub(super) const fn do_not_disturb() -> Self {
        Self { weight: Weight::DoNotDisturb, token: None }
    }
}

/// What a part of a document is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A service that reaches the agent (RFC 3863).
    Tuple,
    /// The agent (RFC 4479).
    Person,
    /// A device of the agent (RFC 4479).
    Device,
}

/// One tuple, person or device.
#[derive(Debug)]
pub(super) struct Part {
    kind: Kind,
    activity: Option<Activity>,
    /// A tuple that says `closed`; one that says nothing counts as open.
    closed: bool,
    pub(super) timestamp: Option<i64>,
    pub(super) idle: Option<bool>,
    pub(super) place: Option<Box<str>>,
    pub(super) class: Option<DeviceType>,
    pub(super) mobility: Option<DeviceType>,
    pub(super) audio: Option<bool>,
    pub(super) video: Option<bool>,
    pub(super) message: Option<bool>,
}

impl Part {
    const fn new(kind: Kind) -> Self {
        Self {
            kind,
            activity: None,
            closed: false,
            timestamp: None,
            idle: None,
            place: None,
            class: None,
            mobility: None,
            audio: None,
            video: None,
            message: None,
        }
    }

    /// Adds an activity; of several the weightiest counts, of equals the first.
    pub(super) fn add_activity(&mut self, activity: Activity) {
        if self.activity.is_none_or(|known| known.weight < activity.weight) {
            self.activity = Some(activity);
        }
    }

    /// A tuple that says `closed`; of a person or a device it says nothing.
    pub(super) fn close(&mut self) {
        self.closed = self.kind == Kind::Tuple;
    }

    fn device(&self) -> Option<DeviceType> {
        self.class.or(self.mobility)
    }
}

/// All parts of a document, in its order. Holds at least one, so that there is always a last.
#[derive(Debug)]
pub(super) struct Parts {
    /// What was said outside of any part; of no kind that counts.
    last: Part,
    before: Vec<Part>,
}

impl Default for Parts {
    fn default() -> Self {
        Self { last: Part::new(Kind::Device), before: Vec::new() }
    }
}

impl Parts {
    pub(super) fn begin(&mut self, kind: Kind) {
        let done = std::mem::replace(&mut self.last, Part::new(kind));
        self.before.push(done);
    }

    pub(super) const fn last(&mut self) -> &mut Part {
        &mut self.last
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Part> {
        self.before.iter().chain([&self.last]).filter(move |part| part.kind == kind && !part.closed)
    }

    /// Weighs the parts (facts D.3).
    pub(super) fn into_status(self) -> Status {
        let mut status = Status::of(Availability::OFFLINE);
        status.network = SourceNetwork::SameEnterprise;
        if self.of(Kind::Tuple).next().is_none() {
            return status;
        }
        let activity = self.activity(Kind::Person).or_else(|| self.activity(Kind::Tuple));
        let idle = self.idle();
        status.availability = match (activity.map_or(Weight::Available, |activity| activity.weight), idle) {
            (Weight::DoNotDisturb, _) => Availability::DO_NOT_DISTURB,
            (Weight::Busy, false) => Availability::BUSY,
            (Weight::Busy, true) => Availability::IDLE_BUSY,
            (Weight::BeRightBack, _) => Availability::BE_RIGHT_BACK,
            (Weight::Away, _) => Availability::AWAY,
            (Weight::Available, true) => Availability::IDLE_ONLINE,
            (Weight::Available, false) => Availability::ONLINE,
        };
        status.activity = activity.and_then(|activity| activity.token).map(Arc::from);
        status.location = self.newest(Kind::Person, |part| part.place.as_deref()).map(Arc::from);
        if status.location.is_none() {
            status.location = self.newest(Kind::Tuple, |part| part.place.as_deref()).map(Arc::from);
        }
        status.device = self
            .newest(Kind::Device, Part::device)
            .or_else(|| self.newest(Kind::Tuple, Part::device))
            .unwrap_or_default();
        status.modalities = Modalities {
            audio: self.modality(|part| part.audio),
            video: self.modality(|part| part.video),
            text: self.modality(|part| part.message),
        };
        status
    }

    /// The weightiest activity of the parts of a kind; of equals the one with the newest timestamp, then the first.
    fn activity(&self, kind: Kind) -> Option<Activity> {
        let candidates = self.of(kind).filter_map(|part| part.activity.map(|activity| (part.timestamp, activity)));
        let best =
            candidates.reduce(|best, next| if (next.1.weight, next.0) > (best.1.weight, best.0) { next } else { best });
        best.map(|(_, activity)| activity)
    }

    /// What the person says; otherwise idle when a device or an open tuple is, and none is in use.
    fn idle(&self) -> bool {
        if let Some(idle) = self.newest(Kind::Person, |part| part.idle) {
            return idle;
        }
        let (mut idle, mut used) = (false, false);
        for said in self.of(Kind::Device).chain(self.of(Kind::Tuple)).filter_map(|part| part.idle) {
            idle |= said;
            used |= !said;
        }
        idle && !used
    }

    /// What the newest part of a kind that says anything says; of equals the first.
    fn newest<'a, T>(&'a self, kind: Kind, says: impl Fn(&'a Part) -> Option<T>) -> Option<T> {
        let candidates = self.of(kind).filter_map(|part| says(part).map(|said| (part.timestamp, said)));
        candidates.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, said)| said)
    }

    /// Enabled when one open tuple can, disabled when all that say anything cannot.
    fn modality(&self, says: impl Fn(&Part) -> Option<bool>) -> Modality {
        let mut modality = Modality::Unknown;
        for able in self.of(Kind::Tuple).filter_map(says) {
            if able {
                return Modality::Enabled;
            }
            modality = Modality::Disabled;
        }
        modality
    }
}
