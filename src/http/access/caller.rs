//! Who makes a request.

use std::collections::BTreeSet;
use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, web};

use super::Scope;
use crate::http::{Api, Problem};

/// Who makes a request, and what it may do. A handler takes it as an argument, and so needs a valid token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The name of the token.
    pub name: Arc<str>,
    /// Its scopes; none: everything is allowed, since no token is required.
    pub scopes: Option<Arc<BTreeSet<Scope>>>,
}

impl Caller {
    /// Someone on this computer, where no token is required.
    #[must_use]
    pub fn anonymous() -> Self {
        Self { name: "anonymous".into(), scopes: None }
    }

    /// True when the token has this scope; `operate` has all of `read`.
    #[must_use]
    pub fn may(&self, scope: &Scope) -> bool {
        self.scopes
            .as_ref()
            .is_none_or(|scopes| scopes.contains(scope) || (*scope == Scope::Read && scopes.contains(&Scope::Operate)))
    }

    /// Goes on only with this scope.
    ///
    /// # Errors
    /// 403 without it.
    pub fn require(&self, scope: &Scope) -> Result<(), Problem> {
        if self.may(scope) {
            return Ok(());
        }
        Err(Problem::forbidden(format!("the token `{}` lacks the scope `{scope}`", self.name)))
    }

    /// The queue of a token that is for one queue only.
    #[must_use]
    pub fn only_ucc(&self) -> Option<&str> {
        let scopes = self.scopes.as_ref()?;
        let mut uccs = scopes.iter().filter_map(|scope| match scope {
            Scope::Ucc(name) => Some(name.as_str()),
            Scope::Attendant | Scope::Calls | Scope::Operate | Scope::Read => None,
        });
        uccs.next().filter(|_| uccs.next().is_none())
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(api) = request.app_data::<web::Data<Api>>() else {
            return ready(Err(Problem::new(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR, "the API has no data")));
        };
        let bearer = request
            .headers()
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        ready(api.access.admit(bearer))
    }
}
