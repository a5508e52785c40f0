//! The API of a running provider, as its operator's commands ask it: one request, one answer, bounded in time and size.

use std::fmt;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use ureq::http::{Response, StatusCode, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Timeout};

use super::address::ApiUrl;
use super::arguments::ApiOptions;
use super::unanswered::{TLS_FAILED, Unanswered};
use crate::http::Problem;

/// The environment variable with the address.
const URL_VARIABLE: &str = "PRESENCE_PROVIDER_URL";
/// The environment variable with the token.
const TOKEN_VARIABLE: &str = "PRESENCE_PROVIDER_TOKEN";
/// Longer answers are not read: a page of 1000 agents is a megabyte.
const LONGEST_ANSWER: u64 = 64 * 1024 * 1024;
/// Longer problem documents are not read.
const LONGEST_PROBLEM: u64 = 64 * 1024;
/// Longer token files are none.
const LONGEST_TOKEN: u64 = 4096;
/// After such a silence a stream of events is lost: a sign of life comes every 15 s.
const STREAM_SILENCE: Duration = Duration::from_secs(45);
/// Where systems keep the certificates that they trust.
const SYSTEM_CERTIFICATES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// A bearer token. It is never shown.
#[derive(Clone, PartialEq, Eq)]
struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    /// Reads a token, `from` saying where it stood.
    fn read(text: &str, from: &str) -> Result<Self, Unanswered> {
        let token = text.trim();
        if token.is_empty() {
            return Err(Unanswered::Usage(format!("{from} holds no token")));
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) || token.len() as u64 > LONGEST_TOKEN {
            return Err(Unanswered::Usage(format!("{from} holds something that is no token: write the token alone")));
        }
        Ok(Self(token.to_owned()))
    }
}

/// What answers, and how it is asked.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    url: ApiUrl,
    token: Option<Token>,
    agent: Agent,
    timeout: Duration,
}

impl Api {
    /// By the options of a command and the environment of the process.
    pub(crate) fn open(options: &ApiOptions) -> Result<Self, Unanswered> {
        let url = match (&options.url, std::env::var(URL_VARIABLE)) {
            (Some(url), _) => url.clone(),
            (None, Ok(text)) if !text.is_empty() => {
                text.parse().map_err(|why| Unanswered::Usage(format!("{URL_VARIABLE} is `{text}`: {why}")))?
            }
            (None, _) => ApiUrl::default(),
        };
        let token = match (&options.token_file, std::env::var(TOKEN_VARIABLE)) {
            (Some(file), _) => Some(Token::read(&short_text(file)?, &file.display().to_string())?),
            (None, Ok(text)) if !text.is_empty() => Some(Token::read(&text, TOKEN_VARIABLE)?),
            (None, _) => None,
        };
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // The token goes where the operator sends it, and nowhere else.
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("presence-provider/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(options.timeout))
            .timeout_recv_response(Some(options.timeout));
        if url.is_tls() {
            config = config.tls_config(
                TlsConfig::builder()
                    .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
                    .root_certs(RootCerts::Specific(Arc::new(trusted(options.ca.as_deref())?)))
                    .build(),
            );
        }
        Ok(Self { url, token, agent: config.build().new_agent(), timeout: options.timeout })
    }

    /// Where the provider is.
    pub(crate) const fn url(&self) -> &ApiUrl {
        &self.url
    }

    /// What a person must be told before a request goes out.
    pub(crate) fn warning(&self) -> Option<String> {
        let open = self.token.is_some() && !self.url.is_tls() && !self.url.is_loopback();
        open.then(|| {
            format!("warning: the token goes to {} where everyone on the way can read it; use https\n", self.url)
        })
    }

    /// Asks for a resource, such as `/api/v1/status`.
    pub(crate) fn get<T: DeserializeOwned>(&self, resource: &str) -> Result<T, Unanswered> {
        let mut request = self.agent.get(self.url.at(resource)).header(header::ACCEPT, "application/json");
        if let Some(Token(token)) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let response = request.config().timeout_global(Some(self.timeout)).build().call();
        self.answer(response)
    }

    /// Has something done.
    pub(crate) fn post<T: DeserializeOwned>(&self, resource: &str) -> Result<T, Unanswered> {
        let mut request = self.agent.post(self.url.at(resource)).header(header::ACCEPT, "application/json");
        if let Some(Token(token)) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let response = request.config().timeout_global(Some(self.timeout)).build().send_empty();
        self.answer(response)
    }

    /// Opens the stream of events behind the last one that was read. A read ends with an error when nothing comes for
    /// longer than signs of life are apart.
    pub(crate) fn events(&self, last: Option<&str>) -> Result<impl Read + Send + use<>, Unanswered> {
        let mut request = self.agent.get(self.url.at("/api/v1/events")).header(header::ACCEPT, "text/event-stream");
        if let Some(Token(token)) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(id) = last {
            request = request.header("Last-Event-ID", id);
        }
        let response = request.config().timeout_per_read(Some(STREAM_SILENCE)).build().call();
        let response = self.accepted(response, "text/event-stream")?;
        Ok(response.into_body().into_reader())
    }

    fn answer<T: DeserializeOwned>(&self, response: Result<Response<Body>, ureq::Error>) -> Result<T, Unanswered> {
        let response = self.accepted(response, "application/json")?;
        let reader = response.into_body().into_with_config().limit(LONGEST_ANSWER).reader();
        serde_json::from_reader(std::io::BufReader::new(reader)).map_err(|error| match error.io_error_kind() {
            Some(_) => self.unreachable(format!("the answer broke off: {error}")),
            None => self.foreign(format!("its answer cannot be understood: {error}")),
        })
    }

    /// The response when it says yes and has the media type that was asked for.
    fn accepted(
        &self,
        response: Result<Response<Body>, ureq::Error>,
        media_type: &str,
    ) -> Result<Response<Body>, Unanswered> {
        let response = response.map_err(|error| self.failure(error))?;
        let status = response.status();
        let is = |wanted| media_type_of(&response).is_some_and(|found| found.eq_ignore_ascii_case(wanted));
        if status.is_success() && is(media_type) {
            return Ok(response);
        }
        if is("application/problem+json") {
            let reader = response.into_body().into_with_config().limit(LONGEST_PROBLEM).reader();
            if let Ok(problem) = serde_json::from_reader::<_, Problem>(reader) {
                return Err(Unanswered::Problem {
                    status: status.as_u16(),
                    detail: problem.detail,
                    retry_after: problem.retry_after,
                    with_token: self.token.is_some(),
                });
            }
            return Err(self.foreign(format!("it says {status} in a problem document that cannot be understood")));
        }
        Err(match (status, response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok())) {
            (status, Some(to)) if status.is_redirection() => self.foreign(format!("it sends us on to {to}")),
            (StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT, _) => {
                self.unreachable(format!("what stands in front of it says {status}"))
            }
            _ => self.foreign(match media_type_of(&response) {
                Some(found) => format!("it says {status} with {found}"),
                None => format!("it says {status} without a media type"),
            }),
        })
    }

