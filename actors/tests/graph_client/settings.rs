//! Settings that no client is made from.

use presence_actors::{GraphNetwork, graph_client};

fn refused(proxy: Option<&str>, login: &str, graph: &str) -> String {
    let network = GraphNetwork::Http { proxy: proxy.map(str::to_owned), trusted_certificates: None };
    match graph_client(&network, login, graph) {
        Ok(_) => panic!("{proxy:?} {login} {graph} is taken"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_place_is_a_host_with_tls_or_this_computer() {
    const GOOD: &str = "https://graph.microsoft.com";
    let refused_login = |url| refused(None, url, GOOD);
    assert_eq!(
        refused_login("http://login.microsoftonline.com"),
        "LoginUrl `http://login.microsoftonline.com`: without TLS only this computer itself may be asked; say https"
    );
    assert!(refused(None, GOOD, "http://127.0.0.1.example.test").starts_with("GraphUrl `"));
    for url in ["https://host/path", "https://host?x", "https://host#x"] {
        assert!(refused_login(url).ends_with("only the host belongs there; say https://host"), "{url}");
    }
    for url in ["", "host", "ftp://host", "https://", "file:///etc/passwd"] {
        assert!(refused_login(url).contains("it is no URL"), "{url}: {}", refused_login(url));
    }
    let network = GraphNetwork::Http { proxy: None, trusted_certificates: None };
    for url in ["http://127.0.0.1:8080", "http://[::1]:8080/", "http://localhost"] {
        assert!(graph_client(&network, url, url).is_ok(), "{url}");
    }
}

#[test]
fn a_password_in_a_url_is_refused_and_not_shown() {
    const GOOD: &str = "https://graph.microsoft.com";
    for text in
        [refused(None, "https://me:hunter2@host", GOOD), refused(Some("http://me:hunter2@proxy:3128"), GOOD, GOOD)]
    {
        assert!(!text.contains("hunter2") && !text.contains("me:"), "{text}");
    }
    for proxy in ["proxy:3128", "https://proxy:3128", "socks5://proxy", "http://proxy:3128/path", ""] {
        assert!(refused(Some(proxy), GOOD, GOOD).starts_with("Proxy `"), "{proxy}");
    }
}

#[test]
fn a_file_of_authorities_that_cannot_be_used_is_named() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    let missing = std::path::PathBuf::from("no-such-directory/authorities.pem");
    for (path, why) in [
        (missing, "No such file"),
        (empty.path().to_owned(), "no CERTIFICATE section"),
        // It never ends.
        ("/dev/zero".into(), "not a file"),
    ] {
        let network = GraphNetwork::Http { proxy: None, trusted_certificates: Some(path.clone()) };
        let Err(error) = graph_client(&network, "https://a.example.test", "https://b.example.test") else { panic!() };
        let text = error.to_string();
        assert!(text.contains(&path.display().to_string()) && text.contains(why), "{text}");
    }
}
