//! What can be set: Config.xml to validated [`Settings`].
//!
//! [`load`] reads a file, [`parse`] a text. Every mistake of a file is found in one go; each is a [`Diagnostic`] with
//! line, column, the source line and what to write instead. `docs/configuration.md` lists every element and attribute.
//!
//! ```text
//! bytes --decode--> text --mask secrets--> text --reader, tag--> tree --shape--> names   \
//!                                                                 |                       +--> Diagnostics
//!                                                                 +--provider, ucma, ...--/
//!                                                                              |
//!                                                                              v
//!                                                                           Settings
//! ```
//!
//! ```
//! use presence_config::{Severity, parse};
//!
//! let text = r#"<config version="1.5">
//! <PresenceProvider maxPresenceSubscriptionPerSecond="20">
//! <PstnPresenceSource enabled="true" />
//! </PresenceProvider>
//! </config>"#;
//! let loaded = parse(text, "Config.xml").expect("accepted, with a warning");
//! assert_eq!(loaded.settings.max_presence_subscriptions_per_second.get(), 15);
//! let warning = &loaded.warnings[0];
//! assert_eq!((warning.severity, warning.line, warning.column), (Severity::Warning, 2, 19));
//! assert_eq!(warning.help.as_deref(), Some("did you mean `MaxPresenceSubscriptionsPerSecond`?"));
//!
//! let refused = parse(&text.replace("\"true\"", "\"ja\""), "Config.xml").expect_err("refused");
//! assert!(refused.iter().any(|diagnostic| diagnostic.render(false).contains("Config.xml:3:30")));
//! ```

mod attendant;
mod decode;
mod diagnostic;
mod document;
mod fields;
mod files;
mod graph;
mod http;
mod load;
mod names;
mod provider;
mod queues;
mod reader;
mod report;
mod secrets;
mod settings;
mod shape;
mod state;
mod tag;
mod ucma;
mod url;
mod values;

pub use decode::MAX_FILE_BYTES;
pub use diagnostic::{Diagnostic, Severity};
pub use files::FileLookup;
pub use http::HttpSettings;
pub use load::{LoadError, Loaded, load, parse, parse_bytes};
pub use report::SettingRow;
pub use settings::{
    ContactCenter, ContactCenterAgent, DEFAULT_LISTEN_PORT, DEFAULT_MAX_FAILED_PER_URI, DEFAULT_MAX_RESUBSCRIBE_DELAY,
    DEFAULT_RESUBSCRIBE_DELAY, DEFAULT_SUBSCRIPTIONS_PER_SECOND, Dialect, GraphAccount, GraphCloud, GraphNotifications,
    GraphSettings, PoolAddress, PoolSettings, Settings, Transport, UcmaSettings, UserEndpoint,
};
pub use state::StateSettings;
