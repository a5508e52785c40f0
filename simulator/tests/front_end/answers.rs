//! What SUBSCRIBEs are answered with.

use std::time::Duration;

use presence_simulator::Switches;
use presence_sip::Message;

use crate::support::{APP, Ask, Bench, USUAL, agent, batch, content, instance, next, uri};

#[test]
fn the_first_notification_comes_in_the_200() {
    let mut bench = Bench::new();
    let told = bench.ask(&Ask::list(APP, &[agent(1), agent(2)]));
    assert_eq!(told.contact().unwrap().uri, "sip:pool0.sim.example:5061;transport=tcp");
    assert_eq!(told.expires(), Some(Duration::from_secs(28_800)));
    assert_eq!(told.header("Event"), Some("presence"));
    assert_eq!(told.header("subscription-state"), Some("active;expires=28800"));
    assert_eq!(told.header("ms-piggyback-cseq"), Some("1"));
    assert_eq!(told.header("Require"), Some("eventlist"));
    assert!(told.header("Supported").unwrap().contains("ms-piggyback-first-notify"));
    let kind = told.content_type().unwrap();
    assert!(kind.starts_with("multipart/related;type=\"application/rlmi+xml\";start=resourceList;boundary="), "{kind}");
    let text = std::str::from_utf8(told.body()).unwrap();
    assert_eq!(
        text.matches(">\r\n\r\n--").count(),
        3,
        "an empty line before each boundary: libpurple cuts four characters"
    );
    let (list, documents) = content(&told);
    assert_eq!((&*list.uri, list.version, list.full_state), (APP, 0, false));
    let listed: Vec<_> = list.resources.iter().map(|one| (&*one.uri, one.instances[0].cid.as_deref())).collect();
    assert_eq!(listed, [(&*agent(1), Some("agent1@sim.example")), (&*agent(2), Some("agent2@sim.example"))]);
    assert_eq!(documents.len(), 2);
    let next = bench.order("set sip:agent2@sim.example away").remove(0);
    assert_eq!(next.cseq(), Some((2, "BENOTIFY")), "it goes on from the piggybacked number");
}

/// What was sent, in order.
fn shape(sent: &[Message]) -> Vec<String> {
    sent.iter()
        .map(|one| one.status().map_or_else(|| one.method().unwrap().to_string(), |status| status.to_string()))
        .collect()
}

#[test]
fn without_piggyback_a_notification_follows_the_200_or_comes_before_it() {
    let ask = Ask::list(APP, &[agent(1)]);
    let after = Switches { piggyback: false, ..Switches::default() };
    let before = Switches { notify_before_answer: true, ..after.clone() };
    let plain = Switches { benotify: false, ..after.clone() };
    for (switches, expected) in
        [(after, ["200", "BENOTIFY"]), (before, ["BENOTIFY", "200"]), (plain, ["200", "NOTIFY"])]
    {
        let mut bench = Bench::with(switches);
        let sent = bench.say(ask.text());
        assert_eq!(shape(&sent), expected);
        let (answer, told) = if expected[0] == "200" { (&sent[0], &sent[1]) } else { (&sent[1], &sent[0]) };
        assert!(answer.body().is_empty() && answer.header("ms-piggyback-cseq").is_none());
        assert_eq!(content(told).1.len(), 1);
        assert_eq!(told.cseq().unwrap().0, 1);
    }
}

#[test]
fn a_client_that_supports_neither_piggyback_nor_benotify_gets_a_notify() {
    let mut bench = Bench::new();
    let sent = bench.say(Ask::list(APP, &[agent(1)]).without(USUAL).text());
    assert_eq!(shape(&sent), ["200", "NOTIFY"]);
}

#[test]
fn a_list_may_leave_out_the_resources_that_are_active() {
    let mut bench = Bench::with(Switches { rlmi_omits_active: true, ..Switches::default() });
    let (list, documents) = content(&bench.ask(&Ask::list(APP, &[agent(1), agent(2), agent(19)])));
    let listed: Vec<_> = list.resources.iter().map(|one| &*one.uri).collect();
    assert_eq!((listed, documents.len()), (vec![&*agent(19)], 2));
}

