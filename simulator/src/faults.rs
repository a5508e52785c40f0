//! What a presence server can do wrong, on request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use presence_core::AgentUri;

/// Whom faults concern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every agent that has no faults of its own, and requests that concern no agent, such as OPTIONS.
    Everyone,
    /// One agent.
    Agent(AgentUri),
}

/// A refusal, with the headers that tell the peer what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status code, 300 to 699.
    pub code: u16,
    /// Adds `Retry-After`, in whole seconds.
    pub retry_after: Option<Duration>,
    /// Adds `Min-Expires`, in whole seconds.
    pub min_expires: Option<Duration>,
    /// How many requests are refused before all is well again; for ever when absent.
    pub times: Option<u32>,
}

/// What the server does with a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reaction {
    /// Answers as it should.
    #[default]
    Serve,
    /// Refuses.
    Refuse(Refusal),
    /// Drops it without a word.
    Ignore,
}

/// What a NOTIFY carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// The presence document.
    #[default]
    Document,
    /// No body.
    Empty,
    /// Half a document, and then something that is not XML.
    Malformed,
    /// The document blown up to this many bytes (at most 4 MiB are made).
    Padded(usize),
}

/// What goes wrong. The default is a healthy server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// What happens to SUBSCRIBE, in a dialog and outside.
    pub subscribe: Reaction,
    /// What happens to OPTIONS; looked up under [`Scope::Everyone`].
    pub options: Reaction,
    /// The NOTIFY leaves before the 200 (legal, RFC 6665 section 4.1.2.4).
    pub notify_before_answer: bool,
    /// By how much CSeq grows from NOTIFY to NOTIFY; more than 1 makes gaps (legal, RFC 3261 section 12.2.2).
    pub sequence_step: u32,
    /// Two Record-Route headers in the 2xx and in the first NOTIFY; a wrong Route afterwards is counted.
    pub two_record_routes: bool,
    /// BENOTIFY, which nobody answers, instead of NOTIFY.
    pub benotify: bool,
    /// What the NOTIFYs carry.
    pub body: Body,
    /// Before each NOTIFY a message that is framed but not SIP (bytes that are not UTF-8, no From, no CSeq).
    pub malformed_message_first: bool,
    /// Each NOTIFY is sent twice, byte for byte.
    pub duplicate_notify: bool,
    /// The 200 is sent, but no NOTIFY, neither the first nor later ones.
    pub no_notify: bool,
    /// The Event of the SUBSCRIBE is echoed as it was written, instead of in the server's own form.
    pub echo_event: bool,
    /// How late the answers to SUBSCRIBE and OPTIONS, and the NOTIFY that goes with them, leave; a day at most.
    pub delay: Duration,
    /// Grants at most this much.
    pub longest_expires: Option<Duration>,
    /// Refuses less than this with 423 and Min-Expires (zero excepted).
    pub shortest_expires: Option<Duration>,
}

impl Refusal {
    /// A refusal of every request with this code.
    #[must_use]
    pub const fn with(code: u16) -> Self {
        Self { code, retry_after: None, min_expires: None, times: None }
    }

    /// The same for only so many requests.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// The same with `Retry-After`.
    #[must_use]
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            subscribe: Reaction::Serve,
            options: Reaction::Serve,
            notify_before_answer: false,
            sequence_step: 1,
            two_record_routes: false,
            benotify: false,
            body: Body::Document,
            malformed_message_first: false,
            duplicate_notify: false,
            no_notify: false,
            echo_event: false,
            delay: Duration::ZERO,
            longest_expires: None,
            shortest_expires: None,
        }
    }
}

impl Faults {
    /// A server that refuses every SUBSCRIBE in this way.
    #[must_use]
    pub fn refusing(refusal: Refusal) -> Self {
        Self { subscribe: Reaction::Refuse(refusal), ..Self::default() }
    }
}

/// The faults in force, and whom each concerns.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaultPlan {
    everyone: Faults,
    agents: BTreeMap<Arc<str>, Faults>,
}

impl FaultPlan {
    /// Puts faults in force.
    pub(crate) fn set(&mut self, scope: &Scope, faults: Faults) {
        match scope {
            Scope::Everyone => self.everyone = faults,
            Scope::Agent(uri) => {
                self.agents.insert(uri.shared(), faults);
            }
        }
    }

    /// All is well again, for everyone.
    pub(crate) fn heal(&mut self) {
        *self = Self::default();
    }

    /// What is in force for this agent, or for a request that concerns none.
    pub(crate) fn of(&self, agent: Option<&str>) -> Faults {
        agent.and_then(|uri| self.agents.get(uri)).copied().unwrap_or(self.everyone)
    }

    /// What to do with this SUBSCRIBE; a refusal that is only for some requests is used up.
    pub(crate) fn on_subscribe(&mut self, agent: &str) -> Reaction {
        react(&mut self.agents.get_mut(agent).unwrap_or(&mut self.everyone).subscribe)
    }

    /// What to do with this OPTIONS.
    pub(crate) fn on_options(&mut self) -> Reaction {
        react(&mut self.everyone.options)
    }
}

/// Takes one use from a reaction that has only so many.
fn react(reaction: &mut Reaction) -> Reaction {
    let now = *reaction;
    if let Reaction::Refuse(refusal) = reaction {
        match refusal.times.as_mut() {
            None => {}
            Some(0) => {
                *reaction = Reaction::Serve;
                return Reaction::Serve;
            }
            Some(left) => *left -= 1,
        }
    }
    now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agents_own_faults_hide_those_of_everyone() {
        let mut plan = FaultPlan::default();
        let uri: AgentUri = "sip:a@x.example".parse().expect("a valid URI");
        plan.set(&Scope::Everyone, Faults::refusing(Refusal::with(503)));
        plan.set(&Scope::Agent(uri.clone()), Faults::default());
        assert_eq!(plan.on_subscribe(uri.as_str()), Reaction::Serve);
        assert_eq!(plan.on_subscribe("sip:b@x.example"), Reaction::Refuse(Refusal::with(503)));
        plan.heal();
        assert_eq!(plan.on_subscribe("sip:b@x.example"), Reaction::Serve);
    }

    #[test]
    fn a_refusal_for_two_requests_lets_the_third_pass() {
        let mut plan = FaultPlan::default();
        plan.set(&Scope::Everyone, Faults::refusing(Refusal::with(480).times(2)));
        let codes: Vec<_> = (0..3).map(|_| matches!(plan.on_subscribe("sip:a@x"), Reaction::Refuse(_))).collect();
        assert_eq!(codes, [true, true, false]);
    }
}
