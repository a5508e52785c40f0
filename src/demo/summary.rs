//! What the demo shows at its end.

use std::io::Write;

use presence_actors::ProviderView;
use presence_config::ContactCenter;
use presence_simulator::Counters;

use super::{Demo, queues};

/// The figures of the end.
struct Summary {
    agents: usize,
    queues: usize,
    pairs: usize,
    subscriptions: usize,
    most_for_one_agent: usize,
    busiest_second: usize,
    rate: u32,
    messages: u64,
    separate: u64,
    notifies: u64,
    ended: bool,
    left: usize,
}

/// Prints the summary. `during` was counted before the orderly end, `after` behind it.
pub(super) fn print(
    demo: &Demo,
    centers: &[ContactCenter],
    view: &ProviderView,
    during: &Counters,
    after: &Counters,
    ended: bool,
) {
    let pairs = queues::pairs(centers);
    let requests = during.subscribes + during.refreshes + during.unsubscribes + during.notifies_sent;
    let messages = 2 * requests;
    let agents = u64::try_from(view.agents().count().max(1)).unwrap_or(u64::MAX);
    let summary = Summary {
        agents: demo.agents,
        queues: centers.len(),
        pairs,
        subscriptions: during.active_subscriptions,
        most_for_one_agent: during.most_for_one_agent,
        busiest_second: after.busiest_second(),
        rate: demo.rate.get(),
        messages,
        separate: messages.saturating_mul(u64::try_from(pairs).unwrap_or(u64::MAX)) / agents,
        notifies: during.notifies_sent,
        ended,
        left: after.active_subscriptions,
    };
    let _closed = std::io::stdout().write_all(summary.text().as_bytes());
}

impl Summary {
    fn text(&self) -> String {
        let rows = [
            ("agents", self.agents.to_string()),
            ("queues", self.queues.to_string()),
            ("agents wanted, summed over the queues", self.pairs.to_string()),
            ("subscriptions on the wire", self.subscriptions.to_string()),
            ("most subscriptions that one agent ever had at once", self.most_for_one_agent.to_string()),
            ("presence notifications received", self.notifies.to_string()),
            ("SIP messages, both directions", self.messages.to_string()),
            ("SIP messages with a subscription per queue and agent", format!("about {}", self.separate)),
            ("most SUBSCRIBEs in any second", format!("{} (limit {})", self.busiest_second, self.rate)),
            ("subscriptions left at the server after the end", self.left.to_string()),
        ];
        let mut text = String::from("\n== summary\n");
        for (name, value) in rows {
            text.push_str(&format!("   {name:<54}{value:>12}\n"));
        }
        if !self.ended {
            text.push_str(
                "   (the end was not waited for: at the configured rate it takes longer than the grace period)\n",
            );
        }
        text
    }
}
