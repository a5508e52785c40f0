//! What compiles here but means something else in .NET, for which the patterns were written.

use super::Refusal;
use super::scan::{Piece, length_of_escape, pieces};

/// Refuses a pattern with a construct that .NET reads otherwise, with what to write instead.
pub(super) fn refuse_other_meanings(pattern: &str) -> Result<(), Refusal> {
    let mut previous = None;
    for (at, piece) in pieces(pattern) {
        let rewritten = |length: usize, with: &str| {
            let (before, after) = (pattern.get(..at)?, pattern.get(at + length..)?);
            Some(format!("{before}{with}{after}"))
        };
        match piece {
            Piece::Class(class) => {
                if let Some((reason, with)) = class_with_another_meaning(class) {
                    return Err((reason, with.and_then(|with| rewritten(class.len(), &with))));
                }
            }
            Piece::Quantifier(quantifier) => {
                if let Some(Piece::Quantifier(earlier)) = previous {
                    let reason = format!(
                        "`{earlier}{quantifier}` is an error in .NET, which knows no possessive or repeated quantifiers"
                    );
                    return Err((reason, rewritten(quantifier.len(), "")));
                }
                if let Some(high) = quantifier.strip_prefix("{,") {
                    let reason = format!("`{quantifier}` is plain text in .NET and not a number of repetitions");
                    return Err((reason, rewritten(quantifier.len(), &format!("{{0,{high}"))));
                }
            }
            Piece::Escape(escape) => {
                if let Some((reason, with)) = escape_with_another_meaning(escape) {
                    return Err((reason, with.and_then(|with| rewritten(escape.len(), &with))));
                }
            }
            Piece::Open(open) => {
                if let Some((reason, with)) = group_with_another_meaning(open) {
                    return Err((reason, with.and_then(|with| rewritten(open.len(), &with))));
                }
            }
            Piece::Close | Piece::Dot | Piece::Sign(_) | Piece::Literal(_) => {}
        }
        previous = Some(piece);
    }
    Ok(())
}

/// Refuses what our engine for look-around and back-references knows beside .NET: such a construct is an error there,
/// or means something else.
///
/// `names` are those of the groups that the pattern has, the first of which is the whole match. A condition on a group
/// that is not there is an error in .NET; our engine would take it and then read beyond what it has kept.
pub(super) fn refuse_foreign_constructs(pattern: &str, names: &[Option<&str>]) -> Result<(), Refusal> {
    let mut previous = None;
    for (at, piece) in pieces(pattern) {
        let rest = &pattern[at..];
        let foreign = match piece {
            Piece::Open("(?(") => {
                refuse_condition(&rest[3..], names)?;
                None
            }
            Piece::Open(open) if rest.starts_with("(?") => {
                let known =
                    ["(?=", "(?!", "(?<", "(?>", "(?'", "(?#", "(?P<"].iter().any(|known| rest.starts_with(known));
                let is_flags =
                    open.len() > 2 && open[2..].starts_with(|c: char| c.is_ascii_alphabetic() || "-:".contains(c));
                (!known && !is_flags).then(|| rest.chars().take(4).collect::<String>())
            }
            Piece::Quantifier(quantifier) if matches!(previous, Some(Piece::Open("("))) => {
                Some(format!("({quantifier}"))
            }
            Piece::Escape(escape) => escape
                .strip_prefix('\\')
                .is_some_and(|letter| letter.starts_with(['g', 'K', 'R', 'X', 'O', 'N', 'h', 'H']))
                .then(|| escape.to_owned()),
            _ => None,
        };
        if let Some(foreign) = foreign {
            return Err((format!("`{foreign}` does not exist in .NET"), None));
        }
        previous = Some(piece);
    }
    Ok(())
}

/// What follows `(?(`: the number of a group. Anything else is looked ahead for in .NET, and consumed here.
fn refuse_condition(rest: &str, names: &[Option<&str>]) -> Result<(), Refusal> {
    let asked = rest.split(')').next().unwrap_or(rest);
    let groups = names.len().saturating_sub(1);
    let reason = if let Some(number) = names.iter().position(|name| *name == Some(asked)) {
        format!("`(?({asked})` asks for the group in .NET and looks for its name here; write `(?({number})`")
    } else if asked.is_empty() || !asked.bytes().all(|byte| byte.is_ascii_digit()) {
        "`(?(` with an expression only looks ahead in .NET and goes on behind what it finds here; \
         write `(?:(?=condition)yes|(?!condition)no)`"
            .to_owned()
    } else if asked.parse::<usize>().is_ok_and(|number| number <= groups) {
        return Ok(());
    } else {
        format!("`(?({asked})` asks for group {asked} and the pattern has {groups}")
    };
    Err((reason, None))
}

