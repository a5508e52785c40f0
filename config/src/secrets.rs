//! No secret ever stands in the file. When one does, nothing that we print may show it.

use std::borrow::Cow;
use std::ops::Range;

/// Parts of names that mean a secret, without `-`, `_`, `.` and in lower case.
const SECRET_WORDS: [&str; 8] =
    ["password", "passwd", "passphrase", "pwd", "secret", "apikey", "accesstoken", "bearer"];

/// How a PEM text begins that somebody pasted where the name of a file belongs.
pub(crate) const PEM: &str = "-----BEGIN";

/// True for names such as `password` and `ClientSecret`, false for `PasswordFile`.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let names_a_file = ["file", "path"].iter().any(|end| plain.ends_with(end));
    !names_a_file && SECRET_WORDS.iter().any(|word| plain.contains(word))
}

/// The text with the values of everything that looks like a secret replaced by as many asterisks as
/// they have bytes, so that every place stays where it is.
///
/// It works on the bare text, so that it holds for a file that is not even XML.
pub(crate) fn mask(text: &str) -> Cow<'_, str> {
    let found = find(text);
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut masked = String::with_capacity(text.len());
    let mut done = 0;
    for span in found {
        if span.start < done {
            continue;
        }
        masked.push_str(&text[done..span.start]);
        for c in text[span.clone()].chars() {
            if c.is_whitespace() { masked.push(c) } else { masked.extend(std::iter::repeat_n('*', c.len_utf8())) }
        }
        done = span.end;
    }
    masked.push_str(&text[done..]);
    Cow::Owned(masked)
}

fn find(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    let mut at = 0;
    while let Some(start) = text[at..].find(is_name).map(|skip| at + skip) {
        let end = text[start..].find(|c| !is_name(c)).map_or(text.len(), |length| start + length);
        at = end;
        let secret = is_secret_name(&text[start..end]);
        let after = text[end..].trim_start();
        if let Some(value) = after.strip_prefix('=') {
            let value = value.trim_start();
            let value_start = text.len() - value.len();
            let quoted = value.starts_with(['"', '\'']);
            let inside = value.trim_start_matches(['"', '\'']);
            if secret {
                let span = if quoted { quoted_value(text, value_start) } else { bare_value(text, value_start) };
                at = span.end.max(end);
                found.push(span);
            } else if inside.starts_with(PEM) && quoted {
                let mut span = quoted_value(text, value_start);
                span.start += PEM.len().min(span.len());
                found.push(span);
            }
        } else if secret && text[..start].ends_with('<') {
            let span = content(text, end);
            // Attributes of this element may be secrets too: only what follows the tag is skipped.
            found.push(span);
        }
    }
    found.extend(passwords_of_addresses(text));
    found.sort_by_key(|span| span.start);
    found
}

/// What stands behind the user in addresses such as `https://user:password@host`.
fn passwords_of_addresses(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    text.match_indices("://").filter_map(|(at, scheme)| {
        let start = at + scheme.len();
        let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '<' | '>');
        let authority = &text[start..start + text[start..].find(ends).unwrap_or(text.len() - start)];
        let user = &authority[..authority.rfind('@')?];
        let password = user.find(':')? + 1;
        Some(start + password..start + user.len())
    })
}

/// The inside of the quotes that open at `start`; without a closing one as much as may belong to it.
fn quoted_value(text: &str, start: usize) -> Range<usize> {
    let quote = text[start..].chars().next().unwrap_or('"');
    let inside = start + 1;
    let length = text[inside..].find([quote, '<']).unwrap_or(text.len() - inside);
    let end = inside + length;
    if !text[inside..end].trim_end().ends_with('=') {
        return inside..end;
    }
    // That quote opens the value of another attribute, so that this one has none: the line's rest may belong to it.
    let rest = text[end..].find(['\n', '<']).unwrap_or(text.len() - end);
    inside..end + rest
}

fn bare_value(text: &str, start: usize) -> Range<usize> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '<' | '>');
    start..start + text[start..].find(ends).unwrap_or(text.len() - start)
}

/// The text between the tag that goes on at `start` and the next tag.
fn content(text: &str, start: usize) -> Range<usize> {
    let mut quote = None;
    for (at, c) in text[start..].char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (None, '>') => {
                let from = start + at + 1;
                return from..from + text[from..].find('<').unwrap_or(text.len() - from);
            }
            (None, '<') => break,
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    start..start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_become_asterisks_wherever_they_stand() {
        for (text, expected) in [
            (r#"<Pool Password="hunter2" Listen="x"/>"#, r#"<Pool Password="*******" Listen="x"/>"#),
            (r#"<A clientSecret = 'a b' />"#, r#"<A clientSecret = '* *' />"#),
            (r#"<A pass_word=hunter2>"#, r#"<A pass_word=*******>"#),
            (r#"<A password="hunter2>"#, r#"<A password="********"#),
            (
                r#"<SettingsPassword encrypted="a>b">xyz</SettingsPassword>"#,
                r#"<SettingsPassword encrypted="a>b">***</SettingsPassword>"#,
            ),
            (r#"<A Proxy="http://me:hun:t@er2@proxy:3128"/>"#, r#"<A Proxy="http://me:*********@proxy:3128"/>"#),
            (r#"<A Key="-----BEGIN X-----abc"/>"#, r#"<A Key="-----BEGIN *********"/>"#),
        ] {
            assert_eq!(mask(text), expected);
        }
    }

    #[test]
    fn names_of_files_and_other_settings_are_left_alone() {
        let text = r#"<Pool PasswordFile="pool.password" Certificate="a.pem"/> password is no attribute here"#;
        assert!(matches!(mask(text), Cow::Borrowed(_)));
    }
}
