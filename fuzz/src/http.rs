//! What the HTTP API reads: what is understood is understood again in the same way, and complaints are short.

use presence_core::AgentUri;
use presence_provider::http::door;
use presence_provider::http::model::Pushed;

/// The first byte says what the rest is.
pub(crate) fn run(data: &[u8]) {
    let Some((what, body)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(body);
    match what % 8 {
        0 => push(body),
        1 => drop(door::pushes(body).map_err(|why| short(&why, body))),
        2 => match door::interest(body) {
            Ok((read, refused)) => assert!(read + refused <= body.len()),
            Err(why) => short(&why, body),
        },
        3 => match door::call(body) {
            Ok(line) => drop(AgentUri::parse(&line)),
            Err(why) => short(&why, body),
        },
        4 => drop(door::filter(&text).map_err(|why| short(&why, body))),
        5 => {
            if let Some(id) = door::event_id(&text) {
                assert_eq!(door::event_id(&id), Some(id), "an id is read as it is written");
            }
        }
        6 => {
            if let Ok(scope) = door::scope(&text) {
                assert_eq!(door::scope(&scope), Ok(scope), "a scope is read as it is written");
            }
        }
        _ => {
            if let Ok(written) = door::tokens(&text) {
                assert_eq!(door::tokens(&written), Ok(written), "a file of tokens is read as it is written");
            }
        }
    }
}

fn push(body: &[u8]) {
    match door::push(body) {
        Ok(pushed) => {
            let Pushed { activity, location, .. } = &pushed;
            assert!([activity, location].into_iter().flatten().all(|text| text.len() <= 256));
            let written = serde_json::to_vec(&pushed).expect("a push is JSON");
            assert_eq!(door::push(&written), Ok(pushed), "what was understood is understood again");
        }
        Err(why) => short(&why, body),
    }
}

/// A complaint repeats what it complains of a few times at most.
#[track_caller]
fn short(why: &str, body: &[u8]) {
    assert!(why.len() <= 2_000 + 8 * body.len(), "{} bytes about {}", why.len(), body.len());
}
