//! The simulated front end on real sockets of loopback: a client signs in as those of people do, byte by byte, over TCP
//! and over TLS; and the shell keeps what it promises.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, reason = "tests")]

mod front_end_client;

use std::net::SocketAddr;
use std::time::Duration;

use front_end_client::{Certificates, Client, PATIENCE, Stream, text};
use presence_simulator::{
    Activity, AgentState, FrontEndEvent, FrontEndHandle, FrontEndServer, FrontEndServerSettings, FrontEndSettings,
    FrontEndStartError, FrontEndTls, Pem, PoolSettings,
};
use presence_sip::TransportKind;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

fn settings(agents: usize) -> FrontEndServerSettings {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let settings = FrontEndSettings::one_pool("pool01.demo.example", address, agents, "demo.example");
    FrontEndServerSettings::on_loopback(settings)
}

fn over_tls(mut settings: FrontEndServerSettings, tls: FrontEndTls) -> FrontEndServerSettings {
    settings.settings.wire = TransportKind::Tls;
    settings.tls = Some(tls);
    settings
}

async fn start(settings: FrontEndServerSettings) -> FrontEndHandle {
    FrontEndServer::start(settings).await.unwrap()
}

fn agents(count: usize) -> impl Iterator<Item = String> {
    (1..=count).map(|number| format!("sip:agent{number}@demo.example"))
}

/// Registers; the server's answer has been checked for 200.
async fn register(client: &mut Client) {
    let register = client.register(None);
    client.say(&register).await;
    assert_eq!(client.hear().await.unwrap().status(), Some(200));
}

/// Subscribes to a batch; the tag of the server.
async fn subscribe(client: &mut Client, count: usize) -> String {
    let batch = client.batch("subscribe", agents(count), None);
    client.say(&batch).await;
    let answer = client.hear().await.unwrap();
    assert_eq!(answer.status(), Some(200), "{:?}", answer.header("ms-diagnostics"));
    answer.to().unwrap().tag().unwrap().to_owned()
}

