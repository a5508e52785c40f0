//! SIP packets along the groups of PROTOS c07-sip: one part of a packet at a time is anything but what it should be.
//!
//! Every group is a part of a NOTIFY, and of an answer where that has such a part. What is right by law is stated with
//! each mutation, so that the counts can be checked and not only the absence of panics.

mod groups;
mod mutations;

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use presence_sip::{Frame, Framer, Limits, Message};

use crate::dialog::{Kind, Scene};
use crate::message::examine;

pub use groups::{GROUPS, Group};
pub use mutations::{Mutation, mutations};

/// What became of the packets of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages whose headers are all sane.
    pub accepted: usize,
    /// Messages that are read and refused by their headers.
    pub insane: usize,
    /// Bytes that are no message, or end the connection.
    pub unreadable: usize,
}

impl Counts {
    /// All of them.
    #[must_use]
    pub const fn all(&self) -> usize {
        self.accepted + self.insane + self.unreadable
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accepted, insane, unreadable } = self;
        write!(f, "{:>5} packets: {accepted:>5} accepted, {insane:>5} refused, {unreadable:>5} unreadable", self.all())
    }
}

/// Both dialects with a dialog that lives, and all packets.
#[derive(Default)]
pub struct Gauntlet {
    /// What became of them, by group.
    pub counts: BTreeMap<&'static str, Counts>,
    /// What was accepted against the law, or refused against it.
    pub findings: Vec<String>,
}

impl Gauntlet {
    /// Every mutation of every group, into everything.
    pub fn run(&mut self) {
        for group in GROUPS {
            let mut scenes = [Kind::Simple, Kind::Skype].map(|kind| {
                let mut scene = Scene::new(kind);
                scene.begin();
                scene
            });
            for mutation in mutations(group) {
                let law = (group.law)(&mutation);
                for scene in &mut scenes {
                    let notify = groups::notify(group, &mutation.bytes, &scene.notify());
                    self.count(group, &mutation, law, &notify);
                    scene.receive(&notify);
                    if let Some(answer) = groups::answer(group, &mutation.bytes, &scene.accepted()) {
                        self.count(group, &mutation, law.filter(|_| group.of_answers), &answer);
                        scene.receive(&answer);
                    }
                }
            }
            for scene in &mut scenes {
                // What was refused has changed nothing that a farewell cannot end.
                scene.end();
            }
        }
    }

    fn count(&mut self, group: &Group, mutation: &Mutation, law: Option<bool>, packet: &[u8]) {
        let outcome = outcome(packet);
        let counts = self.counts.entry(group.name).or_default();
        match outcome {
            Outcome::Accepted => counts.accepted += 1,
            Outcome::Insane => counts.insane += 1,
            Outcome::Unreadable => counts.unreadable += 1,
        }
        if law.is_some_and(|accepted| accepted != (outcome == Outcome::Accepted)) {
            self.findings.push(format!("{}: {mutation:?} is {outcome:?}", group.name));
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Accepted,
    Insane,
    Unreadable,
}

/// Through the framing, in one piece and in two, the message, and everything that is asked of it.
fn outcome(packet: &[u8]) -> Outcome {
    let limits = Limits::default();
    let whole = framed([packet]);
    let (begin, end) = packet.split_at(packet.len() / 2);
    let halves = framed([begin, end]);
    assert_eq!(whole.as_ref().map(|message| format!("{message:?}")), halves.map(|message| format!("{message:?}")));
    let datagram = Message::parse(Bytes::copy_from_slice(packet), &limits);
    for message in [whole.as_ref(), datagram.as_ref().ok()].into_iter().flatten() {
        examine(message, &limits);
    }
    match whole {
        None => Outcome::Unreadable,
        Some(message) if message.check().is_ok() => Outcome::Accepted,
        Some(_) => Outcome::Insane,
    }
}

/// The first message of a stream.
fn framed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Option<Message> {
    let mut framer = Framer::new(Limits::default());
    for piece in pieces {
        framer.push(piece);
        loop {
            match framer.next_frame() {
                Ok(Some(Frame::Message(message))) => return Some(message),
                Ok(Some(Frame::Malformed { .. })) | Err(_) => return None,
                Ok(Some(Frame::Ping | Frame::Pong)) => {}
                Ok(None) => break,
            }
        }
    }
    None
}
