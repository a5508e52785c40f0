//! The dashboard and the API of the demo.

use std::net::SocketAddr;

use presence_actors::Provider;
use presence_config::{ContactCenter, HttpSettings, Settings};
use presence_core::MatchRules;

use super::stage::Stage;
use super::teams::Teams;
use super::teller::say;
use super::{ATTENDANTS, Demo};
use crate::http::{self, Access, Api, Serving};
use crate::state::Keeping;

/// Opens the dashboard and says where it is: where it was asked for, or else at the usual port, or at any.
pub(super) async fn open(
    demo: &Demo,
    stage: &Stage,
    teams: Option<&Teams>,
    centers: &[ContactCenter],
    provider: &Provider,
) -> anyhow::Result<Serving> {
    let usual = HttpSettings::default().listen;
    let serving = match demo.listen {
        Some(listen) => serve(demo, stage, teams, centers, provider, listen).await?,
        None => match serve(demo, stage, teams, centers, provider, usual).await {
            Ok(serving) => serving,
            Err(_) => serve(demo, stage, teams, centers, provider, SocketAddr::new(usual.ip(), 0)).await?,
        },
    };
    say(&format!("The dashboard is at {} while the demo runs; the API beside it.", serving.url()));
    Ok(serving)
}

async fn serve(
    demo: &Demo,
    stage: &Stage,
    teams: Option<&Teams>,
    centers: &[ContactCenter],
    provider: &Provider,
    listen: SocketAddr,
) -> anyhow::Result<Serving> {
    if !listen.ip().is_loopback() {
        anyhow::bail!("the demo asks nobody for a token, so it listens on loopback only, and not on {listen}");
    }
    let settings = HttpSettings { listen, ..HttpSettings::default() };
    let configuration = Settings {
        max_presence_subscriptions_per_second: demo.rate,
        ucma: Some(stage.settings()?),
        graph: teams.map(Teams::settings),
        pstn: true,
        attendant: MatchRules::compile(&[ATTENDANTS]).ok(),
        http: Some(settings.clone()),
        contact_centers: centers.to_vec(),
        ..Settings::default()
    };
    let api = Api::start(provider.clone(), Access::open(), settings, configuration, Keeping::default());
    Ok(http::serve(api).await?)
}
