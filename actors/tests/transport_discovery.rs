//! Finding a pool in DNS, with a name server of our own on a real socket.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may fail")]

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use presence_actors::transport::{DiscoveryError, Resolver, Server};
use presence_sip::discovery::Convention;
use presence_sip::{Entropy, TransportKind};
use tokio::net::UdpSocket;

/// What the zone holds; a name that is `Broken` makes the server fail.
#[derive(Clone)]
enum Entry {
    Host(&'static str, [u8; 4]),
    Host6(&'static str, u16),
    Service(&'static str, u16, u16, u16, &'static str),
    Broken(&'static str),
}

/// A name server for this zone; it notes what it is asked.
async fn name_server(zone: Vec<Entry>) -> (Resolver, Arc<Mutex<Vec<String>>>) {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
    let resolver = Resolver::with_name_server(socket.local_addr().unwrap()).unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut buffer = vec![0; 4096];
        loop {
            let (size, from) = socket.recv_from(&mut buffer).await.unwrap();
            let question = Message::from_vec(&buffer[..size]).unwrap();
            notes.lock().unwrap().push(question.queries[0].name().to_ascii());
            socket.send_to(&answer(&zone, &question).to_vec().unwrap(), from).await.unwrap();
        }
    });
    (resolver, asked)
}

fn answer(zone: &[Entry], question: &Message) -> Message {
    let query = question.queries[0].clone();
    let mut answer = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
    let asked = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
    let (mut exists, mut broken) = (false, false);
    for entry in zone {
        let (name, kind, data) = match entry {
            Entry::Host(name, address) => (*name, RecordType::A, Some(RData::A(A(Ipv4Addr::from(*address))))),
            Entry::Host6(name, last) => {
                let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, *last);
                (*name, RecordType::AAAA, Some(RData::AAAA(AAAA(address))))
            }
            Entry::Service(name, priority, weight, port, target) => {
                let srv = SRV::new(*priority, *weight, *port, Name::from_ascii(target).unwrap());
                (*name, RecordType::SRV, Some(RData::SRV(srv)))
            }
            Entry::Broken(name) => (*name, RecordType::ANY, None),
        };
        if name != asked {
            continue;
        }
        exists = true;
        match data {
            None => broken = true,
            Some(data) if kind == query.query_type() => {
                answer.answers.push(Record::from_rdata(query.name().clone(), 60, data));
            }
            Some(_) => {}
        }
    }
    answer.metadata.response_code = match (broken, exists) {
        (true, _) => ResponseCode::ServFail,
        (false, true) => ResponseCode::NoError,
        (false, false) => ResponseCode::NXDomain,
    };
    answer.queries.push(query);
    answer
}

async fn find(
    resolver: &Resolver,
    host: &str,
    port: Option<u16>,
    kind: TransportKind,
    convention: Convention,
) -> Result<Vec<Server>, DiscoveryError> {
    let mut entropy: Entropy = Box::new(|bytes| bytes.fill(0));
    resolver.find(host, port, kind, convention, &mut entropy).await
}

fn server(address: &str, name: &str) -> Server {
    Server { address: address.parse::<SocketAddr>().unwrap(), name: name.to_owned() }
}

#[tokio::test]
async fn a_service_leads_to_its_hosts_by_priority_and_the_certificate_is_the_domains() {
    let (resolver, _) = name_server(vec![
        Entry::Service("_sip._tcp.domain.com", 20, 0, 5070, "second.domain.com."),
        Entry::Service("_sip._tcp.domain.com", 10, 0, 5060, "first.domain.com."),
        Entry::Host("first.domain.com", [192, 0, 2, 1]),
        Entry::Host("second.domain.com", [192, 0, 2, 2]),
        Entry::Host("second.domain.com", [192, 0, 2, 3]),
    ])
    .await;
    let servers = find(&resolver, "domain.com", None, TransportKind::Tcp, Convention::Rfc3263).await.unwrap();
    assert_eq!(servers[0], server("192.0.2.1:5060", "domain.com"));
    assert_eq!(servers.len(), 3);
    assert!(servers.contains(&server("192.0.2.3:5070", "domain.com")));
}

