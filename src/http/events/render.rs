//! Events as text: JSON, once for all readers of a thread, and the framing of server-sent events and WebSocket.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Write;
use std::rc::Rc;
use std::sync::Arc;

use presence_actors::PresenceEvent;
use presence_core::Change;

use crate::http::convert::moment;
use crate::http::feed::{Delivery, EventId, Happening};
use crate::http::model::Event;
use crate::http::observatory::{clock_time, graph::news};

/// So many changes are remembered as text: each goes to all its queues at about the same time.
const REMEMBERED: usize = 64;

thread_local! {
    static TEXTS: RefCell<VecDeque<(Arc<Change>, Rc<str>)>> = const { RefCell::new(VecDeque::new()) };
}

/// The event as the API has it.
fn event(happening: &Happening) -> Event {
    match happening {
        Happening::Told(event) => event.into(),
        Happening::Released(uri) => Event::Released { uri: uri.as_str().to_owned() },
        Happening::Endpoint(change) => Event::Endpoint {
            endpoint: change.kind.into(),
            state: change.state.to_string(),
            up: change.up,
            why: change.failure.as_ref().map(|failure| failure.detail.to_string()),
            at: moment(change.at),
        },
        Happening::SilentLoss(loss) => Event::SilentLoss {
            uri: loss.uri.as_str().to_owned(),
            endpoint: loss.via.into(),
            held: loss.held.as_ref().into(),
            said: loss.said.as_ref().into(),
            at: moment(loss.at),
        },
        Happening::Graph(told) => news::event(&told.0, told.1, &|at| clock_time(at, told.1)),
        Happening::Lagged(missed) => Event::Lagged { missed: *missed },
    }
}

/// What `type` says of it.
const fn kind(happening: &Happening) -> &'static str {
    match happening {
        Happening::Told(PresenceEvent::Pending { .. }) => "pending",
        Happening::Told(PresenceEvent::Current { .. }) => "current",
        Happening::Told(PresenceEvent::Changed(_)) => "changed",
        Happening::Told(PresenceEvent::Unserved { .. }) => "unserved",
        Happening::Told(PresenceEvent::Lagged { .. }) | Happening::Lagged(_) => "lagged",
        Happening::Released(_) => "released",
        Happening::Endpoint(_) => "endpoint",
        Happening::SilentLoss(_) => "silent_loss",
        Happening::Graph(_) => "graph",
    }
}

fn written(event: &Event) -> Rc<str> {
    // An event holds texts and numbers only, which is always JSON.
    serde_json::to_string(event).unwrap_or_default().into()
}

/// The event as JSON.
fn json(happening: &Happening) -> Rc<str> {
    let Happening::Told(PresenceEvent::Changed(change)) = happening else { return written(&event(happening)) };
    TEXTS.with_borrow_mut(|texts| {
        if let Some((_, text)) = texts.iter().rev().find(|(known, _)| Arc::ptr_eq(known, change)) {
            return Rc::clone(text);
        }
        let text = written(&event(happening));
        if texts.len() == REMEMBERED {
            texts.pop_front();
        }
        texts.push_back((Arc::clone(change), Rc::clone(&text)));
        text
    })
}

/// An event in a stream of server-sent events.
pub(super) fn server_sent(epoch: u64, delivery: &Delivery, into: &mut String) {
    if let Some(number) = delivery.number {
        let _a_string_takes_all = writeln!(into, "id: {}", EventId { epoch, number });
    }
    let _a_string_takes_all = write!(into, "event: {}\ndata: {}\n\n", kind(&delivery.event), json(&delivery.event));
}

/// An event as a text over WebSocket.
pub(super) fn message(epoch: u64, delivery: &Delivery) -> String {
    let json = json(&delivery.event);
    match delivery.number {
        Some(number) => format!("{{\"id\":\"{}\",{}", EventId { epoch, number }, json.get(1..).unwrap_or_default()),
        None => json.as_ref().to_owned(),
    }
}

