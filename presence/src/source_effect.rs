//! What the small sources want done.

use std::sync::Arc;

use crate::Change;

/// What a [`crate::Line`] or a [`crate::Pushed`] wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceEffect {
    /// Tell every watching UCC.
    Publish(Arc<Change>),
}
