//! The files, and what a start says of them.
