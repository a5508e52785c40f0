//! Server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{self, ContentEncoding};
use actix_web::web::Bytes;
use futures_util::stream::poll_fn;
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::{MissedTickBehavior, interval};

use super::reader::{Ended, Reader};
use super::{DEAD_AFTER, SIGN_OF_LIFE, render};

/// A client that loses the connection is asked to wait so long before it comes back; all of them somewhere in between.
const RETRY: std::ops::Range<u32> = 1_000..4_000;

/// The answer to a request for events; from now on they are sent.
pub(super) fn answer(reader: Reader) -> HttpResponse {
    // One batch at a time: the next one is read when the connection has taken this one.
    let (sender, mut batches) = channel(1);
    actix_rt::spawn(send(reader, sender));
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("X-Accel-Buffering", "no"))
        // Nothing may be held back to be compressed.
        .insert_header(ContentEncoding::Identity)
        .streaming(poll_fn(move |context| batches.poll_recv(context).map(|batch| batch.map(Ok::<Bytes, Infallible>))))
}

/// Sends events until the client or the service is gone.
async fn send(mut reader: Reader, sender: Sender<Bytes>) {
    let mut alive = interval(SIGN_OF_LIFE);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    alive.reset();
    let mut text = format!("retry: {}\n\n", retry().as_millis());
    loop {
        // A connection that takes nothing for so long is as good as dead; its client comes back with the id that it has.
        let Ok(Ok(permit)) = tokio::time::timeout(DEAD_AFTER, sender.reserve()).await else { return };
        if text.is_empty() {
            let epoch = reader.epoch();
            tokio::select! {
                biased;
                () = sender.closed() => return,
                batch = reader.next() => match batch {
                    Ok(batch) => {
                        for delivery in batch {
                            render::server_sent(epoch, delivery, &mut text);
                        }
                    }
                    Err(Ended::Service) => return permit.send(Bytes::from_static(render::SERVER_SENT_GOODBYE.as_bytes())),
                    Err(Ended::Ucc | Ended::Token) => return,
                },
                _ = alive.tick() => text.push_str(":\n\n"),
            }
        }
        permit.send(std::mem::take(&mut text).into());
    }
}

/// Clients that lose the connection at the same moment do not come back at the same moment.
fn retry() -> Duration {
    let within = getrandom::u32().unwrap_or_default() % (RETRY.end - RETRY.start);
    Duration::from_millis(u64::from(RETRY.start + within))
}
