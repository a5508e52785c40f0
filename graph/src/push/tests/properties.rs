//! Whatever is answered and whatever is notified.

use proptest::prelude::*;

use super::*;

/// What happens next.
#[derive(Clone, Debug)]
enum Event {
    Assign(u32, u32),
    Release(u32, u32),
    Usable(bool),
    /// Time passes until the next deadline, or this many seconds.
    Wait(Option<u64>),
    Ask,
    Postponed,
    /// The outstanding request is answered with this status; the number is what is in the body.
    Answer(u16, u8),
    Notice {
        id: u8,
        generation: u64,
        user: u32,
        lifecycle: Option<Lifecycle>,
    },
    Found(u32, bool),
    Stop,
}

fn event() -> impl Strategy<Value = Event> {
    let status = prop::sample::select(vec![200_u16, 200, 200, 200, 200, 400, 401, 403, 404, 409, 429, 503, 0]);
    let lifecycle = prop::option::weighted(
        0.3,
        prop::sample::select(vec![
            Lifecycle::Missed,
            Lifecycle::ReauthorizationRequired,
            Lifecycle::SubscriptionRemoved,
        ]),
    );
    prop_oneof![
        3 => (0_u32..700, 1_u32..700).prop_map(|(first, number)| Event::Assign(first, number)),
        2 => (0_u32..700, 1_u32..700).prop_map(|(first, number)| Event::Release(first, number)),
        2 => prop::bool::weighted(0.8).prop_map(Event::Usable),
        10 => prop::option::weighted(0.3, 0_u64..5_000).prop_map(Event::Wait),
        20 => Just(Event::Ask),
        1 => Just(Event::Postponed),
        20 => (status, 0_u8..6).prop_map(|(status, body)| Event::Answer(status, body)),
        5 => (0_u8..6, 0_u64..8, 0_u32..20, lifecycle)
            .prop_map(|(id, generation, user, lifecycle)| Event::Notice { id, generation, user, lifecycle }),
        10 => (0_u32..20, prop::bool::weighted(0.2)).prop_map(|(user, told)| Event::Found(user, told)),
        1 => Just(Event::Stop),
    ]
}

/// What Microsoft has told the machine for certain.
#[derive(Default)]
struct Told {
    outstanding: Option<Request>,
    /// There is a subscription with this id, until then.
    stands: Option<(String, Instant)>,
}

impl Told {
    fn answered(&mut self, now: Instant, request: &Request, status: u16, body: u8) {
        let id = request.path.rsplit('/').next().unwrap_or_default();
        let is_it = self.stands.as_ref().is_some_and(|(stands, _)| stands == id);
        // The time of day in an answer is up to a second late.
        let until = now + (u32::from(body) * 15 * MINUTE).clamp(MINUTE, HOUR) - SECOND;
        match (request.method, status) {
            (Method::Post, 200) if body != 0 => self.stands = Some((format!("s{body}"), until)),
            (Method::Patch, 200) if is_it => self.stands = Some((id.to_owned(), until.min(now + 58 * MINUTE))),
            (Method::Delete, 200 | 400 | 403 | 404 | 409) | (Method::Patch, 404) if is_it => self.stands = None,
            _ => {}
        }
    }
}

fn check(account: &Account, told: &Told) -> Result<(), TestCaseError> {
    let push = &account.push;
    prop_assert!(push.users() <= 600 && push.users() + push.room() == 600);
    prop_assert!(told.outstanding.is_none() || !push.has_request(account.now), "one at a time");
    let may_rest = matches!(push.shown(), PushState::Idle | PushState::Listening) || told.outstanding.is_some();
    prop_assert!(may_rest || push.poll_timeout().is_some() || push.is_stopped(), "{:?} for ever", push.shown());
    Ok(())
}

fn run(events: Vec<Event>) -> Result<(), TestCaseError> {
    let mut account = Account::of(0);
    let mut told = Told::default();
    for event in events {
        let now = account.now;
        match event {
            Event::Assign(first, number) => (first..first + number).for_each(|one| account.push.assign(now, user(one))),
            Event::Release(first, number) => {
                (first..first + number).for_each(|one| account.push.release(now, user(one)));
            }
            Event::Usable(usable) => account.push.set_usable(now, usable),
            Event::Wait(seconds) => {
                let next = account.push.poll_timeout().filter(|_| seconds.is_none());
                account.now = next.unwrap_or(now + Duration::from_secs(seconds.unwrap_or(1))).max(now);
                account.push.handle_timeout(account.now);
                let at = account.push.poll_timeout();
                prop_assert!(at.is_none_or(|at| at > account.now), "a deadline that is over: {:?}", account.push);
                told.stands = told.stands.filter(|(_, until)| *until > account.now);
            }
            Event::Ask => {
                let request = account.push.next_request(now);
                prop_assert!(request.is_none() || told.outstanding.is_none());
                if let Some(request) = &request {
                    let is_creation = request.method == Method::Post;
                    prop_assert!(!is_creation || told.stands.is_none(), "two subscriptions wanted: {:?}", told.stands);
                    prop_assert!(!is_creation || account.push.expects_handshake(now));
                    told.outstanding = Some(request.clone());
                }
            }
            Event::Postponed => {
                account.push.postponed(now);
                told.outstanding = None;
            }
            Event::Answer(status, body) => {
                let Some(request) = told.outstanding.take() else { continue };
                told.answered(now, &request, status, body);
                let until = humantime_of(account.time_of_day() + u32::from(body) * 15 * MINUTE);
                let text = match (request.method, body) {
                    (_, 0) => json!({"value": 7}),
                    (Method::Get, 1 | 2) => json!({"value": [{"id": "left", "notificationUrl": URL}]}),
                    (Method::Get, _) => json!({"value": []}),
                    _ => json!({"id": format!("s{body}"), "expirationDateTime": until}),
                };
                match status {
                    0 => account.answer_nothing(),
                    status => account.answer(status, &text),
                }
            }
            Event::Notice { id, generation, user: number, lifecycle } => {
                let user = Some(user(number)).filter(|_| lifecycle.is_none());
                let notice = Notice { user, lifecycle, ..account.notice(&format!("s{id}"), generation) };
                let is_ours = account.push.noticed(now, &notice);
                if is_ours && lifecycle == Some(Lifecycle::SubscriptionRemoved) {
                    told.stands = None;
                }
            }
            Event::Found(number, was_told) => account.push.found(now, user(number), was_told),
            Event::Stop => {
                account.push.stop(now);
                told.outstanding = told.outstanding.filter(|_| account.push.outstanding.is_some());
            }
        }
        if account.push.outstanding.is_none() {
            // Only the end gives up waiting for an answer.
            prop_assert!(told.outstanding.is_none() || account.push.is_stopped());
            told.outstanding = None;
        }
        account.drain();
        check(&account, &told)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_request_one_subscription_600_users_and_always_a_deadline(events in prop::collection::vec(event(), 1..400)) {
        run(events)?;
    }
}
