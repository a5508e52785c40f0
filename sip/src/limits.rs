//! What one message may cost before anything is allocated for it.

/// The largest message that is accepted, by its parts. All sizes are in bytes.
///
/// Every cap is held before memory is taken: a peer that announces a huge body loses its connection, not our memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The start line and all headers with the blank line that ends them; 16 KiB.
    pub header_section: usize,
    /// One header with its folded lines, and the start line; 4 KiB. (rsip's typed Via is quadratic in this.)
    pub header: usize,
    /// How many header lines a message may have; 128.
    pub headers: usize,
    /// The body; 1 MiB.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { header_section: 16 * 1024, header: 4 * 1024, headers: 128, body: 1024 * 1024 }
    }
}
