//! The ten rules that requests are verified by.

use std::time::Duration;

use presence_simulator::Switches;

use crate::support::{APP, Ask, Bench, LIST_TAGS, agent, answer, batch, content, instance, next, uri};

#[test]
fn rule_1_a_request_without_epid_is_refused_with_400_and_4010() {
    for ask in [Ask::register(APP), Ask::list(APP, &[agent(1)])] {
        let mut bench = Bench::bare(Switches::default());
        assert_eq!(bench.refused(&Ask { epid: String::new(), ..ask }), (400, 4010));
        bench.violated("rule 1");
    }
    let mut bench = Bench::bare(Switches::default());
    let long = Ask { epid: "0123456789abcdef0".into(), ..Ask::register(APP) };
    assert_eq!(bench.refused(&long), (400, 4011));
}

#[test]
fn rule_2_a_list_whose_from_to_and_request_uri_differ_is_forbidden() {
    let two = [agent(1), agent(2)];
    let elsewhere = Ask { target: agent(1), ..Ask::list(APP, &two) };
    let other_to = Ask { to: format!("<{}>", agent(1)), ..Ask::list(APP, &two) };
    for ask in [elsewhere, other_to] {
        let mut bench = Bench::new();
        assert_eq!(bench.refused(&ask), (403, 2004));
        bench.violated("rule 2");
    }
    let mut bench = Bench::bare(Switches::default());
    let foreign = Ask { to: "<sip:user@sim.example>".into(), ..Ask::register(APP) };
    assert_eq!(bench.refused(&foreign), (403, 4004));
    bench.violated("rule 2");
}

#[test]
fn rule_3_a_list_requires_both_option_tags() {
    let half = LIST_TAGS.replace("adhoclist, ", "");
    for tags in [String::new(), half] {
        let mut bench = Bench::new();
        let ask = Ask::list(APP, &[agent(1), agent(2)]).without(LIST_TAGS).with(&tags);
        assert_eq!(bench.refused(&ask), (400, 2013));
        bench.violated("rule 3");
    }
    let mut bench = Bench::new();
    let update = bench.listed(2).without(LIST_TAGS);
    assert_eq!(bench.refused(&update), (400, 2013));
    bench.violated("rule 3");
}

#[test]
fn rule_3_a_single_subscription_with_the_tags_of_a_list_is_told_to_subscribe_again() {
    let mut bench = Bench::new();
    let told = bench.ask(&Ask::single(APP, &agent(1)).with(LIST_TAGS));
    assert_eq!(told.status(), Some(200));
    assert_eq!(instance(&told), "Resubscribe - 0 0 -");
    bench.violated("rule 3");
    assert_eq!(bench.front.live_subscriptions(), 0);
}

#[test]
fn rule_4_an_unknown_extension_is_refused_with_its_name() {
    for (header, name) in [("Proxy-Require: ms-benotify, teleport\r\n", "teleport"), ("Require: x-y\r\n", "x-y")] {
        let mut bench = Bench::new();
        let refused = bench.ask(&Ask::list(APP, &[agent(1)]).with(header));
        assert_eq!((refused.status(), refused.header("Unsupported")), (Some(420), Some(name)));
        bench.violated("rule 4");
    }
}

#[test]
fn rule_5_one_mistake_in_the_body_refuses_the_whole_list() {
    let good = Ask::list(APP, &[agent(1), agent(2)]);
    let broken = [
        good.body.replace("</batchSub>", ""),
        good.body.replace("<category name=\"state\"/>", "").replace("<category name=\"services\"/>", ""),
        batch(APP, "subscribe", &[]),
        batch(APP, "replace", &[agent(1)]),
        good.body.replace(&agent(2), "sip:@"),
        good.body.replace(&agent(2), "tel:+31612345678"),
        good.body.replace(" id=\"63792024\"", ""),
        good.body.replace("2006/01", "2007/01"),
        good.body.replace("<adhocList>", "<adhocList><surprise/>"),
        good.body.replace(APP, "sip:somebody@sim.example"),
        format!("<!DOCTYPE x>{}", good.body),
        String::new(),
    ];
    for body in broken {
        let mut bench = Bench::new();
        let (status, _) = bench.refused(&Ask { body: body.clone(), ..good.clone() });
        assert_eq!(status, 400, "{body}");
        bench.violated("rule 5");
        assert_eq!(bench.front.live_subscriptions(), 0);
    }
    let mut bench = Bench::new();
    let text = good.text().replace("application/msrtc-adrl-categorylist+xml", "text/plain");
    let refused = bench.say(text).remove(0);
    assert_eq!((refused.status(), refused.ms_diagnostics().unwrap().id), (Some(400), 4012));
}

