//! What a NOTIFY costs: bytes to message to dialog to 200 bytes, and its document alone.
//!
//! `cargo bench -p presence-sip --bench notify`
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark may panic, and begins now"
)]

use std::time::Instant;

use bytes::Bytes;
use divan::{Bencher, counter::ItemsCount};
use presence_core::{AgentUri, Attempt};
use presence_sip::{
    DocumentLimits, Entropy, FlowId, Limits, Message, Subscriber, SubscriberConfig, SubscriberEffect, TransportKind,
    read_pidf, respond,
};

fn main() {
    divan::main();
}

/// About 1,100 bytes, as presence servers write them.
const DOCUMENT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"
          xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" xmlns:caps="urn:ietf:params:xml:ns:pidf:caps"
          xmlns:lt="urn:ietf:params:xml:ns:location-type" entity="pres:user1@domain.com">
  <tuple id="t1">
    <status><basic>open</basic></status>
    <caps:servcaps>
      <caps:audio>true</caps:audio><caps:video>true</caps:video><caps:message>true</caps:message>
    </caps:servcaps>
    <contact priority="0.8">sip:user1@192.0.2.17:5060;transport=tcp</contact>
    <timestamp>2026-11-22T09:00:00Z</timestamp>
  </tuple>
  <dm:person id="p1">
    <rpid:activities><rpid:on-the-phone/></rpid:activities>
    <rpid:place-type><lt:office/></rpid:place-type>
    <rpid:user-input idle-threshold="600">active</rpid:user-input>
    <dm:note>In a call &amp; back at ten</dm:note>
    <dm:timestamp>2026-11-22T09:00:00Z</dm:timestamp>
  </dm:person>
  <dm:device id="d1"><rpid:class>computer</rpid:class><dm:deviceID>mac:8asd7d7d70</dm:deviceID></dm:device>
</presence>
"#;

fn entropy() -> Entropy {
    let mut state = 7_u64;
    Box::new(move |bytes| {
        for byte in bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = state.to_be_bytes()[0];
        }
    })
}

/// Dialogs that live, and the parts of the NOTIFYs for them.
struct Field {
    subscriber: Subscriber,
    dialogs: Vec<(String, String)>,
    now: Instant,
}

fn agent(number: usize) -> AgentUri {
    AgentUri::parse(&format!("sip:user{number}@domain.com")).unwrap()
}

fn drain(subscriber: &mut Subscriber) -> Option<Bytes> {
    let mut sent = None;
    while let Some(effect) = subscriber.poll_effect() {
        if let SubscriberEffect::Transmit { bytes, .. } = divan::black_box(effect) {
            sent = Some(bytes);
        }
    }
    sent
}

impl Field {
    fn of(agents: usize) -> Self {
        let now = Instant::now();
        let endpoint = AgentUri::parse("sip:app@domain.com").unwrap();
        let mut config = SubscriberConfig::new(endpoint, "sip:app@192.0.2.1:6120;transport=tcp", "192.0.2.1:6120");
        config.transport = TransportKind::Tcp;
        let mut subscriber = Subscriber::new(config, entropy());
        let mut dialogs = Vec::with_capacity(agents);
        for number in 0..agents {
            subscriber.subscribe(now, &agent(number), Attempt(1));
            let bytes = drain(&mut subscriber).unwrap();
            let subscribe = Message::parse(bytes, &Limits::default()).unwrap();
            let extra = [("Expires", "3600"), ("Contact", "<sip:pool.domain.com:5061>")];
            let ok = Message::parse(respond(&subscribe, 200, None, "n1", &extra, None), &Limits::default()).unwrap();
            subscriber.receive(now, FlowId::PRIMARY, ok);
            drain(&mut subscriber);
            dialogs.push((subscribe.call_id().to_owned(), subscribe.from().unwrap().tag().unwrap().to_owned()));
        }
        Self { subscriber, dialogs, now }
    }

    fn notify(&self, number: usize) -> Bytes {
        let (call_id, tag) = &self.dialogs[number % self.dialogs.len()];
        let cseq = 1 + number / self.dialogs.len();
        format!(
            "NOTIFY sip:app@192.0.2.1:6120;transport=tcp SIP/2.0\r\n\
             Via: SIP/2.0/TCP 192.0.2.9:5060;branch=z9hG4bK{number:016x}\r\nMax-Forwards: 70\r\n\
             From: <sip:user1@domain.com>;tag=n1\r\nTo: <sip:app@domain.com>;tag={tag}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} NOTIFY\r\nContact: <sip:pool.domain.com:5061>\r\nEvent: presence\r\n\
             Subscription-State: active;expires=3599\r\nContent-Type: application/pidf+xml\r\n\
             Content-Length: {}\r\n\r\n{DOCUMENT}",
            DOCUMENT.len()
        )
        .into()
    }
}

#[divan::bench]
fn document_alone(bencher: Bencher<'_, '_>) {
    let limits = DocumentLimits::default();
    bencher.counter(ItemsCount::new(1_usize)).bench(|| read_pidf(divan::black_box(DOCUMENT).as_bytes(), &limits));
}

#[divan::bench]
fn message_alone(bencher: Bencher<'_, '_>) {
    let bytes = Field::of(1).notify(0);
    let parse = || Message::parse(bytes.clone(), &Limits::default());
    bencher.counter(ItemsCount::new(1_usize)).bench(parse);
}

#[divan::bench(args = [1, 10_000], sample_count = 200, sample_size = 500)]
fn bytes_to_status_and_200(bencher: Bencher<'_, '_>, agents: usize) {
    let mut field = Field::of(agents);
    let next = std::cell::Cell::new(0);
    let input = Field { subscriber: Field::of(1).subscriber, dialogs: field.dialogs.clone(), now: field.now };
    bencher
        .counter(ItemsCount::new(1_usize))
        .with_inputs(|| {
            next.set(next.get() + 1);
            input.notify(next.get())
        })
        .bench_local_values(|bytes| {
            let message = Message::parse(bytes, &Limits::default()).unwrap();
            field.subscriber.receive(field.now, FlowId::PRIMARY, message);
            drain(&mut field.subscriber)
        });
}

#[divan::bench(sample_count = 100, sample_size = 500)]
fn subscribe_to_bytes(bencher: Bencher<'_, '_>) {
    let mut field = Field::of(1);
    let mut number = 1;
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        number += 1;
        field.subscriber.subscribe(field.now, &agent(number), Attempt(1));
        drain(&mut field.subscriber)
    });
}
