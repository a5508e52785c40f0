//! The filters of `GET /users` that are understood.

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// `userPrincipalName in ('a','b')`
    Upns(Vec<String>),
    /// `imAddresses/any(i:i eq 'sip:a')`
    ImAddress(String),
    /// `proxyAddresses/any(p:p eq 'SIP:a')`
    ProxyAddress(String),
    /// `mail eq 'a'`
    Mail(String),
}

/// `in` takes so many values.
const MOST_VALUES: usize = 15;

/// Reads a filter.
///
/// # Errors
/// What Microsoft would say about it.
pub(super) fn read(text: &str) -> Result<Filter, String> {
    let invalid = || format!("Invalid filter clause: {text}");
    if let Some(list) = text.strip_prefix("userPrincipalName in ") {
        let list = list.trim().strip_prefix('(').and_then(|list| list.strip_suffix(')')).ok_or_else(invalid)?;
        let values = values(list).ok_or_else(invalid)?;
        if values.len() > MOST_VALUES {
            let count = values.len();
            return Err(format!(
                "Too many child clauses specified in search filter expression containing 'OR' operators: {count}. \
                 Max allowed: {MOST_VALUES}."
            ));
        }
        return Ok(Filter::Upns(values));
    }
    if let Some(value) = text.strip_prefix("mail eq ") {
        return one(value).map(Filter::Mail).ok_or_else(invalid);
    }
    let any = |property: &str| {
        let inner = text.strip_prefix(property)?.strip_prefix("/any(")?.strip_suffix(')')?;
        let (variable, rest) = inner.split_once(':')?;
        let named = !variable.is_empty() && variable.bytes().all(|byte| byte.is_ascii_alphabetic());
        let value = rest.trim_start().strip_prefix(variable)?.strip_prefix(" eq ")?;
        if named { one(value) } else { None }
    };
    let address = any("imAddresses").map(Filter::ImAddress).or_else(|| any("proxyAddresses").map(Filter::ProxyAddress));
    address.ok_or_else(invalid)
}

/// The one string in quotes.
fn one(text: &str) -> Option<String> {
    values(text).filter(|values| values.len() == 1)?.pop()
}

/// Strings in quotes with commas between them; a doubled quote is one.
fn values(text: &str) -> Option<Vec<String>> {
    let (mut values, mut rest) = (Vec::new(), text.trim());
    loop {
        rest = rest.strip_prefix('\'')?;
        let mut value = String::new();
        loop {
            let end = rest.find('\'')?;
            value.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            let Some(more) = rest.strip_prefix('\'') else { break };
            value.push('\'');
            rest = more;
        }
        values.push(value);
        rest = rest.trim_start();
        if rest.is_empty() {
            return Some(values);
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_of_lookups_are_read() {
        let upns = Filter::Upns(vec!["a@b".into(), "o'neil@b".into()]);
        assert_eq!(read("userPrincipalName in ('a@b','o''neil@b')"), Ok(upns));
        assert_eq!(read("imAddresses/any(i:i eq 'sip:a@b')"), Ok(Filter::ImAddress("sip:a@b".into())));
        assert_eq!(read("proxyAddresses/any(p:p eq 'SIP:a@b')"), Ok(Filter::ProxyAddress("SIP:a@b".into())));
        assert_eq!(read("mail eq 'a''b'"), Ok(Filter::Mail("a'b".into())));
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "mail eq a",
            "mail eq 'a' or mail eq 'b'",
            "mail eq 'o'neil'",
            "userPrincipalName in ()",
            "userPrincipalName in ('a',)",
            "imAddresses/any(i:j eq 'a')",
            "imAddresses/any(:  eq 'a')",
            "displayName eq 'a'",
            "startswith(mail,'a')",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        let many = vec!["'a'"; 16].join(",");
        assert!(read(&format!("userPrincipalName in ({many})")).is_err_and(|why| why.contains("16. Max allowed: 15.")));
    }
}
