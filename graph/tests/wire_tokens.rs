//! Tokens on the wire: what the login host is asked, and what becomes of its answers.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use presence_graph::wire::{
    Grant, TokenError, TokenErrorKind, device_code_request, parse_device_code, parse_token, token_request,
};
use presence_graph::{Answer, Body, Host, Method, Request, sign_assertion};
use proptest::prelude::*;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

const CERTIFICATE: &str = include_str!("data/certificate.pem");
/// Made for this test; nothing trusts it.
const KEY: &str = include_str!("data/key.pem");

fn wall() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn answer(status: u16, body: &Value) -> Answer {
    Answer { status, retry_after: None, date: None, request_id: None, body: body.to_string().into() }
}

fn refused(status: u16, body: &Value) -> TokenError {
    parse_token(&answer(status, body), wall()).unwrap_err()
}

fn form(request: &Request) -> String {
    let Body::Form(form) = &request.body else { panic!("not a form") };
    form.expose_secret().to_owned()
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

#[test]
fn every_request_is_a_form_to_the_login_host_that_shows_nothing() {
    let secret = secret("s3cr3t");
    for grant in
        [Grant::Secret(&secret), Grant::Assertion(&secret), Grant::RefreshToken(&secret), Grant::DeviceCode(&secret)]
    {
        let request = token_request("../evil?x=", "graph.example", "app&x=y", grant);
        assert_eq!((request.method, request.host), (Method::Post, Host::Login));
        assert_eq!(request.path, "/..%2Fevil%3Fx%3D/oauth2/v2.0/token");
        assert!(form(&request).starts_with("client_id=app%26x%3Dy&") && form(&request).contains("=s3cr3t"));
        assert!(!format!("{request:?}{grant:?}").contains("s3cr3t"));
    }
}

#[test]
fn a_sign_in_begins_with_a_code_for_a_person() {
    let request = device_code_request("contoso.example", "graph.example", "app");
    assert_eq!(request.path, "/contoso.example/oauth2/v2.0/devicecode");
    assert!(form(&request).ends_with("%2FUser.ReadBasic.All%20offline_access"), "{}", form(&request));
    let body = json!({
        "device_code": "s3cr3t", "user_code": "AB\u{1b}[2J12", "verification_uri": "https://login.example/device",
        "expires_in": 900, "interval": 5, "message": "whatever",
    });
    let code = parse_device_code(&answer(200, &body), wall()).unwrap();
    assert_eq!(code.device_code.expose_secret(), "s3cr3t");
    assert_eq!(code.to_string(), "open https://login.example/device and enter the code AB\\u{1b}[2J12");
    assert_eq!((code.life, code.interval), (Duration::from_secs(900), Duration::from_secs(5)));
    assert!(!format!("{code:?}").contains("s3cr3t"));
    for (interval, seconds) in [(json!(0), 5), (json!(-3), 5), (json!(1e9), 60), (json!(0.1), 1), (json!(null), 5)] {
        let mut body = body.clone();
        body["interval"] = interval;
        assert_eq!(parse_device_code(&answer(200, &body), wall()).unwrap().interval, Duration::from_secs(seconds));
    }
    for missing in ["device_code", "user_code", "verification_uri"] {
        let mut body = body.clone();
        body[missing] = json!("");
        let error = parse_device_code(&answer(200, &body), wall()).unwrap_err();
        assert!(error.to_string().contains(missing), "{error}");
    }
}

#[test]
fn a_sign_in_is_asked_for_until_it_is_done_or_refused() {
    for (error, kind) in [
        ("authorization_pending", TokenErrorKind::Pending),
        ("slow_down", TokenErrorKind::SlowDown),
        ("authorization_declined", TokenErrorKind::NeedsAPerson),
        ("expired_token", TokenErrorKind::NeedsAPerson),
        ("bad_verification_code", TokenErrorKind::NeedsAPerson),
    ] {
        assert_eq!(refused(400, &json!({"error": error})).kind, kind, "{error}");
    }
}

#[test]
fn an_error_is_classified_by_who_can_mend_it() {
    let person = [
        (401, "invalid_client", 7_000_215),
        (401, "invalid_client", 7_000_222),
        (400, "invalid_grant", 50_173),
        (400, "invalid_grant", 700_082),
        (400, "interaction_required", 50_076),
        (400, "unauthorized_client", 700_016),
        (400, "invalid_request", 90_002),
    ];
    for (status, error, number) in person {
        let body = json!({"error": error, "error_description": format!("AADSTS{number}: Words.\r\nTrace ID: x")});
        let error = refused(status, &body);
        assert_eq!((error.kind, error.aadsts), (TokenErrorKind::NeedsAPerson, Some(number)), "{error}");
        assert!(error.to_string().ends_with(&format!(" (AADSTS{number}): Words.")), "{error}");
    }
    let transient = [
        (500, json!({"error": "invalid_client"})),
        (503, json!("down")),
        (429, json!({"error": "too_many"})),
        (302, json!({})),
        (400, json!({"error": "temporarily_unavailable"})),
        (400, json!({"error": "server_error"})),
        (400, json!({"error": "invalid_request", "error_codes": [90_033]})),
        (400, json!({"error": {"code": "x"}})),
        (403, json!("<html>a proxy</html>")),
    ];
    for (status, body) in transient {
        assert_eq!(refused(status, &body).kind, TokenErrorKind::Transient, "{status} {body}");
    }
}

#[test]
fn an_error_says_only_what_is_clean() {
    let description = format!("AADSTS7000215: Invalid \u{1b}[31msecret {} provided\nsecond line", "x".repeat(80));
    let error = refused(401, &json!({"error": "invalid_client", "error_description": description}));
    assert_eq!(error.to_string(), "invalid_client (AADSTS7000215): Invalid [31msecret … provided");
    let error = refused(400, &json!({"error": "<script>", "error_description": "whatever"}));
    assert_eq!(error.to_string(), "the login host answers 400");
    let error = refused(302, &json!({"error": 7}));
    assert_eq!(error.to_string(), "the login host redirects (302), which is not followed");
    let asked = Answer { retry_after: Some("2.5".to_owned()), ..answer(429, &json!({"error": "x"})) };
    assert_eq!(parse_token(&asked, wall()).unwrap_err().retry_after, Some(Duration::from_millis(2_500)));
}

#[test]
fn a_token_that_fits_into_no_header_is_none() {
    for token in
        [json!(""), json!("a b"), json!("a\r\nb"), json!("é"), json!(7), json!(null), json!("x".repeat(32_769))]
    {
        let error = refused(200, &json!({"access_token": token, "expires_in": 1}));
        assert_eq!(error.kind, TokenErrorKind::Transient);
    }
    assert_eq!(refused(200, &json!({"access_token": "x", "token_type": "pop"})).kind, TokenErrorKind::Transient);
    assert_eq!(refused(200, &json!([])).to_string(), "the answer is no JSON object");
    let token = parse_token(&answer(200, &json!({"access_token": "x", "refresh_token": "a b"})), wall()).unwrap();
    assert!(token.refresh.is_none());
    assert!(!format!("{token:?}").contains("\"x\""));
}

#[test]
fn an_assertion_is_what_microsoft_takes() {
    let signed =
        sign_assertion(("login.example", "contoso.example", "app"), CERTIFICATE, &secret(KEY), wall(), "jti-1")
            .unwrap();
    let parts: Vec<&str> = signed.expose_secret().split('.').collect();
    let part = |index: usize| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(parts[index]).unwrap()).unwrap();
    // openssl x509 -in certificate.pem -outform DER | openssl dgst -sha256 -binary | basenc --base64url
    assert_eq!(
        part(0),
        json!({"typ": "JWT", "alg": "PS256", "x5t#S256": "lrAuAorbi_C3AR2SvvuhyoAUrMaCM-_-kbmKtCHBBuI"})
    );
    assert_eq!(
        part(1),
        json!({
            "aud": "https://login.example/contoso.example/oauth2/v2.0/token", "iss": "app", "sub": "app", "jti": "jti-1",
            "nbf": 1_800_000_000, "iat": 1_800_000_000, "exp": 1_800_000_600,
        })
    );
    let mut rules = Validation::new(Algorithm::PS256);
    rules.set_audience(&["https://login.example/contoso.example/oauth2/v2.0/token"]);
    let (modulus, exponent) = (include_str!("data/modulus.txt").trim(), "AQAB");
    let key = DecodingKey::from_rsa_components(modulus, exponent).unwrap();
    jsonwebtoken::decode::<Value>(signed.expose_secret(), &key, &rules).expect("the certificate's key verifies it");
}

