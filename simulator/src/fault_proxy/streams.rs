//! TCP: for each connection that is accepted, another one, and two directions between them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::cutter::Cutter;
use super::names::Names;
use super::plan::{Course, Step, Way};
use super::{Door, Link, Shared};
use crate::serve::clock;

/// What is reordered goes alone when nothing has overtaken it for so long.
pub(super) const OVERTAKEN_WITHIN: Duration = Duration::from_millis(250);
/// How long to wait before accepting is tried again, when it fails.
const ACCEPT_AGAIN: Duration = Duration::from_millis(20);

/// Accepts connections of one side until the proxy stops. `towards` says to whom they lead.
pub(super) async fn listen(shared: Arc<Shared>, listener: TcpListener, towards: Way) {
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => drop(tokio::spawn(accept(Arc::clone(&shared), stream, peer, towards))),
            Err(why) => {
                tracing::warn!(%why, "accept failed");
                clock::pause(ACCEPT_AGAIN).await;
            }
        }
    }
}

async fn accept(shared: Arc<Shared>, mut near: TcpStream, peer: SocketAddr, towards: Way) {
    {
        let counters = &mut shared.plan().counters;
        counters.connections += 1;
        counters.from_server += u64::from(towards == Way::ToClient);
    }
    let Some(seat) = shared.link() else { return };
    match shared.door() {
        Door::Open => {}
        Door::HalfOpen => {
            shared.plan().count("half open");
            return swallow(&seat.link, &mut near).await;
        }
        Door::Refused => {
            shared.plan().count("refused");
            // With an error the peer sees an orderly end instead.
            let _ = near.set_zero_linger();
            return;
        }
    }
    let Some((mut far, names)) = reach(&shared, peer, towards).await else {
        let _ = near.set_zero_linger();
        return;
    };
    // Without it what is split would be put together again; with an error nothing is lost.
    let _ = near.set_nodelay(true).and_then(|()| far.set_nodelay(true));
    {
        let (near_reader, near_writer) = near.split();
        let (far_reader, far_writer) = far.split();
        let back = match towards {
            Way::ToServer => Way::ToClient,
            Way::ToClient => Way::ToServer,
        };
        let carrier = Carrier { shared: &shared, link: &seat.link, names: &names };
        let both = async {
            tokio::join!(carrier.carry(towards, near_reader, far_writer), carrier.carry(back, far_reader, near_writer))
        };
        tokio::select! {
            () = seat.link.end.cancelled() => {}
            _ = both => {}
        }
    }
    if seat.link.reset.load(Ordering::Relaxed) {
        let _ = near.set_zero_linger().and_then(|()| far.set_zero_linger());
    }
}

/// Reads what a peer says, and does nothing, until the peer gives up.
async fn swallow(link: &Link, stream: &mut TcpStream) {
    let mut buffer = vec![0; 4_096];
    let all = async { while matches!(stream.read(&mut buffer).await, Ok(1..)) {} };
    tokio::select! {
        () = link.end.cancelled() => {}
        () = all => {}
    }
    if link.reset.load(Ordering::Relaxed) {
        let _ = stream.set_zero_linger();
    }
}

/// The other connection, and who is called what on the two.
async fn reach(shared: &Shared, peer: SocketAddr, towards: Way) -> Option<(TcpStream, Names)> {
    let mut names = shared.names.clone();
    let target = match towards {
        Way::ToServer => Some(shared.server),
        Way::ToClient => shared.client_listener,
    }?;
    let stream = TcpStream::connect(target).await.ok()?;
    if towards == Way::ToServer {
        names.add(peer, stream.local_addr().ok()?);
    }
    Some((stream, names))
}

/// Carries the two directions of one connection.
struct Carrier<'a> {
    shared: &'a Shared,
    link: &'a Link,
    names: &'a Names,
}

impl Carrier<'_> {
    /// Carries one direction to its end.
    async fn carry(&self, way: Way, mut reader: ReadHalf<'_>, mut writer: WriteHalf<'_>) {
        match self.run(way, &mut reader, &mut writer).await {
            // A connection that is silent does not even say that it has ended.
            _ if self.link.is_silent() => {}
            Ok(()) => drop(writer.shutdown().await),
            Err(_) => self.link.reset(),
        }
    }

    async fn run(&self, way: Way, reader: &mut ReadHalf<'_>, writer: &mut WriteHalf<'_>) -> io::Result<()> {
        let (mut cutter, mut course) = (Cutter::default(), Course::default());
        let mut buffer = BytesMut::with_capacity(64 << 10);
        loop {
            buffer.clear();
            let read = if course.holds() {
                timeout(OVERTAKEN_WITHIN, reader.read_buf(&mut buffer)).await
            } else {
                Ok(reader.read_buf(&mut buffer).await)
            };
            let Ok(read) = read else {
                let steps = course.release();
                self.perform(steps, writer).await?;
                continue;
            };
            if read? == 0 {
                return self.perform(course.release(), writer).await;
            }
            cutter.push(&buffer);
            while let Some(mut piece) = cutter.next() {
                piece.bytes = self.names.translate(way, &piece.bytes);
                let steps = self.shared.plan().carry(&mut course, way, piece);
                self.perform(steps, writer).await?;
            }
            // A peer that never pauses must not starve the others of this thread.
            tokio::task::consume_budget().await;
        }
    }

    async fn perform(&self, steps: Vec<Step>, writer: &mut WriteHalf<'_>) -> io::Result<()> {
        for step in steps {
            if self.link.is_silent() {
                return Ok(());
            }
            match step {
                Step::Write(bytes) => writer.write_all(&bytes).await?,
                Step::Wait(wait) => clock::pause(wait).await,
                Step::Reset => self.link.reset(),
                Step::Close => self.link.close(),
                Step::Silence => self.link.silence(),
            }
            if self.link.end.is_cancelled() {
                // The one who waits for this closes both connections.
                std::future::pending::<()>().await;
            }
        }
        Ok(())
    }
}
