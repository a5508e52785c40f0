//! Whatever is in the file, it ends in settings or in located messages, never in a panic.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use presence_config::{Severity, parse_bytes};
use proptest::prelude::*;

static CORPUS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files = vec![fs::read(folder.join("seed.xml")).unwrap()];
    for folder in [folder.join("good"), folder.join("broken")] {
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        files.extend(names.iter().map(|name| fs::read(name).unwrap()));
    }
    files
});

/// What is put into a file: what means something to XML or to us, and what no text has.
const PIECES: [&[u8]; 34] = [
    b"\xef\xbb\xbf",
    b"<",
    b">",
    b"/>",
    b"\"",
    b"'",
    b"=",
    b"&",
    b";",
    b"/",
    b" ",
    b"\n",
    b"\r\n",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"<?",
    b"?>",
    b"<!DOCTYPE x>",
    b"&#0;",
    b"&#x110000;",
    b"&lt;",
    b"\0",
    b"\xff",
    b"\xe2\x80\x9c",
    b"\xe2\x80\xae",
    b"<config>",
    b"</config>",
    b"</PresenceProvider>",
    b"<Pool ",
    b" Password=\"x",
    b"xmlns:a=\"b\"",
    b"\xf0\x9f\x98\x80",
];

/// RIGHT-TO-LEFT OVERRIDE, which turns a line around.
const FLIP: char = '\u{202e}';

/// Two names that look alike must not differ in something that nobody sees. (Found by the fuzzer.)
#[test]
fn what_is_invisible_in_a_file_is_visible_in_a_message() {
    for hidden in ['\u{feff}', '\u{200b}', '\u{ad}', '\u{2060}'] {
        let text = format!("<config version=\"1.5\"><PresenceProvider max{hidden}Presence=\"1\"/></config>");
        let refused: Vec<_> = match parse_bytes(text.as_bytes(), "Config.xml") {
            Ok(loaded) => loaded.warnings,
            Err(errors) => errors.to_vec(),
        };
        for color in [false, true] {
            assert!(!refused.iter().any(|found| found.render(color).contains(hidden)), "{hidden:?}");
        }
        assert!(refused.iter().any(|found| found.render(false).contains("max\u{fffd}Presence")), "{hidden:?}");
    }
}

#[derive(Clone, Debug)]
enum Edit {
    Remove(prop::sample::Index, usize),
    Insert(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (any::<prop::sample::Index>(), 1..40_usize).prop_map(|(at, length)| Edit::Remove(at, length)),
        (any::<prop::sample::Index>(), 0..PIECES.len()).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        (any::<prop::sample::Index>(), 1..60_usize).prop_map(|(at, length)| Edit::Repeat(at, length)),
    ]
}

fn apply(bytes: &mut Vec<u8>, edit: &Edit) {
    let start = |at: &prop::sample::Index| at.index(bytes.len() + 1);
    let end = |start: usize, length: &usize| (start + length).min(bytes.len());
    match edit {
        Edit::Remove(at, length) => {
            let start = start(at);
            let end = end(start, length);
            bytes.drain(start..end);
        }
        Edit::Insert(at, piece) => {
            let start = start(at);
            bytes.splice(start..start, PIECES[*piece].iter().copied());
        }
        Edit::Repeat(at, length) => {
            let start = start(at);
            let part = bytes[start..end(start, length)].to_vec();
            bytes.splice(start..start, part);
        }
    }
}

fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let (refused, found) = match parse_bytes(bytes, "Config.xml") {
        Ok(loaded) => (false, loaded.warnings),
        Err(found) => (true, found),
    };
    prop_assert_eq!(refused, found.iter().any(|diagnostic| diagnostic.severity == Severity::Error));
    for diagnostic in &found {
        let plain = diagnostic.render(false);
        let place = format!("Config.xml:{}:{}", diagnostic.line, diagnostic.column);
        prop_assert!(plain.contains(&place), "{} is not in {}", place, plain);
        prop_assert!(!plain.contains(['\0', '\x1b', FLIP, '\r']), "{:?}", plain);
        prop_assert!(diagnostic.render(true).contains('\x1b'));
        let line = diagnostic.to_string();
        prop_assert!(!line.contains(['\n', '\0', FLIP]), "{:?}", line);
    }
    Ok(())
}

