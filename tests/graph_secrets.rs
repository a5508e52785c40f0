//! No secret of a Teams agents' provider is shown: not in logs, answers, events, commands or crashes, whatever happens.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]
#![allow(clippy::print_stdout, reason = "a test that looks at less says so")]

mod process;
mod secrets;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use presence_simulator::{GraphServer, GraphServerHandle, GraphServiceSettings, ServiceAccount, ServiceCredential};
use process::http::{Client, Events};
use process::{Config, DOMAIN, Service, eventually, program, queue};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrets::relay::Relay;
use secrets::shown;

const TENANT: &str = GraphServiceSettings::TENANT;
/// The application that proves itself by a certificate.
const CERTIFIED: &str = "1f3a5bd0-95f9-4d7b-a3a1-1f0f5a3d9c22";
const REFRESH: &str = "simulated+refresh/token-of=push-1";
const RENEWED: &str = "renewed~secret/of+account-1";

/// A certificate and its key; none where openssl is absent.
fn identity() -> Option<(String, String)> {
    let arguments = "req -x509 -newkey rsa:2048 -nodes -keyout - -days 2 -subj /CN=presence-provider";
    let made = Command::new("openssl").args(arguments.split(' ')).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(made.stdout).ok()?;
    let (key, certificate) = text.split_at(text.find("-----BEGIN CERTIFICATE-----")?);
    Some((certificate.to_owned(), key.to_owned()))
}

