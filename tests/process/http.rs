//! A house: the real program with its HTTP API against a simulated presence server, and clients that wait for answers.
//!
//! `House::new()` has 20 agents (`agent1@demo.example` ...), no token is required, and PSTN and an attendant source for
//! `@attendant.example` are on. [`Plan`] says what differs. `house.client().get("/api/v1/status").json` is a value.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use presence_simulator::SimulatorHandle;
use serde_json::Value;

use super::{Config, DOMAIN, Service, pool, program, server};

/// The domain of the agents that third parties push.
pub(crate) const ATTENDANT: &str = "attendant.example";
/// So long an answer, or the next event, may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// In what a house differs from the plain one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'a> {
    /// How many agents the presence server has.
    pub(crate) agents: usize,
    /// More attributes of `Http`, such as `RequestsPerSecond="5"`.
    pub(crate) http: &'a str,
    /// More attributes of `PresenceProvider`.
    pub(crate) provider: &'a str,
    /// Queues inside the process, made by [`super::queue`].
    pub(crate) queues: &'a str,
    /// The tokens to make: name and scopes, such as `("sales", &["ucc:sales", "read"])`. None: no token is required.
    pub(crate) tokens: &'a [(&'a str, &'a [&'a str])],
    /// More arguments of `run`.
    pub(crate) arguments: &'a [&'a str],
}

impl Default for Plan<'_> {
    fn default() -> Self {
        Self { agents: 20, http: "", provider: "", queues: "", tokens: &[], arguments: &[] }
    }
}

/// A running program with its API. Dropping it kills the program.
pub(crate) struct House {
    /// The presence server.
    pub(crate) server: SimulatorHandle,
    /// The program; `service.says(..)` waits for a line of its log.
    pub(crate) service: Service,
    /// The file that it was started with, and its directory.
    pub(crate) config: Config,
    /// Where the API is, such as `http://127.0.0.1:40123`, without a slash at the end.
    pub(crate) url: String,
    tokens: BTreeMap<String, String>,
}

impl House {
    /// The plain house.
    pub(crate) fn new() -> Self {
        Self::with(Plan::default())
    }

    /// A house after a plan, once its API answers.
    pub(crate) fn with(plan: Plan<'_>) -> Self {
        let server = server(plan.agents);
        let config = Config::of("");
        let tokens: BTreeMap<_, _> =
            plan.tokens.iter().map(|(name, scopes)| ((*name).to_owned(), make_token(&config, name, scopes))).collect();
        let file = if tokens.is_empty() {
            String::new()
        } else {
            format!("Tokens=\"{}\"", config.path().with_file_name("tokens").display())
        };
        config.write(&text(&plan, &pool(server.address(), "tcp"), &file));
        let service = config.run(plan.arguments);
        let said = service.says("the API and the dashboard are at ");
        let url = said.rsplit(' ').next().unwrap().trim_end_matches('/').to_owned();
        Self { server, service, config, url, tokens }
    }

    /// The URI of an agent of the presence server, from 1.
    pub(crate) fn agent(number: usize) -> String {
        format!("sip:agent{number}@{DOMAIN}")
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    /// The id of the process.
    pub(crate) fn process(&self) -> u32 {
        self.service.child.id()
    }

    /// The secret of a token of the plan.
    pub(crate) fn token(&self, name: &str) -> &str {
        &self.tokens[name]
    }

    /// A client without a token.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url, None)
    }

    /// A client with a token of the plan.
    pub(crate) fn client_as(&self, name: &str) -> Client {
        Client::new(&self.url, Some(self.token(name)))
    }
}

/// The configuration of a house.
fn text(plan: &Plan<'_>, pool: &str, tokens: &str) -> String {
    let Plan { http, provider, queues, .. } = plan;
    format!(
        r#"<?xml version="1.0" encoding="utf-8"?>
<config version="1.5">
  <PresenceProvider failedPresenceSubscriptionsResubscribeDelay="60" MaxPresenceSubscriptionsPerSecond="1000" {provider}>
    <Http Listen="127.0.0.1:0" {tokens} {http} />
    <AttendantServiceSource enabled="true"><Match pattern="@attendant\.example$" /></AttendantServiceSource>
    <PstnPresenceSource enabled="true" />
    <UcmaPresenceSource enabled="true" ApplicationId="urn:application:ucc_app14_1">
      <ApplicationEndpoint OwnerUri="sip:ucc_app01@{DOMAIN}" />
      <Pool {pool} SampleInterval="never" />
    </UcmaPresenceSource>
  </PresenceProvider>
  <UnifiedContactCenters>
{queues}  </UnifiedContactCenters>
</config>
"#
    )
}

