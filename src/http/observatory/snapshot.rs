//! What was seen at one moment.

use std::time::Instant;

use presence_actors::{EndpointView, ProviderView, SourceView, ThrottleView};
use presence_core::{EndpointKind, SourceKind};

use super::diary::{Diary, Line};
use super::graph::GraphMemory;
use super::recovery::{EndpointNow, Look, Recovering, RecoveryTracker};
use super::samples::Rates;
use super::silence::Silence;
use super::standing;
use super::tally::Tally;
use super::verdict::{Scene, Standing, judge};
use super::words::clock_time;
use crate::http::convert::{moment, seconds_between};
use crate::http::model;
use crate::state::KeepingReading;

/// What the whole provider looked like at one moment.
pub struct Snapshot {
    /// Everything as the actors told it.
    pub view: ProviderView,
    /// When it was taken.
    pub taken: Instant,
    /// The agents of all sources.
    pub counts: model::AgentCounts,
    /// The glance: the verdict, the endpoints, the sources, the throttle, the recovery.
    pub status: model::Status,
}

impl Snapshot {
    /// Nothing has been looked at yet.
    pub(super) fn nothing_yet(started: Instant) -> Self {
        Background::new(started).snapshot(started, ProviderView::default(), 0, |_| Rates::default())
    }

    /// What the first look would have seen.
    #[cfg(test)]
    pub(in crate::http) fn of(now: Instant, view: ProviderView) -> Self {
        Background::new(now).snapshot(now, view, 0, |_| Rates::default())
    }

    /// The local endpoints.
    #[must_use]
    pub fn endpoints(&self) -> &[model::Endpoint] {
        &self.status.endpoints
    }

    /// The sources that are switched on.
    #[must_use]
    pub fn sources(&self) -> &[model::Source] {
        &self.status.sources
    }
}

/// What must be remembered from one look to the next.
pub(super) struct Background {
    started: Instant,
    recovery: RecoveryTracker,
    diary: Diary,
    /// Lines that the log has not said yet.
    news: Vec<Line>,
    standings: Vec<Standing>,
    graph: GraphMemory,
    silence: Silence,
    keeping: Option<KeepingReading>,
}

impl Background {
    pub(super) fn new(started: Instant) -> Self {
        let graph = GraphMemory::new(started);
        Self {
            started,
            recovery: RecoveryTracker::default(),
            diary: Diary::default(),
            news: Vec::new(),
            standings: Vec::new(),
            graph,
            silence: Silence::default(),
            keeping: None,
        }
    }

    /// An endpoint has come up or gone down between two looks.
    pub(super) fn endpoint(&mut self, at: Instant, kind: EndpointKind, is_up: bool, why: Option<String>) {
        let was_up = self.standings.iter().any(|standing| standing.kind == kind && standing.is_up);
        if was_up && !is_up {
            self.recovery.lost(at, kind, why.clone());
        }
        self.stand(at, kind, is_up, why);
    }

    /// Microsoft Graph has reported something between two looks.
    pub(super) fn graph(&mut self, report: &presence_graph::Report) {
        self.graph.reported(report);
    }

    /// A sample has found that the pool of an endpoint had stopped notifying about an agent.
    pub(super) fn silent_loss(&mut self, at: Instant, via: EndpointKind) {
        self.silence.found(at, via);
    }

    /// Whether the state of the next start is written; nothing where none is to be.
    pub(super) fn keeping(&mut self, keeping: Option<KeepingReading>) {
        self.keeping = keeping;
    }

    fn stand(&mut self, at: Instant, kind: EndpointKind, is_up: bool, why: Option<String>) {
        let since = if is_up { at } else { self.started };
        let known = self.standings.iter_mut().find(|standing| standing.kind == kind);
        match known {
            None => self.standings.push(Standing { kind, is_up, was_up: is_up, since, why }),
            Some(standing) => {
                if standing.is_up != is_up {
                    (standing.is_up, standing.since) = (is_up, at);
                }
                standing.was_up |= is_up;
                standing.why = why;
            }
        }
    }

