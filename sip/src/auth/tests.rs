//! Known answers of RFC 2069 (as corrected), RFC 2617 section 3.5 and RFC 7616 section 3.9.1, and the life of a nonce.
//! The answers that no RFC prints (nc 10, the -sess algorithms) were computed with Python's hashlib.
#![allow(clippy::indexing_slicing, reason = "a test")]

use super::*;
use crate::limits::Limits;

const RFC_2617: &str = "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", \
    nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
const RFC_7616: &str = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, \
    nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
const NONCE_7616: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

fn answer(code: u16, headers: &[&str]) -> Message {
    let name = if code == 407 { "Proxy-Authenticate" } else { "WWW-Authenticate" };
    let lines: String = headers.iter().map(|value| format!("{name}: {value}\r\n")).collect();
    Message::parse(format!("SIP/2.0 {code} x\r\n{lines}\r\n").into(), &Limits::default()).unwrap()
}

fn client(password: &str) -> DigestClient {
    DigestClient::new(Credentials { user: "Mufasa".into(), password: password.into() })
}

fn authorize(client: &mut DigestClient) -> Vec<(&'static str, String)> {
    client.authorize("GET", "/dir/index.html", &mut |bytes| bytes.fill(0xab))
}

/// The responses of the first `count` requests after this challenge, with a nonce of the RFC's instead of ours.
fn responses(challenge: &str, password: &str, client_nonce: &str, count: usize) -> Vec<String> {
    let mut client = client(password);
    client.challenge(&answer(401, &[challenge])).unwrap();
    client.sessions[0].client_nonce = client_nonce.into();
    (0..count).map(|_| param(&authorize(&mut client)[0].1, "response")).collect()
}

fn param(header: &str, name: &str) -> String {
    let header = header.strip_prefix("Digest ").unwrap();
    let found = Values::new(header).find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    let found = found.unwrap_or_else(|| panic!("no {name} in {header}"));
    unquote(found).unwrap_or(found).to_owned()
}

#[test]
fn rfc_2617_md5_with_qop_and_the_tenth_request_counts_in_hexadecimal() {
    let found = responses(RFC_2617, "Circle Of Life", "0a4f113b", 10);
    assert_eq!(found[0], "6629fae49393a05397450978507c4ef1");
    assert_eq!(found[9], "4e64aba7c53ac2e14113fb3d5f78d774");
    let mut client = client("Circle Of Life");
    client.challenge(&answer(401, &[RFC_2617])).unwrap();
    let counts: Vec<_> = (0..17).map(|_| param(&authorize(&mut client)[0].1, "nc")).collect();
    assert_eq!((&*counts[0], &*counts[9], &*counts[16]), ("00000001", "0000000a", "00000011"));
}

#[test]
fn rfc_2069_without_qop() {
    let challenge = RFC_2617.replace("qop=\"auth,auth-int\", ", "");
    assert_eq!(responses(&challenge, "CircleOfLife", "", 1), ["1949323746fe6a43ef61f9606e7febea"]);
    let mut client = client("x");
    client.challenge(&answer(401, &[&challenge])).unwrap();
    let (_, value) = authorize(&mut client).remove(0);
    assert!(!value.contains("qop") && !value.contains("nc=") && !value.contains("cnonce"), "{value}");
}

#[test]
fn rfc_7616_sha_256_and_md5() {
    assert_eq!(
        responses(RFC_7616, "Circle of Life", NONCE_7616, 1),
        ["753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"]
    );
    let md5 = RFC_7616.replace("SHA-256", "MD5");
    assert_eq!(responses(&md5, "Circle of Life", NONCE_7616, 1), ["8ca523f5e9506fed4657c9700eebdbec"]);
}

#[test]
fn session_algorithms() {
    let md5 = format!("{RFC_2617}, algorithm=md5-SESS");
    assert_eq!(responses(&md5, "Circle Of Life", "0a4f113b", 1), ["8e3825c57e897f5a0dec6c2d4e5059d0"]);
    let sha = RFC_7616.replace("SHA-256", "SHA-256-sess");
    assert_eq!(
        responses(&sha, "Circle of Life", NONCE_7616, 1),
        ["2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f5232ae1ea3efd7"]
    );
}

