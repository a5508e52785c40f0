//! Whether the process lives, and whether it is ready.

use std::time::{Duration, Instant};

use actix_rt::System;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, ResponseError};
use presence_actors::now;
use presence_core::{SourceKind, SourceRules};
use serde::Serialize;
use tokio::sync::oneshot;
use utoipa::{OpenApi, ToSchema};

use super::model::{Source, SourceName};
use super::observatory::clock_time;
use super::{Api, Problem};
use crate::state::KeepingReading;

/// The actors' thread has so long to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// What this part adds to the description of the API.
#[derive(OpenApi)]
#[openapi(
    paths(live, ready),
    components(schemas(Alive, Readiness, NotReady)),
    tags((name = "monitoring", description = "For monitoring systems"))
)]
pub(super) struct Doc;

/// The routes of this part.
pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(web::resource("/health/live").route(web::get().to(live)));
    config.service(web::resource("/health/ready").route(web::get().to(ready)));
}

/// The process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Alive {
    /// Always true.
    alive: bool,
}

/// Whether a source can serve its agents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct SourceReadiness {
    /// Which.
    source: SourceName,
    /// True when it can.
    ready: bool,
    /// Why not.
    why: Option<String>,
}

/// Whether all sources can serve their agents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Readiness {
    /// All can.
    ready: bool,
    /// Each one that is switched on.
    sources: Vec<SourceReadiness>,
    /// What needs a look although agents are served, a sentence each.
    notes: Vec<String>,
}

/// A problem document that says which source is not ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct NotReady {
    #[serde(flatten)]
    problem: Problem,
    #[serde(flatten)]
    readiness: Readiness,
}

/// Is the process alive?
///
/// Asks the thread of the actors, which has a second to answer. Needs no token.
#[utoipa::path(
    get, path = "/health/live", tag = "monitoring",
    responses(
        (status = 200, description = "It lives", body = Alive),
        (status = 503, description = "The actors do not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn live() -> Result<web::Json<Alive>, Problem> {
    actors_answer().await?;
    Ok(web::Json(Alive { alive: true }))
}

/// Can every source serve its agents?
///
/// UcmaPresenceSource without an endpoint that is up is not ready, nor is MsGraphPresenceSource when no tenant could be asked
/// for half a minute; the answer says why. `notes` names what needs a look and keeps nobody from being served, such as a
/// state for the next start that cannot be written. Needs no token.
#[utoipa::path(
    get, path = "/health/ready", tag = "monitoring",
    responses(
        (status = 200, description = "All sources are ready", body = Readiness),
        (status = 503, description = "A source is not ready", body = NotReady, content_type = "application/problem+json"),
    )
)]
async fn ready(api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    actors_answer().await?;
    let now = now();
    let notes = api.keeping.read(now).and_then(|keeping| note(&keeping, now)).into_iter().collect();
    Ok(match readiness(api.observatory.snapshot().sources(), api.provider.rules(), notes) {
        Ok(readiness) => HttpResponse::Ok().json(readiness),
        Err(not_ready) => not_ready.response(),
    })
}

const fn element(source: SourceName) -> &'static str {
    match source {
        SourceName::Attendant => SourceKind::Attendant.element(),
        SourceName::Pstn => SourceKind::Pstn.element(),
        SourceName::MsGraph => SourceKind::MsGraph.element(),
        SourceName::Ucma => SourceKind::Ucma.element(),
    }
}

/// What needs a look of the state for the next start. Its reason may name a path, and everybody may read this.
fn note(keeping: &KeepingReading, now: Instant) -> Option<String> {
    let since = clock_time(keeping.not_kept.as_ref()?.since, now);
    Some(format!(
        "the state for the next start is not written since {since}; the log and `presence-provider status` say why"
    ))
}

/// Which source is ready, and which is not; `rules` says which are switched on.
fn readiness(sources: &[Source], rules: &SourceRules, notes: Vec<String>) -> Result<Readiness, Box<NotReady>> {
    let of = |source: &Source| SourceReadiness { source: source.source, ready: source.ready, why: source.why.clone() };
    let mut sources: Vec<_> = sources.iter().map(of).collect();
    // What its settings do not let start is no source to look at.
    let is_missing = rules.graph.is_some() && sources.iter().all(|source| source.source != SourceName::MsGraph);
    if is_missing && !sources.is_empty() {
        let why = Some("it is not started; the log says why".to_owned());
        sources.push(SourceReadiness { source: SourceName::MsGraph, ready: false, why });
    }
    let reasons: Vec<_> = sources
        .iter()
        .filter(|source| !source.ready)
        .map(|source| {
            let why = source.why.as_deref().unwrap_or("it does not say why");
            format!("the {} is not ready: {why}", element(source.source))
        })
        .collect();
    // Before the first look at the provider none of them is seen.
    let is_seen =
        !sources.is_empty() || (rules.attendant.is_none() && !rules.pstn && !rules.ucma && rules.graph.is_none());
    let ready = reasons.is_empty() && is_seen;
    let readiness = Readiness { ready, sources, notes };
    if ready {
        return Ok(readiness);
    }
    let detail = if reasons.is_empty() { "the sources have just been started".to_owned() } else { reasons.join("; ") };
    Err(Box::new(NotReady { problem: Problem::unavailable(detail, PATIENCE), readiness }))
}

