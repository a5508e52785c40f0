//! The program itself: what it prints where, and its exit codes.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The sample of the original product's documentation, as printed: it ends without `</config>`.
const SAMPLE: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<config version="1.5">
<License>license.key</License>
<PresenceProvider maxPresenceSubscriptionsPerSecond="15" failedPresenceSubscriptionsResubscribeDelay="15" maxFailedPresenceSubscriptionsPerUri="3">
<UcmaPresenceSource enabled="true" ApplicationId="urn:application:ucc_presenceprovider01" >
<UserEndpoint UserUri="sip:demo_user@sipdomain.com" PoolFqdn="" />
<ApplicationEndpoint OwnerUri="sip:ucc_presenceprovider01@sipdomain.com" />
</UcmaPresenceSource>
<PstnPresenceSource enabled="true" />
<AttendantServiceSource enabled="false">
<Match pattern="domain.com" />
<Match pattern="domain2.com" />
</AttendantServiceSource>
<MsGraphPresenceSource enabled="true">
<Accounts>
<Account Id="my-presence-account1" TenantId="4119dd4d-e455-4535-9d45-b3535f584cad" />
</Accounts>
</MsGraphPresenceSource>
</PresenceProvider>
"#;

/// The configuration of the documentation's three examples of behaviour.
const EXAMPLES: &str = r#"<config version="1.5">
<PresenceProvider>
<UcmaPresenceSource enabled="true" ApplicationId="urn:application:ucc_presenceprovider01">
<ApplicationEndpoint OwnerUri="sip:ucc_presenceprovider01@sipdomain.com" />
<Pool Address="192.0.2.1" Transport="tcp" Dialect="simple" />
</UcmaPresenceSource>
<PstnPresenceSource enabled="true" />
<AttendantServiceSource enabled="true">
<Match pattern="workstreampeople\.nl$" />
<Match pattern="workstreampeople\.com$" />
</AttendantServiceSource>
</PresenceProvider>
<UnifiedContactCenters>
<UnifiedContactCenter Name="ucc_app01">
<Agent Uri="sip:example@workstreampeople.com" />
<Agent Uri="sip:a@anywhere.now" />
<Agent Uri="sip:b@anywhere.now" />
<Agent Uri="tel:+31612345678" />
</UnifiedContactCenter>
<UnifiedContactCenter Name="ucc_app02">
<Agent Uri="SIP:B@anywhere.now" />
<Agent Uri="sip:c@anywhere.now" />
</UnifiedContactCenter>
</UnifiedContactCenters>
</config>
"#;

struct Configured {
    directory: TempDir,
    path: PathBuf,
}

fn configured(text: &str) -> Configured {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("Config.xml");
    fs::write(&path, text).unwrap();
    Configured { directory, path }
}

impl Configured {
    fn run(&self, arguments: &[&str]) -> Told {
        let path = self.path.to_str().unwrap();
        run(&[arguments, &["--config", path]].concat()).without(path)
    }
}

#[derive(Debug)]
struct Told {
    stdout: String,
    stderr: String,
    code: i32,
}

