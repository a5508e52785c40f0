//! A million mutated messages: nothing panics, nothing grows, and what is read stays within the limits.
//!
//! Deterministic: the same number of mutations is the same run. `PRESENCE_SIP_MUTATIONS` sets the number.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

use std::path::Path;

use bytes::Bytes;
use presence_sip::typed::lift;
use presence_sip::{Credentials, DigestClient, Frame, Framer, Limits, Message, NameAddr, Via, classify, respond};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors/torture/rfc4475");

/// xorshift64* (Vigna): seeded, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &'a [&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// What breaks parsers: separators, ends of lines, cut characters, numbers beyond their types.
const MORSELS: [&[u8]; 40] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\r\n ",
    b"\n\t",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"=",
    b"\"",
    b"\\",
    b"\\\"",
    b"<",
    b">",
    b"[",
    b"]",
    b"@",
    b"?",
    b"%",
    b"/",
    b"\0",
    b"\xff",
    b"\xc3",
    b"\xe2\x80",
    "é".as_bytes(),
    "\u{202e}".as_bytes(),
    b"-1",
    b"4294967296",
    b"99999999999999999999",
    b"18446744073709551615",
    b"SIP/2.0",
    b"Content-Length: 5\r\n",
    b"l:99999\r\n",
    b";;;;;;;;",
    b"tag=",
    b"%s%n",
    b"sip:[::1]:99999",
];

const OWN: [&str; 4] = [
    "NOTIFY sip:app@192.0.2.1:6120;transport=tls;ms-opaque=ab SIP/2.0\r\nVia: SIP/2.0/tls 192.0.2.9:5061;branch=z9hG4bK1.2;\
     branched=FALSE, SIP/2.0/TCP [2001:db8::1];rport;received=192.0.2.7\r\nFrom: \"A, <b>\" <sip:a@d.com>;tag=1;epid=01\r\n\
     To: <sip:b@d.com;opaque=user:epid:x;gruu>;tag=2\r\nCall-ID: c1@h\r\nCSeq: 7 NOTIFY\r\nEvent: presence;id=4\r\n\
     Record-Route: <sip:fe:5061;transport=tls;opaque=state:T:F:x;lr>, <sip:p2;lr>\r\nsubscription-state: active;expires=99\r\n\
     Contact: <sip:fe@h>;+sip.instance=\"<urn:uuid:1>\"\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody",
    "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@d.com>;tag=1\r\nTo: <sip:b@d.com>;tag=2\r\n\
     Call-ID: c1\r\nCSeq: 1 SUBSCRIBE\r\nWWW-Authenticate: NTLM realm=\"x\", Digest realm=\"r\", qop=\"auth,auth-int\", \
     nonce=\"n\\\"1\", algorithm=SHA-256, stale=true\r\nExpires: 60\r\nMin-Expires: 30\r\nContent-Length: 0\r\n\r\n",
    "SIP/2.0 503 Service Unavailable\r\nv: SIP/2.0/UDP h\r\nf: <sip:a@d.com>;tag=1\r\nt: <sip:b@d.com>;tag=2\r\ni: c1\r\n\
     CSeq: 1 SUBSCRIBE\r\nRetry-After: 18 (comment);duration=5\r\nms-diagnostics: 1007.2;source=\"fe\";reason=\"a; \\\"b\\\"\"\r\n\
     l: 0\r\n\r\n",
    "BENOTIFY sip:[2001:db8::1]:5060 SIP/2.0\r\nVia : SIP / 2.0 / TCP h\r\n ;branch = z9\r\nFrom: tel:+31612345678;tag=1\r\n\
     To: sip:b@d.com;tag=2\r\nCall-ID:c\r\nCSeq:1\r\n BENOTIFY\r\nSubscription-State: terminated;reason=x;retry-after=4\r\n\r\n",
];

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = OWN.iter().map(|text| text.as_bytes().to_vec()).collect();
    match std::fs::read_dir(Path::new(FOLDER)) {
        Ok(folder) => {
            let mut files: Vec<_> = folder.map(|file| file.unwrap().path()).collect();
            files.sort();
            seeds.extend(files.iter().map(|file| std::fs::read(file).unwrap()));
        }
        Err(_) => eprintln!("without the torture messages of RFC 4475, which are not there; our own are mutated"),
    }
    seeds
}

fn mutate(dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        let until = (at + dice.below(24)).min(bytes.len());
        match dice.below(8) {
            0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = u8::try_from(dice.roll() >> 56).unwrap()),
            1 => drop(bytes.drain(at..until)),
            2 => drop(bytes.splice(at..at, dice.pick(&MORSELS).iter().copied())),
            3 => drop(bytes.splice(at..until, dice.pick(&MORSELS).iter().copied())),
            4 => {
                let copy = bytes[at..until].to_vec();
                drop(bytes.splice(at..at, copy));
            }
            5 => bytes.truncate(at),
            6 => {
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len());
                let until = (from + dice.below(80)).min(other.len());
                drop(bytes.splice(at..at, other[from..until].iter().copied()));
            }
            _ => {
                let run = dice.pick(&MORSELS).repeat(1 + dice.below(40));
                drop(bytes.splice(at..at, run));
            }
        }
    }
    bytes
}