impl NotReady {
    fn response(&self) -> HttpResponse {
        let text = serde_json::to_string(self).unwrap_or_default();
        self.problem.error_response().set_body(text).map_into_boxed_body()
    }
}

/// Has the thread of the actors do something, to see whether it does anything.
async fn actors_answer() -> Result<(), Problem> {
    let (answer, answered) = oneshot::channel();
    if let Some(system) = System::try_current() {
        system.arbiter().spawn(async move {
            let _ = answer.send(());
        });
    }
    match tokio::time::timeout(PATIENCE, answered).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => {
            let detail =
                format!("the actors have not answered for {} s: the process hangs or ends", PATIENCE.as_secs());
            Err(Problem::unavailable(detail, PATIENCE))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::model::AgentCounts;

    fn source(source: SourceName, why: Option<&str>) -> Source {
        let (ready, why) = (why.is_none(), why.map(str::to_owned));
        Source { source, ready, why, agents: AgentCounts::default(), restarts: 0 }
    }

    fn rules() -> SourceRules {
        SourceRules { attendant: None, pstn: true, graph: None, ucma: true }
    }

    #[test]
    fn ready_is_who_has_every_source_ready() {
        let sources = [source(SourceName::Pstn, None), source(SourceName::Ucma, None)];
        let readiness = readiness(&sources, &rules(), Vec::new()).unwrap();
        assert!(readiness.ready && readiness.sources.iter().all(|source| source.ready));
    }

    #[test]
    fn the_source_that_is_not_ready_is_named_with_the_reason() {
        let sources = [source(SourceName::Pstn, None), source(SourceName::Ucma, Some("no endpoint is up: refused"))];
        let not_ready = readiness(&sources, &rules(), Vec::new()).unwrap_err();
        assert_eq!(not_ready.problem.detail, "the UcmaPresenceSource is not ready: no endpoint is up: refused");
        let json = serde_json::to_value(&not_ready).unwrap();
        assert_eq!((&json["status"], &json["ready"]), (&503.into(), &false.into()));
        assert_eq!(json["sources"][0]["ready"], true);
        assert_eq!(json["sources"][1]["source"], "UcmaPresenceSource");
    }

    #[test]
    fn a_source_that_could_not_be_started_is_not_ready() {
        let rules = SourceRules { graph: Some(presence_core::GraphRules::default()), ..rules() };
        let not_ready = readiness(&[source(SourceName::Ucma, None)], &rules, Vec::new()).unwrap_err();
        let detail = "the MsGraphPresenceSource is not ready: it is not started; the log says why";
        assert_eq!(not_ready.problem.detail, detail);
        let started = [source(SourceName::MsGraph, None), source(SourceName::Ucma, None)];
        assert!(readiness(&started, &rules, Vec::new()).is_ok());
        assert!(
            readiness(&[], &SourceRules { graph: rules.graph.clone(), ..SourceRules::default() }, Vec::new()).is_err()
        );
    }

    #[test]
    fn a_state_that_cannot_be_written_is_a_note_without_its_path_and_no_source_is_unready_for_it() {
        let now = now();
        let mut keeping = KeepingReading::default();
        assert_eq!(note(&keeping, now), None);
        let why = "/var/lib/presence-provider: No space left on device".to_owned();
        keeping.not_kept = Some(crate::state::NotKept { since: now, why });
        let told = note(&keeping, now).unwrap();
        assert!(
            told.starts_with("the state for the next start is not written since ") && !told.contains('/'),
            "{told}"
        );
        let readiness = readiness(&[source(SourceName::Ucma, None)], &rules(), vec![told.clone()]).unwrap();
        assert_eq!((readiness.ready, readiness.notes), (true, vec![told]));
    }

    #[test]
    fn nobody_is_ready_before_the_first_look_unless_there_is_nothing_to_look_at() {
        assert!(readiness(&[], &rules(), Vec::new()).is_err());
        assert!(readiness(&[], &SourceRules::default(), Vec::new()).is_ok());
    }

    #[actix_web::test]
    async fn the_actors_answer_while_their_thread_is_free() {
        assert_eq!(actors_answer().await, Ok(()));
    }
}
