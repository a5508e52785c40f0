//! One start tag, read so that a slip in it is named exactly and costs no more than the attribute it is in.
//!
//! quick-xml finds the tags; when a quote is missing, its tag reaches to the next quote somewhere in the file. This
//! scanner decides where such a tag was meant to end, so that the rest of the file can still be checked.

use std::borrow::Cow;
use std::ops::Range;

use quick_xml::escape::{EscapeError, unescape};

use crate::diagnostic::{Findings, shown};
use crate::document::{Attribute, Element};

/// More attributes than any element of this file has.
const MAX_ATTRIBUTES: usize = 64;

/// What [`scan`] has found.
pub(crate) struct Tag<'a> {
    pub(crate) element: Element<'a>,
    /// Just after the tag.
    pub(crate) end: usize,
    /// True for `<name/>`.
    pub(crate) empty: bool,
    /// True when the file ends inside the tag.
    pub(crate) cut_off: bool,
}

struct Scanner<'a, 'f> {
    text: &'a str,
    at: usize,
    findings: &'f mut Findings,
    damaged: bool,
}

/// Reads the start tag whose `<` is at `start`. `None`, after a message, when there is no name.
pub(crate) fn scan<'a>(text: &'a str, start: usize, findings: &mut Findings) -> Option<Tag<'a>> {
    let mut scanner = Scanner { text, at: start + 1, findings, damaged: false };
    let name_span = scanner.name();
    let name = &text[name_span.clone()];
    if !is_name(name) {
        let end = name_span.end.max(start + 1);
        scanner.findings.error(
            start..end,
            "a `<` that begins no element",
            "write `&lt;` for the character itself, or the name of an element directly after the `<`",
        );
        return None;
    }
    let mut attributes: Vec<Attribute<'a>> = Vec::new();
    let empty = loop {
        scanner.blanks();
        let rest = &text[scanner.at..];
        if rest.starts_with("/>") {
            scanner.at += 2;
            break true;
        }
        if rest.starts_with('>') {
            scanner.at += 1;
            break false;
        }
        if rest.is_empty() {
            let message = format!("the file ends inside the tag {}", shown(&format!("<{name}")));
            scanner.slip(start..name_span.end, message, "the rest of the file is missing; was it copied completely?");
            break true;
        }
        if rest.starts_with('<') {
            scanner.slip(
                start..name_span.end,
                format!("the tag {} is not closed by `>`", shown(&format!("<{name}"))),
                "write `>` after its last attribute, or `/>` if the element has nothing inside",
            );
            break true;
        }
        if let Some(attribute) = scanner.attribute() {
            if attributes.len() == MAX_ATTRIBUTES {
                scanner.slip(attribute.name_span, format!("more than {MAX_ATTRIBUTES} attributes"), "remove some");
                attributes.clear();
            } else {
                attributes.push(attribute);
            }
        }
    };
    let damaged = scanner.damaged;
    let element = Element { name, name_span, attributes, children: Vec::new(), text: None, damaged };
    Some(Tag { element, end: scanner.at, empty, cut_off: scanner.at == text.len() && !text.ends_with('>') })
}

fn is_name(name: &str) -> bool {
    name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
}

