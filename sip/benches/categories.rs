//! What a notification of the skype dialect costs: one agent's document, and a batch of 500 agents.
//!
//! `cargo bench -p presence-sip --bench categories`
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark may panic")]

use std::fmt::Write;

use bytes::Bytes;
use divan::{AllocProfiler, Bencher, counter::ItemsCount};
use presence_core::{AgentUri, SourceNetwork, Status};
use presence_sip::DocumentLimits;
use presence_sip::documents::{
    AgentCategories, BatchAction, BatchActionName, CATEGORIES, RLMI, is_media_type, read_categories, read_rlmi,
    split_multipart, write_batch_subscribe,
};

/// Counts what is allocated, beside the time; it costs a little of that time.
#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const AGENTS: usize = 500;
const TYPE: &str = r#"multipart/related;type="application/rlmi+xml";start=resourceList;boundary=50UBfW7LSCVLtggUPe5z"#;

fn main() {
    divan::main();
}

/// State and services of one agent, about 1,500 bytes, as pools write them.
fn document(agent: &str, availability: u32) -> String {
    format!(
        r#"<categories xmlns="http://schemas.microsoft.com/2006/09/sip/categories" uri="{agent}"><category name="state" instance="1" publishTime="2026-11-22T09:00:05.450"><state xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" lastActive="2026-11-22T09:00:05" xsi:type="aggregateState" xmlns="http://schemas.microsoft.com/2006/09/sip/state"><availability>{availability}</availability><activity token="on-the-phone" minAvailability="6500" maxAvailability="8999"/><endpointLocation>31/East Wing</endpointLocation><delimiter xmlns="http://schemas.microsoft.com/2006/09/sip/commontypes"/><timeZoneBias>-60</timeZoneBias><timeZoneName>W. Europe Standard Time</timeZoneName><device>computer</device><end xmlns="http://schemas.microsoft.com/2006/09/sip/commontypes"/></state></category><category name="services" instance="0" publishTime="2026-11-22T09:00:05.450"><services xmlns="http://schemas.microsoft.com/2006/09/sip/service"><service uri="{agent}"><capabilities><text render="true" capture="true" deviceAvailability="3500"/><gifInk render="true" capture="false" deviceAvailability="3500"/><isfInk render="true" capture="false" deviceAvailability="3500"/><applicationSharing render="true" capture="true" deviceAvailability="3500"/><voice render="true" capture="true" deviceAvailability="3500"/><video render="true" capture="true" deviceAvailability="3500"/><contentWhiteboard render="true" capture="true" deviceAvailability="3500"/></capabilities></service></services></category></categories>"#
    )
}

/// The body of a notification about all agents.
fn batch() -> Bytes {
    let mut body = String::from(
        "--50UBfW7LSCVLtggUPe5z\r\nContent-Transfer-Encoding: binary\r\nContent-ID: resourceList\r\nContent-Type: \
         application/rlmi+xml\r\n\r\n<list xmlns=\"urn:ietf:params:xml:ns:rlmi\" uri=\"sip:app@domain.com\" \
         version=\"0\" fullState=\"false\">",
    );
    for number in 0..AGENTS {
        let agent = format!("user{number}@domain.com");
        write!(body, "<resource uri=\"sip:{agent}\"><instance id=\"0\" state=\"active\" cid=\"{agent}\"/></resource>")
            .unwrap();
    }
    body.push_str("</list>\r\n");
    for number in 0..AGENTS {
        let agent = format!("user{number}@domain.com");
        write!(
            body,
            "--50UBfW7LSCVLtggUPe5z\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {agent}\r\nContent-Type: \
             application/msrtc-event-categories+xml\r\n\r\n{}\r\n",
            document(&format!("sip:{agent}"), 6500)
        )
        .unwrap();
    }
    body.push_str("--50UBfW7LSCVLtggUPe5z--\r\n");
    body.into()
}

#[divan::bench]
fn one_agent_parsed_and_merged(bencher: Bencher<'_, '_>) {
    let limits = DocumentLimits::default();
    let documents = [3500, 6500].map(|number| document("sip:user1@domain.com", number));
    assert!((1450..1650).contains(&documents[0].len()), "{}", documents[0].len());
    let mut agent = AgentCategories::default();
    let mut turn = 0;
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        turn ^= 1;
        agent.apply(&read_categories(divan::black_box(&documents[turn]).as_bytes(), &limits).unwrap().categories);
        agent.status(SourceNetwork::SameEnterprise)
    });
}

#[divan::bench]
fn batch_of_500_parsed_and_merged(bencher: Bencher<'_, '_>) {
    let body = batch();
    let mut agents = vec![AgentCategories::default(); AGENTS];
    bencher.counter(ItemsCount::new(AGENTS)).bench_local(|| {
        let (mut next, mut statuses) = (0, Vec::<(AgentUri, Status)>::with_capacity(AGENTS));
        for part in split_multipart(TYPE, divan::black_box(&body), &DocumentLimits::list()).unwrap() {
            if is_media_type(&part.content_type, RLMI) {
                let list = read_rlmi(&part.body, &DocumentLimits::list()).unwrap();
                assert_eq!(divan::black_box(list).resources.len(), AGENTS);
            } else if is_media_type(&part.content_type, CATEGORIES) {
                let document = read_categories(&part.body, &DocumentLimits::default()).unwrap();
                agents[next].apply(&document.categories);
                let uri = AgentUri::parse(document.uri.as_deref().unwrap()).unwrap();
                statuses.push((uri, agents[next].status(SourceNetwork::SameEnterprise)));
                next += 1;
            }
        }
        assert_eq!(next, AGENTS);
        statuses
    });
}

#[divan::bench]
fn batch_of_500_split(bencher: Bencher<'_, '_>) {
    let body = batch();
    bencher
        .counter(ItemsCount::new(AGENTS))
        .bench(|| split_multipart(TYPE, divan::black_box(&body), &DocumentLimits::list()));
}

#[divan::bench]
fn batch_of_500_written(bencher: Bencher<'_, '_>) {
    let own = AgentUri::parse("sip:app@domain.com").unwrap();
    let agents: Vec<AgentUri> =
        (0..AGENTS).map(|number| AgentUri::parse(&format!("sip:user{number}@domain.com")).unwrap()).collect();
    let action = [BatchAction { name: BatchActionName::Subscribe, id: 1, resources: &agents }];
    bencher.counter(ItemsCount::new(AGENTS)).bench(|| write_batch_subscribe(&own, divan::black_box(&action)));
}
