//! Presence categories: what a pool publishes of an agent (MS-PRES; schema MS-PRES 7.2).

mod agent;
mod reader;

use presence_core::{Availability, DeviceType, Modalities};

pub use agent::AgentCategories;
pub use reader::{read_categories, read_categories_uri, read_category_value};

/// One `categories` document: all or some of the categories of one agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CategoriesDocument {
    /// The agent, as written.
    pub uri: Option<String>,
    /// The categories in the order of the document.
    pub categories: Vec<Category>,
}

/// One instance of a category.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// Which category.
    pub name: CategoryName,
    /// Which instance of it; `None` when the document does not say, or not with a number.
    pub instance: Option<u64>,
    /// What it holds; `None` for an empty element: the instance is removed, or all instances when none is named.
    pub value: Option<CategoryValue>,
}

/// The name of a category.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CategoryName {
    /// `state`: availability, activity, device.
    State,
    /// `services`: what can be used to reach the agent.
    Services,
    /// Another one, which is not read.
    Other(Box<str>),
}

/// What an instance of a category holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CategoryValue {
    /// A `state` element.
    State(StateCategory),
    /// A `services` element.
    Services(ServicesCategory),
    /// Something else than the name of the category promises, or of a category that is not read.
    Other,
}

/// A `state` element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateCategory {
    /// Whose state: its `xsi:type`.
    pub kind: StateKind,
    /// The number on the scale; `None` without an element, [`Availability::UNKNOWN`] when it is no number of the scale.
    pub availability: Option<Availability>,
    /// The activity.
    pub activity: Option<Activity>,
    /// Where the endpoint says to be (`endpointLocation`): office, home, mobile, none, or a free text.
    pub location: Option<Box<str>>,
    /// The device. The set is open: a word that is not known is [`DeviceType::Custom`].
    pub device: DeviceType,
    /// Since when the agent has not been active, as written; only for Away and Offline.
    pub last_active: Option<Box<str>>,
}

/// Whose state a `state` element holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateKind {
    /// `aggregateState`: the server's sum of all others, and normally the only one that others may see.
    Aggregate,
    /// `aggregateMachineState`: the sum of what one endpoint's machine says.
    AggregateMachine,
    /// `userState`: what the agent has set by hand.
    User,
    /// `machineState`: whether a machine is used.
    Machine,
    /// `phoneState`: in a call or conference.
    Phone,
    /// `calendarState`: what the calendar says.
    Calendar,
    /// No type, or another.
    #[default]
    Other,
}

/// An `activity` element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// The token, such as `on-the-phone`; an open set. Empty when there is none.
    pub token: Box<str>,
    /// The token applies from this availability on.
    pub min: Option<i32>,
    /// The token applies up to this availability.
    pub max: Option<i32>,
    /// Texts of the agent's own, by the number of their language (LCID).
    pub custom: Vec<(u32, Box<str>)>,
}

/// A `services` element.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServicesCategory {
    /// Of each modality whether any service has it (can render or capture), has it in name only, or does not mention it.
    pub modalities: Modalities,
}

impl StateCategory {
    /// The activity token if there is one and it applies at this availability.
    ///
    /// A custom text is no token: it is for people, in one of several languages, and UCCs compare tokens.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        let activity = self.activity.as_ref().filter(|activity| !activity.token.is_empty())?;
        let value = self.availability.map_or(-1, Availability::value);
        let applies = activity.min.is_none_or(|min| min <= value) && activity.max.is_none_or(|max| value <= max);
        applies.then_some(&*activity.token)
    }
}

impl StateKind {
    /// Reads an `xsi:type`, with or without a prefix.
    fn named(name: &str) -> Self {
        let name = name.trim();
        match name.split_once(':').map_or(name, |(_, name)| name) {
            "aggregateState" => Self::Aggregate,
            "aggregateMachineState" => Self::AggregateMachine,
            "userState" => Self::User,
            "machineState" => Self::Machine,
            "phoneState" => Self::Phone,
            "calendarState" => Self::Calendar,
            _ => Self::Other,
        }
    }
}
