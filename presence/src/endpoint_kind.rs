//! The two local endpoints that an agent's presence can be subscribed through.

use std::fmt;

/// Which local endpoint: the seed's application endpoint (mandatory) or its user endpoint (optional, hybrid).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointKind {
    /// The trusted application's endpoint (`ApplicationEndpoint` of Config.xml).
    Application,
    /// The ordinary user's endpoint (`UserEndpoint` of Config.xml).
    User,
}

impl EndpointKind {
    /// Both, the application endpoint first.
    pub const ALL: [Self; 2] = [Self::Application, Self::User];

    /// The one that is tried when this one refuses.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Application => Self::User,
            Self::User => Self::Application,
        }
    }

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Application => 0,
            Self::User => 1,
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Application => 1,
            Self::User => 2,
        }
    }
}

impl fmt::Display for EndpointKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Application => "application endpoint",
            Self::User => "user endpoint",
        })
    }
}

/// A set of local endpoints.
///
/// ```
/// use presence_core::{EndpointKind, EndpointSet};
/// let both = EndpointSet::EMPTY.with(EndpointKind::User).with(EndpointKind::Application);
/// assert_eq!(both.iter().collect::<Vec<_>>(), EndpointKind::ALL);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointSet(u8);

impl EndpointSet {
    /// No endpoint.
    pub const EMPTY: Self = Self(0);

    /// The set with one more.
    #[must_use]
    pub const fn with(self, endpoint: EndpointKind) -> Self {
        Self(self.0 | endpoint.bit())
    }

    /// Adds one.
    pub const fn insert(&mut self, endpoint: EndpointKind) {
        self.0 |= endpoint.bit();
    }

    /// Takes one out.
    pub const fn remove(&mut self, endpoint: EndpointKind) {
        self.0 &= !endpoint.bit();
    }

    /// True when it is in the set.
    #[must_use]
    pub const fn contains(self, endpoint: EndpointKind) -> bool {
        self.0 & endpoint.bit() != 0
    }

    /// True when nothing is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What is in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The endpoints of the set, the application endpoint first.
    pub fn iter(self) -> impl Iterator<Item = EndpointKind> {
        EndpointKind::ALL.into_iter().filter(move |&endpoint| self.contains(endpoint))
    }
}

impl FromIterator<EndpointKind> for EndpointSet {
    fn from_iter<I: IntoIterator<Item = EndpointKind>>(endpoints: I) -> Self {
        endpoints.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for EndpointSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_each_endpoint_once_and_lists_the_application_endpoint_first() {
        let mut set = EndpointSet::EMPTY;
        assert!(set.is_empty());
        set.insert(EndpointKind::User);
        set.insert(EndpointKind::User);
        assert_eq!(set.iter().collect::<Vec<_>>(), [EndpointKind::User]);
        set.insert(EndpointKind::Application);
        assert_eq!(set.iter().collect::<Vec<_>>(), EndpointKind::ALL);
        set.remove(EndpointKind::User);
        assert!(!set.contains(EndpointKind::User) && set.contains(EndpointKind::Application));
        assert_eq!(EndpointKind::ALL.into_iter().collect::<EndpointSet>().without(set).iter().count(), 1);
        assert_eq!(EndpointKind::User.other().other(), EndpointKind::User);
        assert_eq!(EndpointKind::User.to_string(), "user endpoint");
    }
}
