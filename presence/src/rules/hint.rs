//! What is odd about a pattern that works: mostly that it matches more than its writer thinks.

use super::scan::{Piece, pieces};

/// What is odd and what was probably meant.
pub(super) fn of(pattern: &str) -> Option<(String, Option<String>)> {
    let pieces = pieces(pattern);
    let mut bare_dots = Vec::new();
    for (position, &(at, piece)) in pieces.iter().enumerate() {
        let is_between = |neighbour: Option<&(usize, Piece<'_>)>| matches!(neighbour, Some((_, Piece::Literal(c))) if c.is_alphanumeric() || *c == '-');
        let before = position.checked_sub(1).and_then(|before| pieces.get(before));
        if piece == Piece::Dot && is_between(before) && is_between(pieces.get(position + 1)) {
            bare_dots.push(at);
        }
    }
    let first_dot = *bare_dots.first()?;
    let is_open_ended = !matches!(pieces.last(), Some((_, Piece::Sign('$') | Piece::Escape(r"\z" | r"\Z"))));
    let is_host = pattern.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'));

    let (before, after) = (&pattern[..first_dot], &pattern[first_dot + 1..]);
    let mut message = format!("an unescaped dot stands for any character: it matches `{before}X{after}` too");
    if is_open_ended {
        message.push_str(", and as nothing ties it to the end of the URI, ");
        if is_host {
            message.push_str(&format!("`sip:x@{pattern}.evil.example` too"));
        } else {
            message.push_str("whatever follows it");
        }
    }
    let mut escaped = pattern.to_owned();
    for &at in bare_dots.iter().rev() {
        escaped.insert(at, '\\');
    }
    let suggestion = if is_host { format!("@{escaped}$") } else { escaped };
    Some((message, Some(suggestion)))
}
