//! Client assertions. The key is made by openssl; where that is absent, the test says so and skips.

use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use presence_simulator::{GraphServiceSettings, ServiceCredential};
use rustls::SignatureScheme;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{CLIENT, TENANT, WALL, World, json as body};

/// A fresh certificate and its key.
fn certificate() -> Option<(Vec<u8>, PrivateKeyDer<'static>)> {
    let arguments = "req -x509 -newkey rsa:2048 -nodes -keyout - -days 2 -subj /CN=presence-provider";
    let made = Command::new("openssl").args(arguments.split(' ')).stderr(Stdio::null()).output().ok()?;
    let certificate = CertificateDer::from_pem_slice(&made.stdout).ok()?;
    Some((certificate.to_vec(), PrivateKeyDer::from_pem_slice(&made.stdout).ok()?))
}

fn signed(key: &PrivateKeyDer<'_>, scheme: SignatureScheme, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let key = rustls::crypto::ring::sign::any_supported_type(key).unwrap();
    let signature = key.choose_scheme(&[scheme]).unwrap().sign(text.as_bytes()).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn an_assertion_is_taken_when_everything_in_it_is_right() {
    let (Some((der, key)), Some((_, stranger))) = (certificate(), certificate()) else {
        println!("skipped: openssl makes no certificate here");
        return;
    };
    let mut settings = GraphServiceSettings::with_users(1, "demo.example");
    settings.tenants[0].accounts[0].credential = ServiceCredential::Certificate(der.clone());
    let mut world = World::new(settings);
    let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": URL_SAFE_NO_PAD.encode(Sha256::digest(&der)) });
    let claims = json!({
        "aud": format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token"),
        "iss": CLIENT, "sub": CLIENT, "jti": "one", "nbf": WALL, "exp": WALL + 600,
    });
    let mut outcome = |assertion: &str| {
        let answer = world.form("token", &format!(
            "grant_type=client_credentials&client_id={CLIENT}&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default\
             &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion={assertion}"
        ));
        (answer.status, body(&answer)["error_codes"][0].as_u64().unwrap_or(0))
    };
    let pss = SignatureScheme::RSA_PSS_SHA256;
    assert_eq!(outcome(&signed(&key, pss, &header, &claims)), (200, 0));
    assert_eq!(outcome(&signed(&stranger, pss, &header, &claims)), (401, 700_027), "another key");
    assert_eq!(
        outcome(&signed(&key, SignatureScheme::RSA_PKCS1_SHA256, &header, &claims)),
        (401, 700_027),
        "RS256 inside"
    );
    assert_eq!(outcome("a.b"), (401, 50027));
    for (name, value, number) in [
        ("alg", json!("RS256"), 50027),
        ("alg", json!("none"), 50027),
        ("x5t#S256", json!("AAAA"), 700_027),
        ("aud", json!("https://graph.microsoft.com"), 700_023),
        ("iss", json!("another"), 700_021),
        ("sub", json!("another"), 700_021),
        ("jti", json!(""), 50027),
        ("exp", json!(WALL - 301), 700_024),
        ("exp", json!(WALL + 3_600), 700_024),
        ("nbf", json!(WALL + 400), 700_024),
        ("nbf", Value::Null, 700_024),
    ] {
        let (mut header, mut claims) = (header.clone(), claims.clone());
        (if header.get(name).is_some() { &mut header } else { &mut claims })[name] = value.clone();
        assert_eq!(outcome(&signed(&key, pss, &header, &claims)), (401, number), "{name} {value}");
    }
}