    fn failure(&self, error: ureq::Error) -> Unanswered {
        let seconds = humantime::format_duration(self.timeout);
        match error {
            ureq::Error::Protocol(error) => self.foreign(format!("it does not speak HTTP: {error}")),
            ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
                self.unreachable(format!("no connection within {seconds}"))
            }
            ureq::Error::Timeout(_) => self.unreachable(format!("no answer within {seconds}")),
            ureq::Error::HostNotFound => self.unreachable("its name is not found".to_owned()),
            ureq::Error::Io(error) => self.unreachable(match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(error) => tls_text(error),
                None => io_text(&error),
            }),
            ureq::Error::Rustls(error) => self.unreachable(tls_text(&error)),
            other => self.unreachable(other.to_string()),
        }
    }

    fn unreachable(&self, why: String) -> Unanswered {
        Unanswered::Unreachable { url: self.url.to_string(), why }
    }

    fn foreign(&self, why: String) -> Unanswered {
        Unanswered::Foreign { url: self.url.to_string(), why }
    }
}

fn tls_text(error: &rustls::Error) -> String {
    format!("{TLS_FAILED}: {error}")
}

/// What a person says for a failed read or write.
pub(crate) fn io_text(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        std::io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        std::io::ErrorKind::UnexpectedEof => "the connection ended".to_owned(),
        std::io::ErrorKind::TimedOut => "it has fallen silent".to_owned(),
        _ => error.to_string(),
    }
}

fn media_type_of(response: &Response<Body>) -> Option<&str> {
    let value = response.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or(value).trim())
}

/// The text of a small file.
fn short_text(path: &Path) -> Result<String, Unanswered> {
    let mut text = String::new();
    let file = fs::File::open(path).and_then(|file| file.take(LONGEST_TOKEN).read_to_string(&mut text));
    match file {
        Ok(_) => Ok(text),
        Err(error) => Err(Unanswered::Usage(format!("{} cannot be read: {error}", path.display()))),
    }
}

/// The certificates that vouch for a provider.
fn trusted(ca: Option<&Path>) -> Result<Vec<Certificate<'static>>, Unanswered> {
    let from_environment = std::env::var_os("SSL_CERT_FILE").map(std::path::PathBuf::from);
    let path = match (ca, from_environment.as_deref()) {
        (Some(path), _) | (None, Some(path)) => path,
        (None, None) => SYSTEM_CERTIFICATES.iter().map(Path::new).find(|path| path.is_file()).ok_or_else(|| {
            Unanswered::Usage(
                "this system has no file of trusted certificates: name those that vouch for the provider with --ca"
                    .into(),
            )
        })?,
    };
    let pem = fs::read(path).map_err(|error| {
        Unanswered::Usage(format!("the certificates in {} cannot be read: {error}", path.display()))
    })?;
    let found: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        return Err(Unanswered::Usage(format!("{} holds no certificate in PEM form", path.display())));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_without_its_line_end_and_never_shown() {
        let token = Token::read("abc.DEF-1\n", "x").expect("a token");
        assert_eq!(token.0, "abc.DEF-1");
        assert_eq!(format!("{token:?}"), "Token(..)");
        for bad in ["", " \n", "two words", "two\nlines", "\u{1b}[31m"] {
            assert!(matches!(Token::read(bad, "x"), Err(Unanswered::Usage(_))), "{bad:?}");
        }
    }
}
