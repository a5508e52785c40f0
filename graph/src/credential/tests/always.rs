//! What holds whatever happens.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Want,
    Load,
    LoadRefresh,
    NoSecret,
    Token(u16),
    Refused,
    Down,
    Garbage(Vec<u8>),
    Rejected,
    RejectedOld,
    Pass(u32),
    Due,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Want),
        5 => Just(Step::Load),
        3 => Just(Step::LoadRefresh),
        1 => Just(Step::NoSecret),
        5 => any::<u16>().prop_map(Step::Token),
        2 => Just(Step::Refused),
        2 => Just(Step::Down),
        1 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(Step::Garbage),
        2 => Just(Step::Rejected),
        1 => Just(Step::RejectedOld),
        2 => (0..100_000_u32).prop_map(Step::Pass),
        4 => Just(Step::Due),
    ]
}

proptest! {
    #[test]
    fn one_fetch_at_a_time_a_retry_after_every_failure_and_no_secret_in_sight(
        steps in proptest::collection::vec(step(), 0..150),
    ) {
        let mut account = Account::new();
        let mut wanted = false;
        // When it was asked for, while it is open.
        let (mut loading, mut fetching): (Option<Instant>, Option<Instant>) = (None, None);
        for step in steps {
            let now = account.now;
            match step {
                Step::Want => { wanted = true; account.credential.want(now); }
                Step::Load => { loading = None; account.credential.secret_loaded(now, Ok(client_secret())); }
                Step::LoadRefresh => { loading = None; account.credential.secret_loaded(now, Ok(refresh_token(SECRET))); }
                Step::NoSecret => { loading = None; account.credential.secret_loaded(now, Err("not there".to_owned())); }
                Step::Token(life) => {
                    fetching = None;
                    let body = json!({"access_token": format!("{SECRET}{life}"), "expires_in": life, "refresh_token": SECRET});
                    account.answer(200, &body);
                }
                Step::Refused => { fetching = None; account.answer(400, &json!({"error": "x", "error_description": SECRET})); }
                Step::Down => { fetching = None; account.credential.answered(now, Err(Trouble::Broken("reset".to_owned()))); }
                Step::Garbage(bytes) => {
                    fetching = None;
                    let garbage = Answer { status: 200 + u16::from(bytes.len() as u8) * 8, body: bytes.into(), ..answer(200, &json!(1)) };
                    account.credential.answered(now, Ok(garbage));
                }
                Step::Rejected => {
                    if let Some(token) = account.bearer() {
                        let again = account.rejected(&token);
                        prop_assert_eq!(account.bearer(), None);
                        prop_assert_eq!(again, account.credential.state() == CredentialState::Fetching);
                    }
                }
                Step::RejectedOld => { account.rejected("old"); }
                Step::Pass(milliseconds) => account.now += Duration::from_millis(milliseconds.into()),
                Step::Due => {
                    if let Some(due) = account.credential.poll_timeout() {
                        account.now = account.now.max(due);
                    }
                    account.credential.handle_timeout(account.now);
                    prop_assert!(account.credential.poll_timeout().is_none_or(|due| due > account.now), "done is done");
                }
            }
            for effect in account.effects() {
                let shown = format!("{effect:?}");
                prop_assert!(!shown.contains(SECRET), "shows a secret");
                let open = |since: Option<Instant>| since.is_some_and(|since| account.now < since + LOST);
                match effect {
                    CredentialEffect::LoadSecret => {
                        prop_assert!(wanted && !open(loading) && !open(fetching));
                        loading = Some(account.now);
                    }
                    CredentialEffect::Send(request) => {
                        prop_assert!(!open(fetching) && request.bearer.is_none());
                        fetching = Some(account.now);
                    }
                    CredentialEffect::Failed(failure) => {
                        prop_assert!(failure.retry_at > account.now);
                        prop_assert!(failure.retry_at <= account.now + Duration::from_secs(9 * HOUR));
                        prop_assert_eq!(failure.failure.kind, FailureKind::Endpoint);
                        prop_assert!(!failure.failure.detail.contains(SECRET));
                    }
                    CredentialEffect::Ready => prop_assert!(account.bearer().is_some()),
                    CredentialEffect::StoreToken(_) => {}
                }
            }
            if wanted {
                prop_assert!(account.credential.poll_timeout().is_some(), "it always goes on: {:?}", account.credential);
            }
            let shown = format!("{:?}", account.credential);
            prop_assert!(!shown.contains(SECRET));
        }
    }
}
