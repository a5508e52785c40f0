//! Users, by name and by filter.

use presence_simulator::GraphServiceSettings;
use serde_json::Value;

use crate::support::{World, id, json, refusal, text};

fn ids(body: &Value) -> Vec<String> {
    body["value"].as_array().unwrap().iter().map(|user| text(user, "id")).collect()
}

#[test]
fn a_user_is_found_by_id_and_by_name() {
    let mut world = World::small();
    let token = world.app_token();
    let select = "?$select=id,userPrincipalName,mail,proxyAddresses,imAddresses";
    for name in ["agent2@demo.example", "Agent2%40DEMO.example", &id(2)] {
        let user = json(&world.answer(&token, "GET", &format!("/users/{name}{select}"), ""));
        assert_eq!(text(&user, "id"), id(2));
        assert_eq!(user["imAddresses"][0], "sip:agent2@demo.example");
    }
    let quoted = json(&world.answer(&token, "GET", "/users('agent2%40demo.example')?$select=id", ""));
    assert_eq!(text(&quoted, "id"), id(2));
    let unknown = world.answer(&token, "GET", "/users/nobody@demo.example", "");
    assert_eq!(refusal(&unknown), (404, "Request_ResourceNotFound".into()));
    assert_eq!(world.answer(&token, "GET", "/users/agent2@demo.example?$select=secret", "").status, 400);
    assert_eq!(world.answer(&token, "GET", "/users/$agent@demo.example", "").status, 400);
}

#[test]
fn a_filter_finds_those_that_it_names() {
    let mut world = World::small();
    let token = world.app_token();
    for (filter, users) in [
        ("userPrincipalName in ('agent1@demo.example','nobody@demo.example','agent3@demo.example')", vec![1, 3]),
        ("imAddresses/any(i:i eq 'sip:agent4@demo.example')", vec![4]),
        ("proxyAddresses/any(p:p eq 'SIP:agent5@demo.example')", vec![5]),
        ("proxyAddresses/any(p:p eq 'sip:agent5@demo.example')", vec![]),
        ("mail eq 'agent6@demo.example'", vec![6]),
    ] {
        let filter = filter.replace(' ', "%20").replace('\'', "%27");
        let body = json(&world.answer(&token, "GET", &format!("/users?$filter={filter}&$select=id"), ""));
        assert_eq!(ids(&body), users.iter().map(|user| id(*user)).collect::<Vec<_>>(), "{filter}");
    }
    let refused = world.answer(&token, "GET", "/users?$filter=displayName%20eq%20%27a%27", "");
    assert_eq!(refusal(&refused), (400, "Request_UnsupportedQuery".into()));
}

#[test]
fn long_lists_come_in_pages() {
    let mut settings = GraphServiceSettings::with_users(7, "demo.example");
    settings.origin = "http://127.0.0.1:9".into();
    let mut world = World::new(settings);
    let token = world.app_token();
    world.order("page-size 3");
    let (mut path, mut all, mut pages) = ("/users?$select=id".to_owned(), Vec::new(), 0);
    loop {
        let body = json(&world.answer(&token, "GET", &path, ""));
        all.extend(ids(&body));
        pages += 1;
        let Some(next) = body["@odata.nextLink"].as_str() else { break };
        path = next.strip_prefix("http://127.0.0.1:9/v1.0").expect("this host").to_owned();
    }
    assert_eq!((pages, all), (3, (1..=7).map(id).collect::<Vec<_>>()));
}

#[test]
fn an_address_may_be_of_two_users_or_of_none() {
    let mut world = World::small();
    let token = world.app_token();
    world.order("ambiguous agent1@demo.example");
    assert_eq!(world.answer(&token, "GET", "/users/agent1@demo.example", "").status, 404);
    let filter = "/users?$select=id&$filter=imAddresses/any(i:i%20eq%20%27sip:agent1@demo.example%27)";
    let body = json(&world.answer(&token, "GET", filter, ""));
    assert_eq!(ids(&body).len(), 2);
    world.order("remove agent2@demo.example");
    assert_eq!(world.answer(&token, "GET", "/users/agent2@demo.example", "").status, 404);
    world.order("restore agent2@demo.example");
    assert_eq!(world.answer(&token, "GET", "/users/agent2@demo.example", "").status, 200);
}