#[test]
fn rule_5_too_much_is_413_and_no_violation() {
    let mut bench = Bench::with(Switches { longest_list: 3, ..Switches::default() });
    let four: Vec<_> = (1..=4).map(agent).collect();
    assert_eq!(bench.refused(&Ask::list(APP, &four)), (413, 2011));
    let mut bench = Bench::with(Switches { longest_body: 100, ..Switches::default() });
    assert_eq!(bench.refused(&Ask::list(APP, &four)), (413, 4008));
    assert_eq!(bench.violations(), Vec::<String>::new());
}

#[test]
fn rule_6_a_second_list_of_an_endpoint_silently_drops_the_first() {
    let mut bench = Bench::new();
    let first = bench.listed(3);
    let second = bench.ask(&Ask::list(APP, &[agent(4)]).call("second"));
    assert_eq!(second.status(), Some(200));
    bench.violated("rule 6");
    let counters = bench.front.counters();
    assert_eq!((counters.dialogs_now, counters.live_now, counters.replaced_dialogs), (1, 1, 1));
    assert!(bench.order("set sip:agent1@sim.example busy").is_empty(), "not a word for the first");
    assert_eq!(bench.refused(&first), (481, 2014));
}

#[test]
fn rule_6_an_endpoint_that_was_started_again_may_not_know_of_its_first_list() {
    let mut bench = Bench::new();
    bench.listed(3);
    assert_eq!(bench.ask(&Ask::register(APP).call("anew")).status(), Some(200));
    assert_eq!(bench.ask(&Ask::list(APP, &[agent(4)]).call("second")).status(), Some(200));
    assert_eq!(bench.violations(), Vec::<String>::new());
    assert_eq!(bench.front.counters().replaced_dialogs, 1);
}

#[test]
fn rule_7_categories_count_against_the_quota_of_the_agent() {
    let mut bench = Bench::with(Switches { quota: 3, ..Switches::default() });
    let mut ask = bench.listed(1);
    assert_eq!(bench.ask(&Ask::register("sip:user@sim.example")).status(), Some(200));
    let mut late = Ask::list("sip:user@sim.example", &[agent(1)]).call("late");
    let told = bench.ask(&late);
    assert_eq!(instance(&told), "Terminated quotaExceeded 413 2012 -");
    let alone = Ask::single("sip:user@sim.example", &agent(1));
    assert_eq!(bench.refused(&alone), (413, 2012));
    let query = bench.ask(&alone.call("query").with("Expires: 0\r\n"));
    assert_eq!(content(&query).1.len(), 1, "who only asks takes no room");
    late = next(&late, &told);
    ask.body = batch(APP, "unsubscribe", &[agent(1)]);
    assert_eq!(bench.ask(&ask).status(), Some(200));
    assert_eq!(content(&bench.ask(&late)).1.len(), 1, "now there is room");
    assert_eq!(bench.violations(), Vec::<String>::new());
}

#[test]
fn rule_8_an_answer_to_a_benotify_is_a_violation() {
    let mut bench = Bench::new();
    bench.listed(1);
    let told = bench.order("set sip:agent1@sim.example away").remove(0);
    assert_eq!(told.method().unwrap().as_str(), "BENOTIFY");
    assert!(bench.say(answer(&told, 481)).is_empty());
    bench.violated("rule 8");
    assert_eq!(bench.front.live_subscriptions(), 1, "and changes nothing");
}

#[test]
fn rule_9_presence_needs_a_registration_unless_the_switch_says_otherwise() {
    let mut bench = Bench::bare(Switches::default());
    assert_eq!(bench.refused(&Ask::list(APP, &[agent(1)])), (480, 1007));
    bench.violated("rule 9");
    let mut bench = Bench::bare(Switches { unregistered_status: 403, ..Switches::default() });
    assert_eq!(bench.refused(&Ask::list(APP, &[agent(1)])).0, 403);
    let mut bench = Bench::bare(Switches { strict: false, ..Switches::default() });
    assert_eq!(bench.ask(&Ask::list(APP, &[agent(1)])).status(), Some(200));
    assert_eq!(bench.order("set sip:agent1@sim.example away").len(), 1);
}

