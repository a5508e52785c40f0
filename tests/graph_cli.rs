//! `presence-provider graph`: signing in and checking, against a simulated Microsoft.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod microsoft;
mod process;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use microsoft::Microsoft;
use presence_simulator::{GraphServiceSettings, ServiceAccount, ServiceCredential};
use process::{Service, eventually, program};
use serde_json::Value;
use tempfile::TempDir;

const TENANT: &str = GraphServiceSettings::TENANT;
const CLIENT: &str = GraphServiceSettings::CLIENT;

/// A Config.xml with one account `account1` and one queue, and its credential.
struct Place {
    folder: TempDir,
    microsoft: Microsoft,
}

#[derive(Debug)]
struct Told {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Told {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    fn value(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The results of the steps, in their order.
    fn results(&self) -> Vec<(String, String)> {
        let report = self.value();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        report["steps"].as_array().unwrap().iter().map(|step| (text(&step["step"]), text(&step["result"]))).collect()
    }
}

fn application() -> GraphServiceSettings {
    GraphServiceSettings::with_users(3, "demo.example")
}

/// With an account that waits for somebody to sign in.
fn delegated() -> GraphServiceSettings {
    let mut settings = application();
    settings.tenants[0].accounts = vec![ServiceAccount {
        name: "account1".to_owned(),
        client_id: CLIENT.to_owned(),
        credential: ServiceCredential::User(None),
    }];
    settings
}

impl Place {
    fn new(settings: GraphServiceSettings, proof: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap(), microsoft: Microsoft::start(settings) };
        place.config(&place.microsoft.urls(), "");
        place.credential(&format!(r#"{{"client_id": "{CLIENT}", {proof}}}"#));
        place
    }

    fn with_secret() -> Self {
        Self::new(application(), &format!(r#""client_secret": "{}""#, GraphServiceSettings::SECRET))
    }

    fn waiting_for_a_person() -> Self {
        Self::new(delegated(), r#""refresh_token": true"#)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self, attributes: &str, more: &str) {
        let text = format!(
            r#"<config version="1.5"><PresenceProvider>
<MsGraphPresenceSource enabled="true" {attributes}>
<Accounts><Account Id="account1" TenantId="{TENANT}" /></Accounts>
{more}
</MsGraphPresenceSource>
<Http enabled="false" />
</PresenceProvider>
<UnifiedContactCenters><UnifiedContactCenter Name="ucc_app01"><Agent Uri="sip:agent1@demo.example" /></UnifiedContactCenter></UnifiedContactCenters>
</config>"#
        );
        fs::write(self.path("Config.xml"), text).unwrap();
    }

    fn credential(&self, text: &str) {
        fs::write(self.path("account1.json"), text).unwrap();
        fs::set_permissions(self.path("account1.json"), Permissions::from_mode(0o600)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.env_remove("STATE_DIRECTORY").args(arguments).arg("--config").arg(self.path("Config.xml"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Told {
        let told = Told::of(self.command(arguments).output().unwrap());
        self.keeps_secrets(&format!("{}{}", told.stdout, told.stderr));
        told
    }

    fn keeps_secrets(&self, text: &str) {
        for secret in self.microsoft.secrets() {
            assert!(!text.contains(&secret), "{secret} is in {text}");
        }
    }

    fn check(&self) -> Told {
        self.run(&["graph", "check", "--json"])
    }
}

fn named<'a>(results: &'a [(String, String)], step: &str) -> &'a str {
    &results.iter().find(|(name, _)| name == step).unwrap_or_else(|| panic!("{results:?}")).1
}

#[test]
fn an_account_that_works_is_told_step_by_step_with_the_presence_of_an_agent() {
    let place = Place::with_secret();
    place.microsoft.command("set agent1@demo.example Busy InACall");
    let told = place.run(&["graph", "check"]);
    assert_eq!((told.code, told.stderr.as_str()), (0, ""), "{told:?}");
    for part in ["account1: a client secret", "agent1@demo.example is a9e00000-", "is Busy (6500)", "nothing failed"] {
        assert!(told.stdout.contains(part), "{part} is not in {told:?}");
    }
    let told = place.check();
    assert_eq!(told.code, 0, "{told:?}");
    let names: Vec<String> = told.results().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["credential", "token", "permissions", "user", "presence"]);
    // The doctor makes the same steps; that there is no pool is no failure.
    let told = place.run(&["doctor", "--json"]);
    assert_eq!((told.code, named(&told.results(), "presence")), (0, "ok"), "{told:?}");
}

#[test]
fn an_expired_secret_is_told_with_microsofts_number_and_what_follows_is_skipped() {
    let place = Place::with_secret();
    place.microsoft.command("secret expired account1");
    let told = place.check();
    let results = told.results();
    assert_eq!(told.code, 1, "{told:?}");
    assert!(told.stdout.contains("AADSTS7000222"), "{told:?}");
    assert_eq!((named(&results, "token"), named(&results, "presence")), ("fail", "skipped"));
}

#[test]
fn what_microsoft_does_not_allow_is_told_with_the_permission_that_is_missing() {
    let place = Place::with_secret();
    place.microsoft.command("refuse 403 on presence");
    let told = place.check();
    let results = told.results();
    assert_eq!((told.code, named(&results, "user"), named(&results, "presence")), (1, "ok", "fail"), "{told:?}");
    assert!(told.stdout.contains("consent (Presence.Read.All)"), "{told:?}");
}

#[test]
fn an_agent_that_nobody_is_and_one_that_is_mapped_are_told() {
    let place = Place::with_secret();
    let told = place.run(&["graph", "check", "--json", "--agent", "sip:nobody@demo.example"]);
    assert_eq!((told.code, named(&told.results(), "user")), (0, "warn"), "{told:?}");
    let user =
        r#"<Users><User Uri="sip:chief@elsewhere.example" ObjectId="a9e00000-0000-4000-8000-000000000002"/></Users>"#;
    place.config(&place.microsoft.urls(), user);
    let told = place.run(&["graph", "check", "--agent", "sip:chief@elsewhere.example"]);
    assert!(told.stdout.contains("is mapped to a9e00000-0000-4000-8000-000000000002"), "{told:?}");
    assert_eq!(told.code, 0, "{told:?}");
}

#[test]
fn a_microsoft_that_is_not_there_is_told_as_the_way_to_it() {
    let place = Place::with_secret();
    place.config(r#"LoginUrl="http://127.0.0.1:1" GraphUrl="http://127.0.0.1:1""#, "");
    let told = place.check();
    assert_eq!(told.code, 1, "{told:?}");
    assert!(told.stdout.contains("the way there"), "{told:?}");
}

#[test]
fn everything_that_is_missing_keeps_the_provider_from_starting_and_is_told_at_once() {
    let place = Place::with_secret();
    fs::set_permissions(place.path("account1.json"), Permissions::from_mode(0o644)).unwrap();
    let two = format!(
        r#"<Accounts><Account Id="account1" TenantId="{TENANT}" /><Account Id="account2" TenantId="{TENANT}" /></Accounts>"#
    );
    let text = fs::read_to_string(place.path("Config.xml")).unwrap();
    let start = text.find("<Accounts>").unwrap();
    let end = text.find("</Accounts>").unwrap() + "</Accounts>".len();
    fs::write(place.path("Config.xml"), format!("{}{two}{}", &text[..start], &text[end..])).unwrap();
    let told = place.run(&["run"]);
    assert_eq!(told.code, 78, "{told:?}");
    for part in ["account1", "chmod go=", "account2", "account2.json", "graph-account2"] {
        assert!(told.stderr.contains(part), "{part} is not in {told:?}");
    }
    let told = place.run(&["check", "--strict"]);
    assert_eq!(told.code, 78, "{told:?}");
    assert!(told.stderr.contains("account2.json"), "{told:?}");
}

#[test]
fn a_person_signs_in_with_a_code_and_the_token_is_kept_and_renewed() {
    let place = Place::waiting_for_a_person();
    let told = place.run(&["check"]);
    assert!(told.code == 0 && told.stderr.contains("nobody has signed in for the account `account1`"), "{told:?}");
    let told = place.check();
    assert!(told.code == 1 && told.stdout.contains("graph login account1"), "{told:?}");

    let signing_in = Service::start(place.command(&["graph", "login", "account1"]));
    let shown = eventually(|| signing_in.lines().iter().any(|line| line.contains("https://microsoft.com/devicelogin")));
    assert!(shown, "{:?}", signing_in.lines());
    place.microsoft.command("sign-in account1");
    let ended = signing_in.end();
    place.keeps_secrets(&ended.all());
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    let path = place.path("state/graph-account1.token");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(place.path("state")).unwrap().permissions().mode() & 0o7777, 0o700);
    let first = fs::read_to_string(&path).unwrap();

    let told = place.check();
    assert_eq!((told.code, named(&told.results(), "presence")), (0, "ok"), "{told:?}");
    assert_ne!(fs::read_to_string(&path).unwrap(), first, "each use gives a new one");
    assert!(!place.run(&["check"]).stderr.contains("nobody has signed in"));
}

#[test]
fn a_person_who_declines_leaves_nothing_behind() {
    let place = Place::waiting_for_a_person();
    let signing_in = Service::start(place.command(&["graph", "login", "account1"]));
    assert!(eventually(|| signing_in.lines().iter().any(|line| line.contains("devicelogin"))));
    place.microsoft.command("decline account1");
    let ended = signing_in.end();
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    assert!(ended.all().contains("authorization_declined"), "{}", ended.all());
    assert!(!place.path("state").exists());
}

#[test]
fn signing_in_is_refused_where_it_makes_no_sense() {
    let place = Place::with_secret();
    let told = place.run(&["graph", "login", "account1"]);
    assert_eq!(told.code, 78, "{told:?}");
    assert!(told.stderr.contains("\"refresh_token\": true"), "{told:?}");
    let told = place.run(&["graph", "login", "account9"]);
    assert!(told.code == 64 && told.stderr.contains("account1"), "{told:?}");
    let off = "<config><PresenceProvider><PstnPresenceSource enabled=\"true\"/></PresenceProvider></config>";
    fs::write(place.path("Config.xml"), off).unwrap();
    for arguments in [&["graph", "login", "account1"][..], &["graph", "check"]] {
        let told = place.run(arguments);
        assert!(told.code == 78 && told.stderr.contains("MsGraphPresenceSource"), "{told:?}");
    }
}

#[test]
fn the_environment_is_the_last_place_of_a_credential() {
    let place = Place::with_secret();
    let secret = fs::read_to_string(place.path("account1.json")).unwrap();
    fs::remove_file(place.path("account1.json")).unwrap();
    let mut command = place.command(&["graph", "check", "--json"]);
    let told = Told::of(command.env("PP_GRAPH_ACCOUNT1", &secret).output().unwrap());
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.stdout.contains("the environment variable PP_GRAPH_ACCOUNT1"), "{told:?}");
    let manager = place.path("manager");
    fs::create_dir(&manager).unwrap();
    fs::write(manager.join("graph-account1"), &secret).unwrap();
    fs::set_permissions(manager.join("graph-account1"), Permissions::from_mode(0o440)).unwrap();
    let mut command = place.command(&["graph", "check", "--json"]);
    let told = Told::of(command.env("CREDENTIALS_DIRECTORY", &manager).output().unwrap());
    assert!(told.code == 0 && told.stdout.contains("manager/graph-account1"), "{told:?}");
}

/// A pool and telephone numbers.
const BOTH: &str = r#"<config version="1.5"><PresenceProvider>
<UcmaPresenceSource enabled="true" ApplicationId="urn:application:ucc_presenceprovider01">
<ApplicationEndpoint OwnerUri="sip:ucc_presenceprovider01@sipdomain.com" />
<Pool Address="192.0.2.1" Transport="tcp" Dialect="simple" />
</UcmaPresenceSource>
<PstnPresenceSource enabled="true" />
</PresenceProvider>
<UnifiedContactCenters><UnifiedContactCenter Name="ucc_app01">
<Agent Uri="sip:a@anywhere.now" /><Agent Uri="sip:b@anywhere.now" /><Agent Uri="tel:+31612345678" />
</UnifiedContactCenter></UnifiedContactCenters>
</config>"#;

/// A Config.xml in a folder of its own.
struct Beside(TempDir);

impl Beside {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("Config.xml"), text).unwrap();
        Self(folder)
    }

    fn run(&self, arguments: &[&str]) -> Told {
        Told::of(program().args(arguments).arg("--config").arg(self.0.path().join("Config.xml")).output().unwrap())
    }
}

/// With the pool beside it: what is put inside `MsGraphPresenceSource`, and attributes of its account.
fn with_graph(inside: &str, account: &str) -> Beside {
    let graph = format!(
        "<MsGraphPresenceSource enabled=\"true\"><Accounts><Account Id=\"a\" TenantId=\"teams.example\" {account}/></Accounts>\
         {inside}</MsGraphPresenceSource>\n<PstnPresenceSource"
    );
    Beside::new(&BOTH.replace("<PstnPresenceSource", &graph))
}

#[test]
fn explain_says_who_is_a_user_of_teams_and_why() {
    let user = r#"<Users><User Uri="sip:chief@anywhere.now" ObjectId="2d5a6e1f-4d3b-4f4e-9c1a-0b8a3f6f1c11"/></Users>"#;
    let patterns = r#"<Match pattern="^sip:x@"/><Match pattern="@teams\.example$"/>"#;
    let rules = with_graph(&format!("{user}{patterns}"), "");
    insta::assert_snapshot!(rules.run(&["explain", "sip:a@teams.example"]).stdout, @r#"
    sip:a@teams.example
      AttendantServiceSource  off  it is not enabled
      PstnPresenceSource      no   it is not an E.164 line URI (`tel:+` and digits)
      MsGraphPresenceSource   yes  rule 2, `@teams\.example$`, matches
                                   rule 1, `^sip:x@`, does not match
      UcmaPresenceSource      -    not asked any more
    Result = The MsGraphPresenceSource is used
    "#);
    insta::assert_snapshot!(rules.run(&["explain", "sip:a@anywhere.now"]).stdout, @r#"
    sip:a@anywhere.now
      AttendantServiceSource  off  it is not enabled
      PstnPresenceSource      no   it is not an E.164 line URI (`tel:+` and digits)
      MsGraphPresenceSource   no   none of its 2 patterns matches
                                   rule 1, `^sip:x@`, does not match
                                   rule 2, `@teams\.example$`, does not match
      UcmaPresenceSource      yes  it takes every agent that no earlier source has taken
    Result = The UcmaPresenceSource is used
    "#);
    let told = rules.run(&["explain", "sip:chief@anywhere.now"]).stdout;
    assert!(told.contains("MsGraphPresenceSource   yes  the file maps it to a Teams user\n"), "{told}");
    let domains = with_graph("", "Domains=\"teams.example\"");
    let told = domains.run(&["explain", "sip:a@teams.example"]).stdout;
    assert!(told.ends_with("\nResult = The MsGraphPresenceSource is used\n"), "{told}");
    let told = domains.run(&["explain", "tel:+31612345678"]).stdout;
    assert!(told.ends_with("\nResult = The PstnPresenceSource is used\n"), "{told}");
}

#[test]
fn explain_says_when_the_tenants_decide() {
    let config = with_graph("", "");
    insta::assert_snapshot!(config.run(&["explain", "sip:a@anywhere.now"]).stdout, @r#"
    sip:a@anywhere.now
      AttendantServiceSource  off  it is not enabled
      PstnPresenceSource      no   it is not an E.164 line URI (`tel:+` and digits)
      MsGraphPresenceSource   if   it takes every agent that one of its tenants knows
      UcmaPresenceSource      or   it takes every agent that no earlier source has taken
    Result = The MsGraphPresenceSource is used if a tenant knows the agent, else the UcmaPresenceSource
    "#);
    let found = config.run(&["explain", "--json", "sip:a@anywhere.now"]).value();
    assert_eq!(
        (&found["source"], &found["otherwise"]),
        (&"MsGraphPresenceSource".into(), &"UcmaPresenceSource".into())
    );
    let verdicts: Vec<_> = found["considered"].as_array().unwrap().iter().map(|one| one["verdict"].clone()).collect();
    assert_eq!(verdicts, ["disabled", "refused", "tentative", "otherwise"]);
    let told = config.run(&["check", "--no-lookup"]);
    assert!(told.stdout.contains("2 agents go to the pool if no tenant knows them"), "{told:?}");
    assert!(told.stdout.contains("1 request to Microsoft Graph every 5 s"), "{told:?}");
}
