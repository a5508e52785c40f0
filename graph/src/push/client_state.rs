//! What a notification proves itself with.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Makes the `clientState` of each subscription of an account from the key of the process, so that none has to be kept, and none
/// tells anything about another.
pub(super) struct ClientStates {
    key: [u8; 32],
    tenant: Arc<str>,
    account: Arc<str>,
}

/// Without the key.
impl fmt::Debug for ClientStates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientStates").field("account", &self.account).finish_non_exhaustive()
    }
}

impl ClientStates {
    /// Those of this account of this tenant.
    pub(super) const fn new(key: [u8; 32], tenant: Arc<str>, account: Arc<str>) -> Self {
        Self { key, tenant, account }
    }

    /// That of the subscription with this number: 43 characters.
    pub(super) fn of(&self, generation: u64) -> String {
        let text = format!("{}|{}|{generation}", self.tenant, self.account);
        URL_SAFE_NO_PAD.encode(authenticate(&self.key, text.as_bytes()))
    }

    /// True when it is that of the subscription with this number. Takes as long for every text of that length.
    pub(super) fn is_of(&self, generation: u64, state: Option<&str>) -> bool {
        state.is_some_and(|state| state.as_bytes().ct_eq(self.of(generation).as_bytes()).into())
    }

    /// The account.
    pub(super) fn account(&self) -> &str {
        &self.account
    }

    /// The tenant.
    pub(super) fn tenant(&self) -> &str {
        &self.tenant
    }
}

/// HMAC-SHA256 (RFC 2104).
fn authenticate(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_test_cases_1_2_and_6_of_rfc_4231_come_out() {
        let one = authenticate(&[0x0b; 20], b"Hi There");
        assert_eq!(hex(&one), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        let two = authenticate(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex(&two), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let six = authenticate(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(hex(&six), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    #[test]
    fn every_subscription_has_another_and_only_its_own_is_taken() {
        let states = ClientStates::new([7; 32], "tenant".into(), "account".into());
        let first = states.of(1);
        assert_eq!(first.len(), 43);
        assert!(first.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')), "{first}");
        assert!(states.is_of(1, Some(&first)));
        let with = |key, tenant: &str, account: &str| ClientStates::new([key; 32], tenant.into(), account.into()).of(1);
        for other in
            [states.of(2), with(8, "tenant", "account"), with(7, "other", "account"), with(7, "tenant", "other")]
        {
            assert!(!states.is_of(1, Some(&other)), "{other}");
        }
        for other in [None, Some(""), Some(&first[..42]), Some(&format!("{first}="))] {
            assert!(!states.is_of(1, other), "{other:?}");
        }
        assert!(!format!("{states:?}").contains('7'), "{states:?}");
    }
}
