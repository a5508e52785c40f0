//! `PresenceProvider`: the four attributes, and the sources other than UCMA.

use std::num::NonZeroU32;

use crate::diagnostic::{Severity, shown};
use crate::document::{Document, Element};
use crate::fields::{Context, given};
use crate::http::{self, HttpSettings};
use crate::settings::Settings;
use crate::shape::{GRAPH, HTTP, KINDS, PROVIDER, QUEUES, ROOT, STATE, nearest};
use crate::state::{self, StateSettings};
use crate::{attendant, graph, queues, ucma, values};

/// Everything that the file says; complaints go to the context's findings.
pub(crate) fn read(document: &Document<'_>, context: &mut Context<'_>) -> Settings {
    let mut settings = Settings::default();
    let Some(root) = &document.root else { return settings };
    if !root.is(ROOT) {
        let message = format!("the outermost element is {}, not `<config>`", shown(&format!("<{}>", root.name)));
        let help = if root.is(PROVIDER) {
            "write `<config version=\"1.5\">` before it and `</config>` after it"
        } else {
            "is this the right file? It should begin with `<config version=\"1.5\">`"
        };
        context.complain(root.name_span.clone(), message, help);
        return settings;
    }
    if let Some(provider) = root.children_named(PROVIDER).next() {
        numbers(provider, context, &mut settings);
        sources(provider, context, &mut settings);
        settings.http = http_api(provider, context);
        settings.state = kept_state(provider, context);
        graph::notified_over_http(provider, &settings, context);
    } else {
        no_provider(root, context);
    }
    for center in root.children_named(QUEUES) {
        queues::read(center, context, &mut settings.contact_centers);
    }
    settings.defaulted = std::mem::take(&mut context.defaulted);
    settings
}

fn no_provider(root: &Element<'_>, context: &mut Context<'_>) {
    let near = root.children.iter().find(|child| nearest(child.name, [PROVIDER]).is_some());
    match near {
        Some(child) => {
            let message = format!("unknown element {} where `PresenceProvider` is expected", shown(child.name));
            context.complain(child.name_span.clone(), message, "did you mean `PresenceProvider`?");
        }
        None => context.missing(
            root,
            "there is no `PresenceProvider` in this file",
            "write `<PresenceProvider> ... </PresenceProvider>` with at least one source inside",
        ),
    }
}

fn numbers(provider: &Element<'_>, context: &mut Context<'_>, settings: &mut Settings) {
    const RATE: &str = "MaxPresenceSubscriptionsPerSecond";
    const FIRST: &str = "FailedPresenceSubscriptionsResubscribeDelay";
    const LONGEST: &str = "MaxFailedPresenceSubscriptionsResubscribeDelay";
    const LIMIT: &str = "MaxFailedPresenceSubscriptionsPerUri";

    settings.max_presence_subscriptions_per_second =
        context.value_or(provider, RATE, RATE, settings.max_presence_subscriptions_per_second, |text| {
            let help = "write how many subscriptions may start in one second, such as `15`";
            match values::count(text, "15") {
                Err(_) if humantime::parse_duration(text).is_ok() => {
                    Err((format!("{} is a time, but this is a number of subscriptions", shown(text)), help.to_owned()))
                }
                Err(wrong) => Err(wrong),
                Ok(rate) => NonZeroU32::new(rate)
                    .ok_or_else(|| ("with 0 per second no agent would ever be subscribed".to_owned(), help.to_owned())),
            }
        });
    let first_given = given(provider, FIRST).is_some();
    let first = context.value_or(
        provider,
        FIRST,
        FIRST,
        settings.failed_presence_subscriptions_resubscribe_delay,
        values::delay,
    );
    let longest_given = given(provider, LONGEST).is_some();
    let longest = context.value_or(
        provider,
        LONGEST,
        LONGEST,
        settings.max_failed_presence_subscriptions_resubscribe_delay,
        values::delay,
    );
    settings.failed_presence_subscriptions_resubscribe_delay = first;
    settings.max_failed_presence_subscriptions_resubscribe_delay = longest;
    if longest < first
        && let Some(place) = given(provider, if longest_given { LONGEST } else { FIRST })
    {
        let source = |given: bool| if given { "" } else { ", the default" };
        let message = format!(
            "the longest delay ({} s{}) is shorter than the first one ({} s{})",
            longest.as_secs_f64(),
            source(longest_given),
            first.as_secs_f64(),
            source(first_given)
        );
        let help = format!(
            "the delay doubles up to the longest one: make {} at least as long as {}",
            shown(LONGEST),
            shown(FIRST)
        );
        context.complain(place.place(), message, help);
    }
    settings.max_failed_presence_subscriptions_per_uri =
        context.value_or(provider, LIMIT, LIMIT, settings.max_failed_presence_subscriptions_per_uri, |text| {
            values::count(text, "3").map_err(|(message, help)| (message, format!("{help}; `0` means no limit")))
        });
}