/// What to write instead of a pattern that neither .NET nor we can read: the usual one is a file name's star.
pub(super) fn rewrite_of_broken(pattern: &str) -> Option<String> {
    let rest = pattern.strip_prefix('*').or_else(|| pattern.strip_prefix('?'))?;
    let rewritten = if pattern.starts_with('*') { format!(".*{rest}") } else { format!(".{rest}") };
    regex::Regex::new(&rewritten).is_ok().then_some(rewritten)
}

fn class_with_another_meaning(class: &str) -> Option<(String, Option<String>)> {
    let inner = class.strip_prefix('[')?.strip_suffix(']')?;
    let mut at = usize::from(inner.starts_with('^'));
    // A bracket that comes first is a character of the class.
    at += usize::from(inner.get(at..)?.starts_with(']'));
    while let Some(rest) = inner.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with('\\') {
            at += length_of_escape(rest);
            continue;
        }
        if let Some(subtracted) = rest.strip_prefix("-[") {
            let subtracted = subtracted.strip_suffix(']').unwrap_or(subtracted);
            let reason = "it subtracts one character class from another in .NET and joins them here".to_owned();
            return Some((reason, Some(format!("(?:(?![{subtracted}])[{}])", &inner[..at]))));
        }
        if let Some(name) = rest.strip_prefix("[:").and_then(|rest| rest.split_once(":]")).map(|(name, _)| name) {
            let reason = format!("`[:{name}:]` names a kind of character here and lists the characters in .NET");
            let whole = inner == format!("[:{name}:]");
            let with = match (whole, name) {
                (true, "alpha") => Some("[a-zA-Z]"),
                (true, "digit") => Some("[0-9]"),
                (true, "alnum") => Some("[a-zA-Z0-9]"),
                (true, "lower") => Some("[a-z]"),
                (true, "upper") => Some("[A-Z]"),
                (true, "space") => Some(r"\s"),
                (true, "word") => Some(r"\w"),
                _ => None,
            };
            return Some((reason, with.map(str::to_owned)));
        }
        for (sign, with) in [("[", r"\["), ("&&", r"\&"), ("~~", r"\~"), ("--", r"\-")] {
            if let Some(after) = rest.strip_prefix(sign) {
                let reason = format!("`{sign}` in a character class is plain text in .NET and a set operation here");
                let before = &inner[..at];
                return Some((reason, Some(format!("[{before}{with}{after}]"))));
            }
        }
        at += rest.chars().next().map_or(1, char::len_utf8);
    }
    None
}

fn escape_with_another_meaning(escape: &str) -> Option<(String, Option<String>)> {
    match escape {
        r"\<" | r"\>" => {
            let character = &escape[1..];
            let reason = format!("`{escape}` is the character `{character}` in .NET and the edge of a word here");
            Some((reason, Some(character.to_owned())))
        }
        _ => {
            let name = escape.strip_prefix(r"\p{").or_else(|| escape.strip_prefix(r"\P{"))?.strip_suffix('}')?;
            name.strip_prefix("Is").map(|block| {
                let reason = format!(
                    "`{escape}` is the Unicode block {block} in .NET and a script or property here; \
                     list the characters, such as `[\\u0370-\\u03FF]`"
                );
                (reason, None)
            })
        }
    }
}

fn group_with_another_meaning(open: &str) -> Option<(String, Option<String>)> {
    let name = open.strip_prefix("(?<").and_then(|rest| rest.strip_suffix('>'));
    let name = name.or_else(|| open.strip_prefix("(?'").and_then(|rest| rest.strip_suffix('\'')));
    if name.is_some_and(|name| name.contains('-')) {
        return Some((format!("`{open}` is a balancing group in .NET and does not exist here"), None));
    }
    let flags = open.strip_prefix("(?")?.strip_suffix([':', ')'])?;
    let unknown = flags.chars().find(|&flag| flag.is_ascii_alphabetic() && !"imsnx".contains(flag))?;
    if open.starts_with("(?#") {
        return None;
    }
    Some((format!("`{open}` has the flag `{unknown}`, which is an error in .NET"), None))
}
