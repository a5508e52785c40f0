//! What a simulated Microsoft Graph says when it starts.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use presence_simulator::{GraphServerHandle, GraphServiceSettings, ServiceTenant};

use super::credentials::files;

/// The opening text.
pub(super) fn text(
    settings: &GraphServiceSettings,
    running: &GraphServerHandle,
    credentials: Option<&Path>,
    until: Option<Duration>,
) -> String {
    let mut text = String::from("A simulated Microsoft Graph\n\n");
    let mut row = |name: &str, value: &str| {
        // Writing into a String does not fail.
        let _ = writeln!(text, "  {name:<14}{value}");
    };
    row("login, Graph", &running.url());
    for tenant in &settings.tenants {
        let names: Vec<&str> = tenant.users.iter().map(|user| user.upn.as_str()).collect();
        let who = match names.as_slice() {
            [] => "no agents".to_owned(),
            [one] => format!("1 agent {one}"),
            [first, .., last] => format!("{} agents {first} to {last}", names.len()),
        };
        row("tenant", &format!("{} ({}), {who}", tenant.id, tenant.domains.join(", ")));
        for account in &tenant.accounts {
            row("account", &account.name);
        }
    }
    row(
        "changes",
        &match settings.change_interval {
            Some(interval) => format!(
                "each agent changes every {} on average, by dice with the seed {}",
                humantime::format_duration(interval),
                settings.seed
            ),
            None => "nothing by itself".to_owned(),
        },
    );
    if let Some(control) = running.control() {
        let (host, port) = (control.ip(), control.port());
        row("control port", &format!("{control}; try  echo help | nc {host} {port}"));
    }
    let _ = write!(text, "\nFor presence-provider, in Config.xml:\n\n{}\n", config(settings, running, credentials));
    match credentials {
        Some(folder) => {
            let _ = writeln!(text, "The credential files are in {}.", folder.display());
        }
        None => {
            let [(name, application), _] = files();
            let _ = writeln!(
                text,
                "Beside it, for the owner alone (chmod 600), {name} (or start with --make-credentials DIR):\n\n{application}"
            );
        }
    }
    let end = until.map(|time| format!(" after {}, or earlier with Ctrl-C", humantime::format_duration(time)));
    let _ = writeln!(
        text,
        "It ends{}. What happens, by seconds since the start:\n",
        end.as_deref().unwrap_or(" with Ctrl-C")
    );
    text
}

/// A Config.xml with which presence-provider asks the running simulator.
fn config(settings: &GraphServiceSettings, running: &GraphServerHandle, credentials: Option<&Path>) -> String {
    let url = running.url();
    let escaped = |path: &Path| {
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned()).display().to_string();
        path.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
    };
    let folder = credentials.map(|path| format!(" Credentials=\"{}\"", escaped(path))).unwrap_or_default();
    let account = |tenant: &ServiceTenant| {
        let domains = tenant.domains.join(", ");
        let first = tenant.accounts.first().map_or("account1", |account| account.name.as_str());
        format!("        <Account Id=\"{first}\" TenantId=\"{}\" Domains=\"{domains}\" />\n", tenant.id)
    };
    let accounts: String = settings.tenants.iter().map(account).collect();
    let users = settings.tenants.iter().flat_map(|tenant| &tenant.users).take(3);
    let agents: String = users.map(|user| format!("      <Agent Uri=\"sip:{}\" />\n", user.upn)).collect();
    format!(
        "<config version=\"1.5\">\n  <PresenceProvider>\n    <MsGraphPresenceSource enabled=\"true\" LoginUrl=\"{url}\" \
         GraphUrl=\"{url}\"{folder}>\n      <Accounts>\n{accounts}      </Accounts>\n    </MsGraphPresenceSource>\n  \
         </PresenceProvider>\n  <UnifiedContactCenters>\n    <UnifiedContactCenter Name=\"ucc_app01\">\n{agents}    \
         </UnifiedContactCenter>\n  </UnifiedContactCenters>\n</config>\n"
    )
}
