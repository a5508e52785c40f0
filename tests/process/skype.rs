//! A simulated Skype for Business pool for the real program, over TLS in both directions, and the files that it needs.

use std::net::SocketAddr;

use presence_core::AgentUri;
use presence_simulator::{
    FrontEndHandle, FrontEndServer, FrontEndServerSettings, FrontEndSettings, FrontEndTls, Homed, Pem, PoolSettings,
};
use presence_sip::TransportKind;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::{Config, DOMAIN, queue};

/// The name of the trusted application pool, and so of our certificate.
const TRUST: &str = "trust.demo.example";

/// A certificate and its key, PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// Someone who signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("Demo authority")
    }

    pub(crate) fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names, the first being its subject.
    pub(crate) fn issue(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let all: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(all).unwrap();
        params.distinguished_name.push(DnType::CommonName, names[0]);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        Pair { certificate: params.signed_by(&key, &self.0).unwrap().pem(), key: key.serialize_pem() }
    }

    /// The pool's own certificate.
    pub(crate) fn pool(&self) -> Pair {
        self.issue(&["pool.demo.example", "localhost", "127.0.0.1"], |_| {})
    }

    /// Ours.
    pub(crate) fn application(&self) -> Pair {
        self.issue(&[TRUST, "127.0.0.1"], |_| {})
    }

    /// A front end with this certificate that trusts this authority.
    pub(crate) fn front_end(
        &self,
        pair: Pair,
        agents: usize,
        change: impl FnOnce(&mut FrontEndSettings),
    ) -> FrontEndHandle {
        let mut settings =
            FrontEndSettings::one_pool("pool.demo.example", SocketAddr::from(([127, 0, 0, 1], 0)), agents, DOMAIN);
        settings.wire = TransportKind::Tls;
        settings.switches.contacts_by_address = true;
        change(&mut settings);
        let mut settings = FrontEndServerSettings::on_loopback(settings);
        settings.tls = Some(FrontEndTls {
            certificate: Pem::Text(pair.certificate.into_bytes()),
            key: Pem::Text(pair.key.into_bytes()),
            trusted: Pem::Text(self.pem().into_bytes()),
            client_auth: true,
            application_name: Some(TRUST.to_owned()),
        });
        FrontEndServer::start_on_own_thread(settings).unwrap()
    }
}

/// A Config.xml for a pool at this address, with our certificate and who is trusted.
pub(crate) fn config(address: &str, more: &str, user: &str, agents: usize, own: &Pair, trusted: &str) -> Config {
    let pool = format!(
        "Address=\"{address}\" Listen=\"127.0.0.1:0\" Certificate=\"c.pem\" PrivateKey=\"k.pem\" \
         TrustedCertificates=\"ca.pem\" {more}"
    );
    let agents: Vec<_> = (1..=agents).collect();
    let provider = "maxPresenceSubscriptionsPerSecond=\"200\"";
    let config = Config::of(&Config::text(provider, user, &pool, &queue("ucc_app01", &agents)));
    config.beside("c.pem", &own.certificate);
    config.beside("k.pem", &own.key);
    config.beside("ca.pem", trusted);
    config
}

/// A pool over plain TCP, for what has nothing to do with TLS, and a configuration for it.
pub(crate) fn plain(
    agents: usize,
    more: &str,
    change: impl FnOnce(&mut FrontEndServerSettings),
) -> (FrontEndHandle, Config) {
    let settings =
        FrontEndSettings::one_pool("pool.demo.example", SocketAddr::from(([127, 0, 0, 1], 0)), agents, DOMAIN);
    let mut settings = FrontEndServerSettings::on_loopback(settings);
    settings.settings.switches.contacts_by_address = true;
    change(&mut settings);
    let server = FrontEndServer::start_on_own_thread(settings).unwrap();
    let config = for_tcp(server.address(0), more, agents);
    (server, config)
}

/// A configuration for a pool over plain TCP.
pub(crate) fn for_tcp(address: SocketAddr, more: &str, agents: usize) -> Config {
    let pool = format!("Address=\"{address}\" Transport=\"tcp\" Dialect=\"skype\" Listen=\"127.0.0.1:0\" {more}");
    let agents: Vec<_> = (1..=agents).collect();
    let provider = "maxPresenceSubscriptionsPerSecond=\"200\"";
    Config::of(&Config::text(provider, "", &pool, &queue("ucc_app01", &agents)))
}

/// One more pool, at which the application endpoint is at home.
pub(crate) fn with_a_home_pool(settings: &mut FrontEndServerSettings, fqdn: &str, listen: SocketAddr) {
    settings.settings.pools.push(PoolSettings { fqdn: fqdn.to_owned(), address: listen });
    settings.listen.push(listen);
    settings.settings.endpoints =
        vec![Homed { uri: AgentUri::parse(&format!("sip:ucc_app01@{DOMAIN}")).unwrap(), pool: 1 }];
}
