//! What a user publishes about itself with SERVICE (MS-PRES 2.2.2.4): it is confirmed, as a client waits for that, and
//! not kept, as nobody here watches users.

use std::fmt::Write as _;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::documents::escape;

/// The content type of a request that publishes.
pub(super) const PUBLISH_TYPE: &str = "application/msrtc-category-publish+xml";

/// More publications than this are refused.
const MOST: usize = 100;

/// The `roamingData` that confirms a body that publishes: each publication with its next version. What it takes away,
/// with `expires` 0, is not there any more.
///
/// # Errors
/// What is wrong with the body, in words.
pub(super) fn confirmation(own: &str, body: &[u8], time: &str) -> Result<String, &'static str> {
    let text = std::str::from_utf8(body).map_err(|_| "the body is not UTF-8")?;
    let mut reader = Reader::from_str(text);
    let mut confirmed = String::with_capacity(text.len() + 500);
    confirmed.push_str(concat!(
        "<roamingData xmlns=\"http://schemas.microsoft.com/2006/09/sip/roaming-self\">",
        "<categories xmlns=\"http://schemas.microsoft.com/2006/09/sip/categories\" uri=\"",
    ));
    escape(own, &mut confirmed);
    confirmed.push_str("\">");
    let mut count = 0_usize;
    loop {
        let event = reader.read_event().map_err(|_| "the body is not well-formed XML")?;
        let (start, value) = match &event {
            Event::Eof => break,
            Event::DocType(_) => return Err("a document type"),
            Event::Empty(start) if is_publication(start) => (start, ""),
            Event::Start(start) if is_publication(start) => {
                let value = reader.read_text(start.name()).map_err(|_| "the body is not well-formed XML")?;
                count += 1;
                push(&mut confirmed, start, &value, time)?;
                continue;
            }
            _ => continue,
        };
        count += 1;
        push(&mut confirmed, start, value, time)?;
    }
    if count == 0 || count > MOST {
        return Err("no publication, or too many");
    }
    confirmed.push_str("</categories></roamingData>");
    Ok(confirmed)
}

fn is_publication(start: &BytesStart<'_>) -> bool {
    start.local_name().as_ref() == "publication"
}

/// Appends a publication as the category that it has become.
fn push(to: &mut String, start: &BytesStart<'_>, value: &str, time: &str) -> Result<(), &'static str> {
    let (mut name, mut version, mut kept) = (None, 0_u64, Vec::new());
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|_| "a malformed attribute")?;
        let text = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| "an unknown entity")?.into_owned();
        match attribute.key.as_ref() {
            "categoryName" => name = Some(text),
            "version" => version = text.parse().map_err(|_| "the version of a publication is no number")?,
            "expires" if text == "0" => return Ok(()),
            key @ ("instance" | "container" | "expireType") => kept.push((key.to_owned(), text)),
            _ => {}
        }
    }
    let name = name.ok_or("a publication without categoryName")?;
    to.push_str("<category name=\"");
    escape(&name, to);
    // Writing to a String cannot fail.
    let _ = write!(to, "\" publishTime=\"{time}\" version=\"{}\"", version.saturating_add(1));
    for (key, text) in kept {
        let _ = write!(to, " {key}=\"");
        escape(&text, to);
        to.push('"');
    }
    let _ = write!(to, ">{value}</category>");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confirmed(inner: &str) -> Result<String, &'static str> {
        let body = format!("<publish xmlns=\"urn:p\"><publications uri=\"sip:a@b\">{inner}</publications></publish>");
        confirmation("sip:a@b", body.as_bytes(), "T")
    }

    #[test]
    fn each_publication_comes_back_with_its_next_version_and_its_value() {
        let given = "<publication categoryName=\"state\" instance=\"7\" container=\"2\" version=\"4\" expireType=\"user\">\
                     <state xmlns=\"urn:s\"><availability>3500</availability></state></publication>\
                     <publication categoryName=\"note&amp;\" version=\"0\"/>";
        let text = confirmed(given).unwrap();
        let state = "<category name=\"state\" publishTime=\"T\" version=\"5\" instance=\"7\" container=\"2\" \
                     expireType=\"user\"><state xmlns=\"urn:s\"><availability>3500</availability></state></category>";
        let note =
            "<category name=\"note&amp;\" publishTime=\"T\" version=\"1\"></category></categories></roamingData>";
        assert!(text.ends_with(&format!(" uri=\"sip:a@b\">{state}{note}")), "{text}");
    }

    #[test]
    fn what_is_taken_away_does_not_come_back() {
        let text = confirmed("<publication categoryName=\"state\" version=\"1\" expires=\"0\"/>").unwrap();
        assert!(!text.contains("<category "), "{text}");
    }

    #[test]
    fn mistakes_are_named() {
        let refused = |inner: &str| confirmed(inner).unwrap_err();
        assert_eq!(refused(""), "no publication, or too many");
        assert_eq!(refused(&"<publication categoryName=\"a\"/>".repeat(MOST + 1)), "no publication, or too many");
        assert_eq!(refused("<publication/>"), "a publication without categoryName");
        let version = "<publication categoryName=\"a\" version=\"x\"/>";
        assert_eq!(refused(version), "the version of a publication is no number");
        assert_eq!(refused("<publication categoryName=\"a\"><state>"), "the body is not well-formed XML");
        assert_eq!(confirmation("sip:a@b", b"<!DOCTYPE a><a/>", "T"), Err("a document type"));
        assert_eq!(confirmation("sip:a@b", b"\xff", "T"), Err("the body is not UTF-8"));
    }
}
