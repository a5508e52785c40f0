//! CPU per SUBSCRIBE, SUBSCRIBEs per second when the rate allows it, and the time of a full start.

use crate::DialectArgument;
use crate::meter::{self, Spread};
use crate::pool::Pool;
use crate::rig::Rig;

#[derive(clap::Args)]
pub(crate) struct Plan {
    /// Agents
    #[arg(long, default_value_t = 10_000)]
    agents: usize,
    /// Queues, each of which wants all agents
    #[arg(long, default_value_t = 1)]
    uccs: usize,
    /// MaxPresenceSubscriptionsPerSecond
    #[arg(long, default_value_t = 20_000)]
    rate: u32,
    /// Measurements, each with a new presence server and a new provider
    #[arg(long, default_value_t = 5)]
    repeat: usize,
}

pub(crate) async fn run(plan: Plan) {
    let (mut cost, mut rate, mut start, mut busiest) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for _ in 0..plan.repeat {
        let mut pool = Pool::start(plan.agents, DialectArgument::Simple).await;
        let rig = Rig::start(pool.address, plan.rate, plan.uccs, DialectArgument::Simple).await;
        let before = meter::cpu();
        let took = rig.want(plan.agents).await;
        cost.push(meter::each(meter::cpu().saturating_sub(before), plan.agents as u64));
        start.push(took.as_secs_f64() * 1e3);
        let times = pool.times().await;
        assert_eq!(times.count, plan.agents as u64, "one SUBSCRIBE for each agent");
        rate.push(meter::float(times.count - 1) / times.span.as_secs_f64());
        busiest = busiest.max(times.busiest_second);
        rig.end().await;
    }
    println!("{} agents, {} UCCs, {} per second allowed, {} times", plan.agents, plan.uccs, plan.rate, plan.repeat);
    println!("  CPU us per agent, wish to first value:     {}", Spread::of(cost));
    println!("  SUBSCRIBE/s, as the presence server saw:   {}", Spread::of(rate));
    println!("  ms from the wish to every agent's value:   {}", Spread::of(start));
    println!("  most SUBSCRIBEs in any one second:         {busiest}");
}