#[test]
fn a_certificate_or_key_that_is_none_is_refused_without_being_shown() {
    let sign = |certificate: &str, key: &str| {
        sign_assertion(("l", "t", "app"), certificate, &secret(key), wall(), "1").map(|_| ()).unwrap_err()
    };
    let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
    for certificate in [
        "",
        "s3cr3t",
        begin,
        KEY,
        &format!("{begin}\ns3cr3t\n{end}"),
        &format!("{begin}{end}"),
        &format!("{end}{begin}"),
    ] {
        let error = sign(certificate, KEY);
        assert!(error.starts_with("the certificate is not PEM") && !error.contains("s3cr3t"), "{error}");
    }
    for key in ["", "s3cr3t", CERTIFICATE, "-----BEGIN PRIVATE KEY-----\ns3cr3t\n-----END PRIVATE KEY-----"] {
        let error = sign(CERTIFICATE, key);
        assert!(error.starts_with("the private key ") && !error.contains("s3cr3t"), "{error}");
    }
}

proptest! {
    #[test]
    fn no_answer_panics_or_shows_its_token(status in 0..=u16::MAX, body in ".{0,200}", wait in proptest::option::of(".{0,30}")) {
        let asked = Answer { status, retry_after: wait, date: None, request_id: None, body: body.into() };
        drop((parse_token(&asked, wall()), parse_device_code(&asked, wall())));
    }

    #[test]
    fn an_error_never_forges_a_line(error in ".{0,80}", description in ".{0,400}") {
        let text = refused(400, &json!({"error": error, "error_description": description})).to_string();
        prop_assert!(!text.chars().any(char::is_control), "{:?}", text);
        prop_assert!(text.chars().count() < 420);
    }
}
