//! Bodies in parts: cut where they should be, refused where they cost too much.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bytes::Bytes;
use presence_sip::documents::{
    CATEGORIES, MULTIPART_RELATED, Part, RLMI, is_media_type, read_categories, read_rlmi, split_multipart,
};
use presence_sip::{DocumentError, DocumentLimits};

const TYPE: &str = r#"multipart/related;type="application/rlmi+xml";start=resourceList;boundary=50UBfW7LSCVLtggUPe5z"#;

fn split(content_type: &str, body: &str) -> Result<Vec<Part>, DocumentError> {
    split_multipart(content_type, &Bytes::from(body.to_owned()), &DocumentLimits::list())
}

fn bodies(content_type: &str, body: &str) -> Vec<String> {
    let text = |part: Part| String::from_utf8(part.body.to_vec()).unwrap();
    split(content_type, body).expect(body).into_iter().map(text).collect()
}

/// As a front end writes it.
const BATCH: &str = "--50UBfW7LSCVLtggUPe5z\r\nContent-Transfer-Encoding: binary\r\nContent-ID: resourceList\r\n\
    Content-Type: application/rlmi+xml\r\n\r\n\
    <list xmlns=\"urn:ietf:params:xml:ns:rlmi\" uri=\"sip:me@d.com\" version=\"0\" fullState=\"false\"/>\r\n\
    --50UBfW7LSCVLtggUPe5z\r\nContent-Transfer-Encoding: binary\r\nContent-ID: user1@d.com\r\n\
    Content-Type: application/msrtc-event-categories+xml\r\n\r\n\
    <categories xmlns=\"http://schemas.microsoft.com/2006/09/sip/categories\" uri=\"sip:user1@d.com\"/>\r\n\
    --50UBfW7LSCVLtggUPe5z--\r\n";

#[test]
fn a_batch_notification_is_a_list_and_a_document_for_each_agent() {
    let whole = Bytes::from_static(BATCH.as_bytes());
    let parts = split_multipart(TYPE, &whole, &DocumentLimits::list()).unwrap();
    let [list, agent] = parts.as_slice() else { panic!("{parts:?}") };
    assert_eq!((list.content_id.as_deref(), &*list.content_type), (Some("resourceList"), RLMI));
    assert_eq!((agent.content_id.as_deref(), &*agent.content_type), (Some("user1@d.com"), CATEGORIES));
    assert_eq!(&*read_rlmi(&list.body, &DocumentLimits::list()).unwrap().uri, "sip:me@d.com");
    let document = read_categories(&agent.body, &DocumentLimits::default()).unwrap();
    assert_eq!(document.uri.as_deref(), Some("sip:user1@d.com"));
    for part in &parts {
        assert!(whole.as_ptr_range().contains(&part.body.as_ptr()), "a part is a slice of the whole");
    }
}

#[test]
fn lines_may_end_in_a_line_feed_alone() {
    let (unix, dos) = (split(TYPE, &BATCH.replace("\r\n", "\n")).unwrap(), split(TYPE, BATCH).unwrap());
    assert_eq!(unix, dos);
}

#[test]
fn a_boundary_is_quoted_or_not_and_stands_on_a_line_of_its_own() {
    let body = "preamble --b\r\n--b \t\r\n\r\none --b\r\n--bb\r\n--b\r\n\r\ntwo\r\n--b-- \r\n--b\r\n\r\nepilogue";
    for content_type in [
        "multipart/mixed;boundary=b",
        "Multipart/Related; boundary=\"b\"",
        "MULTIPART/RELATED ; type=\"a;boundary=x\" ; BOUNDARY = b",
        "multipart/related;start;boundary=b;boundary=c;",
    ] {
        assert_eq!(bodies(content_type, body), ["one --b\r\n--bb", "two"], "{content_type}");
    }
    let odd = "----=_Part_1.(x) '+:?/\r\n\r\none\r\n----=_Part_1.(x) '+:?/--";
    assert_eq!(bodies("multipart/related;boundary=\"--=_Part_1.(x) '+:?/\"", odd), ["one"]);
}

#[test]
fn a_part_may_have_no_headers_no_body_or_neither() {
    assert_eq!(
        bodies("multipart/mixed;boundary=b", "--b\n\nbody\n--b\nContent-ID: x\n\n--b\n--b\n\n--b--"),
        ["body", "", "", ""]
    );
    let parts = split("multipart/mixed;boundary=b", "--b\nContent-ID: x\n--b--").unwrap();
    assert_eq!(
        (parts[0].content_id.as_deref(), &*parts[0].content_type, parts[0].body.len()),
        (Some("x"), "text/plain", 0)
    );
}

#[test]
fn header_names_have_any_case_and_long_headers_are_folded() {
    let body = "--b\r\nCONTENT-id : <user1@d.com>\r\ncontent-TYPE: application/rlmi+xml;\r\n\tcharset=UTF-8\r\n  ;x=y\r\n\
                Content-Transfer-Encoding: Binary\r\nX-Other: 1\r\nno colon\r\n\r\nbody\r\n--b--";
    let part = split("multipart/related;boundary=b", body).unwrap().remove(0);
    assert_eq!(part.content_id.as_deref(), Some("user1@d.com"));
    assert!(is_media_type(&part.content_type, RLMI), "{}", part.content_type);
    assert!(part.content_type.ends_with("charset=UTF-8  ;x=y"), "{}", part.content_type);
    assert_eq!(&part.body[..], b"body");
}

