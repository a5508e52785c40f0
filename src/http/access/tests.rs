//! What a token opens, in a time that the tests make.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use actix_web::http::header::HeaderMap;
use tempfile::TempDir;

use super::*;

const DATE: &str = "2026-03-01T12:00:00Z";

/// A file of tokens and a time.
struct Desk {
    folder: TempDir,
    now: Instant,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), now: presence_actors::now() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("tokens.json")
    }

    /// Makes a token.
    fn issue(&self, name: &str, scopes: &[&str], expires: Option<&str>) -> String {
        let secret = new_token(name).expect("random bits");
        let token = Token {
            name: name.into(),
            fingerprint: Fingerprint::of(&secret),
            scopes: Arc::new(scopes.iter().map(|scope| scope.parse().expect("a scope")).collect()),
            created: date(DATE),
            expires: expires.map(date),
        };
        change(&self.path(), |tokens| tokens.add(token)).expect("written").expect("a new name");
        secret
    }

    fn revoke(&self, name: &str) {
        assert!(change(&self.path(), |tokens| tokens.remove(name)).expect("written"));
    }

    fn open(&self) -> Access {
        Access { tokens: Some(Arc::new(Watched::load(&self.path(), self.now).expect("a good file"))) }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn admit(&self, access: &Access, bearer: &str) -> Result<Caller, Problem> {
        access.admit_at(Some(bearer), self.now, date(DATE))
    }
}