#[test]
fn an_attribute_without_a_value_is_placed_in_its_own_line_whatever_ends_it() {
    for end in ["\r\n", "\n", " \r\n \r\n", "", "\r"] {
        let text = format!("<config version=\"1.5\">\r\n<PresenceProvider>\r\n<UcmaPresenceSource enabled={end}");
        check(text.as_bytes()).unwrap();
        let found = parse_bytes(text.as_bytes(), "Config.xml").unwrap_err();
        let place = found.iter().find(|one| one.message.contains("has no value")).map(|one| (one.line, one.column));
        check(format!("{text}\0").as_bytes()).unwrap();
        assert!(place.is_none_or(|place| place == (3, 28)), "{end:?}: {found:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_edit_of_a_file_makes_the_reader_panic(
        file in any::<prop::sample::Index>(),
        edits in prop::collection::vec(edit(), 1..8),
    ) {
        let mut bytes = file.get(&CORPUS).clone();
        for edit in &edits {
            apply(&mut bytes, edit);
        }
        check(&bytes)?;
    }

    #[test]
    fn no_heap_of_pieces_makes_the_reader_panic(pieces in prop::collection::vec(0..PIECES.len(), 0..60)) {
        let bytes: Vec<u8> = pieces.iter().flat_map(|&piece| PIECES[piece].iter().copied()).collect();
        check(&bytes)?;
    }

    #[test]
    fn a_value_that_looks_like_a_secret_is_never_printed(
        file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        name in prop::sample::select(vec!["Password", "clientSecret", "PASS_WORD", "api-key"]),
    ) {
        let mut bytes = file.get(&CORPUS).clone();
        let piece = format!(" {name}=\"Zq8~vW3\" ");
        let start = at.index(bytes.len() + 1);
        bytes.splice(start..start, piece.into_bytes());
        let found = match parse_bytes(&bytes, "Config.xml") {
            Ok(loaded) => loaded.warnings,
            Err(found) => found,
        };
        for diagnostic in found {
            prop_assert!(!diagnostic.render(false).contains("Zq8"), "{}", diagnostic.render(false));
            prop_assert!(!diagnostic.to_string().contains("Zq8"), "{}", diagnostic);
        }
    }
}

/// Nothing that fits into the size limit may take long, however badly it is made.
#[test]
fn bad_files_cost_no_more_time_than_good_ones() {
    for piece in [
        "<a b=\"",
        "<a ",
        "<",
        "<!",
        "&",
        "<password ",
        "pwd=\"",
        "</a>",
        "<a>",
        "  =",
        "\" ' ",
        "<a b=\"x y=",
        "\u{201c}=",
    ] {
        let text = piece.repeat(60_000 / piece.len());
        let document = format!("<config><PresenceProvider {text}");
        for bytes in [text.as_bytes(), document.as_bytes()] {
            let found = parse_bytes(bytes, "Config.xml").expect_err(piece);
            assert!(found.len() <= 101);
        }
    }
}

/// Found by the edits above: quick-xml leaves a byte order mark out of its count.
#[test]
fn a_byte_order_mark_in_the_middle_moves_no_place() {
    let text = "<config>\n<\u{feff}<PresenceProvider/>\n</config>";
    let found = parse_bytes(text.as_bytes(), "Config.xml").expect_err("refused");
    assert_eq!((found[0].line, found[0].column), (2, 1), "{}", found[0]);
    check(text.as_bytes()).unwrap();
    check("<\u{feff}<".as_bytes()).unwrap();
}
