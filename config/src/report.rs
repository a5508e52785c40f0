//! The effective settings as rows, for `presence-provider check`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::settings::{Dialect, Settings};

/// One effective setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SettingRow {
    /// Its name: an attribute of `PresenceProvider`, or `Element/@Attribute`.
    pub name: String,
    /// Its value with its unit, such as `900 s (15m)`; words such as `disabled` where there is no value.
    pub value: String,
    /// True when the file does not say it.
    pub default: bool,
}

struct Rows<'s> {
    settings: &'s Settings,
    rows: Vec<SettingRow>,
}

impl Rows<'_> {
    fn add(&mut self, name: &str, value: impl Into<String>) {
        let default = self.settings.defaulted.contains(name);
        self.rows.push(SettingRow { name: name.to_owned(), value: value.into(), default });
    }
}

impl Settings {
    /// Every effective setting with its unit, in the order of the documentation. No secret is among them.
    #[must_use]
    pub fn report(&self) -> Vec<SettingRow> {
        let mut rows = Rows { settings: self, rows: Vec::new() };
        let rate = self.max_presence_subscriptions_per_second;
        rows.add("MaxPresenceSubscriptionsPerSecond", format!("{rate} per second"));
        let first = self.failed_presence_subscriptions_resubscribe_delay;
        rows.add("FailedPresenceSubscriptionsResubscribeDelay", seconds(first));
        let longest = self.max_failed_presence_subscriptions_resubscribe_delay;
        rows.add("MaxFailedPresenceSubscriptionsResubscribeDelay", seconds(longest));
        let limit = match self.max_failed_presence_subscriptions_per_uri {
            0 => "0, no limit: an agent is never abandoned".to_owned(),
            1 => "1 failure; the second in a row abandons the agent".to_owned(),
            limit => format!("{limit} failures; one more in a row abandons the agent"),
        };
        rows.add("MaxFailedPresenceSubscriptionsPerUri", limit);
        match &self.attendant {
            None => rows.add("AttendantServiceSource", enabled(false)),
            Some(rules) => {
                let patterns = rules.patterns();
                rows.add("AttendantServiceSource", format!("enabled, {}", number(patterns.len(), "pattern")));
                for pattern in patterns {
                    rows.add("Match/@pattern", pattern.as_str());
                }
            }
        }
        rows.add("PstnPresenceSource", enabled(self.pstn));
        self.report_graph(&mut rows);
        self.report_ucma(&mut rows);
        self.report_http(&mut rows);
        match &self.state {
            None => rows.add("State", "disabled: a restart begins with nothing"),
            Some(state) => {
                rows.add("State", enabled(true));
                let usual = || "state in the folder of this file".to_owned();
                let directory = state.directory.as_ref().map_or_else(usual, |folder| folder.display().to_string());
                rows.add("State/@Directory", directory);
            }
        }
        let agents = self.agents().len();
        let queues = number(self.contact_centers.len(), "queue");
        rows.add("UnifiedContactCenters", format!("{queues}, {}", number(agents, "different agent")));
        for center in &self.contact_centers {
            rows.add(&format!("UnifiedContactCenter {}", center.name), number(center.agents.len(), "agent"));
        }
        rows.rows
    }

    fn report_graph(&self, rows: &mut Rows<'_>) {
        let Some(graph) = &self.graph else {
            rows.add("MsGraphPresenceSource", enabled(false));
            return;
        };
        rows.add("MsGraphPresenceSource", format!("enabled, {}", number(graph.accounts.len(), "account")));
        for account in &graph.accounts {
            let domains = match account.domains.as_slice() {
                [] => String::new(),
                domains => format!(", for {}", domains.join(", ")),
            };
            rows.add(&format!("Account {}", account.id), format!("tenant {}{domains}", account.tenant_id));
        }
        for pattern in graph.patterns.iter().flat_map(|rules| rules.patterns()) {
            rows.add("MsGraphPresenceSource/Match/@pattern", pattern.as_str());
        }
        if !graph.users.is_empty() {
            rows.add("Users", number(graph.users.len(), "mapped agent"));
        }
        rows.add("MsGraphPresenceSource/@Cloud", graph.cloud.as_str());
        for (name, url) in [("LoginUrl", &graph.login_url), ("GraphUrl", &graph.graph_url)] {
            if let Some(url) = url {
                rows.add(&format!("MsGraphPresenceSource/@{name}"), url.as_str());
            }
        }
        rows.add("MsGraphPresenceSource/@SweepInterval", seconds(graph.sweep));
        let requests = graph.requests_per_second;
        rows.add("MsGraphPresenceSource/@RequestsPerSecond", format!("{requests} per second of each account"));
        rows.add("MsGraphPresenceSource/@AgentsPerSecond", format!("{} per second", graph.agents_per_second));
        let directory = |name: &Option<PathBuf>, otherwise: &str| {
            name.as_ref().map_or_else(|| otherwise.to_owned(), |name| name.display().to_string())
        };
        let beside = directory(&graph.credentials, "the folder of this file");
        rows.add("MsGraphPresenceSource/@Credentials", beside);
        let state = directory(&graph.state_directory, "state in the folder of this file");
        rows.add("MsGraphPresenceSource/@StateDirectory", state);
        let environment = "that of the environment, if it names one";
        rows.add("MsGraphPresenceSource/@Proxy", graph.proxy.as_deref().unwrap_or(environment));
        if let Some(file) = &graph.trusted_certificates {
            rows.add("MsGraphPresenceSource/@TrustedCertificates", file.display().to_string());
        }
        match &graph.notifications {
            None => rows.add("Notifications", "none: presence is polled"),
            Some(notifications) => {
                rows.add("Notifications/@Url", &notifications.url);
                rows.add("Notifications/@SweepInterval", seconds(notifications.sweep));
            }
        }
    }

