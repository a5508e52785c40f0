//! The costliest inputs that are let through to each reader, at its caps: XML and JSON that explode, nest, repeat or never
//! end, headers without end, and patterns that go back and forth.

mod json;
mod patterns;
mod sip;
mod xml;

use std::fmt;

/// An input, and who reads it.
#[derive(Clone)]
pub struct Bomb {
    /// Which reader, with its cap.
    pub reader: &'static str,
    /// What kind of bomb.
    pub name: &'static str,
    /// The input.
    pub bytes: Vec<u8>,
    /// Reads it; true when it is accepted.
    pub read: fn(&[u8]) -> bool,
}

impl fmt::Debug for Bomb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({} bytes)", self.reader, self.name, self.bytes.len())
    }
}

/// All of them, at the caps divided by `part`; 1 for the caps themselves.
#[must_use]
pub fn all(part: usize) -> Vec<Bomb> {
    [xml::bombs(part), json::bombs(part), sip::bombs(part), patterns::bombs()].concat()
}

/// Its name, its cap in bytes, and how it reads: true when it accepts.
type Reader = (&'static str, usize, fn(&[u8]) -> bool);

/// The same inputs for several readers, each at its cap divided by `part`.
fn each(part: usize, readers: &[Reader], make: impl Fn(usize) -> Vec<(&'static str, Vec<u8>)>) -> Vec<Bomb> {
    let of = |(reader, cap, read): &Reader| {
        let (reader, read) = (*reader, *read);
        let made = make(*cap / part.max(1));
        made.into_iter().map(move |(name, bytes)| Bomb { reader, name, bytes, read }).collect::<Vec<_>>()
    };
    readers.iter().flat_map(of).collect()
}

/// `begin`, as many `part`s as fit below `cap` bytes, `end`.
fn filled(begin: &str, part: &str, end: &str, cap: usize) -> Vec<u8> {
    let count = cap.saturating_sub(begin.len() + end.len()) / part.len().max(1);
    [begin, &part.repeat(count), end].concat().into_bytes()
}