/// The first element of that name and whether it is enabled. While a disabled one is read, mistakes are warnings.
fn source<'e, 'a>(
    provider: &'e Element<'a>,
    name: &'static str,
    context: &mut Context<'_>,
) -> Option<(&'e Element<'a>, bool)> {
    let source = provider.children.iter().find(|child| child.is(name))?;
    Some((source, context.enabled(source)))
}

fn sources(provider: &Element<'_>, context: &mut Context<'_>, settings: &mut Settings) {
    if let Some((element, enabled)) = source(provider, "UcmaPresenceSource", context) {
        let read = within(context, enabled, |context| ucma::read(element, context));
        settings.ucma = read.filter(|_| enabled);
    }
    if let Some((_, enabled)) = source(provider, "PstnPresenceSource", context) {
        settings.pstn = enabled;
    }
    if let Some((element, enabled)) = source(provider, "AttendantServiceSource", context) {
        let read = within(context, enabled, |context| attendant::read(element, enabled, context));
        settings.attendant = read.filter(|_| enabled);
    }
    if let Some((element, enabled)) = source(provider, GRAPH, context) {
        let read = within(context, enabled, |context| graph::read(element, enabled, context));
        if enabled {
            graph::beside_ucma(element, &read, settings.ucma.is_some(), context);
            settings.graph = Some(read);
        }
    }
    let any = provider.children.iter().any(|child| {
        KINDS.iter().any(|kind| kind.name.ends_with("Source") && child.is(kind.name))
            && given(child, "enabled").is_some_and(|e| values::boolean(e.value.trim()) != Ok(false))
    });
    if !any && !provider.damaged && !context.broken {
        let message = "no source is enabled, so that no agent will ever have a presence";
        let help = "write `<UcmaPresenceSource enabled=\"true\" ...>` or one of the other sources inside";
        context.findings.warning(provider.name_span.clone(), message, help);
    }
}

/// The HTTP API: on unless the file switches it off.
fn http_api(provider: &Element<'_>, context: &mut Context<'_>) -> Option<HttpSettings> {
    let Some(element) = provider.children_named(HTTP).next() else {
        context.defaulted.extend(http::DEFAULTED);
        return Some(HttpSettings::default());
    };
    let enabled = context.value_or(element, "enabled", HTTP, true, values::boolean);
    let read = within(context, enabled, |context| http::read(element, context));
    enabled.then_some(read)
}

/// What a restart begins with: on unless the file switches it off.
fn kept_state(provider: &Element<'_>, context: &mut Context<'_>) -> Option<StateSettings> {
    let Some(element) = provider.children_named(STATE).next() else {
        context.defaulted.extend(state::DEFAULTED);
        return Some(StateSettings::default());
    };
    let enabled = context.value_or(element, "enabled", STATE, true, values::boolean);
    let read = within(context, enabled, |context| state::read(element, context));
    enabled.then_some(read)
}

fn within<T>(context: &mut Context<'_>, enabled: bool, read: impl FnOnce(&mut Context<'_>) -> T) -> T {
    context.severity = if enabled { Severity::Error } else { Severity::Warning };
    let value = read(context);
    context.severity = Severity::Error;
    value
}