/// From REGISTER to a change of presence, as the client of a person does it.
async fn sign_in(server: &FrontEndHandle, mut client: Client) {
    let register = client.register(None);
    assert!(register.contains(&format!("Via: SIP/2.0/{} 127.0.0.1:", client.wire)) && !register.contains("branch"));
    client.say(&register).await;
    let registered = client.hear().await.unwrap();
    assert_eq!(registered.status(), Some(200), "no 401: nothing is signed");
    let via = registered.header("Via").unwrap();
    assert!(via.contains(";ms-received-port=") && via.contains(";ms-received-cid="), "{via}");
    assert!(registered.expires().unwrap() > Duration::ZERO);
    let contact = registered.header("Contact").unwrap();
    assert!(contact.contains("+sip.instance=\"<urn:uuid:4b1682a8-f968-5701-83fc-7c6741dc6697>\""), "{contact}");
    let gruu = "gruu=\"sip:user@demo.example;opaque=user:epid:qIIWS2j5AVeD_HxnQdxmlwAA;gruu\"";
    assert!(contact.contains(gruu), "{contact}");
    let supported: Vec<_> = registered.header_all("Supported").collect();
    assert!(supported.contains(&"adhoclist") && supported.contains(&"msrtc-event-categories"), "{supported:?}");
    let events = registered.header("Allow-Events").unwrap();
    for event in ["vnd-microsoft-roaming-contacts", "vnd-microsoft-roaming-self", "vnd-microsoft-provisioning-v2"] {
        assert!(events.split(',').any(|allowed| allowed == event), "{events}");
    }
    assert!(registered.header("ms-keep-alive").unwrap().contains("timeout="));

    let roaming = "application/vnd-microsoft-roaming-";
    let contacts = client.roaming("vnd-microsoft-roaming-contacts", &format!("{roaming}contacts+xml"), "", "", "");
    client.say(&contacts).await;
    let contacts = client.hear().await.unwrap();
    assert_eq!(contacts.status(), Some(200));
    assert!(text(&contacts).starts_with("<contactList ") || text(&contacts).contains("\n<contactList "));
    assert!(text(&contacts).contains("deltaNum=\"1\""), "{}", text(&contacts));

    let kind = format!("{roaming}provisioning-v2+xml");
    let groups = "<provisioningGroupList xmlns=\"http://schemas.microsoft.com/2006/09/sip/provisioninggrouplist\">\r\n\
                  <provisioningGroup name=\"ServerConfiguration\"/>\r\n<provisioningGroup name=\"meetingPolicy\"/>\r\n\
                  </provisioningGroupList>";
    let provisioning = client.roaming("vnd-microsoft-provisioning-v2", &kind, "Expires: 0\r\n", &kind, groups);
    client.say(&provisioning).await;
    let provisioning = client.hear().await.unwrap();
    assert_eq!(provisioning.status(), Some(200));
    assert!(text(&provisioning).contains("<provisionGroupList "), "{}", text(&provisioning));

    let kind = format!("{roaming}self+xml");
    let list = "<roamingList xmlns=\"http://schemas.microsoft.com/2006/09/sip/roaming-self\">\r\n\
                <roaming type=\"categories\"/>\r\n<roaming type=\"containers\"/>\r\n<roaming type=\"subscribers\"/>\r\n\
                </roamingList>";
    let own = client.roaming(
        "vnd-microsoft-roaming-self",
        &format!("{kind}, application/msrtc-event-categories+xml"),
        "",
        &kind,
        list,
    );
    client.say(&own).await;
    let own = client.hear().await.unwrap();
    assert_eq!(own.status(), Some(200));
    assert!(text(&own).contains("<roamingData "), "{}", text(&own));

    let batch = client.batch("subscribe", agents(3), None);
    client.say(&batch).await;
    let answer = client.hear().await.unwrap();
    assert_eq!(answer.status(), Some(200), "{:?}", answer.header("ms-diagnostics"));
    assert!(answer.header("Content-Type").unwrap().starts_with("multipart/related"));
    assert!(answer.header("ms-piggyback-cseq").is_some() && answer.header("subscription-state").is_some());
    for agent in agents(3) {
        assert!(text(&answer).contains(&format!("uri=\"{agent}\"")), "{agent}");
    }
    assert_eq!(server.live_subscriptions(), 3);

    assert!(server.set_presence("sip:agent2@demo.example", AgentState::of(Activity::OnThePhone)));
    let change = client.hear().await.unwrap();
    assert_eq!(change.method().map(ToString::to_string).as_deref(), Some("BENOTIFY"));
    assert!(change.call_id() == "batch" && change.header("subscription-state").unwrap().starts_with("active"));
    assert!(text(&change).contains("uri=\"sip:agent2@demo.example\"") && text(&change).contains("on-the-phone"));

    let own = client.own.clone();
    let publish = client.request(
        "SERVICE",
        &own,
        "publish",
        "Content-Type: application/msrtc-category-publish+xml\r\n",
        "<publish><publications><publication categoryName=\"state\" version=\"0\"/></publications></publish>",
    );
    client.say(&publish).await;
    let published = client.hear().await.unwrap();
    assert_eq!(published.status(), Some(200));
    assert!(text(&published).contains("version=\"1\""), "{}", text(&published));
    client.say("\r\n\r\n").await;
    let mut pong = [0; 2];
    timeout(PATIENCE, client.stream.read_exact(&mut pong)).await.unwrap().unwrap();
    assert_eq!(&pong, b"\r\n", "a sign of life is answered");
    let farewell = client.register(Some(0));
    client.say(&farewell).await;
    assert_eq!(client.hear().await.unwrap().status(), Some(200));
    let counters = server.counters();
    assert_eq!(counters.violations, Vec::<String>::new());
    assert_eq!((counters.registered_now, counters.malformed), (0, 0));
}

#[tokio::test]
async fn a_client_of_a_person_signs_in_over_tcp() {
    let server = start(settings(3)).await;
    let client = Client::connect(server.address(0), None).await;
    sign_in(&server, client).await;
}

#[tokio::test]
async fn a_client_of_a_person_signs_in_over_tls_without_a_certificate() {
    let certificates = Certificates::make();
    let server = start(over_tls(settings(3), certificates.front_end(false))).await;
    let stream = TcpStream::connect(server.address(0)).await.unwrap();
    let contact = stream.local_addr().unwrap().to_string();
    let stream = certificates.client(stream, false).await.unwrap();
    sign_in(&server, Client::over(Box::new(stream), "tls", contact)).await;
}

