//! Orders as text.

use presence_simulator::{Command, CommandError};

use crate::support::Bench;

const ALL: [&str; 36] = [
    "kill-connections",
    "kill-connections pool 1",
    "kill-connections pool 0 for 20s",
    "kill-connections for 10m",
    "outage 0 20s",
    "outage 1 2h forget",
    "deregister sip:app@sim.example unregistered",
    "deregister sip:app@sim.example rejected",
    "deregister sip:app@sim.example deactivated",
    "deregister sip:app@sim.example userservices-unavailable",
    "deregister sip:app@sim.example preferred-registrar-change 1",
    "user-services off",
    "user-services on",
    "refuse SUBSCRIBE 503",
    "refuse REGISTER 480 retry-after 30s times 3 agent sip:app@sim.example diagnostics 1007",
    "quota sip:agent1@sim.example full",
    "quota sip:agent1@sim.example free",
    "move sip:agent1@sim.example 1",
    "move all 0",
    "disable sip:agent1@sim.example",
    "expire-silently",
    "expire-silently sip:agent1@sim.example sip:agent2@sim.example",
    "mute",
    "mute sip:agent1@sim.example sip:agent2@sim.example",
    "terminate sip:app@sim.example",
    "terminate sip:app@sim.example resubscribe",
    "malformed on",
    "malformed off",
    "delay 200ms",
    "delay 0s",
    "set sip:agent1@sim.example on-the-phone idle no-audio no-video no-text",
    "slow-start 5 500 10m",
    "slow-start 5 500 90s retry-after 1500ms",
    "forget-dialogs",
    "heal",
    "count",
];

#[test]
fn every_command_is_written_as_it_is_read() {
    for line in ALL {
        let command: Command = line.parse().unwrap();
        assert_eq!(command.to_string(), line);
        assert_eq!(command.to_string().parse(), Ok(command));
    }
    assert_eq!("  delay   120s ".parse::<Command>().unwrap().to_string(), "delay 2m");
}

#[test]
fn every_command_can_be_done() {
    for line in ALL {
        let mut bench = Bench::new();
        bench.listed(3);
        let said = bench.front.apply(bench.now, &line.parse().unwrap()).unwrap();
        assert!(!said.is_empty(), "{line}");
    }
}

#[test]
fn mistakes_are_explained() {
    for (line, told) in [
        ("", "it is empty"),
        ("explode", "`explode` is no command; there are: kill-connections, outage"),
        ("outage", "`outage` lacks a pool; write `outage POOL 20s [forget]`"),
        ("outage x 20s", "has `x` where a pool is expected"),
        ("outage 0 20", "has `20` where a time such as 200ms, 20s, 10m or 2h is expected"),
        ("outage 0 20s forgive", "does not understand `forgive`"),
        ("outage 0 99999999999999999999h", "where a time"),
        ("deregister sip:app@sim.example vanished", "does not know the event `vanished`"),
        ("refuse SUBSCRIBE 200", "has the status 200, which refuses nothing"),
        ("refuse SUBSCRIBE 503 times 0", "has `0` where a number above 0 is expected"),
        ("set sip:agent1@sim.example asleep", "does not know the state `asleep`"),
        ("disable nobody", "names no agent or endpoint"),
        ("malformed perhaps", "has `perhaps` where `on` or `off` is expected"),
    ] {
        let why = line.parse::<Command>().unwrap_err().to_string();
        assert!(why.contains(told), "{why}");
    }
}

#[test]
fn what_does_not_exist_is_said_and_changes_nothing() {
    let mut bench = Bench::new();
    for (line, told) in [
        ("outage 2 20s", "there is no pool 2; the last one is 1"),
        ("kill-connections pool 7", "there is no pool 7; the last one is 1"),
        ("set sip:x@sim.example busy", "there is no agent sip:x@sim.example"),
        ("move sip:x@sim.example 0", "there is no agent or endpoint sip:x@sim.example"),
        ("disable sip:x@sim.example", "there is no agent or endpoint sip:x@sim.example"),
        ("deregister sip:user@sim.example deactivated", "there is no registration of sip:user@sim.example"),
        ("expire-silently sip:x@sim.example", "there is no agent sip:x@sim.example"),
    ] {
        let why: CommandError = bench.front.apply(bench.now, &line.parse().unwrap()).unwrap_err();
        assert_eq!(why.to_string(), told);
    }
    assert!(bench.drain().is_empty() && bench.others.is_empty());
}
