//! The name by which an agent is looked up.

use percent_encoding::percent_decode_str;
use presence_core::{AgentUri, EndedBy, Failure, FailureKind};

use crate::ObjectId;

/// The longest agent URI that is looked up, in bytes.
const LONGEST_URI: usize = 256;

/// How an agent's user is found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// The user part is the object id.
    User(ObjectId),
    /// `user@domain`, in lower case, as a userPrincipalName is written.
    Look(String),
}

/// The name of this agent.
///
/// # Errors
/// The agent cannot be a user's: no request is worth it.
pub(super) fn name_of(uri: &AgentUri) -> Result<Name, Failure> {
    let refuse = |why: &str| Failure::new(FailureKind::NotFound, EndedBy::Us, why);
    if uri.as_str().len() > LONGEST_URI {
        return Err(refuse("the URI is longer than the 256 bytes that a user of Microsoft Graph is looked up by"));
    }
    let (Some(user), Some(host)) = (uri.user(), uri.host()) else {
        return Err(refuse("only `sip:user@domain` can be a user of Microsoft Graph"));
    };
    // Parameters of the user part, and a password.
    let user = user.split([';', ':']).next().unwrap_or_default();
    let user = percent_decode_str(user).decode_utf8().map_err(|_| refuse("the user part is not UTF-8"))?;
    if user.is_empty() || user.chars().chain(host.chars()).any(|c| c.is_control() || c.is_whitespace()) {
        return Err(refuse("the user part is empty, or holds a blank or a control character"));
    }
    Ok(match user.parse() {
        Ok(id) => Name::User(id),
        Err(_) => Name::Look(format!("{}@{host}", user.to_lowercase())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(uri: &str) -> Option<Name> {
        name_of(&uri.parse().unwrap()).map_err(|failure| assert_eq!(failure.kind, FailureKind::NotFound)).ok()
    }

    #[test]
    fn an_agent_is_looked_up_by_user_and_domain() {
        let name = |text: &str| Some(Name::Look(text.to_owned()));
        assert_eq!(read("SIP:O'Hara@Domain.COM;user=phone?x=y"), name("o'hara@domain.com"));
        assert_eq!(read("sips:a;ext=1@domain.com:5061"), name("a@domain.com"));
        assert_eq!(read("sip:a_b.com%23EXT%23@domain.com"), name("a_b.com#ext#@domain.com"));
        assert_eq!(read("sip:a_b.com#EXT#@domain.com"), name("a_b.com#ext#@domain.com"));
        assert_eq!(read("sip:100%@domain.com"), name("100%@domain.com"));
    }

    #[test]
    fn a_user_part_that_is_a_guid_is_the_user() {
        let id = "4119dd4d-e455-4535-9d45-b3535f584cad";
        assert_eq!(read(&format!("sip:{}@domain.com", id.to_uppercase())), Some(Name::User(id.parse().unwrap())));
    }

    #[test]
    fn what_cannot_be_a_user_is_refused() {
        assert_eq!(read("tel:+31612345678"), None);
        assert_eq!(read("sip:a%0d%0ab@domain.com"), None);
        assert_eq!(read("sip:a%00@domain.com"), None);
        assert_eq!(read("sip:a%20b@domain.com"), None);
        assert_eq!(read("sip:%ff@domain.com"), None);
        assert_eq!(read("sip:;x@domain.com"), None);
        assert_eq!(read(&format!("sip:{}@domain.com", "a".repeat(242))), None);
        assert!(read(&format!("sip:{}@domain.com", "a".repeat(241))).is_some());
    }
}