/// Everything that is ever asked of a message. Returns whether it is a sane one.
fn exercise(message: &Message, limits: &Limits, digest: &mut DigestClient) -> bool {
    assert!(message.body().len() <= limits.body && message.headers().count() <= limits.headers);
    for (name, value) in message.headers() {
        // A byte that is not UTF-8 becomes three, a compact name becomes a full one.
        assert!(name.len() <= limits.header.max(20) && value.len() <= 3 * limits.header, "{name} {}", value.len());
        assert!(!value.contains(['\r', '\n']) && value == value.trim_matches([' ', '\t']), "{name}: {value:?}");
    }
    let sane = message.check().is_ok();
    for name in ["Via", "Record-Route", "Contact", "Route"] {
        for value in message.values(name).take(20) {
            let _ = (
                NameAddr::parse(value).map(|a| (a.tag().is_some(), a.uri_param("opaque").is_some())),
                Via::parse(value),
            );
        }
    }
    let _ = (message.expires(), message.min_expires(), message.retry_after(), message.event());
    let _ = (message.subscription_state(), message.content_type(), message.to(), message.contact());
    if let Some(status) = message.status() {
        let _ = classify(status, message);
        if digest.challenge(message).is_ok() {
            for (_, value) in digest.authorize("SUBSCRIBE", "sip:a@d.com", &mut |bytes| bytes.fill(7)) {
                assert!(!value.contains(['\r', '\n']));
            }
        }
    }
    let _ = message.header("From").and_then(lift::<rsip::typed::From>);
    if sane {
        // What could be read and is sane can be answered, and the answer is as sane.
        assert!(message.from().is_some() && message.to().is_some() && message.top_via().is_some());
        assert!(message.cseq().is_some() && !message.call_id().is_empty());
        if message.method().is_some() {
            let wide = Limits { header_section: usize::MAX, header: usize::MAX, headers: usize::MAX, body: usize::MAX };
            let answer = Message::parse(respond(message, 200, None, "t", &[], None), &wide).unwrap();
            assert_eq!((answer.call_id(), answer.cseq()), (message.call_id(), message.cseq()));
            assert!(answer.values("Via").eq(message.values("Via")));
            assert_eq!(answer.check(), Ok(()), "{answer:?}");
        }
    }
    sane
}

/// What became of the mutated messages.
#[derive(Clone, Copy, Debug, Default)]
struct Outcomes {
    count: u32,
    read: u32,
    sane: u32,
    answered: u32,
    framed: u32,
    lost: u32,
}

/// The same bytes as a stream, cut anywhere, with an intact message behind them.
fn stream(bytes: &[u8], cut: usize, limits: &Limits, outcomes: &mut Outcomes) {
    let mut framer = Framer::new(*limits);
    for piece in [&bytes[..cut], &bytes[cut..], OWN[1].as_bytes()] {
        framer.push(piece);
        loop {
            match framer.next_frame() {
                Ok(Some(_)) => outcomes.framed += 1,
                Ok(None) => break,
                Err(_) => {
                    outcomes.lost += 1;
                    break;
                }
            }
        }
    }
}

fn run(seed: u64, count: u32, seeds: &[Vec<u8>]) -> Outcomes {
    let mut dice = Dice(seed);
    let small = Limits { header_section: 600, header: 120, headers: 12, body: 60 };
    let usual = Limits::default();
    let mut digest = DigestClient::new(Credentials { user: "u".into(), password: "p".into() });
    let mut outcomes = Outcomes { count, ..Outcomes::default() };
    for number in 0..count {
        let bytes = Bytes::from(mutate(&mut dice, seeds));
        let limits = if number % 4 == 0 { &small } else { &usual };
        match Frame::from_datagram(bytes.clone(), limits) {
            Frame::Message(message) => {
                outcomes.read += 1;
                outcomes.sane += u32::from(exercise(&message, limits, &mut digest));
            }
            Frame::Malformed { answer: Some(answer), .. } => {
                let answer = Message::parse(answer, &usual).expect("our own answer is readable");
                assert_eq!(answer.status(), Some(400));
                outcomes.answered += 1;
            }
            Frame::Malformed { .. } | Frame::Ping | Frame::Pong => {}
        }
        if number % 8 == 0 {
            stream(&bytes, dice.below(bytes.len()), limits, &mut outcomes);
        }
    }
    outcomes
}

#[test]
fn a_million_mutated_messages_neither_panic_nor_break_a_limit() {
    let count: u32 = std::env::var("PRESENCE_SIP_MUTATIONS").map_or(1_000_000, |text| text.parse().expect("a number"));
    let seeds = seeds();
    let halves = std::thread::scope(|scope| {
        let threads = [0x5eed_0f51_b001, 0x5eed_0f51_b002].map(|seed| {
            scope.spawn({
                let seeds = &seeds;
                move || run(seed, count / 2, seeds)
            })
        });
        threads.map(|thread| thread.join().expect("no panic"))
    });
    for outcomes in halves {
        eprintln!("{outcomes:?}");
        let Outcomes { count, read, sane, answered, framed, lost } = outcomes;
        assert!(count < 1000 || [read, sane, answered, framed, lost].iter().all(|outcome| *outcome > 0));
        assert!(count < 1000 || sane < read && read < count, "some are refused");
    }
}
