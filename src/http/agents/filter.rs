//! Which agents are asked for, and in which order.

use std::fmt::Display;
use std::str::FromStr;

use actix_web::web::Query;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as ValueError;
use utoipa::ToSchema;

use crate::http::Problem;
use crate::http::model::{AgentState, EndpointName, Freshness, SourceName};

/// How many agents a page has when nothing is said.
const LIMIT: usize = 100;
/// How many agents a page may have.
pub(super) const MAX_LIMIT: usize = 1_000;
/// How many agents may be skipped: far more than there can be.
pub(super) const MAX_OFFSET: usize = 10_000_000;

/// The order of a list. A `-` turns it round; agents that are equal in it come by URI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
pub(in crate::http) enum Order {
    /// By URI.
    #[default]
    #[serde(rename = "uri")]
    Uri,
    /// The last URI first.
    #[serde(rename = "-uri")]
    UriDown,
    /// By the moment since when the presence holds, the oldest first.
    #[serde(rename = "since")]
    Since,
    /// The newest first.
    #[serde(rename = "-since")]
    SinceDown,
    /// By state, from `served` to `quarantined`.
    #[serde(rename = "state")]
    State,
    /// From `quarantined` to `served`.
    #[serde(rename = "-state")]
    StateDown,
    /// The most available first, the unknown last.
    #[serde(rename = "availability")]
    Availability,
    /// The unknown first, the most available last.
    #[serde(rename = "-availability")]
    AvailabilityDown,
    /// Fresh, stale, unknown.
    #[serde(rename = "freshness")]
    Freshness,
    /// Unknown, stale, fresh.
    #[serde(rename = "-freshness")]
    FreshnessDown,
}

/// What a list is asked for. An empty list of values lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::http) struct Filter {
    /// Part of the URI, in lower case.
    pub(super) q: Option<String>,
    /// Any of these states.
    pub(super) states: Vec<AgentState>,
    /// Any of these.
    pub(super) freshness: Vec<Freshness>,
    /// Any of these sources.
    pub(super) sources: Vec<SourceName>,
    /// Served by any of these, or being tried through it.
    pub(super) endpoints: Vec<EndpointName>,
    /// Watched by any of these.
    pub(super) uccs: Vec<String>,
    /// In this order.
    pub(super) order: Order,
    /// Without so many at the beginning.
    pub(super) offset: usize,
    /// At most so many.
    pub(super) limit: usize,
}

impl Filter {
    /// Reads the query of a request.
    ///
    /// # Errors
    /// 400 that names the parameter and says what it may be.
    pub(in crate::http) fn read(query: &str) -> Result<Self, Problem> {
        let parameters = Query::<Vec<(String, String)>>::from_query(query)
            .map_err(|error| Problem::bad_request(format!("the query cannot be read: {error}")))?;
        let mut filter = Self { limit: LIMIT, ..Self::default() };
        let mut once: Vec<String> = Vec::new();
        for (name, value) in parameters.into_inner() {
            match name.as_str() {
                "q" => filter.q = Some(value.to_lowercase()),
                "state" => any_of(&name, &value, &mut filter.states)?,
                "freshness" => any_of(&name, &value, &mut filter.freshness)?,
                "source" => any_of(&name, &value, &mut filter.sources)?,
                "endpoint" => any_of(&name, &value, &mut filter.endpoints)?,
                "ucc" => filter.uccs.extend(values(&value).map(str::to_owned)),
                "sort" => filter.order = one(&name, &value)?,
                "offset" => filter.offset = number(&name, &value, 0, MAX_OFFSET)?,
                "limit" => filter.limit = number(&name, &value, 1, MAX_LIMIT)?,
                _ => {
                    return Err(Problem::bad_request(format!(
                        "there is no parameter `{name}`; write q, state, freshness, source, endpoint, ucc, sort, offset or limit"
                    )));
                }
            }
            if matches!(name.as_str(), "q" | "sort" | "offset" | "limit") {
                if once.contains(&name) {
                    return Err(Problem::bad_request(format!("the parameter `{name}` is given twice; give it once")));
                }
                once.push(name);
            }
        }
        Ok(filter)
    }
}

/// The values of a list, separated by commas.
fn values(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|value| !value.is_empty())
}

fn any_of<'d, T: Deserialize<'d>>(name: &str, text: &'d str, found: &mut Vec<T>) -> Result<(), Problem> {
    for value in values(text) {
        found.push(one(name, value)?);
    }
    Ok(())
}

/// A value by its name on the wire.
fn one<'d, T: Deserialize<'d>>(name: &str, value: &'d str) -> Result<T, Problem> {
    let unknown = |error: ValueError| wrong(name, &error.to_string().replacen("unknown variant", "unknown value", 1));
    T::deserialize(value.into_deserializer()).map_err(unknown)
}

fn number(name: &str, value: &str, least: usize, most: usize) -> Result<usize, Problem> {
    let number = usize::from_str(value).ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| wrong(name, &format_args!("`{value}` is no whole number from {least} to {most}")))
}

fn wrong(name: &str, why: &dyn Display) -> Problem {
    Problem::bad_request(format!("the parameter `{name}`: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_without_anything_asks_for_the_first_hundred_agents_by_uri() {
        let filter = Filter::read("").expect("a query");
        assert_eq!(filter, Filter { limit: 100, ..Filter::default() });
    }

    #[test]
    fn everything_can_be_asked_for_at_once() {
        let query = "q=%40Demo.&state=backing_off,abandoned&state=active&freshness=stale&source=UcmaPresenceSource\
                     &endpoint=user&ucc=sales,%20support&sort=-since&offset=200&limit=50";
        let expected = Filter {
            q: Some("@demo.".to_owned()),
            states: vec![AgentState::BackingOff, AgentState::Abandoned, AgentState::Active],
            freshness: vec![Freshness::Stale],
            sources: vec![SourceName::Ucma],
            endpoints: vec![EndpointName::User],
            uccs: vec!["sales".to_owned(), "support".to_owned()],
            order: Order::SinceDown,
            offset: 200,
            limit: 50,
        };
        assert_eq!(Filter::read(query), Ok(expected));
        assert_eq!(Filter::read("state=&ucc=").expect("empty lists").states, []);
    }

    #[test]
    fn a_wrong_value_is_named_with_its_parameter_and_with_what_it_may_be() {
        let cases = [
            ("state=busy", "the parameter `state`: unknown value `busy`, expected one of `served`, "),
            ("state=active,busy", "the parameter `state`: unknown value `busy`"),
            ("freshness=old", "`freshness`: unknown value `old`, expected one of `fresh`, `stale`, `unknown`"),
            ("source=ucma", "`source`: unknown value `ucma`"),
            ("endpoint=both", "`endpoint`: unknown value `both`, expected `application` or `user`"),
            ("sort=name", "`sort`: unknown value `name`, expected one of `uri`, `-uri`"),
            ("limit=0", "the parameter `limit`: `0` is no whole number from 1 to 1000"),
            ("limit=1001", "`limit`: `1001`"),
            ("limit=", "`limit`: ``"),
            ("offset=-1", "`offset`: `-1` is no whole number from 0 to 10000000"),
            ("offset=99999999999999999999999", "`offset`: "),
            ("limit=5&limit=6", "the parameter `limit` is given twice"),
            ("page=2", "there is no parameter `page`; write q, state, "),
        ];
        for (query, said) in cases {
            let problem = Filter::read(query).expect_err(query);
            assert!(problem.status == 400 && problem.detail.contains(said), "{query}: {}", problem.detail);
        }
    }
}
