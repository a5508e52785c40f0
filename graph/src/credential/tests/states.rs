//! Each state by its name.

use super::*;

#[test]
fn a_token_that_nobody_wants_is_not_fetched() {
    let mut account = Account::new();
    account.pass(HOUR);
    assert_eq!(account.effects().len(), 0);
    assert_eq!((account.credential.state(), account.credential.poll_timeout()), (CredentialState::Idle, None));
    assert_eq!(account.bearer(), None);
}

#[test]
fn a_token_is_fetched_once_however_many_want_it() {
    let mut account = Account::new();
    for _ in 0..3 {
        account.credential.want(account.now);
    }
    assert_eq!(account.credential.state(), CredentialState::Fetching);
    let form = account.load(client_secret());
    assert_eq!(
        form,
        "client_id=app&scope=https%3A%2F%2Fgraph.example%2F.default&client_secret=s3cr3t~with%2Bsigns%26%3D\
         &grant_type=client_credentials"
    );
    account.credential.want(account.now);
    assert_eq!(account.effects().len(), 0);
    account.pass(2);
    account.answer(200, &json!({"token_type": "bearer", "expires_in": 3600, "access_token": "one"}));
    assert!(matches!(account.effect(), CredentialEffect::Ready));
    assert_eq!(account.bearer().as_deref(), Some("one"));
    let until = account.now + Duration::from_secs(3_598);
    assert_eq!(account.credential.state(), CredentialState::Ready { until });
    account.credential.want(account.now);
    assert_eq!(account.effects().len(), 0);
}

#[test]
fn a_token_is_renewed_between_75_and_80_percent_of_its_life_with_the_secret_read_anew() {
    let mut account = Account::new();
    account.credential.want(account.now);
    account.get("one", HOUR);
    let since = account.now;
    account.due();
    assert!((2_700..=2_880).contains(&(account.now - since).as_secs()));
    assert_eq!(account.bearer().as_deref(), Some("one"), "still good");
    let renewed = Secret::ClientSecret { client_id: "app".to_owned(), secret: SecretString::from("renewed") };
    assert!(account.load(renewed).contains("client_secret=renewed&"));
    account.answer(200, &json!({"expires_in": "3600", "access_token": "two"}));
    assert_eq!(account.bearer().as_deref(), Some("two"));
}

#[test]
fn renewals_of_many_accounts_are_spread() {
    let renewed: std::collections::BTreeSet<Duration> = (0..20)
        .map(|seed| {
            let mut account = Account::new();
            account.credential.dice = Dice::new(seed);
            account.credential.want(account.now);
            account.get("one", HOUR);
            account.credential.poll_timeout().unwrap() - account.now
        })
        .collect();
    assert_eq!(renewed.len(), 20);
}

#[test]
fn a_life_that_is_not_told_is_5_minutes_and_none_is_longer_than_a_day() {
    for (expires_in, seconds) in [
        (json!(null), 300),
        (json!(0), 300),
        (json!(-1), 300),
        (json!("soon"), 300),
        (json!([1]), 300),
        (json!("NaN"), 300),
        (json!(" 600 "), 600),
        (json!(600.5), 600),
        (json!(1e300), 86_400),
        (json!(86_401), 86_400),
    ] {
        let mut account = Account::new();
        account.credential.want(account.now);
        account.load(client_secret());
        account.answer(200, &json!({"expires_in": expires_in, "access_token": "one"}));
        let CredentialState::Ready { until } = account.credential.state() else { panic!("no token") };
        assert_eq!((until - account.now).as_secs(), seconds, "{expires_in}");
    }
}

#[test]
fn a_rejected_token_is_fetched_anew_once_and_the_second_rejection_is_a_failure() {
    let mut account = Account::new();
    account.credential.want(account.now);
    account.get("one", HOUR);
    account.pass(600);
    assert!(account.rejected("one"));
    assert_eq!(account.bearer(), None, "it is not used any more");
    assert!(account.rejected("one"), "other requests had it too");
    account.get("two", HOUR);
    assert!(account.rejected("one"), "late");
    assert_eq!(account.bearer().as_deref(), Some("two"));
    account.pass(5);
    assert!(!account.rejected("two"));
    let (failure, wait) = account.failed();
    assert!(failure.needs_a_person && !failure.is_network);
    assert_eq!(failure.failure.code, Some(401));
    assert!((900..=990).contains(&wait.as_secs()), "{wait:?}");
    assert!(!account.rejected("two"));
    // A third token has no second chance, and the wait doubles.
    account.until(failure.retry_at);
    account.get("three", HOUR);
    assert!(!account.rejected("three"));
    assert!((1_800..=1_980).contains(&account.failed().1.as_secs()));
}

#[test]
fn a_token_that_is_revoked_after_a_while_is_fetched_anew_every_time() {
    let mut account = Account::new();
    account.credential.want(account.now);
    account.get("1", HOUR);
    for number in 1..10 {
        account.pass(301);
        assert!(account.rejected(&number.to_string()), "{number}");
        account.get(&(number + 1).to_string(), HOUR);
    }
}

#[test]
fn a_refresh_token_is_kept_before_it_is_used_again() {
    let mut account = Account::new();
    account.credential.want(account.now);
    assert_eq!(
        account.load(refresh_token("r1")),
        "client_id=app&scope=https%3A%2F%2Fgraph.example%2FPresence.Read.All%20https%3A%2F%2Fgraph.example%2FUser.ReadBasic.All%20\
         offline_access&refresh_token=r1&grant_type=refresh_token"
    );
    account.answer(200, &json!({"expires_in": 3600, "access_token": "one", "refresh_token": "r2"}));
    let effects = account.effects();
    let [CredentialEffect::StoreToken(stored), CredentialEffect::Ready] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!(stored.expose_secret(), "r2");
    // It could not be stored: the file still says the old one, and the new one is used.
    account.due();
    assert!(account.load(refresh_token("r1")).contains("&refresh_token=r2&"));
    account.answer(200, &json!({"expires_in": 3600, "access_token": "two", "refresh_token": "r3"}));
    assert_eq!(account.effects().len(), 2);
    account.due();
    assert!(account.load(refresh_token("r1")).contains("&refresh_token=r3&"));
    account.answer(200, &json!({"expires_in": 3600, "access_token": "three"}));
    assert!(matches!(account.effect(), CredentialEffect::Ready), "no new one: the old one stays");
    // It was stored.
    account.due();
    assert!(account.load(refresh_token("r3")).contains("&refresh_token=r3&"));
    account.answer(200, &json!({"expires_in": 3600, "access_token": "four", "refresh_token": "r4"}));
    assert_eq!(account.effects().len(), 2);
    // A person has signed in again.
    account.due();
    assert!(account.load(refresh_token("fresh")).contains("&refresh_token=fresh&"));
}

#[test]
fn a_certificate_proves_the_application() {
    let mut account = Account::new();
    account.credential.want(account.now);
    let secret = Secret::Certificate {
        client_id: "app".to_owned(),
        certificate: include_str!("../../../tests/data/certificate.pem").to_owned(),
        private_key: SecretString::from(include_str!("../../../tests/data/key.pem")),
    };
    let form = account.load(secret);
    assert!(form.contains(
        "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=eyJ"
    ));
    assert!(!form.contains("client_secret"));
}
