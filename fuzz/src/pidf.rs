//! Presence documents of RFC 3863: what is kept is bounded, and what stands around a document changes nothing.

use presence_core::Status;
use presence_sip::documents::{DocumentLimits, read_pidf};

pub(crate) fn run(data: &[u8]) {
    let limits = DocumentLimits::default();
    let small = DocumentLimits { bytes: 4_096, depth: 6, attributes: 4, elements: 40, text: 24 };
    if let Ok(status) = read_pidf(data, &small) {
        assert!(data.len() <= small.bytes);
        bounded(&status, small.text);
        assert!(read_pidf(data, &limits).is_ok(), "wider caps refuse nothing that narrow ones let through");
    }
    let Ok(status) = read_pidf(data, &limits) else { return };
    bounded(&status, limits.text);
    let around = |before: &[u8], after: &[u8]| read_pidf(&[before, data, after].concat(), &limits);
    assert_eq!(around(b"", b"\n<!-- a remark -->\n").as_ref(), Ok(&status), "a remark behind says nothing");
    assert!(around(b"", b"<another/>").is_err(), "a document has one root");
    assert!(around(b"", b"</presence>").is_err(), "what was not begun cannot end");
    if !data.starts_with(b"\xef\xbb\xbf") {
        assert_eq!(around(b"\xef\xbb\xbf", b"").as_ref(), Ok(&status), "a byte order mark says nothing");
    }
    if data.starts_with(b"<presence") {
        assert!(around(b"<!DOCTYPE presence>", b"").is_err(), "no document type");
    }
}

fn bounded(status: &Status, most: usize) {
    assert!(status.activity.as_ref().is_none_or(|text| text.len() <= most), "{:?}", status.activity);
    assert!(status.location.as_ref().is_none_or(|text| text.len() <= most), "{:?}", status.location);
}
