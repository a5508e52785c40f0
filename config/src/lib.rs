//! What can be set: Config.xml to validated [`Settings`].
#![warn(missing_docs)]

mod attendant;
mod decode;
mod diagnostic;
mod document;
mod fields;
mod files;
mod load;
mod provider;
mod queues;
mod reader;
mod report;
mod secrets;
mod settings;
mod shape;
mod tag;
mod ucma;
mod values;

pub use decode::MAX_FILE_BYTES;
pub use diagnostic::{Diagnostic, Severity};
pub use files::FileLookup;
pub use load::{LoadError, Loaded, load, parse, parse_bytes};
pub use report::SettingRow;
pub use settings::{
    ContactCenter, ContactCenterAgent, DEFAULT_LISTEN_PORT, DEFAULT_MAX_FAILED_PER_URI, DEFAULT_MAX_RESUBSCRIBE_DELAY,
    DEFAULT_RESUBSCRIBE_DELAY, DEFAULT_SUBSCRIPTIONS_PER_SECOND, Dialect, GraphAccount, GraphSettings, PoolAddress,
    PoolSettings, Settings, Transport, UcmaSettings, UserEndpoint,
};
