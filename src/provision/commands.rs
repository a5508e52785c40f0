//! The steps of the installation and their commands.

use presence_config::UcmaSettings;
use presence_core::log_text::Safe;
use serde::Serialize;

use super::quoting::{powershell, shell};
use super::values::Values;

/// Where a command is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The Skype for Business Server Management Shell, as administrator.
    ManagementShell,
    /// PowerShell on this computer, as administrator.
    PowerShell,
    /// A POSIX shell on this computer, as root where the command needs it.
    Shell,
}

/// One command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Where it is run.
    pub place: Place,
    /// The command on one line.
    pub command: String,
}

/// One step of the installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What it is for.
    pub title: &'static str,
    /// What to know about it, a sentence each.
    pub notes: Vec<String>,
    /// Its commands, in their order; alternatives follow one another with their place.
    pub commands: Vec<Line>,
}

fn line(place: Place, command: String) -> Line {
    Line { place, command }
}

/// The steps in their order (seed, "Installation").
pub(super) fn steps(values: &Values, ucma: &UcmaSettings) -> Vec<Step> {
    let mut steps = vec![trusted_pool(values)];
    steps.extend(application(values));
    steps.extend([firewall(values), certificate(values)]);
    steps.extend(user_endpoint(ucma));
    steps
}

fn trusted_pool(values: &Values) -> Step {
    let pool = powershell(&values.trusted_pool.value);
    Step {
        title: "The trusted application pool, unless it exists",
        notes: vec![
            format!(
                "It exists when `Get-CsTrustedApplicationPool -Identity {pool}` finds it; then leave this step out."
            ),
            "This program reads no replica of the Central Management store, so that none is asked for.".to_owned(),
        ],
        commands: vec![line(
            Place::ManagementShell,
            format!(
                "New-CsTrustedApplicationPool -Identity {pool} -Registrar {} -Site {} -ComputerFqdn {} -RequiresReplication $false",
                powershell(&values.registrar.value),
                powershell(&values.site.value),
                powershell(&values.computer.value)
            ),
        )],
    }
}

fn application(values: &Values) -> [Step; 4] {
    let common = format!(
        "-ApplicationId {} -TrustedApplicationPoolFqdn {}",
        powershell(&values.application.value),
        powershell(&values.trusted_pool.value)
    );
    let owner = powershell(&values.owner.value);
    let shell = |command: String| vec![line(Place::ManagementShell, command)];
    [
        Step {
            title: "The trusted application",
            notes: Vec::new(),
            commands: shell(format!("New-CsTrustedApplication {common} -Port {}", values.port.value)),
        },
        Step { title: "The topology", notes: Vec::new(), commands: shell("Enable-CsTopology".to_owned()) },
        Step {
            title: "The application endpoint, when the topology is enabled",
            notes: Vec::new(),
            commands: shell(format!("New-CsTrustedApplicationEndpoint {common} -SipAddress {owner}")),
        },
        Step {
            title: "Policies of the application endpoint",
            notes: vec![format!("Grant {owner} the policies that your own guidelines ask for.")],
            commands: Vec::new(),
        },
    ]
}

fn firewall(values: &Values) -> Step {
    let port = &values.port.value;
    let name = powershell(&format!("Presence provider {}", values.application.value));
    Step {
        title: "The firewall of this computer: the front ends open connections to the port of the application",
        notes: vec!["One of the three, whichever firewall this computer has.".to_owned()],
        commands: vec![
            line(
                Place::PowerShell,
                format!(
                    "New-NetFirewallRule -DisplayName {name} -Direction Inbound -Protocol TCP -LocalPort {port} -Action Allow"
                ),
            ),
            line(Place::Shell, format!("nft add rule inet filter input tcp dport {port} accept")),
            line(Place::Shell, format!("ufw allow {port}/tcp")),
        ],
    }
}

fn certificate(values: &Values) -> Step {
    let names = values.certificate_names();
    let subject = values.trusted_pool.value.as_str();
    let alternative = names.iter().map(|name| format!("DNS:{name}")).collect::<Vec<_>>().join(",");
    let application = &values.application.value;
    Step {
        title: "The certificate of this computer",
        notes: vec![
            format!("Subject: CN={subject}"),
            format!("Subject alternative names: {}", names.join(", ")),
            "Extended key usage: server authentication and client authentication, for there are connections in both directions."
                .to_owned(),
            "One of the two: requested from the authority of the domain, or by a request file for any authority that the \
             front ends trust."
                .to_owned(),
            "Certificate and PrivateKey of <Pool> are files in PEM form; what Windows exports (.pfx) becomes one by \
             `openssl pkcs12 -in provider.pfx -nodes -out provider.pem`."
                .to_owned(),
        ],
        commands: vec![
            line(
                Place::ManagementShell,
                format!(
                    "Request-CsCertificate -New -Type Default -ComputerFqdn {} -DomainName {} -ClientEKU $true -PrivateKeyExportable $true -FriendlyName {}",
                    powershell(subject),
                    powershell(&names.join(",")),
                    powershell(&format!("Presence provider {application}"))
                ),
            ),
            line(
                Place::Shell,
                format!(
                    "openssl req -new -newkey rsa:2048 -nodes -keyout provider.key -out provider.csr -subj {} -addext {} -addext {}",
                    shell(&format!("/CN={subject}")),
                    shell(&format!("subjectAltName={alternative}")),
                    shell("extendedKeyUsage=serverAuth,clientAuth")
                ),
            ),
        ],
    }
}

fn user_endpoint(ucma: &UcmaSettings) -> Option<Step> {
    let user = ucma.user_endpoint.as_ref()?;
    let own = user.pool.as_ref().map_or("that of the application endpoint".to_owned(), ToString::to_string);
    Some(Step {
        title: "The user endpoint (only for hybrid topologies with Skype for Business Online)",
        notes: vec![
            format!("{} is an ordinary user: create it by the procedure of your company.", Safe(user.uri.as_str())),
            format!("Its pool, by PoolFqdn of <UserEndpoint>: {own}."),
        ],
        commands: vec![line(Place::ManagementShell, format!("Get-CsUser -Identity {}", powershell(user.uri.as_str())))],
    })
}
