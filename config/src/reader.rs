//! From the text to the tree, past every slip that can be passed.

use quick_xml::Reader;
use quick_xml::errors::{IllFormedError, SyntaxError};
use quick_xml::events::Event;

use crate::diagnostic::{Findings, shown};
use crate::document::{Document, Element};
use crate::tag;

/// Deeper than any element of this file.
const MAX_DEPTH: usize = 32;
/// More elements than a file with hundreds of queues has.
const MAX_ELEMENTS: usize = 500_000;

/// What the loop over the events does next.
enum Next {
    Continue,
    /// Reads on at this offset with a fresh reader.
    Resume(usize),
    Stop,
}

struct TreeReader<'a, 'f> {
    text: &'a str,
    findings: &'f mut Findings,
    stack: Vec<Element<'a>>,
    document: Document<'a>,
    elements: usize,
}

/// Reads the whole text. Everything that is not well-formed becomes an error, except a missing end tag of the root
/// element at the end of the file: the documented sample has none, so that it is a warning.
pub(crate) fn read<'a>(text: &'a str, findings: &mut Findings) -> Document<'a> {
    let mut tree = TreeReader { text, findings, stack: Vec::new(), document: Document::default(), elements: 0 };
    let mut base = 0;
    'resume: loop {
        // A fresh reader would swallow a byte order mark without counting it.
        while text[base..].starts_with('\u{feff}') {
            base += '\u{feff}'.len_utf8();
        }
        let mut reader = Reader::from_str(&text[base..]);
        let config = reader.config_mut();
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        loop {
            let start = base + offset(reader.buffer_position());
            let event = reader.read_event();
            let end = base + offset(reader.buffer_position());
            let next = match event {
                Ok(Event::Eof) => Next::Stop,
                Ok(event) => tree.event(&event, start, end),
                Err(error) => tree.error(error, base + offset(reader.error_position()), end),
            };
            match next {
                _ if tree.findings.is_full() => break 'resume,
                Next::Continue => {}
                Next::Stop => break 'resume,
                Next::Resume(at) => {
                    base = at;
                    continue 'resume;
                }
            }
        }
    }
    tree.finish()
}

fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

