//! Everybody's turn comes, and the rate rises and falls.