    /// Makes the snapshot of a look; `rates` is told the counts of all agents.
    pub(super) fn snapshot(
        &mut self,
        now: Instant,
        view: ProviderView,
        calls: usize,
        rates: impl FnOnce(&model::AgentCounts) -> Rates,
    ) -> Snapshot {
        let tallies: Vec<_> =
            view.sources.iter().map(|source| (source, Tally::of(source.kind, &source.agents))).collect();
        let all = tallies.iter().fold(Tally::default(), |all, (_, tally)| all.and(*tally));
        let recovery = self.recover(now, &view, &tallies);
        self.news.extend(self.diary.look(now, recovery.as_ref()));
        let clock = |at| clock_time(at, now);
        let graph_view = view.sources.iter().find_map(|source| source.graph.as_ref());
        self.graph.look(now, graph_view, all.unheard);
        let graph = graph_view.map(|view| self.graph.told(now, view, &clock)).unwrap_or_default();
        let scene = Scene {
            now,
            tally: &all,
            endpoints: &self.standings,
            graph: &self.graph,
            recovery: recovery.as_ref(),
            keeping: self.keeping.as_ref(),
            clock: &clock,
        };
        let (verdict, headline) = judge(&scene);
        let endpoints = tallies
            .iter()
            .flat_map(|(source, tally)| source.endpoints.iter().map(|endpoint| self.endpoint_told(endpoint, tally)))
            .collect();
        let sources = tallies.iter().map(|(source, tally)| self.source_told(now, source, tally)).collect();
        let rates = rates(&all.counts);
        let status = model::Status {
            verdict,
            headline,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: moment(self.started),
            taken: moment(now),
            agents: all.counts,
            endpoints,
            graph,
            sources,
            throttle: model::Throttle {
                waiting: view.throttle.waiting,
                granted: view.throttle.granted,
                rate: view.throttle.rate,
                configured_rate: view.throttle.configured_rate,
                predicted_end: view.throttle.predicted_end.map(moment),
                predicted_end_in: view.throttle.predicted_end.map(|end| seconds_between(now, end)),
                coverage: coverage_told(now, &view.throttle),
            },
            recovery: recovery.map(|recovery| recovery.told(now)),
            state: self.keeping.as_ref().map(standing::told),
            uccs: view.uccs,
            calls,
            changes_per_second: rates.changes,
            messages_per_second: rates.messages,
        };
        Snapshot { view, taken: now, counts: all.counts, status }
    }

    /// Has the endpoints and the agents of the source that subscribes looked at.
    fn recover(&mut self, now: Instant, view: &ProviderView, tallies: &[(&SourceView, Tally)]) -> Option<Recovering> {
        let (source, tally) = tallies.iter().find(|(source, _)| source.kind == SourceKind::Ucma)?;
        let mut endpoints = Vec::with_capacity(source.endpoints.len());
        for endpoint in &source.endpoints {
            let why = endpoint.last_failure.as_ref().map(ToString::to_string);
            let is_up = endpoint.up;
            self.stand(now, endpoint.kind, is_up, why.clone());
            endpoints.push(EndpointNow { kind: endpoint.kind, is_up, why });
        }
        let throttle = &view.throttle;
        let look = Look {
            tally,
            endpoints: &endpoints,
            waiting: throttle.waiting,
            queue_end: throttle.predicted_end,
            rate: throttle.rate,
            coverage: throttle.coverage,
        };
        self.recovery.look(now, &look)
    }

    /// What the log is to say of it.
    pub(super) fn news(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.news)
    }

    fn endpoint_told(&self, endpoint: &EndpointView, tally: &Tally) -> model::Endpoint {
        let standing = self.standings.iter().find(|standing| standing.kind == endpoint.kind);
        let (silent_losses, last_silent_loss) = self.silence.of(endpoint.kind);
        model::Endpoint {
            endpoint: endpoint.kind.into(),
            uri: endpoint.uri.as_str().to_owned(),
            state: endpoint.state.to_string(),
            up: endpoint.up,
            since: standing.map(|standing| moment(standing.since)),
            last_failure: endpoint.last_failure.as_ref().map(Into::into),
            agents: tally.served_by(endpoint.kind),
            silent_losses,
            last_silent_loss: last_silent_loss.map(moment),
            wire: model::EndpointWire {
                subscribes: endpoint.wire.subscribes,
                notifies: endpoint.wire.notifies,
                dialogs: endpoint.wire.live,
                deviations: endpoint.deviations.values().sum(),
            },
        }
    }

    fn source_told(&self, now: Instant, source: &SourceView, tally: &Tally) -> model::Source {
        if source.kind == SourceKind::MsGraph {
            let why = self.graph.ready(now).err();
            let (ready, agents) = (why.is_none(), tally.counts);
            return model::Source { source: source.kind.into(), ready, why, agents, restarts: source.restarts };
        }
        let needs_endpoint = source.kind == SourceKind::Ucma;
        let ready = !needs_endpoint || self.standings.iter().any(|standing| standing.is_up);
        let why = (!ready).then(|| match self.standings.iter().find_map(|standing| standing.why.as_deref()) {
            Some(why) => format!("no endpoint is up: {why}"),
            None => "no endpoint is up".to_owned(),
        });
        model::Source { source: source.kind.into(), ready, why, agents: tally.counts, restarts: source.restarts }
    }
}

fn coverage_told(now: Instant, throttle: &ThrottleView) -> model::Coverage {
    let coverage = &throttle.coverage;
    let mean = coverage.found_after.as_secs_f64() / coverage.found.max(1) as f64;
    model::Coverage {
        queues: coverage.uccs,
        covered: coverage.covered,
        seeking: coverage.seeking,
        longest_search: coverage.longest_search.as_secs_f64(),
        mean_search: (coverage.found > 0).then_some(mean),
        predicted_end: throttle.predicted_cover.map(moment),
        predicted_end_in: throttle.predicted_cover.map(|end| seconds_between(now, end)),
    }
}
