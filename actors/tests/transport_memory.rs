//! Deadlines and back-pressure in virtual time, over a network in memory.
#![allow(missing_docs, clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may fail, and tells the time")]

mod transport_support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix::{Actor, ActorFutureExt, Context, Handler, ResponseActFuture, WrapFuture};
use presence_actors::transport::{MemoryPool, Transport, TransportEvent, TransportSettings, memory};
use presence_sip::{FlowId, TransportKind};
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;
use tokio::task::LocalSet;
use tokio::time::Instant;
use transport_support::{Events, loopback, notify, read_to_end, recorder, settings};

fn start(change: impl FnOnce(&mut TransportSettings)) -> (Transport, Events, MemoryPool) {
    let mut settings = settings(TransportKind::Tcp, loopback());
    settings.listen = Some(loopback());
    change(&mut settings);
    let (network, pool) = memory::network();
    let (recipient, mut events) = recorder();
    // Paused time: waiting costs nothing.
    events.patience = Duration::from_secs(24 * 3_600);
    (Transport::start_in_memory(settings, Arc::new(network), recipient), events, pool)
}

#[tokio::test(start_paused = true)]
async fn in_memory_both_sides_can_connect() {
    LocalSet::new()
        .run_until(async {
            let (transport, mut events, mut pool) = start(|_| {});
            assert_eq!(events.listening().await, memory::LOCAL);
            transport.connect(1);
            let mut dialled = pool.accept().await.unwrap();
            assert_eq!(events.connected(1).await, (memory::LOCAL, memory::PEER));
            dialled.write_all(&notify(1, 0)).await.unwrap();
            assert_eq!(events.message().await.0, FlowId::PRIMARY);
            let mut opened = pool.connect().unwrap();
            opened.write_all(&notify(2, 0)).await.unwrap();
            assert_eq!(events.message().await.0, FlowId(1));
            drop(pool);
            transport.connect(2);
            assert_eq!(events.connect_failed(2).await, "connect in memory: connection refused");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_first_message_that_dribbles_in_costs_the_connection_after_five_seconds() {
    LocalSet::new()
        .run_until(async {
            let (_transport, mut events, pool) = start(|_| {});
            events.listening().await;
            let mut stream = pool.connect().unwrap();
            let begun = Instant::now();
            let (mut reading, mut writing) = tokio::io::split(&mut stream);
            let dribble = async {
                for byte in notify(1, 0) {
                    if writing.write_all(&[byte]).await.is_err() {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(900)).await;
                }
            };
            let (_, why) = tokio::join!(dribble, async {
                let lost = events.lost().await;
                read_to_end(&mut reading).await;
                assert_eq!(begun.elapsed().as_secs(), 5);
                lost
            });
            assert_eq!(why.2, "the first message of the peer was not complete after 5s");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn later_messages_have_more_time_and_silence_ends_only_connections_that_the_pool_opened() {
    LocalSet::new()
        .run_until(async {
            let (transport, mut events, mut pool) = start(|_| {});
            events.listening().await;
            transport.connect(1);
            let _primary = pool.accept().await.unwrap();
            events.connected(1).await;
            let begun = Instant::now();

            let mut stream = pool.connect().unwrap();
            stream.write_all(&notify(1, 0)).await.unwrap();
            events.message().await;
            stream.write_all(&notify(2, 0)[..40]).await.unwrap();
            assert_eq!(events.lost().await.2, "a message of the peer was not complete after 30s");
            assert_eq!(begun.elapsed().as_secs(), 30);

            let _silent = pool.connect().unwrap();
            assert_eq!(events.lost().await.2, "the peer connected and said nothing for 1m");
            assert_eq!(begun.elapsed().as_secs(), 90);

            let mut idle = pool.connect().unwrap();
            idle.write_all(&notify(3, 0)).await.unwrap();
            events.message().await;
            let (flow, _, why) = events.lost().await;
            assert_eq!((flow, why.as_str()), (FlowId(3), "the peer said nothing for 15m"));
            assert_eq!(begun.elapsed().as_secs(), 990, "and our own connection has been silent all the time");

            let mut without_dialogs = pool.connect().unwrap();
            without_dialogs.write_all(b"\r\n\r\n").await.unwrap();
            let (flow, _, why) = events.lost().await;
            assert_eq!((flow, why.as_str()), (FlowId(4), "the peer said nothing for 3m"));
            assert_eq!(begun.elapsed().as_secs(), 1_170);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_over_its_budget_is_read_more_slowly_and_loses_nothing() {
    LocalSet::new()
        .run_until(async {
            let (_transport, mut events, pool) = start(|settings| {
                settings.connections.inbound_messages_per_second = 100;
                settings.connections.inbound_burst = 50;
                settings.connections.batch = 10;
            });
            events.listening().await;
            let mut stream = pool.connect().unwrap();
            let begun = Instant::now();
            let all: Vec<u8> = (1..=250).flat_map(|cseq| notify(cseq, 0)).collect();
            stream.write_all(&all).await.unwrap();
            events.frames(250).await;
            // 50 at once, 200 at 100 per second; the last batch is not waited for.
            let took = begun.elapsed();
            assert!((Duration::from_millis(1_800)..=Duration::from_millis(2_100)).contains(&took), "{took:?}");
        })
        .await;
}

/// An actor that takes a batch only when the test permits it.
struct Slow {
    permits: Arc<Semaphore>,
    begun: Arc<AtomicUsize>,
}

impl Actor for Slow {
    type Context = Context<Self>;
}

impl Handler<TransportEvent> for Slow {
    type Result = ResponseActFuture<Self, ()>;
    fn handle(&mut self, _event: TransportEvent, _context: &mut Self::Context) -> Self::Result {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let permits = Arc::clone(&self.permits);
        let taken = async move { permits.acquire().await.unwrap().forget() };
        Box::pin(taken.into_actor(self).map(|(), _, _| ()))
    }
}

#[tokio::test(start_paused = true)]
async fn one_batch_is_in_flight_and_the_peer_waits_for_a_busy_actor() {
    LocalSet::new()
        .run_until(async {
            let (permits, begun) = (Arc::new(Semaphore::new(1)), Arc::new(AtomicUsize::new(0)));
            let actor = Slow { permits: Arc::clone(&permits), begun: Arc::clone(&begun) }.start();
            let (network, mut pool) = memory::network();
            let mut settings = settings(TransportKind::Tcp, loopback());
            settings.connections.batch = 1;
            let transport = Transport::start_in_memory(settings, Arc::new(network), actor.recipient());
            transport.connect(1);
            let mut stream = pool.accept().await.unwrap();
            // More than all buffers hold: the writer gets stuck behind the actor.
            let message = notify(1, 1_000);
            let stuck = async {
                loop {
                    stream.write_all(&message).await.unwrap();
                }
            };
            assert!(tokio::time::timeout(Duration::from_secs(5), stuck).await.is_err());
            assert_eq!(begun.load(Ordering::SeqCst), 2, "the connect, and one batch");
            permits.add_permits(10);
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(begun.load(Ordering::SeqCst), 12);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn the_next_transport_takes_the_network_over() {
    LocalSet::new()
        .run_until(async {
            let (network, pool) = memory::network();
            let network = Arc::new(network);
            let mut settings = settings(TransportKind::Tcp, loopback());
            settings.listen = Some(loopback());
            for cseq in 1..=2 {
                let (recipient, mut events) = recorder();
                let transport = Transport::start_in_memory(settings.clone(), Arc::clone(&network), recipient);
                events.listening().await;
                let mut stream = pool.connect().unwrap();
                stream.write_all(&notify(cseq, 0)).await.unwrap();
                assert_eq!(events.message().await.1.cseq(), Some((cseq, "NOTIFY")));
                drop(transport);
            }
        })
        .await;
}