#[test]
fn rule_10_a_dialog_that_is_not_refreshed_ends_silently_and_is_481_then() {
    let mut bench = Bench::with(Switches { expires: Duration::from_secs(600), ..Switches::default() });
    let ask = bench.listed(2);
    bench.pass(Duration::from_secs(599));
    let later = next(&ask, &bench.ask(&ask));
    bench.pass(Duration::from_secs(599));
    assert_eq!(bench.front.live_subscriptions(), 2, "the refresh counts");
    assert!(bench.pass(Duration::from_secs(1)).is_empty(), "not a word");
    assert_eq!((bench.front.live_subscriptions(), bench.front.counters().expired_dialogs), (0, 1));
    assert!(bench.order("set sip:agent1@sim.example away").is_empty());
    assert_eq!(bench.refused(&later), (481, 2014));
    bench.violated("rule 10");
}

#[test]
fn what_belongs_in_a_dialog_is_verified_too() {
    let mut bench = Bench::with(Switches { signed_routes: true, ..Switches::default() });
    let good = bench.listed(1);
    assert!(good.target.contains(";ms-key-info=") && good.headers.contains(";ms-route-sig="), "{good:?}");
    assert_eq!(bench.ask(&good).status(), Some(200));
    assert_eq!(bench.violations(), Vec::<String>::new());
    let astray =
        Ask { target: APP.into(), cseq: 3, headers: good.headers.replace("ms-route-sig=aa", "ms-route-sig=b"), ..good };
    assert_eq!(bench.ask(&astray).status(), Some(200), "recorded, and served");
    let violations = bench.violations();
    assert!(violations.len() == 2 && violations.iter().all(|text| text.starts_with("dialog: ")), "{violations:?}");
    assert_eq!(
        bench.refused(&Ask { cseq: 2, body: String::new(), ..astray.clone() }).0,
        200,
        "a copy of what was said"
    );
    assert_eq!(bench.refused(&Ask { cseq: 1, to: astray.to.clone(), method: "SUBSCRIBE", ..astray }).0, 200);
}

#[test]
fn a_copy_of_a_request_gets_the_same_answer_and_changes_nothing() {
    let mut bench = Bench::new();
    let ask = Ask::list(APP, &[agent(1)]);
    let first = bench.say(ask.text()).remove(0);
    let again = bench.say(ask.text().replace("192.0.2.7:6120\r\n", "192.0.2.7:6120;branch=z9hG4bKother\r\n")).remove(0);
    assert_eq!(first.body(), again.body());
    assert_eq!(first.header("To"), again.header("To"));
    let counters = bench.front.counters();
    assert_eq!((counters.duplicates, counters.live_now, counters.replaced_dialogs), (1, 1, 0));
    bench.pass(Duration::from_secs(33));
    assert_eq!(bench.front.subscriptions_of(&uri(&agent(1))), vec![(uri(APP), 0)]);
}

#[test]
fn a_dialog_is_known_by_our_tag_too() {
    let mut bench = Bench::new();
    let ask = bench.listed(1);
    assert_eq!(bench.refused(&Ask { to: format!("<{APP}>;tag=another"), ..ask.clone() }), (481, 2014));
    assert_eq!(bench.ask(&Ask { cseq: 3, ..ask }).status(), Some(200));
}

#[test]
fn rule_9_blames_again_after_the_endpoint_was_registered_again() {
    let mut bench = Bench::new();
    bench.order(&format!("deregister {APP} deactivated"));
    let again = Ask::register(APP).call("again");
    bench.ask(&again);
    bench.ask(&Ask { cseq: 2, ..again }.with("Expires: 0\r\n"));
    assert_eq!(bench.refused(&Ask::list(APP, &[agent(1)])).0, 480);
    bench.violated("rule 9");
}

#[test]
fn rule_6_does_not_blame_who_was_told_that_presence_or_the_dialog_is_gone() {
    for line in ["refuse SUBSCRIBE 481 times 1 diagnostics 2016", "user-services off"] {
        let mut bench = Bench::new();
        let ask = bench.listed(1);
        bench.order(line);
        assert!(bench.refused(&ask).0 >= 400);
        bench.order("heal");
        assert_eq!(bench.ask(&Ask::list(APP, &[agent(1)]).call("second")).status(), Some(200));
        assert_eq!(bench.violations(), Vec::<String>::new(), "{line}");
    }
}

#[test]
fn an_old_cseq_in_a_dialog_is_refused() {
    let mut bench = Bench::new();
    let mut ask = bench.listed(1);
    ask.cseq = 7;
    assert_eq!(bench.ask(&ask).status(), Some(200));
    ask.cseq = 5;
    assert_eq!(bench.refused(&ask).0, 500);
    bench.violated("dialog: CSeq");
}
