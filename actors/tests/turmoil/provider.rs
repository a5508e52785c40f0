//! The host `provider`: the whole tree, with a UCC that writes down what it hears and when.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use presence_actors::transport::memory::{Dialled, Dialling, network_over};
use presence_actors::{PresenceEvent, Provider, ProviderView, RandomBytes, Setup};
use presence_core::{EndpointKind, RetryPolicy};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::TcpStream;

use crate::pool::PORT;
use crate::support::{Recorder, endpoint, rules};

/// How often the test looks at what the UCC heard and at the actors.
const LOOK: Duration = Duration::from_millis(500);

/// What is known of the provider from outside; it outlives the host.
#[derive(Clone, Default)]
pub(crate) struct Diary {
    /// What the UCC heard in each life of the provider.
    pub(crate) heard: Rc<RefCell<Vec<Vec<PresenceEvent>>>>,
    /// The same in words, with the virtual time of each look.
    pub(crate) log: Rc<RefCell<Vec<String>>>,
    /// The last look at the actors.
    pub(crate) view: Rc<RefCell<Option<ProviderView>>>,
    /// When each SUBSCRIBE went out in each life.
    pub(crate) subscribes: Arc<Mutex<Vec<Vec<Duration>>>>,
}

/// What the host runs, from each of its starts on.
pub(crate) async fn run(diary: Diary, agents: usize, seed: u64) -> turmoil::Result {
    diary.heard.borrow_mut().push(Vec::new());
    diary.subscribes.lock().unwrap().push(Vec::new());
    let subscribes = Arc::clone(&diary.subscribes);
    let here = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 6120);
    let (network, _incoming) = network_over(here, move || dial(Arc::clone(&subscribes)));
    let mut endpoint = endpoint(EndpointKind::Application, network);
    endpoint.random = RandomBytes::seeded(seed);
    let mut setup = Setup::new(rules(), vec![endpoint]);
    setup.retry = RetryPolicy::try_new(Duration::from_secs(15), Duration::from_secs(28_800)).unwrap();
    let provider = Provider::start(setup);
    let ucc = Recorder::start(&provider, "ucc_app01");
    ucc.subscribe_to(1..=agents);
    loop {
        tokio::time::sleep(LOOK).await;
        let heard = ucc.heard();
        let now = turmoil::sim_elapsed().unwrap_or_default().as_millis();
        diary.log.borrow_mut().extend(heard.iter().map(|event| format!("{now} {}", in_words(event))));
        diary.heard.borrow_mut().last_mut().unwrap().extend(heard);
        *diary.view.borrow_mut() = provider.observe().await.ok();
    }
}

/// What an event says, without what differs from run to run.
fn in_words(event: &PresenceEvent) -> String {
    match event {
        PresenceEvent::Pending { uri } => format!("pending {uri}"),
        PresenceEvent::Current { uri, presence, sequence } => {
            format!("current {uri} {sequence} {:?} {:?}", presence.status.availability, presence.freshness)
        }
        PresenceEvent::Changed(change) => {
            let new = &change.new;
            format!("changed {} {} {:?} {:?}", change.uri, change.sequence, new.status.availability, new.freshness)
        }
        PresenceEvent::Lagged { missed } => format!("lagged {missed}"),
        PresenceEvent::Unserved { uri, why } => format!("unserved {uri} {why}"),
    }
}

fn dial(subscribes: Arc<Mutex<Vec<Vec<Duration>>>>) -> Dialling {
    Box::pin(async move {
        let stream = TcpStream::connect(("pool", PORT)).await?;
        let (local, peer) = (stream.local_addr()?, stream.peer_addr()?);
        Ok(Dialled { stream: Box::new(Tapped { stream, subscribes, tail: Vec::new() }), local, peer })
    })
}

/// The end of the CSeq of every SUBSCRIBE, and of nothing else that a client writes.
const MARK: &[u8] = b" SUBSCRIBE\r\n";

/// A stream that notes when SUBSCRIBEs go out.
struct Tapped {
    stream: TcpStream,
    subscribes: Arc<Mutex<Vec<Vec<Duration>>>>,
    tail: Vec<u8>,
}

impl Tapped {
    fn note(&mut self, written: &[u8]) {
        self.tail.extend_from_slice(written);
        let count = self.tail.windows(MARK.len()).filter(|window| *window == MARK).count();
        let now = turmoil::sim_elapsed().unwrap_or_default();
        self.subscribes.lock().unwrap().last_mut().unwrap().extend(std::iter::repeat_n(now, count));
        let kept = self.tail.len().min(MARK.len() - 1);
        self.tail.drain(..self.tail.len() - kept);
    }
}

impl AsyncRead for Tapped {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(length)) = written {
            self.note(&bytes[..length]);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
