//! CPU per NOTIFY from the socket to the queues, and NOTIFYs per second.

use std::time::Instant;

use crate::DialectArgument;
use crate::meter::{self, Spread};
use crate::pool::Pool;
use crate::rig::{Heard, Rig};

#[derive(clap::Args)]
pub(crate) struct Plan {
    /// Agents, all of them watched by every queue
    #[arg(long, default_value_t = 100)]
    agents: usize,
    /// Queues
    #[arg(long, default_value_t = 10)]
    uccs: usize,
    /// NOTIFYs of one measurement
    #[arg(long, default_value_t = 100_000)]
    notifies: u64,
    /// Measurements
    #[arg(long, default_value_t = 5)]
    repeat: usize,
    /// What is spoken to the presence server
    #[arg(long, value_enum, default_value = "simple")]
    dialect: DialectArgument,
}

pub(crate) async fn run(plan: Plan) {
    let mut pool = Pool::start(plan.agents, plan.dialect).await;
    let rig = Rig::start(pool.address, 20_000, plan.uccs, plan.dialect).await;
    rig.want(plan.agents).await;
    // Warms up, and brings every agent into one of the two states between which it goes from here on.
    pool.blast(plan.agents, plan.notifies.div_ceil(10).max(plan.agents as u64)).await;
    rig.settle().await;
    let missed = rig.heard.missed();
    let (mut cost, mut rate) = (Vec::new(), Vec::new());
    for _ in 0..plan.repeat {
        let (heard, before, start) = (rig.heard.all(), meter::cpu(), Instant::now());
        let blast = pool.blast(plan.agents, plan.notifies).await;
        rig.heard.until(Heard::all, heard + plan.notifies * plan.uccs as u64).await;
        cost.push(meter::each(meter::cpu().saturating_sub(before), plan.notifies));
        // A BENOTIFY is not answered: what counts is when the queues have heard of the last one.
        let elapsed = if plan.dialect == DialectArgument::Skype { start.elapsed() } else { blast.elapsed };
        rate.push(meter::float(blast.answered) / elapsed.as_secs_f64());
    }
    println!("{} agents, {} UCCs, {} x {} NOTIFYs", plan.agents, plan.uccs, plan.repeat, plan.notifies);
    println!("  CPU us per NOTIFY, socket to all UCCs:  {}", Spread::of(cost));
    println!("  NOTIFY/s, each a change, all answered:  {}", Spread::of(rate));
    println!("  changes dropped because a UCC lagged:   {} (and {missed} before)", rig.heard.missed() - missed);
    rig.end().await;
}
