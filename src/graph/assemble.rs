//! From the settings of `MsGraphPresenceSource` to what its source is built from.

use std::collections::BTreeMap;
use std::sync::Arc;

use presence_actors::{GraphNetwork, GraphSetup};
use presence_config::{GraphAccount, GraphNotifications, GraphSettings, Settings};
use presence_graph::{AccountSettings, NotificationSettings, ObjectId, TenantSettings};

use super::{Credential, FileSecretStore};

/// Why the Graph source cannot be built. The text fits after "Microsoft Graph: ".
#[derive(Debug, thiserror::Error)]
pub enum GraphAssembleError {
    /// An account has no credential that can be used.
    #[error("the account `{account}`: {why}")]
    Credential {
        /// Its Id.
        account: String,
        /// The place and what to do.
        why: String,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
}

/// What the Graph source is built from; none when it is not enabled.
///
/// # Errors
/// When an account has no credential, or one that cannot be used.
pub fn graph_setup(settings: &Settings) -> Result<Option<GraphSetup>, GraphAssembleError> {
    let Some(graph) = &settings.graph else { return Ok(None) };
    let secrets = FileSecretStore::of(graph);
    Ok(Some(GraphSetup {
        settings: presence_graph::GraphSettings {
            tenants: tenants(graph, &secrets)?,
            users: users(graph),
            sweep: graph.sweep,
            slow_sweep: graph.notifications.as_ref().map_or(graph.sweep, |notifications| notifications.sweep),
            requests_per_second: graph.requests_per_second,
            forget_unknown_after: settings.failed_presence_subscriptions_resubscribe_delay,
            declines: declines(settings, graph),
            notifications: graph.notifications.as_ref().map(notifications).transpose()?,
        },
        agents_per_second: graph.agents_per_second,
        login_url: login_url(graph),
        graph_url: graph_url(graph),
        secrets: Arc::new(secrets),
        network: network(graph),
        seed: None,
    }))
}

/// Where tokens are asked for.
pub(super) fn login_url(graph: &GraphSettings) -> String {
    graph.login_url.clone().unwrap_or_else(|| format!("https://{}", graph.cloud.login_host()))
}

/// Where Graph is.
pub(super) fn graph_url(graph: &GraphSettings) -> String {
    graph.graph_url.clone().unwrap_or_else(|| format!("https://{}", graph.cloud.graph_host()))
}

/// What carries the requests.
pub(super) fn network(graph: &GraphSettings) -> GraphNetwork {
    GraphNetwork::Http { proxy: graph.proxy.clone(), trusted_certificates: graph.trusted_certificates.clone() }
}

/// Only where nothing in the file says whose an agent is, and there is somebody else to serve it.
fn declines(settings: &Settings, graph: &GraphSettings) -> bool {
    let is_said = graph.patterns.is_some() || graph.accounts.iter().any(|account| !account.domains.is_empty());
    settings.ucma.is_some() && !is_said
}

/// The tenants in the order in which the file first names them.
fn tenants(graph: &GraphSettings, secrets: &FileSecretStore) -> Result<Vec<TenantSettings>, GraphAssembleError> {
    let mut tenants: Vec<TenantSettings> = Vec::new();
    for account in &graph.accounts {
        let credential = credential(secrets, account)?;
        let index = tenants.iter().position(|tenant| tenant.id.eq_ignore_ascii_case(&account.tenant_id));
        let index = index.unwrap_or_else(|| {
            let id = account.tenant_id.as_str().into();
            tenants.push(TenantSettings {
                id,
                domains: account.domains.iter().cloned().collect(),
                accounts: Vec::new(),
            });
            tenants.len() - 1
        });
        let Some(tenant) = tenants.get_mut(index) else { continue };
        tenant.domains.extend(account.domains.iter().cloned());
        tenant.accounts.push(AccountSettings { name: account.id.as_str().into(), kind: credential.kind() });
    }
    Ok(tenants)
}

fn credential(secrets: &FileSecretStore, account: &GraphAccount) -> Result<Credential, GraphAssembleError> {
    let failed = |why| GraphAssembleError::Credential { account: account.id.clone(), why };
    let credential = secrets.credential(&account.id).map_err(failed)?;
    secrets.usable(&credential).map_err(failed)?;
    Ok(credential)
}

/// What keeps the source from being built, a sentence for each account.
pub(crate) fn obstacles(graph: &GraphSettings) -> Vec<String> {
    let secrets = FileSecretStore::of(graph);
    let errors = graph.accounts.iter().filter_map(|account| credential(&secrets, account).err());
    errors.map(|error| format!("Microsoft Graph: {error}")).collect()
}

/// What can be started with and needs a person, a sentence for each account.
pub(crate) fn doubts(graph: &GraphSettings) -> Vec<String> {
    let secrets = FileSecretStore::of(graph);
    let delegated: Vec<&str> = graph
        .accounts
        .iter()
        .filter(|account| {
            secrets.credential(&account.id).is_ok_and(|one| matches!(one.proof, super::Proof::RefreshToken))
        })
        .map(|account| account.id.as_str())
        .collect();
    let mut doubts: Vec<String> = delegated
        .iter()
        .filter_map(|account| match secrets.is_signed_in(account) {
            Ok(true) => None,
            Ok(false) => Some(format!(
                "nobody has signed in for the account `{account}`: until `presence-provider graph login {account}` it can ask \
                 for nothing"
            )),
            Err(why) => Some(why),
        })
        .collect();
    let is_known = graph.accounts.iter().all(|account| secrets.credential(&account.id).is_ok());
    if graph.notifications.is_some() && delegated.is_empty() && is_known {
        doubts.push(
            "Microsoft gives change notifications to signed-in users only, and no account is one (`\"refresh_token\": true`): \
             presence is polled"
                .to_owned(),
        );
    }
    doubts
}

fn users(graph: &GraphSettings) -> BTreeMap<presence_core::AgentUri, ObjectId> {
    // The file's GUIDs have been checked.
    graph.users.iter().filter_map(|(uri, id)| Some((uri.clone(), id.parse().ok()?))).collect()
}

fn notifications(notifications: &GraphNotifications) -> Result<NotificationSettings, GraphAssembleError> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| GraphAssembleError::Random(error.to_string()))?;
    Ok(NotificationSettings { url: notifications.url.clone(), key })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use presence_config::load;
    use presence_graph::AccountKind;

    use super::*;

    const UCMA: &str = r#"<UcmaPresenceSource enabled="true" ApplicationId="urn:application:a"><ApplicationEndpoint OwnerUri="sip:a@b.c"/></UcmaPresenceSource>"#;

    fn settings(folder: &Path, graph: &str, others: &str) -> Settings {
        let path = folder.join("Config.xml");
        let text = format!("<config><PresenceProvider>{graph}{others}</PresenceProvider></config>");
        fs::write(&path, text).expect("written");
        load(&path).unwrap_or_else(|error| panic!("{error}")).settings
    }

    fn credential(folder: &Path, account: &str, rest: &str) {
        let path = folder.join(format!("{account}.json"));
        fs::write(&path, format!(r#"{{"client_id": "app", {rest}}}"#)).expect("written");
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
    }

    const THREE: &str = r#"<MsGraphPresenceSource enabled="true" Cloud="usgov"><Accounts>
<Account Id="a" TenantId="4119DD4D-e455-4535-9d45-b3535f584cad" Domains="one.example.com" />
<Account Id="b" TenantId="other.example.com" />
<Account Id="c" TenantId="4119dd4d-e455-4535-9d45-b3535f584cad" Domains="two.example.com" />
</Accounts><Users><User Uri="sip:x@one.example.com" ObjectId="2d5a6e1f-4d3b-4f4e-9c1a-0b8a3f6f1c11"/></Users></MsGraphPresenceSource>"#;

    #[test]
    fn accounts_are_gathered_by_their_tenants_and_have_the_kind_of_their_credentials() {
        let folder = tempfile::tempdir().expect("a folder");
        credential(folder.path(), "a", r#""client_secret": "x""#);
        credential(folder.path(), "b", r#""client_secret": "x""#);
        credential(folder.path(), "c", r#""refresh_token": true"#);
        let settings = settings(folder.path(), THREE, UCMA);
        let setup = graph_setup(&settings).expect("it can be built").expect("it is enabled");
        let tenants = &setup.settings.tenants;
        assert_eq!(tenants.len(), 2);
        let names: Vec<_> = tenants[0].accounts.iter().map(|account| (&*account.name, account.kind)).collect();
        assert_eq!(names, [("a", AccountKind::Application), ("c", AccountKind::Delegated)]);
        assert_eq!(tenants[0].domains.iter().collect::<Vec<_>>(), ["one.example.com", "two.example.com"]);
        assert_eq!(setup.login_url, "https://login.microsoftonline.us");
        assert_eq!(setup.graph_url, "https://graph.microsoft.us");
        assert_eq!(setup.settings.users.len(), 1);
        assert!(!setup.settings.declines, "the domains say whose an agent is");
        assert!(doubts(settings.graph.as_ref().expect("enabled"))[0].contains("graph login c"));
    }

    #[test]
    fn every_account_without_a_usable_credential_is_told_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        credential(folder.path(), "b", r#""client_secret": "x", "refresh_token": true"#);
        let settings = settings(folder.path(), THREE, "");
        let told = obstacles(settings.graph.as_ref().expect("enabled"));
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].contains("`a`") && told[0].contains("a.json"), "{told:?}");
        assert!(told[1].contains("`b`") && told[1].contains("two kinds"), "{told:?}");
        assert!(graph_setup(&settings).is_err());
    }

    #[test]
    fn an_agent_that_no_tenant_knows_is_declined_only_where_nothing_else_says_whose_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        credential(folder.path(), "a", r#""client_secret": "x""#);
        let graph = |domains: &str, more: &str| {
            format!(
                r#"<MsGraphPresenceSource enabled="true"><Accounts><Account Id="a" TenantId="b.c" {domains}/></Accounts>{more}</MsGraphPresenceSource>"#
            )
        };
        for (graph, others, expected) in [
            (graph("", ""), UCMA, true),
            (graph("", ""), "", false),
            (graph("Domains=\"b.c\"", ""), UCMA, false),
            (graph("", "<Match pattern=\"@b\\.c$\"/>"), UCMA, false),
        ] {
            let setup = graph_setup(&settings(folder.path(), &graph, others)).expect("built").expect("enabled");
            assert_eq!(setup.settings.declines, expected, "{graph}");
        }
    }

    #[test]
    fn each_process_has_a_key_of_its_own_for_notifications() {
        let folder = tempfile::tempdir().expect("a folder");
        credential(folder.path(), "a", r#""client_secret": "x""#);
        let graph = r#"<MsGraphPresenceSource enabled="true"><Accounts><Account Id="a" TenantId="b.c"/></Accounts><Notifications Url="https://p.example.com"/></MsGraphPresenceSource>"#;
        let settings = settings(folder.path(), graph, "");
        let key = || {
            let setup = graph_setup(&settings).expect("built").expect("enabled");
            setup.settings.notifications.expect("wanted").key
        };
        assert_ne!(key(), key());
        assert!(doubts(settings.graph.as_ref().expect("enabled"))[0].contains("signed-in users only"));
    }
}
