use presence_core::{EndedBy, Failure, FailureKind};
use presence_graph::{AccountKind, PushView};

use super::verdict::{Reach, reach, troubles};
use super::*;

/// One account of each tenant, and so many agents.
pub(super) fn tenant(id: &str, up: bool, agents: usize) -> TenantView {
    let account = AccountView {
        name: format!("{id}-poll").into(),
        kind: AccountKind::Application,
        state: AccountState::Working,
        token_until: None,
        batches: 1,
        requests: 10,
        throttled: 0,
        push: None,
    };
    TenantView {
        id: id.into(),
        up,
        last_failure: None,
        retry_at: None,
        agents,
        looking_up: 0,
        batches: 1,
        sweep: Duration::from_secs(5),
        swept_at: None,
        accounts: vec![account],
    }
}

fn expired() -> Failure {
    Failure::answered(FailureKind::Endpoint, 401, "AADSTS7000222: the client secret has expired")
}

fn clock(_: Instant) -> String {
    "14:05:49".to_owned()
}

/// The tenants, and what was reported of their accounts.
struct House {
    now: Instant,
    view: GraphView,
    memory: GraphMemory,
}

impl House {
    fn of(tenants: Vec<TenantView>) -> Self {
        let now = presence_actors::now();
        let view = GraphView { tenants, ..GraphView::default() };
        let mut house = Self { now, view, memory: GraphMemory::new(now) };
        house.look(0);
        house
    }

    /// So many seconds later.
    fn look(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.memory.look(self.now, Some(&self.view), 0);
    }

    fn down(&mut self, tenant: usize, failure: Failure) {
        let view = &mut self.view.tenants[tenant];
        view.accounts[0].state = AccountState::Failed { failure: failure.clone(), retry_at: self.now };
        (view.up, view.last_failure, view.retry_at) = (false, Some(failure), Some(self.now + Duration::from_secs(900)));
    }

    fn person_is_needed(&mut self, account: &str) {
        let (account, retry_at) = (Arc::from(account), self.now);
        self.memory.reported(&Report::AccountFailed { account, failure: expired(), needs_a_person: true, retry_at });
    }

    fn reach(&self) -> Reach {
        reach(&self.memory, self.now, &clock)
    }

    fn troubles(&self) -> Vec<String> {
        troubles(&self.memory, self.now, &clock).collect()
    }
}

#[test]
fn a_tenant_that_is_asked_is_enough_and_nothing_is_a_trouble() {
    let house = House::of(vec![tenant("contoso", true, 8)]);
    assert_eq!((house.reach(), house.troubles(), house.memory.ready(house.now)), (Reach::Some, vec![], Ok(())));
    let off = GraphMemory::new(house.now);
    assert_eq!((reach(&off, house.now, &clock), off.ready(house.now)), (Reach::Some, Ok(())));
}

#[test]
fn a_tenant_of_which_nobody_wants_anything_is_not_down() {
    let house = House::of(vec![tenant("contoso", false, 0)]);
    assert_eq!((house.reach(), house.memory.ready(house.now)), (Reach::Some, Ok(())));
}

#[test]
fn an_expired_secret_of_the_only_tenant_is_said_once_and_that_a_person_is_needed() {
    let mut house = House::of(vec![tenant("contoso", true, 8)]);
    house.down(0, expired());
    house.person_is_needed("contoso-poll");
    house.look(1);
    let said = "Tenant contoso cannot be asked since 14:05:49 (401 AADSTS7000222: the client secret has expired): its 8 \
                agents keep their last presence as stale; next attempt in 15 min.";
    assert_eq!(house.reach(), Reach::None(said.to_owned()));
    assert_eq!(house.troubles(), ["Account contoso-poll needs a person."]);
}

