//! `presence-provider graph login`: a person signs in for an account, with a code that is typed in any browser.

mod sign_in;

use std::io::{self, Write};

use presence_actors::SecretStore as _;
use presence_config::{GraphAccount, GraphSettings};
use presence_core::log_text::Safe;
use presence_graph::wire::{DeviceCode, Token};

use self::sign_in::{Next, SignIn, SignInFailure};
use super::claims::Claims;
use super::line::Line;
use super::{Credential, FileSecretStore, Proof};
use crate::answer::Answer;
use crate::args::GraphLoginArguments;
use crate::configuration;
use crate::exit::Exit;

/// Answers `presence-provider graph login`. What the person is to do is printed at once. `color` is for the diagnostics of the
/// file.
#[must_use]
pub(super) fn login(arguments: &GraphLoginArguments, color: bool) -> Answer {
    let loaded = match configuration::load(&arguments.file.config, color) {
        Ok(loaded) => loaded,
        Err(answer) => return answer,
    };
    let file = arguments.file.config.display().to_string();
    let Some(graph) = &loaded.settings.graph else { return super::disabled(&file) };
    let Some(account) = graph.accounts.iter().find(|account| account.id.eq_ignore_ascii_case(&arguments.account))
    else {
        let names: Vec<&str> = graph.accounts.iter().map(|account| account.id.as_str()).collect();
        let text = format!(
            "error: {file} has no account `{}`\nhelp: its accounts are {}\n",
            Safe(&arguments.account),
            names.join(", ")
        );
        return Answer::failed(Exit::Usage, text);
    };
    let secrets = FileSecretStore::of(graph);
    let credential = match credential(&secrets, account) {
        Ok(credential) => credential,
        Err(why) => return Answer::failed(Exit::Config, format!("error: the account `{}`: {why}\n", account.id)),
    };
    actix::System::new().block_on(sign_in(graph, account, &secrets, &credential))
}

fn credential(secrets: &FileSecretStore, account: &GraphAccount) -> Result<Credential, String> {
    let credential = secrets.credential(&account.id)?;
    match credential.proof {
        Proof::RefreshToken => Ok(credential),
        Proof::ClientSecret(_) | Proof::Certificate { .. } => Err(format!(
            "{} has a proof of the application itself, so that nobody signs in; for a person write \
             {{\"client_id\": \"...\", \"refresh_token\": true}}",
            credential.place
        )),
    }
}

async fn sign_in(
    graph: &GraphSettings,
    account: &GraphAccount,
    secrets: &FileSecretStore,
    credential: &Credential,
) -> Answer {
    let line = match Line::open(graph) {
        Ok(line) => line,
        Err(error) => {
            return Answer::failed(Exit::Config, format!("error: failed to prepare for Microsoft Graph: {error}\n"));
        }
    };
    let token = tokio::select! {
        token = run(&line, account, credential) => token,
        _ = tokio::signal::ctrl_c() => return Answer::failed(Exit::No, "\ngiven up; nobody has signed in\n".to_owned()),
    };
    match token {
        Ok(token) => keep(account, secrets, &token),
        Err(failure) => failed(&failure),
    }
}

async fn run(line: &Line, account: &GraphAccount, credential: &Credential) -> Result<Token, SignInFailure> {
    let mut machine = SignIn::new(&account.tenant_id, &line.graph_host, &credential.client_id);
    let mut told = false;
    loop {
        match machine.next(presence_actors::now()) {
            Next::Send(request) => {
                let answer = line.ask(request).await;
                let now = presence_actors::now();
                machine.answered(now, presence_actors::time_of_day(now), answer);
            }
            Next::Wait(until) => tokio::time::sleep_until(until.into()).await,
            Next::Done => {}
        }
        if let Some(code) = machine.code().filter(|_| !told) {
            tell(account, code);
            told = true;
        }
        if let Some(result) = machine.take() {
            return result;
        }
    }
}

/// A person reads this now, and not when all is over.
fn tell(account: &GraphAccount, code: &DeviceCode) {
    let text = format!(
        "To sign in for the account `{}` of the tenant {}, open\n\n    {}\n\nin any browser, and enter the code\n\n    {}\n\n\
         Sign in as the user that this account is meant to be. The code is good for {} minutes; Ctrl-C gives up.\n",
        account.id,
        account.tenant_id,
        Safe(&code.verification_uri),
        Safe(&code.user_code),
        code.life.as_secs() / 60
    );
    let mut out = io::stdout();
    // Whoever closed the stream does not want to sign in; the code runs out by itself.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn keep(account: &GraphAccount, secrets: &FileSecretStore, token: &Token) -> Answer {
    let claims = Claims::read(&token.access).unwrap_or_default();
    if !claims.is_of(&account.tenant_id) {
        let text = format!(
            "error: that was a sign-in to the tenant {}, and the account `{}` is of {}: nothing was kept\n\
             help: sign in as a user of that tenant, or correct TenantId\n",
            Safe(claims.tenant.as_deref().unwrap_or_default()),
            account.id,
            account.tenant_id
        );
        return Answer::failed(Exit::No, text);
    }
    let Some(refresh) = &token.refresh else { return failed(&SignInFailure::NoRefreshToken) };
    if let Err(why) = secrets.store(&account.id, refresh) {
        return Answer::failed(Exit::CannotCreate, format!("error: the refresh token could not be kept: {why}\n"));
    }
    let user = claims.user.as_deref().map_or_else(|| "somebody".to_owned(), |user| Safe(user).to_string());
    let tenant = claims.tenant.as_deref().unwrap_or(&account.tenant_id);
    let place = secrets.token_path(&account.id);
    let missing = ["Presence.Read.All", "User.ReadBasic.All"]
        .into_iter()
        .filter(|scope| !claims.scopes.is_empty() && !claims.scopes.contains(*scope));
    let stderr = missing.map(|scope| format!("warning: the permission {scope} was not granted\n")).collect();
    let stdout = format!(
        "\n{user} has signed in for the account `{}` (tenant {}). The refresh token is in {}; a running provider finds it with its \
         next try.\n",
        account.id,
        Safe(tenant),
        place.display()
    );
    Answer { stderr, ..Answer::ok(stdout) }
}

fn failed(failure: &SignInFailure) -> Answer {
    let (exit, help) = match failure {
        SignInFailure::Unreachable(_) => {
            (Exit::Unavailable, "`presence-provider graph check` says more about the way to it")
        }
        SignInFailure::Refused(_) => {
            (Exit::No, "look at client_id and TenantId, and that the application allows public client flows")
        }
        SignInFailure::Declined(_) => {
            (Exit::No, "an administrator may have to consent to the application's permissions first")
        }
        SignInFailure::Expired(_) => (Exit::No, "run the command again"),
        SignInFailure::NoRefreshToken => (Exit::No, "the application needs the delegated permission offline_access"),
    };
    Answer::failed(exit, format!("error: {failure}\nhelp: {help}\n"))
}
