//! Values as one word of a command, so that nothing in them is read as a part of the command.

use presence_core::log_text::Safe;

/// As a PowerShell string without expansion. Within it a single quote is doubled; PowerShell takes the typographic ones
/// for single quotes as well. Control characters are made visible: they belong into no name.
pub(super) fn powershell(value: &str) -> String {
    let value = Safe(value).to_string();
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('\'');
    for c in value.chars() {
        if matches!(c, '\'' | '\u{2018}'..='\u{201b}') {
            quoted.push(c);
        }
        quoted.push(c);
    }
    quoted.push('\'');
    quoted
}

/// As a word of a POSIX shell.
pub(super) fn shell(value: &str) -> String {
    format!("'{}'", Safe(value).to_string().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_of_any_kind_ends_no_powershell_string() {
        assert_eq!(powershell("plain.example.com"), "'plain.example.com'");
        assert_eq!(powershell("a'; Remove-Item C:\\ #"), "'a''; Remove-Item C:\\ #'");
        assert_eq!(powershell("a\u{2019}b\u{201b}c"), "'a\u{2019}\u{2019}b\u{201b}\u{201b}c'");
        assert_eq!(powershell("$(evil) `n"), "'$(evil) `n'");
        assert_eq!(powershell("a\nb"), "'a\\nb'");
    }

    #[test]
    fn a_quote_ends_no_word_of_a_shell() {
        assert_eq!(shell("a'; rm -rf / #"), r"'a'\''; rm -rf / #'");
    }
}
