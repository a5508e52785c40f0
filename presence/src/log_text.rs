//! The documented log lines of the seed, character for character, and text that cannot forge a line.

use std::fmt::{self, Display, Formatter, Write};
use std::time::Duration;

use crate::{AgentUri, Change, Modalities, Modality, Presence};

/// Text from elsewhere, printed so that it stays on its line: control characters, line and paragraph separators,
/// bidirectional overrides and invisible marks come out as `\u{..}`, line ends as `\n` and `\r`.
#[derive(Clone, Copy, Debug)]
pub struct Safe<'a>(pub &'a str);

impl Display for Safe<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if is_plain(self.0) {
            return f.write_str(self.0);
        }
        self.0.chars().try_for_each(|c| write_safe(f, c))
    }
}

/// The same in double quotes, with quotes and backslashes escaped: where the text ends is beyond doubt.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                _ => write_safe(f, c)?,
            }
        }
        f.write_char('"')
    }
}

fn write_safe(f: &mut Formatter<'_>, c: char) -> fmt::Result {
    match c {
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        c if is_treacherous(c) => write!(f, "{}", c.escape_unicode()),
        c => f.write_char(c),
    }
}

/// True for a character that could end a line, move a cursor, reorder what a reader sees or stay invisible: control
/// characters (C0, DEL, C1 with U+0085), the separators U+2028 and U+2029, the bidirectional controls, the marks
/// without width (two names that look alike must not differ in one of them), and the invisible tags.
#[must_use]
pub const fn is_treacherous(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// True for a text of visible ASCII and blanks, which needs no second look: nearly every text is one. All bytes together
/// are looked at faster than one after the other.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    text.bytes().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'))
}

/// `PresenceProviderConfiguration:: …`: every parameter, once at start.
#[derive(Clone, Copy, Debug)]
pub struct ConfigurationLine<'a> {
    /// MaxFailedPresenceSubscriptionsPerUri.
    pub max_failures: u32,
    /// FailedPresenceSubscriptionsResubscribeDelay; printed in whole seconds.
    pub first_delay: Duration,
    /// MaxPresenceSubscriptionsPerSecond.
    pub per_second: u32,
    /// ApplicationId, such as `urn:application:ucc_app14_1`.
    pub application_id: &'a str,
    /// The application endpoints, normally one.
    pub application_endpoints: &'a [AgentUri],
    /// The user endpoints, none or one.
    pub user_endpoints: &'a [AgentUri],
}

impl Display for ConfigurationLine<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // The seed's line has neither a separator nor a colon around the rate; programs that read it expect that.
        write!(
            f,
            "PresenceProviderConfiguration:: MaxFailedPresenceSubscriptionsPerUri: {}, \
             FailedPresenceSubscriptionsResubscribeDelay: {}MaxPresenceSubscriptionsPerSecond {}, ApplicationId: {}, \
             ApplicationEndpoints:[",
            self.max_failures,
            self.first_delay.as_secs(),
            self.per_second,
            Safe(self.application_id),
        )?;
        write_list(f, self.application_endpoints)?;
        f.write_str("] UserEndpoints:[")?;
        write_list(f, self.user_endpoints)?;
        f.write_char(']')
    }
}

fn write_list(f: &mut Formatter<'_>, uris: &[AgentUri]) -> fmt::Result {
    for (position, uri) in uris.iter().enumerate() {
        if position > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{}", Safe(uri.as_str()))?;
    }
    Ok(())
}

/// `PresenceProviderClient::Subscribe sipUrisip:…`: a UCC asks for an agent. No blank before the URI, as in the seed.
#[derive(Clone, Copy, Debug)]
pub struct SubscribeLine<'a>(pub &'a AgentUri);

impl Display for SubscribeLine<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "PresenceProviderClient::Subscribe sipUri{}", Safe(self.0.as_str()))
    }
}

/// `… Presence change: '…' Away : 15500 : …`: the change as one UCC reports it.
#[derive(Clone, Copy, Debug)]
pub struct PresenceLine<'a> {
    /// The UCC's name.
    pub ucc: &'a str,
    /// The agent.
    pub uri: &'a AgentUri,
    /// What holds now.
    pub presence: &'a Presence,
    /// Whether the agent is a formal one of this UCC.
    pub formal: bool,
    /// Whether the agent is active in this UCC.
    pub active: bool,
}

impl Display for PresenceLine<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let status = &self.presence.status;
        write!(
            f,
            "{} Presence change: '{}' {} : {} :",
            Safe(self.ucc),
            Safe(self.uri.as_str()),
            status.availability.name(),
            status.availability.value(),
        )?;
        if let Some(activity) = status.activity.as_deref() {
            write!(f, " {}", Safe(activity))?;
        }
        write!(
            f,
            " : {} : {} Formal:{}, Active:{}. {}",
            status.device,
            status.network,
            Capital(self.formal),
            Capital(self.active),
            Capabilities(status.modalities),
        )
    }
}

/// `PresenceProviderClient::event PresenceChangedEventArgs: …`: the previous and the new presence.
#[derive(Clone, Copy, Debug)]
pub struct EventLine<'a>(pub &'a Change);

impl Display for EventLine<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("PresenceProviderClient::event PresenceChangedEventArgs: PreviousPresence: [")?;
        if let Some(previous) = &self.0.previous {
            write!(f, "{}", Arguments { uri: &self.0.uri, presence: previous })?;
        }
        write!(f, "], NewPresence: [{}]", Arguments { uri: &self.0.uri, presence: &self.0.new })
    }
}

struct Arguments<'a> {
    uri: &'a AgentUri,
    presence: &'a Presence,
}

impl Display for Arguments<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let status = &self.presence.status;
        write!(
            f,
            "PresenceNotificationEventArgs:: SipUri: {} {}, WspDeviceType: {}, WspSourceNetwork: {}, \
             WspPresenceAvailability: {}, WspPresenceAvailabilityValue: {}, ActivityToken: {}",
            Safe(self.uri.as_str()),
            Capabilities(status.modalities),
            status.device,
            status.network,
            status.availability.name(),
            status.availability.value(),
            Safe(status.activity.as_deref().unwrap_or_default()),
        )
    }
}

/// `WspModalityCapabilities: (audio: True, video: True, text: True)`; what no source says is `Unknown`.
#[derive(Clone, Copy, Debug)]
pub struct Capabilities(pub Modalities);

impl Display for Capabilities {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let word = |modality| match modality {
            Modality::Enabled => "True",
            Modality::Disabled => "False",
            Modality::Unknown => "Unknown",
        };
        write!(
            f,
            "WspModalityCapabilities: (audio: {}, video: {}, text: {})",
            word(self.0.audio),
            word(self.0.video),
            word(self.0.text)
        )
    }
}

/// `True` or `False`, as .NET prints them.
struct Capital(bool);

impl Display for Capital {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 { "True" } else { "False" })
    }
}