#[test]
fn the_header_repeats_the_challenge_and_goes_where_it_came_from() {
    let mut client = client("secret");
    assert!(authorize(&mut client).is_empty(), "nothing before the first challenge");
    client.challenge(&answer(407, &[RFC_7616])).unwrap();
    client.challenge(&answer(401, &[RFC_2617])).unwrap();
    let headers = authorize(&mut client);
    assert_eq!(headers.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["Proxy-Authorization", "Authorization"]);
    let proxy = &headers[0].1;
    for (name, value) in [
        ("username", "Mufasa"),
        ("realm", "http-auth@example.org"),
        ("uri", "/dir/index.html"),
        ("qop", "auth"),
        ("algorithm", "SHA-256"),
        ("opaque", "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"),
        ("cnonce", "abababababababababababababababab"),
    ] {
        assert_eq!(param(proxy, name), value);
    }
    assert!(proxy.contains("qop=auth, nc=00000001") && proxy.contains("algorithm=SHA-256,"), "no quotes: {proxy}");
    assert!(!headers[1].1.contains("algorithm"), "it was not named, and is not");
}

#[test]
fn the_first_supported_challenge_of_a_list_is_taken() {
    let mut client = client("secret");
    let unsupported = RFC_7616.replace("SHA-256", "SHA-512-256");
    client.challenge(&answer(401, &["NTLM realm=\"SIP\", version=4", &unsupported, RFC_7616, RFC_2617])).unwrap();
    assert_eq!(param(&authorize(&mut client)[0].1, "algorithm"), "SHA-256");
    // The same in one header.
    let mut client = self::client("secret");
    let all = format!("Negotiate, TLS-DSK realm=\"SIP Communications Service\", version=4, {RFC_2617}, {RFC_7616}");
    client.challenge(&answer(401, &[&all])).unwrap();
    assert_eq!(param(&authorize(&mut client)[0].1, "realm"), "testrealm@host.com");
}

#[test]
fn a_refusal_is_told_from_a_stale_nonce_and_from_a_new_one() {
    let mut client = client("wrong");
    client.challenge(&answer(401, &[RFC_2617])).unwrap();
    authorize(&mut client);
    assert_eq!(client.challenge(&answer(401, &[RFC_2617])), Err(DigestError::Refused));
    let stale = format!("{RFC_2617}, stale=TRUE");
    assert_eq!(client.challenge(&answer(401, &[&stale])), Ok(()));
    assert_eq!(param(&authorize(&mut client)[0].1, "nc"), "00000001", "counted anew");
    let other = RFC_2617.replace("dcd98b", "000000");
    assert_eq!(client.challenge(&answer(401, &[&other])), Ok(()));
    assert_eq!(authorize(&mut client).len(), 1, "the old nonce is forgotten");
    client.forget();
    assert!(authorize(&mut client).is_empty());
}

#[test]
fn what_cannot_be_answered_is_said() {
    let challenge = |code, headers: &[&str]| client("x").challenge(&answer(code, headers));
    assert_eq!(challenge(200, &[RFC_2617]), Err(DigestError::NoChallenge));
    assert_eq!(challenge(401, &[]), Err(DigestError::NoChallenge));
    for unsupported in [
        "NTLM realm=\"r\"",
        "Kerberos",
        "Digest realm=\"r\", nonce=\"n\", algorithm=MD4",
        "Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"",
        "Digest nonce=\"n\"",
        "Digest realm=\"r\"",
        "Digest",
        "Digest realm=\"unbalanced",
        "= , = ,, \"",
    ] {
        assert!(challenge(401, &[unsupported]).is_err(), "{unsupported}");
    }
}

#[test]
fn quotes_in_names_are_escaped_and_passwords_are_never_printed() {
    let mut client = DigestClient::new(Credentials { user: "a\"b\\c".into(), password: "hunter2".into() });
    client.challenge(&answer(401, &["Digest realm=\"R \\\"x\\\"\", nonce=\"n\""])).unwrap();
    let (_, value) = authorize(&mut client).remove(0);
    assert_eq!(param(&value, "username"), "a\\\"b\\\\c");
    assert_eq!(param(&value, "realm"), "R \\\"x\\\"");
    assert!(!format!("{client:?}").contains("hunter2"));
}

#[test]
fn a_peer_that_invents_realms_is_not_remembered_for_ever() {
    let mut client = client("x");
    for number in 0..100 {
        client.challenge(&answer(401, &[&RFC_2617.replace("testrealm", &format!("r{number}"))])).unwrap();
    }
    assert_eq!(authorize(&mut client).len(), 4);
}
