//! Streams and datagrams: where messages begin and end, and what a peer can and cannot break.
#![allow(clippy::unwrap_used, reason = "a test")]

use bytes::Bytes;
use presence_sip::{Frame, Framer, Limits, Message, ParseError};

fn notify(cseq: u32, body: &str) -> String {
    format!(
        "NOTIFY sip:a@d.com SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK{cseq}\r\nFrom: <sip:a@d.com>;tag=1\r\n\
         To: <sip:b@d.com>;tag=2\r\nCall-ID: c1\r\nCSeq: {cseq} NOTIFY\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn frames(framer: &mut Framer) -> Vec<Frame> {
    std::iter::from_fn(|| framer.next_frame().unwrap()).collect()
}

fn numbers(frames: &[Frame]) -> Vec<u32> {
    let number = |frame: &Frame| match frame {
        Frame::Message(message) => message.cseq().unwrap().0,
        other => panic!("{other:?}"),
    };
    frames.iter().map(number).collect()
}

#[test]
fn twenty_messages_in_one_segment_come_out_in_order() {
    let mut framer = Framer::new(Limits::default());
    let all: String = (1..=20).map(|cseq| notify(cseq, "some body")).collect();
    framer.push(all.as_bytes());
    assert_eq!(numbers(&frames(&mut framer)), (1..=20).collect::<Vec<_>>());
    assert!(!framer.is_within_message());
}

#[test]
fn pieces_of_any_size_make_the_same_messages() {
    let all: String = (1..=3).map(|cseq| notify(cseq, "line\r\n\r\nline")).collect();
    for size in 1..all.len() {
        let mut framer = Framer::new(Limits::default());
        let mut found = Vec::new();
        for piece in all.as_bytes().chunks(size) {
            framer.push(piece);
            found.extend(frames(&mut framer));
        }
        assert_eq!(numbers(&found), [1, 2, 3], "in pieces of {size}");
    }
}

#[test]
fn lines_that_end_with_a_lone_lf_are_framed_too() {
    let mut framer = Framer::new(Limits::default());
    let text = notify(1, "").replace("\r\n", "\n") + &notify(2, "x");
    for piece in text.as_bytes().chunks(1) {
        framer.push(piece);
    }
    assert_eq!(numbers(&frames(&mut framer)), [1, 2]);
}

#[test]
fn a_doubled_empty_line_is_a_ping_however_it_is_cut_and_a_single_one_a_pong() {
    let mut framer = Framer::new(Limits::default());
    framer.push(b"\r\n\r\n");
    assert!(matches!(frames(&mut framer)[..], [Frame::Ping]));
    framer.push(b"\r\n");
    assert!(matches!(frames(&mut framer)[..], [Frame::Pong]));
    framer.push(notify(1, "").as_bytes());
    assert_eq!(numbers(&frames(&mut framer)), [1]);
    framer.push(b"\r\n");
    assert!(matches!(frames(&mut framer)[..], [Frame::Pong]));
    framer.push(b"\r\n");
    assert!(matches!(frames(&mut framer)[..], [Frame::Ping]), "the two halves came apart");
    framer.push((String::from("\r\n\r\n\r\n") + &notify(2, "")).as_bytes());
    assert!(matches!(frames(&mut framer)[..], [Frame::Ping, Frame::Pong, Frame::Message(_)]));
}

#[test]
fn a_framed_but_malformed_message_costs_only_itself_and_is_answered_400() {
    let mut framer = Framer::new(Limits::default());
    let without_colon = notify(2, "").replace("Content-Length", "no colon here\r\nContent-Length");
    let start_line = notify(3, "").replace("NOTIFY sip:a@d.com SIP", "NOTIFY  sip:a@d.com SIP");
    let unknown = notify(4, "").replace("NOTIFY sip:a@d.com SIP/2.0", "HTTP/1.1 200 OK");
    let bad_utf8 = notify(5, "").replace("Call-ID: c1", "Call-ID: c1\u{e9}");
    let mut bad_utf8 = bad_utf8.into_bytes();
    let at = bad_utf8.iter().position(|b| *b == 0xc3).unwrap();
    bad_utf8.remove(at);
    for piece in [&notify(1, ""), &without_colon, &start_line, &unknown] {
        framer.push(piece.as_bytes());
    }
    framer.push(&bad_utf8);
    framer.push(notify(6, "").as_bytes());
    let found = frames(&mut framer);
    let answer = |frame: &Frame| match frame {
        Frame::Message(_) => None,
        Frame::Malformed { answer, .. } => {
            answer.clone().map(|bytes| Message::parse(bytes, &Limits::default()).unwrap())
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(found.len(), 6);
    assert!(matches!((&found[0], &found[5]), (Frame::Message(_), Frame::Message(_))));
    for (frame, cseq) in [(&found[1], 2), (&found[2], 3)] {
        let answer = answer(frame).unwrap();
        assert_eq!((answer.status(), answer.cseq()), (Some(400), Some((cseq, "NOTIFY"))));
        assert_eq!(answer.top_via().unwrap().branch().unwrap(), format!("z9hG4bK{cseq}"));
    }
    assert!(answer(&found[3]).is_none(), "this is no request");
    assert!(answer(&found[4]).is_none(), "without a Call-ID nobody knows what is answered");
}

#[test]
fn benotify_ack_and_malformed_answers_are_never_answered() {
    for start in ["BENOTIFY sip:a@d.com  SIP/2.0", "ACK  sip:a@d.com SIP/2.0", "SIP/2.0 2x0 OK", "SIP/2.0 4294967301 x"]
    {
        let text = notify(1, "").replace("NOTIFY sip:a@d.com SIP/2.0", start);
        let Frame::Malformed { answer, .. } = Frame::from_datagram(text.into(), &Limits::default()) else {
            panic!("{start}")
        };
        assert!(answer.is_none(), "{start}");
    }
}

#[test]
fn a_length_that_is_none_loses_the_framing_for_good() {
    for length in ["18446744073709551615", "-1", "x", "", "1048577", "3\r\nl: 4"] {
        let mut framer = Framer::new(Limits::default());
        framer.push(notify(1, "").replace("Length: 0", &format!("Length: {length}")).as_bytes());
        assert!(framer.next_frame().is_err(), "{length}");
        framer.push(notify(2, "").as_bytes());
        assert!(framer.next_frame().is_err(), "still, after {length}");
        assert!(!framer.is_within_message(), "nothing is kept");
    }
}

#[test]
fn a_stream_needs_a_length_where_there_is_a_body() {
    let without = notify(1, "").replace("Content-Length: 0\r\n", "");
    let mut framer = Framer::new(Limits::default());
    framer.push(without.as_bytes());
    assert_eq!(numbers(&frames(&mut framer)), [1]);
    framer.push(without.replace("CSeq", "Content-Type: text/plain\r\nCSeq").as_bytes());
    assert_eq!(framer.next_frame().unwrap_err().0, ParseError::ContentLength);
}

#[test]
fn folded_and_compact_lengths_count() {
    for length in ["l: 4", "Content-Length :\r\n  4", "CONTENT-LENGTH:\t4 ", "L\t:4"] {
        let mut framer = Framer::new(Limits::default());
        let text = notify(1, "abcd").replace("Content-Length: 4", length) + &notify(2, "");
        framer.push(text.as_bytes());
        assert_eq!(numbers(&frames(&mut framer)), [1, 2], "{length}");
    }
}

/// A peer that pings waits for the answer and hangs up without it. (Found by the fuzzer: `\r` alone was no half.)
#[test]
fn a_run_of_empty_lines_holds_the_same_pings_in_whatever_pieces_it_comes() {
    let run = "\r\n".repeat(8);
    for first in 0..run.len() {
        for second in first..run.len() {
            let mut framer = Framer::new(Limits::default());
            let mut pings = 0;
            for piece in [&run[..first], &run[first..second], &run[second..]] {
                framer.push(piece.as_bytes());
                pings += frames(&mut framer).iter().filter(|frame| matches!(frame, Frame::Ping)).count();
            }
            assert_eq!(pings, 4, "cut at {first} and {second}");
        }
    }
}

/// What the framer takes for a length and what the parser takes for one is the same: nobody can hide a message.
#[test]
fn no_length_is_hidden_in_a_fold() {
    for (hidden, read) in
        [("X: a\r\n Content-Length: 9", true), ("Content-Length\r\n : 9", false), ("X\r\n : 9", false)]
    {
        let mut framer = Framer::new(Limits::default());
        let text = notify(1, "").replace("CSeq", &format!("{hidden}\r\nCSeq")) + &notify(2, "");
        framer.push(text.as_bytes());
        let found = frames(&mut framer);
        assert_eq!(found.len(), 2, "{hidden}");
        assert_eq!(matches!(found[0], Frame::Message(_)), read, "{hidden}");
        assert_eq!(numbers(&found[1..]), [2]);
    }
}

#[test]
fn caps_hold_before_memory_is_taken() {
    let limits = Limits { header_section: 1000, header: 200, headers: 8, body: 10 };
    // An endless header section, in pieces.
    let mut framer = Framer::new(limits);
    framer.push(b"NOTIFY sip:a@d.com SIP/2.0\r\n");
    let lost = (0..1000).find_map(|_| {
        framer.push(b"X: 0123456789\r\n");
        framer.next_frame().err()
    });
    assert_eq!(lost.unwrap().0, ParseError::TooLarge { what: "header section", limit: 1000 });
    // One endless line.
    let mut framer = Framer::new(limits);
    let lost = (0..1000).find_map(|_| {
        framer.push(b"XXXXXXXXXXXXXXXXXXXXXXXX");
        framer.next_frame().err()
    });
    assert!(lost.is_some());
    // A large body is announced.
    let mut framer = Framer::new(limits);
    framer.push(notify(1, "12345678901").as_bytes());
    assert_eq!(framer.next_frame().unwrap_err().0, ParseError::TooLarge { what: "body", limit: 10 });
    // One large header, or too many: the message is refused, the connection lives.
    let large = notify(1, "").replace("CSeq", &format!("X: {}\r\nCSeq", "x".repeat(200)));
    let many = notify(2, "").replace("CSeq", "X: 1\r\nX: 2\r\nX: 3\r\nCSeq");
    let mut framer = Framer::new(limits);
    framer.push((large + &many + &notify(3, "")).as_bytes());
    let found = frames(&mut framer);
    assert!(matches!(found[..], [Frame::Malformed { .. }, Frame::Malformed { .. }, Frame::Message(_)]), "{found:?}");
}

#[test]
fn large_documents_pass_up_to_the_limit() {
    for size in [60_000, 70_000, 200_000, 1024 * 1024] {
        let mut framer = Framer::new(Limits::default());
        let mut found = Vec::new();
        for piece in notify(1, &"x".repeat(size)).as_bytes().chunks(16 * 1024) {
            framer.push(piece);
            found.extend(frames(&mut framer));
        }
        assert_eq!(numbers(&found), [1], "{size}");
    }
}

#[test]
fn datagrams_hold_one_message_or_a_keep_alive() {
    let read = |bytes: &'static [u8]| Frame::from_datagram(Bytes::from_static(bytes), &Limits::default());
    assert!(matches!(read(b"\r\n\r\n"), Frame::Ping));
    assert!(matches!(read(b"\r\n"), Frame::Pong));
    assert!(matches!(read(b"\0\0\0\0"), Frame::Pong));
    assert!(matches!(read(b""), Frame::Pong));
    assert!(matches!(read(b"jak"), Frame::Malformed { reason: ParseError::NoBlankLine, answer: None }));
    let text = String::from("\r\n") + &notify(1, "x") + "rest";
    assert!(matches!(Frame::from_datagram(text.into(), &Limits::default()), Frame::Message(_)));
}