/// The farewell of the service, in a stream of server-sent events.
pub(super) const SERVER_SENT_GOODBYE: &str = "event: goodbye\ndata: {\"type\":\"goodbye\"}\n\n";
/// The farewell of the service, as a text over WebSocket.
pub(super) const GOODBYE: &str = "{\"type\":\"goodbye\"}";

#[cfg(test)]
mod tests {
    use presence_core::{AgentUri, Availability, EndpointKind, Freshness, Presence, SourceKind, Status};
    use serde_json::{Value, json};

    use super::*;
    use crate::http::feed::SilentLoss;

    fn changed() -> Happening {
        let new = Presence {
            status: Status::of(Availability::BUSY),
            since: presence_actors::now(),
            source: SourceKind::Ucma,
            freshness: Freshness::Fresh,
        };
        let uri: AgentUri = "sip:user1@domain.com".parse().expect("a URI");
        Happening::Told(PresenceEvent::Changed(Arc::new(Change {
            uri,
            previous: None,
            new: Arc::new(new),
            sequence: 1,
        })))
    }

    fn silent_loss(uri: AgentUri) -> Arc<SilentLoss> {
        let Happening::Told(PresenceEvent::Changed(change)) = changed() else { panic!("a change") };
        let (held, said) = (Arc::clone(&change.new), Arc::clone(&change.new));
        Arc::new(SilentLoss { uri, via: EndpointKind::User, held, said, at: presence_actors::now() })
    }

    #[test]
    fn both_streams_carry_the_same_json_and_each_its_id() {
        let delivery = Delivery { number: Some(42), event: changed() };
        let mut text = String::new();
        server_sent(7, &delivery, &mut text);
        let lines: Vec<_> = text.split('\n').collect();
        assert_eq!(lines[..2], ["id: 0000000000000007-42", "event: changed"]);
        assert_eq!(lines[3..], ["", ""]);
        let data: Value = serde_json::from_str(lines[2].trim_start_matches("data: ")).expect("JSON");
        let mut over_web_socket: Value = serde_json::from_str(&message(7, &delivery)).expect("JSON");
        assert_eq!(over_web_socket["id"].take(), json!("0000000000000007-42"));
        over_web_socket.as_object_mut().expect("an object").remove("id");
        assert_eq!(over_web_socket, data);
        assert_eq!((&data["type"], &data["presence"]["availability"]["name"]), (&json!("changed"), &json!("Busy")));
    }

    #[test]
    fn within_a_walk_there_is_no_id_and_the_name_of_the_event_is_its_type() {
        let uri: AgentUri = "sip:user1@domain.com".parse().expect("a URI");
        for event in [
            Happening::Told(PresenceEvent::Pending { uri: uri.clone() }),
            Happening::Told(PresenceEvent::Unserved { uri: uri.clone(), why: "x".into() }),
            Happening::Told(PresenceEvent::Lagged { missed: 3 }),
            Happening::Lagged(None),
            Happening::Released(uri.clone()),
            Happening::SilentLoss(silent_loss(uri)),
            changed(),
        ] {
            let delivery = Delivery { number: None, event };
            let mut text = String::new();
            server_sent(7, &delivery, &mut text);
            let data: Value = serde_json::from_str(&message(7, &delivery)).expect("JSON");
            let kind = data["type"].as_str().expect("a type");
            assert!(text.starts_with(&format!("event: {kind}\ndata: {{")), "{text}");
        }
        for (text, goodbye) in [(GOODBYE, true), (SERVER_SENT_GOODBYE.split_at(21).1, true)] {
            let data: Value = serde_json::from_str(text).expect("JSON");
            assert_eq!(serde_json::from_value::<Event>(data).expect("an event") == Event::Goodbye, goodbye);
        }
    }

    #[test]
    fn a_change_is_written_once_for_all_readers_of_a_thread() {
        let event = changed();
        assert!(Rc::ptr_eq(&json(&event), &json(&event.clone())));
        let first = json(&event);
        for _ in 0..REMEMBERED {
            json(&changed());
        }
        let again = json(&event);
        assert!(!Rc::ptr_eq(&first, &again), "no more than {REMEMBERED} are remembered");
        assert_eq!(first, again);
    }
}
