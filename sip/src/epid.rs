//! Who an endpoint is to its pool over restarts: the epid, and the instance and GRUU that follow from it (MS-SIPRE).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha1::{Digest, Sha1};

/// The longest epid that servers accept, in characters.
const LONGEST: usize = 16;

/// The namespace of the UUIDs made from epids, `fcacfb03-8a73-46ef-91b1-e5ebeeaba4fe`, as a GUID lies in memory.
const NAMESPACE: [u8; 16] =
    [0x03, 0xfb, 0xac, 0xfc, 0x73, 0x8a, 0xef, 0x46, 0x91, 0xb1, 0xe5, 0xeb, 0xee, 0xab, 0xa4, 0xfe];

/// The places in memory of the bytes of a GUID, in the order of its text: its first three fields lie backwards.
const TEXT_ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/// The endpoint identifier: a parameter of From and To that tells the endpoints of one user apart.
///
/// An endpoint that comes back with the same epid replaces its old registration; with another one it would add a second,
/// and a user may have only so many.
///
/// ```
/// use presence_sip::Epid;
/// let epid = Epid::new("01010101").expect("eight hexadecimal digits");
/// assert_eq!(epid.instance().urn(), "urn:uuid:4b1682a8-f968-5701-83fc-7c6741dc6697");
/// assert_eq!(epid.instance().gruu_opaque(), "qIIWS2j5AVeD_HxnQdxmlwAA");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epid(Box<str>);

impl Epid {
    /// Takes an epid of 1 to 16 hexadecimal digits, as written; `None` for any other text.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        fits.then(|| Self(text.into()))
    }

    /// The epid that always follows from `seed`, such as the URI of the endpoint and the name of the machine: the first
    /// five bytes of its SHA-1 as ten digits.
    #[must_use]
    pub fn of(seed: &str) -> Self {
        let digest: [u8; 20] = Sha1::digest(seed.as_bytes()).into();
        Self(digest.iter().take(5).map(|byte| format!("{byte:02x}")).collect())
    }

    /// The digits, as they stand in `;epid=`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The instance of this epid: a name-based UUID of version 5 whose namespace and result are GUIDs as they lie in
    /// memory (MS-SIPRE; all published pairs reproduce).
    #[must_use]
    pub fn instance(&self) -> Instance {
        let digest: [u8; 20] = Sha1::new().chain_update(NAMESPACE).chain_update(self.0.as_bytes()).finalize().into();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        bytes[7] = bytes[7] & 0x0f | 0x50;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Instance(bytes)
    }
}

impl fmt::Display for Epid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One endpoint on one machine: the `+sip.instance` of its Contact, and the tail of the GRUU that the server returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance([u8; 16]);

impl Instance {
    /// Reads a UUID in any case, with or without `urn:uuid:` and angle brackets, as a Contact echoes it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('<').trim_end_matches('>').to_ascii_lowercase();
        let text = text.strip_prefix("urn:uuid:").unwrap_or(&text);
        let right = text.len() == 36
            && text.bytes().enumerate().all(|(at, byte)| (byte == b'-') == matches!(at, 8 | 13 | 18 | 23));
        if !right {
            return None;
        }
        let digits = text.bytes().filter(|byte| *byte != b'-').collect::<Vec<u8>>();
        let mut bytes = [0; 16];
        for (pair, place) in digits.chunks_exact(2).zip(TEXT_ORDER) {
            let (high, low) = (char::from(pair[0]).to_digit(16)?, char::from(pair[1]).to_digit(16)?);
            bytes[place] = u8::try_from(high * 16 + low).ok()?;
        }
        Some(Self(bytes))
    }

    /// As `+sip.instance` has it: `urn:uuid:` and the UUID in lower case.
    #[must_use]
    pub fn urn(&self) -> String {
        let mut urn = String::with_capacity(45);
        urn.push_str("urn:uuid:");
        for (at, place) in TEXT_ORDER.into_iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                urn.push('-');
            }
            urn.push_str(&format!("{:02x}", self.0[place]));
        }
        urn
    }

    /// The 24 characters after `opaque=user:epid:` in the GRUU: base64url of the GUID as it lies in memory and two zero
    /// bytes.
    #[must_use]
    pub fn gruu_opaque(&self) -> String {
        let mut bytes = [0; 18];
        bytes[..16].copy_from_slice(&self.0);
        URL_SAFE_NO_PAD.encode(bytes)
    }
}