    fn report_ucma(&self, rows: &mut Rows<'_>) {
        let Some(ucma) = &self.ucma else {
            rows.add("UcmaPresenceSource", enabled(false));
            return;
        };
        let pool = &ucma.pool;
        rows.add("UcmaPresenceSource", enabled(true));
        rows.add("UcmaPresenceSource/@ApplicationId", &ucma.application_id);
        rows.add("ApplicationEndpoint/@OwnerUri", ucma.application_endpoint.as_str());
        match &ucma.user_endpoint {
            None => rows.add("UserEndpoint", "none"),
            Some(user) => {
                rows.add("UserEndpoint/@UserUri", user.uri.as_str());
                let own = user.pool.as_ref().map_or("that of the application endpoint".to_owned(), ToString::to_string);
                rows.add("UserEndpoint/@PoolFqdn", own);
            }
        }
        let discovered = || format!("discovered from {}", ucma.application_endpoint.host().unwrap_or("the domain"));
        rows.add("Pool/@Address", pool.address.as_ref().map_or_else(discovered, ToString::to_string));
        rows.add("Pool/@Transport", pool.transport.as_str());
        rows.add("Pool/@Dialect", pool.dialect.as_str());
        let listen = pool.listen.map_or("no listener".to_owned(), |listen| listen.to_string());
        rows.add("Pool/@Listen", listen);
        if pool.dialect == Dialect::Skype {
            rows.add("Pool/@UseRegistration", if pool.use_registration { "true" } else { "false" });
        }
        let interval =
            pool.sample_interval.map_or("never".to_owned(), |time| format!("one agent every {}", seconds(time)));
        rows.add("Pool/@SampleInterval", interval);
        let files = [
            ("Pool/@Certificate", &pool.certificate),
            ("Pool/@PrivateKey", &pool.private_key),
            ("Pool/@TrustedCertificates", &pool.trusted_certificates),
            ("Pool/@PasswordFile", &pool.password_file),
        ];
        for (name, file) in files {
            if let Some(file) = file {
                rows.add(name, file.display().to_string());
            }
        }
        if !pool.peer_names.is_empty() {
            rows.add("Pool/@PeerNames", pool.peer_names.join(", "));
        }
        if let Some(user) = &pool.user_name {
            rows.add("Pool/@UserName", user);
        }
    }

    fn report_http(&self, rows: &mut Rows<'_>) {
        let Some(http) = &self.http else {
            rows.add("Http", enabled(false));
            return;
        };
        rows.add("Http", enabled(true));
        rows.add("Http/@Listen", http.listen.to_string());
        let everyone = || "none: everyone on this computer may do everything".to_owned();
        rows.add("Http/@Tokens", http.tokens.as_ref().map_or_else(everyone, |file| file.display().to_string()));
        for (name, file) in [("Http/@Certificate", &http.certificate), ("Http/@PrivateKey", &http.private_key)] {
            if let Some(file) = file {
                rows.add(name, file.display().to_string());
            }
        }
        if !http.host_names.is_empty() {
            rows.add("Http/@HostNames", http.host_names.join(", "));
        }
        rows.add("Http/@UccLinger", seconds(http.ucc_linger));
        rows.add("Http/@EventsKept", format!("{} of each remote queue", number(http.events_kept, "event")));
        let rate = http.requests_per_second;
        rows.add("Http/@RequestsPerSecond", format!("{rate} per second of each token or address"));
        rows.add("Http/@MaxConnections", http.max_connections.to_string());
    }
}

const fn enabled(enabled: bool) -> &'static str {
    if enabled { "enabled" } else { "disabled" }
}

/// `900 s (15m)`; only the seconds when the other form says the same.
fn seconds(duration: Duration) -> String {
    let plain = format!("{} s", duration.as_secs_f64());
    let spoken = humantime::format_duration(duration).to_string();
    if spoken.replace('s', " s") == plain { plain } else { format!("{plain} ({spoken})") }
}

fn number(count: usize, of: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {of}{plural}")
}
