//! A telephone of a few lines: sends SIP as the text that the test wrote and reads what comes back.
//!
//! It is deliberately not built on `presence-sip`: a fault in our parser must not hide itself from our tests.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// One message as it came, headers unfolded by nobody: enough for the messages that Kamailio sends.
#[derive(Debug, Clone)]
pub struct Heard {
    /// The whole message.
    pub text: String,
}

impl Heard {
    /// The status code of a response.
    pub fn status(&self) -> Option<u16> {
        self.text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// The method of a request.
    pub fn method(&self) -> Option<&str> {
        self.text.split(' ').next().filter(|word| *word != "SIP/2.0")
    }

    /// The value of the first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let head = self.text.split("\r\n\r\n").next()?;
        head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Everything after the empty line.
    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    /// The tag parameter of From or To.
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.header(name)?.split_once(";tag=")?.1.split(';').next()
    }
}

/// One end of a signalling path to a server.
#[derive(Debug)]
pub struct Phone {
    link: Link,
    local: SocketAddr,
    buffer: Vec<u8>,
}

#[derive(Debug)]
enum Link {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

static NEXT: AtomicU32 = AtomicU32::new(1);

/// A word that no other message of this process holds: for branches, tags and Call-IDs.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}{}x{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Phone {
    /// A socket of its own that talks to `server` only.
    pub fn udp(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(server).unwrap();
        let local = socket.local_addr().unwrap();
        Self { link: Link::Udp(socket), local, buffer: Vec::new() }
    }

    /// A connection of its own to `server`.
    pub fn tcp(server: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&server, Duration::from_secs(5)).unwrap();
        stream.set_nodelay(true).unwrap();
        let local = stream.local_addr().unwrap();
        Self { link: Link::Tcp(stream), local, buffer: Vec::new() }
    }

    /// Our address.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// `UDP` or `TCP`, as a Via header spells it.
    pub fn transport(&self) -> &'static str {
        match self.link {
            Link::Udp(_) => "UDP",
            Link::Tcp(_) => "TCP",
        }
    }

    /// A request with the headers that every request needs; `extra` lines carry no line end of their own.
    pub fn request(&self, method: &str, uri: &str, dialog: &Dialog, extra: &[String], body: &str) -> String {
        let Dialog { call_id, from, from_tag, to, to_tag, sequence } = dialog;
        let (transport, local) = (self.transport(), self.local);
        let branch = unique("z9hG4bK");
        let to_tag = to_tag.as_ref().map_or_else(String::new, |tag| format!(";tag={tag}"));
        let mut text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{transport} {local};branch={branch};rport\r\nMax-Forwards: 70\r\n\
             From: <{from}>;tag={from_tag}\r\nTo: <{to}>{to_tag}\r\nCall-ID: {call_id}\r\nCSeq: {sequence} {method}\r\n"
        );
        for line in extra {
            text.push_str(line);
            text.push_str("\r\n");
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        text
    }

    /// Sends the text as it is.
    pub fn send(&mut self, text: &str) {
        match &mut self.link {
            Link::Udp(socket) => assert_eq!(socket.send(text.as_bytes()).unwrap(), text.len()),
            Link::Tcp(stream) => stream.write_all(text.as_bytes()).unwrap(),
        }
    }

    /// The next message, or `None` when nothing whole came within `patience` or the other side closed.
    pub fn receive(&mut self, patience: Duration) -> Option<Heard> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(heard) = self.take_framed() {
                return Some(heard);
            }
            let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            let mut bytes = [0; 65_535];
            let read = match &mut self.link {
                Link::Udp(socket) => {
                    socket.set_read_timeout(Some(left)).unwrap();
                    socket.recv(&mut bytes)
                }
                Link::Tcp(stream) => {
                    stream.set_read_timeout(Some(left)).unwrap();
                    stream.read(&mut bytes)
                }
            };
            match read {
                Ok(0) if matches!(self.link, Link::Tcp(_)) => return None,
                Ok(count) => self.buffer.extend_from_slice(&bytes[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => return None,
            }
        }
    }

    /// Answers a request with 200.
    pub fn accept(&mut self, request: &Heard) {
        let mut text = String::from("SIP/2.0 200 OK\r\n");
        let head = request.text.split("\r\n\r\n").next().unwrap_or_default();
        for line in head.lines().skip(1) {
            let name = line.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
            if matches!(name.as_str(), "via" | "from" | "to" | "call-id" | "cseq") {
                text.push_str(line);
                text.push_str("\r\n");
            }
        }
        text.push_str("Content-Length: 0\r\n\r\n");
        self.send(&text);
    }

    /// Sends a request, over UDP again every 500 ms, until the final answer to it comes; requests that come meanwhile
    /// are answered with 200 and dropped. `None` after `patience`.
    pub fn call(&mut self, request: &str, patience: Duration) -> Option<Heard> {
        let deadline = Instant::now() + patience;
        let wanted = Heard { text: request.to_owned() };
        let branch = wanted.header("Via").and_then(|via| via.split_once("branch=")).map(|(_, rest)| rest.to_owned())?;
        let branch = branch.split(';').next()?.to_owned();
        self.send(request);
        while Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now()).min(Duration::from_millis(500));
            match self.receive(left) {
                Some(heard) if heard.method().is_some() => self.accept(&heard),
                Some(heard) => {
                    let ours = heard.header("Via").is_some_and(|via| via.contains(&branch));
                    if ours && heard.status().is_some_and(|status| status >= 200) {
                        return Some(heard);
                    }
                }
                None if matches!(self.link, Link::Udp(_)) => self.send(request),
                None => {}
            }
        }
        None
    }

    /// One message out of the buffer: the whole datagram, or what Content-Length says of the stream.
    fn take_framed(&mut self) -> Option<Heard> {
        let end = self.buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let head = Heard { text: String::from_utf8_lossy(&self.buffer[..end]).into_owned() };
        let length = head.header("Content-Length").or_else(|| head.header("l")).and_then(|value| value.parse().ok());
        let whole = end + length.unwrap_or(0_usize);
        if self.buffer.len() < whole {
            return None;
        }
        let bytes: Vec<u8> = self.buffer.drain(..whole).collect();
        Some(Heard { text: String::from_utf8_lossy(&bytes).into_owned() })
    }
}

/// What identifies the messages of one dialog.
#[derive(Debug, Clone)]
pub struct Dialog {
    /// Call-ID.
    pub call_id: String,
    /// URI of the From header.
    pub from: String,
    /// Our tag.
    pub from_tag: String,
    /// URI of the To header.
    pub to: String,
    /// The server's tag, once known.
    pub to_tag: Option<String>,
    /// CSeq number of the next request.
    pub sequence: u32,
}

impl Dialog {
    /// A dialog that does not exist yet.
    pub fn new(from: &str, to: &str) -> Self {
        Self {
            call_id: unique("call"),
            from: from.to_owned(),
            from_tag: unique("tag"),
            to: to.to_owned(),
            to_tag: None,
            sequence: 1,
        }
    }
}
