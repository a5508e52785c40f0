//! What the description says of the routes, for answers that need it: which methods a path has, which parameters.

use actix_web::dev::ResourceDef;
use actix_web::http::Method;
use actix_web::web::Query;
use presence_core::log_text::Safe;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::{OpenApi as Description, RefOr};

use super::super::Problem;
use super::front::is_endless;

/// So much of a foreign name is shown.
const SHOWN: usize = 64;

/// The described routes.
pub(super) struct Table(Vec<Described>);

struct Described {
    pattern: ResourceDef,
    operations: Vec<(Method, Vec<String>)>,
}

/// The operations of a path, with their methods.
pub(in crate::http) fn operations(item: &PathItem) -> impl Iterator<Item = (Method, &Operation)> {
    [
        (Method::GET, &item.get),
        (Method::PUT, &item.put),
        (Method::POST, &item.post),
        (Method::DELETE, &item.delete),
        (Method::PATCH, &item.patch),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

impl Table {
    /// The routes of a description.
    pub(super) fn new(description: &Description) -> Self {
        let mut routes: Vec<_> = description.paths.paths.iter().collect();
        // A path that is written out wins over one with variables: `/agents/revive` over `/agents/{uri}`.
        routes.sort_by_key(|(path, _)| path.contains('{'));
        let described = routes.into_iter().map(|(path, item)| Described {
            pattern: ResourceDef::new(path.as_str()),
            operations: operations(item).map(|(method, operation)| (method, query_parameters(operation))).collect(),
        });
        Self(described.collect())
    }

    fn find(&self, path: &str) -> Option<&Described> {
        self.0.iter().find(|described| described.pattern.is_match(path))
    }

    /// The methods of a path as the header Allow has them; none for a path that is not described.
    pub(super) fn allow(&self, path: &str) -> Option<String> {
        let mut methods: Vec<_> = self.find(path)?.operations.iter().map(|(method, _)| method.as_str()).collect();
        if methods.contains(&"GET") && !is_endless(path) {
            methods.push("HEAD");
        }
        methods.sort_unstable();
        Some(methods.join(", "))
    }

    /// Goes on only when the operation knows every parameter of the query string.
    ///
    /// # Errors
    /// 400 for one that it does not know: a filter that is misspelt must not show everything.
    pub(super) fn check_query(&self, method: &Method, path: &str, query: &str) -> Result<(), Problem> {
        if query.is_empty() {
            return Ok(());
        }
        let operations = self.find(path).map_or(&[][..], |described| &described.operations);
        let Some((_, known)) = operations.iter().find(|(known, _)| known == method) else { return Ok(()) };
        let given = Query::<Vec<(String, String)>>::from_query(query)
            .map_err(|error| Problem::bad_request(format!("the query string cannot be read: {error}")))?;
        let Some((unknown, _)) = given.iter().find(|(name, _)| !known.contains(name)) else { return Ok(()) };
        let unknown: String = unknown.chars().take(SHOWN).collect();
        let known = match known.as_slice() {
            [] => "it takes none".to_owned(),
            known => format!("it takes {}", known.join(", ")),
        };
        Err(Problem::bad_request(format!("unknown parameter `{}` in the query string; {known}", Safe(&unknown))))
    }
}

fn query_parameters(operation: &Operation) -> Vec<String> {
    let parameters = operation.parameters.iter().flatten().filter_map(|one| match one {
        RefOr::T(parameter) => Some(parameter),
        // utoipa writes every parameter where it is used.
        RefOr::Ref(_) => None,
    });
    parameters.filter(|one| one.parameter_in == ParameterIn::Query).map(|one| one.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use utoipa::OpenApi;

    use super::*;

    #[utoipa::path(get, path = "/api/v1/agents/{uri}", params(("q" = String, Query), ("uri" = String, Path)), responses((status = 200)))]
    #[allow(dead_code, reason = "only described")]
    fn get() {}

    #[utoipa::path(post, path = "/api/v1/agents/revive", responses((status = 200)))]
    #[allow(dead_code, reason = "only described")]
    fn post() {}

    #[derive(OpenApi)]
    #[openapi(paths(get, post))]
    struct Doc;

    #[test]
    fn a_path_has_its_methods() {
        let table = Table::new(&Doc::openapi());
        assert_eq!(table.allow("/api/v1/agents/sip:a@b").as_deref(), Some("GET, HEAD"));
        assert_eq!(table.allow("/api/v1/agents/revive").as_deref(), Some("POST"));
        assert_eq!(table.allow("/api/v1/agents/a/b"), None);
    }

    #[test]
    fn an_unknown_parameter_is_named_with_those_that_are_known() {
        let table = Table::new(&Doc::openapi());
        let check =
            |method, query| table.check_query(method, "/api/v1/agents/x", query).map_err(|problem| problem.detail);
        assert_eq!(check(&Method::GET, "q=1&q=%20"), Ok(()));
        assert_eq!(
            check(&Method::GET, "q=1&limti%1b=2"),
            Err("unknown parameter `limti\\u{1b}` in the query string; it takes q".to_owned())
        );
        let post = table.check_query(&Method::POST, "/api/v1/agents/revive", "x");
        assert_eq!(
            post.map_err(|problem| problem.detail),
            Err("unknown parameter `x` in the query string; it takes none".to_owned())
        );
        assert_eq!(table.check_query(&Method::GET, "/elsewhere", "x"), Ok(()));
    }
}
