//! What others wrote: the published batch SUBSCRIBE, and the registration and the body of presence-sip.

use std::path::PathBuf;

use presence_simulator::{FrontEndSettings, Homed, Switches};
use presence_sip::documents::{BatchAction, BatchActionName, write_batch_subscribe};

use crate::support::{APP, Ask, Bench, agent, content, settings, uri};

/// The published example (MS-PRES 2.2.2.4.1) with what its author left out filled in; `None` where it is not at hand.
fn published() -> Option<String> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/ms-pres-2.2.2.4.1-subscribe-batch.sip");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: the published SUBSCRIBE is not at hand");
        return None;
    };
    let (head, body) = text.split_once("<batchSub").unwrap();
    let body = format!("<batchSub{body}");
    let lines = head.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let kept = lines.filter(|line| !line.starts_with("Content-Length") && !line.starts_with("Proxy-Authorization"));
    let head: String = kept.map(|line| format!("{line}\r\n")).collect();
    Some(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()))
}

#[test]
fn the_published_batch_subscribe_is_served_without_a_violation() {
    let Some(text) = published() else { return };
    let agents = ["sip:alice@contoso.com", "sip:john@contoso.com"].map(|one| Homed { uri: uri(one), pool: 0 });
    let bob = Homed { uri: uri("sip:bob@contoso.com"), pool: 0 };
    let settings: FrontEndSettings =
        FrontEndSettings { agents: agents.into(), endpoints: vec![bob], ..settings(Switches::default()) };
    let mut bench = Bench::of(settings);
    let contact = "Contact: <sip:172.24.32.124:54059;transport=tcp>\r\n".into();
    let register = Ask::register("sip:bob@contoso.com");
    bench.ask(&Ask { epid: "84d3db8c23".into(), headers: contact, ..register });
    let told = bench.say(text).remove(0);
    assert_eq!(told.status(), Some(200));
    let (list, documents) = content(&told);
    assert_eq!((list.resources.len(), documents.len()), (2, 2));
    assert_eq!(bench.violations(), Vec::<String>::new());
    let counters = bench.front.counters();
    assert_eq!(counters.needless_wishes, 4, "a context, and three categories more than needed");
    assert_eq!(bench.order("set sip:alice@contoso.com busy").len(), 1);
}

#[test]
fn the_body_that_presence_sip_writes_is_read_whole() {
    let mut bench = Bench::new();
    let (come, go) = ([uri(&agent(2)), uri(&agent(3))], [uri(&agent(1))]);
    let action = |name, id, resources| BatchAction { name, id, resources };
    let actions = [action(BatchActionName::Subscribe, 1, &come[..]), action(BatchActionName::Unsubscribe, 2, &go[..])];
    let body = write_batch_subscribe(&uri(APP), &actions);
    let ask = bench.listed(1);
    let told = bench.ask(&Ask { body: String::from_utf8(body.to_vec()).unwrap(), ..ask });
    assert_eq!(content(&told).1.len(), 2);
    assert_eq!(bench.front.live_subscriptions(), 2);
    assert_eq!((bench.violations().len(), bench.front.counters().needless_wishes), (0, 0));
}
