//! Two tenants, and who is in them.

use std::num::NonZeroU32;

use presence_core::AgentUri;
use presence_graph::{AccountKind, GraphSettings};
use presence_simulator::{Dice, GraphServiceSettings, ServiceTenant, ServiceUser};

use crate::chance::{FIRST, SECOND};
use crate::world::{World, account, client_secret, notifications, refresh_token, settings, tenant};

/// Users of the two tenants; one more of each is wanted and does not exist.
pub(super) const USERS: [usize; 2] = [260, 140];
pub(super) const AGENTS: usize = USERS[0] + USERS[1] + 2;
const OTHER: &str = "5229ee5e-f566-4646-8e56-c4646f695dbe";

/// What is said, and the number that it is.
pub(super) const STATES: [(&str, &str, Option<i64>); 14] = [
    ("Available", "Available", Some(3_500)),
    ("Available", "OutOfOffice", Some(3_500)),
    ("AvailableIdle", "Inactive", Some(5_000)),
    ("busy", "inACall", Some(6_500)),
    ("Busy", "Busy", Some(6_500)),
    ("Busy", "InAConferenceCall", Some(7_000)),
    ("DoNotDisturb", "Presenting", Some(9_500)),
    ("BeRightBack", "BeRightBack", Some(12_500)),
    ("Away", "Away", Some(15_500)),
    ("Offline", "OffWork", Some(18_500)),
    ("Offline", "Offline", Some(18_500)),
    ("PresenceUnknown", "PresenceUnknown", None),
    ("Teleporting", "Vanished", None),
    ("Teleporting", "Busy", Some(6_500)),
];

/// The address of a user, or of somebody who is none: the last of each tenant.
pub(super) fn address(number: usize) -> String {
    match number.checked_sub(USERS[0] + 1) {
        None => format!("agent{}@{FIRST}", number + 1),
        Some(number) => format!("agent{}@{SECOND}", number + 1),
    }
}

pub(super) fn uri(number: usize) -> AgentUri {
    format!("sip:{}", address(number)).parse().unwrap()
}

pub(super) fn exists(number: usize) -> bool {
    number != USERS[0] && number != AGENTS - 1
}

/// Two tenants, each with an application and a person who is signed in, perhaps without the application.
pub(super) fn world(dice: &mut Dice, seed: u64, rate: usize) -> World {
    let mut service = GraphServiceSettings::with_users(USERS[0] as u32, FIRST).and_user("person1", "first-token");
    service.seed = seed;
    let mut theirs = service.tenants[0].accounts.clone();
    (theirs[0].name, theirs[1].name) = ("account2".to_owned(), "person2".to_owned());
    theirs[1].credential = presence_simulator::ServiceCredential::User(Some("second-token".to_owned()));
    let users = (1..=USERS[1] as u32).map(|number| ServiceUser::numbered(1, number, SECOND)).collect();
    let (id, domains) = (OTHER.to_owned(), vec![SECOND.to_owned()]);
    service.tenants.push(ServiceTenant { id, domains, accounts: theirs, users });
    let person_only = dice.chance(1, 4);
    let of = |application: &str, person: &str, person_only: bool| {
        let application = (!person_only).then(|| account(application, AccountKind::Application));
        application.into_iter().chain([account(person, AccountKind::Delegated)]).collect()
    };
    let mut tenants = vec![
        tenant(GraphServiceSettings::TENANT, of("account1", "person1", false)),
        tenant(OTHER, of("account2", "person2", person_only)),
    ];
    if dice.chance(2, 3) {
        tenants[0].domains = [FIRST.to_owned()].into();
        tenants[1].domains = [SECOND.to_owned()].into();
    }
    let notifications = notifications().filter(|_| dice.chance(3, 4));
    let requests_per_second = NonZeroU32::new(rate as u32).unwrap();
    let settings = GraphSettings { tenants, notifications, requests_per_second, ..settings() };
    let world = World::with(service, settings, |setup| setup.graph.as_mut().unwrap().seed = Some(seed));
    world.microsoft.command("rotation lenient");
    world.secrets.set("account2", Some(client_secret(GraphServiceSettings::SECRET)));
    for (person, token) in [("person1", "first-token"), ("person2", "second-token")] {
        world.secrets.set(person, Some(refresh_token(token)));
    }
    world
}