#[tokio::test]
async fn skype_for_business_is_found_by_its_service_and_never_outside_of_its_domain() {
    let (resolver, _) = name_server(vec![
        Entry::Service("_sipinternaltls._tcp.domain.com", 0, 0, 5061, "pool.evil.example."),
        Entry::Service("_sipinternaltls._tcp.domain.com", 10, 0, 5061, "pool.domain.com."),
        Entry::Host("pool.evil.example", [198, 51, 100, 1]),
        Entry::Host("pool.domain.com", [192, 0, 2, 1]),
    ])
    .await;
    let found = find(&resolver, "domain.com", None, TransportKind::Tls, Convention::SkypeForBusiness).await;
    assert_eq!(found, Ok(vec![server("192.0.2.1:5061", "pool.domain.com")]));
}

#[tokio::test]
async fn a_service_that_leads_only_out_of_the_domain_is_no_service() {
    let (resolver, _) = name_server(vec![
        Entry::Service("_sipinternaltls._tcp.domain.com", 0, 0, 5061, "pool.evil.example."),
        Entry::Service("_sip._tls.domain.com", 0, 0, 443, "domain.com.evil.example."),
        Entry::Host("pool.evil.example", [198, 51, 100, 1]),
        Entry::Host("domain.com.evil.example", [198, 51, 100, 2]),
    ])
    .await;
    let found = find(&resolver, "domain.com", None, TransportKind::Tls, Convention::SkypeForBusiness).await;
    assert!(matches!(found, Err(DiscoveryError::NotFound { .. })), "{found:?}");
}

#[tokio::test]
async fn the_internal_service_comes_before_the_external_one() {
    let (resolver, _) = name_server(vec![
        Entry::Service("_sip._tls.domain.com", 0, 0, 443, "edge.domain.com."),
        Entry::Service("_sipinternaltls._tcp.domain.com", 0, 0, 5061, "pool.domain.com."),
        Entry::Host("edge.domain.com", [192, 0, 2, 2]),
        Entry::Host("pool.domain.com", [192, 0, 2, 1]),
    ])
    .await;
    let found = find(&resolver, "domain.com", None, TransportKind::Tls, Convention::SkypeForBusiness).await;
    assert_eq!(found, Ok(vec![server("192.0.2.1:5061", "pool.domain.com")]));
}

#[tokio::test]
async fn without_a_service_the_well_known_names_are_tried_in_their_order_first_at_5061_then_at_443() {
    let (resolver, asked) = name_server(vec![
        Entry::Host("sipexternal.domain.com", [192, 0, 2, 8]),
        Entry::Host("sip.domain.com", [192, 0, 2, 9]),
    ])
    .await;
    let found = find(&resolver, "domain.com", None, TransportKind::Tls, Convention::SkypeForBusiness).await;
    let expected = [
        ("192.0.2.9:5061", "sip.domain.com"),
        ("192.0.2.8:5061", "sipexternal.domain.com"),
        ("192.0.2.9:443", "sip.domain.com"),
        ("192.0.2.8:443", "sipexternal.domain.com"),
    ];
    assert_eq!(found, Ok(expected.map(|(address, name)| server(address, name)).to_vec()));
    let mut asked = asked.lock().unwrap().clone();
    asked.dedup();
    assert_eq!(asked[..2], ["_sipinternaltls._tcp.domain.com.", "_sip._tls.domain.com."]);
}

#[tokio::test]
async fn an_address_or_a_port_needs_no_service() {
    let (resolver, asked) = name_server(vec![Entry::Host6("pool.domain.com", 7)]).await;
    let found = find(&resolver, "127.0.0.1", None, TransportKind::Tls, Convention::Rfc3263).await;
    assert_eq!(found, Ok(vec![server("127.0.0.1:5061", "127.0.0.1")]));
    assert_eq!(asked.lock().unwrap().len(), 0);
    let found = find(&resolver, "pool.domain.com", Some(6000), TransportKind::Tls, Convention::Rfc3263).await;
    assert_eq!(found, Ok(vec![server("[2001:db8::7]:6000", "pool.domain.com")]));
}

#[tokio::test]
async fn nothing_found_names_everything_that_was_tried_and_a_failing_server_is_another_matter() {
    let (resolver, _) = name_server(vec![Entry::Broken("_sip._tcp.broken.com")]).await;
    let error = find(&resolver, "domain.com", None, TransportKind::Tcp, Convention::Rfc3263).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "find the pool of domain.com: none of _sip._tcp.domain.com, domain.com exists in DNS"
    );
    let error = find(&resolver, "broken.com", None, TransportKind::Tcp, Convention::Rfc3263).await.unwrap_err();
    let DiscoveryError::Lookup { name, .. } = error else { panic!("{error}") };
    assert_eq!(name, "_sip._tcp.broken.com");
}
