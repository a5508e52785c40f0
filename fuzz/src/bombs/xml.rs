//! Bombs for the readers of XML.

use std::fmt::Write;

use presence_config::parse_bytes;
use presence_sip::documents::{DocumentLimits, read_categories, read_pidf, read_rlmi, split_multipart};
use presence_sip::documents::{read_categories_uri, read_registration_event};

use super::{Bomb, each, filled};

/// One of the wire's documents, in bytes.
const DOCUMENT: usize = 256 * 1024;
/// A list, or a body in parts.
const LIST: usize = 4 * 1024 * 1024;
/// A file of this size has some ten thousand agents; it is read at start and when its owner changes it.
const FILE: usize = 1024 * 1024;

fn pidf(bytes: &[u8]) -> bool {
    read_pidf(bytes, &DocumentLimits::default()).is_ok()
}

fn categories(bytes: &[u8]) -> bool {
    let limits = DocumentLimits::default();
    read_categories(bytes, &limits).map_err(|_| read_categories_uri(bytes, &limits)).is_ok()
}

fn rlmi(bytes: &[u8]) -> bool {
    read_rlmi(bytes, &DocumentLimits::list()).is_ok()
}

fn config(bytes: &[u8]) -> bool {
    parse_bytes(bytes, "Config.xml").is_ok()
}

fn event(bytes: &[u8]) -> bool {
    read_registration_event(bytes).is_some()
}

fn multipart(bytes: &[u8]) -> bool {
    let body = bytes::Bytes::copy_from_slice(bytes);
    split_multipart("multipart/related;boundary=x", &body, &DocumentLimits::list()).is_ok()
}

pub(super) fn bombs(part: usize) -> Vec<Bomb> {
    const PIDF: (&str, &str) = ("presence", "xmlns=\"urn:ietf:params:xml:ns:pidf\"");
    const CATEGORIES: (&str, &str) =
        ("categories", "xmlns=\"http://schemas.microsoft.com/2006/09/sip/categories\" uri=\"sip:a@b.c\"");
    const RLMI: (&str, &str) = ("list", "xmlns=\"urn:ietf:params:xml:ns:rlmi\" uri=\"sip:a@b.c\"");
    const CONFIG: (&str, &str) = ("config", "version=\"1.5\"");
    let mut all = each(part, &[("pidf 256 KiB", DOCUMENT, pidf)], |cap| generic(PIDF, cap));
    all.extend(each(part, &[("pidf 256 KiB", DOCUMENT, pidf)], tuples));
    all.extend(each(part, &[("categories 256 KiB", DOCUMENT, categories)], |cap| generic(CATEGORIES, cap)));
    all.extend(each(part, &[("categories 256 KiB", DOCUMENT, categories)], states));
    all.extend(each(part, &[("rlmi 4 MiB", LIST, rlmi)], |cap| generic(RLMI, cap)));
    all.extend(each(part, &[("rlmi 4 MiB", LIST, rlmi)], resources));
    all.extend(each(part, &[("multipart 4 MiB", LIST, multipart)], parts));
    all.extend(each(part, &[("registration event 1 MiB", 1 << 20, event)], events));
    all.extend(each(part, &[("Config.xml 1 MiB", FILE, config)], |cap| generic(CONFIG, cap)));
    all.extend(each(part, &[("Config.xml 1 MiB", FILE, config)], files));
    all
}

