//! Each failure by its name.

use super::*;

#[test]
fn an_expired_secret_is_tried_again_after_15_minutes_and_ever_later_up_to_an_hour() {
    let mut account = Account::new();
    account.credential.want(account.now);
    for minutes in [15, 30, 60, 60, 60] {
        account.load(client_secret());
        account.answer(401, &expired());
        let (failure, wait) = account.failed();
        assert!(failure.needs_a_person && !failure.is_network);
        assert_eq!(
            failure.failure.to_string(),
            "401 no token: invalid_client (AADSTS7000222): The provided client secret keys for app 'app' are expired."
        );
        assert!((minutes * 60..=minutes * 66).contains(&wait.as_secs()), "{minutes} {wait:?}");
        account.credential.want(account.now);
        assert_eq!(account.effects().len(), 0, "the back-off lasts");
        account.until(failure.retry_at);
    }
    account.get("one", HOUR);
    // Mended: the next failure begins at the beginning.
    account.due();
    account.load(client_secret());
    account.answer(401, &expired());
    let wait = account.credential.trouble().unwrap().retry_at - account.now;
    assert!(wait <= Duration::from_secs(990));
}

#[test]
fn a_token_stays_good_until_it_runs_out_while_a_new_one_cannot_be_had() {
    let mut account = Account::new();
    account.credential.want(account.now);
    account.get("one", HOUR);
    account.due();
    account.load(client_secret());
    account.answer(401, &expired());
    assert_eq!(account.effects().len(), 0, "nobody needs to know yet");
    assert!(account.credential.trouble().is_some());
    assert!(matches!(account.credential.state(), CredentialState::Ready { .. }));
    assert_eq!(account.bearer().as_deref(), Some("one"));
    let left = 3_599 - (account.now - account.credential.token.as_ref().unwrap().came_at).as_secs();
    account.pass(left);
    assert_eq!(account.bearer().as_deref(), Some("one"));
    account.pass(1);
    assert_eq!(account.bearer(), None);
    let (failure, _) = account.failed();
    assert!(failure.needs_a_person);
    assert_eq!(account.credential.state(), CredentialState::Failed(failure));
}

#[test]
fn the_login_host_in_trouble_is_the_tenants_trouble_and_is_asked_again_after_1_second_to_5_minutes() {
    let cases: [Result<Answer, Trouble>; 8] = [
        Err(Trouble::Name("no such host".to_owned())),
        Err(Trouble::Timeout(Duration::from_secs(15))),
        Ok(answer(503, &json!({}))),
        Ok(answer(429, &json!({"error": "invalid_client"}))),
        Ok(answer(302, &json!({}))),
        Ok(answer(200, &json!({"access_token": "with blank "}))),
        Ok(answer(407, &json!("proxy"))),
        Ok(answer(400, &json!({"error": "temporarily_unavailable"}))),
    ];
    for case in cases {
        let mut account = Account::new();
        account.credential.want(account.now);
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            account.load(client_secret());
            account.credential.answered(account.now, case.clone());
            let (failure, wait) = account.failed();
            assert!(failure.is_network && !failure.needs_a_person, "{failure:?}");
            assert_eq!(failure.failure.kind, FailureKind::Endpoint);
            let step = Duration::from_secs(seconds);
            assert!((step..=step * 5 / 4).contains(&wait), "{seconds} {wait:?}");
            account.until(failure.retry_at);
        }
        account.get("one", HOUR);
    }
}

#[test]
fn the_wait_that_the_login_host_asks_for_is_kept() {
    let mut account = Account::new();
    account.credential.want(account.now);
    account.load(client_secret());
    let asked = Answer { retry_after: Some("120.5".to_owned()), ..answer(429, &json!({})) };
    account.credential.answered(account.now, Ok(asked));
    let (failure, wait) = account.failed();
    assert!((120_500..=120_750).contains(&wait.as_millis()), "{wait:?}");
    assert_eq!(failure.failure.retry_after, Some(Duration::from_millis(120_500)));
}

#[test]
fn a_secret_that_cannot_be_read_needs_a_person() {
    let mut account = Account::new();
    account.credential.want(account.now);
    assert!(matches!(account.effect(), CredentialEffect::LoadSecret));
    account.credential.secret_loaded(account.now, Err("/etc/pp/app.json: not there".to_owned()));
    let (failure, wait) = account.failed();
    assert!(failure.needs_a_person && !failure.is_network && wait >= Duration::from_secs(900));
    assert_eq!(failure.failure.to_string(), "/etc/pp/app.json: not there");
    account.until(failure.retry_at);
    assert!(matches!(account.effect(), CredentialEffect::LoadSecret), "it is read again before each try");
}

#[test]
fn a_key_that_is_none_needs_a_person_and_is_not_shown() {
    let mut account = Account::new();
    account.credential.want(account.now);
    account.effects();
    let secret = Secret::Certificate {
        client_id: "app".to_owned(),
        certificate: "cert-text".to_owned(),
        private_key: SecretString::from(SECRET),
    };
    account.credential.secret_loaded(account.now, Ok(secret));
    let (failure, _) = account.failed();
    assert!(failure.needs_a_person);
    assert!(!format!("{failure:?}").contains(SECRET) && !format!("{failure:?}").contains("cert-text"));
}

#[test]
fn an_answer_that_never_comes_is_given_up_after_a_minute() {
    let mut account = Account::new();
    account.credential.want(account.now);
    account.effects();
    account.pass(60);
    assert!(!account.failed().0.is_network, "the secret was never loaded");
    account.credential.secret_loaded(account.now, Ok(client_secret()));
    assert_eq!(account.effects().len(), 0, "too late");
    account.pass(2);
    account.load(client_secret());
    account.pass(60);
    assert!(account.failed().0.is_network);
    account.answer(200, &json!({"access_token": "late"}));
    assert_eq!((account.effects().len(), account.bearer()), (0, None), "too late");
}

#[test]
fn a_login_host_that_repeats_the_secret_does_not_get_it_into_the_failure() {
    for secret in [client_secret(), refresh_token(SECRET)] {
        let mut account = Account::new();
        account.credential.want(account.now);
        account.load(secret);
        account.answer(
            400,
            &json!({"error": "invalid_grant", "error_description": format!("AADSTS1: bad {SECRET} here")}),
        );
        let (failure, _) = account.failed();
        assert_eq!(failure.failure.to_string(), "400 no token: invalid_grant (AADSTS1): bad … here");
    }
}

#[test]
fn a_clock_that_is_wrong_is_set_by_the_login_host_and_the_assertion_signed_again() {
    let mut account = Account::new();
    account.credential.want(account.now);
    account.load(client_secret());
    let theirs = UNIX_EPOCH + Duration::from_secs(1_800_003_600);
    let body = json!({"error": "invalid_client", "error_description": "AADSTS700024: Client assertion is not within its valid time range."});
    let refused = || Answer { date: Some(httpdate::fmt_http_date(theirs)), ..answer(401, &body) };
    account.credential.answered(account.now, Ok(refused()));
    let (failure, wait) = account.failed();
    assert!(!failure.needs_a_person && wait < Duration::from_secs(2), "{failure:?}");
    assert_eq!(account.credential.wall(account.now), theirs);
    account.until(failure.retry_at);
    account.load(client_secret());
    account.credential.answered(account.now, Ok(refused()));
    assert!(account.failed().0.needs_a_person, "the clock was not it");
}
