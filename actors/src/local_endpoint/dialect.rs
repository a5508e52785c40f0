//! What an endpoint speaks to its pool about presence.

use presence_sip::{Dialect, Epid, Gather, SkypeConfig, SkypeSubscriber, Subscriber, SubscriberConfig};

use crate::setup::{DialectSetup, EndpointSetup};

/// What the endpoint speaks.
pub(super) fn dialect(setup: &EndpointSetup, gather: Gather) -> Box<dyn Dialect> {
    let entropy = || setup.random.for_sip();
    match setup.dialect {
        DialectSetup::Simple => {
            let mut config = SubscriberConfig::new(setup.uri.clone(), "", "");
            config.target = setup.pool.target();
            config.transport = setup.transport;
            config.expires = setup.expires;
            config.credentials.clone_from(&setup.credentials);
            config.timers = setup.timers;
            Box::new(Subscriber::new(config, entropy()))
        }
        DialectSetup::Skype { registers } => {
            // The same after a restart, so that the pool replaces the old registration and the old dialog (MS-SIPREGE).
            let epid = Epid::of(setup.uri.as_str());
            let mut config = SkypeConfig::new(setup.uri.clone(), epid, "", "", gather);
            config.target = setup.pool.target();
            config.transport = setup.transport;
            config.credentials.clone_from(&setup.credentials);
            config.timers = setup.timers;
            config.use_registration = registers;
            Box::new(SkypeSubscriber::new(config, entropy()))
        }
    }
}

/// What an operator does about an alarm.
pub(super) const fn advice(dialect: DialectSetup) -> &'static str {
    match dialect {
        DialectSetup::Simple => {
            "the pool does not serve presence subscriptions; check that the address is that of a presence server"
        }
        DialectSetup::Skype { .. } => {
            "the pool does not serve this endpoint; check that the trusted application, its endpoint and the names in \
                 its certificate are as `presence-provider provision` prints them"
        }
    }
}
