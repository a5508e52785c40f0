//! How much memory a dialog takes: the budget of the design is 0.7 kB.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic, and begins now")]
#![allow(clippy::print_stdout, reason = "a skipped test says why")]

use std::time::Instant;

use presence_core::{AgentUri, Attempt};
use presence_sip::{FlowId, Limits, Message, Subscriber, SubscriberConfig, SubscriberEffect, TransportKind, respond};

/// Bytes of this process in memory, where the system says so.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<usize>().ok()? * 1024)
}

#[test]
fn a_live_dialog_takes_less_than_700_bytes() {
    let Some(_) = resident() else {
        println!("skipped: this system has no /proc/self/status");
        return;
    };
    let agents: Vec<AgentUri> =
        (0..16_000).map(|number| AgentUri::parse(&format!("sip:user{number}@domain.com")).unwrap()).collect();
    let endpoint = AgentUri::parse("sip:app@domain.com").unwrap();
    let mut config = SubscriberConfig::new(endpoint, "sip:app@192.0.2.1:6120;transport=tcp", "192.0.2.1:6120");
    config.transport = TransportKind::Tcp;
    let mut state = 1_u64;
    let entropy = move |bytes: &mut [u8]| {
        for byte in bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = state.to_be_bytes()[0];
        }
    };
    let mut subscriber = Subscriber::new(config, Box::new(entropy));
    let now = Instant::now();
    let before = resident().unwrap();
    for agent in &agents {
        subscriber.subscribe(now, agent, Attempt(1));
        let Some(SubscriberEffect::Transmit { bytes, .. }) = subscriber.poll_effect() else { panic!() };
        let subscribe = Message::parse(bytes, &Limits::default()).unwrap();
        let extra = [
            ("Expires", "3600"),
            ("Contact", "<sip:fe01.domain.com:5061;transport=tls;ms-fe=fe01.domain.com>"),
            ("Record-Route", "<sip:pool.domain.com:5061;transport=tls;lr;opaque=state:F>"),
        ];
        let ok = respond(&subscribe, 200, None, "8A1C2F0B4D", &extra, None);
        subscriber.receive(now, FlowId::PRIMARY, Message::parse(ok, &Limits::default()).unwrap());
        let tag = subscribe.from().unwrap().tag().unwrap();
        let notify = format!(
            "NOTIFY sip:app@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.9;branch=z9hG4bK1\r\n\
             From: <{agent}>;tag=8A1C2F0B4D\r\nTo: <sip:app@domain.com>;tag={tag}\r\nCall-ID: {}\r\nCSeq: 1 NOTIFY\r\n\
             Event: presence\r\nSubscription-State: active;expires=3599\r\nContent-Length: 0\r\n\r\n",
            subscribe.call_id()
        );
        subscriber.receive(now, FlowId::PRIMARY, Message::parse(notify.into(), &Limits::default()).unwrap());
        while subscriber.poll_effect().is_some() {}
    }
    assert_eq!(subscriber.stats().live, agents.len());
    let each = (resident().unwrap() - before) / agents.len();
    println!("{each} bytes for each dialog");
    assert!(each < 700, "{each} bytes for each dialog");
}
