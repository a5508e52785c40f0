//! Digest authentication, the server's side (RFC 7616 and RFC 8760; RFC 2617 without qop).

use std::collections::BTreeMap;

use md5::Md5;
use presence_sip::Message;
use sha2::{Digest, Sha256};

use crate::Dice;

/// How many nonces are remembered; the oldest is forgotten first and then counts as stale.
const MAX_NONCES: usize = 4_096;

/// A hash that a challenge may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// MD5.
    Md5,
    /// SHA-256 (RFC 8760).
    Sha256,
}

/// Who may subscribe, and how that is proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestSettings {
    /// The realm.
    pub realm: String,
    /// Passwords by user name.
    pub users: BTreeMap<String, String>,
    /// One challenge for each, in this order.
    pub algorithms: Vec<DigestAlgorithm>,
    /// The qop list as it is offered, such as `auth` or `auth,auth-int`; `None` offers none (RFC 2069).
    pub qop: Option<String>,
    /// After how many uses a nonce is stale; never when absent.
    pub nonce_uses: Option<u32>,
}

impl DigestSettings {
    /// One user, MD5 and `auth`.
    #[must_use]
    pub fn one_user(realm: &str, user: &str, password: &str) -> Self {
        Self {
            realm: realm.into(),
            users: BTreeMap::from([(user.into(), password.into())]),
            algorithms: vec![DigestAlgorithm::Md5],
            qop: Some("auth".into()),
            nonce_uses: None,
        }
    }
}

/// Lets those in who know the password.
#[derive(Debug)]
pub(crate) struct DigestGate {
    settings: DigestSettings,
    /// By nonce: in which order it was given out, how often it was used, the last nonce count.
    nonces: BTreeMap<String, Nonce>,
    given: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Nonce {
    number: u64,
    uses: u32,
    last_count: u64,
}

impl DigestGate {
    /// A gate that has let no one in yet.
    pub(crate) const fn new(settings: DigestSettings) -> Self {
        Self { settings, nonces: BTreeMap::new(), given: 0 }
    }

    /// Passes a request, or gives the values of the WWW-Authenticate headers to refuse it with.
    pub(crate) fn check(&mut self, request: &Message, dice: &mut Dice) -> Result<(), Vec<String>> {
        let proof = request.header("Authorization").and_then(Proof::read);
        let method = request.cseq().map_or("", |(_, method)| method);
        match proof.map(|proof| self.judge(&proof, method, request.body())) {
            Some(Verdict::Right) => Ok(()),
            Some(Verdict::Stale) => Err(self.challenges(true, dice)),
            Some(Verdict::Wrong) | None => Err(self.challenges(false, dice)),
        }
    }

    fn judge(&mut self, proof: &Proof, method: &str, body: &[u8]) -> Verdict {
        let of = |name| proof.param(name);
        if of("realm") != self.settings.realm {
            return Verdict::Wrong;
        }
        let Some(password) = self.settings.users.get(of("username")) else {
            return Verdict::Wrong;
        };
        let algorithm = match of("algorithm").to_ascii_uppercase().as_str() {
            "" | "MD5" => DigestAlgorithm::Md5,
            "SHA-256" => DigestAlgorithm::Sha256,
            _ => return Verdict::Wrong,
        };
        if !self.settings.algorithms.contains(&algorithm) {
            return Verdict::Wrong;
        }
        let (nonce, qop, count) = (of("nonce"), of("qop"), of("nc"));
        let offered = self.settings.qop.as_deref().unwrap_or_default();
        if !qop.is_empty() && !offered.split(',').any(|one| one.trim() == qop) {
            return Verdict::Wrong;
        }
        let hash = |text: &str| algorithm.hex(text.as_bytes());
        let secret = hash(&format!("{}:{}:{password}", of("username"), of("realm")));
        let what = match qop {
            "auth-int" => hash(&format!("{method}:{}:{}", of("uri"), algorithm.hex(body))),
            _ => hash(&format!("{method}:{}", of("uri"))),
        };
        let expected = match qop {
            "" => hash(&format!("{secret}:{nonce}:{what}")),
            _ => hash(&format!("{secret}:{nonce}:{count}:{}:{qop}:{what}", of("cnonce"))),
        };
        if !expected.eq_ignore_ascii_case(of("response")) {
            return Verdict::Wrong;
        }
        let Some(known) = self.nonces.get_mut(nonce) else {
            return Verdict::Stale;
        };
        if !qop.is_empty() {
            let Ok(count) = u64::from_str_radix(count, 16) else {
                return Verdict::Wrong;
            };
            if count <= known.last_count {
                return Verdict::Stale;
            }
            known.last_count = count;
        }
        known.uses += 1;
        if self.settings.nonce_uses.is_some_and(|most| known.uses > most) { Verdict::Stale } else { Verdict::Right }
    }

