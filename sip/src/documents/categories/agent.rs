//! What is held of one agent between notifications, and its sum.

use std::sync::Arc;

use presence_core::{Availability, DeviceType, Modalities, Modality, SourceNetwork, Status};

use super::{Category, CategoryName, CategoryValue, StateCategory, StateKind};

/// How many instances of one category are held of one agent; a newer one takes the place of the oldest.
const INSTANCES: usize = 32;

/// The categories of one agent, merged from notifications that each bring only some of them.
///
/// Every instance of a category stands by itself: an update of `services` leaves `state` alone, and what is removed takes
/// nothing else away. It is small, and with one instance of each category it allocates only the texts of the state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentCategories {
    states: Instances<HeldState>,
    services: Instances<Modalities>,
}

impl AgentCategories {
    /// Merges the categories of one document, in their order.
    ///
    /// A value that is not what its category promises changes nothing.
    pub fn apply(&mut self, categories: &[Category]) {
        for category in categories {
            match (&category.name, &category.value) {
                (CategoryName::State, None) => self.states.remove(category.instance),
                (CategoryName::State, Some(CategoryValue::State(state))) => {
                    self.states.set(category.instance, HeldState::of(state));
                }
                (CategoryName::Services, None) => self.services.remove(category.instance),
                (CategoryName::Services, Some(CategoryValue::Services(services))) => {
                    self.services.set(category.instance, services.modalities);
                }
                _ => {}
            }
        }
    }

    /// True when no instance of a category that is read is held: nothing is known of the agent.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self.states, Instances::None) && matches!(self.services, Instances::None)
    }

    /// The sum, for an agent that is seen in `network`.
    ///
    /// The state is that of one instance: the aggregate if there is one, which is the server's own sum. Without it, and
    /// looking only at states that have an availability: what the agent has set by hand; else the least available of
    /// phone, calendar and machines, where of the machines only the most available counts, as one in use is enough. Of
    /// equals the newest. The activity is its token if it has one that applies; a custom text is no token. The location
    /// `none` is none. A modality is enabled when any instance of `services` has it.
    #[must_use]
    pub fn status(&self, network: SourceNetwork) -> Status {
        let state = self.state();
        Status {
            availability: state.and_then(|state| state.availability).unwrap_or(Availability::UNKNOWN),
            activity: state.and_then(|state| state.activity.clone()),
            location: state.and_then(|state| state.location.clone()),
            device: state.map_or(DeviceType::Undefined, |state| state.device),
            network,
            modalities: self.services.iter().fold(Modalities::default(), |sum, services| Modalities {
                audio: either(sum.audio, services.audio),
                video: either(sum.video, services.video),
                text: either(sum.text, services.text),
            }),
        }
    }

    fn state(&self) -> Option<&HeldState> {
        let newest = |kinds: &[StateKind]| {
            self.states.iter().filter(|state| state.known() && kinds.contains(&state.kind)).last()
        };
        let aggregate = self.states.iter().filter(|state| state.kind == StateKind::Aggregate).last();
        if let Some(state) = aggregate.or_else(|| newest(&[StateKind::User])) {
            return Some(state);
        }
        let machines = self
            .states
            .iter()
            .filter(|state| state.known() && state.is_machine())
            .reduce(|best, state| if state.availability <= best.availability { state } else { best });
        let others = self
            .states
            .iter()
            .filter(|state| state.known() && matches!(state.kind, StateKind::Phone | StateKind::Calendar));
        let least = machines.into_iter().chain(others).max_by_key(|state| state.availability);
        least.or_else(|| newest(&[StateKind::Other]))
    }
}

/// What the sum needs of a `state`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct HeldState {
    kind: StateKind,
    device: DeviceType,
    availability: Option<Availability>,
    activity: Option<Arc<str>>,
    location: Option<Arc<str>>,
}

impl HeldState {
    fn of(state: &StateCategory) -> Self {
        Self {
            kind: state.kind,
            device: state.device,
            availability: state.availability,
            activity: state.token().map(Arc::from),
            location: state.location.as_deref().filter(|text| !text.eq_ignore_ascii_case("none")).map(Arc::from),
        }
    }

    fn known(&self) -> bool {
        self.availability.is_some_and(Availability::is_known)
    }

    const fn is_machine(&self) -> bool {
        matches!(self.kind, StateKind::Machine | StateKind::AggregateMachine)
    }
}

const fn either(one: Modality, other: Modality) -> Modality {
    match (one, other) {
        (Modality::Enabled, _) | (_, Modality::Enabled) => Modality::Enabled,
        (Modality::Disabled, _) | (_, Modality::Disabled) => Modality::Disabled,
        (Modality::Unknown, Modality::Unknown) => Modality::Unknown,
    }
}

/// The instances of one category, the newest last. One, the usual number, needs no memory of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Instances<T> {
    #[default]
    None,
    One((u64, T)),
    Several(Vec<(u64, T)>),
}

impl<T> Instances<T> {
    /// An instance without a number is number 0.
    fn set(&mut self, instance: Option<u64>, value: T) {
        let new = (instance.unwrap_or_default(), value);
        *self = match std::mem::take(self) {
            Self::None => Self::One(new),
            Self::One(old) if old.0 == new.0 => Self::One(new),
            Self::One(old) => Self::Several(vec![old, new]),
            Self::Several(mut all) => {
                all.retain(|old| old.0 != new.0);
                if all.len() >= INSTANCES {
                    all.remove(0);
                }
                all.push(new);
                Self::Several(all)
            }
        };
    }

    /// Removes one instance, or all when none is named.
    fn remove(&mut self, instance: Option<u64>) {
        let goes = |held: &(u64, T)| instance.is_none_or(|instance| instance == held.0);
        *self = match std::mem::take(self) {
            Self::None => Self::None,
            Self::One(held) if goes(&held) => Self::None,
            Self::One(held) => Self::One(held),
            Self::Several(mut all) => {
                all.retain(|held| !goes(held));
                match all.len() {
                    0 => Self::None,
                    1 => all.pop().map_or(Self::None, Self::One),
                    _ => Self::Several(all),
                }
            }
        };
    }

    fn iter(&self) -> impl Iterator<Item = &T> {
        let all = match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(all) => all.as_slice(),
        };
        all.iter().map(|(_, value)| value)
    }
}
