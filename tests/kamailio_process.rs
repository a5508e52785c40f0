//! The program itself, from a Config.xml with mutual TLS, against a real Kamailio.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test binary has no reader of its docs and may panic")]

mod process;
mod support;

use std::path::Path;

use process::Config;
use support::certificates::Identity;
use support::documents::pidf;
use support::kamailio::{DOMAIN, Kamailio, Setup};

/// A configuration that reaches this Kamailio over TLS as `identity` and trusts the certificates of `authority`.
fn config(kamailio: &Kamailio, identity: &Identity, authority: &Path) -> Config {
    let address = kamailio.tls();
    Config::of(&format!(
        r#"<config version="1.5">
  <PresenceProvider>
    <UcmaPresenceSource enabled="true" ApplicationId="urn:application:ucc_app14_1">
      <ApplicationEndpoint OwnerUri="sip:application@{DOMAIN}" />
      <Pool Address="{address}" Transport="tls" Dialect="simple" Listen="127.0.0.1:0" PeerNames="pool.example.test"
            Certificate="{}" PrivateKey="{}" TrustedCertificates="{}" />
    </UcmaPresenceSource>
    <Http enabled="false" />
  </PresenceProvider>
  <UnifiedContactCenters>
    <UnifiedContactCenter Name="ucc_app01"><Agent Uri="sip:alice@{DOMAIN}" /></UnifiedContactCenter>
    <UnifiedContactCenter Name="ucc_app02"><Agent Uri="sip:alice@{DOMAIN}" /></UnifiedContactCenter>
  </UnifiedContactCenters>
</config>
"#,
        identity.certificate.display(),
        identity.key.display(),
        authority.display(),
    ))
}

#[test]
fn a_config_with_certificates_serves_its_queues_over_mutual_tls() {
    let Some(kamailio) = Kamailio::start(Setup::default()) else { return };
    kamailio.publish("alice", &pidf(&Kamailio::uri("alice"), true, Some("away")), None);
    let certificates = kamailio.certificates();
    let config = config(&kamailio, &certificates.application, &certificates.authority);
    let service = config.run(&["--log-level", "debug"]);
    for queue in ["ucc_app01", "ucc_app02"] {
        service.says(&format!("{queue} Presence change: 'sip:alice@{DOMAIN}' Away : 15500 : :"));
    }
    assert_eq!(kamailio.observed().live_dialogs().len(), 1, "two queues share one subscription");
    let ended = service.terminate();
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert_eq!(kamailio.observed().live_dialogs().len(), 0, "{}", ended.all());
    assert!(ended.with("ERROR").next().is_none(), "{}", ended.all());
}

#[test]
fn a_pool_of_an_authority_that_is_not_trusted_is_refused_in_words() {
    let Some(kamailio) = Kamailio::start(Setup::default()) else { return };
    let certificates = kamailio.certificates();
    let config = config(&kamailio, &certificates.application, &certificates.rogue_authority);
    let service = config.run(&[]);
    let line = service.says("cannot reach its pool");
    assert!(line.contains("certificate") && line.contains("TrustedCertificates"), "{line}");
    assert_eq!(service.terminate().code, Some(0));
    assert_eq!(kamailio.observed().subscribes.len(), 0);
}
