//! The body that asks for many agents in one SUBSCRIBE (MS-PRES 2.2.2.4.1; schema MS-PRES 6.8).

use bytes::Bytes;
use presence_core::AgentUri;

/// What an action does with its resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchActionName {
    /// Adds them to the dialog, or refreshes them there.
    Subscribe,
    /// Takes them out of the dialog.
    Unsubscribe,
}

/// One action of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchAction<'a> {
    /// What to do.
    pub name: BatchActionName,
    /// A number of the sender's choice.
    pub id: u32,
    /// With whom; an action with nobody is left out, as servers refuse the whole body for one.
    pub resources: &'a [AgentUri],
}

const HEAD: &str = "<batchSub xmlns=\"http://schemas.microsoft.com/2006/01/sip/batch-subscribe\" uri=\"";
const CATEGORY_LIST: &str = "</adhocList><categoryList xmlns=\"http://schemas.microsoft.com/2006/09/sip/categorylist\">\
                             <category name=\"services\"/><category name=\"state\"/></categoryList></action>";

impl BatchActionName {
    /// The word of the schema.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
        }
    }
}

/// Writes the body that applies `actions` to the dialog of the endpoint `own`.
///
/// The categories are `services` and `state` only: what a watcher asks for counts against the agent's quota of watchers.
/// There is never a subscription context, which would make the agent's client ask whether to accept us.
#[must_use]
pub fn write_batch_subscribe(own: &AgentUri, actions: &[BatchAction<'_>]) -> Bytes {
    let mut text = String::with_capacity(room(own, actions));
    text.push_str(HEAD);
    push_escaped(&mut text, own.as_str());
    text.push_str("\" name=\"\">");
    for action in actions.iter().filter(|action| !action.resources.is_empty()) {
        text.push_str("<action name=\"");
        text.push_str(action.name.as_str());
        text.push_str("\" id=\"");
        text.push_str(&action.id.to_string());
        text.push_str("\"><adhocList>");
        for resource in action.resources {
            text.push_str("<resource uri=\"");
            push_escaped(&mut text, resource.as_str());
            text.push_str("\"/>");
        }
        text.push_str(CATEGORY_LIST);
    }
    text.push_str("</batchSub>");
    text.into()
}

/// The bytes that the body takes if no URI has anything to escape.
fn room(own: &AgentUri, actions: &[BatchAction<'_>]) -> usize {
    let resource = |uri: &AgentUri| r#"<resource uri=""/>"#.len() + uri.as_str().len();
    let action = |action: &BatchAction<'_>| {
        r#"<action name="unsubscribe" id="4294967295"><adhocList>"#.len()
            + action.resources.iter().map(resource).sum::<usize>()
            + CATEGORY_LIST.len()
    };
    let ends = HEAD.len() + own.as_str().len() + r#"" name=""></batchSub>"#.len();
    ends + actions.iter().map(action).sum::<usize>()
}

fn push_escaped(text: &mut String, uri: &str) {
    for character in uri.chars() {
        match character {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&apos;"),
            _ => text.push(character),
        }
    }
}
