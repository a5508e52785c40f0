//! Reading the attributes of one element, with every complaint at its place.

use std::collections::BTreeSet;
use std::ops::Range;

use presence_core::{AgentUri, Scheme};

use crate::diagnostic::{Findings, Severity, harmless, shown};
use crate::document::{Attribute, Element};
use crate::shape::canonical;
use crate::values::{self, Wrong};

/// What reading needs everywhere.
pub(crate) struct Context<'f> {
    pub(crate) findings: &'f mut Findings,
    /// Tags do not fit together, so nothing may be called missing.
    pub(crate) broken: bool,
    /// Names of the settings that got their default.
    pub(crate) defaulted: BTreeSet<&'static str>,
    /// How bad a mistake is: a warning inside a source that is not enabled.
    pub(crate) severity: Severity,
}

impl Context<'_> {
    pub(crate) fn complain(&mut self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.findings.add(self.severity, span, message, help);
    }

    fn wrong(&mut self, attribute: &Attribute<'_>, (message, help): Wrong) {
        let message = format!("{}: {message}", shown(attribute.name));
        self.complain(attribute.place(), message, help);
    }

    /// Says that something is not there, unless it may only have been lost in a slip.
    pub(crate) fn missing(&mut self, element: &Element<'_>, message: impl Into<String>, help: impl Into<String>) {
        if !element.damaged && !self.broken {
            self.complain(element.name_span.clone(), message, help);
        }
    }

    /// The value, or `None` when it is not given, blank, or wrong (after a complaint).
    pub(crate) fn value<T>(
        &mut self,
        element: &Element<'_>,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let attribute = given(element, name)?;
        match read(attribute.value.trim()) {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.wrong(attribute, wrong);
                None
            }
        }
    }

    /// The value, or the default, which is then noted under `key`.
    pub(crate) fn value_or<T>(
        &mut self,
        element: &Element<'_>,
        name: &str,
        key: &'static str,
        default: T,
        read: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> T {
        if given(element, name).is_none() {
            self.defaulted.insert(key);
        }
        self.value(element, name, read).unwrap_or(default)
    }

    /// The trimmed text of an attribute that must be there and not be blank.
    pub(crate) fn required<'e>(
        &mut self,
        element: &'e Element<'_>,
        name: &str,
        example: &str,
    ) -> Option<&'e Attribute<'e>> {
        if let Some(attribute) = given(element, name) {
            return Some(attribute);
        }
        let help = format!("write {}", shown(&format!("{name}=\"{example}\"")));
        if let Some(empty) = attribute(element, name) {
            self.complain(empty.place(), format!("{} is empty", shown(empty.name)), help);
        } else {
            self.missing(element, format!("{} has no {}", shown(element.name), shown(name)), help);
        }
        None
    }

    /// A URI of an agent or endpoint.
    pub(crate) fn uri(&mut self, attribute: &Attribute<'_>, only_sip: bool) -> Option<AgentUri> {
        match AgentUri::parse(&attribute.value) {
            Ok(uri) if only_sip && uri.scheme() == Scheme::Tel => {
                let message = format!("{} is a telephone number, but an endpoint has a SIP URI", shown(uri.original()));
                self.wrong(attribute, (message, "write `sip:user@domain`".to_owned()));
                None
            }
            Ok(uri) => Some(uri),
            Err(error) => {
                let text = attribute.value.trim();
                let looks_bare = text.contains('@') && !text.contains(':');
                let help = match (looks_bare, only_sip) {
                    (true, _) => format!("write {}", shown(&format!("sip:{text}"))),
                    (false, true) => "write `sip:user@domain`".to_owned(),
                    (false, false) => "write `sip:user@domain` or `tel:+31612345678`".to_owned(),
                };
                let what = if only_sip { "not a SIP URI" } else { "not an agent URI" };
                let error = harmless(&error.to_string());
                // What to write instead stands in the help.
                let error = error.split("; write ").next().unwrap_or_default();
                self.wrong(attribute, (format!("{what}: {error}"), help));
                None
            }
        }
    }

    /// `enabled` of a source; an absent one counts as false, with a warning.
    pub(crate) fn enabled(&mut self, source: &Element<'_>) -> bool {
        if given(source, "enabled").is_none() && !source.damaged {
            let message = format!("{} does not say whether it is enabled; it counts as disabled", shown(source.name));
            let help = "write `enabled=\"true\"` or `enabled=\"false\"`";
            self.findings.warning(source.name_span.clone(), message, help);
        }
        self.value(source, "enabled", values::boolean).unwrap_or(false)
    }
}

/// The first attribute of that name.
pub(crate) fn attribute<'e, 'a>(element: &'e Element<'a>, name: &str) -> Option<&'e Attribute<'a>> {
    element.attributes.iter().find(|attribute| canonical(attribute.name).eq_ignore_ascii_case(name))
}

/// The first attribute of that name if it is not blank.
pub(crate) fn given<'e, 'a>(element: &'e Element<'a>, name: &str) -> Option<&'e Attribute<'a>> {
    attribute(element, name).filter(|attribute| !attribute.value.trim().is_empty())
}
