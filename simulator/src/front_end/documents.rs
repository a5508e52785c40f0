//! The documents that a front end writes: categories, resource lists, and both in one body.

use std::fmt::Write as _;
use std::time::Duration;

use super::batch_body::{SERVICES, STATE};
use crate::{Activity, AgentState};

/// The content type of [`categories`].
pub(super) const CATEGORIES_TYPE: &str = "application/msrtc-event-categories+xml";

/// The beginning of the simulated time: 5 January 2026, 08:00 UTC, in seconds since 1970.
const BEGINNING: u64 = 1_767_600_000;

/// How one instance of a list stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Instance {
    /// Its categories are in a part.
    Active,
    /// It must be asked for alone, or at this pool (a whole URI).
    Resubscribe(Option<String>),
    /// Refused.
    Terminated { reason: &'static str, status: u16, diagnostics: u32 },
    /// A state that no document explains.
    Strange(String),
}

/// Appends a text with the characters replaced that mean something in XML.
pub(super) fn escape(text: &str, to: &mut String) {
    for character in text.chars() {
        match character {
            '&' => to.push_str("&amp;"),
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '"' => to.push_str("&quot;"),
            other => to.push(other),
        }
    }
}

/// The simulated time as an attribute has it, with milliseconds: so long after the beginning.
pub(super) fn timestamp(since: Duration) -> String {
    let seconds = BEGINNING + since.as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days since 1 March of the year 0 (Hinnant's civil calendar), all in eras of 400 years.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second, milli) = (rest / 3_600, rest / 60 % 60, rest % 60, since.subsec_millis());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}")
}

/// What an activity is published as: the number, the token with its range, a text of its own, the kind of device.
const fn published(state: AgentState) -> (u32, &'static str, Option<(u32, u32)>, &'static str, &'static str) {
    let busy = if state.idle { 7_500 } else { 6_500 };
    match state.activity {
        Activity::Available if state.idle => (5_000, "inactive", Some((4_500, 5_999)), "", "computer"),
        Activity::Available => (3_500, "", None, "", "computer"),
        Activity::Busy => (busy, "", None, "", "computer"),
        Activity::OnThePhone => (busy, "on-the-phone", Some((6_500, 8_999)), "", "deskphone"),
        Activity::Meeting => (busy, "in-a-meeting", Some((6_500, 8_999)), "", "computer"),
        Activity::Presentation => (busy, "in-presentation", Some((6_500, 8_999)), "", "computer"),
        Activity::DoNotDisturb => (9_500, "do-not-disturb", None, "", "computer"),
        Activity::Meal => (12_500, "out-to-lunch", Some((12_000, 14_999)), "At lunch & back soon", "mobile"),
        Activity::Away => (15_500, "", None, "", "computer"),
        Activity::Vacation => (15_500, "out-of-office", None, "On vacation", "mobile"),
        Activity::Offline => (18_500, "", None, "", ""),
    }
}

fn push_state(text: &mut String, state: AgentState, time: &str, extensions: bool) {
    let (number, token, range, custom, device) = published(state);
    text.push_str(concat!(
        "<state xmlns=\"http://schemas.microsoft.com/2006/09/sip/state\"",
        " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" manual=\"false\" xsi:type=\"aggregateState\"",
    ));
    if matches!(state.activity, Activity::Away | Activity::Vacation | Activity::Offline) {
        let _ = write!(text, " lastActive=\"{time}\"");
    }
    // Writing to a String cannot fail.
    let _ = write!(text, "><availability>{number}</availability>");
    if !token.is_empty() {
        let _ = write!(text, "<activity token=\"{token}\"");
        if let Some((least, most)) = range {
            let _ = write!(text, " minAvailability=\"{least}\" maxAvailability=\"{most}\"");
        }
        text.push('>');
        if !custom.is_empty() {
            text.push_str("<custom LCID=\"1033\">");
            escape(custom, text);
            text.push_str("</custom>");
        }
        text.push_str("</activity>");
    }
    if !device.is_empty() {
        let _ = write!(text, "<endpointLocation>office</endpointLocation><device>{device}</device>");
    }
    if extensions {
        text.push_str(concat!(
            "<delimiter xmlns=\"http://schemas.microsoft.com/2006/09/sip/commontypes\"/>",
            "<mood xmlns=\"urn:simulated\" weather=\"fair\"><availability>1</availability></mood>",
            "<end xmlns=\"http://schemas.microsoft.com/2006/09/sip/commontypes\"/>",
        ));
    }
    text.push_str("</state>");
}

fn push_services(text: &mut String, uri: &str, state: AgentState) {
    text.push_str("<services xmlns=\"http://schemas.microsoft.com/2006/09/sip/service\"><service uri=\"");
    escape(uri, text);
    let (number, ..) = published(state);
    text.push_str("\"><capabilities>");
    for (name, able) in [("text", state.text), ("voice", state.audio), ("video", state.video)] {
        let _ = write!(text, "<{name} render=\"{able}\" capture=\"{able}\" deviceAvailability=\"{number}\"/>");
    }
    text.push_str("</capabilities></service></services>");
}

/// Writes some categories of an agent; `which` as in [`super::batch_body`].
pub(super) fn categories(uri: &str, state: AgentState, which: u8, since: Duration, extensions: bool) -> String {
    let time = timestamp(since);
    let mut text = String::with_capacity(1_300);
    text.push_str("<categories xmlns=\"http://schemas.microsoft.com/2006/09/sip/categories\" uri=\"");
    escape(uri, &mut text);
    text.push_str("\">");
    if which & STATE != 0 {
        let _ = write!(text, "<category name=\"state\" instance=\"1\" publishTime=\"{time}\">");
        push_state(&mut text, state, &time, extensions);
        text.push_str("</category>");
    }
    if which & SERVICES != 0 {
        let _ = write!(text, "<category name=\"services\" instance=\"0\" publishTime=\"{time}\">");
        push_services(&mut text, uri, state);
        text.push_str("</category>");
    }
    text.push_str("</categories>");
    text
}

/// Cuts a document in the middle, as a fault does.
pub(super) fn spoil(document: &mut String) {
    let half = document.len() / 2;
    let cut = (0..=half).rev().find(|at| document.is_char_boundary(*at)).unwrap_or(0);
    document.truncate(cut);
    document.push_str("<<&unfinished");
}

/// The Content-ID of an agent's part: the URI without its scheme.
pub(super) fn content_id(uri: &str) -> &str {
    uri.split_once(':').map_or(uri, |(_, rest)| rest)
}

/// Writes a list of resources.
pub(super) fn resource_list(own: &str, resources: &[(&str, Instance)]) -> String {
    let mut text = String::with_capacity(150 + 130 * resources.len());
    text.push_str("<list xmlns=\"urn:ietf:params:xml:ns:rlmi\" uri=\"");
    escape(own, &mut text);
    text.push_str("\" version=\"0\" fullState=\"false\">");
    for (uri, instance) in resources {
        text.push_str("<resource uri=\"");
        escape(uri, &mut text);
        text.push_str("\"><instance id=\"0\" ");
        let _ = match instance {
            Instance::Active => {
                text.push_str("state=\"active\" cid=\"");
                escape(content_id(uri), &mut text);
                write!(text, "\"")
            }
            Instance::Resubscribe(None) => write!(text, "state=\"resubscribe\""),
            Instance::Resubscribe(Some(pool)) => write!(text, "state=\"resubscribe\" poolFqdn=\"{pool}\""),
            Instance::Terminated { reason, status, diagnostics } => write!(
                text,
                "state=\"terminated\" reason=\"{reason}\" statusCode=\"{status}\" msDiagCode=\"{diagnostics}\""
            ),
            Instance::Strange(state) => {
                text.push_str("state=\"");
                escape(state, &mut text);
                write!(text, "\"")
            }
        };
        text.push_str("/></resource>");
    }
    text.push_str("</list>");
    text
}

/// Puts a list and the parts of agents into one body; its content type and the body. Each document ends with a line break
/// of its own, before that of the boundary: libpurple, of which real clients are made, takes four characters off each part.
pub(super) fn multipart(boundary: &str, list: &str, parts: &[(&str, String)]) -> (String, String) {
    let length: usize = parts.iter().map(|(_, document)| document.len() + 220).sum();
    let mut text = String::with_capacity(list.len() + length + 400);
    let mut part = |id: &str, content_type: &str, document: &str| {
        let _ = write!(
            text,
            "--{boundary}\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {id}\r\nContent-Type: {content_type}\r\n\r\n\
             {document}\r\n\r\n"
        );
    };
    part("resourceList", "application/rlmi+xml", list);
    for (uri, document) in parts {
        part(content_id(uri), CATEGORIES_TYPE, document);
    }
    let _ = write!(text, "--{boundary}--\r\n");
    let kind = format!("multipart/related;type=\"application/rlmi+xml\";start=resourceList;boundary={boundary}");
    (kind, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simulated_calendar_knows_leap_years_and_the_ends_of_months() {
        let at = |days: u64| timestamp(Duration::from_secs(days * 86_400));
        assert_eq!(timestamp(Duration::from_millis(1_234)), "2026-01-05T08:00:01.234");
        assert_eq!(at(26), "2026-01-31T08:00:00.000");
        assert_eq!(at(27), "2026-02-01T08:00:00.000");
        assert_eq!(at(785), "2028-02-29T08:00:00.000");
        assert_eq!(at(786), "2028-03-01T08:00:00.000");
    }
}
