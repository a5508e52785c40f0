//! `presence-provider run` against servers that refuse, ask for passwords, go away and come back.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use std::time::Duration;

use presence_simulator::{Activity, AgentState, DigestSettings, SimulatorHandle, SimulatorSettings};
use process::{Config, DOMAIN, Ended, Service, pool, queue, server, server_with, taken_apart, wait_for};

fn assert_no_error(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(ended.lines.iter().all(|line| taken_apart(line).1 != "ERROR"), "{}", ended.all());
}

#[test]
fn an_agent_that_the_server_does_not_know_costs_the_others_nothing() {
    let server = server(2);
    let config = Config::new(&pool(server.address(), "tcp"), &queue("ucc_app01", &[1, 99, 2]));
    let service = config.run(&[]);
    service.until("the two good ones are subscribed", || server.active_subscriptions() == 2);
    let failed = service.says("the subscription failed");
    assert!(failed.contains(" WARN - ") && failed.contains("uri=sip:agent99@demo.example"), "{failed}");
    assert!(failed.contains("404") && failed.contains("failures=1") && failed.contains("next_retry_in="), "{failed}");
    assert_no_error(&service.terminate());
    assert_eq!(server.active_subscriptions(), 0);
}

/// Its first user is one that may, with the password `s3cret pass`.
fn guarded() -> SimulatorHandle {
    let digest = Some(DigestSettings::one_user(DOMAIN, "ucc_app01", "s3cret pass"));
    server_with(SimulatorSettings { digest, ..SimulatorSettings::with_agents(2, DOMAIN) })
}

fn with_password(server: &SimulatorHandle) -> Config {
    let pool = pool(server.address(), "tcp") + r#" UserName="ucc_app01" PasswordFile="pool.password""#;
    Config::new(&pool, &queue("ucc_app01", &[1, 2]))
}

fn assert_let_in(service: Service, server: &SimulatorHandle) {
    service.until("both are subscribed", || server.active_subscriptions() == 2);
    let ended = service.terminate();
    assert_no_error(&ended);
    assert_eq!(server.active_subscriptions(), 0);
    assert!(server.counters().challenges > 0);
    assert!(ended.with("s3cret").next().is_none(), "no password in the log");
}

#[test]
fn the_password_comes_from_the_file_beside_the_configuration() {
    let server = guarded();
    let config = with_password(&server);
    config.beside("pool.password", "s3cret pass\n");
    assert_let_in(config.run(&["--log-level", "trace"]), &server);
}

#[test]
fn the_service_managers_credential_comes_first() {
    let server = guarded();
    let config = with_password(&server);
    config.beside("pool.password", "an old one\n");
    let credential = config.beside("credentials/pool.password", "s3cret pass\n");
    let mut command = config.command(&[]);
    command.env("CREDENTIALS_DIRECTORY", credential.parent().unwrap());
    assert_let_in(Service::start(command), &server);
}

#[test]
fn a_wrong_password_is_told_and_no_agent_is_given_up_for_it() {
    let server = guarded();
    let config = with_password(&server);
    config.beside("pool.password", "wrong\n");
    let service = config.run(&[]);
    let told = service.says("the application endpoint cannot subscribe its agents; none is given up for it");
    assert!(told.contains("401"), "the endpoint's failure, not the agent's: {told}");
    let ended = service.terminate();
    assert_no_error(&ended);
    assert!(ended.with("abandoned").next().is_none(), "{}", ended.all());
    assert_eq!(server.active_subscriptions(), 0);
}

