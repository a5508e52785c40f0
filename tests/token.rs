//! `presence-provider token`: what it prints where, what it writes, and that the API takes what it makes.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod process;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Output;

use presence_provider::http::{Access, Scope};
use process::{Config, program};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with the tokens file of one test.
struct Folder(TempDir);

/// What the program said.
#[derive(Debug)]
struct Told {
    code: i32,
    stdout: String,
    stderr: String,
}

fn run(arguments: &[&str]) -> Told {
    let Output { status, stdout, stderr } = program().arg("token").args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Told { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
}

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("tokens.json")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    fn token(&self, arguments: &[&str]) -> Told {
        run(&[arguments, &["--file", self.path().to_str().unwrap()]].concat())
    }

    fn create(&self, name: &str, more: &[&str]) -> String {
        let told = self.token(&[&["create", name], more].concat());
        assert_eq!(told.code, 0, "{told:?}");
        let token = told.stdout.strip_suffix('\n').unwrap().to_owned();
        assert!(!token.contains('\n') && !told.stderr.contains(&token), "the token alone, and only there: {told:?}");
        token
    }
}

#[test]
fn a_token_is_printed_once_listed_without_its_secret_taken_by_the_api_and_revoked() {
    let folder = Folder::new();
    let sales = folder.create("sales", &["--scope", "ucc:sales", "--scope", "read"]);
    let wall = folder.create("wall", &["--scope", "operate", "--expires", "90d"]);
    assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode() & 0o7777, 0o600);
    for token in [&sales, &wall] {
        let (_, secret) = token.rsplit_once('_').unwrap();
        assert!(secret.len() == 64 && !folder.text().contains(secret), "{}", folder.text());
    }

    let listed = folder.token(&["list"]);
    assert_eq!((listed.code, listed.stderr.as_str()), (0, ""));
    let lines: Vec<Vec<&str>> = listed.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAME", "SCOPES", "CREATED", "VALID"]);
    assert_eq!((&lines[1][..3], lines[1].last()), (&["sales", "ucc:sales,", "read"][..], Some(&"ever")));
    assert_eq!((lines[2][..2].to_vec(), lines[2][3]), (vec!["wall", "operate"], "until"));
    let json: Value = serde_json::from_str(&folder.token(&["list", "--json"]).stdout).unwrap();
    assert_eq!(json[0]["scopes"], serde_json::json!(["ucc:sales", "read"]));
    assert_eq!((&json[1]["name"], &json[1]["expired"]), (&"wall".into(), &false.into()));
    let times = ["created", "expires"].map(|key| json[1][key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap());
    assert_eq!(times[1].as_second() - times[0].as_second(), 90 * 86_400);

    let access = Access::load(&folder.path()).unwrap();
    let caller = access.admit(Some(&sales)).unwrap();
    assert_eq!((&*caller.name, caller.only_ucc()), ("sales", Some("sales")));
    assert!(!caller.may(&Scope::Operate) && access.admit(Some(&wall)).unwrap().may(&Scope::Operate));

    let revoked = folder.token(&["revoke", "sales"]);
    assert_eq!((revoked.code, revoked.stdout.as_str()), (0, ""));
    let access = Access::load(&folder.path()).unwrap();
    assert!(access.admit(Some(&sales)).is_err() && access.admit(Some(&wall)).is_ok());
    let new = folder.create("sales", &["--scope", "read"]);
    assert_ne!(new, sales);
    let access = Access::load(&folder.path()).unwrap();
    assert!(access.admit(Some(&sales)).is_err() && access.admit(Some(&new)).is_ok());
}

#[test]
fn a_running_provider_takes_a_new_token_and_refuses_a_revoked_one_without_a_restart() {
    let http = r#"<Http Listen="127.0.0.1:0" Tokens="tokens.json" />"#;
    let pool = r#"Address="127.0.0.1:9" Transport="tcp" Dialect="simple""#;
    let config = Config::of(&Config::text_with_http(http, "", "", pool, ""));
    let path = config.path();
    let by_config = |arguments: &[&str]| run(&[arguments, &["--config", path.to_str().unwrap()]].concat());
    let first = by_config(&["create", "first", "--scope", "read"]);
    assert_eq!(first.code, 0, "{first:?}");
    assert!(path.with_file_name("tokens.json").exists());
    let service = config.run(&[]);
    let said = service.says("the API and the dashboard are at ");
    let caller = format!("{}api/v1/caller", said.rsplit(' ').next().unwrap());
    let status = |token: &str| {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let answer = agent.get(&caller).header("Authorization", format!("Bearer {}", token.trim())).call();
        answer.unwrap().status().as_u16()
    };
    assert_eq!((status(&first.stdout), status("pp_first_00")), (200, 401));
    let second = by_config(&["create", "second", "--scope", "read"]);
    service.until("the new token is taken", || status(&second.stdout) == 200);
    assert_eq!(by_config(&["revoke", "first"]).code, 0);
    service.until("the revoked token is refused", || status(&first.stdout) == 401);
    assert_eq!(status(&second.stdout), 200);
    let ended = service.terminate();
    assert!(!ended.all().contains(second.stdout.trim()), "no token is in the log");
}

