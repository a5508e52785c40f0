//! The test bench itself: the Kamailio that the provider's tests stand on does what they will rely on.
#![allow(missing_docs, reason = "a test binary has no reader of its docs")]

mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::certificates::Identity;
use support::documents::pidf;
use support::eventually;
use support::kamailio::{DOMAIN, Digest, Kamailio, PASSWORD, Setup, Store};
use support::observed::{Observed, most_in_any};
use support::phone::{Dialog, Heard, Phone};

const PATIENCE: Duration = Duration::from_secs(5);
const WATCHER: &str = "sip:watcher@example.test";

/// The headers of a SUBSCRIBE beside those that every request has.
fn watching(phone: &Phone, expires: u32) -> Vec<String> {
    let (local, transport) = (phone.local(), phone.transport().to_ascii_lowercase());
    vec![
        format!("Contact: <sip:watcher@{local};transport={transport}>"),
        "Event: presence".to_owned(),
        "Accept: application/pidf+xml".to_owned(),
        format!("Expires: {expires}"),
    ]
}

/// Sends a SUBSCRIBE of the dialog and collects its answer and the first NOTIFY, in whichever order they come.
fn subscribe(phone: &mut Phone, dialog: &mut Dialog, expires: u32) -> (Heard, Option<Heard>) {
    let request = phone.request("SUBSCRIBE", &dialog.to.clone(), dialog, &watching(phone, expires), "");
    dialog.sequence += 1;
    phone.send(&request);
    let (mut answer, mut notify) = (None, None);
    while answer.is_none() || notify.is_none() {
        let heard = phone.receive(PATIENCE).expect("an answer to SUBSCRIBE");
        if heard.method() == Some("NOTIFY") {
            phone.accept(&heard);
            notify = Some(heard);
        } else {
            let refused = heard.status() != Some(200);
            answer = Some(heard);
            if refused {
                break;
            }
        }
    }
    let answer = answer.expect("an answer");
    dialog.to_tag = answer.tag("To").map(str::to_owned);
    (answer, notify)
}

fn next_notify(phone: &mut Phone) -> Heard {
    let heard = phone.receive(PATIENCE).expect("a NOTIFY");
    assert_eq!(heard.method(), Some("NOTIFY"), "{}", heard.text);
    phone.accept(&heard);
    heard
}

#[test]
fn a_published_document_reaches_a_watcher_over_udp_and_tcp() {
    let Some(kamailio) = Kamailio::start(Setup { store: Store::WriteThrough, ..Setup::default() }) else { return };
    let alice = Kamailio::uri("alice");
    let etag = kamailio.publish("alice", &pidf(&alice, true, Some("away")), None);
    let mut phones = [Phone::udp(kamailio.udp()), Phone::tcp(kamailio.tcp())];
    let mut dialogs = [Dialog::new(WATCHER, &alice), Dialog::new(WATCHER, &alice)];
    for (phone, dialog) in phones.iter_mut().zip(&mut dialogs) {
        let (answer, notify) = subscribe(phone, dialog, 600);
        assert_eq!(answer.header("Expires"), Some("600"));
        let notify = notify.expect("a first NOTIFY");
        assert!(
            notify.header("Subscription-State").is_some_and(|state| state.starts_with("active;")),
            "{}",
            notify.text
        );
        assert!(notify.body().contains("away"), "{}", notify.text);
    }
    kamailio.publish("alice", &pidf(&alice, true, Some("busy")), Some(&etag));
    for phone in &mut phones {
        let notify = next_notify(phone);
        assert!(notify.body().contains("busy") && !notify.body().contains("away"), "{}", notify.text);
    }
    assert_eq!(kamailio.active_watchers(), 2);
    let observed = kamailio.observed();
    assert_eq!(observed.initial().len(), 2);
    let transports: Vec<&str> = observed.subscribes.iter().map(|subscribe| subscribe.transport.as_str()).collect();
    assert_eq!(transports, ["udp", "tcp"]);
    assert!(
        observed.subscribes.iter().all(|seen| seen.uri == alice && seen.from == WATCHER && seen.expires == Some(600))
    );
    for (phone, dialog) in phones.iter_mut().zip(&mut dialogs) {
        let (_, last) = subscribe(phone, dialog, 0);
        assert_eq!(last.expect("a last NOTIFY").header("Subscription-State"), Some("terminated;reason=timeout"));
    }
    assert_eq!(kamailio.observed().live_dialogs().len(), 0);
    eventually("the rows to go", PATIENCE, || (kamailio.active_watchers() == 0).then_some(()));
}

