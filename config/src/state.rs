//! `State`, an addition of ours: what a restart begins with.

use std::path::PathBuf;

use crate::document::Element;
use crate::fields::{Context, given};
use crate::names;
use crate::shape::STATE;

/// What is at its default in a file without `State`.
pub(crate) const DEFAULTED: [&str; 2] = [STATE, "State/@Directory"];

/// Where the state is kept that a restart begins with. All defaults when the file has no `State`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateSettings {
    /// `Directory`. [`load`](crate::load) has filled in that of the service manager, or `state` in the folder of Config.xml,
    /// where the file does not say it.
    pub directory: Option<PathBuf>,
}

/// What the element says; complaints go to the context's findings.
pub(crate) fn read(state: &Element<'_>, context: &mut Context<'_>) -> StateSettings {
    if given(state, "Directory").is_none() {
        context.defaulted.insert("State/@Directory");
    }
    StateSettings { directory: names::file(state, "Directory", context) }
}
