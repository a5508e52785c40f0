//! Events over WebSocket, and the commands of a client.

use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode, CloseReason, Closed, Session};
use presence_actors::now;
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};

use super::reader::{Ended, Of, Reader};
use super::{DEAD_AFTER, SIGN_OF_LIFE, render};
use crate::http::Problem;
use crate::http::model::{Interest, Refusal};
use crate::http::uccs::{Alter, MAX_URIS, beyond, read_uris};

/// The longest command, in bytes, in one frame or several.
pub(super) const LONGEST_COMMAND: usize = 256 << 10;
/// For so long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// What was wrong with a command.
#[derive(Serialize)]
struct Complaint<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    refused: &'a [Refusal],
}

/// Why the conversation ends.
enum Over {
    /// The client is gone, or does not answer any more.
    Lost,
    /// We say why.
    Said(CloseCode, &'static str),
}

impl From<Closed> for Over {
    fn from(_: Closed) -> Self {
        Self::Lost
    }
}

/// Talks with a client until it or the service is gone.
pub(super) async fn talk(mut reader: Reader, mut session: Session, mut messages: AggregatedMessageStream) {
    let over = converse(&mut reader, &mut session, &mut messages).await;
    drop(reader);
    if let Over::Said(code, why) = over {
        let reason = CloseReason { code, description: Some(why.to_owned()) };
        let _the_client_may_be_gone = tokio::time::timeout(FAREWELL, session.close(Some(reason))).await;
    }
}

async fn converse(reader: &mut Reader, session: &mut Session, messages: &mut AggregatedMessageStream) -> Over {
    let mut alive = interval(SIGN_OF_LIFE);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard: Instant = now();
    loop {
        // Asked here too: a client that never stops talking must not be heard for ever.
        if let Err(ended) = reader.goes_on() {
            return end(ended, session).await;
        }
        let epoch = reader.epoch();
        let result = tokio::select! {
            biased;
            message = messages.recv() => {
                heard = now();
                match message {
                    Some(Ok(message)) => in_time(listen(reader, session, message)).await,
                    Some(Err(_)) => Err(Over::Said(CloseCode::Protocol, "a frame is malformed or too long")),
                    None => Err(Over::Lost),
                }
            }
            batch = reader.next() => {
                let batch = match batch {
                    Ok(batch) => batch,
                    Err(ended) => return end(ended, session).await,
                };
                let send = async {
                    for delivery in batch {
                        session.text(render::message(epoch, delivery)).await?;
                    }
                    Ok(())
                };
                in_time(send).await
            }
            _ = alive.tick() => {
                if now().saturating_duration_since(heard) >= DEAD_AFTER {
                    return Over::Lost;
                }
                in_time(async { Ok(session.ping(b"").await?) }).await
            }
        };
        if let Err(over) = result {
            return over;
        }
    }
}

/// A connection that takes nothing for so long is as good as dead.
async fn in_time(act: impl Future<Output = Result<(), Over>>) -> Result<(), Over> {
    tokio::time::timeout(DEAD_AFTER, act).await.unwrap_or(Err(Over::Lost))
}

async fn end(ended: Ended, session: &mut Session) -> Over {
    match ended {
        Ended::Ucc => Over::Said(CloseCode::Normal, "the queue was let go"),
        Ended::Token => Over::Said(CloseCode::Policy, "the token does not allow this any more"),
        Ended::Service => farewell(session).await,
    }
}

async fn farewell(session: &mut Session) -> Over {
    match tokio::time::timeout(FAREWELL, session.text(render::GOODBYE)).await {
        Ok(Ok(())) => Over::Said(CloseCode::Away, "the service ends"),
        Ok(Err(_)) | Err(_) => Over::Lost,
    }
}

/// Hears the client.
async fn listen(reader: &Reader, session: &mut Session, message: AggregatedMessage) -> Result<(), Over> {
    match message {
        AggregatedMessage::Text(text) => {
            if let Err((problem, refused)) = obey(reader, &text).await {
                session.text(complaint(&problem, &refused)).await?;
            }
        }
        AggregatedMessage::Binary(_) => {
            let problem =
                Problem::bad_request("a command is a text, such as {\"subscribe\":[\"sip:user1@domain.com\"]}");
            session.text(complaint(&problem, &[])).await?;
        }
        AggregatedMessage::Ping(bytes) => session.pong(&bytes).await?,
        AggregatedMessage::Pong(_) => {}
        AggregatedMessage::Close(_) => return Err(Over::Said(CloseCode::Normal, "goodbye")),
    }
    Ok(())
}

/// Does what a command says.
async fn obey(reader: &Reader, text: &str) -> Result<(), (Problem, Vec<Refusal>)> {
    let only = |problem| (problem, Vec::new());
    let Of::Ucc(stream) = reader.of() else {
        return Err(only(Problem::forbidden(
            "this stream shows all agents and takes no commands; open one with `ucc`",
        )));
    };
    reader.command().map_err(only)?;
    let interest: Interest = serde_json::from_str(text)
        .map_err(|error| only(Problem::bad_request(format!("the command cannot be read: {error}"))))?;
    if interest.subscribe.len() + interest.unsubscribe.len() > MAX_URIS {
        return Err(only(Problem::unprocessable(format!("more than {MAX_URIS} URIs; send them in several commands"))));
    }
    let mut refused = Vec::new();
    let alter = Alter {
        unsubscribe: read_uris(&interest.unsubscribe, &mut refused),
        subscribe: read_uris(&interest.subscribe, &mut refused),
    };
    let altered = stream.ucc().alter(alter).await.map_err(only)?;
    refused.extend(altered.beyond.iter().map(beyond));
    if refused.is_empty() {
        return Ok(());
    }
    let detail = match refused.len() {
        1 => "1 URI was refused, the rest is done".to_owned(),
        many => format!("{many} URIs were refused, the rest is done"),
    };
    Err((Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail), refused))
}

fn complaint(problem: &Problem, refused: &[Refusal]) -> String {
    let complaint = Complaint {
        kind: "problem",
        title: &problem.title,
        status: problem.status,
        detail: &problem.detail,
        retry_after: problem.retry_after,
        refused,
    };
    // Texts and numbers only, which is always JSON.
    serde_json::to_string(&complaint).unwrap_or_default()
}