impl<'a> Scanner<'a, '_> {
    fn slip(&mut self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.damaged = true;
        self.findings.error(span, message, help);
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Everything up to a character that ends a name.
    fn name(&mut self) -> Range<usize> {
        let start = self.at;
        let ends = |c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/' | '<' | '"' | '\'');
        self.at += self.rest().find(ends).unwrap_or(self.rest().len());
        start..self.at
    }

    /// How long what stands here without a name is: a text in quotes, or one character.
    fn stray(&self) -> usize {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return 0 };
        let inside = &rest[first.len_utf8()..];
        match inside.find([first, '\n', '<', '>']) {
            Some(length) if matches!(first, '"' | '\'') && inside[length..].starts_with(first) => length + 2,
            _ => first.len_utf8(),
        }
    }

    fn attribute(&mut self) -> Option<Attribute<'a>> {
        let name_span = self.name();
        if name_span.is_empty() {
            let stray = self.stray();
            let span = self.at..self.at + stray;
            self.at += stray;
            let character = shown(&self.text[span.clone()]);
            self.slip(span, format!("{character} belongs to no attribute"), "write attributes as `name=\"value\"`");
            return None;
        }
        let name = &self.text[name_span.clone()];
        self.blanks();
        if !self.rest().starts_with('=') {
            self.at = name_span.end;
            let help = format!("write {}", shown(&format!("{name}=\"...\"")));
            self.slip(name_span, format!("the attribute {} has no value", shown(name)), help);
            return None;
        }
        self.at += 1;
        self.blanks();
        let value_span = match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(name, quote),
            Some('\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}') => self.typographic(name),
            _ => self.unquoted(name),
        };
        let value = self.resolve(name, &value_span)?;
        Some(Attribute { name, name_span, value, value_span })
    }

    /// The inside of a value in quotes; the cursor goes behind the closing quote.
    fn quoted(&mut self, name: &str, quote: char) -> Range<usize> {
        let open = self.at;
        let start = open + 1;
        let closing = self.text[start..].find(quote).map(|length| start + length);
        if let Some(end) = closing {
            let value = &self.text[start..end];
            let after = self.text[end + 1..].chars().next();
            let fits = after.is_none_or(|c| c.is_whitespace() || matches!(c, '/' | '>' | '<'));
            let one_line = !value.contains('\n');
            if fits && (one_line || !value.contains('<')) {
                self.at = end + 1;
                if let Some(bracket) = value.find('<') {
                    let help =
                        format!("write {}", shown(&format!("{name}={quote}{}{quote}", value.replace('<', "&lt;"))));
                    let message = format!("a `<` in the value of {}; XML allows it only as `&lt;`", shown(name));
                    self.slip(start + bracket..start + bracket + 1, message, help);
                }
                return start..end;
            }
            if one_line && !value.contains('<') && !value.trim_end().ends_with('=') {
                self.at = end + 1;
                let message = format!("no blank after the value of {}", shown(name));
                self.slip(end..end + 1, message, "write a blank between two attributes, and no quote inside a value");
                return start..end;
            }
        }
        let end = start + meant_end(&self.text[start..]);
        self.at = end;
        if self.text[end..].trim_start().is_empty() {
            // The whole tag will be said to be cut off.
            return start..end;
        }
        let help =
            format!("write `{quote}` after it: {}", shown(&format!("{name}={quote}{}{quote}", &self.text[start..end])));
        self.slip(open..end, format!("the value of {} has no closing quote", shown(name)), help);
        start..end
    }

    /// A value in quotes from a word processor.
    fn typographic(&mut self, name: &str) -> Range<usize> {
        let open = self.at;
        let is_quote = |c: char| matches!(c, '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}' | '"' | '\'');
        let start = open + self.rest().chars().next().map_or(0, char::len_utf8);
        let inside = &self.text[start..];
        let length = inside.find(|c| is_quote(c) || matches!(c, '<' | '>' | '\n')).unwrap_or(inside.len());
        let end = start + length;
        self.at = end + inside[length..].chars().next().filter(|&c| is_quote(c)).map_or(0, char::len_utf8);
        let help = format!("write straight quotes: {}", shown(&format!("{name}=\"{}\"", &self.text[start..end])));
        let message =
            format!("the value of {} stands in typographic quotes, as a word processor writes them", shown(name));
        self.slip(open..self.at, message, help);
        start..end
    }

    fn unquoted(&mut self, name: &str) -> Range<usize> {
        let start = self.at;
        let rest = self.rest();
        let mut length = rest.find(|c: char| c.is_whitespace() || matches!(c, '<' | '>')).unwrap_or(rest.len());
        if rest[..length].ends_with('/') && rest[length..].starts_with('>') {
            length -= 1;
        }
        self.at = start + length;
        let value = rest[..length].trim_end_matches(['"', '\'']);
        if value.is_empty() {
            let message = format!("the attribute {} has no value", shown(name));
            let help = format!("write {}", shown(&format!("{name}=\"...\"")));
            // Under the equals sign, although the next word may be lines below it.
            let before = self.text[..start].trim_end();
            let width = before.chars().next_back().map_or(0, char::len_utf8);
            self.slip(before.len() - width..before.len(), message, help);
        } else {
            let message = format!("the value of {} does not begin with a quote", shown(name));
            let help = format!("write {}", shown(&format!("{name}=\"{value}\"")));
            self.slip(start..start + length, message, help);
        }
        start..start + value.len()
    }

    /// The value with `&amp;`, `&#65;` and so on replaced; `None`, after a message, when that is not possible.
    fn resolve(&mut self, name: &str, span: &Range<usize>) -> Option<Cow<'a, str>> {
        let raw = &self.text[span.clone()];
        match unescape(raw) {
            Ok(value) => return Some(value),
            Err(EscapeError::UnrecognizedEntity(_, entity)) => {
                let place = raw
                    .find(&format!("&{entity};"))
                    .map_or(span.clone(), |at| span.start + at..span.start + at + entity.len() + 2);
                let (message, help) = unknown_entity(&entity);
                self.slip(place, message, help);
            }
            Err(EscapeError::UnterminatedEntity(_)) => {
                let at = bare_ampersand(raw);
                let message = format!("a bare `&` in the value of {}; it has a meaning of its own in XML", shown(name));
                self.slip(span.start + at..span.start + at + 1, message, "write `&amp;` for the character itself");
            }
            Err(other) => {
                self.slip(span.clone(), format!("the value of {}: {other}", shown(name)), "write the character itself");
            }
        }
        None
    }
}

/// The first `&` that no `;` ends.
fn bare_ampersand(raw: &str) -> usize {
    let bare = |&(at, _): &(usize, &str)| {
        let name = raw[at + 1..].split(['&', ';']).next().unwrap_or_default();
        !raw[at + 1 + name.len()..].starts_with(';')
    };
    raw.match_indices('&').find(bare).map_or(0, |(at, _)| at)
}

/// What to say about a reference to an entity that XML does not define itself.
pub(crate) fn unknown_entity(entity: &str) -> (String, &'static str) {
    let message = format!("the entity {} is not known", shown(&format!("&{entity};")));
    (message, "entities are not defined in this file; write the character itself, or `&amp;` for an `&`")
}

/// How much of `rest` was meant to be the value when its closing quote is missing: up to the end of the line or tag, or
/// to the next attribute.
fn meant_end(rest: &str) -> usize {
    let line = rest.find(['\n', '\r', '<', '>']).unwrap_or(rest.len());
    let line = if rest[..line].ends_with('/') && rest[line..].starts_with('>') { line - 1 } else { line };
    let mut end = line;
    for (at, _) in rest[..line].match_indices(char::is_whitespace) {
        let next = &rest[at + rest[at..].chars().next().map_or(1, char::len_utf8)..line];
        let name = next.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | ':' | '.'))).unwrap_or(0);
        if name > 0 && next[name..].trim_start().starts_with('=') {
            end = at;
            break;
        }
    }
    rest[..end].trim_end().len()
}
