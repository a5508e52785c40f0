//! A simulated Microsoft on a port of this computer, for commands that ask one question after the other.
#![allow(dead_code, reason = "every test binary uses its part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use presence_simulator::{GraphService, GraphServiceSettings, ServiceHost, ServiceReply, ServiceRequest};

/// A login host and a Graph behind one port; both end with the process.
#[derive(Clone)]
pub(crate) struct Microsoft {
    service: Arc<Mutex<GraphService>>,
    pub(crate) address: SocketAddr,
}

impl Microsoft {
    /// With these tenants.
    pub(crate) fn start(settings: GraphServiceSettings) -> Self {
        let now = presence_actors::now();
        let service = GraphService::new(now, presence_actors::time_of_day(now), settings);
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let this = Self { service: Arc::new(Mutex::new(service)), address: listener.local_addr().unwrap() };
        let serving = this.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that breaks off is none of our business.
                let _ = serving.serve(stream);
            }
        });
        this
    }

    /// Carries out a command of the service.
    pub(crate) fn command(&self, line: &str) -> String {
        self.service.lock().unwrap().command(presence_actors::now(), line).unwrap()
    }

    /// Every secret that was given out or shown.
    pub(crate) fn secrets(&self) -> Vec<String> {
        self.service.lock().unwrap().secrets()
    }

    /// The attributes that lead a configuration here.
    pub(crate) fn urls(&self) -> String {
        format!(r#"LoginUrl="http://{0}" GraphUrl="http://{0}""#, self.address)
    }

    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let mut words = lines.first().map(String::as_str).unwrap_or_default().split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let headers: Vec<(String, String)> = lines
            .iter()
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let mut body = vec![0; length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)];
        reader.read_exact(&mut body)?;
        let host = if path.contains("/oauth2/") { ServiceHost::Login } else { ServiceHost::Graph };
        let request = ServiceRequest { host, method, path, headers, body };
        let reply = self.service.lock().unwrap().request(presence_actors::now(), request);
        let ServiceReply::Answer(answer) = reply else { return Ok(()) };
        let mut head =
            format!("HTTP/1.1 {} X\r\nconnection: close\r\ncontent-length: {}\r\n", answer.status, answer.body.len());
        for (name, value) in &answer.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes())?;
        stream.write_all(&answer.body)
    }
}
