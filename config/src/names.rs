//! Attributes that name files and hosts.

use std::path::PathBuf;

use crate::diagnostic::shown;
use crate::document::Element;
use crate::fields::{Context, attribute, given};
use crate::secrets::PEM;
use crate::values;

/// The name of a file, or `None` when it is not given or no name (after a complaint).
pub(crate) fn file(element: &Element<'_>, name: &str, context: &mut Context<'_>) -> Option<PathBuf> {
    let attribute = given(element, name)?;
    let text = attribute.value.trim();
    if text.starts_with(PEM) {
        let message = format!("{} holds a certificate or key itself", shown(attribute.name));
        let help = "put it into a file that only the service may read, and write the name of that file here";
        context.complain(attribute.name_span.clone(), message, help);
        return None;
    }
    if let Some(c) = text.chars().find(|c| c.is_control()) {
        let message = format!(
            "{} is not the name of a file: it has the character {}",
            shown(attribute.name),
            shown(&c.to_string())
        );
        context.complain(attribute.place(), message, "write the name of a file");
        return None;
    }
    Some(PathBuf::from(text))
}

/// Names of hosts, separated by commas or blanks; in lower case, each once. `help` says which to write.
pub(crate) fn hosts(element: &Element<'_>, name: &str, help: &str, context: &mut Context<'_>) -> Vec<String> {
    let Some(attribute) = given(element, name) else { return Vec::new() };
    let mut names: Vec<String> = Vec::new();
    for name in attribute.value.split([',', ';', ' ', '\t', '\r', '\n']).filter(|name| !name.is_empty()) {
        // A value without references stands in the file as it is, so that the name can be pointed at.
        let at = attribute.value.find(name).filter(|_| attribute.value.len() == attribute.value_span.len());
        let place = at.map_or(attribute.place(), |at| {
            attribute.value_span.start + at..attribute.value_span.start + at + name.len()
        });
        match values::host_name(name) {
            Ok(()) => {
                let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            Err(reason) => context.complain(place, format!("{} is no host name: {reason}", shown(name)), help),
        }
    }
    names
}

/// Complains when `name` is given (and was read: `is_there`) and the attribute `other`, which it needs, is not.
pub(crate) fn needs(
    element: &Element<'_>,
    (name, is_there): (&str, bool),
    (other, other_is_there): (&str, bool),
    help: &str,
    context: &mut Context<'_>,
) {
    if is_there
        && !other_is_there
        && attribute(element, other).is_none_or(|other| other.value.trim().is_empty())
        && let Some(place) = given(element, name)
        && !element.damaged
    {
        let message = format!("{} without {}", shown(place.name), shown(other));
        context.complain(place.name_span.clone(), message, help);
    }
}