    fn challenges(&mut self, stale: bool, dice: &mut Dice) -> Vec<String> {
        self.given += 1;
        let nonce = dice.word();
        self.nonces.insert(nonce.clone(), Nonce { number: self.given, ..Nonce::default() });
        if self.nonces.len() > MAX_NONCES {
            let oldest = self.nonces.iter().min_by_key(|(_, nonce)| nonce.number).map(|(nonce, _)| nonce.clone());
            self.nonces.remove(&oldest.unwrap_or_default());
        }
        let realm = &self.settings.realm;
        let qop = self.settings.qop.as_ref().map_or_else(String::new, |qop| format!(", qop=\"{qop}\""));
        let stale = if stale { ", stale=true" } else { "" };
        let one = |algorithm: &DigestAlgorithm| {
            format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={}{qop}{stale}", algorithm.name())
        };
        self.settings.algorithms.iter().map(one).collect()
    }
}

/// What a proof is worth.
enum Verdict {
    Right,
    Stale,
    Wrong,
}

/// The parameters of an Authorization header, quotes taken off.
struct Proof(BTreeMap<String, String>);

impl Proof {
    fn read(value: &str) -> Option<Self> {
        let (scheme, rest) = value.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let mut params = BTreeMap::new();
        let (mut name, mut text, mut quoted, mut escaped, mut in_value) =
            (String::new(), String::new(), false, false, false);
        for character in rest.chars().chain([',']) {
            match character {
                ',' if !quoted => {
                    params.insert(name.trim().to_ascii_lowercase(), text.trim().to_owned());
                    (name, text, in_value) = (String::new(), String::new(), false);
                }
                '=' if !in_value => in_value = true,
                '\\' if quoted && !escaped => {
                    escaped = true;
                    continue;
                }
                '"' if in_value && !escaped => quoted = !quoted,
                other if in_value => text.push(other),
                other => name.push(other),
            }
            escaped = false;
        }
        Some(Self(params))
    }

    fn param(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

impl DigestAlgorithm {
    const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    fn hex(self, bytes: &[u8]) -> String {
        let hex = |hash: &[u8]| hash.iter().map(|byte| format!("{byte:02x}")).collect();
        match self {
            Self::Md5 => hex(&Md5::digest(bytes)),
            Self::Sha256 => hex(&Sha256::digest(bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(nonce: &str) -> DigestGate {
        let mut settings = DigestSettings::one_user("testrealm@host.com", "Mufasa", "Circle Of Life");
        settings.qop = Some("auth,auth-int".into());
        let mut gate = DigestGate::new(settings);
        gate.nonces.insert(nonce.into(), Nonce::default());
        gate
    }

    /// The example of RFC 2617 section 3.5.
    const EXAMPLE: &str = "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", \
        nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", qop=auth, nc=00000001, \
        cnonce=\"0a4f113b\", response=\"6629fae49393a05397450978507c4ef1\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";

    #[test]
    fn the_example_of_rfc_2617_passes_once() {
        let mut gate = gate("dcd98b7102dd2f0e8b11d0f600bfb0c093");
        let proof = Proof::read(EXAMPLE).expect("a Digest header");
        assert!(matches!(gate.judge(&proof, "GET", b""), Verdict::Right));
        assert!(matches!(gate.judge(&proof, "GET", b""), Verdict::Stale), "the nonce count did not grow");
        assert!(matches!(gate.judge(&proof, "PUT", b""), Verdict::Wrong));
    }

    #[test]
    fn an_unknown_nonce_is_stale_and_not_wrong() {
        let proof = Proof::read(EXAMPLE).expect("a Digest header");
        assert!(matches!(gate("another").judge(&proof, "GET", b""), Verdict::Stale));
    }

    #[test]
    fn every_algorithm_gets_its_own_challenge() {
        let mut settings = DigestSettings::one_user("r", "u", "p");
        settings.algorithms = vec![DigestAlgorithm::Sha256, DigestAlgorithm::Md5];
        let challenges = DigestGate::new(settings).challenges(true, &mut Dice::new(1));
        assert!(challenges[0].contains("algorithm=SHA-256") && challenges[0].contains("stale=true"));
        assert!(challenges[1].contains("algorithm=MD5") && challenges[1].contains("qop=\"auth\""));
    }
}