#[test]
fn a_failure_is_told_without_the_numbers_for_microsofts_support() {
    let text =
        "invalid_client (AADSTS7000222): The client secret keys are expired. Trace ID: 27be Correlation ID: 7d52";
    let failure = Failure::answered(FailureKind::Endpoint, 401, text);
    assert_eq!(brief(&failure), "401 invalid_client (AADSTS7000222): The client secret keys are expired");
    assert_eq!(brief(&expired()), "401 AADSTS7000222: the client secret has expired");
    let failure = Failure::answered(FailureKind::Endpoint, 503, "Unavailable: Try later. (request-id 538d-4484)");
    assert_eq!(brief(&failure), "503 Unavailable: Try later");
}

#[test]
fn one_tenant_of_two_is_a_trouble_and_not_the_end() {
    let mut house = House::of(vec![tenant("contoso", true, 8), tenant("fabrikam", true, 1)]);
    house.down(1, Failure::new(FailureKind::Endpoint, EndedBy::Network, "connection refused"));
    house.look(1);
    assert_eq!(house.reach(), Reach::Some);
    let said = "Tenant fabrikam cannot be asked since 14:05:49 (connection refused): its agent keeps its last presence as \
                stale; next attempt in 15 min.";
    assert_eq!(house.troubles(), [said]);
    house.down(0, expired());
    house.look(1);
    let Reach::None(both) = house.reach() else { panic!("{:?}", house.reach()) };
    assert!(both.starts_with("No tenant of Microsoft Graph can be asked. Tenant contoso cannot"), "{both}");
}

#[test]
fn at_the_start_microsoft_is_given_ten_seconds() {
    let mut house = House::of(vec![tenant("contoso", false, 8)]);
    house.look(9);
    assert_eq!(house.reach(), Reach::NotYet);
    assert!(house.memory.ready(house.now).is_err(), "nobody is ready before there was an answer");
    house.look(1);
    let said = "Tenant contoso has not answered since the start at 14:05:49: its 8 agents are unknown.";
    assert_eq!(house.reach(), Reach::None(said.to_owned()));
}

#[test]
fn the_source_is_unready_when_no_tenant_could_be_asked_for_half_a_minute() {
    let mut house = House::of(vec![tenant("contoso", true, 8), tenant("fabrikam", true, 8)]);
    house.down(0, expired());
    house.down(1, expired());
    house.look(1);
    house.look(29);
    assert_eq!(house.memory.ready(house.now), Ok(()));
    house.look(1);
    let why = "no tenant can be asked: contoso: 401 AADSTS7000222: the client secret has expired; \
               fabrikam: 401 AADSTS7000222: the client secret has expired";
    assert_eq!(house.memory.ready(house.now), Err(why.to_owned()));
    house.view.tenants[0].up = true;
    house.look(1);
    assert_eq!(house.memory.ready(house.now), Ok(()));
}

#[test]
fn an_account_that_fails_beside_another_one_and_contested_notifications_need_a_look() {
    let mut house = House::of(vec![tenant("contoso", true, 8)]);
    let account = &mut house.view.tenants[0].accounts[0];
    account.push = Some(PushView { state: PushState::Contested, users: 8, expires_at: None, notices: 0, missed: 0 });
    house.look(1);
    let contested =
        "The change notifications of account contoso-poll belong to another process; its agents are asked for.";
    assert_eq!(house.troubles(), [contested]);
    house.view.tenants[0].accounts[0].state = AccountState::Failed { failure: expired(), retry_at: house.now };
    house.look(1);
    let failed = "Account contoso-poll cannot be used, and is tried again by itself: 401 AADSTS7000222: the client secret \
                  has expired.";
    assert_eq!(house.troubles(), [failed]);
    house.person_is_needed("contoso-poll");
    house.look(1);
    let person = "Account contoso-poll needs a person: 401 AADSTS7000222: the client secret has expired.";
    assert_eq!(house.troubles(), [person]);
    house.memory.reported(&Report::AccountUp { account: "contoso-poll".into() });
    house.view.tenants[0].accounts[0].state = AccountState::Working;
    house.view.tenants[0].accounts[0].push = None;
    house.look(1);
    assert_eq!(house.troubles(), Vec::<String>::new());
}

