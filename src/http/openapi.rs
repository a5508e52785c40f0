//! The description of the API, made from the code, and the page to try it.

use std::collections::BTreeMap;

use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, get};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi as Description, Ref, RefOr,
    ResponseBuilder, ServerBuilder,
};
use utoipa::{OpenApi, ToSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{Problem, agents, attendant, calls, events, health, metrics, notifications, status, uccs};

/// The content security policy of the page: nothing from elsewhere; Swagger UI writes style attributes.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Where the description is.
const DESCRIPTION: &str = "/api/v1/openapi.json";
/// The name of the security scheme.
const BEARER: &str = "bearer";

const ABOUT: &str = "One presence subscription per agent, shared by every contact-centre queue.\n\n\
    Errors are problem documents (RFC 9457). Times are RFC 3339 in UTC, durations are seconds. Where the listener has a \
    tokens file, every request below `/api` and of `/metrics` needs `Authorization: Bearer TOKEN`; \
    `presence-provider token create` makes one.";

/// What belongs together: the beginning of the path, the tag, what it is.
const TAGS: [(&str, &str, &str); 7] = [
    ("/api/v1/uccs/{ucc}/calls", "calls", "The calls of agents with a telephone number"),
    ("/api/v1/calls", "calls", ""),
    ("/api/v1/uccs", "queues", "Queues in other processes: what they want, what they know"),
    ("/api/v1/events", "events", "Live events"),
    ("/api/v1/attendant", "attendant", "Presence that third parties push"),
    ("/health", "health", "Whether the process lives and serves"),
    (notifications::PATH, "notifications", "What Microsoft Graph tells us"),
];
/// The tag of everything else.
const OPERATIONS: (&str, &str) = ("operations", "What operators see and do");

/// The description of this part.
#[derive(OpenApi)]
#[openapi(paths(openapi_json))]
struct Doc;

/// The description of the API
///
/// The document that you are reading, as JSON.
#[utoipa::path(responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)))]
#[get("/api/v1/openapi.json")]
async fn openapi_json(text: web::Data<DescriptionText>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(text.0.clone())
}

/// The description as it is sent.
struct DescriptionText(web::Bytes);

/// The whole description.
#[must_use]
pub fn description() -> Description {
    let mut whole = agents::Doc::openapi();
    for part in [
        status::Doc::openapi(),
        attendant::Doc::openapi(),
        calls::Doc::openapi(),
        uccs::Doc::openapi(),
        events::Doc::openapi(),
        health::Doc::openapi(),
        metrics::Doc::openapi(),
        notifications::Doc::openapi(),
        Doc::openapi(),
    ] {
        whole.merge(part);
    }
    whole.info = InfoBuilder::new()
        .title("Presence Provider")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(LicenseBuilder::new().name(env!("CARGO_PKG_LICENSE")).build()))
        .build();
    whole.servers = Some(vec![ServerBuilder::new().url("/").build()]);
    add_components(&mut whole);
    let mut tags = BTreeMap::from([OPERATIONS]);
    for (_, tag, what) in TAGS {
        if !what.is_empty() {
            tags.insert(tag, what);
        }
    }
    whole.tags =
        Some(tags.into_iter().map(|(tag, what)| TagBuilder::new().name(tag).description(Some(what)).build()).collect());
    for (path, item) in &mut whole.paths.paths {
        for (method, operation) in operations_mut(item) {
            complete(path, &method, operation);
        }
    }
    whole
}

/// The security scheme, and the schema of problems.
fn add_components(whole: &mut Description) {
    let mut schemas = Vec::new();
    Problem::schemas(&mut schemas);
    let scheme =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A token of the tokens file")).build();
    let components = ComponentsBuilder::from(whole.components.take().unwrap_or_default())
        .schema(Problem::name(), <Problem as utoipa::PartialSchema>::schema())
        .schemas_from_iter(schemas)
        .security_scheme(BEARER, SecurityScheme::Http(scheme));
    whole.components = Some(components.build());
}

fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    [
        (Method::GET, item.get.as_mut()),
        (Method::PUT, item.put.as_mut()),
        (Method::POST, item.post.as_mut()),
        (Method::DELETE, item.delete.as_mut()),
        (Method::PATCH, item.patch.as_mut()),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation?)))
}

/// True for a path that nobody needs a token for.
fn is_free(path: &str) -> bool {
    path.starts_with("/health/") || path == DESCRIPTION || path == notifications::PATH
}

/// Adds to an operation what holds for all: its tag, its security, its name, and the problems that the listener answers with.
fn complete(path: &str, method: &Method, operation: &mut Operation) {
    let tag = TAGS.iter().find(|(prefix, _, _)| path.starts_with(prefix)).map_or(OPERATIONS.0, |(_, tag, _)| tag);
    operation.tags = Some(vec![tag.to_owned()]);
    operation.operation_id = Some(operation_id(path, method));
    // A heading, not a sentence.
    operation.summary = operation.summary.take().map(|text| text.trim_end_matches('.').to_owned());
    operation.security =
        Some(if is_free(path) { Vec::new() } else { vec![SecurityRequirement::new(BEARER, Vec::<String>::new())] });
    let mut statuses = vec![
        (StatusCode::BAD_REQUEST, "the path, the query string, a header or the body cannot be understood"),
        (StatusCode::FORBIDDEN, "the token does not allow it, or the request comes from a foreign page"),
    ];
    if !is_free(path) {
        statuses.push((StatusCode::UNAUTHORIZED, "a token is needed, and this is none that is known"));
    }
    if !path.starts_with("/health/") {
        statuses.push((StatusCode::TOO_MANY_REQUESTS, "too many requests; come again after Retry-After"));
    }
    if operation.request_body.is_some() {
        statuses.push((StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"));
        statuses.push((StatusCode::PAYLOAD_TOO_LARGE, "the body is too long"));
        statuses.push((StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body is not JSON"));
    }
    for (status, what) in statuses {
        let response = ResponseBuilder::new().description(what).build();
        operation.responses.responses.entry(status.as_str().to_owned()).or_insert(RefOr::T(response));
    }
    for (status, response) in &mut operation.responses.responses {
        let is_error = status.starts_with(['4', '5']);
        if let RefOr::T(response) = response
            && is_error
            && !path.starts_with("/health/")
        {
            let schema = Ref::from_schema_name(Problem::name());
            let content = RefOr::T(ContentBuilder::new().schema(Some(schema)).build());
            response.content.clear();
            response.content.insert("application/problem+json".to_owned(), content);
        }
    }
}

/// A name for generated clients: `get_agents_uri` for GET /api/v1/agents/{uri}.
fn operation_id(path: &str, method: &Method) -> String {
    let path = path.trim_start_matches("/api/v1").trim_start_matches('/');
    let words = path.split(['/', '.', '{', '}', '-']).filter(|word| !word.is_empty());
    std::iter::once(method.as_str().to_ascii_lowercase()).chain(words.map(str::to_owned)).collect::<Vec<_>>().join("_")
}

/// The routes of this part.
pub(super) fn configure(config: &mut ServiceConfig) {
    let text = serde_json::to_vec(&description()).unwrap_or_default();
    config
        .app_data(web::Data::new(DescriptionText(text.into())))
        .service(openapi_json)
        .service(web::redirect("/api/v1/docs", "/api/v1/docs/"))
        .service(SwaggerUi::new("/api/v1/docs/{file:.*}").config(Config::from(DESCRIPTION)));
}