#[test]
fn each_resource_is_told_how_it_stands() {
    let switches = Switches {
        legacy: vec![uri(&agent(1))],
        strange: vec![(uri(&agent(2)), "deferred".into())],
        ..Switches::default()
    };
    let mut bench = Bench::with(switches);
    bench.order("quota sip:agent3@sim.example full");
    bench.order("disable sip:agent4@sim.example");
    let home = bench.ask(&Ask::list(APP, &[agent(19)]).call("home"));
    let home = instance(&home).split(' ').next_back().unwrap().to_owned();
    assert!(
        home.starts_with("sip:pool1.sim.example@sim.example;gruu;opaque=srvr:HomeServer:") && home.len() == 88 - 2,
        "{home}"
    );
    for (number, expected) in [
        (1, "Resubscribe - 0 0 -".to_owned()),
        (2, "Other(\"deferred\") - 0 0 -".to_owned()),
        (3, "Terminated quotaExceeded 413 2012 -".to_owned()),
        (4, "Terminated rejected 403 2004 -".to_owned()),
        (19, format!("Resubscribe - 0 0 {home}")),
        (77, "Terminated noresource 404 4005 -".to_owned()),
    ] {
        let told = bench.ask(&Ask::list(APP, &[agent(number)]).call(&format!("call-{number}")));
        assert_eq!(instance(&told), expected);
    }
    assert_eq!(bench.front.live_subscriptions(), 0);
    bench.order("heal");
    let told = bench.ask(&Ask::list(APP, &[agent(3), agent(4)]).call("healed"));
    assert_eq!(content(&told).1.len(), 2);
}

#[test]
fn a_list_for_another_pool_is_served_here_in_a_dialog_of_its_own() {
    let mut bench = Bench::new();
    let home = instance(&bench.ask(&Ask::list(APP, &[agent(19)]))).split(' ').next_back().unwrap().to_owned();
    let turned = {
        let (place, opaque) = home.split_once(";gruu").unwrap();
        format!("{place}{opaque};gruu")
    };
    let told = bench.ask(&Ask::list(APP, &[agent(19), agent(20), agent(1)]).at_pool(&turned));
    assert_eq!(told.contact().unwrap().uri, "sip:pool1.sim.example:5061;transport=tcp");
    let (list, documents) = content(&told);
    assert_eq!((list.resources.len(), documents.len()), (3, 2), "agent 1 is at home elsewhere");
    assert_eq!(bench.front.subscriptions_of(&uri(&agent(19))), vec![(uri(APP), 1)]);
    let counters = bench.front.counters();
    assert_eq!((counters.dialogs_now, counters.batch_dialogs_now, counters.violation_count), (2, 2, 0));
    assert_eq!(counters.dialogs.get(&(APP.to_owned(), 1)), Some(&1));
    let lost = Ask::list(APP, &[agent(19)]).at_pool("sip:pool9.sim.example@sim.example;gruu;opaque=srvr:HomeServer:x");
    assert_eq!(bench.refused(&lost.call("lost")).0, 404);
}

#[test]
fn a_single_subscription_gets_bare_categories_or_its_status() {
    let mut bench = Bench::new();
    let ask = Ask::single(APP, &agent(1));
    let told = bench.ask(&ask);
    assert_eq!(told.content_type(), Some("application/msrtc-event-categories+xml"));
    assert_eq!((told.header("Require"), told.header("ms-piggyback-cseq")), (None, Some("1")));
    let (_, documents) = content(&told);
    assert_eq!((documents[0].uri.as_deref(), documents[0].categories.len()), (Some(&*agent(1)), 2));
    assert_eq!(bench.refused(&Ask::single(APP, &agent(77))), (404, 4005));
    bench.order("disable sip:agent2@sim.example");
    assert_eq!(bench.refused(&Ask::single(APP, &agent(2))), (403, 2004));
    assert_eq!(bench.ask(&next(&ask, &told)).status(), Some(200), "and is refreshed");
    assert_eq!((bench.front.live_subscriptions(), bench.violations().len()), (1, 0));
}