fn date(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn refused(result: Result<Caller, Problem>) -> Problem {
    let problem = result.expect_err("refused");
    assert_eq!(problem.status, 401, "{problem}");
    problem
}

#[test]
fn a_token_opens_what_its_scopes_say_and_operate_includes_read() {
    let desk = Desk::new();
    let (sales, duty) = (desk.issue("sales", &["ucc:sales"], None), desk.issue("duty", &["operate", "calls"], None));
    let access = desk.open();
    assert!(access.is_required());
    let caller = desk.admit(&access, &sales).expect("known");
    assert_eq!((&*caller.name, caller.only_ucc()), ("sales", Some("sales")));
    assert!(caller.may(&Scope::Ucc("sales".to_owned())));
    for other in [Scope::Ucc("Sales".to_owned()), Scope::Ucc("other".to_owned()), Scope::Read, Scope::Attendant] {
        let problem = caller.require(&other).expect_err("not allowed");
        assert_eq!((problem.status, problem.detail), (403, format!("the token `sales` lacks the scope `{other}`")));
    }
    let caller = desk.admit(&access, &duty).expect("known");
    assert!(caller.may(&Scope::Operate) && caller.may(&Scope::Read) && caller.may(&Scope::Calls));
    assert!(!caller.may(&Scope::Attendant) && !caller.may(&Scope::Ucc("sales".to_owned())));
    assert_eq!(caller.only_ucc(), None);
}

#[test]
fn read_does_not_include_operate() {
    let desk = Desk::new();
    let secret = desk.issue("wall", &["read"], None);
    let caller = desk.admit(&desk.open(), &secret).expect("known");
    assert!(caller.may(&Scope::Read) && !caller.may(&Scope::Operate));
}

#[test]
fn every_wrong_token_is_refused_with_the_same_words_and_is_not_echoed() {
    let desk = Desk::new();
    let good = desk.issue("sales", &["read"], None);
    let access = desk.open();
    let (last, rest) = (good.chars().last().expect("digits"), &good[..good.len() - 1]);
    let flipped = format!("{rest}{}", if last == '0' { '1' } else { '0' });
    let other = new_token("other").expect("random bits");
    let fingerprint = Fingerprint::of(&good).to_text();
    let in_capitals = good.to_uppercase();
    let doubled = format!("{good}{good}");
    let wrong = [rest, &flipped, &other, &fingerprint, &in_capitals, &doubled, "sales", "pp_sales_", "", "\u{0}é_"];
    let first = refused(desk.admit(&access, wrong[0]));
    for bearer in wrong {
        let problem = refused(desk.admit(&access, bearer));
        assert_eq!(problem, first, "{bearer:?} gets other words");
        assert!(bearer.len() < 4 || bearer == "sales" || !problem.to_string().contains(bearer), "{problem}");
    }
    assert!(desk.admit(&access, &good).is_ok());
    assert!(refused(access.admit(None)).detail.contains("Authorization: Bearer TOKEN"));
}

#[test]
fn a_token_ends_at_its_time_and_says_so_only_to_who_has_it() {
    let desk = Desk::new();
    let secret = desk.issue("guest", &["read"], Some("2026-03-01T13:00:00Z"));
    let access = desk.open();
    let at = |time: &str| access.admit_at(Some(&secret), desk.now, date(time));
    assert!(at("2026-03-01T12:59:59.999Z").is_ok());
    for late in ["2026-03-01T13:00:00Z", "2031-01-01T00:00:00Z"] {
        let problem = refused(at(late));
        assert!(problem.detail.starts_with("the token `guest` was valid until 2026-03-01T13:00:00Z"), "{problem}");
    }
    let guessed = access.admit_at(Some("pp_guest_00"), desk.now, date("2031-01-01T00:00:00Z"));
    assert!(!refused(guessed).detail.contains("guest"));
}

#[test]
fn a_revoked_token_is_refused_and_a_new_one_taken_a_second_later() {
    let mut desk = Desk::new();
    let (old, other) = (desk.issue("sales", &["read"], None), desk.issue("other", &["read"], None));
    let access = desk.open();
    let clone = access.clone();
    desk.revoke("sales");
    let new = desk.issue("sales", &["operate"], None);
    desk.pass(Duration::from_millis(999));
    assert!(desk.admit(&access, &old).is_ok(), "the file is looked at once a second");
    assert!(desk.admit(&access, &new).is_err());
    desk.pass(Duration::from_millis(1));
    for access in [&access, &clone] {
        refused(desk.admit(access, &old));
        assert!(desk.admit(access, &new).expect("new").may(&Scope::Operate));
        assert!(desk.admit(access, &other).is_ok());
    }
}

#[test]
fn what_stays_open_ends_when_its_token_is_revoked_replaced_over_or_without_the_scope() {
    let mut desk = Desk::new();
    let sales = Scope::Ucc("sales".to_owned());
    let end = "2026-03-01T13:00:00Z";
    let secrets: Vec<_> = ["revoked", "replaced", "reduced", "guest"]
        .map(|name| desk.issue(name, &["ucc:sales", "operate"], (name == "guest").then_some(end)))
        .into();
    let access = desk.open();
    let callers: Vec<_> = secrets.iter().map(|secret| desk.admit(&access, secret).expect("known")).collect();
    let still = |desk: &Desk, scope: &Scope, at: &str| -> Vec<bool> {
        callers.iter().map(|caller| access.still_allows_at(caller, scope, desk.now, date(at))).collect()
    };
    assert_eq!(still(&desk, &sales, DATE), [true; 4]);
    assert_eq!(still(&desk, &Scope::Read, DATE), [true; 4], "operate has all of read");
    assert_eq!(still(&desk, &Scope::Attendant, DATE), [false; 4]);
    assert_eq!(still(&desk, &sales, end), [true, true, true, false]);
    desk.revoke("revoked");
    desk.revoke("replaced");
    desk.issue("replaced", &["ucc:sales"], None);
    let text = fs::read_to_string(desk.path()).expect("a file");
    let (before, after) = text.split_once("\"reduced\"").expect("it is there");
    fs::write(desk.path(), format!("{before}\"reduced\"{}", after.replacen("ucc:sales", "calls", 1))).expect("written");
    desk.pass(LOOKED);
    assert_eq!(still(&desk, &sales, DATE), [false, false, false, true]);
    assert!(access.still_allows_at(&callers[2], &Scope::Read, desk.now, date(DATE)), "what it kept it may");
    assert!(Access::open().still_allows(&Caller::anonymous(), &sales));
    assert!(!access.still_allows(&Caller::anonymous(), &sales));
}

#[test]
fn two_tokens_in_one_request_are_none() {
    let mut headers = HeaderMap::new();
    let name = actix_web::http::header::AUTHORIZATION;
    let value = |text| actix_web::http::header::HeaderValue::from_static(text);
    assert_eq!(bearer(&headers), None);
    headers.append(name.clone(), value("bearer  a "));
    assert_eq!(bearer(&headers), Some("a"));
    headers.append(name, value("Bearer b"));
    assert_eq!(bearer(&headers), None);
}

#[test]
fn a_file_that_breaks_or_vanishes_leaves_the_tokens_that_were_known() {
    let mut desk = Desk::new();
    let secret = desk.issue("sales", &["read"], None);
    let good = fs::read_to_string(desk.path()).expect("a file");
    let access = desk.open();
    for bad in ["", "{", r#"{"version":2,"tokens":[]}"#] {
        fs::write(desk.path(), bad).expect("written");
        desk.pass(LOOKED);
        assert!(desk.admit(&access, &secret).is_ok(), "{bad:?}");
    }
    fs::remove_file(desk.path()).expect("removed");
    desk.pass(LOOKED);
    assert!(desk.admit(&access, &secret).is_ok());
    desk.issue("other", &["read"], None);
    desk.pass(LOOKED);
    refused(desk.admit(&access, &secret));
    fs::write(desk.path(), good).expect("written");
    desk.pass(LOOKED);
    assert!(desk.admit(&access, &secret).is_ok());
}

const LOOKED: Duration = Duration::from_secs(1);

#[test]
fn without_tokens_everyone_may_do_everything() {
    let access = Access::open();
    assert!(!access.is_required());
    for bearer in [None, Some("x")] {
        let caller = access.admit(bearer).expect("open");
        assert!(caller.may(&Scope::Operate) && caller.may(&Scope::Ucc("any".to_owned())));
    }
}

#[test]
fn the_file_is_read_as_it_was_written_and_holds_no_secret() {
    let desk = Desk::new();
    let secret = desk.issue("sales", &["read", "ucc:sales"], Some("2027-01-01T00:00:00Z"));
    let text = fs::read_to_string(desk.path()).expect("a file");
    let (_, random) = secret.rsplit_once('_').expect("two parts");
    assert!(!text.contains(random) && text.contains("ucc:sales"), "{text}");
    assert_eq!(Tokens::parse(&text).expect("good").to_text(), text);
}

#[test]
fn a_damaged_file_is_refused_with_the_token_that_is_meant() {
    let good =
        r#"{"version":1,"tokens":[{"name":"a","sha256":"HASH","scopes":["read"],"created":"2026-03-01T12:00:00Z"}]}"#
            .replace("HASH", &"0".repeat(64));
    assert_eq!(Tokens::parse(&good).expect("good").len(), 1);
    for (from, to, told) in [
        ("\"a\"", "\"a b\"", "token \"a b\": a name has"),
        ("000", "x00", "token \"a\": `sha256` is not 64 hexadecimal digits"),
        ("[\"read\"]", "[]", "token \"a\": it has 0 scopes"),
        ("read", "write", "token \"a\": `write` is no scope; write ucc:NAME, attendant"),
        ("2026-03-01T12", "yesterday", "token \"a\": \"yesterday:00:00Z\" is no time"),
        ("\"created\"", "\"secret\":\"x\",\"created\"", "unknown field `secret`"),
        ("\"version\":1", "\"version\":7", "its version is 7"),
        ("]}", "", "line 1 column"),
    ] {
        let error = Tokens::parse(&good.replace(from, to)).err().expect(to);
        assert!(error.contains(told), "{error}");
    }
    let entry = &good[good.find("{\"name").expect("an entry")..good.len() - 2];
    let twice = good.replace(entry, &format!("{entry},{entry}"));
    assert!(Tokens::parse(&twice).err().expect("twice").contains("there is a token `a` already"));
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_read_is_refused_and_keeps_its_mode_when_it_is_changed() {
    use std::os::unix::fs::PermissionsExt;

    let desk = Desk::new();
    desk.issue("sales", &["read"], None);
    let mode = || fs::metadata(desk.path()).expect("a file").permissions().mode() & 0o7777;
    assert_eq!(mode(), 0o600);
    let set = |mode| fs::set_permissions(desk.path(), fs::Permissions::from_mode(mode)).expect("a file");
    for bad in [0o644, 0o604, 0o620, 0o602, 0o601] {
        set(bad);
        let error = Access::load(&desk.path()).expect_err("exposed").to_string();
        assert!(error.contains(&format!("mode {bad:04o}")) && error.contains("chmod g-w,o= "), "{error}");
        assert!(change(&desk.path(), |_| ()).is_err(), "a token file that others may write is not added to");
    }
    set(0o640);
    desk.issue("other", &["read"], None);
    assert_eq!(mode(), 0o640);
    assert!(Access::load(&desk.path()).is_ok());
}
