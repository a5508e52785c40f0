//! Many endpoints and pools at once.

use presence_simulator::{ConnectionId, Homed, PoolSettings, Switches};
use presence_sip::Message;

use crate::support::{Ask, Bench, agent, content, parse, settings, uri};

const POOLS: usize = 3;
const ENDPOINTS: usize = 30;

fn owner(number: usize) -> String {
    format!("sip:app{number}@sim.example")
}

/// Changes are sent over the connection of the endpoint that they are for: who was told what.
fn told(bench: &mut Bench) -> Vec<(u64, Message)> {
    let mut all = Vec::new();
    while let Some(effect) = bench.front.poll_effect() {
        if let presence_simulator::FrontEndEffect::Transmit { connection, bytes } = effect {
            all.push((connection.0, parse(bytes)));
        }
    }
    all
}

#[test]
fn thirty_endpoints_in_three_pools_are_served_at_once_and_each_over_its_own_connection() {
    let mut forest = settings(Switches::default());
    let more = PoolSettings { fqdn: "pool2.sim.example".into(), address: "192.0.2.3:5061".parse().unwrap() };
    forest.pools.push(more);
    forest.endpoints = (0..ENDPOINTS).map(|number| Homed { uri: uri(&owner(number)), pool: number % POOLS }).collect();
    let mut bench = Bench::of(forest);
    for number in 0..ENDPOINTS {
        bench.connection = ConnectionId(100 + number as u64);
        bench.front.connected(bench.connection, number % POOLS);
        let name = owner(number);
        assert_eq!(bench.ask(&Ask::register(&name)).status(), Some(200), "{name}");
        let list = Ask::list(&name, &[agent(1), agent(2)]).call(&format!("list-{number}"));
        let (rows, documents) = content(&bench.ask(&list));
        // Agents of another pool are not in the list but by name.
        let own = if number % POOLS == 0 { 2 } else { 0 };
        assert_eq!((rows.resources.len(), documents.len()), (2, own), "{name}");
    }
    let counters = bench.front.counters();
    assert_eq!((counters.registered_now, counters.dialogs_now, counters.live_now), (ENDPOINTS, ENDPOINTS, 20));
    assert_eq!(counters.violations, Vec::<String>::new());

    let command = "set sip:agent1@sim.example away".parse().unwrap();
    bench.front.apply(bench.now, &command).unwrap();
    let mut heard = told(&mut bench);
    heard.sort_by_key(|(connection, _)| *connection);
    let expected: Vec<u64> = (0..ENDPOINTS).filter(|number| number % POOLS == 0).map(|n| 100 + n as u64).collect();
    assert_eq!(heard.iter().map(|(connection, _)| *connection).collect::<Vec<_>>(), expected);
    for (connection, message) in heard {
        assert!(message.header("To").unwrap().contains(&owner((connection - 100) as usize)));
        assert_eq!(content(&message).1[0].uri.as_deref(), Some(&*agent(1)));
    }
}