/// Makes a token as an operator does, and gives its secret.
fn make_token(config: &Config, name: &str, scopes: &[&str]) -> String {
    let mut command = program();
    command.args(["token", "create", name, "--file"]).arg(config.path().with_file_name("tokens"));
    for scope in scopes {
        command.args(["--scope", scope]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().last().unwrap().trim().to_owned()
}

/// What was answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The headers, their names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// The body; what is no UTF-8 in it is replaced.
    pub(crate) text: String,
    /// The body as JSON; null when it is none.
    pub(crate) json: Value,
}

impl Answer {
    /// The value of a header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The sentence of a problem document; fails when the answer is none, or says another status than HTTP does.
    #[track_caller]
    pub(crate) fn problem(&self) -> &str {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert_eq!(self.json["status"], self.status, "{self:?}");
        self.json["detail"].as_str().unwrap()
    }
}

/// A client that waits for each answer, and never takes an error status for its own failure.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    agent: ureq::Agent,
    url: String,
    token: Option<String>,
}

impl Client {
    /// A client of the API at this URL.
    pub(crate) fn new(url: &str, token: Option<&str>) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        Self { agent: config.build().new_agent(), url: url.to_owned(), token: token.map(str::to_owned) }
    }

    /// GET.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    /// DELETE.
    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], "")
    }

    /// PUT of a value.
    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, &[("content-type", "application/json")], &body.to_string())
    }

    /// POST of a value; null sends no body.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        if body.is_null() {
            return self.send("POST", path, &[], "");
        }
        self.send("POST", path, &[("content-type", "application/json")], &body.to_string())
    }

    /// Anything else.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answered = if body.is_empty() {
            self.agent.run(request.body(()).unwrap())
        } else {
            self.agent.run(request.body(body.to_owned()).unwrap())
        };
        let mut response = answered.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let text = |value: &ureq::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(64 << 20).read_to_vec().unwrap();
        let text = String::from_utf8_lossy(&body).into_owned();
        Answer { status, headers, json: serde_json::from_str(&text).unwrap_or_default(), text }
    }

    /// Opens a stream of server-sent events, such as `/api/v1/events?ucc=sales`.
    pub(crate) fn events(&self, path: &str, last_id: Option<&str>) -> Events {
        Events::open(self, path, last_id).unwrap_or_else(|answer| panic!("GET {path}: {answer}"))
    }
}

/// An event of a stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    /// Its id, where it has one.
    pub(crate) id: Option<String>,
    /// Its type.
    pub(crate) event: String,
    /// Its data.
    pub(crate) data: Value,
}

/// An open stream of server-sent events; dropping it closes the connection.
pub(crate) struct Events {
    lines: Box<dyn BufRead + Send>,
}

impl Events {
    /// Opens a stream, or gives the head of another answer than 200.
    pub(crate) fn open(client: &Client, path: &str, last_id: Option<&str>) -> Result<Self, String> {
        let address = client.url.split_once("://").unwrap().1;
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let token = client.token.as_ref().map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let last_id = last_id.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let head =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n{token}{last_id}\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut head).unwrap(), 0, "the connection ended: {head}");
        }
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(head);
        }
        assert!(head.to_ascii_lowercase().contains("transfer-encoding: chunked"), "{head}");
        Ok(Self { lines: Box::new(BufReader::new(Chunks { reader, left: 0 })) })
    }

    /// The next line, also one of a comment; none when the stream has ended.
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).expect("the next line comes in time");
        (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// The next event; comments are passed over. None when the stream has ended.
    pub(crate) fn next(&mut self) -> Option<Told> {
        let (mut id, mut event, mut data) = (None, String::new(), String::new());
        loop {
            let line = self.line()?;
            match line.split_once(':').map(|(field, value)| (field, value.trim_start())) {
                Some(("id", value)) => id = Some(value.to_owned()),
                Some(("event", value)) => value.clone_into(&mut event),
                Some(("data", value)) => data.push_str(value),
                _ if line.is_empty() && !data.is_empty() => {
                    return Some(Told { id, event, data: serde_json::from_str(&data).unwrap() });
                }
                _ => {}
            }
        }
    }

    /// The next event of this type; what comes before it is passed over.
    pub(crate) fn until(&mut self, event: &str) -> Told {
        loop {
            let told = self.next().unwrap_or_else(|| panic!("the stream ended without {event}"));
            if told.event == event {
                return told;
            }
        }
    }
}

/// Takes the chunked coding off.
struct Chunks {
    reader: BufReader<TcpStream>,
    left: usize,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.left == 0 {
            let mut line = String::new();
            if self.reader.read_line(&mut line)? == 0 {
                return Ok(0);
            }
            let line = line.trim();
            // The empty line after each chunk.
            if line.is_empty() {
                continue;
            }
            self.left = usize::from_str_radix(line, 16).map_err(std::io::Error::other)?;
            if self.left == 0 {
                return Ok(0);
            }
        }
        let most = buffer.len().min(self.left);
        let read = self.reader.read(&mut buffer[..most])?;
        self.left -= read;
        Ok(read)
    }
}