/// What explodes in any XML. The root opens with `root.0`, and `root.1` are its attributes.
fn generic(root: (&str, &str), cap: usize) -> Vec<(&'static str, Vec<u8>)> {
    let (name, attributes) = root;
    let open = format!("<{name} {attributes}>");
    let close = format!("</{name}>");
    let mut namespaces = format!("<{name} {attributes}");
    let mut number = 0;
    while namespaces.len() + 40 < cap {
        let _ = write!(namespaces, " xmlns:n{number}=\"u{number}\"");
        number += 1;
    }
    let mut attribute_names = format!("<{name} {attributes}");
    number = 0;
    while attribute_names.len() + 40 < cap {
        let _ = write!(attribute_names, " a{number}=\"\"");
        number += 1;
    }
    let nested = |tag: &str, end: &str| {
        let count = cap.saturating_sub(open.len() + close.len()) / (tag.len() + end.len());
        [open.as_str(), &tag.repeat(count), &end.repeat(count), &close].concat().into_bytes()
    };
    let full = |part: &str| filled(&open, part, &close, cap);
    let many: String = (0..31).fold(String::new(), |mut text, number| {
        let _ = write!(text, " xmlns:p{number}=\"u\"");
        text
    });
    let laughs = "<!DOCTYPE x [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;\">]>";
    vec![
        ("a billion laughs", format!("{laughs}{open}{}{close}", "&c;".repeat(100)).into_bytes()),
        ("a document type", filled("<!DOCTYPE x [", "<!ENTITY a 'b'>", "]><x/>", cap)),
        ("unknown entities", full("&lol;")),
        ("known entities", full("&amp;")),
        ("numbers of characters", full("&#65;")),
        ("deep", nested("<a>", "</a>")),
        ("deep with namespaces", nested("<a xmlns:b=\"c\">", "</a>")),
        ("never closed", filled(&open, "<a>", "", cap)),
        ("siblings", full("<a/>")),
        ("siblings with namespaces", full(&format!("<a{many}/>"))),
        ("siblings with attributes", full("<a b='' c='' d='' e='' f='' g='' h='' i='' j='' k='' l=''/>")),
        ("namespaces", (namespaces + "/>").into_bytes()),
        ("attributes", (attribute_names + "/>").into_bytes()),
        ("the same attribute", filled(&format!("<{name} {attributes}"), " a=''", "/>", cap)),
        ("a huge attribute", filled(&format!("<{name} {attributes} a=\""), "x", "\"/>", cap)),
        ("a huge attribute of entities", filled(&format!("<{name} {attributes} a=\""), "&lt;", "\"/>", cap)),
        (
            "a huge name",
            filled(&open, "x", &close, cap).into_iter().map(|b| if b == b'>' { b'x' } else { b }).collect(),
        ),
        ("a huge text", full("x ")),
        ("a huge remark", filled(&format!("{open}<!--"), "- ", &format!("-->{close}"), cap)),
        ("remarks", full("<!---->")),
        ("instructions", full("<?a?>")),
        ("sections", full("<![CDATA[]]>")),
        ("a section without end", filled(&format!("{open}<![CDATA["), "]]", &close, cap)),
        ("brackets", filled("", "<", "", cap)),
        ("quotes", full("<a b=\"'")),
        ("no UTF-8", vec![0xff; cap]),
        ("NUL", vec![0; cap]),
    ]
}

fn tuples(cap: usize) -> Vec<(&'static str, Vec<u8>)> {
    let open = "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" xmlns:d=\"urn:ietf:params:xml:ns:pidf:data-model\" \
                xmlns:r=\"urn:ietf:params:xml:ns:pidf:rpid\">";
    let texts = "<tuple><status><basic>open</basic></status><note>do not disturb</note>\
                 <timestamp>2026-11-22T21:00:00Z</timestamp></tuple>";
    let person = "<d:person><r:activities><r:busy/><r:away/></r:activities><r:place-type><r:other>here</r:other></r:place-type></d:person>";
    let notes = "<note>x</note>";
    vec![
        ("tuples", filled(open, "<tuple/>", "</presence>", cap)),
        ("full tuples", filled(open, texts, "</presence>", cap)),
        ("persons", filled(open, person, "</presence>", cap)),
        ("notes of one tuple", filled(&format!("{open}<tuple>"), notes, "</tuple></presence>", cap)),
    ]
}