#[tokio::test]
async fn an_application_signs_in_over_mutual_tls() {
    let certificates = Certificates::make();
    let server = start(over_tls(settings(3), certificates.front_end(true))).await;
    let client = Client::connect(server.address(0), Some(&certificates)).await;
    sign_in(&server, client).await;
}

#[tokio::test]
async fn who_shows_no_certificate_is_refused_and_the_reason_is_told() {
    let certificates = Certificates::make();
    let (events, mut heard) = tokio::sync::mpsc::channel(10);
    let server =
        start(FrontEndServerSettings { events: Some(events), ..over_tls(settings(1), certificates.front_end(true)) })
            .await;
    let stream = TcpStream::connect(server.address(0)).await.unwrap();
    // TLS 1.3: the client learns of it with its first read.
    let mut stream = certificates.client(stream, false).await.unwrap();
    assert!(timeout(PATIENCE, stream.read(&mut [0; 10])).await.unwrap().is_err());
    let FrontEndEvent::Refused { why, .. } = heard.recv().await.unwrap() else { panic!("another event") };
    assert!(why.contains("no certificates"), "{why}");
    assert_eq!(server.counters().connections, 0);
}

/// The front end dials the Contact for what it sends.
async fn dialled(certificates: Option<Certificates>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = settings(2);
    settings.settings.switches.own_connections = true;
    if let Some(certificates) = &certificates {
        settings = over_tls(settings, certificates.front_end(true));
    }
    let server = start(settings).await;
    let mut client = Client::connect(server.address(0), certificates.as_ref()).await;
    client.contact = listener.local_addr().unwrap().to_string();
    register(&mut client).await;
    subscribe(&mut client, 2).await;
    server.set_presence("sip:agent1@demo.example", AgentState::of(Activity::Away));
    let (stream, _) = timeout(PATIENCE, listener.accept()).await.expect("the front end dials").unwrap();
    let stream: Box<dyn Stream> = match &certificates {
        None => Box::new(stream),
        Some(certificates) => Box::new(certificates.server(stream).await),
    };
    let mut other = Client::over(stream, client.wire, client.contact.clone());
    let change = other.hear().await.unwrap();
    assert!(text(&change).contains("sip:agent1@demo.example"), "{}", text(&change));
    assert_eq!(server.counters().dialled, 1);
}

#[tokio::test]
async fn the_front_end_dials_the_contact_over_tcp() {
    dialled(None).await;
}

#[tokio::test]
async fn the_front_end_dials_the_contact_over_tls_with_its_certificate() {
    dialled(Some(Certificates::make())).await;
}

#[tokio::test]
async fn a_contact_that_does_not_listen_is_told_of() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (events, mut heard) = tokio::sync::mpsc::channel(100);
    let mut settings = FrontEndServerSettings { events: Some(events), ..settings(1) };
    settings.settings.switches.own_connections = true;
    let server = start(settings).await;
    let mut client = Client::connect(server.address(0), None).await;
    client.contact = gone.to_string();
    register(&mut client).await;
    subscribe(&mut client, 1).await;
    server.set_presence("sip:agent1@demo.example", AgentState::of(Activity::Away));
    let told = async {
        loop {
            if let FrontEndEvent::NotDialled { target, .. } = heard.recv().await.unwrap() {
                break target;
            }
        }
    };
    assert_eq!(timeout(PATIENCE, told).await.unwrap(), gone.to_string());
}