#[test]
fn an_injected_fault_holds_until_it_is_cleared() {
    let Some(kamailio) = Kamailio::start(Setup::default()) else { return };
    let mut phone = Phone::tcp(kamailio.tcp());
    let mut attempt = |user: &str| subscribe(&mut phone, &mut Dialog::new(WATCHER, &Kamailio::uri(user)), 600).0;
    kamailio.fault("SUBSCRIBE", "503");
    kamailio.retry_after(7);
    kamailio.fault_for("SUBSCRIBE", "bob", "404");
    let refused = attempt("alice");
    assert_eq!((refused.status(), refused.header("Retry-After")), (Some(503), Some("7")));
    assert_eq!(attempt("bob").status(), Some(404));
    kamailio.fault_for("SUBSCRIBE", "bob", "423");
    let refused = attempt("bob");
    assert_eq!((refused.status(), refused.header("Min-Expires")), (Some(423), Some("600")));
    kamailio.clear_faults();
    assert_eq!(attempt("alice").status(), Some(200));
    assert_eq!(attempt("bob").status(), Some(200));
    kamailio.fault("SUBSCRIBE", "drop");
    let dialog = Dialog::new(WATCHER, &Kamailio::uri("carol"));
    let request = phone.request("SUBSCRIBE", &dialog.to, &dialog, &watching(&phone, 600), "");
    assert!(phone.call(&request, Duration::from_millis(700)).is_none(), "a dropped SUBSCRIBE has no answer");
    kamailio.fault("OPTIONS", "drop");
    let options = phone.request("OPTIONS", "sip:example.test", &dialog, &[], "");
    assert!(phone.call(&options, Duration::from_millis(700)).is_none(), "a dropped OPTIONS has no answer");
}

#[test]
fn a_forced_end_reaches_the_watchers_of_that_agent_only() {
    let Some(kamailio) = Kamailio::start(Setup::default()) else { return };
    let mut phone = Phone::tcp(kamailio.tcp());
    for user in ["alice", "bob"] {
        subscribe(&mut phone, &mut Dialog::new(WATCHER, &Kamailio::uri(user)), 600);
    }
    for state in ["terminated;reason=deactivated", "terminated;reason=probation;retry-after=5"] {
        kamailio.notify_state("alice", state);
        let notify = next_notify(&mut phone);
        assert_eq!(notify.header("Subscription-State"), Some(state));
        assert!(notify.header("From").is_some_and(|from| from.contains("alice")), "{}", notify.text);
    }
    assert!(phone.receive(Duration::from_millis(300)).is_none(), "bob's watcher hears nothing");
    let observed = kamailio.observed();
    assert_eq!(observed.live_dialogs().into_values().collect::<Vec<_>>(), [Kamailio::uri("bob")]);
}

#[test]
fn killed_it_is_gone_and_restarted_it_answers_481_from_memory_and_200_from_the_database() {
    for (store, expected) in [(Store::Memory, 481), (Store::WriteThrough, 200)] {
        let Some(mut kamailio) = Kamailio::start(Setup { store, ..Setup::default() }) else { return };
        let mut phone = Phone::tcp(kamailio.tcp());
        let mut dialog = Dialog::new(WATCHER, &Kamailio::uri("alice"));
        assert_eq!(subscribe(&mut phone, &mut dialog, 600).0.status(), Some(200));
        let tag = dialog.to_tag.clone();
        kamailio.kill();
        assert!(phone.receive(PATIENCE).is_none(), "the connection ends with the server");
        assert!(TcpStream::connect_timeout(&kamailio.tcp(), PATIENCE).is_err(), "nothing listens after a kill");
        kamailio.restart();
        let mut phone = Phone::tcp(kamailio.tcp());
        assert_eq!(subscribe(&mut phone, &mut dialog, 600).0.status(), Some(expected), "{store:?}");
        let seen = kamailio.observed().subscribes;
        assert_eq!((seen.len(), &seen[1].to_tag), (2, &tag), "the log goes on over the restart");
    }
}

