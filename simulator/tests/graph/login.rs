//! Who gets a token, and who does not.

use crate::support::{CLIENT, SECRET, World, json, seconds, text};

fn error(answer: &presence_simulator::ServiceAnswer) -> (u16, String, u64) {
    let body = json(answer);
    (answer.status, text(&body, "error"), body["error_codes"][0].as_u64().unwrap_or(0))
}

#[test]
fn a_good_secret_gets_a_token_that_opens_graph_until_it_runs_out() {
    let mut world = World::small();
    let token = world.app_token();
    assert!(token.contains("account1"), "the token carries which account");
    assert_eq!(world.presences(&token, &[1]).status, 200);
    world.pass(seconds(3_599));
    assert_eq!(world.presences(&token, &[1]).status, 200);
    world.pass(seconds(1));
    assert_eq!(world.presences(&token, &[1]).status, 401);
}

#[test]
fn a_wrong_secret_an_unknown_application_and_an_unknown_tenant_are_told_apart() {
    let mut world = World::small();
    assert_eq!(error(&world.by_secret("wrong")), (401, "invalid_client".into(), 7_000_215));
    let other = "grant_type=client_credentials&client_id=x&client_secret=y&scope=https://graph.microsoft.com/.default";
    assert_eq!(error(&world.form("token", other)), (400, "unauthorized_client".into(), 700_016));
    let scope = format!("grant_type=client_credentials&client_id={CLIENT}&client_secret={SECRET}&scope=Presence.Read");
    assert_eq!(error(&world.form("token", &scope)), (400, "invalid_scope".into(), 1_002_012));
}

#[test]
fn a_secret_expires_and_is_renewed() {
    let mut world = World::small();
    let token = world.app_token();
    world.order("secret expired account1");
    assert_eq!(error(&world.by_secret(SECRET)), (401, "invalid_client".into(), 7_000_222));
    assert_eq!(world.presences(&token, &[1]).status, 200, "a token that was given stays good");
    world.order("secret renewed account1 another~one");
    assert_eq!(error(&world.by_secret(SECRET)).2, 7_000_215);
    assert_eq!(world.by_secret("another~one").status, 200);
}

#[test]
fn a_refresh_token_is_used_up_by_its_use() {
    let mut world = World::small();
    let first = json(&world.by_refresh("first"));
    let second = text(&first, "refresh_token");
    assert_eq!(error(&world.by_refresh("first")).1, "invalid_grant");
    assert_eq!(world.by_refresh(&second).status, 200);
    let mut lenient = World::small();
    lenient.order("rotation lenient");
    lenient.by_refresh("first");
    assert_eq!(lenient.by_refresh("first").status, 200);
}

#[test]
fn a_sign_in_dies_and_is_made_anew_by_a_device_code() {
    let mut world = World::small();
    let token = world.user_token();
    world.order("revoke anna");
    assert_eq!(error(&world.by_refresh("first")), (400, "invalid_grant".into(), 50173));
    assert_eq!(world.presences(&token, &[1]).status, 401);
    world.order("revoke anna 700082");
    assert_eq!(error(&world.by_refresh("first")), (400, "invalid_grant".into(), 700_082));

    let asked =
        format!("client_id={CLIENT}&scope=https%3A%2F%2Fgraph.microsoft.com%2FPresence.Read.All%20offline_access");
    let code = json(&world.form("devicecode", &asked));
    assert_eq!(code["interval"], 5);
    let device = text(&code, "device_code");
    let poll = format!(
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&client_id={CLIENT}&device_code={device}"
    );
    assert_eq!(error(&world.form("token", &poll)).1, "authorization_pending");
    world.pass(seconds(1));
    assert_eq!(error(&world.form("token", &poll)).1, "slow_down");
    world.pass(seconds(9));
    assert_eq!(error(&world.form("token", &poll)).1, "slow_down", "the interval has grown");
    let said = world.order("sign-in anna");
    assert!(said.contains(&text(&code, "user_code")), "{said}");
    world.pass(seconds(15));
    let granted = json(&world.form("token", &poll));
    assert_eq!(world.by_refresh(&text(&granted, "refresh_token")).status, 200);
    assert_eq!(error(&world.form("token", &poll)).1, "expired_token", "a code is used once");
}

#[test]
fn a_sign_in_may_be_declined_expected_or_too_late() {
    let asked = format!("client_id={CLIENT}&scope=Presence.Read.All%20offline_access");
    let poll = |code: &serde_json::Value| {
        let device = text(code, "device_code");
        format!("grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id={CLIENT}&device_code={device}")
    };
    let mut world = World::small();
    let code = json(&world.form("devicecode", &asked));
    world.order("decline anna");
    assert_eq!(error(&world.form("token", &poll(&code))).1, "authorization_declined");
    world.order("sign-in anna");
    let code = json(&world.form("devicecode", &asked));
    assert_eq!(world.form("token", &poll(&code)).status, 200, "it was expected");
    let code = json(&world.form("devicecode", &asked));
    world.pass(seconds(900));
    assert_eq!(error(&world.form("token", &poll(&code))).1, "expired_token");
    let without = world.form("devicecode", &format!("client_id={CLIENT}&scope=Presence.Read.All"));
    assert_eq!(error(&without).1, "invalid_scope");
}

#[test]
fn every_secret_is_remembered_for_those_who_look_for_it() {
    let mut world = World::small();
    let app = world.app_token();
    let user = world.user_token();
    world.subscribed(&user, &[1]);
    let secrets = world.service.secrets();
    for secret in [SECRET, "first", &app, &user, "a-client-state"] {
        assert!(secrets.iter().any(|known| known == secret), "{secret}");
    }
}
