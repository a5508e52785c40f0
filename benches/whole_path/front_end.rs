//! The simulated Skype for Business pool in a process of its own.

use std::net::SocketAddr;
use std::time::Instant;

use presence_simulator::{Activity, AgentState, FrontEndServer, FrontEndServerSettings, FrontEndSettings};

use crate::pool::{DOMAIN, answer, orders};

/// So much may wait for the provider before more is made, in bytes.
const WAITING: usize = 64 * 1024;

/// So many changes are made between two looks at what waits.
const BURST: u64 = 16;

/// Serves until its input ends. A change is told by a BENOTIFY, which nobody answers.
pub(crate) fn serve(agents: usize) {
    let mut ordered = orders();
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let settings = FrontEndSettings::one_pool("pool.load.example", anywhere, agents, DOMAIN);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = FrontEndServer::start(FrontEndServerSettings::on_loopback(settings)).await.unwrap();
        let uris: Vec<String> = (1..=agents).map(|number| format!("sip:agent{number}@{DOMAIN}")).collect();
        answer(&server.address(0).to_string());
        let mut made: u64 = 0;
        while let Some(order) = ordered.recv().await {
            let words: Vec<&str> = order.split(' ').collect();
            match words.as_slice() {
                ["blast", agents, changes] => {
                    let (agents, changes): (u64, u64) = (agents.parse().unwrap(), changes.parse().unwrap());
                    let start = Instant::now();
                    for change in 0..changes {
                        let place = usize::try_from(made % agents).unwrap();
                        // Every agent goes from one state to the other and back.
                        let busy = (made / agents).is_multiple_of(2);
                        let activity = if busy { Activity::Busy } else { Activity::Available };
                        assert!(server.set_presence(&uris[place], AgentState::of(activity)));
                        made += 1;
                        if change % BURST == 0 {
                            server.written_below(WAITING).await;
                        }
                    }
                    server.written_below(1).await;
                    answer(&format!("{changes} {changes} {}", start.elapsed().as_nanos()));
                }
                _ => unreachable!("no such order: {order}"),
            }
        }
    });
}
