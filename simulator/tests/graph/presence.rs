//! Presence by ids.

use std::collections::BTreeSet;

use presence_simulator::GraphServiceSettings;

use crate::support::{World, id, json, refusal, seconds, text, told};

const PATH: &str = "/communications/getPresencesByUserId";

#[test]
fn everyone_who_was_asked_for_is_told_in_any_order() {
    let mut world = World::new(GraphServiceSettings::with_users(700, "demo.example"));
    let token = world.app_token();
    let asked: Vec<u32> = (1..=650).collect();
    let answer = world.presences(&token, &asked);
    assert!((120_000..180_000).contains(&answer.body.len()), "{} bytes", answer.body.len());
    let told = told(&answer);
    let ids: Vec<String> = told.iter().map(|(id, _)| id.clone()).collect();
    let expected: Vec<String> = asked.iter().map(|user| id(*user)).collect();
    assert_ne!(ids, expected, "shuffled");
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), expected.into_iter().collect());
    let counters = world.service.counters();
    assert_eq!((counters.ids_asked, counters.largest_batch, counters.of_kind("presences")), (650, 650, 1));
}

#[test]
fn too_many_none_and_no_guids_are_refused() {
    let mut world = World::new(GraphServiceSettings::with_users(700, "demo.example"));
    let token = world.app_token();
    let many: Vec<u32> = (1..=651).collect();
    assert_eq!(refusal(&world.presences(&token, &many)), (400, "BadRequest".into()));
    for body in
        ["{\"ids\":[]}", "{\"ids\":[\"agent1@demo.example\"]}", "{}", "{\"ids\":\"x\"}", "[", "{\"ids\":[],\"x\":1}"]
    {
        assert_eq!(world.answer(&token, "POST", PATH, body).status, 400, "{body}");
    }
    assert_eq!(world.answer("unknown", "POST", PATH, "{}").status, 401);
    assert_eq!(world.service.counters().ids_asked, 0);
}

#[test]
fn strangers_drop_out_or_fail_the_whole() {
    let mut world = World::small();
    let token = world.app_token();
    assert_eq!(told(&world.presences(&token, &[1, 999])).len(), 1);
    world.order("strangers fail");
    assert_eq!(world.presences(&token, &[1, 999]).status, 400);
    world.order("remove agent1@demo.example");
    assert_eq!(world.presences(&token, &[1]).status, 400);
    world.order("restore agent1@demo.example");
    assert_eq!(world.presences(&token, &[1]).status, 200);
}

#[test]
fn a_change_is_told_with_a_higher_stamp() {
    let mut world = World::small();
    let token = world.app_token();
    let stamp = |world: &mut World| text(&json(&world.presences(&token, &[3]))["value"][0], "sequenceNumber");
    let before = stamp(&mut world);
    assert!(world.service.set_presence(world.now, "AGENT3@demo.example", "Busy", "InACall"));
    assert!(!world.service.set_presence(world.now, "nobody@demo.example", "Busy", "InACall"));
    let after = stamp(&mut world);
    assert!(after > before, "{after} {before}");
    world.order("set sip:agent3@demo.example Busy InACall");
    assert_eq!(stamp(&mut world), after, "no change, no stamp");
    world.order("set agent3@demo.example SomethingNew WeirdActivity");
    assert_eq!(told(&world.presences(&token, &[3])), [(id(3), "SomethingNew".to_owned())]);
    let single = json(&world.answer(&token, "GET", &format!("/users/{}/presence", id(3)), ""));
    assert_eq!(text(&single, "activity"), "WeirdActivity");
    assert_eq!(world.answer(&token, "GET", "/users/agent3@demo.example/presence", "").status, 404);
}

#[test]
fn an_answer_may_be_overtaken_lack_someone_or_lack_an_id() {
    let mut world = World::small();
    let token = world.app_token();
    world.order("set agent1@demo.example Away");
    world.order("overtake agent1@demo.example");
    assert_eq!(told(&world.presences(&token, &[1])), [(id(1), "Available".to_owned())]);
    assert_eq!(told(&world.presences(&token, &[1])), [(id(1), "Away".to_owned())]);
    world.order("leave-out agent1@demo.example times 2");
    for expected in [1, 1, 2] {
        assert_eq!(told(&world.presences(&token, &[1, 2])).len(), expected);
    }
    world.order("nameless");
    let nameless = json(&world.presences(&token, &[1, 2]));
    assert_eq!(nameless["value"].as_array().unwrap().iter().filter(|item| item.get("id").is_none()).count(), 1);
    assert_eq!(told(&world.presences(&token, &[1, 2])).len(), 2);
}

#[test]
fn everyone_moves_by_dice_and_the_same_seed_moves_them_in_the_same_way() {
    let moved = |seed| {
        let mut settings = GraphServiceSettings::with_users(100, "demo.example");
        (settings.seed, settings.change_interval) = (seed, Some(seconds(60)));
        let mut world = World::new(settings);
        world.pass(seconds(600));
        let state = (1..=100).map(|user| world.service.presence_of(&id(user)).unwrap()).collect::<Vec<_>>();
        (world.service.counters().changes, state)
    };
    let (changes, state) = moved(7);
    assert!((800..1_100).contains(&changes), "{changes}");
    assert_eq!(moved(7), (changes, state));
    assert_ne!(moved(8).1, moved(7).1);
}
