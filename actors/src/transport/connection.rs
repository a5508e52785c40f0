//! One connection: a reader task that hands batches to the actor, and a writer task behind a bounded queue.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use actix::prelude::Stream;
use bytes::{BufMut, Bytes, BytesMut};
use presence_core::Failure;
use presence_sip::{FlowId, Frame, Method};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio_util::codec::FramedRead;
use tokio_util::sync::CancellationToken;

use super::admission::Budget;
use super::codec::{BrokenStream, SipCodec};
use super::patience::{OpenedBy, Patience};
use super::refusals::Refusal;
use super::traffic::{Counted, Traffic};
use super::{ActorGone, Shared, TransportEvent, TransportSettings, network_failure, peer_failure};

/// How long an orderly end may take to write what is queued.
const FAREWELL: Duration = Duration::from_secs(1);
/// Size of the read buffer, in bytes; it grows up to the largest message.
const READ_BUFFER: usize = 64 * 1024;
/// Messages that one write to the socket may gather.
const GATHER: usize = 256;
/// The answer to a double CRLF (RFC 5626 section 3.5.1).
const PONG: Bytes = Bytes::from_static(b"\r\n");

/// The queue of one connection was full, or the connection is gone.
#[derive(Debug)]
pub(super) struct NotQueued;

/// A message with the place where it goes. (A stream leads to one place only.)
pub(super) type Outgoing = (SocketAddr, Bytes);

/// Where messages for one connection, or for one peer of the UDP socket, are queued.
#[derive(Clone, Debug)]
pub(super) struct FlowWriter {
    queue: mpsc::Sender<Outgoing>,
    peer: SocketAddr,
    ending: Ending,
    traffic: Arc<Traffic>,
}

/// Ends a connection; the first reason stays. No reason means that we wanted it.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    token: CancellationToken,
    why: Arc<OnceLock<Failure>>,
}

impl Ending {
    pub(super) fn new(token: CancellationToken) -> Self {
        Self { token, why: Arc::new(OnceLock::new()) }
    }

    pub(super) fn because(&self, why: Failure) {
        if !self.token.is_cancelled() {
            // A second reason at the same moment adds nothing.
            let _first_reason_stays = self.why.set(why);
        }
        self.token.cancel();
    }

    /// Ends the connection because we want it.
    pub(super) fn end(&self) {
        self.token.cancel();
    }

    pub(super) async fn ended(&self) {
        self.token.cancelled().await;
    }

    pub(super) fn why(&self) -> Option<Failure> {
        self.why.get().cloned()
    }
}

impl FlowWriter {
    pub(super) fn new(
        settings: &TransportSettings,
        peer: SocketAddr,
        ending: Ending,
    ) -> (Self, mpsc::Receiver<Outgoing>) {
        let (queue, queued) = mpsc::channel(settings.connections.write_queue.max(1));
        (Self { queue, peer, ending, traffic: Arc::clone(&settings.traffic) }, queued)
    }

    /// The same queue towards another peer of the same socket.
    pub(super) fn towards(&self, peer: SocketAddr) -> Self {
        Self { peer, ..self.clone() }
    }

    /// Queues without waiting. A full queue ends the connection: the peer does not read, and nothing may wait for it.
    pub(super) fn send(&self, bytes: Bytes) -> Result<(), NotQueued> {
        self.queue.try_send((self.peer, bytes)).map_err(|refused| {
            if let mpsc::error::TrySendError::Full(_) = refused {
                let limit = self.queue.max_capacity();
                self.traffic.count_refused(Refusal::SlowReader);
                self.ending.because(peer_failure(format!("the peer reads too slowly: {limit} messages wait for it")));
            }
            NotQueued
        })
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ending.token.is_cancelled()
    }

    pub(super) fn same_connection(&self, other: &Self) -> bool {
        self.queue.same_channel(&other.queue)
    }
}

/// One connection from its first to its last byte.
pub(super) struct Connection {
    pub(super) shared: Arc<Shared>,
    pub(super) flow: FlowId,
    pub(super) number: u64,
    pub(super) peer: SocketAddr,
    pub(super) opened_by: OpenedBy,
    /// How errors of the stream are put for a person.
    pub(super) words: Arc<dyn Fn(&io::Error) -> String + Send + Sync>,
}

