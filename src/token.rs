//! `presence-provider token`: who may use the API.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use presence_config::HttpSettings;
use serde::Serialize;

use crate::answer::{Answer, json};
use crate::args::{
    TokenAction, TokenArguments, TokenCreateArguments, TokenListArguments, TokenRevokeArguments, TokensArgument,
};
use crate::configuration;
use crate::exit::Exit;
use crate::http::TokensError;
use crate::http::access::{self, Fingerprint, Token, Tokens};

/// Answers `presence-provider token`. `color` is for the diagnostics of the configuration.
#[must_use]
pub fn token(arguments: &TokenArguments, color: bool) -> Answer {
    let now = Timestamp::now();
    let answer = match &arguments.action {
        TokenAction::Create(arguments) => create(arguments, now, color),
        TokenAction::List(arguments) => list(arguments, now, color),
        TokenAction::Revoke(arguments) => revoke(arguments, color),
    };
    answer.unwrap_or_else(|refused| refused)
}

/// A file of tokens, and the listener that it is for when the configuration says it.
struct Place {
    file: PathBuf,
    http: Option<HttpSettings>,
}

impl Place {
    fn of(argument: &TokensArgument, color: bool) -> Result<Self, Answer> {
        if let Some(file) = &argument.file {
            return Ok(Self { file: file.clone(), http: None });
        }
        let path = argument.config.display();
        let http = configuration::load(&argument.config, color)?.settings.http.ok_or_else(|| {
            let text = format!(
                "error: {path} switches the HTTP API off, so that tokens are of no use\nhelp: `--file FILE` makes them all the same\n"
            );
            Answer::failed(Exit::Config, text)
        })?;
        match &http.tokens {
            Some(file) => Ok(Self { file: file.clone(), http: Some(http) }),
            None => Err(Answer::failed(
                Exit::Config,
                format!(
                    "error: {path} names no tokens file\n\
                     help: write `<Http Tokens=\"tokens.json\" />` into its PresenceProvider, or say `--file FILE`\n"
                ),
            )),
        }
    }

    fn read(&self) -> Result<Tokens, Answer> {
        access::read(&self.file).map_err(failed)
    }

    /// Where the API is asked who the caller is.
    fn url(&self) -> String {
        let default = HttpSettings::default();
        let http = self.http.as_ref().unwrap_or(&default);
        let scheme = if http.certificate.is_some() { "https" } else { "http" };
        let host = match http.host_names.first() {
            Some(name) => format!("{name}:{}", http.listen.port()),
            None if http.listen.ip().is_unspecified() => format!("localhost:{}", http.listen.port()),
            None => http.listen.to_string(),
        };
        format!("{scheme}://{host}/api/v1/caller")
    }
}

fn failed(error: TokensError) -> Answer {
    let exit = match error {
        TokensError::Unwritable { .. } => Exit::CannotCreate,
        TokensError::Unreadable { .. } | TokensError::Exposed { .. } | TokensError::Damaged { .. } => Exit::Config,
    };
    Answer::failed(exit, format!("error: {error}\n"))
}

