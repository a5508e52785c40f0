//! Who makes a request.

use std::collections::BTreeSet;
use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};

use super::{Fingerprint, Scope};
use crate::http::{Api, Problem};

/// Who makes a request, and what it may do. A handler takes it as an argument, and so needs a valid token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The name of the token.
    pub name: Arc<str>,
    /// Its scopes; none: everything is allowed, since no token is required.
    pub scopes: Option<Arc<BTreeSet<Scope>>>,
    /// Of the token itself: another one of the same name is another caller.
    pub(super) fingerprint: Option<Fingerprint>,
}

impl Caller {
    /// Someone on this computer, where no token is required.
    #[must_use]
    pub fn anonymous() -> Self {
        Self { name: "anonymous".into(), scopes: None, fingerprint: None }
    }

    /// True when the token has this scope; `operate` has all of `read`.
    #[must_use]
    pub fn may(&self, scope: &Scope) -> bool {
        self.scopes.as_ref().is_none_or(|scopes| Self::allowed(scopes, scope))
    }

    /// True when these scopes allow what this one does.
    pub(super) fn allowed(scopes: &BTreeSet<Scope>, scope: &Scope) -> bool {
        scopes.contains(scope) || (*scope == Scope::Read && scopes.contains(&Scope::Operate))
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
        // The front has looked the token up, for the rate.
        if let Some(caller) = request.extensions().get::<Self>() {
            return ready(Ok(caller.clone()));
        }
        let Some(api) = request.app_data::<web::Data<Api>>() else {
            return ready(Err(Problem::new(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR, "the API has no data")));
        };
        ready(api.access.admit(bearer(request.headers())))
    }
}

/// The token of a request. None when there are several headers Authorization: what stands before us may have looked at
/// another one than we would.
pub(in crate::http) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION);
    let value = values.next().filter(|_| values.next().is_none())?;
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
