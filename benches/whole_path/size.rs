//! Resident memory per agent, at first and after many NOTIFYs.

use std::time::Duration;

use crate::DialectArgument;
use crate::meter;
use crate::pool::Pool;
use crate::rig::Rig;

#[derive(clap::Args)]
pub(crate) struct Plan {
    /// Agents
    #[arg(long, default_value_t = 10_000)]
    agents: usize,
    /// Queues, each of which wants all agents
    #[arg(long, default_value_t = 3)]
    uccs: usize,
    /// After how many NOTIFYs for each agent to look again
    #[arg(long, value_delimiter = ',', default_value = "1,10,100,1000")]
    steps: Vec<u64>,
    /// What is spoken to the presence server
    #[arg(long, value_enum, default_value = "simple")]
    dialect: DialectArgument,
}

/// What is in motion comes to rest before memory is read.
const REST: Duration = Duration::from_secs(2);

pub(crate) async fn run(plan: Plan) {
    let mut pool = Pool::start(plan.agents, plan.dialect).await;
    let rig = Rig::start(pool.address, 20_000, plan.uccs, plan.dialect).await;
    tokio::time::sleep(REST).await;
    let empty = meter::resident();
    let took = rig.want(plan.agents).await;
    println!("{} agents x {} UCCs; before: {} kB", plan.agents, plan.uccs, empty / 1024);
    println!("  all subscribed after {:.0} ms", took.as_secs_f64() * 1e3);
    report(&plan, empty, 0).await;
    let mut done = 0;
    for step in &plan.steps {
        pool.blast(plan.agents, (step - done) * plan.agents as u64).await;
        rig.settle().await;
        done = *step;
        report(&plan, empty, done).await;
    }
    println!("  changes dropped because a UCC lagged: {}", rig.heard.missed());
    rig.end().await;
}

async fn report(plan: &Plan, empty: u64, notifies: u64) {
    tokio::time::sleep(REST).await;
    let now = meter::resident();
    let each = now.saturating_sub(empty) / plan.agents as u64;
    println!("  after {notifies:>5} NOTIFYs each: {:>6} kB resident, {each} bytes per agent", now / 1024);
}