#[test]
fn agents_come_and_go_in_the_dialog() {
    let mut bench = Bench::new();
    let mut ask = bench.listed(3);
    ask.body = batch(APP, "subscribe", &[agent(4)]);
    let told = bench.ask(&ask);
    assert_eq!((content(&told).1.len(), told.header("ms-piggyback-cseq")), (1, Some("2")), "only what was asked");
    assert_eq!(bench.front.live_subscriptions(), 4);
    ask = next(&ask, &told);
    ask.body = batch(APP, "unsubscribe", &[agent(1), agent(2)]);
    let told = bench.ask(&ask);
    assert_eq!((told.status(), told.body().len()), (Some(200), 0));
    assert_eq!(bench.front.live_subscriptions(), 2);
    assert!(bench.order("set sip:agent1@sim.example away").is_empty());
    let last = bench.ask(&Ask { body: String::new(), ..next(&ask, &told) }.with("Expires: 0\r\n"));
    assert_eq!(last.header("subscription-state"), Some("terminated;expires=0"));
    assert_eq!((bench.front.live_subscriptions(), bench.front.counters().dialogs_now), (0, 0));
    assert_eq!(bench.violations(), Vec::<String>::new());
}

#[test]
fn a_refresh_without_body_keeps_the_agents_or_not_by_the_switch() {
    for (keeps, left) in [(true, 3), (false, 0)] {
        let mut bench = Bench::with(Switches { bodiless_refresh_keeps: keeps, ..Switches::default() });
        let ask = Ask { body: String::new(), ..bench.listed(3) };
        assert_eq!(bench.ask(&ask).header("subscription-state"), Some("active;expires=28800"));
        assert_eq!(bench.front.live_subscriptions(), left);
    }
}

#[test]
fn a_query_is_answered_once_and_nothing_stays() {
    let mut bench = Bench::new();
    bench.listed(1);
    let told = bench.ask(&Ask::list(APP, &[agent(1), agent(2)]).call("query").with("Expires: 0\r\n"));
    assert_eq!(told.header("subscription-state"), Some("terminated;expires=0"));
    assert_eq!(content(&told).1.len(), 2);
    let counters = bench.front.counters();
    assert_eq!((counters.dialogs_now, counters.live_now, counters.queries, counters.violation_count), (1, 1, 1, 0));
}

#[test]
fn the_lifetime_is_the_servers_choice_and_may_have_a_floor() {
    let mut bench = Bench::with(Switches { shortest_expires: Some(Duration::from_secs(1_200)), ..Switches::default() });
    let ask = Ask::list(APP, &[agent(1)]);
    let brief = bench.ask(&ask.clone().with("Expires: 60\r\n"));
    assert_eq!((brief.status(), brief.min_expires()), (Some(423), Some(Duration::from_secs(1_200))));
    let told = bench.ask(&ask.call("longer").with("Expires: 90000\r\n"));
    assert_eq!(told.expires(), Some(Duration::from_secs(28_800)));
}

#[test]
fn every_refusal_is_diagnosed() {
    let mut bench = Bench::new();
    let unknown_event = Ask::list(APP, &[agent(1)]).without("Event: presence\r\n").with("Event: dialog\r\n");
    let refused = bench.ask(&unknown_event);
    assert_eq!(refused.status(), Some(489));
    assert!(refused.header("Allow-Events").is_some());
    for ask in [
        unknown_event.call("x"),
        Ask { method: "PUBLISH", ..Ask::register(APP) },
        Ask { method: "TELEPORT", ..Ask::register(APP) },
        Ask { method: "INVITE", ..Ask::register(APP) },
        Ask { to: "<sip:app@sim.example>;tag=none".into(), ..Ask::list(APP, &[agent(1)]) },
    ] {
        let refused = bench.ask(&ask);
        let found = refused.ms_diagnostics().unwrap();
        assert!(refused.status().unwrap() >= 400 && found.source == Some("pool0.sim.example"), "{ask:?}");
        assert!(found.id >= 1_000 && found.reason.is_some());
    }
}