impl Told {
    /// The path of the file differs from run to run.
    fn without(self, path: &str) -> Self {
        let Self { stdout, stderr, code } = self;
        Self { stdout: stdout.replace(path, "Config.xml"), stderr: stderr.replace(path, "Config.xml"), code }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

fn run(arguments: &[&str]) -> Told {
    let mut command = Command::new(env!("CARGO_BIN_EXE_presence-provider"));
    let Output { status, stdout, stderr } = command.args(arguments).stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Told { stdout: text(stdout), stderr: text(stderr), code: status.code().unwrap() }
}

#[test]
fn the_three_examples_of_the_documentation_get_its_answers() {
    let examples = [
        ("sip:example@workstreampeople.com", "AttendantServiceSource"),
        ("tel:+31612345678", "PstnPresenceSource"),
        ("sip:example@anywhere.now", "UcmaPresenceSource"),
    ];
    // As the documentation prints the patterns, and anchored as we recommend.
    for text in [EXAMPLES.to_owned(), EXAMPLES.replace(r"\.", ".").replace("$\"", "\"")] {
        let config = configured(&text);
        for (uri, source) in examples {
            let told = config.run(&["explain", uri]);
            assert_eq!(told.code, 0, "{told:?}");
            assert!(told.stdout.ends_with(&format!("\nResult = The {source} is used\n")), "{told:?}");
            assert_eq!(config.run(&["explain", "--json", uri]).json()["source"], source);
        }
    }
}

#[test]
fn explain_says_which_rule_matched_and_why_the_earlier_sources_did_not() {
    let config = configured(EXAMPLES);
    insta::assert_snapshot!(config.run(&["explain", "sip:Example@workstreampeople.com"]).stdout, @r#"
    sip:example@workstreampeople.com (written sip:Example@workstreampeople.com)
      AttendantServiceSource  yes  rule 2, `workstreampeople\.com$`, matches
                                   rule 1, `workstreampeople\.nl$`, does not match
      PstnPresenceSource      -    not asked any more
      MsGraphPresenceSource   -    not asked any more
      UcmaPresenceSource      -    not asked any more
    Result = The AttendantServiceSource is used
    "#);
    insta::assert_snapshot!(config.run(&["explain", "sip:example@anywhere.now"]).stdout, @r#"
    sip:example@anywhere.now
      AttendantServiceSource  no   none of its 2 patterns matches
                                   rule 1, `workstreampeople\.nl$`, does not match
                                   rule 2, `workstreampeople\.com$`, does not match
      PstnPresenceSource      no   it is not an E.164 line URI (`tel:+` and digits)
      MsGraphPresenceSource   off  it is not enabled
      UcmaPresenceSource      yes  it takes every agent that no earlier source has taken
    Result = The UcmaPresenceSource is used
    "#);
    insta::assert_snapshot!(config.run(&["explain", "--json", "tel:+31612345678"]).stdout, @r#"
    {
      "uri": "tel:+31612345678",
      "original": "tel:+31612345678",
      "source": "PstnPresenceSource",
      "considered": [
        {
          "source": "AttendantServiceSource",
          "verdict": "refused",
          "unmatched": [
            {
              "number": 1,
              "pattern": "workstreampeople\\.nl$"
            },
            {
              "number": 2,
              "pattern": "workstreampeople\\.com$"
            }
          ],
          "why": "none of its 2 patterns matches"
        },
        {
          "source": "PstnPresenceSource",
          "verdict": "taken",
          "why": "it is an E.164 line URI"
        },
        {
          "source": "MsGraphPresenceSource",
          "verdict": "not_reached",
          "why": "not asked any more"
        },
        {
          "source": "UcmaPresenceSource",
          "verdict": "not_reached",
          "why": "not asked any more"
        }
      ]
    }
    "#);
}

#[test]
fn explain_ends_with_1_when_no_source_serves_the_uri() {
    let config =
        configured("<config><PresenceProvider><PstnPresenceSource enabled=\"true\"/></PresenceProvider></config>");
    let told = config.run(&["explain", "sip:example@anywhere.now"]);
    assert_eq!(told.code, 1);
    assert!(told.stdout.contains("Result = No source is used"), "{told:?}");
    assert!(config.run(&["explain", "--json", "sip:example@anywhere.now"]).json()["source"].is_null());
}

#[test]
fn a_wrong_command_line_ends_with_64_and_says_what_to_write() {
    for (arguments, hint) in [
        (&["explain", "example@anywhere.now"][..], "sip:"),
        (&["explain"], "<URI>"),
        (&["chekc"], "check"),
        (&["check", "--jsn"], "--json"),
        (&[], "Usage"),
    ] {
        let told = run(arguments);
        assert_eq!((told.code, told.stdout.as_str()), (64, ""), "{told:?}");
        assert!(told.stderr.contains(hint), "{arguments:?}: {told:?}");
    }
}

#[test]
fn help_and_version_are_answers_and_help_shows_examples_and_exit_codes() {
    assert!(run(&["--version"]).stdout.starts_with("presence-provider "));
    let help = run(&["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    assert!(help.stdout.contains("78  the configuration"), "{help:?}");
    for command in ["check", "explain", "run", "demo", "token", "graph"] {
        let help = run(&[command, "--help"]);
        assert_eq!(help.code, 0);
        assert!(help.stdout.contains(&format!("presence-provider {command} ")), "{help:?}");
        let has_path = !["demo", "token", "graph"].contains(&command);
        assert_eq!(help.stdout.contains("Config.xml]"), has_path, "the default path in {help:?}");
    }
}

#[test]
fn check_shows_the_effective_settings_the_defaults_and_the_time_of_a_full_start() {
    let configured = configured(EXAMPLES);
    let told = configured.run(&["check"]);
    assert_eq!((told.code, told.stderr.as_str()), (0, ""), "{told:?}");
    let shown = told.stdout.replace(&configured.directory.path().display().to_string(), "FOLDER");
    insta::assert_snapshot!(shown, @r#"
    Config.xml can be used: no errors

    Settings (* the default, because the file does not say it)
      MaxPresenceSubscriptionsPerSecond               15 per second *
      FailedPresenceSubscriptionsResubscribeDelay     900 s (15m) *
      MaxFailedPresenceSubscriptionsResubscribeDelay  28800 s (8h) *
      MaxFailedPresenceSubscriptionsPerUri            3 failures; one more in a row abandons the agent *
      AttendantServiceSource                          enabled, 2 patterns
      Match/@pattern                                  workstreampeople\.nl$
      Match/@pattern                                  workstreampeople\.com$
      PstnPresenceSource                              enabled
      MsGraphPresenceSource                           disabled
      UcmaPresenceSource                              enabled
      UcmaPresenceSource/@ApplicationId               urn:application:ucc_presenceprovider01
      ApplicationEndpoint/@OwnerUri                   sip:ucc_presenceprovider01@sipdomain.com
      UserEndpoint                                    none
      Pool/@Address                                   192.0.2.1
      Pool/@Transport                                 tcp
      Pool/@Dialect                                   simple
      Pool/@Listen                                    no listener *
      Pool/@SampleInterval                            one agent every 10 s *
      Http                                            enabled *
      Http/@Listen                                    127.0.0.1:8365 *
      Http/@Tokens                                    none: everyone on this computer may do everything *
      Http/@UccLinger                                 60 s (1m) *
      Http/@EventsKept                                10000 events of each remote queue *
      Http/@RequestsPerSecond                         100 per second of each token or address *
      Http/@MaxConnections                            10000 *
      State                                           enabled *
      State/@Directory                                FOLDER/state *
      UnifiedContactCenters                           2 queues, 5 different agents
      UnifiedContactCenter ucc_app01                  4 agents
      UnifiedContactCenter ucc_app02                  2 agents

    Full start
      AttendantServiceSource  1 agent
      PstnPresenceSource      1 agent
      UcmaPresenceSource      3 agents
      3 subscriptions at 15 per second: the last one is sent 0.1 s after the first
    "#);
}

#[test]
fn check_accepts_the_sample_as_printed_and_warns() {
    let told = configured(SAMPLE).run(&["check", "--no-lookup"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.stdout.contains("15 per second"), "{told:?}");
    assert!(told.stderr.contains("</config>"), "{told:?}");
    assert_eq!(told.stderr.matches("users of Teams").count(), 1, "a hint, with its place: {told:?}");
    assert!(!told.stderr.contains("skype"), "the dialect skype is served: {told:?}");
    assert!(told.stderr.contains("missing: `presence-provider run` needs more than this file has\n"), "{told:?}");
    assert!(!told.stderr.contains('\u{1b}'), "colours only on a terminal");
    let told = configured(SAMPLE).run(&["check", "--no-lookup", "--json"]);
    assert_eq!((told.code, told.stderr.as_str()), (0, ""));
    let found = told.json();
    assert_eq!((&found["usable"], &found["startable"]), (&true.into(), &false.into()));
    assert_eq!(found["missing"].as_array().unwrap().len(), 3, "two of TLS, and the account's credential: {found}");
    assert_eq!(found["start"]["subscriptions_per_second"], 15);
    assert!(found["diagnostics"].as_array().unwrap().iter().any(|one| one["severity"] == "warning"));
}

#[test]
fn every_error_of_a_broken_file_is_told_with_its_place_and_ends_with_78() {
    let broken =
        EXAMPLES.replace("<PresenceProvider>", "<PresenceProvider maxPresenceSubscriptionsPerSecond=\"fast\">");
    let broken = broken.replace("sip:ucc_presenceprovider01@sipdomain.com", "ucc_presenceprovider01");
    let config = configured(&broken);
    for command in [&["check"][..], &["explain", "sip:example@anywhere.now"]] {
        let told = config.run(command);
        assert_eq!((told.code, told.stdout.as_str()), (78, ""), "{told:?}");
        assert!(told.stderr.contains("Config.xml:2:") && told.stderr.contains("fast"), "{told:?}");
        assert!(told.stderr.contains("Config.xml:4:") && told.stderr.contains('^'), "{told:?}");
        assert!(told.stderr.ends_with("\n2 errors\n"), "{told:?}");
    }
    let told = config.run(&["check", "--json"]);
    assert_eq!(told.code, 78);
    let found = told.json();
    assert_eq!(found["usable"], false);
    assert_eq!(found["diagnostics"][0]["line"], 2);
    assert_eq!(found["diagnostics"][1]["severity"], "error");
}

#[test]
fn a_file_that_is_not_there_is_named_and_ends_with_78() {
    for command in [&["check"][..], &["check", "--json"], &["explain", "tel:+31612345678"]] {
        let told = run(&[command, &["--config", "/nowhere/Config.xml"]].concat());
        assert_eq!(told.code, 78, "{told:?}");
        assert!((told.stderr + &told.stdout).contains("/nowhere/Config.xml"));
    }
}

#[test]
fn a_reader_that_closes_the_pipe_early_is_no_error() {
    let config = configured(EXAMPLES);
    let mut command = Command::new(env!("CARGO_BIN_EXE_presence-provider"));
    let mut child = command
        .args(["check", "--config"])
        .arg(&config.path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}