#[test]
fn a_last_boundary_that_is_missing_stands_at_the_end() {
    assert_eq!(bodies("multipart/mixed;boundary=b", "--b\r\n\r\none\r\n--b\r\n\r\ntwo"), ["one", "two"]);
    assert_eq!(bodies("multipart/mixed;boundary=b", "--b"), [""]);
}

#[test]
fn only_parts_that_are_as_they_are_can_be_read() {
    for (encoding, fine) in
        [("binary", true), ("8BIT", true), ("7bit", true), ("base64", false), ("quoted-printable", false), ("", false)]
    {
        let body = format!("--b\r\nContent-Transfer-Encoding: {encoding}\r\n\r\nx\r\n--b--");
        let found = split("multipart/mixed;boundary=b", &body).map(|parts| parts.len());
        assert_eq!(found, if fine { Ok(1) } else { Err(DocumentError::TransferEncoding) }, "{encoding}");
    }
}

#[test]
fn multiparts_in_multiparts_are_flattened() {
    let inner = "--in\r\n\r\ntwo\r\n--in\r\n\r\nthree\r\n--in--\r\n";
    let body = format!(
        "--b\r\n\r\none\r\n--b\r\nContent-Type: multipart/related;boundary=in\r\n\r\n{inner}\r\n--b\r\n\r\nfour\r\n--b--"
    );
    assert_eq!(bodies("multipart/mixed;boundary=b", &body), ["one", "two", "three", "four"]);
}

fn nested(depth: usize) -> String {
    (0..depth).fold("core".to_owned(), |inside, level| {
        let head = if level == 0 {
            String::new()
        } else {
            format!("Content-Type: multipart/mixed;boundary=b{}\r\n", level - 1)
        };
        format!("--b{level}\r\n{head}\r\n{inside}\r\n--b{level}--\r\n")
    })
}

#[test]
fn too_many_parts_too_deep_or_too_long_are_refused() {
    assert_eq!(bodies("multipart/mixed;boundary=b3", &nested(4)), ["core"]);
    assert_eq!(split("multipart/mixed;boundary=b4", &nested(5)), Err(DocumentError::Parts));
    assert_eq!(split("multipart/mixed;boundary=b299", &nested(300)), Err(DocumentError::Parts));
    assert_eq!(split("multipart/mixed;boundary=b", &"--b\n\n\n".repeat(5000)).unwrap().len(), 5000);
    assert_eq!(split("multipart/mixed;boundary=b", &"--b\n\n\n".repeat(5001)), Err(DocumentError::Parts));
    let long = format!("--b\r\nX: {}\r\n\r\nx\r\n--b--", "x".repeat(10_000));
    assert_eq!(split("multipart/mixed;boundary=b", &long), Err(DocumentError::PartHeaders));
    let limits = DocumentLimits { bytes: 10, ..DocumentLimits::default() };
    let refused = split_multipart("multipart/mixed;boundary=b", &Bytes::from_static(b"--b\n\n12345\n"), &limits);
    assert_eq!(refused, Err(DocumentError::TooLong(11)));
}

#[test]
fn what_cannot_be_parted_is_refused() {
    for (content_type, body) in [
        ("application/rlmi+xml", "--b\n\n--b--"),
        ("application/x;boundary=b", "--b\n\n--b--"),
        ("multipart/mixed", "--b\n\n--b--"),
        ("multipart/mixed;boundary", "--\n\n----"),
        ("multipart/mixed;boundary=", "--\n\n----"),
        ("multipart/mixed;boundary=\"\"", "--\n\n----"),
        ("multipart/mixed;boundary=b", "no such line"),
        ("multipart/mixed;boundary=b", "--bb\n\n"),
        ("multipart/mixed;boundary=b", ""),
        ("", ""),
        ("multipart/€", "x"),
    ] {
        assert_eq!(split(content_type, body), Err(DocumentError::NotMultipart), "{content_type}: {body}");
    }
    assert_eq!(split(&format!("multipart/mixed;boundary={}", "b".repeat(257)), ""), Err(DocumentError::NotMultipart));
}

#[test]
fn a_media_type_is_what_stands_before_its_parameters() {
    assert!(is_media_type(TYPE, MULTIPART_RELATED));
    assert!(is_media_type(" Multipart/RELATED ;x", MULTIPART_RELATED));
    assert!(!is_media_type("multipart/relatedness", MULTIPART_RELATED));
    assert!(!is_media_type("x;multipart/related", MULTIPART_RELATED));
}

#[test]
fn what_only_looks_like_a_boundary_a_hundred_thousand_times_is_refused() {
    let body = "--x\r\n\r\n".to_owned() + &"\n--xy".repeat(100_000);
    let refused = split_multipart("multipart/related;boundary=x", &Bytes::from(body), &DocumentLimits::list());
    assert_eq!(refused, Err(DocumentError::Parts));
}
