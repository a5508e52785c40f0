//! Which of the pools that a list names is our own.

use super::SkypeSubscriber;
use super::dialog::{DialogKey, Kind};
use super::member::{BatchId, HOME};
use crate::message::is_request_uri;

/// The host of `sip:host:port;..` or of `host:port`; a `poolFqdn` has it before the `@`.
fn named(uri: &str) -> &str {
    let rest = uri
        .split_once(':')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips"));
    let rest = rest.map_or(uri, |(_, rest)| rest);
    rest.split(['@', ':', ';', '?']).next().unwrap_or_default()
}

impl SkypeSubscriber {
    /// The batch that the agents of this pool belong into: those of our own pool into the one that has our own name, as
    /// a pool holds one list of an endpoint and silently drops it for a second one (facts F, rule 6).
    pub(super) fn batch_for(&mut self, pool: &str) -> Option<BatchId> {
        if is_request_uri(pool) && self.is_home(named(pool)) { Some(HOME) } else { self.batch_at(pool) }
    }

    /// True for the name by which the home server is reached, or which it gives as its own.
    fn is_home(&self, host: &str) -> bool {
        let same = |name: &str| !host.is_empty() && named(name).eq_ignore_ascii_case(host);
        self.config.target.as_deref().is_some_and(same) || self.home.as_deref().is_some_and(same)
    }

    /// The name that our own server gives itself in this dialog, if it is ours with it; it outlives the dialog.
    pub(super) fn learn_home(&mut self, key: DialogKey) {
        let dialog = self.dialogs.get(key).filter(|dialog| dialog.kind == Kind::Batch(HOME));
        if let Some(target) = dialog.and_then(|dialog| dialog.remote_target.as_deref())
            && self.home.as_deref() != Some(target)
        {
            self.home = Some(target.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_pool_is_named_by_its_host_however_it_is_written() {
        for uri in [
            "pool.contoso.com",
            "pool.contoso.com:5061",
            "sip:pool.contoso.com:5061;transport=tls",
            "SIP:pool.contoso.com@contoso.com;gruu;opaque=srvr:HomeServer:Gq5mPFi5TkyG7wAaZgZk1wAA",
        ] {
            assert_eq!(named(uri), "pool.contoso.com", "{uri}");
        }
    }
}