impl Connection {
    /// Runs the connection until it ends; `connected` is told first, [`TransportEvent::Lost`] last, if there is a reason.
    pub(super) async fn run<S>(self, stream: S, token: CancellationToken, connected: Option<TransportEvent>)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let stream = Counted::new(stream, Arc::clone(&self.shared.settings.traffic));
        let ending = Ending::new(token);
        let (writer, queued) = FlowWriter::new(&self.shared.settings, self.peer, ending.clone());
        self.shared.enter(self.flow, &writer);
        let (read_half, write_half) = tokio::io::split(stream);
        tokio::spawn(write(write_half, queued, ending.clone(), Arc::clone(&self.words)));
        // The actor being gone is no reason to tell anybody.
        let _gone = self.serve(read_half, &writer, connected, &ending).await;
    }

    async fn serve<S>(
        &self,
        read_half: ReadHalf<S>,
        writer: &FlowWriter,
        connected: Option<TransportEvent>,
        ending: &Ending,
    ) -> Result<(), ActorGone>
    where
        S: AsyncRead,
    {
        let told = match connected {
            Some(event) => self.shared.tell(event).await,
            None => Ok(()),
        };
        let served = match told {
            Ok(()) => self.read(read_half, writer, ending).await,
            Err(gone) => Err(gone),
        };
        ending.end();
        // Nothing may be sent on it any more by the time the actor hears of the loss.
        self.shared.leave(writer);
        served?;
        match ending.why() {
            None => Ok(()),
            Some(why) => self.shared.tell(TransportEvent::Lost { flow: self.flow, connection: self.number, why }).await,
        }
    }

    async fn read<S: AsyncRead>(
        &self,
        read_half: ReadHalf<S>,
        writer: &FlowWriter,
        ending: &Ending,
    ) -> Result<(), ActorGone> {
        let limits = &self.shared.settings.connections;
        let mut framed = FramedRead::with_capacity(read_half, SipCodec::new(&self.shared.settings.limits), READ_BUFFER);
        let mut budget = self.budget();
        let mut patience = Patience::new(self.opened_by, limits, super::now());
        loop {
            let batch = tokio::select! {
                biased;
                () = ending.ended() => return Ok(()),
                batch = next_batch(&mut framed, limits.batch.max(1), patience.message_begun()) => batch,
                (refusal, why) = patience.exhausted() => {
                    self.shared.count_refused(refusal);
                    ending.because(peer_failure(why));
                    return Ok(());
                }
            };
            let count = batch.frames.len();
            if count > 0 && self.opened_by == OpenedBy::Us && patience.nothing_heard() {
                self.shared.heard(self.peer);
            }
            let now = super::now();
            patience.heard(now, count, framed.decoder().has_begun());
            if self.opened_by == OpenedBy::Peer && batch.frames.iter().any(is_notification) {
                patience.carries_dialogs();
            }
            let frames = answer_in_passing(batch.frames, writer);
            if !frames.is_empty() {
                self.shared.tell(TransportEvent::Received { flow: self.flow, frames }).await?;
            }
            if let Some(end) = batch.end {
                ending.because(self.why_ended(end));
                return Ok(());
            }
            if let Some(resume) = budget.spend(now, count) {
                self.shared.count_refused(Refusal::OverBudget);
                tracing::debug!(flow = self.flow.0, "the peer sends faster than its budget and is read more slowly");
                tokio::select! { () = ending.ended() => return Ok(()), () = tokio::time::sleep_until(resume) => {} }
            }
        }
    }

    /// How many messages may come. The pool that we have dialled may send as fast as we can read; who dials us has less.
    fn budget(&self) -> Budget {
        let limits = &self.shared.settings.connections;
        match self.opened_by {
            OpenedBy::Us => Budget::new(limits.messages_per_second, limits.burst),
            OpenedBy::Peer => Budget::new(limits.inbound_messages_per_second, limits.inbound_burst),
        }
    }

    fn why_ended(&self, end: End) -> Failure {
        match end {
            End::Closed => peer_failure("the peer closed the connection"),
            End::Broken(BrokenStream::Framing(lost)) => {
                self.shared.count_refused(Refusal::Framing);
                peer_failure(format!("the bytes of the peer cannot be divided into messages: {lost}"))
            }
            End::Broken(BrokenStream::Truncated) => peer_failure("the peer closed the connection within a message"),
            End::Broken(BrokenStream::Io(error)) => network_failure((self.words)(&error)),
        }
    }
}