fn create(arguments: &TokenCreateArguments, now: Timestamp, color: bool) -> Result<Answer, Answer> {
    let place = Place::of(&arguments.tokens, color)?;
    let internal = |error: &dyn std::fmt::Display| Answer::failed(Exit::Internal, format!("error: {error}\n"));
    let secret = access::new_token(&arguments.name).map_err(|error| internal(&error))?;
    let expires = arguments.expires.map(|life| now.checked_add(life)).transpose().map_err(|error| internal(&error))?;
    let token = Token {
        name: arguments.name.as_str().into(),
        fingerprint: Fingerprint::of(&secret),
        scopes: Arc::new(arguments.scopes.iter().cloned().collect()),
        created: whole_seconds(now),
        expires: expires.map(whole_seconds),
    };
    let (scopes, until) = (scopes(&token), until(&token, now));
    let is_new = !place.file.exists();
    let file = place.file.display();
    access::change(&place.file, |tokens| tokens.add(token)).map_err(failed)?.map_err(|what| {
        let help = "`presence-provider token revoke` takes it away";
        Answer::failed(Exit::No, format!("error: {what} in {file}\nhelp: choose another name; {help}\n"))
    })?;
    let mut stderr = format!(
        "the token `{}` ({scopes}; {until}) is in {file}, as a hash only: keep what is printed, it is not shown again\n",
        arguments.name
    );
    if is_new {
        stderr.push_str(&format!(
            "{file} is new, and only the account that ran this may read it: the service must be that account, or give the file to \
             its account\n"
        ));
    }
    if is_new && place.http.is_none() {
        stderr.push_str(&format!(
            "name it in the PresenceProvider of Config.xml, `<Http Tokens=\"{file}\" />`, and start the service again\n"
        ));
    }
    stderr.push_str(&format!("try it:  curl --header \"Authorization: Bearer $TOKEN\" {}\n", place.url()));
    Ok(Answer { stderr, ..Answer::ok(secret + "\n") })
}

fn revoke(arguments: &TokenRevokeArguments, color: bool) -> Result<Answer, Answer> {
    let place = Place::of(&arguments.tokens, color)?;
    let (name, file) = (&arguments.name, place.file.display());
    let absent = || {
        let help = "`presence-provider token list` shows which there are";
        Answer::failed(Exit::No, format!("error: there is no token `{name}` in {file}\nhelp: {help}\n"))
    };
    // Not to make a file, and not to write one that stays as it is.
    place.read()?.get(name).ok_or_else(absent)?;
    if !access::change(&place.file, |tokens| tokens.remove(name)).map_err(failed)? {
        return Err(absent());
    }
    let stderr = format!("the token `{name}` is revoked; a running provider refuses it within a second\n");
    Ok(Answer { stderr, ..Answer::ok(String::new()) })
}

/// A token as `list --json` shows it.
#[derive(Serialize)]
struct Listed {
    name: String,
    scopes: Vec<String>,
    created: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    expired: bool,
}

fn list(arguments: &TokenListArguments, now: Timestamp, color: bool) -> Result<Answer, Answer> {
    let place = Place::of(&arguments.tokens, color)?;
    let tokens = place.read()?;
    if arguments.json {
        let listed: Vec<Listed> = tokens
            .iter()
            .map(|token| Listed {
                name: token.name.to_string(),
                scopes: token.scopes.iter().map(ToString::to_string).collect(),
                created: token.created.to_string(),
                expires: token.expires.map(|expires| expires.to_string()),
                expired: token.is_expired(now),
            })
            .collect();
        return Ok(Answer::ok(json(&listed)));
    }
    if tokens.len() == 0 {
        let file = place.file.display();
        let stderr = format!(
            "{file} holds no token, so that nobody may use the API; `presence-provider token create NAME --scope read` makes one\n"
        );
        return Ok(Answer { stderr, ..Answer::ok(String::new()) });
    }
    let rows: Vec<[String; 4]> = std::iter::once(["NAME", "SCOPES", "CREATED", "VALID"].map(str::to_owned))
        .chain(
            tokens
                .iter()
                .map(|token| [token.name.to_string(), scopes(token), token.created.to_string(), until(token, now)]),
        )
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (first, second, third) = (width(0), width(1), width(2));
    let stdout = rows.iter().fold(String::new(), |mut text, [name, scopes, created, until]| {
        // Writing into a String does not fail.
        let _ = writeln!(text, "{name:<first$}  {scopes:<second$}  {created:<third$}  {until}");
        text
    });
    Ok(Answer::ok(stdout))
}

fn scopes(token: &Token) -> String {
    token.scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn until(token: &Token, now: Timestamp) -> String {
    match token.expires {
        None => "for ever".to_owned(),
        Some(expires) if token.is_expired(now) => format!("expired {expires}"),
        Some(expires) => format!("until {expires}"),
    }
}

/// Without the fraction, which nobody wants to read.
fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