#[test]
fn a_dialog_deleted_from_the_database_answers_481() {
    let Some(kamailio) = Kamailio::start(Setup { store: Store::Database, ..Setup::default() }) else { return };
    let mut phone = Phone::tcp(kamailio.tcp());
    let mut dialogs = ["alice", "bob"].map(|user| Dialog::new(WATCHER, &Kamailio::uri(user)));
    for dialog in &mut dialogs {
        subscribe(&mut phone, dialog, 600);
    }
    kamailio.forget_dialogs_of("alice");
    assert_eq!(kamailio.active_watchers(), 1);
    assert_eq!(subscribe(&mut phone, &mut dialogs[0], 600).0.status(), Some(481));
    assert_eq!(subscribe(&mut phone, &mut dialogs[1], 600).0.status(), Some(200));
}

/// The hash of a text as lower-case hexadecimal, by `openssl`: nothing of ours takes part.
fn hash(algorithm: &str, text: &str) -> String {
    let mut command = Command::new("openssl");
    command.args(["dgst", "-r", if algorithm == "MD5" { "-md5" } else { "-sha256" }]);
    let mut openssl = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("openssl");
    openssl.stdin.take().expect("its input").write_all(text.as_bytes()).expect("written");
    let output = openssl.wait_with_output().expect("a hash").stdout;
    String::from_utf8_lossy(&output).split(' ').next().expect("a hash").to_owned()
}

#[test]
fn digest_challenges_name_their_algorithm_and_the_right_answer_opens() {
    for (digest, algorithm) in [(Digest::Md5, "MD5"), (Digest::Sha256, "SHA-256")] {
        let Some(kamailio) = Kamailio::start(Setup { digest: Some(digest), ..Setup::default() }) else { return };
        let mut phone = Phone::udp(kamailio.udp());
        let uri = Kamailio::uri("alice");
        let mut dialog = Dialog::new(WATCHER, &uri);
        let (refused, _) = subscribe(&mut phone, &mut dialog, 600);
        assert_eq!(refused.status(), Some(401));
        let challenge = refused.header("WWW-Authenticate").expect("a challenge");
        assert!(challenge.contains("qop=\"auth\""), "{challenge}");
        assert_eq!(challenge.contains("SHA-256"), algorithm == "SHA-256", "{challenge}");
        let nonce = challenge.split_once("nonce=\"").and_then(|(_, rest)| rest.split('"').next()).expect("a nonce");
        let a1 = hash(algorithm, &format!("watcher:{DOMAIN}:{PASSWORD}"));
        let a2 = hash(algorithm, &format!("SUBSCRIBE:{uri}"));
        let response = hash(algorithm, &format!("{a1}:{nonce}:00000001:c0ffee:auth:{a2}"));
        let mut headers = watching(&phone, 600);
        headers.push(format!(
            "Authorization: Digest username=\"watcher\", realm=\"{DOMAIN}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             algorithm={algorithm}, qop=auth, nc=00000001, cnonce=\"c0ffee\", response=\"{response}\""
        ));
        dialog.to_tag = None;
        let request = phone.request("SUBSCRIBE", &uri, &dialog, &headers, "");
        let answer = phone.call(&request, PATIENCE).expect("an answer");
        assert_eq!(answer.status(), Some(200), "{algorithm}: {}", answer.text);
        let wrong = request.replace(&response, &hash(algorithm, "wrong")).replace("z9hG4bK", "z9hG4bKw");
        let answer = phone.call(&wrong.replace("Call-ID: ", "Call-ID: w"), PATIENCE).expect("an answer");
        assert_eq!(answer.status(), Some(401), "{algorithm}: {}", answer.text);
    }
}

