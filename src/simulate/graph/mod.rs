//! `presence-provider simulate --graph`: a simulated Microsoft Graph by itself, for those who have no tenant.

mod credentials;
mod opening;
mod script;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use presence_simulator::{GraphCounters, GraphServer, GraphServerHandle, GraphServiceSettings};

use super::schedule::Schedule;
use super::{mistake, show, visible};
use crate::answer::Answer;
use crate::args::SimulateArguments;
use crate::exit::Exit;
use crate::shutdown::{Signal, Signals};
use script::Script;

/// How many agents there are when nobody says.
const AGENTS: u32 = 20;
/// How long an agent stays in a presence when nobody says.
const CHANGE_EVERY: Duration = Duration::from_secs(60);
/// Where the control port listens when nobody says and it is free.
const CONTROL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 5067);
/// How often what was counted is told.
const GLANCE: Duration = Duration::from_secs(5);
/// The account of a signed-in user.
const USER: &str = "user1";

/// What is to be run.
struct Plan {
    settings: GraphServiceSettings,
    listen: SocketAddr,
    /// Where the control port listens; another one will do when nobody asked for it.
    control: (SocketAddr, bool),
    script: Script,
    credentials: Option<PathBuf>,
}

/// Answers `presence-provider simulate --graph`: when it ends.
pub(super) fn simulate(arguments: &SimulateArguments, listen: SocketAddr) -> Answer {
    let (text, name) = match &arguments.config {
        None => (String::new(), String::new()),
        Some(path) => match std::fs::read_to_string(path) {
            Ok(text) => (text, path.display().to_string()),
            Err(why) => {
                return Answer::failed(Exit::Config, format!("error: failed to read {}: {why}\n", path.display()));
            }
        },
    };
    let agents = arguments.graph_agents.map_or(AGENTS, std::num::NonZeroU32::get);
    let domain = arguments.graph_domain.as_deref().unwrap_or(super::plan::DOMAIN);
    let mut settings = GraphServiceSettings::with_users(agents, domain).and_user(USER, credentials::REFRESH_TOKEN);
    settings.change_interval = Some(CHANGE_EVERY);
    let script = match Script::read(&text, &mut settings) {
        Ok(script) => script,
        Err(mistake) => return Answer::failed(Exit::Config, mistake::Mistake::shown(&mistake, &name, &text)),
    };
    if let Some(seed) = arguments.seed {
        settings.seed = seed;
    }
    if let Some(folder) = &arguments.make_credentials
        && let Err(why) = credentials::write(folder)
    {
        return Answer::failed(Exit::CannotCreate, format!("error: failed to write {}: {why}\n", folder.display()));
    }
    let control = arguments.control.map_or((CONTROL, true), |control| (control, false));
    let plan = Plan { settings, listen, control, script, credentials: arguments.make_credentials.clone() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async {
            let mut signals = Signals::listen()?;
            match start(&plan).await {
                Ok(running) => Ok(Ok(run(plan, running, arguments.duration, &mut signals).await)),
                Err(why) => Ok(Err(why)),
            }
        })
    });
    match ended {
        Ok(Ok(summary)) => Answer::ok(summary),
        Ok(Err(why)) => {
            Answer::failed(Exit::Config, format!("error: failed to start the simulated Microsoft Graph: {why}\n"))
        }
        Err(error) => Answer::failed(Exit::Internal, format!("error: the simulation failed: {error:#}\n")),
    }
}

/// Starts it; where nobody asked for the control port and it is taken, another one will do.
async fn start(plan: &Plan) -> Result<GraphServerHandle, String> {
    let (control, any) = plan.control;
    let start = |control| GraphServer::start_with_control(plan.settings.clone(), plan.listen, Some(control));
    let first = start(control).await;
    let outcome = match first {
        Err(_) if any => start(SocketAddr::new(control.ip(), 0)).await,
        outcome => outcome,
    };
    outcome.map_err(|why| format!("cannot listen on {}: {why}", plan.listen))
}

async fn run(plan: Plan, running: GraphServerHandle, until: Option<Duration>, signals: &mut Signals) -> String {
    let folder: Option<&Path> = plan.credentials.as_deref();
    show(&opening::text(&plan.settings, &running, folder, until));
    let begin = presence_actors::now();
    let say = |now: Instant, text: &str| {
        show(&format!("{:>8.1}  {text}\n", now.saturating_duration_since(begin).as_secs_f64()));
    };
    let end = until.map(|until| begin + until);
    let mut schedule = Schedule::new(begin, plan.script.steps);
    let (mut glance, mut before) = (begin + GLANCE, running.counters());
    loop {
        let wake = [Some(glance), schedule.next(), end].into_iter().flatten().min().unwrap_or(glance);
        tokio::select! {
            biased;
            signal = signals.end() => {
                let what = if signal == Signal::Interrupt { "Ctrl-C" } else { signal.name() };
                say(presence_actors::now(), &format!("{what}: the simulation ends"));
                break;
            }
            () = tokio::time::sleep_until(wake.into()) => {
                let now = presence_actors::now();
                for line in schedule.due(now) {
                    let answer = match running.command(&line) {
                        Ok(done) if done.is_empty() => "ok".to_owned(),
                        Ok(done) => format!("ok {done}"),
                        Err(why) => format!("error {why}"),
                    };
                    say(now, &format!("script: {line} -> {answer}"));
                }
                if now >= glance {
                    glance = now + GLANCE;
                    let counters = running.counters();
                    if let Some(line) = since(&before, &counters) {
                        say(now, &line);
                    }
                    before = counters;
                }
                if end.is_some_and(|end| now >= end) {
                    say(now, "the time is over: the simulation ends");
                    break;
                }
            }
        }
    }
    let counters = running.counters();
    running.stop().await;
    visible(&format!("\nSummary\n   {}\n", counters.to_string().replace(' ', "\n   ").replace('=', " ")))
}

/// What came since the last glance; none when nothing did.
fn since(before: &GraphCounters, now: &GraphCounters) -> Option<String> {
    let mut parts = Vec::new();
    for (kind, count) in &now.by_kind {
        let more = count - before.of_kind(kind);
        if more > 0 {
            parts.push(format!("{more} {kind}"));
        }
    }
    for (status, count) in now.by_status.iter().filter(|(status, _)| !(200..300).contains(*status)) {
        let more = count - before.by_status.get(status).copied().unwrap_or(0);
        if more > 0 {
            parts.push(if *status == 0 { format!("{more} unanswered") } else { format!("{more} with {status}") });
        }
    }
    let notices = now.notices - before.notices;
    if notices > 0 {
        parts.push(format!("{notices} changes notified"));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glance_tells_what_is_new_and_nothing_else() {
        let mut counters = GraphCounters::default();
        counters.by_kind.insert("presences", 3);
        counters.by_status.insert(200, 3);
        assert_eq!(since(&GraphCounters::default(), &counters), Some("3 presences".to_owned()));
        let before = counters.clone();
        assert_eq!(since(&before, &counters), None);
        counters.by_status.insert(429, 2);
        counters.by_status.insert(0, 1);
        assert_eq!(since(&before, &counters), Some("1 unanswered, 2 with 429".to_owned()));
    }
}
