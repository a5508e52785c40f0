use std::fs;

use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::*;

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, text).expect("written");
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
}

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn store(&self) -> FileSecretStore {
        FileSecretStore {
            manager: Some(self.path("manager")),
            folder: self.path("folder"),
            tokens: RefreshTokens::new(self.path("state")),
            environment: BTreeMap::new(),
            known: Arc::default(),
        }
    }
}

fn secret(text: &str) -> String {
    format!(r#"{{"client_id": "app", "client_secret": "{text}"}}"#)
}

fn loaded(store: &FileSecretStore) -> String {
    match store.load("one").expect("a secret") {
        Secret::ClientSecret { client_id, secret } => format!("{client_id} {}", secret.expose_secret()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_place_that_has_it_wins() {
    let place = Place::new();
    let mut store = place.store();
    let why = store.load("one").expect_err("there is none");
    assert!(why.contains("folder/one.json") && why.contains("graph-one"), "{why}");
    store.environment.insert("PP_GRAPH_ONE".to_owned(), SecretString::from(secret("from the environment")));
    assert_eq!(loaded(&store), "app from the environment");
    write(&place.path("folder/one.json"), &secret("from the folder"));
    assert_eq!(loaded(&store), "app from the folder");
    write(&place.path("manager/graph-one"), &secret("from the manager"));
    assert_eq!(loaded(&store), "app from the manager");
}

#[test]
fn a_place_that_cannot_be_used_is_told_and_not_passed_over() {
    let place = Place::new();
    let mut store = place.store();
    store.environment.insert("PP_GRAPH_ONE".to_owned(), SecretString::from(secret("x")));
    write(&place.path("folder/one.json"), "not json hunter2");
    let why = store.load("one").expect_err("it is no JSON");
    assert!(why.contains("one.json: it is no JSON (line 1") && !why.contains("hunter2"), "{why}");
}

#[test]
fn no_mistake_in_a_credential_shows_what_stands_there() {
    let place = Place::new();
    for (text, expected) in [
        (r#"{"client_id": "app", "client_secret": "hunter2", "refresh_token": true}"#, "two kinds"),
        (r#"{"client_id": "app", "client_secret": "hunter2", "key_pem_file": "k"}"#, "two kinds"),
        (r#"{"client_id": "app", "certificate_pem_file": "hunter2"}"#, "without key_pem_file"),
        (r#"{"client_id": "app", "key_pem_file": "hunter2"}"#, "without certificate_pem_file"),
        (r#"{"client_id": "app"}"#, "nothing but client_id"),
        (r#"{"client_id": "app", "refresh_token": false}"#, "nothing but client_id"),
        (r#"{"client_id": "app", "hunter2": "hunter2"}"#, "not known"),
        (r#"{"client_id": "app", "refresh_token": "hunter2"}"#, "wrong kind"),
        (r#"{"client_id": "app", "client_secret": "a", "client_secret": "hunter2"}"#, "given twice"),
        (r#"{"client_secret": "hunter2"}"#, "missing"),
        (r#"{"client_id": "a b", "client_secret": "hunter2"}"#, "client_id"),
        (r#"{"client_id": "app", "client_secret": " "}"#, "empty"),
        (r#"["hunter2"]"#, "wrong kind"),
        (r#""hunter2"#, "no JSON"),
        ("", "no JSON"),
    ] {
        write(&place.path("folder/one.json"), text);
        let why = place.store().load("one").expect_err(text);
        assert!(why.contains(expected), "{text}: {why}");
        assert!(why.contains("one.json") && !why.contains("hunter2"), "{text}: {why}");
    }
}

#[test]
fn nothing_of_a_secret_is_in_the_debug_output() {
    let place = Place::new();
    write(&place.path("folder/one.json"), &secret("hunter2"));
    let mut store = place.store();
    store.environment.insert("PP_GRAPH_TWO".to_owned(), SecretString::from(secret("hunter2")));
    let credential = store.credential("one").expect("a credential");
    let everything = format!("{store:?} {credential:?} {:?}", store.load("one"));
    assert!(!everything.contains("hunter2"), "{everything}");
}

#[test]
fn a_delegated_account_has_what_the_last_sign_in_left() {
    let place = Place::new();
    write(&place.path("folder/one.json"), r#"{"client_id": "app", "refresh_token": true}"#);
    let store = place.store();
    assert_eq!(store.credential("one").expect("a credential").kind(), AccountKind::Delegated);
    assert!(store.load("one").expect_err("nobody has signed in").contains("graph login one"));
    store.store("one", &SecretString::from("first")).expect("kept");
    store.store("one", &SecretString::from("second")).expect("kept");
    match store.load("one").expect("a secret") {
        Secret::RefreshToken { token, .. } => assert_eq!(token.expose_secret(), "second"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_certificate_is_found_beside_its_credential_and_its_key_must_be_guarded() {
    let place = Place::new();
    let text = r#"{"client_id": "app", "certificate_pem_file": "a.pem", "key_pem_file": "a.key"}"#;
    write(&place.path("folder/one.json"), text);
    let store = place.store();
    let credential = store.credential("one").expect("a credential");
    assert_eq!(credential.kind(), AccountKind::Application);
    assert!(store.usable(&credential).expect_err("no files").contains("folder/a.key"));
    write(&place.path("folder/a.key"), "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n");
    assert!(store.usable(&credential).expect_err("no certificate").contains("folder/a.pem"));
    write(&place.path("folder/a.pem"), "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n");
    assert_eq!(store.usable(&credential), Ok(()));
    assert!(matches!(store.load("one"), Ok(Secret::Certificate { .. })));
    #[cfg(unix)]
    {
        let wide = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        fs::set_permissions(place.path("folder/a.key"), wide).expect("a mode");
        let why = store.load("one").expect_err("others may read the key");
        assert!(why.contains("chmod go=") && !why.contains("hunter2"), "{why}");
    }
}

#[test]
fn the_variable_of_an_account_has_only_characters_that_a_shell_takes() {
    assert_eq!(variable("my-presence.account1"), "PP_GRAPH_MY_PRESENCE_ACCOUNT1");
}

#[test]
fn a_rotation_beside_a_sign_in_keeps_the_sign_in_and_after_it_the_rotations_of_that() {
    let place = Place::new();
    write(&place.path("folder/one.json"), r#"{"client_id": "app", "refresh_token": true}"#);
    let (provider, login) = (place.store(), place.store());
    let text = |store: &FileSecretStore| match store.load("one").expect("a secret") {
        Secret::RefreshToken { token, .. } => token.expose_secret().to_owned(),
        other => panic!("{other:?}"),
    };
    let store = |store: &FileSecretStore, token: &str| store.store("one", &SecretString::from(token)).expect("kept");
    store(&login, "first");
    assert_eq!(text(&provider), "first");
    store(&login, "signed-in");
    store(&provider, "rotated from the first");
    assert_eq!(text(&provider), "signed-in");
    store(&provider, "second");
    store(&provider, "third");
    assert_eq!(text(&login), "third");
}
