//! `UnifiedContactCenters`, an addition of ours: the queues that the standalone process hosts.

use std::collections::BTreeMap;

use crate::diagnostic::{Severity, shown};
use crate::document::Element;
use crate::fields::{Context, given};
use crate::settings::{ContactCenter, ContactCenterAgent};
use crate::values;

/// Adds the queues of one `UnifiedContactCenters` to `centers`.
pub(crate) fn read(parent: &Element<'_>, context: &mut Context<'_>, centers: &mut Vec<ContactCenter>) {
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    for element in parent.children_named("UnifiedContactCenter") {
        let name = context.required(element, "Name", "ucc_app01");
        let agents = agents(element, context);
        let Some(attribute) = name else { continue };
        let name = attribute.value.trim();
        if name.chars().any(char::is_control) {
            let message = format!("the name {} has a control character", shown(name));
            context.complain(attribute.place(), message, "write a name that fits into one line of the log");
            continue;
        }
        let key = name.to_lowercase();
        if centers.iter().any(|center| center.name.to_lowercase() == key) {
            let first = lines.get(&key).map_or(String::new(), |line| format!("; the first is in line {line}"));
            let message = format!("a second queue {}{first}", shown(name));
            let help = "give every queue a name of its own; upper and lower case make no difference";
            context.complain(attribute.place(), message, help);
            continue;
        }
        lines.insert(key, context.findings.line(attribute.name_span.start));
        if agents.is_empty() && !element.damaged && !context.broken && element.children.is_empty() {
            let message = format!("the queue {} has no `Agent`", shown(name));
            let help = "write `<Agent Uri=\"sip:user1@domain.com\" />` inside it";
            context.findings.warning(element.name_span.clone(), message, help);
        }
        centers.push(ContactCenter { name: name.to_owned(), agents });
    }
}

fn agents(center: &Element<'_>, context: &mut Context<'_>) -> Vec<ContactCenterAgent> {
    let mut agents: Vec<ContactCenterAgent> = Vec::new();
    let mut lines = BTreeMap::new();
    for element in center.children_named("Agent") {
        let uri = context
            .required(element, "Uri", "sip:user1@domain.com")
            .and_then(|attribute| Some((attribute, context.uri(attribute, false)?)));
        let formal = context.value(element, "Formal", values::boolean).unwrap_or(false);
        let active = context.value(element, "Active", values::boolean).unwrap_or(true);
        let Some((attribute, uri)) = uri else { continue };
        if let Some(&first) = lines.get(&uri) {
            // Thousands of them would each count the lines before it.
            if context.findings.would_drop(Severity::Warning) {
                context.findings.drop_one();
                continue;
            }
            let message = format!(
                "the agent {} is in this queue already, in line {}",
                shown(uri.as_str()),
                context.findings.line(first)
            );
            let help = if given(element, "Formal").is_some() || given(element, "Active").is_some() {
                "remove one of them; what the first one says about `Formal` and `Active` holds"
            } else {
                "remove one of them"
            };
            context.findings.warning(attribute.place(), message, help);
            continue;
        }
        lines.insert(uri.clone(), attribute.name_span.start);
        agents.push(ContactCenterAgent { uri, formal, active });
    }
    agents
}