#[test]
fn agents_without_an_answer_are_a_trouble_after_a_while_only() {
    let now = presence_actors::now();
    let mut memory = GraphMemory::new(now);
    let view = GraphView { tenants: vec![tenant("contoso", true, 8)], ..GraphView::default() };
    let mut silent = |seconds, unheard| {
        let now = now + Duration::from_secs(seconds);
        memory.look(now, Some(&view), unheard);
        memory.is_silent(now)
    };
    assert_eq!(
        [silent(0, 8), silent(14, 8), silent(15, 1), silent(16, 0), silent(17, 8)],
        [false, false, true, false, false]
    );
}

#[test]
fn every_state_has_its_sentence_and_nothing_is_promised_that_is_not_known() {
    let now = presence_actors::now();
    let mut memory = GraphMemory::new(now);
    let told = |memory: &GraphMemory, tenant: &TenantView| {
        let view = GraphView { tenants: vec![tenant.clone()], ..GraphView::default() };
        memory.told(now, &view, &clock).remove(0)
    };
    let mut one = tenant("contoso", true, 8);
    assert_eq!(told(&memory, &one).says, "8 agents are asked for every 5 s in 1 request.");
    one.looking_up = 2;
    assert_eq!(told(&memory, &one).says, "8 agents are asked for every 5 s in 1 request. 2 are being looked up.");
    one.agents = 0;
    assert_eq!(told(&memory, &one).says, "2 are being looked up.");
    one.looking_up = 0;
    assert_eq!(told(&memory, &one).says, "No queue asks for an agent of it.");
    (one.up, one.agents) = (false, 1);
    assert_eq!(told(&memory, &one).says, "It has not answered yet.");
    let retry_at = now + Duration::from_secs(42);
    (one.last_failure, one.retry_at) = (Some(expired()), Some(retry_at));
    one.accounts[0].state = AccountState::Failed { failure: expired(), retry_at };
    memory.look(now, Some(&GraphView { tenants: vec![one.clone()], ..GraphView::default() }), 1);
    let said = told(&memory, &one);
    let sentence = "Cannot be asked since 14:05:49: 401 AADSTS7000222: the client secret has expired; its agent keeps its \
                    last presence as stale. Next attempt in 42 s at 14:05:49.";
    assert_eq!((said.says.as_str(), said.retry_in), (sentence, Some(42.0)));
    let sentence =
        "Cannot be used: 401 AADSTS7000222: the client secret has expired. Next attempt in 42 s at 14:05:49.";
    assert_eq!((said.accounts[0].says.as_str(), said.accounts[0].needs_a_person), (sentence, false));
    let account = Arc::from("contoso-poll");
    memory.reported(&Report::AccountFailed { account, failure: expired(), needs_a_person: true, retry_at });
    let said = told(&memory, &one);
    let says = &said.accounts[0].says;
    assert!(
        said.accounts[0].needs_a_person && says.contains("Only a person can mend that. To do: make a new"),
        "{says}"
    );
    let less = Failure::answered(FailureKind::Transient, 429, "TooManyRequests: later");
    one.accounts[0].state = AccountState::Failed { failure: less, retry_at };
    let says = told(&memory, &one).accounts[0].says.clone();
    assert!(says.starts_with("Microsoft asks for fewer requests: 429 TooManyRequests: later."), "{says}");
    one.retry_at = Some(now);
    let says = told(&memory, &one).says;
    assert!(says.ends_with("as stale. It is being tried now."), "{says}");
    one.accounts[0].push = Some(PushView { state: PushState::Idle, users: 3, expires_at: None, notices: 0, missed: 0 });
    let push = told(&memory, &one).accounts[0].push.clone().expect("one");
    assert_eq!(push.says, "Changes of 3 users will be notified when the account works.");
    one.accounts[0].push =
        Some(PushView { state: PushState::Listening, users: 1, expires_at: Some(now), notices: 3, missed: 1 });
    let push = told(&memory, &one).accounts[0].push.clone().expect("one");
    assert_eq!(push.says, "Changes of 1 user are notified until 14:05:49, and renewed before.");
    assert_eq!((push.notices, push.missed, push.users), (3, 1, 1));
}