/// A notification, of whatever dialog.
fn is_notification(frame: &Frame) -> bool {
    let Frame::Message(message) = frame else { return false };
    matches!(message.method(), Some(Method::Notify | Method::Benotify))
}

/// What ended a stream.
#[derive(Debug)]
enum End {
    Closed,
    Broken(BrokenStream),
}

/// All that could be read without waiting.
#[derive(Debug, Default)]
struct Batch {
    frames: Vec<Frame>,
    end: Option<End>,
}

/// Waits for something to read and takes all the complete messages there are, up to `most`. Comes back with nothing
/// when a message has begun, so that the time for it can be started; `begun` says that this is known.
async fn next_batch<S: AsyncRead>(framed: &mut FramedRead<ReadHalf<S>, SipCodec>, most: usize, begun: bool) -> Batch {
    poll_fn(|context| {
        let mut batch = Batch::default();
        loop {
            match Pin::new(&mut *framed).poll_next(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    batch.frames.push(frame);
                    if batch.frames.len() >= most {
                        return Poll::Ready(batch);
                    }
                }
                Poll::Ready(Some(Err(broken))) => {
                    batch.end = Some(End::Broken(broken));
                    return Poll::Ready(batch);
                }
                Poll::Ready(None) => {
                    batch.end = Some(End::Closed);
                    return Poll::Ready(batch);
                }
                Poll::Pending => {
                    let news = !begun && framed.decoder().has_begun();
                    return if batch.frames.is_empty() && !news { Poll::Pending } else { Poll::Ready(batch) };
                }
            }
        }
    })
    .await
}

/// Answers what needs no actor: pings, and malformed messages for which the parser has an answer.
pub(super) fn answer_in_passing(mut frames: Vec<Frame>, writer: &FlowWriter) -> Vec<Frame> {
    // An answer that finds the queue full ends the connection by itself.
    frames.retain_mut(|frame| match frame {
        Frame::Ping => {
            let _ended = writer.send(PONG);
            false
        }
        Frame::Pong => false,
        Frame::Malformed { answer, .. } => {
            if let Some(answer) = answer.take() {
                let _ended = writer.send(answer);
            }
            true
        }
        Frame::Message(_) => true,
    });
    frames
}

async fn write<S: AsyncWrite>(
    mut write_half: WriteHalf<S>,
    mut queued: mpsc::Receiver<Outgoing>,
    ending: Ending,
    words: Arc<dyn Fn(&io::Error) -> String + Send + Sync>,
) {
    let mut messages = Vec::with_capacity(GATHER);
    let mut out = BytesMut::new();
    let written = loop {
        tokio::select! {
            biased;
            () = ending.ended() => break Ok(()),
            count = queued.recv_many(&mut messages, GATHER) => if count == 0 { break Ok(()) },
        }
        gather(&mut messages, &mut out);
        tokio::select! {
            biased;
            result = flush(&mut write_half, &mut out) => if result.is_err() { break result },
            () = ending.ended() => break Ok(()),
        }
    };
    match written {
        Err(error) => ending.because(network_failure(words(&error))),
        Ok(()) if ending.why().is_none() => {
            queued.close();
            while let Ok(message) = queued.try_recv() {
                messages.push(message);
            }
            gather(&mut messages, &mut out);
            let farewell = async {
                flush(&mut write_half, &mut out).await?;
                write_half.shutdown().await
            };
            // The connection is over either way.
            let _result = tokio::time::timeout(FAREWELL, farewell).await;
        }
        Ok(()) => {}
    }
}

fn gather(messages: &mut Vec<Outgoing>, out: &mut BytesMut) {
    for (_, message) in messages.drain(..) {
        out.put(message);
    }
}

async fn flush<S: AsyncWrite>(write_half: &mut WriteHalf<S>, out: &mut BytesMut) -> io::Result<()> {
    write_half.write_all_buf(out).await?;
    write_half.flush().await
}