/// A simulated Microsoft on a thread of its own, which ends with the process.
fn microsoft(settings: GraphServiceSettings) -> GraphServerHandle {
    let (started, handle) = mpsc::channel();
    std::thread::spawn(move || {
        process::wait_for(async {
            started.send(GraphServer::start(settings, "127.0.0.1:0".parse().unwrap()).await.unwrap()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    handle.recv().unwrap()
}

/// The real program with accounts of every kind, behind a way that can turn hostile.
struct House {
    microsoft: GraphServerHandle,
    relay: Relay,
    config: Config,
    service: Service,
    client: Client,
    url: String,
    api_token: String,
    key: Option<String>,
    told: Arc<Mutex<Vec<String>>>,
}

impl House {
    fn new(arguments: &[&str]) -> Self {
        let mut settings = GraphServiceSettings::with_users(3, DOMAIN).and_user("push-1", REFRESH);
        settings.notification_latency = Duration::from_millis(100);
        let identity = identity();
        if let Some((certificate, _)) = &identity {
            let der = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap().to_vec();
            settings.tenants[0].accounts.push(ServiceAccount {
                name: "certified".to_owned(),
                client_id: CERTIFIED.to_owned(),
                credential: ServiceCredential::Certificate(der),
            });
        } else {
            println!("without a certificate: openssl makes none here");
        }
        let microsoft = microsoft(settings);
        let relay = Relay::to(microsoft.address());
        let config = Config::of("");
        let client = GraphServiceSettings::CLIENT;
        let put = |name: &str, text: &str| private(&config.beside(name, text), 0o600);
        put("account1.json", &secret_file(GraphServiceSettings::SECRET));
        put("push-1.json", &format!(r#"{{"client_id": "{client}", "refresh_token": true}}"#));
        put("state/graph-push-1.token", REFRESH);
        private(&config.path().with_file_name("state"), 0o700);
        let mut accounts = vec!["account1", "push-1"];
        if let Some((certificate, key)) = &identity {
            let names = r#""certificate_pem_file": "c.pem", "key_pem_file": "k.pem""#;
            put("certified.json", &format!(r#"{{"client_id": "{CERTIFIED}", {names}}}"#));
            put("c.pem", certificate);
            put("k.pem", key);
            accounts.push("certified");
        }
        let api_token = api_token(&config.path().with_file_name("tokens"));
        let accounts: String =
            accounts.iter().map(|id| format!("<Account Id=\"{id}\" TenantId=\"{TENANT}\" />")).collect();
        config.write(&format!(
            r#"<config version="1.5"><PresenceProvider>
  <Http Listen="127.0.0.1:0" Tokens="tokens" />
  <MsGraphPresenceSource enabled="true" LoginUrl="http://{0}" GraphUrl="http://{0}" SweepInterval="1">
    <Accounts>{accounts}</Accounts>
    <Notifications Url="https://presence.example.com" SweepInterval="1" />
  </MsGraphPresenceSource>
</PresenceProvider>
<UnifiedContactCenters>{1}</UnifiedContactCenters>
</config>"#,
            relay.address,
            queue("teams", &[1, 2, 3])
        ));
        let mut command = Command::new("sh");
        let program = config.command(arguments);
        // As an administrator who wants cores would start it.
        command.arg("-c").arg("ulimit -c unlimited 2>/dev/null; exec \"$0\" \"$@\"").arg(program.get_program());
        command.args(program.get_args()).env_remove("STATE_DIRECTORY").env_remove("CREDENTIALS_DIRECTORY");
        command.stdin(Stdio::null()).current_dir(config.path().parent().unwrap());
        let service = Service::start(command);
        let folder = config.path().parent().unwrap().to_owned();
        let said = says(&service, &folder, "the API and the dashboard are at ");
        let (_, url) = said.split_once("are at ").unwrap();
        let url = url.split('"').next().unwrap().trim_end_matches('/').to_owned();
        microsoft.deliver_to(Some(url.split_once("://").unwrap().1.parse().unwrap()));
        let client = Client::new(&url, Some(&api_token));
        let told = Arc::default();
        let key = identity.map(|(_, key)| key);
        let house = Self { microsoft, relay, config, service, client, url, api_token, key, told };
        house.listen("/api/v1/events");
        house
    }

    fn folder(&self) -> PathBuf {
        self.config.path().parent().unwrap().to_owned()
    }

    /// Keeps what a stream of events tells, until it ends.
    fn listen(&self, path: &str) {
        let mut events = Events::open(&self.client, path, None).unwrap();
        let told = Arc::clone(&self.told);
        std::thread::spawn(move || {
            while let Ok(Some(line)) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| events.line())) {
                told.lock().unwrap().push(line);
            }
        });
    }

    /// Everything that no place may show.
    fn secrets(&self) -> Vec<String> {
        let mut secrets = self.microsoft.secrets();
        secrets.extend([REFRESH, RENEWED, GraphServiceSettings::SECRET, &self.api_token].map(str::to_owned));
        let lines = self.key.iter().flat_map(|key| key.lines()).filter(|line| !line.starts_with("-----"));
        secrets.extend(lines.filter(|line| line.len() >= 16).map(str::to_owned));
        secrets
    }

    /// Every GET.
    fn pages(&self) -> Vec<(String, String)> {
        let agent = format!("sip:agent1@{DOMAIN}");
        let single = ["agents", "explain"].map(|what| format!("/api/v1/{what}/{agent}"));
        let plain = [
            "/",
            "/metrics",
            "/health/live",
            "/health/ready",
            "/api/v1/agents",
            "/api/v1/caller",
            "/api/v1/configuration",
            "/api/v1/endpoints",
            "/api/v1/graph",
            "/api/v1/history",
            "/api/v1/sources",
            "/api/v1/status",
            "/api/v1/throttle",
            "/api/v1/uccs",
            "/api/v1/uccs/teams",
            "/api/v1/calls",
            "/graph/notifications",
            "/api/v1/openapi.json",
            "/nothing",
        ];
        let paths = plain.map(str::to_owned).into_iter().chain(single);
        paths
            .map(|path| {
                let answer = self.client.get(&path);
                (format!("GET {path}"), format!("{:?}\n{}", answer.headers, answer.text))
            })
            .collect()
    }

    /// What another command of the program says.
    fn run(&self, arguments: &[&str]) -> (String, String) {
        let mut command = program();
        command
            .env_remove("STATE_DIRECTORY")
            .args(arguments)
            .env("PRESENCE_PROVIDER_TOKEN", &self.api_token)
            .env("PRESENCE_PROVIDER_URL", &self.url);
        let output = command.current_dir(self.folder()).output().unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (arguments.join(" "), text)
    }

    fn push(&self) -> String {
        let graph = self.client.get("/api/v1/graph").json;
        let accounts = graph["tenants"][0]["accounts"].as_array().cloned().unwrap_or_default();
        let states = accounts.iter().filter_map(|account| account["push"]["state"].as_str());
        states.collect::<Vec<_>>().join(" ")
    }
}

fn private(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn secret_file(secret: &str) -> String {
    format!(r#"{{"client_id": "{}", "client_secret": "{secret}"}}"#, GraphServiceSettings::CLIENT)
}

fn api_token(file: &Path) -> String {
    let made = program()
        .args(["token", "create", "all", "--scope", "read", "--scope", "operate", "--scope", "ucc:teams", "--file"])
        .arg(file)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap().lines().last().unwrap().trim().to_owned()
}

/// Waits for a line of the log, wherever that goes.
fn says(service: &Service, folder: &Path, text: &str) -> String {
    let find = || {
        let logs = files(&folder.join("logs"))
            .into_iter()
            .flat_map(|(_, text)| text.lines().map(str::to_owned).collect::<Vec<_>>());
        logs.chain(service.lines()).find(|line| line.contains(text))
    };
    assert!(eventually(|| find().is_some()), "no line holds {text:?}");
    find().unwrap()
}

/// The files of a folder, as text; none when it is not there.
fn files(folder: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries
        .map(|path| (path.display().to_string(), String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()))
        .collect()
}

/// Good days and bad ones; everything that was shown on them.
fn live(house: &House) -> Vec<(String, String)> {
    let House { microsoft, relay, service, .. } = house;
    assert!(eventually(|| house.push().contains("listening")), "{}", house.client.get("/api/v1/graph").text);
    assert!(microsoft.set_presence(&format!("agent2@{DOMAIN}"), "Busy", "InACall"));
    let busy = || house.client.get(&format!("/api/v1/agents/sip:agent2@{DOMAIN}")).text.contains("on-the-phone");
    assert!(eventually(busy), "the change is not seen");
    let mut places = house.pages();
    relay.hostile(true);
    microsoft.command("expire-tokens").unwrap();
    let start = relay.echoed();
    places.push(house.run(&["graph", "check", "--config", "Config.xml"]));
    places.push(house.run(&["graph", "login", "push-1", "--config", "Config.xml"]));
    assert!(eventually(|| relay.echoed() > start + 30), "{} are echoed", relay.echoed() - start);
    places.extend(house.pages());
    relay.hostile(false);
    microsoft.command("sign-in push-1").unwrap();
    for arguments in [
        &["graph", "check", "--config", "Config.xml"][..],
        &["graph", "check", "--json", "--config", "Config.xml"],
        &["graph", "login", "push-1", "--config", "Config.xml"],
        &["check", "--config", "Config.xml"],
        &["explain", "--config", "Config.xml", "sip:agent1@demo.example"],
        &["doctor", "--config", "Config.xml"],
        &["status", "--json"],
    ] {
        places.push(house.run(arguments));
    }
    microsoft.command("secret expired account1").unwrap();
    microsoft.command("revoke push-1").unwrap();
    microsoft.command("expire-tokens").unwrap();
    says(service, &house.folder(), "the account cannot be used until somebody mends it");
    places.extend(house.pages());
    private(&house.config.beside("account1.json", &secret_file(RENEWED)), 0o600);
    microsoft.command(&format!("secret renewed account1 {RENEWED}")).unwrap();
    places.push(house.run(&["graph", "check", "--config", "Config.xml"]));
    microsoft.command("outage reset").unwrap();
    places.push(house.run(&["graph", "check", "--config", "Config.xml"]));
    places.extend(house.pages());
    microsoft.command("heal").unwrap();
    places
}

#[track_caller]
fn nothing_is_shown(mut places: Vec<(String, String)>, secrets: &[String]) {
    assert!(secrets.len() > 15, "{secrets:?}");
    let all: usize = places.iter().map(|(_, text)| text.len()).sum();
    assert!(all > 100_000, "there is something to look at: {all}");
    assert_eq!(shown(&places, secrets), Vec::<String>::new());
    // And it would have been found.
    for secret in secrets {
        for form in secrets::forms(secret).into_iter().filter(|form| form.len() >= 8) {
            places.push(("a planted one".to_owned(), format!("before {form} after")));
            assert!(!shown(&places[places.len() - 1..], std::slice::from_ref(secret)).is_empty(), "{form}");
            places.pop();
        }
    }
}

#[test]
fn no_secret_is_in_the_log_of_every_word_nor_in_any_answer_event_or_command() {
    let house = House::new(&["--log-level", "trace", "--log-dir", "logs"]);
    let mut places = live(&house);
    let (folder, secrets, told) = (house.folder(), house.secrets(), Arc::clone(&house.told));
    let ended = house.service.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    let log = files(&folder.join("logs"));
    for word in [" credential TRACE ", "getPresencesByUserId", "oauth2/v2.0/token", "/v1.0/subscriptions"] {
        assert!(
            log.iter().any(|(_, text)| text.contains(word)) || ended.all().contains(word),
            "{word} is not in the log"
        );
    }
    places.extend(log);
    places.push(("streams".to_owned(), ended.all()));
    places.push(("events".to_owned(), told.lock().unwrap().join("\n")));
    nothing_is_shown(places, &secrets);
}

#[test]
fn no_secret_is_in_what_every_library_says_in_json_nor_in_what_a_crash_leaves() {
    let house = House::new(&["--log-level", "trace,actix_http=trace", "--log-format", "json"]);
    let mut places = live(&house);
    let limits = fs::read_to_string(format!("/proc/{}/limits", house.service.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{core}");
    let (folder, secrets, told) = (house.folder(), house.secrets(), Arc::clone(&house.told));
    house.service.signal("ABRT");
    let ended = house.service.end();
    assert_eq!(ended.code, None, "a signal has ended it");
    let names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().starts_with("core")), "{names:?}");
    places.push(("streams".to_owned(), ended.all()));
    places.push(("events".to_owned(), told.lock().unwrap().join("\n")));
    nothing_is_shown(places, &secrets);
}

#[test]
fn no_program_is_started_which_would_inherit_secrets() {
    let mut folders: Vec<PathBuf> =
        ["src", "actors/src", "config/src", "graph/src", "presence/src", "sip/src"].map(|one| root().join(one)).into();
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            // Unit tests may start what they like.
            let code = text.split("#[cfg(test)]").next().unwrap().split("#[cfg(all(test").next().unwrap();
            files += 1;
            for word in ["process::Command", "Command::new(", "execv"] {
                assert!(!code.contains(word), "{} has {word}", path.display());
            }
        }
    }
    assert!(files > 200, "{files}");
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
