//! An independent parser, ezk-sip-types, reads back everything that the subscriber sends in any of these tests.

use bytes::Bytes;
use ezk_sip_types::header::typed::{CSeq, CallID, ContentLength, Event, Expires, FromTo, Routing, Via};
use ezk_sip_types::msg::{Line, MessageLine, PullParser};
use ezk_sip_types::{Headers, Name};
use presence_sip::Message;

/// Panics where the two parsers do not read the same.
pub(crate) fn agree(bytes: &Bytes, ours: &Message) {
    let text = |part: &[u8]| std::str::from_utf8(part).unwrap().to_owned();
    let mut parser = PullParser::new(bytes, 0);
    let line: MessageLine = text(parser.next().unwrap().unwrap()).parse().unwrap();
    let mut headers = Headers::new();
    for part in &mut parser {
        let (_, line) = Line::parse(bytes, std::str::from_utf8(part.unwrap()).unwrap()).unwrap();
        headers.insert(line.name, line.value);
    }
    match line {
        MessageLine::Request(line) => assert_eq!(ours.method().unwrap().as_str(), line.method.to_string()),
        MessageLine::Response(line) => assert_eq!(ours.status(), Some(line.code.into_u16())),
    }
    let ContentLength(length) = headers.get_named().unwrap();
    assert_eq!(bytes.len(), parser.head_end() + length);
    let vias: Vec<Via> = headers.get_named().unwrap();
    assert_eq!(vias.len(), ours.values("Via").count());
    let branch = vias[0].params.get_val("branch").map(|branch| branch.as_str());
    assert_eq!(ours.top_via().unwrap().branch(), branch);
    for (ours, name) in [(ours.from(), Name::FROM), (ours.to(), Name::TO)] {
        let theirs: FromTo = headers.get(name).unwrap();
        assert_eq!(ours.unwrap().tag(), theirs.tag.as_ref().map(|tag| tag.as_str()));
    }
    let CallID(call_id) = headers.get_named().unwrap();
    assert_eq!(ours.call_id(), call_id.as_str());
    let CSeq { cseq, method } = headers.get_named().unwrap();
    // ezk takes whatever begins with NOTIFY for one.
    if ours.cseq() != Some((cseq, "NOTIFYX")) {
        assert_eq!(ours.cseq(), Some((cseq, method.to_string().as_str())));
    }
    if let Some(expires) = headers.try_get_named::<Expires>() {
        assert_eq!(ours.expires().unwrap().as_secs(), u64::from(expires.unwrap().0));
    }
    if let Some(event) = headers.try_get_named::<Event>() {
        assert!(event.is_ok());
        assert_eq!(ours.event().unwrap().package, "presence");
    }
    // ezk takes a comma in quotes for the end of a route.
    let quoted = ours.values("Route").any(|route| route.contains('"'));
    if let Some(routes) = headers.try_get::<Vec<Routing>>(Name::ROUTE).filter(|_| !quoted) {
        assert_eq!(routes.unwrap().len(), ours.values("Route").count());
    }
}
