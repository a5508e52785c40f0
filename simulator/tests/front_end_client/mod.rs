//! A client made of text, over TCP or TLS, in the words of the clients that people have: Via without branch, the
//! transport in lower case, several lines of Supported.
#![allow(dead_code, reason = "every test binary uses its part of it")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use presence_simulator::{FrontEndTls, Pem};
use presence_sip::{Epid, Frame, Framer, Limits, Message};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than anything here takes; reached only by a failing test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a connection is made of.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// One signed-in endpoint with its connection.
pub(crate) struct Client {
    pub(crate) stream: Box<dyn Stream>,
    framer: Framer,
    waiting: VecDeque<Message>,
    /// `sip:user@domain`.
    pub(crate) own: String,
    pub(crate) epid: String,
    pub(crate) contact: String,
    /// `tcp` or `tls`.
    pub(crate) wire: &'static str,
    /// The server's Contact, where requests in a dialog go.
    pub(crate) target: Option<String>,
    sequence: u32,
}

impl Client {
    /// Over TCP, or TLS when there are certificates.
    pub(crate) async fn connect(address: SocketAddr, tls: Option<&Certificates>) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let contact = stream.local_addr().unwrap().to_string();
        let (stream, wire): (Box<dyn Stream>, _) = match tls {
            None => (Box::new(stream), "tcp"),
            Some(certificates) => (Box::new(certificates.client(stream, true).await.unwrap()), "tls"),
        };
        Self::over(stream, wire, contact)
    }

    pub(crate) fn over(stream: Box<dyn Stream>, wire: &'static str, contact: String) -> Self {
        Self {
            stream,
            framer: Framer::new(Limits { body: 16 << 20, ..Limits::default() }),
            waiting: VecDeque::new(),
            own: "sip:user@demo.example".into(),
            epid: "01010101".into(),
            contact,
            wire,
            target: None,
            sequence: 0,
        }
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next message; `None` at the end of the connection.
    pub(crate) async fn hear(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Some(message);
            }
            let mut buffer = vec![0; 64 << 10];
            let read = timeout(PATIENCE, self.stream.read(&mut buffer)).await.expect("an answer in time");
            let length = read.unwrap_or(0);
            if length == 0 {
                return None;
            }
            self.framer.push(&buffer[..length]);
            while let Some(frame) = self.framer.next_frame().unwrap() {
                match frame {
                    Frame::Message(message) => self.waiting.push_back(message),
                    Frame::Pong => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    /// A whole request in the client's words; `to` is a URI, or a URI, `|` and the tag of the server.
    pub(crate) fn request(&mut self, method: &str, to: &str, call: &str, headers: &str, body: &str) -> String {
        self.sequence += 1;
        let Self { own, epid, wire, contact, sequence, target, .. } = self;
        let (uri, tag) = to.split_once('|').map_or((to, None), |(uri, tag)| (uri, Some(tag)));
        let target = target.as_deref().filter(|_| tag.is_some()).unwrap_or(uri);
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/{wire} {contact}\r\nMax-Forwards: 70\r\n\
             From: \"A User\" <{own}>;tag={call}1;epid={epid}\r\nTo: <{uri}>{tag}\r\nCall-ID: {call}\r\n\
             CSeq: {sequence} {method}\r\nContact: {contact_header}\r\nUser-Agent: UCCAPI/16.0.4266.1001 OC/16.0\r\n\
             {headers}Content-Length: {length}\r\n\r\n{body}",
            tag = tag.map(|tag| format!(";tag={tag}")).unwrap_or_default(),
            contact_header = format_args!("<{own};opaque=user:epid:{opaque};gruu>", opaque = opaque(epid)),
            length = body.len(),
        )
    }

    /// The REGISTER, whose Contact is an address.
    pub(crate) fn register(&mut self, expires: Option<u32>) -> String {
        let instance = Epid::new(&self.epid).unwrap().instance().urn();
        let contact = format!(
            "<sip:{};transport={};ms-opaque=d3470f2e1d>;methods=\"INVITE, MESSAGE, INFO, SUBSCRIBE, OPTIONS, BYE, \
             CANCEL, NOTIFY, ACK, REFER, BENOTIFY\";proxy=replace;+sip.instance=\"<{instance}>\"",
            self.contact, self.wire
        );
        let expires = expires.map(|seconds| format!("Expires: {seconds}\r\n")).unwrap_or_default();
        let headers = format!(
            "Supported: gruu-10, adhoclist, msrtc-event-categories\r\nSupported: ms-forking\r\n\
             Supported: ms-cluster-failover\r\nms-keep-alive: UAC;hop-hop=yes\r\nEvent: registration\r\n{expires}"
        );
        let own = self.own.clone();
        let domain = own.split_once('@').unwrap().1.to_owned();
        let text = self.request("REGISTER", &own, "register", &headers, "");
        let text = text.replacen(&format!("REGISTER {own} "), &format!("REGISTER sip:{domain} "), 1);
        let begin = text.find("Contact: ").unwrap();
        let end = begin + text[begin..].find("\r\n").unwrap();
        format!("{}Contact: {contact}{}", &text[..begin], &text[end..])
    }

    /// A subscription to something of one's own; `body` with its Content-Type in front of a blank line.
    pub(crate) fn roaming(&mut self, event: &str, accept: &str, expires: &str, kind: &str, body: &str) -> String {
        let kind = if kind.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
        let headers = format!(
            "Event: {event}\r\nAccept: {accept}\r\nSupported: com.microsoft.autoextend\r\nSupported: ms-benotify\r\n\
             Proxy-Require: ms-benotify\r\nSupported: ms-piggyback-first-notify\r\n{expires}{kind}"
        );
        let own = self.own.clone();
        self.request("SUBSCRIBE", &own, event, &headers, body)
    }

    /// A batch subscription to these agents, in the dialog with this tag of the server or a new one.
    pub(crate) fn batch(&mut self, action: &str, agents: impl Iterator<Item = String>, tag: Option<&str>) -> String {
        let own = self.own.clone();
        let to = tag.map_or_else(|| own.clone(), |tag| format!("{own}|{tag}"));
        let body = batch_body(&own, action, agents);
        self.request("SUBSCRIBE", &to, "batch", BATCH_HEADERS, &body)
    }
}

fn opaque(epid: &str) -> String {
    Epid::new(epid).unwrap().instance().gruu_opaque()
}

const BATCH_HEADERS: &str = "Event: presence\r\nAccept: application/msrtc-event-categories+xml, text/xml+msrtc.pidf, \
    application/pidf+xml, application/rlmi+xml, multipart/related\r\nSupported: ms-piggyback-first-notify\r\n\
    Supported: com.microsoft.autoextend\r\nSupported: ms-benotify\r\nProxy-Require: ms-benotify\r\n\
    Require: adhoclist, categoryList\r\nSupported: eventlist\r\n\
    Content-Type: application/msrtc-adrl-categorylist+xml\r\n";

/// The document of a batch.
pub(crate) fn batch_body(own: &str, action: &str, agents: impl Iterator<Item = String>) -> String {
    let resources: String = agents.map(|agent| format!("<resource uri=\"{agent}\"/>\r\n")).collect();
    format!(
        "<batchSub xmlns=\"http://schemas.microsoft.com/2006/01/sip/batch-subscribe\" uri=\"{own}\" name=\"\">\r\n\
         <action name=\"{action}\" id=\"63792024\">\r\n<adhocList>\r\n{resources}</adhocList>\r\n\
         <categoryList xmlns=\"http://schemas.microsoft.com/2006/09/sip/categorylist\">\r\n\
         <category name=\"state\"/>\r\n<category name=\"services\"/>\r\n</categoryList>\r\n</action>\r\n</batchSub>"
    )
}

/// The body as text.
pub(crate) fn text(message: &Message) -> &str {
    std::str::from_utf8(message.body()).unwrap()
}

/// What the sides of a TLS connection show and trust.
pub(crate) struct Certificates {
    authority: String,
    server: (String, String),
    client: (String, String),
}

impl Certificates {
    /// New ones, which name 127.0.0.1.
    pub(crate) fn make() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "authority under test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self {
            authority,
            server: identity("pool01.demo.example", &issuer),
            client: identity("app.demo.example", &issuer),
        }
    }

    /// For the front end.
    pub(crate) fn front_end(&self, client_auth: bool) -> FrontEndTls {
        let pem = |text: &str| Pem::Text(text.as_bytes().to_vec());
        FrontEndTls {
            certificate: pem(&self.server.0),
            key: pem(&self.server.1),
            trusted: pem(&self.authority),
            client_auth,
            application_name: None,
        }
    }

    fn roots(&self) -> Arc<rustls::RootCertStore> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.as_bytes()).unwrap()).unwrap();
        Arc::new(roots)
    }

    fn own(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let certificate = CertificateDer::from_pem_slice(self.client.0.as_bytes()).unwrap();
        (vec![certificate], PrivateKeyDer::from_pem_slice(self.client.1.as_bytes()).unwrap())
    }

    /// Shakes hands as a client that shows a certificate, or does not.
    pub(crate) async fn client(
        &self,
        stream: TcpStream,
        certificate: bool,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots());
        let config = if certificate {
            let (chain, key) = self.own();
            builder.with_client_auth_cert(chain, key).unwrap()
        } else {
            builder.with_no_client_auth()
        };
        let name = ServerName::try_from("127.0.0.1").unwrap();
        tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// Shakes hands as a listener that the front end dials.
    pub(crate) async fn server(&self, stream: TcpStream) -> tokio_rustls::server::TlsStream<TcpStream> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(self.roots(), Arc::clone(&provider));
        let (chain, key) = self.own();
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(chain, key)
            .unwrap();
        tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(stream).await.unwrap()
    }
}

fn identity(name: &str, issuer: &Issuer<'_, KeyPair>) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned(), "127.0.0.1".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    (params.signed_by(&key, issuer).unwrap().pem(), key.serialize_pem())
}
