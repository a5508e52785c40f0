//! Proving an application with its certificate instead of a secret.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// How long an assertion is good: Microsoft takes no longer ones.
const LIFE: Duration = Duration::from_secs(600);

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: &'a str,
    nbf: u64,
    iat: u64,
    exp: u64,
}

/// A JWT that proves this application (`client_id`) to the token endpoint of this tenant: PS256, with the SHA-256 thumbprint of
/// the certificate, good for ten minutes from `wall`. `jti` is new for each.
///
/// # Errors
/// Says what is wrong with the certificate or the key, and never a part of either.
pub fn sign_assertion(
    (login_host, tenant, client_id): (&str, &str, &str),
    certificate: &str,
    private_key: &SecretString,
    wall: SystemTime,
    jti: &str,
) -> Result<SecretString, String> {
    let key = EncodingKey::from_rsa_pem(private_key.expose_secret().as_bytes())
        .map_err(|_| "the private key is no RSA key in PEM (PKCS #1 or PKCS #8, without a passphrase)".to_owned())?;
    let mut header = Header::new(Algorithm::PS256);
    header.x5t_s256 = Some(thumbprint(certificate)?);
    let seconds = wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = Claims {
        aud: &format!("https://{login_host}/{tenant}/oauth2/v2.0/token"),
        iss: client_id,
        sub: client_id,
        jti,
        nbf: seconds,
        iat: seconds,
        exp: seconds + LIFE.as_secs(),
    };
    let signed = jsonwebtoken::encode(&header, &claims, &key);
    signed
        .map(SecretString::from)
        .map_err(|_| "the private key cannot sign: an RSA key of 2,048 bits or more is needed".to_owned())
}

/// base64url of the SHA-256 of the first certificate in a PEM text.
fn thumbprint(pem: &str) -> Result<String, String> {
    let bad = || "the certificate is not PEM (`-----BEGIN CERTIFICATE-----`)".to_owned();
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----").ok_or_else(bad)?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----").ok_or_else(bad)?;
    let base64: String = body.split_whitespace().collect();
    let der = STANDARD.decode(base64).map_err(|_| bad())?;
    // A certificate is a DER sequence, which begins with 0x30.
    if der.first() != Some(&0x30) {
        return Err(bad());
    }
    Ok(URL_SAFE_NO_PAD.encode(Sha256::digest(&der)))
}
