//! The routes of queues.

use actix_web::HttpResponse;
use actix_web::web::{Data, Json, Path};
use presence_actors::UccView;

use super::{OfUcc, own, see, unknown};
use crate::http::model::{Ucc, UccList};
use crate::http::{Api, Caller, Problem, Scope};

/// A queue inside the process.
fn inside(view: &UccView) -> Ucc {
    Ucc {
        name: view.name.as_ref().to_owned(),
        remote: false,
        agents: view.agents,
        connections: 0,
        released_at: None,
        calls: view.calls,
        lagged: view.lagged,
    }
}

/// All queues
///
/// With the scope `read` all of them, also those that run inside the process; with `ucc:NAME` that one.
#[utoipa::path(
    get, path = "/api/v1/uccs", tag = "uccs",
    responses((status = 200, description = "The queues, by name", body = UccList), OfUcc)
)]
pub(super) async fn list(api: Data<Api>, caller: Caller) -> Result<Json<UccList>, Problem> {
    let sees_all = caller.may(&Scope::Read);
    let its_own = |name: &str| caller.may(&Scope::Ucc(name.to_owned()));
    let has_a_queue = caller.scopes.iter().flat_map(|scopes| scopes.iter()).any(|scope| matches!(scope, Scope::Ucc(_)));
    if !sees_all && !has_a_queue {
        caller.require(&Scope::Read)?;
    }
    let mut uccs: Vec<_> = api.uccs.list().iter().map(|ucc| ucc.describe()).collect();
    let views = api.provider.uccs().await;
    uccs.extend(views.iter().filter(|view| api.uccs.is_inside(&view.name)).map(inside));
    uccs.retain(|ucc| sees_all || its_own(&ucc.name));
    uccs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Json(UccList { uccs }))
}

/// Register a queue
///
/// It is kept while an event stream of it is open, and for the linger (60 s unless configured otherwise) after that or after
/// the last request. A subscription, a call and an event stream register it by themselves; this does nothing else.
#[utoipa::path(
    put, path = "/api/v1/uccs/{ucc}", tag = "uccs", params(("ucc" = String, Path, description = "The queue", example = "sales")),
    responses(
        (status = 200, description = "It was registered already, and is kept for longer now", body = Ucc),
        (status = 201, description = "It is registered", body = Ucc),
        (status = 409, description = "A queue inside the process has this name", body = Problem, content_type = "application/problem+json"),
        OfUcc
    )
)]
pub(super) async fn put(api: Data<Api>, caller: Caller, ucc: Path<String>) -> Result<HttpResponse, Problem> {
    own(&caller, &ucc)?;
    let (remote, new) = api.uccs.register(&ucc).await?;
    Ok(if new { HttpResponse::Created() } else { HttpResponse::Ok() }.json(remote.describe()))
}

/// One queue
#[utoipa::path(
    get, path = "/api/v1/uccs/{ucc}", tag = "uccs", params(("ucc" = String, Path, description = "The queue", example = "sales")),
    responses(
        (status = 200, description = "The queue", body = Ucc),
        (status = 404, description = "There is none of this name", body = Problem, content_type = "application/problem+json"),
        OfUcc
    )
)]
pub(super) async fn get(api: Data<Api>, caller: Caller, ucc: Path<String>) -> Result<Json<Ucc>, Problem> {
    see(&caller, &ucc)?;
    if api.uccs.is_inside(&ucc) {
        let views = api.provider.uccs().await;
        return views
            .iter()
            .find(|view| *view.name == **ucc)
            .map(|view| Json(inside(view)))
            .ok_or_else(|| unknown(&ucc));
    }
    let remote = if caller.may(&Scope::Ucc(ucc.clone())) { api.uccs.find(&ucc) } else { api.uccs.look_at(&ucc) };
    remote.map(|remote| Json(remote.describe())).ok_or_else(|| unknown(&ucc))
}

/// Let a queue go
///
/// At once: its agents are unsubscribed, its calls end, its event streams end.
#[utoipa::path(
    delete, path = "/api/v1/uccs/{ucc}", tag = "uccs", params(("ucc" = String, Path, description = "The queue", example = "sales")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "There is none of this name", body = Problem, content_type = "application/problem+json"),
        OfUcc
    )
)]
pub(super) async fn delete(api: Data<Api>, caller: Caller, ucc: Path<String>) -> Result<HttpResponse, Problem> {
    own(&caller, &ucc)?;
    let remote = api.uccs.find(&ucc).ok_or_else(|| unknown(&ucc))?;
    remote.let_go().await;
    Ok(HttpResponse::NoContent().finish())
}