#[test]
fn the_user_endpoint_serves_from_its_own_pool_what_the_application_endpoint_cannot() {
    let home = server(1);
    let online =
        server_with(SimulatorSettings { agents: vec![format!("sip:agent7@{DOMAIN}")], ..SimulatorSettings::default() });
    online.set_presence("sip:agent7@demo.example", AgentState::of(Activity::Busy));
    let user = format!(r#"<UserEndpoint UserUri="sip:demo_user@{DOMAIN}" PoolFqdn="{}" />"#, online.address());
    let text = Config::text("", &user, &pool(home.address(), "tcp"), &queue("ucc_app01", &[1, 7]));
    let config = Config::of(&text);
    let service = config.run(&["--log-level", "debug"]);
    service.until("each has one", || home.active_subscriptions() == 1 && online.active_subscriptions() == 1);
    service.says("Presence change: 'sip:agent7@demo.example' Busy");
    let ended = service.terminate();
    assert_no_error(&ended);
    assert!(ended.with("UserEndpoints:[sip:demo_user@demo.example]").next().is_some(), "{}", ended.all());
    assert_eq!((home.active_subscriptions(), online.active_subscriptions()), (0, 0));
}

#[test]
fn lost_connections_are_opened_again_and_the_agents_are_not_lost() {
    let server = server(3);
    let config = Config::new(&pool(server.address(), "tcp"), &queue("ucc_app01", &[1, 2, 3]));
    let service = config.run(&["--log-level", "debug"]);
    service.until("all are subscribed", || server.active_subscriptions() == 3);
    service.says("Presence change: 'sip:agent3@demo.example'");
    assert!(server.drop_connections() > 0);
    service.says("the application endpoint is lost; its agents keep their last value as stale");
    service.says("application endpoint Reestablishing -> Established");
    server.set_presence("sip:agent2@demo.example", AgentState::of(Activity::OnThePhone));
    service.says("Presence change: 'sip:agent2@demo.example' Busy : 6500 : on-the-phone :");
    assert_no_error(&service.terminate());
    let counters = server.counters();
    assert_eq!((server.active_subscriptions(), counters.most_for_one_agent), (0, 1), "{counters:?}");
}

#[test]
fn a_server_that_is_started_anew_gets_every_subscription_again() {
    let first = server(3);
    let address = first.address();
    let config = Config::new(&pool(address, "tcp"), &queue("ucc_app01", &[1, 2, 3]));
    let service = config.run(&["--log-level", "debug"]);
    service.until("all are subscribed", || first.active_subscriptions() == 3);
    wait_for(first.stop());
    drop(first);
    service.says("the application endpoint cannot reach its pool; it keeps trying");
    let second = server_with(SimulatorSettings { listen: address, ..SimulatorSettings::with_agents(3, DOMAIN) });
    second.set_presence("sip:agent1@demo.example", AgentState::of(Activity::DoNotDisturb));
    service.until("all are back", || second.active_subscriptions() == 3);
    service.says("Presence change: 'sip:agent1@demo.example' DoNotDisturb");
    assert_no_error(&service.terminate());
    assert_eq!(second.active_subscriptions(), 0);
}

#[test]
fn a_server_that_is_not_there_yet_is_waited_for() {
    let absent = server(1);
    let address = absent.address();
    wait_for(absent.stop());
    drop(absent);
    let config = Config::new(&pool(address, "tcp"), &queue("ucc_app01", &[1]));
    let service = config.run(&[]);
    let told = service.says("the application endpoint cannot reach its pool; it keeps trying");
    assert!(told.contains("connection refused"), "{told}");
    let server = server_with(SimulatorSettings { listen: address, ..SimulatorSettings::with_agents(1, DOMAIN) });
    service.until("the agent is subscribed", || server.active_subscriptions() == 1);
    assert_no_error(&service.terminate());
}

#[test]
fn an_end_while_the_server_is_away_does_not_wait_for_it() {
    let server = server(2);
    let config = Config::new(&pool(server.address(), "tcp"), &queue("ucc_app01", &[1, 2]));
    let service = config.run(&["--grace", "1m"]);
    service.until("both are subscribed", || server.active_subscriptions() == 2);
    wait_for(server.pause_listening(Duration::from_secs(60)));
    server.drop_connections();
    service.says("cannot reach its pool");
    assert_no_error(&service.terminate());
}
