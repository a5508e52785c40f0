//! The tenants: who is in them and how everyone is.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::settings::{ServiceAccount, ServiceTenant, ServiceUser};

/// A tenant.
#[derive(Debug)]
pub(super) struct Tenant {
    pub(super) id: String,
    pub(super) domains: Vec<String>,
    pub(super) accounts: Vec<ServiceAccount>,
    pub(super) users: Vec<Person>,
    /// By object id.
    ids: BTreeMap<String, usize>,
    /// By userPrincipalName in lower case.
    upns: BTreeMap<String, usize>,
}

/// A user and how they are.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) user: ServiceUser,
    pub(super) now: State,
    /// What was before.
    pub(super) before: State,
    /// Not in the directory any more.
    pub(super) removed: bool,
}

/// A presence with its stamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) availability: Cow<'static, str>,
    pub(super) activity: Cow<'static, str>,
    pub(super) sequence: u64,
}

impl State {
    /// `sequenceNumber`, which sorts as text.
    pub(super) fn stamp(&self) -> String {
        format!("A{:010}", self.sequence)
    }
}

/// Presences that people are in, as Microsoft combines them.
pub(super) const STATES: [(&str, &str); 12] = [
    ("Available", "Available"),
    ("Available", "OutOfOffice"),
    ("AvailableIdle", "Inactive"),
    ("Busy", "Busy"),
    ("Busy", "InACall"),
    ("Busy", "InAConferenceCall"),
    ("Busy", "InAMeeting"),
    ("DoNotDisturb", "DoNotDisturb"),
    ("DoNotDisturb", "Presenting"),
    ("BeRightBack", "BeRightBack"),
    ("Away", "Away"),
    ("Offline", "OffWork"),
];

/// The first stamp.
const FIRST: u64 = 129_311_063;

impl Tenant {
    pub(super) fn new(settings: ServiceTenant) -> Self {
        let ServiceTenant { id, domains, accounts, users } = settings;
        let mut tenant = Self {
            id: id.to_ascii_lowercase(),
            domains: domains.iter().map(|domain| domain.to_ascii_lowercase()).collect(),
            accounts,
            users: Vec::new(),
            ids: BTreeMap::new(),
            upns: BTreeMap::new(),
        };
        for user in users {
            tenant.add(user);
        }
        tenant
    }

    /// Adds a user; the number.
    pub(super) fn add(&mut self, mut user: ServiceUser) -> usize {
        user.id.make_ascii_lowercase();
        let number = self.users.len();
        self.ids.insert(user.id.clone(), number);
        self.upns.insert(user.upn.to_lowercase(), number);
        let state = State { availability: "Available".into(), activity: "Available".into(), sequence: FIRST };
        self.users.push(Person { user, now: state.clone(), before: state, removed: false });
        number
    }

    /// True when this tenant is meant: by its GUID or one of its domains.
    pub(super) fn is_called(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.id == name || self.domains.contains(&name)
    }

    /// The user with this object id (any case), unless removed.
    pub(super) fn by_id(&self, id: &str) -> Option<usize> {
        self.there(self.ids.get(&id.to_ascii_lowercase()).copied())
    }

    /// The user with this userPrincipalName, unless removed.
    pub(super) fn by_upn(&self, upn: &str) -> Option<usize> {
        self.there(self.upns.get(&upn.to_lowercase()).copied())
    }

    /// The user meant in a command, even a removed one: object id, userPrincipalName or an address.
    pub(super) fn named(&self, name: &str) -> Option<usize> {
        let name = name.strip_prefix("sip:").unwrap_or(name).to_lowercase();
        let by_name = self.ids.get(&name).or_else(|| self.upns.get(&name)).copied();
        by_name.or_else(|| {
            let address = format!("sip:{name}");
            self.users
                .iter()
                .position(|person| person.user.im_addresses.iter().any(|im| im.eq_ignore_ascii_case(&address)))
        })
    }

    /// Gives a user another userPrincipalName.
    pub(super) fn rename(&mut self, user: usize, upn: String) {
        if let Some(person) = self.users.get_mut(user) {
            self.upns.remove(&person.user.upn.to_lowercase());
            self.upns.insert(upn.to_lowercase(), user);
            person.user.upn = upn;
        }
    }

    fn there(&self, number: Option<usize>) -> Option<usize> {
        number.filter(|number| self.users.get(*number).is_some_and(|person| !person.removed))
    }
}

impl Person {
    /// Changes the presence; false when it was the same.
    pub(super) fn set(&mut self, availability: Cow<'static, str>, activity: Cow<'static, str>) -> bool {
        if self.now.availability == availability && self.now.activity == activity {
            return false;
        }
        let sequence = self.now.sequence + 1;
        self.before = std::mem::replace(&mut self.now, State { availability, activity, sequence });
        true
    }
}
