//! The addresses in messages: each side has to believe that the proxy is the other.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};

use super::Way;

/// Pairs of addresses that are written over in header sections, as a gateway between two networks does: what the
/// client calls its own is the proxy's at the server, and what the server calls its own is the proxy's at the client.
/// Bodies stay as they are, and so does Content-Length.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Vec<(String, String)>);

impl Names {
    /// One more pair: the same place as the client knows it and as the server does.
    pub(super) fn add(&mut self, at_client: SocketAddr, at_server: SocketAddr) {
        if at_client != at_server {
            self.0.push((at_client.to_string(), at_server.to_string()));
        }
    }

    /// A message as its receiver may see it.
    pub(super) fn translate(&self, way: Way, message: &Bytes) -> Bytes {
        let head = message.windows(4).position(|four| four == b"\r\n\r\n").map_or(message.len(), |end| end + 4);
        let mut translated: Option<BytesMut> = None;
        let mut at = 0;
        let mut copied = 0;
        while at < head {
            let found = self.0.iter().find_map(|(client, server)| {
                let (from, to) = match way {
                    Way::ToServer => (client, server),
                    Way::ToClient => (server, client),
                };
                stands_at(&message[..head], at, from.as_bytes()).then_some((from.len(), to))
            });
            match found {
                None => at += 1,
                Some((length, to)) => {
                    let out = translated.get_or_insert_with(|| BytesMut::with_capacity(message.len() + 64));
                    out.extend_from_slice(&message[copied..at]);
                    out.extend_from_slice(to.as_bytes());
                    at += length;
                    copied = at;
                }
            }
        }
        match translated {
            None => message.clone(),
            Some(mut out) => {
                out.extend_from_slice(&message[copied..]);
                out.freeze()
            }
        }
    }
}

/// Whether this address is written here, whole: not as the end of a longer one, nor with a longer port.
fn stands_at(text: &[u8], at: usize, address: &[u8]) -> bool {
    text[at..].starts_with(address)
        && !at.checked_sub(1).is_some_and(|before| text[before].is_ascii_digit() || text[before] == b'.')
        && !text.get(at + address.len()).is_some_and(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let mut names = Names::default();
        names.add("127.0.0.1:4000".parse().expect("valid"), "127.0.0.1:6001".parse().expect("valid"));
        names.add("127.0.0.1:5060".parse().expect("valid"), "127.0.0.1:7000".parse().expect("valid"));
        names
    }

    #[test]
    fn whole_addresses_of_the_head_change_and_change_back() {
        let sent = Bytes::from_static(
            b"OPTIONS sip:127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:4000;branch=1\r\nX: 127.0.0.1:40001 \
              1127.0.0.1:4000\r\n\r\n127.0.0.1:4000",
        );
        let seen = names().translate(Way::ToServer, &sent);
        assert_eq!(
            seen,
            "OPTIONS sip:127.0.0.1:7000 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:6001;branch=1\r\nX: 127.0.0.1:40001 \
             1127.0.0.1:4000\r\n\r\n127.0.0.1:4000"
        );
        assert_eq!(names().translate(Way::ToClient, &seen), sent);
    }

    #[test]
    fn what_names_nobody_is_not_even_copied() {
        let message = Bytes::from_static(b"OPTIONS sip:x SIP/2.0\r\n\r\n");
        assert_eq!(names().translate(Way::ToServer, &message).as_ptr(), message.as_ptr());
    }
}
