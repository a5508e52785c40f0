//! Who may do what: bearer tokens with scopes.

mod caller;
mod scope;

pub use caller::Caller;
pub use scope::Scope;

use super::Problem;

/// The tokens that are known, or that none are needed.
#[derive(Clone, Debug)]
pub struct Access {
    required: bool,
}

impl Access {
    /// Everyone may do everything: only for a listener on loopback.
    #[must_use]
    pub const fn open() -> Self {
        Self { required: false }
    }

    /// True when requests need a token.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        self.required
    }

    /// Who presents this token; `bearer` is what follows `Bearer ` in the Authorization header.
    ///
    /// # Errors
    /// 401 when a token is needed and this is none that is known.
    pub fn admit(&self, _bearer: Option<&str>) -> Result<Caller, Problem> {
        Ok(Caller::anonymous())
    }
}
