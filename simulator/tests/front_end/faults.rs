//! Faults on command.

use std::time::Duration;

use presence_simulator::{ConnectionId, FrontEndEffect, Switches};

use crate::support::{APP, Ask, Bench, agent, batch, content, next};

#[test]
fn killed_connections_are_closed_and_refused_for_a_while() {
    let mut bench = Bench::new();
    bench.listed(1);
    bench.order("kill-connections pool 0 for 20s");
    let expected =
        [FrontEndEffect::Close { connection: ConnectionId(1) }, FrontEndEffect::Listen { pool: 0, open: false }];
    assert_eq!(bench.others, expected);
    bench.others.clear();
    bench.front.connected(ConnectionId(2), 0);
    bench.drain();
    assert_eq!(bench.others, [FrontEndEffect::Close { connection: ConnectionId(2) }]);
    bench.pass(Duration::from_secs(20));
    assert_eq!(bench.others.last(), Some(&FrontEndEffect::Listen { pool: 0, open: true }));
    assert_eq!(bench.front.live_subscriptions(), 1, "dialogs outlive connections");
}

#[test]
fn an_outage_keeps_the_memory_or_forgets() {
    for (word, left) in [("", 1), (" forget", 0)] {
        let mut bench = Bench::new();
        let ask = bench.listed(1);
        bench.order(&format!("outage 0 10m{word}"));
        bench.pass(Duration::from_secs(600));
        bench.connection = ConnectionId(2);
        bench.front.connected(bench.connection, 0);
        assert_eq!((bench.front.live_subscriptions(), bench.front.counters().registered_now), (left, left));
        if left == 0 {
            assert_eq!(bench.refused(&ask).0, 480, "forgotten, and not to blame");
            assert_eq!(bench.violations(), Vec::<String>::new());
        }
    }
}

#[test]
fn refusals_have_a_number_of_times_an_agent_and_a_pause() {
    let mut bench = Bench::new();
    bench.order("refuse SUBSCRIBE 503 retry-after 30s times 1");
    let refused = bench.ask(&Ask::list(APP, &[agent(1)]).call("refused"));
    assert_eq!((refused.status(), refused.retry_after()), (Some(503), Some(Duration::from_secs(30))));
    let ask = bench.listed(1);
    bench.order("refuse SUBSCRIBE 481 agent sip:agent2@sim.example diagnostics 2016");
    assert_eq!(bench.ask(&ask).status(), Some(200));
    let about = Ask { cseq: 3, body: batch(APP, "subscribe", &[agent(1), agent(2)]), ..ask };
    assert_eq!(bench.refused(&about), (481, 2016));
    assert_eq!(bench.front.counters().resources_asked, 5, "what is refused was asked as well");
    bench.order("refuse REGISTER 504");
    assert_eq!(bench.refused(&Ask { cseq: 2, ..Ask::register(APP) }).0, 504);
    bench.order("heal");
    assert_eq!(bench.ask(&Ask { cseq: 3, ..Ask::register(APP) }).status(), Some(200));
}

#[test]
fn dialogs_expire_silently_on_command_and_nobody_is_to_blame() {
    let mut bench = Bench::new();
    let ask = bench.listed(2);
    assert!(bench.order("expire-silently sip:agent3@sim.example").is_empty());
    assert_eq!(bench.front.live_subscriptions(), 2, "not in that dialog");
    assert!(bench.order("expire-silently sip:agent2@sim.example").is_empty());
    assert_eq!(bench.front.live_subscriptions(), 0);
    assert_eq!(bench.refused(&ask), (481, 2014));
    assert_eq!(bench.violations(), Vec::<String>::new());
    bench.ask(&Ask::list(APP, &[agent(1)]).call("second"));
    bench.order("forget-dialogs");
    assert_eq!((bench.front.live_subscriptions(), bench.front.counters().registered_now), (0, 1));
}

