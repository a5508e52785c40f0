//! Why there is no client.

use std::path::PathBuf;

/// Why no HTTP client can be made from the settings. The text fits after "failed to prepare for Microsoft Graph: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphClientError {
    /// One of the two URLs, or the proxy's, cannot be used.
    #[error("{what} `{url}`: {why}")]
    Url {
        /// `LoginUrl`, `GraphUrl` or `Proxy`.
        what: &'static str,
        /// As it was given, without a password.
        url: String,
        /// What is wrong with it, and what is expected.
        why: &'static str,
    },
    /// The file of authorities cannot be used.
    #[error("TrustedCertificates `{}`: {why}", .path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The rest.
    #[error("{0}")]
    Setup(String),
}