#[test]
fn a_name_is_given_once_and_what_is_not_there_cannot_be_revoked() {
    let folder = Folder::new();
    assert_eq!(folder.token(&["revoke", "sales"]).code, 78, "no file");
    assert!(!folder.path().exists());
    folder.create("sales", &["--scope", "read"]);
    let before = folder.text();
    let again = folder.token(&["create", "sales", "--scope", "operate"]);
    assert_eq!((again.code, again.stdout.as_str()), (1, ""));
    assert!(again.stderr.contains("there is a token `sales` already") && again.stderr.contains("revoke"), "{again:?}");
    let absent = folder.token(&["revoke", "other"]);
    assert_eq!(absent.code, 1, "{absent:?}");
    assert!(absent.stderr.contains("there is no token `other`"), "{absent:?}");
    assert_eq!(folder.text(), before);
}

#[test]
fn a_file_that_cannot_be_used_is_neither_read_nor_written() {
    let folder = Folder::new();
    folder.create("sales", &["--scope", "read"]);
    let good = folder.text();
    let commands: [&[&str]; 3] = [&["create", "new", "--scope", "read"], &["list"], &["revoke", "sales"]];
    let refused = |text: &str, mode: u32, told: &str| {
        fs::write(folder.path(), text).unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
        for command in commands {
            let answer = folder.token(command);
            assert_eq!((answer.code, answer.stdout.as_str()), (78, ""), "{answer:?}");
            assert!(answer.stderr.starts_with("error: the tokens file ") && answer.stderr.contains(told), "{answer:?}");
        }
        assert_eq!(folder.text(), text, "it stays as it was");
    };
    refused(&good, 0o644, "mode 0644");
    refused(&good, 0o660, "mode 0660");
    refused(&good[..good.len() / 2], 0o600, "cannot be used: ");
    refused(&good.replace("read", "write"), 0o600, "token \"sales\": `write` is no scope");
    refused(&format!("{good}{}", " ".repeat(9_000_000)), 0o600, "more than");
    fs::remove_file(folder.path()).unwrap();
    fs::create_dir(folder.path()).unwrap();
    for command in commands {
        assert_eq!(folder.token(command).code, 78, "a folder");
    }
    let nowhere = folder.0.path().join("nowhere/tokens.json");
    let told = run(&["create", "a", "--scope", "read", "--file", nowhere.to_str().unwrap()]);
    assert_eq!((told.code, told.stdout.as_str()), (73, ""), "{told:?}");
    assert!(told.stderr.contains("cannot be written"), "{told:?}");
}

#[test]
fn a_change_keeps_the_mode_and_follows_a_link_and_many_at_once_lose_none() {
    let folder = Folder::new();
    let link = folder.0.path().join("link.json");
    symlink(folder.path(), &link).unwrap();
    folder.create("first", &["--scope", "read"]);
    fs::set_permissions(folder.path(), Permissions::from_mode(0o640)).unwrap();
    std::thread::scope(|threads| {
        for number in 0..8 {
            let link = link.to_str().unwrap();
            threads.spawn(move || {
                let name = format!("token{number}");
                assert_eq!(run(&["create", &name, "--scope", "read", "--file", link]).code, 0);
            });
        }
    });
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode() & 0o7777, 0o640);
    assert_eq!(folder.token(&["list"]).stdout.lines().count(), 10);
    assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), 2, "no file is left behind");
}

#[test]
fn a_command_line_that_makes_no_sense_ends_with_64_and_a_configuration_without_tokens_with_78() {
    let folder = Folder::new();
    for (arguments, told) in [
        (&["create", "sales"][..], "--scope"),
        (&["create", "two words", "--scope", "read"], "1 to 64 letters"),
        (&["create", "sales", "--scope", "everything"], "is no scope; write ucc:NAME"),
        (&["create", "sales", "--scope", "ucc:a b"], "is no scope"),
        (&["create", "sales", "--scope", "read", "--expires", "soon"], "12h or 90d"),
        (&["create", "sales", "--scope", "read", "--expires", "0s"], "1s to"),
        (&["create", "sales", "--scope", "read", "--config", "Config.xml"], "--file"),
        (&["revoke"], "<NAME>"),
    ] {
        let answer = folder.token(arguments);
        assert_eq!((answer.code, answer.stdout.as_str()), (64, ""), "{answer:?}");
        assert!(answer.stderr.contains(told), "{told}: {answer:?}");
    }
    assert!(!folder.path().exists());
    let pool = r#"Address="127.0.0.1:9" Transport="tcp" Dialect="simple""#;
    for (http, told) in
        [("<Http />", "names no tokens file"), ("<Http enabled=\"false\" />", "switches the HTTP API off")]
    {
        let config = Config::of(&Config::text_with_http(http, "", "", pool, ""));
        let answer = run(&["list", "--config", config.path().to_str().unwrap()]);
        assert_eq!(answer.code, 78, "{answer:?}");
        assert!(answer.stderr.contains(told) && answer.stderr.contains("--file FILE"), "{answer:?}");
    }
    let help = run(&["create", "--help"]);
    assert!(help.stdout.contains("presence-provider token create sales --scope ucc:sales"), "{help:?}");
}
