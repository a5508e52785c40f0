//! The names by which the pools of the forest are known.

use presence_core::AgentUri;
use presence_sip::{Epid, TransportKind, uri_param};

use super::FrontEnd;
use super::settings::FrontEndSettings;
use crate::ConnectionId;

/// The names of one pool.
#[derive(Clone, Debug)]
pub(super) struct PoolNames {
    fqdn: Box<str>,
    /// The URI for lists of agents at home there, as `poolFqdn` has it.
    home: Box<str>,
    /// Our Contact there.
    contact: Box<str>,
    /// What a Via says.
    sent_by: String,
}

/// What front ends of these settings are called. There is always one.
pub(super) fn names(settings: &FrontEndSettings) -> Vec<PoolNames> {
    let domain = settings.agents.iter().chain(&settings.endpoints).find_map(|homed| homed.uri.host());
    let wire = if settings.wire == TransportKind::Tls { "tls" } else { "tcp" };
    let pools = settings.pools.iter().map(|pool| {
        let (fqdn, port) = (pool.fqdn.to_ascii_lowercase(), pool.address.port());
        let by_label = || fqdn.split_once('.').map_or(fqdn.as_str(), |(_, domain)| domain);
        let domain = domain.unwrap_or_else(by_label);
        let tail = Epid::of(&fqdn).instance().gruu_opaque();
        let place =
            if settings.switches.contacts_by_address { pool.address.to_string() } else { format!("{fqdn}:{port}") };
        PoolNames {
            home: format!("sip:{fqdn}@{domain};gruu;opaque=srvr:HomeServer:{tail}").into(),
            contact: format!("sip:{place};transport={wire}").into(),
            sent_by: pool.address.to_string(),
            fqdn: fqdn.into(),
        }
    });
    pools.collect()
}

impl FrontEnd {
    /// The pool that a connection belongs to.
    pub(super) fn pool_of(&self, connection: ConnectionId) -> usize {
        self.connections.open.get(&connection).copied().unwrap_or_default()
    }

    fn names_of(&self, pool: usize, name: impl Fn(&PoolNames) -> &str) -> String {
        self.pools.get(pool).map_or_else(|| "pool.invalid".to_owned(), |names| name(names).to_owned())
    }

    /// The name of a pool.
    pub(super) fn fqdn(&self, pool: usize) -> String {
        self.names_of(pool, |names| &names.fqdn)
    }

    /// The URI that `poolFqdn` names for the agents of a pool.
    pub(super) fn pool_uri(&self, pool: usize) -> String {
        self.names_of(pool, |names| &names.home)
    }

    /// Our Contact at a pool.
    pub(super) fn contact_uri(&self, pool: usize) -> String {
        self.names_of(pool, |names| &names.contact)
    }

    /// Which pool a `poolFqdn` names: the parameters may stand in any order, `opaque` must be the one that was given.
    pub(super) fn pool_named(&self, uri: &str) -> Option<usize> {
        let host = AgentUri::parse(uri).ok()?.user()?.to_ascii_lowercase();
        let opaque = uri_param(uri, "opaque")?;
        uri_param(uri, "gruu")?;
        self.pools.iter().position(|pool| *pool.fqdn == *host && uri_param(&pool.home, "opaque") == Some(opaque))
    }

    /// Our Contact in a new dialog: with key parameters that must come back, if the switch says so.
    pub(super) fn signed_contact(&mut self, pool: usize) -> String {
        let contact = self.contact_uri(pool);
        if self.settings.switches.signed_routes {
            format!("{contact};ms-key-info=AAEAAb{}", self.dice.word())
        } else {
            contact
        }
    }

    /// Our Record-Route in a new dialog, if the switch says so: it must come back as it is.
    pub(super) fn record_route(&mut self, pool: usize) -> Option<Box<str>> {
        if !self.settings.switches.signed_routes {
            return None;
        }
        let (contact, state, signature) = (self.contact_uri(pool), self.dice.word(), self.dice.word());
        Some(format!("<{contact};opaque=state:T:F:Ci.R{state};lr;ms-route-sig=aa{signature}~b=>").into())
    }

    /// The Via of a request of ours, as a whole line.
    pub(super) fn via(&mut self, pool: usize) -> String {
        let wire = if self.settings.wire == TransportKind::Tls { "TLS" } else { "TCP" };
        let sent_by = self.names_of(pool, |names| &names.sent_by);
        let (high, low) = (self.dice.throw() >> 32, self.dice.throw() >> 32);
        format!("Via: SIP/2.0/{wire} {sent_by};branch=z9hG4bK{high:08X}.{low:08X};branched=FALSE\r\n")
    }
}