#[test]
fn terminated_dialogs_say_so_and_may_ask_to_be_subscribed_again() {
    for (word, listed) in [("", 0), (" resubscribe", 2)] {
        let mut bench = Bench::new();
        let ask = bench.listed(2);
        let told = bench.order(&format!("terminate {APP}{word}"));
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].header("subscription-state"), Some("terminated;expires=0"));
        let resources = if told[0].body().is_empty() { 0 } else { content(&told[0]).0.resources.len() };
        assert_eq!(resources, listed);
        assert_eq!(bench.refused(&ask).0, 481);
    }
}

#[test]
fn everything_leaves_late_and_in_order() {
    let mut bench = Bench::new();
    bench.listed(1);
    bench.order("delay 200ms");
    assert!(bench.order("set sip:agent1@sim.example busy").is_empty());
    bench.pass(Duration::from_millis(100));
    bench.order("delay 0s");
    assert!(bench.order("set sip:agent1@sim.example away").is_empty(), "it does not overtake");
    let sent = bench.pass(Duration::from_secs(1));
    let times: Vec<_> = sent.iter().map(|(at, told)| (at.as_millis(), told.cseq().unwrap().0)).collect();
    assert_eq!(times, [(100, 2), (100, 3)]);
    assert_eq!(bench.order("set sip:agent1@sim.example meal").len(), 1);
}

#[test]
fn a_pool_that_comes_back_slowly_serves_so_many_agents_per_second() {
    let mut bench = Bench::new();
    bench.order("slow-start 2 12 10s retry-after 5s");
    let mut ask = bench.listed(2);
    ask.body = batch(APP, "subscribe", &[agent(3)]);
    let refused = bench.ask(&ask);
    assert_eq!((refused.status(), refused.retry_after()), (Some(503), Some(Duration::from_secs(5))));
    bench.pass(Duration::from_secs(1));
    ask.cseq += 1;
    let told = bench.ask(&ask);
    assert_eq!(told.status(), Some(200));
    bench.pass(Duration::from_secs(10));
    ask = next(&ask, &told);
    ask.body = batch(APP, "subscribe", &(4..=15).map(agent).collect::<Vec<_>>());
    assert_eq!(bench.ask(&ask).status(), Some(200), "twelve at last");
    assert_eq!(bench.front.counters().overloads, 1);
}

#[test]
fn the_dice_move_agents_when_there_is_an_interval() {
    let mut settings = crate::support::settings(Switches::default());
    settings.change_interval = Some(Duration::from_secs(60));
    let mut bench = Bench::of(settings);
    bench.ask(&Ask::register(APP));
    bench.listed(10);
    let told = bench.pass(Duration::from_secs(600)).len();
    assert!((50..160).contains(&told), "{told} of about 100");
}

#[test]
fn a_mute_front_end_tells_no_change_until_the_agent_is_asked_for_again() {
    let mut bench = Bench::new();
    let ask = bench.listed(2);
    bench.order("mute sip:agent1@sim.example");
    assert!(bench.order("set sip:agent1@sim.example busy").is_empty());
    assert_eq!(bench.order("set sip:agent2@sim.example busy").len(), 1, "only the one");
    let query = Ask::list(APP, &[agent(1)]).call("query").with("Expires: 0\r\n");
    let answer = bench.ask(&query);
    assert_eq!(answer.status(), Some(200));
    assert!(String::from_utf8_lossy(answer.body()).contains("6500"), "it knows better");
    assert_eq!(bench.front.live_subscriptions(), 2, "nothing has ended");
    assert_eq!(bench.ask(&ask).status(), Some(200));
    assert_eq!(bench.order("set sip:agent1@sim.example away").len(), 1, "asked for again");
    bench.order("mute");
    assert!(bench.order("set sip:agent2@sim.example away").is_empty());
    bench.order("heal");
    assert_eq!(bench.order("set sip:agent2@sim.example busy").len(), 1);
}
