//! The order, by sentence.