fn states(cap: usize) -> Vec<(&'static str, Vec<u8>)> {
    let open = "<categories xmlns=\"http://schemas.microsoft.com/2006/09/sip/categories\" uri=\"sip:a@b.c\">";
    let state = "<category name=\"state\" instance=\"1\"><state xmlns=\"http://schemas.microsoft.com/2006/09/sip/state\" \
                 xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" i:type=\"aggregateState\">\
                 <availability>6500</availability><activity token=\"x\"/></state></category>";
    let activities = "<activity token=\"x\"><custom LCID=\"1033\">x</custom></activity>";
    let in_state = "<category name=\"state\"><state xmlns=\"http://schemas.microsoft.com/2006/09/sip/state\">";
    vec![
        ("categories", filled(open, "<category name=\"state\"/>", "</categories>", cap)),
        ("states", filled(open, state, "</categories>", cap)),
        (
            "activities of one state",
            filled(&format!("{open}{in_state}"), activities, "</state></category></categories>", cap),
        ),
    ]
}

fn resources(cap: usize) -> Vec<(&'static str, Vec<u8>)> {
    let open = "<list xmlns=\"urn:ietf:params:xml:ns:rlmi\" uri=\"sip:a@b.c\">";
    let full = |part: &str| filled(open, part, "</list>", cap);
    let long = format!("<resource uri=\"sip:{}@d.com\"/>", "x".repeat(900));
    vec![
        ("resources", full("<resource uri=\"a\"/>")),
        ("resources without a name", full("<resource/>")),
        ("resources with long names", full(&long)),
        (
            "resources with instances",
            full("<resource uri=\"a\"><instance id=\"0\" state=\"active\" cid=\"x\"/></resource>"),
        ),
        (
            "instances of one resource",
            filled(&format!("{open}<resource uri=\"a\">"), "<instance/>", "</resource></list>", cap),
        ),
    ]
}

fn parts(cap: usize) -> Vec<(&'static str, Vec<u8>)> {
    let nested = "--x\r\nContent-Type: multipart/mixed;boundary=x\r\n\r\n";
    vec![
        ("parts", filled("", "--x\n\n", "--x--", cap)),
        ("parts with headers", filled("", "--x\r\nContent-Type: a/b\r\nContent-ID: <c>\r\n\r\nbody\r\n", "--x--", cap)),
        ("nested parts", filled("", nested, "--x--", cap)),
        ("boundaries that are none", filled("--x\r\n\r\n", "\n--xy", "", cap)),
        ("boundaries in one line", filled("--x\r\n\r\n", "--x", "", cap)),
        ("a header without end", filled("--x\r\n", "a: b\r\n ", "", cap)),
        ("blanks behind a boundary", filled("--x", " ", "", cap)),
        ("nothing of it", vec![b'x'; cap]),
    ]
}

fn events(cap: usize) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("empty lines", vec![b'\n'; cap]),
        ("one line", filled("deregistered", ";event=x", "", cap)),
        ("blanks", vec![b' '; cap]),
    ]
}

fn files(cap: usize) -> Vec<(&'static str, Vec<u8>)> {
    let open = "<config version=\"1.5\"><PresenceProvider><PstnPresenceSource enabled=\"true\"/></PresenceProvider>\
                <UnifiedContactCenters><UnifiedContactCenter Name=\"a\">";
    let close = "</UnifiedContactCenter></UnifiedContactCenters></config>";
    let queues = "<config version=\"1.5\"><PresenceProvider><PstnPresenceSource enabled=\"true\"/></PresenceProvider>\
                  <UnifiedContactCenters>";
    let secrets = "<config version=\"1.5\"><PresenceProvider ";
    vec![
        ("agents", filled(open, "<Agent Uri=\"sip:user1@example.com\"/>", close, cap)),
        ("agents that are none", filled(open, "<Agent Uri=\"x\"/>", close, cap)),
        ("agents misspelt", filled(open, "<Agnet Uri=\"x\"/>", close, cap)),
        ("queues", filled(queues, "<UnifiedContactCenter Name=\"a\"/>", "</UnifiedContactCenters></config>", cap)),
        ("passwords", filled(secrets, "Password=\"x\" ", "/></config>", cap)),
        ("passwords cut off", filled(secrets, "Password=\"x' ", "", cap)),
        ("end tags", filled("<config>", "</a>", "</config>", cap)),
        ("UTF-16", [vec![0xff, 0xfe], b"<\0a\0>\0".repeat(cap / 6)].concat()),
    ]
}
