//! Client assertions: a JWT signed with the key of a certificate.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Clocks may differ by this.
const SKEW: u64 = 300;
/// An assertion may live so long.
const LONGEST: u64 = 600;

/// Checks an assertion as Microsoft does: form, algorithm, thumbprint, audience, issuer, subject, times, signature.
///
/// # Errors
/// The number of the error and what is wrong.
pub(super) fn check(
    assertion: &str,
    certificate: &[u8],
    client: &str,
    tenant: &str,
    wall: SystemTime,
) -> Result<(), (u32, String)> {
    let wrong = |number: u32, text: &str| Err((number, text.to_owned()));
    let parts: Vec<&str> = assertion.split('.').collect();
    let [head, claims, signature] = parts.as_slice() else {
        return wrong(50027, "The JWT is not of three parts.");
    };
    let (Some(header), Some(claim)) = (part(head), part(claims)) else {
        return wrong(50027, "The JWT's header or claims are no JSON.");
    };
    let text = |object: &Value, name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    if text(&header, "alg") != "PS256" || !matches!(text(&header, "typ").as_str(), "JWT" | "") {
        return wrong(50027, "The algorithm of the JWT is not PS256.");
    }
    let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(certificate));
    if text(&header, "x5t#S256") != thumbprint {
        return wrong(700_027, "The certificate with the thumbprint of the assertion is not registered.");
    }
    let audience = text(&claim, "aud");
    let end = format!("/{}/oauth2/v2.0/token", tenant.to_ascii_lowercase());
    if !audience.starts_with("https://") && !audience.starts_with("http://")
        || !audience.to_ascii_lowercase().ends_with(&end)
    {
        return wrong(700_023, "The audience of the assertion is not this token endpoint.");
    }
    if !text(&claim, "iss").eq_ignore_ascii_case(client) || !text(&claim, "sub").eq_ignore_ascii_case(client) {
        return wrong(700_021, "Issuer and subject of the assertion are not the application.");
    }
    if text(&claim, "jti").is_empty() {
        return wrong(50027, "The assertion has no jti.");
    }
    let seconds = |name: &str| claim.get(name).and_then(Value::as_u64);
    let now = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let (Some(from), Some(until)) = (seconds("nbf"), seconds("exp")) else {
        return wrong(700_024, "The assertion does not say when it is valid.");
    };
    if from > now + SKEW || until + SKEW < now || until > now + LONGEST + SKEW || until <= from {
        return wrong(700_024, "The assertion is not within its valid time range.");
    }
    let signed = format!("{head}.{claims}");
    let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else {
        return wrong(700_027, "The signature is not base64url.");
    };
    let der = certificate.into();
    let Ok(certificate) = webpki::EndEntityCert::try_from(&der) else {
        return wrong(700_027, "The registered certificate cannot be read.");
    };
    let algorithm = webpki::ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY;
    match certificate.verify_signature(algorithm, signed.as_bytes(), &signature) {
        Ok(()) => Ok(()),
        Err(why) => wrong(700_027, &format!("The signature of the assertion is not good ({why}).")),
    }
}

fn part(text: &str) -> Option<Value> {
    serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(text).ok()?).ok().filter(Value::is_object)
}