#[test]
fn a_short_interval_is_refused_and_a_long_one_cut_down() {
    let limits = Setup {
        minimum_expires: Duration::from_secs(60),
        maximum_expires: Duration::from_secs(120),
        ..Setup::default()
    };
    let Some(kamailio) = Kamailio::start(limits) else { return };
    let mut phone = Phone::tcp(kamailio.tcp());
    let (refused, _) = subscribe(&mut phone, &mut Dialog::new(WATCHER, &Kamailio::uri("alice")), 30);
    assert_eq!((refused.status(), refused.header("Min-Expires")), (Some(423), Some("60")));
    let (accepted, _) = subscribe(&mut phone, &mut Dialog::new(WATCHER, &Kamailio::uri("alice")), 600);
    assert_eq!(accepted.header("Expires"), Some("120"));
}

/// What OPTIONS over TLS is answered, by `openssl s_client`; `None` when the handshake fails.
fn options_over_tls(kamailio: &Kamailio, identity: Option<&Identity>) -> Option<String> {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-quiet", "-verify_return_error", "-verify_hostname", "pool.example.test", "-connect"]);
    command.arg(kamailio.tls().to_string()).arg("-CAfile").arg(&kamailio.certificates().authority);
    if let Some(identity) = identity {
        command.arg("-cert").arg(&identity.certificate).arg("-key").arg(&identity.key);
    }
    let mut client = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let request = "OPTIONS sip:example.test SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bKtls;rport\r\n\
                   Max-Forwards: 70\r\nFrom: <sip:a@example.test>;tag=1\r\nTo: <sip:example.test>\r\nCall-ID: tls\r\n\
                   CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
    let written = client.stdin.as_mut().is_some_and(|input| input.write_all(request.as_bytes()).is_ok());
    let mut line = String::new();
    BufReader::new(client.stdout.take()?).read_line(&mut line).ok()?;
    let _ = client.kill();
    let _ = client.wait();
    (written && !line.is_empty()).then(|| line.trim_end().to_owned())
}

#[test]
fn tls_wants_a_certificate_of_its_authority() {
    let Some(kamailio) = Kamailio::start(Setup::default()) else { return };
    let certificates = kamailio.certificates();
    assert_eq!(options_over_tls(&kamailio, Some(&certificates.application)).as_deref(), Some("SIP/2.0 200 OK"));
    assert_eq!(options_over_tls(&kamailio, Some(&certificates.rogue)), None, "another authority");
    assert_eq!(options_over_tls(&kamailio, None), None, "no certificate");
}

#[test]
fn windows_are_half_open_and_unpadded_microseconds_are_read() {
    let log = "1(2) NOTICE: <script>: @@in|10.5|tcp|c1|<null>|600|1|sip:w@d|sip:a@d\n\
               noise @@ noise\n\
               @@in|11.000004|udp|c1|tag|<null>|2|sip:w@d|sip:a@d\n\
               @@in|11.5|udp|c2|<null>|oops|1|sip:w@d|sip:b@d\n\
               @@out|11.6|c1|active;expires=600|sip:a@d|sip:w@1.2.3.4\n\
               @@out|11.7|c2|terminated;reason=timeout|sip:b@d|sip:w@1.2.3.4\n";
    let observed = Observed::read(log);
    let at: Vec<u128> = observed.subscribes.iter().map(|seen| seen.at.as_micros()).collect();
    assert_eq!(at, [10_000_005, 11_000_004, 11_000_005]);
    assert_eq!(observed.initial().len(), 2);
    assert_eq!(observed.live_dialogs().into_iter().collect::<Vec<_>>(), [("c1", "sip:a@d")]);
    let seconds =
        |values: &[u64]| most_in_any(Duration::from_secs(1), values.iter().copied().map(Duration::from_millis));
    assert_eq!(seconds(&[0, 1_000, 2_000]), 1);
    assert_eq!(seconds(&[0, 999, 1_500]), 2);
    assert_eq!(seconds(&[]), 0);
}