#[tokio::test]
async fn killed_connections_end_and_nobody_is_let_in_until_the_time_is_over() {
    let server = start(settings(2)).await;
    let mut client = Client::connect(server.address(0), None).await;
    register(&mut client).await;
    server.command("kill-connections for 300ms").unwrap();
    assert!(client.hear().await.is_none());
    let mut refused = 0;
    let again = async {
        loop {
            match TcpStream::connect(server.address(0)).await {
                Ok(stream) if refused > 0 => break stream,
                // The listener is closed by another task, a moment later.
                Ok(_) => {}
                Err(_) => refused += 1,
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, again).await.expect("refused, and let in again");
    let mut client = Client::connect(server.address(0), None).await;
    register(&mut client).await;
}

#[tokio::test]
async fn an_outage_closes_one_pool_and_leaves_the_other() {
    let mut settings = settings(2);
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    settings.settings.pools.push(PoolSettings { fqdn: "pool02.demo.example".into(), address });
    settings.listen.push(address);
    let server = start(settings).await;
    assert_ne!(server.address(0), server.address(1));
    let mut first = Client::connect(server.address(0), None).await;
    register(&mut first).await;
    server.command("outage 0 1h").unwrap();
    assert!(first.hear().await.is_none());
    let closed = async {
        while TcpStream::connect(server.address(0)).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, closed).await.expect("closed");
    TcpStream::connect(server.address(1)).await.expect("the other pool is open");
}

#[tokio::test]
async fn the_control_port_obeys_line_by_line() {
    let control = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let server = start(FrontEndServerSettings { control, ..settings(2) }).await;
    let stream = TcpStream::connect(server.control().unwrap()).await.unwrap();
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"help\n\nset sip:agent1@demo.example busy\r\nexplode\ncount\n").await.unwrap();
    let mut answer = async || timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    assert!(answer().await.starts_with("ok kill-connections [pool N]"));
    assert!(answer().await.starts_with("ok"));
    assert!(answer().await.starts_with("error `explode` is no command"));
    assert!(answer().await.starts_with("ok"));
    assert_eq!(server.presence("sip:agent1@demo.example").map(|state| state.activity), Some(Activity::Busy));
    writer.write_all(&[b'x'; 20_000]).await.unwrap();
    assert_eq!(answer().await, "error the line is too long");
    assert_eq!(timeout(PATIENCE, lines.next_line()).await.unwrap().ok().flatten(), None, "and the connection ends");
}

#[tokio::test]
async fn garbage_costs_its_sender_an_error_or_the_connection_and_others_nothing() {
    let server = start(settings(1)).await;
    let mut client = Client::connect(server.address(0), None).await;
    let sick = client.register(None).replace("CSeq: 1 REGISTER\r\n", "");
    client.say(&sick).await;
    assert_eq!(client.hear().await.unwrap().status(), Some(400));
    register(&mut client).await;
    client.say(&"x".repeat(100_000)).await;
    assert!(client.hear().await.is_none(), "what has no end costs the connection");
    let mut other = Client::connect(server.address(0), None).await;
    register(&mut other).await;
    assert!(server.counters().malformed >= 2);
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let server = start(settings(1)).await;
    let taken = FrontEndServerSettings { listen: vec![server.address(0)], ..settings(1) };
    let told = FrontEndServer::start(taken).await.unwrap_err();
    assert!(told.to_string().starts_with(&format!("cannot listen on {}: ", server.address(0))), "{told}");
    let control = FrontEndServerSettings { control: Some(SocketAddr::from(([0, 0, 0, 0], 0))), ..settings(1) };
    assert!(matches!(FrontEndServer::start(control).await, Err(FrontEndStartError::Control(_))));
    let few = FrontEndServerSettings { listen: Vec::new(), ..settings(1) };
    assert!(matches!(FrontEndServer::start(few).await, Err(FrontEndStartError::Pools { pools: 1, listen: 0 })));
    let mut bare = settings(1);
    bare.settings.wire = TransportKind::Tls;
    assert!(matches!(FrontEndServer::start(bare).await, Err(FrontEndStartError::NoCertificates)));
    let broken = FrontEndTls { key: Pem::File("/nowhere/key.pem".into()), ..Certificates::make().front_end(true) };
    let told = FrontEndServer::start(over_tls(settings(1), broken)).await.unwrap_err().to_string();
    assert!(told.starts_with("cannot use the private key /nowhere/key.pem: "), "{told}");
}

#[tokio::test]
async fn the_front_end_ends_with_the_last_handle_or_when_it_is_stopped() {
    let server = start(settings(1)).await;
    let second = server.clone();
    let mut client = Client::connect(server.address(0), None).await;
    drop(server);
    register(&mut client).await;
    drop(second);
    assert!(client.hear().await.is_none());
    let server = FrontEndServer::start_on_own_thread(settings(1)).unwrap();
    let mut client = Client::connect(server.address(0), None).await;
    register(&mut client).await;
    timeout(PATIENCE, server.stop()).await.expect("it stops in time");
    assert!(client.hear().await.is_none());
}
