//! What a person does about a failure that only a person can mend.

use presence_core::Failure;

const SIGN_IN: &str = "sign in anew with `presence-provider graph login` and the name of the account";

/// What is to be done about the failure of an account, as half a sentence; none where that is not known. The numbers are those of
/// Microsoft's page "Microsoft Entra authentication and authorization error codes".
#[must_use]
pub fn remedy(failure: &Failure) -> Option<&'static str> {
    let detail = failure.detail.as_ref();
    Some(match number(detail) {
        Some(7_000_222) => {
            "make a new client secret of the application in Entra and write it into the account's credential"
        }
        Some(7_000_215) => "write the Value of the client secret, not its Secret ID, into the account's credential",
        Some(7_000_218) => "allow public client flows for the application in Entra",
        Some(700_027) => "upload the account's certificate to the application in Entra",
        Some(700_024) => "set the clock of this computer",
        Some(700_016) => "correct client_id in the account's credential, or TenantId in Config.xml",
        Some(90_002 | 900_023) => "correct TenantId in Config.xml",
        Some(65_001) => "have an administrator grant consent to the application in Entra",
        _ if failure.code == Some(403) => {
            "have an administrator grant Presence.Read.All and User.Read.All to the application in Entra"
        }
        _ if ["invalid_grant", "interaction_required"].iter().any(|word| detail.contains(word)) => SIGN_IN,
        _ => return None,
    })
}

/// The number of Microsoft's description.
fn number(detail: &str) -> Option<u32> {
    let (_, rest) = detail.split_once("AADSTS")?;
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest.get(..length)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use presence_core::FailureKind;

    use super::*;

    fn said(code: u16, detail: &str) -> Option<&'static str> {
        remedy(&Failure::answered(FailureKind::Endpoint, code, detail))
    }

    #[test]
    fn a_failure_that_a_person_mends_says_how() {
        for (code, detail, word) in [
            (401, "no token: invalid_client (AADSTS7000222): The keys are expired. Trace ID: 1", "new client secret"),
            (401, "no token: invalid_client (AADSTS7000215): Invalid client secret", "not its Secret ID"),
            (401, "no token: invalid_client (AADSTS700027): no such key", "upload"),
            (400, "no token: unauthorized_client (AADSTS700016): not found", "client_id"),
            (400, "no token: invalid_request (AADSTS90002): Tenant not found", "TenantId"),
            (400, "no token: invalid_grant (AADSTS65001): no consent", "consent"),
            (400, "no token: invalid_grant (AADSTS50173): The grant has been revoked", "graph login"),
            (400, "no token: interaction_required", "graph login"),
            (403, "Forbidden: The request is not authorized. (request-id 1)", "Presence.Read.All"),
        ] {
            assert!(said(code, detail).is_some_and(|remedy| remedy.contains(word)), "{detail}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        for detail in ["", "AADSTS", "AADSTS99999999999", "AADSTS1: odd", "nobody has signed in; run it"] {
            assert_eq!(said(401, detail), None, "{detail}");
        }
    }
}
