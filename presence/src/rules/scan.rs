//! A pattern taken apart, as far as telling one meaning from another needs it.

/// A piece of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A backslash and what belongs to it: `\.`, `\p{Lu}`, `\x41`.
    Escape(&'a str),
    /// A character class with its brackets, everything inside it included.
    Class(&'a str),
    /// The beginning of a group: `(`, `(?:`, `(?<name>`, `(?i)` (which has no end), `(?#comment)`.
    Open(&'a str),
    /// `)`
    Close,
    /// `*`, `+`, `?`, `{2,3}`, lazy or not: `+?`.
    Quantifier(&'a str),
    /// `.`
    Dot,
    /// `^`, `$` or `|`
    Sign(char),
    /// Any other character.
    Literal(char),
}

/// The pieces of a pattern with the places where they begin.
pub(super) fn pieces(pattern: &str) -> Vec<(usize, Piece<'_>)> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(rest) = pattern.get(at..).filter(|rest| !rest.is_empty()) {
        let length = length_of_piece(rest);
        let text = rest.get(..length).unwrap_or(rest);
        pieces.push((at, piece(text)));
        at += text.len();
    }
    pieces
}

fn length_of_piece(rest: &str) -> usize {
    let first = rest.chars().next().map_or(1, char::len_utf8);
    match rest.as_bytes().first() {
        Some(b'\\') => length_of_escape(rest),
        Some(b'[') => length_of_class(rest),
        Some(b'(') => length_of_open(rest),
        Some(b'*' | b'+' | b'?') => 1 + usize::from(rest[1..].starts_with('?')),
        Some(b'{') => match length_of_counts(rest) {
            Some(length) => length + usize::from(rest[length..].starts_with('?')),
            None => 1,
        },
        _ => first,
    }
}

fn piece(text: &str) -> Piece<'_> {
    let first = text.chars().next().unwrap_or('\\');
    match first {
        '\\' => Piece::Escape(text),
        '[' => Piece::Class(text),
        '(' => Piece::Open(text),
        ')' => Piece::Close,
        '*' | '+' | '?' => Piece::Quantifier(text),
        '{' if text.len() > 1 => Piece::Quantifier(text),
        '.' => Piece::Dot,
        '^' | '$' | '|' => Piece::Sign(first),
        _ => Piece::Literal(first),
    }
}

pub(super) fn length_of_escape(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    let Some((at, letter)) = characters.next() else { return rest.len() };
    let end = at + letter.len_utf8();
    let is_braced = matches!(letter, 'p' | 'P' | 'x' | 'u' | 'U' | 'k' | 'g') && rest[end..].starts_with('{');
    if is_braced { rest.find('}').map_or(rest.len(), |brace| brace + 1) } else { end }
}

/// A class ends at the first `]` that is not its first character, not escaped and not inside a nested bracket that
/// follows a `-` (.NET's subtraction) or that is closed before it.
fn length_of_class(rest: &str) -> usize {
    let mut at = 1 + usize::from(rest[1..].starts_with('^'));
    at += usize::from(rest[at..].starts_with(']'));
    while let Some(inner) = rest.get(at..).filter(|inner| !inner.is_empty()) {
        match inner.as_bytes()[0] {
            b']' => return at + 1,
            b'\\' => at += length_of_escape(inner),
            b'[' if inner.starts_with("[:") || rest[..at].ends_with('-') => at += length_of_class(inner),
            _ => at += inner.chars().next().map_or(1, char::len_utf8),
        }
    }
    rest.len()
}

fn length_of_open(rest: &str) -> usize {
    let Some(inner) = rest.strip_prefix("(?") else { return 1 };
    if inner.starts_with('#') {
        return rest.find(')').map_or(rest.len(), |end| end + 1);
    }
    for (prefix, end) in [("P<", '>'), ("'", '\'')] {
        if let Some(name) = inner.strip_prefix(prefix) {
            return name.find(end).map_or(rest.len(), |at| 2 + prefix.len() + at + 1);
        }
    }
    if let Some(after) = inner.strip_prefix('<') {
        if after.starts_with(['=', '!']) {
            return 4;
        }
        return after.find('>').map_or(rest.len(), |at| 3 + at + 1);
    }
    match inner.find(|c: char| !c.is_ascii_alphabetic() && c != '-') {
        Some(end) if inner[end..].starts_with([':', ')']) || end == 0 => (2 + end + 1).min(rest.len()),
        _ => 2,
    }
}

/// The length of `{2}`, `{2,}`, `{2,3}` or `{,3}`; `None` when the brace is a literal.
fn length_of_counts(rest: &str) -> Option<usize> {
    let end = rest.find('}')?;
    let counts = rest.get(1..end)?;
    let (low, high) = counts.split_once(',').unwrap_or((counts, "0"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(low) && digits(high) && counts.bytes().any(|byte| byte.is_ascii_digit())).then_some(end + 1)
}