impl<'a> TreeReader<'a, '_> {
    fn event(&mut self, event: &Event<'_>, start: usize, end: usize) -> Next {
        match event {
            Event::Start(_) | Event::Empty(_) => return self.open(start, end),
            Event::End(tag) => self.close(tag.name().as_ref().trim(), start..end),
            Event::Text(_) | Event::CData(_) => self.characters(start, end),
            Event::GeneralRef(reference) => {
                let known = reference.is_char_ref() || matches!(&**reference, "amp" | "lt" | "gt" | "quot" | "apos");
                if !known {
                    let (message, help) = tag::unknown_entity(reference);
                    self.findings.error(start..end, message, help);
                }
                self.characters(start, end);
            }
            Event::DocType(_) => self.findings.error(
                start..start + "<!DOCTYPE".len(),
                "a document type declaration is not accepted",
                "remove it, to its closing `>`: this file has none, and the entities it could define are refused",
            ),
            Event::Decl(_) if start > 0 => self.findings.error(
                start..end,
                "the XML declaration does not stand at the very beginning of the file",
                "remove what stands before it, or the declaration",
            ),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::Eof => {}
        }
        Next::Continue
    }

    fn open(&mut self, start: usize, end: usize) -> Next {
        let Some(tag) = tag::scan(self.text, start, self.findings) else { return Next::Resume(start + 1) };
        if tag.cut_off {
            self.document.broken = true;
            self.stack.push(tag.element);
            self.abandon();
            return Next::Stop;
        }
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            let message = format!("more than {MAX_ELEMENTS} elements");
            return self.give_up(start, tag.end, message, "split the queues over several services");
        }
        if self.stack.len() == MAX_DEPTH {
            let message = format!("elements more than {MAX_DEPTH} deep");
            return self.give_up(start, tag.end, message, "close elements that have nothing inside with `/>`");
        }
        if tag.empty {
            self.attach(tag.element)
        } else {
            self.stack.push(tag.element)
        }
        if tag.end == end { Next::Continue } else { Next::Resume(tag.end) }
    }

    fn give_up(&mut self, start: usize, end: usize, message: String, help: &str) -> Next {
        self.findings.error(start..end, message, help);
        self.document.broken = true;
        self.abandon();
        Next::Stop
    }

    /// Closes all that is open without a word: after a mistake that swallows the rest of the file.
    fn abandon(&mut self) {
        while let Some(element) = self.stack.pop() {
            self.attach(element);
        }
    }

    /// Puts a finished element where it belongs.
    fn attach(&mut self, element: Element<'a>) {
        if let Some(parent) = self.stack.last_mut() {
            parent.children.push(element);
        } else if let Some(root) = &self.document.root {
            let message = format!("the element {} stands after the end of {}", shown(element.name), shown(root.name));
            let help = format!("move it into {}; a file has one outermost element", shown(root.name));
            self.findings.error(element.name_span, message, help);
            self.document.broken = true;
        } else {
            self.document.root = Some(element);
        }
    }

    fn close(&mut self, name: &str, span: std::ops::Range<usize>) {
        let Some(depth) = self.stack.iter().rposition(|open| open.is(name)) else {
            let message = format!("{} closes nothing that is open", shown(&format!("</{name}>")));
            let help = match self.stack.last() {
                Some(open) => format!(
                    "remove it, or write {} for the element opened in line {}",
                    shown(&format!("</{}>", open.name)),
                    self.findings.line(open.name_span.start)
                ),
                None => "remove it".to_owned(),
            };
            self.findings.error(span, message, help);
            self.document.broken = true;
            return;
        };
        while self.stack.len() > depth + 1 {
            self.unclosed(&format!("before {}", shown(&format!("</{name}>"))));
        }
        let Some(element) = self.stack.pop() else { return };
        if element.name != name {
            let message = format!("{} closes {}", shown(&format!("</{name}>")), shown(&format!("<{}>", element.name)));
            let help = "write both alike: other readers of this file tell upper case from lower case";
            self.findings.warning(span, message, help);
        }
        self.attach(element);
    }

    /// The innermost open element is never closed.
    fn unclosed(&mut self, until: &str) {
        let Some(element) = self.stack.pop() else { return };
        let message = format!("{} is not closed {until}", shown(&format!("<{}>", element.name)));
        let end_tag = shown(&format!("</{}>", element.name));
        let help = format!("write {end_tag} where it ends, or `/>` instead of `>` if nothing is inside");
        let start = element.name_span.start - 1;
        self.findings.error(start..element.name_span.end, message, help);
        self.document.broken = true;
        self.attach(element);
    }

    fn characters(&mut self, start: usize, end: usize) {
        let text = &self.text[start..end];
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return;
        }
        let start = start + (text.len() - text.trim_start().len());
        let line = trimmed.lines().next().map_or(0, str::len);
        let span = start..start + line;
        if let Some(open) = self.stack.last_mut() {
            open.text.get_or_insert(span);
        } else {
            let help = "remove it; this file is XML and holds elements such as `<config>` only";
            self.findings.error(span, "text outside of every element", help);
        }
    }

    fn error(&mut self, error: quick_xml::Error, start: usize, end: usize) -> Next {
        use quick_xml::Error::{IllFormed, Syntax};
        let start = start.min(self.text.len());
        let line_end = self.text[start..].find(['\n', '\r']).map_or(self.text.len(), |length| start + length);
        let (message, help) = match error {
            Syntax(
                SyntaxError::UnclosedTag
                | SyntaxError::UnclosedSingleQuotedAttributeValue
                | SyntaxError::UnclosedDoubleQuotedAttributeValue,
            ) if !self.text[start..].starts_with("</") => return self.open(start, end),
            Syntax(SyntaxError::UnclosedTag) => ("an end tag without its `>`", "write `>` after the name"),
            Syntax(SyntaxError::UnclosedComment) => ("a comment that never ends", "write `-->` where it ends"),
            Syntax(SyntaxError::UnclosedCData) => ("a CDATA section that never ends", "write `]]>` where it ends"),
            Syntax(SyntaxError::UnclosedDoctype) => {
                ("a document type declaration is not accepted", "remove it: this file has none")
            }
            Syntax(SyntaxError::UnclosedPI | SyntaxError::UnclosedXmlDecl) => {
                ("a processing instruction that never ends", "write `?>` where it ends")
            }
            Syntax(SyntaxError::InvalidBangMarkup) => {
                let help = "write `<!--` before and `-->` after a comment, or `&lt;` for a `<`";
                self.findings.error(start..line_end, "a `<!` that begins nothing known", help);
                self.document.broken = true;
                return Next::Resume((start + 2).min(self.text.len()));
            }
            IllFormed(IllFormedError::UnclosedReference) => {
                let help = "write `&amp;` for the character itself";
                self.findings.error(
                    start..(start + 1).min(line_end),
                    "a bare `&`; it has a meaning of its own in XML",
                    help,
                );
                return Next::Resume((start + 1).min(self.text.len()));
            }
            other => {
                let message = format!("this is not XML: {other}");
                return self.give_up(start, line_end, message, "");
            }
        };
        self.give_up(start, line_end, message.to_owned(), help)
    }

    fn finish(mut self) -> Document<'a> {
        while self.stack.len() > 1 {
            self.unclosed("before the end of the file");
        }
        if let Some(root) = self.stack.pop() {
            if !self.document.broken {
                let end = self.text.trim_end().len();
                let tag = shown(&format!("</{}>", root.name));
                let message = format!("the file ends without {tag}");
                let help = format!("write {tag} at the end; if the file was cut off, what followed is missing");
                self.findings.warning(last_character(self.text, end)..end, message, help);
            }
            self.attach(root);
        }
        self.document
    }
}

fn last_character(text: &str, end: usize) -> usize {
    text[..end].char_indices().next_back().map_or(0, |(at, _)| at)
}
