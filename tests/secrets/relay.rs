//! A way to the simulated Microsoft that can turn hostile: it then answers everybody with what he asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::json;

/// It ends with the process.
#[derive(Clone)]
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    hostile: Arc<AtomicBool>,
    echoed: Arc<AtomicUsize>,
}

impl Relay {
    pub(crate) fn to(microsoft: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let this = Self { address: listener.local_addr().unwrap(), hostile: Arc::default(), echoed: Arc::default() };
        let relay = this.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let relay = relay.clone();
                // Whoever breaks off wants no answer.
                std::thread::spawn(move || drop(relay.serve(stream, microsoft)));
            }
        });
        this
    }

    pub(crate) fn hostile(&self, hostile: bool) {
        self.hostile.store(hostile, Ordering::SeqCst);
    }

    /// So many requests were answered with themselves.
    pub(crate) fn echoed(&self) -> usize {
        self.echoed.load(Ordering::SeqCst)
    }

    fn serve(&self, mut stream: TcpStream, microsoft: SocketAddr) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let field = |name: &str| {
            let found =
                head.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_owned())
        };
        let mut body = vec![0; field("content-length").map_or(0, |length| length.parse().unwrap())];
        reader.read_exact(&mut body)?;
        if self.hostile.load(Ordering::SeqCst) {
            let turn = self.echoed.fetch_add(1, Ordering::SeqCst);
            let body = String::from_utf8_lossy(&body).into_owned();
            return stream.write_all(echo(turn, &head, &body, field("authorization").as_deref()).as_bytes());
        }
        let mut other = TcpStream::connect(microsoft)?;
        let (first, rest) = head.split_once("\r\n").unwrap();
        other.write_all(format!("{first}\r\nConnection: close\r\n{rest}").as_bytes())?;
        other.write_all(&body)?;
        std::io::copy(&mut other, &mut stream)?;
        Ok(())
    }
}

/// The request, in whatever a program may show of an answer.
fn echo(turn: usize, head: &str, body: &str, authorization: Option<&str>) -> String {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let values =
        body.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name, value, decode(value)));
    let values: Vec<_> = values
        .filter(|(name, ..)| matches!(*name, "client_secret" | "client_assertion" | "refresh_token" | "device_code"))
        .collect();
    let token = authorization.map(|text| text.trim_start_matches("Bearer ").to_owned());
    let secret = values.first().map(|(_, _, value)| value.clone()).or(token).unwrap_or_default();
    let forms: Vec<String> = values.iter().map(|(_, raw, value)| format!("{raw} {value}")).collect();
    let padding = "x ".repeat(100 + turn % 40);
    let words = format!(
        "AADSTS7000215: '{secret}' {} {} {padding} {secret}{secret}",
        STANDARD.encode(&secret),
        forms.join(" ")
    );
    let error = if head.contains("/oauth2/") {
        json!({"error": if turn.is_multiple_of(2) { "invalid_client" } else { secret.as_str() }, "error_description": words, "error_codes": [secret]})
    } else {
        json!({"error": {"code": secret, "message": words, "innerError": {"request-id": secret, "date": secret}}})
    };
    let (status, text) = match turn % 4 {
        0 => ("503 Service Unavailable", error.to_string()),
        1 => ("200 OK", format!("{head}{body}")),
        2 => ("200 OK", json!({"token_type": secret, "access_token": 7, "value": secret, "echo": error}).to_string()),
        _ => ("503 Service Unavailable", format!("{head}{body}")),
    };
    let more =
        format!("request-id: {secret}\r\nretry-after: {secret}\r\ndate: {secret}\r\nlocation: https://{secret}/\r\n");
    format!("HTTP/1.1 {status}\r\nconnection: close\r\n{more}content-length: {}\r\n\r\n{text}", text.len())
}
