//! Random bytes of the operating system, for Call-IDs, tags and branches.

/// Fills the bytes.
///
/// # Panics
/// When the operating system has no source of random bytes: nothing that speaks SIP can run there.
pub(crate) fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system has a source of random bytes");
}
