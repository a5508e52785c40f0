//! Who owns a failure: the product's failure table, row by row.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use presence_core::FailureKind::{self, Dialog, Endpoint, Forbidden, NotFound, Transient};
use presence_core::{EndedBy, Failure};
use presence_sip::{Limits, Message, classify};

fn failure(status: u16, headers: &str) -> Failure {
    let text = format!("SIP/2.0 {status} The phrase\r\n{headers}\r\n");
    classify(status, &Message::parse(text.into(), &Limits::default()).unwrap())
}

#[test]
fn the_status_code_decides_where_nothing_else_is_said() {
    let rows: [(FailureKind, &[u16]); 5] = [
        (Forbidden, &[403, 603, 606]),
        (NotFound, &[404, 410, 484, 485, 604]),
        (Dialog, &[481]),
        (Endpoint, &[301, 302, 305, 401, 405, 407, 430, 489, 501, 503, 505]),
        (Transient, &[400, 408, 413, 480, 486, 487, 488, 491, 500, 502, 504, 513, 580, 600]),
    ];
    for (kind, codes) in rows {
        for code in codes {
            let failure = failure(*code, "");
            assert_eq!((failure.kind, failure.code, failure.by), (kind, Some(*code), EndedBy::Peer), "{code}");
        }
    }
}

#[test]
fn the_diagnosis_decides_before_the_status_code() {
    let rows: [(FailureKind, &[u32]); 5] = [
        (Forbidden, &[1001, 1002, 2004, 4003, 4004]),
        (NotFound, &[1003, 2005, 4005, 4006, 4007]),
        (Dialog, &[1004, 2014, 2016]),
        (Transient, &[1007, 1008, 1010, 1011, 1012, 1013, 1014, 2011, 2012, 4008]),
        (Endpoint, &[2013, 2165, 4001, 4002, 4010, 4011, 4012, 4013]),
    ];
    for (kind, numbers) in rows {
        for number in numbers {
            for status in [400, 403, 404, 480, 481, 503] {
                for header in ["ms-diagnostics", "ms-diagnostics-public"] {
                    let found = failure(status, &format!("{header}: {number};source=\"fe.d.com\";reason=\"why\"\r\n"));
                    assert_eq!(found.kind, kind, "{status} {number}");
                    assert_eq!(found.to_string(), format!("{status} why (ms-diagnostics {number})"));
                }
            }
        }
    }
    assert_eq!(failure(404, "ms-diagnostics: 9999\r\n").kind, NotFound, "an unknown number decides nothing");
    assert_eq!(failure(404, "ms-diagnostics: many\r\n").to_string(), "404 The phrase");
}

#[test]
fn retry_after_and_the_peers_phrase_are_kept() {
    let found = failure(503, "Retry-After: 120 (maintenance)\r\n");
    assert_eq!((found.retry_after, found.kind), (Some(Duration::from_secs(120)), Endpoint));
    assert_eq!(found.to_string(), "503 The phrase");
    assert_eq!(failure(480, "Retry-After: soon\r\n").retry_after, None);
    let silent = Message::parse("SIP/2.0 480 \r\n\r\n".into(), &Limits::default()).unwrap();
    assert_eq!(classify(480, &silent).to_string(), "480 Temporarily Unavailable");
}