#[test]
fn a_real_client_gets_its_contacts_its_settings_itself_and_its_200s() {
    let mut bench = Bench::new();
    for (package, root) in [
        (
            "vnd-microsoft-roaming-contacts",
            "<contactList deltaNum=\"1\" xmlns=\"http://schemas.microsoft.com/2006/09/sip/contacts\">",
        ),
        (
            "vnd-microsoft-provisioning-v2",
            "<provisionGroupList xmlns=\"http://schemas.microsoft.com/2006/09/sip/provisiongrouplist-notification\"/>",
        ),
        ("vnd-microsoft-roaming-self", "<roamingData "),
    ] {
        let event = format!("Event: {package}\r\nExpires: 0\r\n");
        let ask = Ask::list(APP, &[]).call(package).without("Event: presence\r\n").with(&event);
        let told = bench.ask(&Ask { body: String::new(), ..ask });
        assert_eq!((told.status(), told.header("ms-piggyback-cseq")), (Some(200), Some("1")));
        assert!(std::str::from_utf8(told.body()).unwrap().starts_with(root), "{package}");
        assert_eq!(told.event().unwrap().package, package);
    }
    for method in ["OPTIONS", "INFO", "BYE", "MESSAGE", "SERVICE"] {
        assert_eq!(bench.ask(&Ask { method, ..Ask::register(APP) }).status(), Some(200), "{method}");
    }
    assert!(bench.say(Ask { method: "ACK", ..Ask::register(APP) }.text()).is_empty());
    let mut bench = Bench::with(Switches { invite_status: 200, ..Switches::default() });
    assert_eq!(bench.ask(&Ask { method: "INVITE", ..Ask::register(APP) }).status(), Some(200));
    assert_eq!(bench.violations(), Vec::<String>::new());
}

#[test]
fn what_a_user_publishes_about_itself_is_confirmed_with_the_next_version() {
    let mut bench = Bench::new();
    let publish = |body: &str| {
        let ask = Ask { method: "SERVICE", body: body.into(), ..Ask::register(APP).call("publish") };
        ask.text().replace("msrtc-adrl-categorylist+xml", "msrtc-category-publish+xml")
    };
    let body = "<publish><publications><publication categoryName=\"note\" version=\"3\"/></publications></publish>";
    let told = bench.say(publish(body)).remove(0);
    assert_eq!(told.content_type(), Some("application/vnd-microsoft-roaming-self+xml"));
    let text = std::str::from_utf8(told.body()).unwrap();
    assert!(text.contains("uri=\"sip:app@sim.example\"><category name=\"note\"") && text.contains("version=\"4\""));
    assert_eq!(bench.say(publish("<publish").replace("CSeq: 1", "CSeq: 2")).remove(0).status(), Some(400));
}

#[test]
fn what_is_asked_is_counted() {
    let mut bench = Bench::new();
    let ask = bench.listed(3);
    bench.pass(Duration::from_millis(999));
    bench.ask(&Ask { body: batch(APP, "subscribe", &[agent(1), agent(5), agent(5)]), ..ask });
    bench.pass(Duration::from_millis(999));
    bench.ask(&Ask::single(APP, &agent(6)));
    let counters = bench.front.counters();
    assert_eq!((counters.subscribes_initial, counters.subscribes_in_dialog), (2, 1));
    assert_eq!((counters.resources_asked, counters.most_resources_in_a_second, counters.largest_list), (6, 5, 3));
    assert_eq!(counters.asked_twice, 2, "agent 1 too soon, agent 5 twice in one message");
    assert_eq!((counters.live_now, counters.most_live_for_one_agent), (5, 1));
    assert_eq!(counters.messages.get("SUBSCRIBE"), Some(&3));
}
